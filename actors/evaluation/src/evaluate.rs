//! All rules together: order, conditions, reasons, failures (sections 3, 7 and 8).
//!
//! It knows one request at a time and asks nobody: whatever it needs was read before.

mod condition;
mod flag;
mod needs;
mod notes;
mod request;
mod split;

pub use needs::Needs;
pub use split::{Join, PART_NS, evaluate_split};

use crate::outcome::{FailureCode, Outcome};
use crate::{CohortSet, Definitions, Evaluations, Moment, Selection, Stored, Subject};
use request::{Request, Values};
use std::sync::Arc;

/// Evaluates the selected flags for one subject.
pub fn evaluate(
    definitions: &Arc<Definitions>,
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
            answers.push((place, outcome));
        }
    }
    finish(definitions, selection, answers)
}

fn finish(
    definitions: &Arc<Definitions>,
    selection: &Selection,
    mut answers: Vec<(usize, Outcome)>,
) -> Evaluations {
    // dependencies come first in the selection, but answers are told in the order of the keys
    answers.sort_unstable_by_key(|(place, _)| *place);
    let errors_while_computing = selection.cyclic
        || definitions.group_types().is_err()
        || answers.iter().any(|(_, outcome)| outcome.is_failed());
    Evaluations::new(definitions, answers, errors_while_computing)
}

impl Evaluations {
    /// Returns the answer for a selection of which nothing could be computed.
    pub fn all_failed(
        definitions: &Arc<Definitions>,
        selection: &Selection,
        code: FailureCode,
    ) -> Self {
        let mut places = selection.order.to_vec();
        places.sort_unstable();
        let failed = |place| (place, Outcome::failed(code));
        Self::new(definitions, places.into_iter().map(failed).collect(), true)
    }
}

#[cfg(test)]
mod tests;
