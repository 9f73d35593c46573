//! The rules of evaluation.md for flags and cohorts, as the core states them, with the places of the file.

use super::plan::definitions::{PlannedCohort, PlannedFlag};
use super::problem::Findings;

/// Reports what is wrong with the definitions of one project: problems, or warnings when they are stored all the same.
pub(crate) fn definitions(
    path: &str,
    flags: &[PlannedFlag],
    cohorts: &[PlannedCohort],
    lenient: bool,
    findings: &mut Findings,
) {
    let _ = (path, flags, cohorts, lenient, findings);
}
