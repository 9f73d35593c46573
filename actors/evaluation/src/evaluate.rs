//! All rules together: order, conditions, reasons, failures (sections 3, 7 and 8).

use crate::{CohortSet, Definitions, Evaluations, Moment, Selection, Stored, Subject};

/// What must be read from the store before a selection can be evaluated (sections 5.5 and 5.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// Person, groups and static memberships.
    pub state: bool,
    /// Hash-key overrides: some flag to be evaluated is sticky and hash-dependent.
    pub hash_keys: bool,
}

impl Needs {
    /// Decides what a request needs.
    pub fn of(_definitions: &Definitions, _selection: &Selection, _subject: &Subject) -> Self {
        todo!()
    }
}

impl Definitions {
    /// Returns the keys of all sticky-marked flags of the project (active, not deleted, `ensure_experience_continuity`),
    /// for which hash keys are written (section 5.7).
    pub fn sticky_keys(&self) -> &[Box<str>] {
        todo!()
    }
}

/// Evaluates the selected flags for one subject.
pub fn evaluate(
    _definitions: &Definitions,
    _cohorts: &CohortSet,
    _selection: &Selection,
    _subject: &Subject,
    _stored: &Stored,
    _moment: &Moment,
) -> Evaluations {
    todo!()
}
