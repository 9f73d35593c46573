//! The file as it was read: typed, every value with its place, nothing decided yet.

use super::fields::{At, Setting};
use super::node::{Node, Place};
use chrono::{DateTime, Utc};

/// A whole file.
#[derive(Debug, Default)]
pub(crate) struct ProjectFile {
    /// Its projects.
    pub(crate) projects: Vec<ProjectEntry>,
}

/// A project.
#[derive(Debug)]
pub(crate) struct ProjectEntry {
    /// Where it begins.
    pub(crate) place: Place,
    /// Its id; assigned when missing.
    pub(crate) id: Option<At<i64>>,
    /// Its name.
    pub(crate) name: Option<String>,
    /// Its public token.
    pub(crate) token: Option<At<String>>,
    /// Its secret tokens, or their fingerprints.
    pub(crate) secret_tokens: Option<Vec<At<String>>>,
    /// Its personal keys.
    pub(crate) personal_keys: Option<Vec<KeyEntry>>,
    /// Index and name.
    pub(crate) group_types: Vec<(i16, At<String>)>,
    /// Its time zone.
    pub(crate) timezone: Setting<String>,
    /// Its `property_matching_version`.
    pub(crate) property_matching_version: Setting<i32>,
    /// Its flags.
    pub(crate) flags: Vec<FlagEntry>,
    /// Its cohorts.
    pub(crate) cohorts: Vec<CohortEntry>,
    /// Its persons.
    pub(crate) persons: Vec<PersonEntry>,
    /// Its groups.
    pub(crate) groups: Vec<GroupEntry>,
}

/// A personal key.
#[derive(Debug)]
pub(crate) struct KeyEntry {
    /// What it is for.
    pub(crate) label: At<String>,
    /// The key, or its fingerprint.
    pub(crate) key: At<String>,
    /// What it may do.
    pub(crate) scopes: Vec<String>,
}

/// A flag, by evaluation.md section 1.1.
#[derive(Debug)]
pub(crate) struct FlagEntry {
    /// Where it begins.
    pub(crate) place: Place,
    /// Its place in the list.
    pub(crate) index: usize,
    /// Its id; assigned when missing.
    pub(crate) id: Option<At<i32>>,
    /// Its key; empty when it could not be read.
    pub(crate) key: At<String>,
    /// Its display name.
    pub(crate) name: Option<String>,
    /// `filters`; absent when it was missing, which is a problem.
    pub(crate) filters: Option<Node>,
    /// Whether it is on.
    pub(crate) active: bool,
    /// Archived.
    pub(crate) archived: bool,
    /// As if it did not exist.
    pub(crate) deleted: bool,
    /// Experience continuity.
    pub(crate) ensure_experience_continuity: bool,
    /// Runtime.
    pub(crate) evaluation_runtime: Option<String>,
    /// Contexts.
    pub(crate) evaluation_contexts: Option<Vec<String>>,
    /// What is hashed.
    pub(crate) bucketing_identifier: Option<String>,
    /// Copied to answers.
    pub(crate) has_experiment: bool,
    /// Asked for its payload alone.
    pub(crate) is_remote_configuration: bool,
}

/// A cohort, by evaluation.md section 1.6.
#[derive(Debug)]
pub(crate) struct CohortEntry {
    /// Where it begins.
    pub(crate) place: Place,
    /// Its place in the list.
    pub(crate) index: usize,
    /// Its id; assigned when missing.
    pub(crate) id: Option<At<i64>>,
    /// Its name.
    pub(crate) name: Option<At<String>>,
    /// As if it did not exist.
    pub(crate) deleted: bool,
    /// Whether its members are stored.
    pub(crate) is_static: bool,
    /// `{"properties": TREE}`.
    pub(crate) filters: Option<Node>,
    /// The legacy definition.
    pub(crate) groups: Option<Node>,
    /// `realtime`, `behavioral`…
    pub(crate) cohort_type: Option<String>,
    /// Kept.
    pub(crate) condition_type: Option<String>,
}

/// A person.
#[derive(Debug)]
pub(crate) struct PersonEntry {
    /// Where it begins.
    pub(crate) place: Place,
    /// Its place in the list.
    pub(crate) index: usize,
    /// Its distinct ids, at least one.
    pub(crate) distinct_ids: Vec<At<String>>,
    /// Its properties, as JSON text.
    pub(crate) properties: Option<String>,
    /// When it was created.
    pub(crate) created_at: Option<DateTime<Utc>>,
    /// Static cohorts it is a member of.
    pub(crate) static_cohorts: Option<Vec<At<i64>>>,
    /// Flag key and hash key.
    pub(crate) hash_key_overrides: Option<Vec<(String, String)>>,
}

/// A group.
#[derive(Debug)]
pub(crate) struct GroupEntry {
    /// Where it begins.
    pub(crate) place: Place,
    /// Its place in the list.
    pub(crate) index: usize,
    /// The name of its type.
    pub(crate) group_type: At<String>,
    /// Its key.
    pub(crate) key: At<String>,
    /// Its properties, as JSON text.
    pub(crate) properties: Option<String>,
}
