//! The file as it was read: typed, every value with its place, nothing decided yet.

use super::fields::{At, Setting};
use super::node::{Node, Place};
use chrono::{DateTime, Utc};

/// A whole file.
#[derive(Debug, Default)]
pub struct ProjectFile {
    /// Its projects.
    pub projects: Vec<ProjectEntry>,
}

/// A project.
#[derive(Debug)]
pub struct ProjectEntry {
    /// Where it begins.
    pub place: Place,
    /// Its id; assigned when missing.
    pub id: Option<At<i64>>,
    /// Its name.
    pub name: Option<String>,
    /// Its public token.
    pub token: Option<At<String>>,
    /// Its secret tokens, or their fingerprints.
    pub secret_tokens: Option<Vec<At<String>>>,
    /// Its personal keys.
    pub personal_keys: Option<Vec<KeyEntry>>,
    /// Index and name.
    pub group_types: Vec<(i16, At<String>)>,
    /// Its time zone.
    pub timezone: Setting<String>,
    /// Its `property_matching_version`.
    pub property_matching_version: Setting<i32>,
    /// Its flags.
    pub flags: Vec<FlagEntry>,
    /// Its cohorts.
    pub cohorts: Vec<CohortEntry>,
    /// Its persons.
    pub persons: Vec<PersonEntry>,
    /// Its groups.
    pub groups: Vec<GroupEntry>,
}

/// A personal key.
#[derive(Debug)]
pub struct KeyEntry {
    /// What it is for.
    pub label: At<String>,
    /// The key, or its fingerprint.
    pub key: At<String>,
    /// What it may do.
    pub scopes: Vec<String>,
}

/// A flag, by evaluation.md section 1.1.
#[derive(Debug)]
pub struct FlagEntry {
    /// Where it begins.
    pub place: Place,
    /// Its place in the list.
    pub index: usize,
    /// Its id; assigned when missing.
    pub id: Option<At<i32>>,
    /// Its key; empty when it could not be read.
    pub key: At<String>,
    /// Its display name.
    pub name: Option<String>,
    /// `filters`; absent when it was missing, which is a problem.
    pub filters: Option<Node>,
    /// Whether it is on.
    pub active: bool,
    /// Archived.
    pub archived: bool,
    /// As if it did not exist.
    pub deleted: bool,
    /// Experience continuity.
    pub ensure_experience_continuity: bool,
    /// Runtime.
    pub evaluation_runtime: Option<String>,
    /// Contexts.
    pub evaluation_contexts: Option<Vec<String>>,
    /// What is hashed.
    pub bucketing_identifier: Option<String>,
    /// Copied to answers.
    pub has_experiment: bool,
}

/// A cohort, by evaluation.md section 1.6.
#[derive(Debug)]
pub struct CohortEntry {
    /// Where it begins.
    pub place: Place,
    /// Its place in the list.
    pub index: usize,
    /// Its id; assigned when missing.
    pub id: Option<At<i64>>,
    /// Its name.
    pub name: Option<At<String>>,
    /// As if it did not exist.
    pub deleted: bool,
    /// Whether its members are stored.
    pub is_static: bool,
    /// `{"properties": TREE}`.
    pub filters: Option<Node>,
    /// The legacy definition.
    pub groups: Option<Node>,
    /// `realtime`, `behavioral`…
    pub cohort_type: Option<String>,
    /// Kept.
    pub condition_type: Option<String>,
}

/// A person.
#[derive(Debug)]
pub struct PersonEntry {
    /// Where it begins.
    pub place: Place,
    /// Its place in the list.
    pub index: usize,
    /// Its distinct ids, at least one.
    pub distinct_ids: Vec<At<String>>,
    /// Its properties, as JSON text.
    pub properties: Option<String>,
    /// When it was created.
    pub created_at: Option<DateTime<Utc>>,
    /// Static cohorts it is a member of.
    pub static_cohorts: Option<Vec<At<i64>>>,
    /// Flag key and hash key.
    pub hash_key_overrides: Option<Vec<(String, String)>>,
}

/// A group.
#[derive(Debug)]
pub struct GroupEntry {
    /// Where it begins.
    pub place: Place,
    /// Its place in the list.
    pub index: usize,
    /// The name of its type.
    pub group_type: At<String>,
    /// Its key.
    pub key: At<String>,
    /// Its properties, as JSON text.
    pub properties: Option<String>,
}
