//! An event as the edge read it: every member that matters, under one name each, JSON values as the texts they were.

use burgee_schema::models::Property;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Event {
    /// Its name.
    pub name: String,
    /// Whose it is, cut to its length.
    pub distinct_id: String,
    /// What tells it from all others.
    pub uuid: Option<String>,
    /// Whether it may have to do with persons at all: `$process_person_profile` is not false.
    pub has_profile: bool,
    /// What stands beside `properties`.
    pub beside: PropertyMembers,
    /// What stands inside `properties`, and goes before.
    pub inside: PropertyMembers,
    /// `$anon_distinct_id`.
    pub anonymous_id: Option<String>,
    /// `alias`.
    pub alias: Option<String>,
    /// The members of `$groupidentify`.
    pub group: GroupMembers,
    /// `$feature_flag`.
    pub flag: Option<String>,
    /// `$feature_flag_response`, as JSON text.
    pub flag_value: Option<String>,
}

/// `$set`, `$set_once` and `$unset`; `None` where there is no such member.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PropertyMembers {
    /// Values for all names.
    pub set: Option<Vec<Property>>,
    /// Values for names that are new.
    pub set_once: Option<Vec<Property>>,
    /// Names to remove.
    pub unset: Option<Vec<String>>,
}

/// `$group_type`, `$group_key` and `$group_set`; `None` where it is missing or cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupMembers {
    /// The type's name.
    pub group_type: Option<String>,
    /// The key, a number as its text.
    pub key: Option<String>,
    /// Values for all names.
    pub set: Option<Vec<Property>>,
}
