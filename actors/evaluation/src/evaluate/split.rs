//! A large stage of the dependency graph in parts, for whoever has threads to spare (section 7.3).
//!
//! Flags of one stage do not ask for each other's values. It has no threads of its own: a [`Join`] lends them.

use super::{
    finish, flag,
    request::{Request, Values},
};
use crate::{CohortSet, Definitions, Evaluations, Moment, Outcome, Selection, Stored, Subject};
use std::sync::Arc;

/// The least that a part should cost, in nanoseconds as [`Selection::cost_ns`] counts them. Handing a part to another thread takes some
/// 20 µs, and each part looks at the subject anew.
pub const PART_NS: u64 = 100_000;

/// Does two pieces of work, at the same time if it can.
pub trait Join: Sync {
    /// Returns what both give.
    fn join<A: Send, B: Send>(
        &self,
        left: impl FnOnce() -> A + Send,
        right: impl FnOnce() -> B + Send,
    ) -> (A, B);
}

/// Evaluates as [`evaluate`](super::evaluate()) does, and hands stages that cost at least two parts to `threads` in halves, down to
/// `part_ns`. The answers are the same.
#[expect(
    clippy::too_many_arguments,
    reason = "those of evaluate, and by whom and how finely"
)]
pub fn evaluate_split(
    definitions: &Arc<Definitions>,
    cohorts: &CohortSet,
    selection: &Selection,
    subject: &Subject,
    stored: &Stored,
    moment: &Moment,
    threads: &impl Join,
    part_ns: u64,
) -> Evaluations {
    if selection.is_empty() {
        return Evaluations::default();
    }
    let view = || Request::new(definitions, cohorts, subject, stored, moment);
    let splitter = Splitter {
        definitions,
        view: &view,
        threads,
        part_ns,
    };
    let mut request = view();
    let mut values = Values::new(definitions);
    let mut answers = Vec::with_capacity(selection.len());
    let stages = &definitions.order.stages;
    for stage in selection
        .order
        .chunk_by(|left, right| stages.get(*left) == stages.get(*right))
    {
        let start = answers.len();
        splitter.answer(stage, &mut request, &values, &mut answers);
        for &(place, outcome) in answers.iter().skip(start) {
            if let Some(flag) = definitions.flags.get(place) {
                values.set(place, flag, outcome);
            }
        }
    }
    finish(definitions, selection, answers)
}

/// What all parts of a request share.
struct Splitter<'a, V, J> {
    definitions: &'a Definitions,
    view: &'a V,
    threads: &'a J,
    part_ns: u64,
}

impl<'a, V: Fn() -> Request<'a> + Sync, J: Join> Splitter<'a, V, J> {
    /// Adds the answers for flags of one stage, in their order.
    fn answer(
        &self,
        places: &[usize],
        request: &mut Request<'a>,
        values: &Values,
        answers: &mut Vec<(usize, Outcome)>,
    ) {
        let (left, right) = places.split_at(places.len() / 2);
        if left.is_empty() || self.cost_ns(places) < self.part_ns.saturating_mul(2) {
            answers.extend(places.iter().filter_map(|&place| {
                let flag = self.definitions.flags.get(place)?;
                Some((place, flag::answer(flag, request, values)))
            }));
            return;
        }
        let ((), mut found) = self.threads.join(
            || self.answer(left, request, values, answers),
            || {
                let mut found = Vec::with_capacity(right.len());
                self.answer(right, &mut (self.view)(), values, &mut found);
                found
            },
        );
        answers.append(&mut found);
    }

    fn cost_ns(&self, places: &[usize]) -> u64 {
        let flags = places
            .iter()
            .filter_map(|&place| self.definitions.flags.get(place));
        flags.map(|flag| u64::from(flag.cost_ns)).sum()
    }
}
