//! Who is evaluated: what the request says, and what the store adds to it (section 5).

mod group;
mod person;

pub(crate) use group::{GroupsView, needs_store};
pub(crate) use person::{PersonView, is_override};

use crate::{CohortId, outcome::FailureCode};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};

/// A JSON object of properties.
pub type Properties = Map<String, Value>;

/// What the request says about the person and its groups (section 5.1), before anything stored is known.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    /// The distinct id as text, already cut to its first 200 characters (section 2.2).
    pub distinct_id: String,
    /// The device id; `None` when missing or empty.
    pub device_id: Option<String>,
    /// The anonymous id; `None` when missing or `$posthog_cookieless`.
    pub anonymous_id: Option<String>,
    /// The request's person properties. `distinct_id` itself is added by the core (section 5.2), not by the caller.
    pub person_properties: Properties,
    /// Group type name → group key. Unusable keys (section 2.2) are `None`: they still count as mentioned.
    pub groups: HashMap<String, Option<String>>,
    /// Group type name → the request's properties of that group.
    pub group_properties: HashMap<String, Properties>,
}

/// One stored person.
#[derive(Debug, Clone)]
pub struct StoredPerson {
    /// Its properties.
    pub properties: Properties,
    /// `person_metadata.created_at`.
    pub created_at: DateTime<Utc>,
    /// The static cohorts it is a member of.
    pub static_cohorts: HashSet<CohortId>,
}

/// Everything read for one request (section 5.5).
#[derive(Debug, Clone, Default)]
pub struct StoredState {
    /// The person of the distinct id; `None` when there is none, which is not an error (section 5.3).
    pub person: Option<StoredPerson>,
    /// Group type index → stored properties, for the request's groups that are stored.
    pub groups: HashMap<u8, Properties>,
}

/// What became of reading `T` from the store.
#[derive(Debug, Clone)]
pub enum Read<T> {
    /// It was not read, because nothing needed it. Property maps are then partial (section 5.6).
    NotNeeded,
    /// It was read.
    Done(T),
    /// It could not be read, with the code of the cause: exactly the flags that needed it fail (section 8.2).
    Failed(FailureCode),
}

/// The stored half of the input.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Person, groups and memberships.
    pub state: Read<StoredState>,
    /// Flag key → stored hash key, for experience continuity (section 5.7).
    pub hash_keys: Read<HashMap<String, String>>,
}

impl Stored {
    /// Nothing was read, because nothing needed it.
    pub const NOT_NEEDED: Self = Self {
        state: Read::NotNeeded,
        hash_keys: Read::NotNeeded,
    };
}

#[cfg(test)]
mod tests;
