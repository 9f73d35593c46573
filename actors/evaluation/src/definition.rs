//! The public JSON shape of a flag (section 1), and its compiled form.
//!
//! Compiling parses everything once (patterns, texts, percentages, hash prefixes, the dependency order), so that a wrong
//! flag cannot be held: it is dropped with a reason, and its neighbours stay (section 1.8).

use crate::{FlagId, outcome::FailureCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::Arc;

/// A flag as it is stored and written in project files (section 1.1). Unknown fields are ignored.
#[derive(Debug, Clone, Deserialize)]
pub struct FlagDefinition {
    /// Its id.
    pub id: FlagId,
    /// Its key, hashed as it is.
    pub key: String,
    /// `filters`, as JSON text: it is read when the flag is compiled.
    pub filters: Box<RawValue>,
    /// Inactive flags are left out of answers.
    #[serde(default)]
    pub active: bool,
    /// Archived counts as inactive.
    #[serde(default)]
    pub archived: bool,
    /// As if it did not exist.
    #[serde(default)]
    pub deleted: bool,
    /// Section 5.7.
    #[serde(default)]
    pub ensure_experience_continuity: Option<bool>,
    /// Row counter.
    #[serde(default)]
    pub version: Option<i64>,
    /// `server`, `client` or `all`.
    #[serde(default)]
    pub evaluation_runtime: Option<String>,
    /// Contexts (section 9.3).
    #[serde(default, alias = "evaluation_tags")]
    pub evaluation_contexts: Option<Vec<String>>,
    /// `device_id` or anything else.
    #[serde(default)]
    pub bucketing_identifier: Option<String>,
    /// Copied to the answer.
    #[serde(default)]
    pub has_experiment: Option<bool>,
}

/// The group types of a project: name ↔ index 0…4. Names are case-sensitive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupTypes {
    /// Name and index, at most five.
    pub types: Vec<(String, u8)>,
}

impl GroupTypes {
    /// Returns the index of a type name.
    pub fn index(&self, name: &str) -> Option<u8> {
        self.types.iter().find(|(n, _)| n == name).map(|(_, i)| *i)
    }

    /// Returns the name of a type index.
    pub fn name(&self, index: u8) -> Option<&str> {
        self.types
            .iter()
            .find(|(_, i)| *i == index)
            .map(|(n, _)| n.as_str())
    }
}

/// A compiled flag. Immutable, shared by every answer that mentions it.
#[derive(Debug)]
pub struct Flag {
    /// Its id.
    pub id: FlagId,
    /// Its key.
    pub key: Box<str>,
    /// `metadata.version`; 0 when unknown.
    pub version: i64,
    /// `metadata.has_experiment`.
    pub has_experiment: bool,
    // the compiled rest is added by its implementation
}

/// A flag that was dropped because it cannot be read (section 1.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedFlag {
    /// Its id.
    pub id: FlagId,
    /// Its key.
    pub key: String,
    /// Why, for the log: a path inside `filters` and what is wrong there.
    pub reason: String,
}

/// The compiled flags of one project. Immutable; readers share it behind an `Arc`.
#[derive(Debug)]
pub struct Definitions {
    // filled in by its implementation
}

impl Definitions {
    /// Compiles the flags of a project.
    ///
    /// `group_types` is the project's mapping, or the reason why it could not be loaded (section 8.4).
    pub fn compile(
        _flags: Vec<FlagDefinition>,
        _group_types: Result<GroupTypes, FailureCode>,
    ) -> (Self, Vec<DroppedFlag>) {
        todo!()
    }

    /// Returns the flag of a key.
    pub fn flag(&self, _key: &str) -> Option<&Arc<Flag>> {
        todo!()
    }

    /// Returns the group types, or why they could not be loaded.
    pub fn group_types(&self) -> &Result<GroupTypes, FailureCode> {
        todo!()
    }
}
