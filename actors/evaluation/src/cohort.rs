//! Dynamic cohorts: membership, order of references, cycles (section 6).

use crate::CohortId;
use serde::Deserialize;
use serde_json::value::RawValue;

/// A cohort as it is stored and written in project files (section 1.6).
#[derive(Debug, Clone, Deserialize)]
pub struct CohortDefinition {
    /// Its id; filters refer to it.
    pub id: CohortId,
    /// Its name; no effect on the result.
    #[serde(default)]
    pub name: Option<String>,
    /// As if it did not exist.
    #[serde(default)]
    pub deleted: bool,
    /// Membership is a stored list, `filters` is ignored.
    #[serde(default)]
    pub is_static: bool,
    /// `{"properties": TREE}`.
    #[serde(default)]
    pub filters: Option<Box<RawValue>>,
    /// The legacy definition (section 6.4).
    #[serde(default)]
    pub groups: Option<Box<RawValue>>,
}

/// The compiled cohorts of one project. Immutable; readers share it behind an `Arc`.
#[derive(Debug, Default)]
pub struct CohortSet {
    // filled in by its implementation
}

impl CohortSet {
    /// Compiles the cohorts of a project. Never fails: what is wrong with a cohort is kept, and fails the flags that reach it.
    pub fn compile(_cohorts: Vec<CohortDefinition>) -> Self {
        todo!()
    }
}
