//! What splitting a large stage saves: the time of one request on two idle threads of a pool over that on one. Wall-clock time, because
//! CPU time does not become less.

use super::{Case, flags, moment, person};
use crate::bench::Bench;
use crate::report::{Findings, cell};
use anyhow::Result;
use burgee_evaluation::{CohortSet, Join, PART_NS, Stored, Subject, evaluate, evaluate_split};
use rayon::{ThreadPool, ThreadPoolBuilder};
use serde_json::json;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// How many flags.
const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];

struct WithinPool;

impl Join for WithinPool {
    fn join<A: Send, B: Send>(
        &self,
        left: impl FnOnce() -> A + Send,
        right: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        rayon::join(left, right)
    }
}

/// The times on one thread and on two, for every size.
pub(super) struct Split(Vec<(f64, f64)>);

pub(super) fn measure(bench: &Bench) -> Result<Split> {
    let pool = ThreadPoolBuilder::new().num_threads(2).build()?;
    let rounds = bench.pace.pick(400, 100, 5);
    let times = |size: &usize| {
        let (one, two) = times(&pool, &flags(*size)?, rounds);
        Ok((one.as_secs_f64(), two.as_secs_f64()))
    };
    Ok(Split(SIZES.iter().map(times).collect::<Result<_>>()?))
}

impl Split {
    /// Adds a row, and the ratio `split`, that of the most flags.
    pub(super) fn put(&self, findings: &mut Findings) {
        let last = self.0.last();
        findings.ratio(
            "split",
            last.map(|times| times.1),
            last.map(|times| times.0),
        );
        let ratios: Vec<f64> = self.0.iter().map(|(one, two)| two / one).collect();
        let row = std::iter::once("time on two threads over one".to_owned());
        let row = row.chain(ratios.iter().map(|ratio| cell(Some(*ratio), 2)));
        findings.row(row.chain([String::new()]));
        findings.figure("split", json!(ratios));
    }
}

/// Returns the median times on one thread and on two, measured in turn.
fn times(pool: &ThreadPool, case: &Case, rounds: usize) -> (Duration, Duration) {
    let (subject, stored) = person(1);
    let (mut one, mut two) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        one.push(pool.install(|| timed(case, &subject, &stored, u64::MAX / 2)));
        two.push(pool.install(|| timed(case, &subject, &stored, PART_NS)));
    }
    (median(one), median(two))
}

fn timed(case: &Case, subject: &Subject, stored: &Stored, part_ns: u64) -> Duration {
    let cohorts = CohortSet::default();
    let (definitions, selection) = (&case.definitions, &case.selection);
    let began = Instant::now();
    if selection.cost_ns() < part_ns.saturating_mul(2) {
        // what is too small goes the usual way, as on the server
        black_box(evaluate(
            definitions,
            &cohorts,
            selection,
            subject,
            stored,
            &moment(),
        ));
    } else {
        black_box(evaluate_split(
            definitions,
            &cohorts,
            selection,
            subject,
            stored,
            &moment(),
            &WithinPool,
            part_ns,
        ));
    }
    began.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
