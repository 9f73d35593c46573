//! All rules together: order, conditions, reasons, failures (sections 3, 7 and 8).
//!
//! It knows one request at a time and asks nobody: whatever it needs was read before.

mod condition;
mod flag;
mod needs;
mod notes;
mod request;

pub use needs::Needs;

use crate::outcome::{FailureCode, Outcome};
use crate::{CohortSet, Definitions, Evaluation, Evaluations, Moment, Selection, Stored, Subject};
use request::{Request, Values};
use std::sync::Arc;

/// Evaluates the selected flags for one subject.
pub fn evaluate(
    definitions: &Definitions,
    cohorts: &CohortSet,
    selection: &Selection,
    subject: &Subject,
    stored: &Stored,
    moment: &Moment,
) -> Evaluations {
    if selection.is_empty() {
        return Evaluations::default();
    }
    let mut request = Request::new(definitions, cohorts, subject, stored, moment);
    let mut values = Values::new(definitions);
    let mut answers = Vec::with_capacity(selection.len());
    for &place in selection.order.iter() {
        if let Some(flag) = definitions.flags.get(place) {
            let outcome = flag::answer(flag, &mut request, &values);
            values.set(place, flag, outcome);
            let flag = Arc::clone(flag);
            answers.push((place, Evaluation { flag, outcome }));
        }
    }
    // dependencies come first in the selection, but answers are told in the order of the keys
    answers.sort_unstable_by_key(|(place, _)| *place);
    let flags: Vec<Evaluation> = answers.into_iter().map(|(_, answer)| answer).collect();
    let errors_while_computing = selection.cyclic
        || definitions.group_types().is_err()
        || flags.iter().any(Evaluation::failed);
    Evaluations {
        flags,
        errors_while_computing,
    }
}

impl Evaluations {
    /// Returns the answer for a selection of which nothing could be computed.
    pub fn all_failed(definitions: &Definitions, selection: &Selection, code: FailureCode) -> Self {
        let mut places = selection.order.to_vec();
        places.sort_unstable();
        let selected = places
            .into_iter()
            .filter_map(|place| definitions.flags.get(place));
        let failed = selected.map(|flag| Evaluation {
            flag: Arc::clone(flag),
            outcome: Outcome::failed(code),
        });
        Self {
            flags: failed.collect(),
            errors_while_computing: true,
        }
    }
}

#[cfg(test)]
mod tests;
