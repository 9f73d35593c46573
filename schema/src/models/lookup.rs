//! What a request wants to know about its person and groups, and what was found.

use chrono::{DateTime, Utc};

/// What one request wants to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lookup {
    /// The project.
    pub project_id: i64,
    /// Whose person.
    pub distinct_id: String,
    /// The anonymous id, whose overrides count too.
    pub anonymous_id: Option<String>,
    /// Whether person and groups are wanted.
    pub state: bool,
    /// Whether the person's static cohorts are wanted; read only with `state`.
    pub memberships: bool,
    /// (type index, key) of the groups wanted; read only with `state`.
    pub groups: Vec<(i16, String)>,
    /// Whether hash-key overrides are wanted.
    pub hash_keys: bool,
}

/// What was found for one [`Lookup`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The person of the distinct id.
    pub person: Option<FoundPerson>,
    /// (type index, properties as JSON text) of the wanted groups that exist.
    pub groups: Vec<(i16, String)>,
    /// Overrides of the persons of both ids, with whose they are.
    pub hash_keys: FoundHashKeys,
}

/// A person that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPerson {
    /// Its id.
    pub id: i64,
    /// JSON object.
    pub properties: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// Static cohorts it is a member of; empty when they were not wanted.
    pub static_cohorts: Vec<i64>,
}

/// Stored hash keys. Which of the two wins, and what to write, is decided by the caller.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundHashKeys {
    /// (flag key, hash key) of the distinct id's person; `None` when there is no such person.
    pub of_distinct_id: Option<Vec<(String, String)>>,
    /// The same for the anonymous id.
    pub of_anonymous_id: Option<Vec<(String, String)>>,
}
