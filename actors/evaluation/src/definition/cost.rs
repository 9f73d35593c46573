//! About how long a flag takes, from what it is made of: for whoever chooses where to evaluate it.
//!
//! Orders of magnitude, measured once. A caller that measures the real thing scales them.

use super::filters::{Condition, Filter};

/// What every flag takes: its record, its place in the answer.
const FLAG_NS: u32 = 60;
/// What every condition takes.
const CONDITION_NS: u32 = 10;
/// Finding a property by its name.
const PROPERTY_NS: u32 = 30;
/// A hash of an identifier.
const HASH_NS: u32 = 60;
/// A cohort is a tree of filters, evaluated once per request.
const COHORT_NS: u32 = 200;
/// The value of another flag.
const DEPENDENCY_NS: u32 = 10;

/// Returns about how many nanoseconds a flag with these conditions takes.
pub(super) fn nanoseconds(conditions: &[Condition], variants: bool) -> u32 {
    let conditions: u32 = conditions
        .iter()
        .map(condition)
        .fold(0, u32::saturating_add);
    let variant = if variants { HASH_NS } else { 0 };
    FLAG_NS.saturating_add(variant).saturating_add(conditions)
}

fn condition(condition: &Condition) -> u32 {
    let hash = if condition.rollout < 100.0 {
        HASH_NS
    } else {
        0
    };
    let filters = condition.filters.iter().map(filter);
    let cohorts = u32::try_from(condition.cohorts.len()).unwrap_or(u32::MAX);
    filters
        .fold(CONDITION_NS + hash, u32::saturating_add)
        .saturating_add(cohorts.saturating_mul(COHORT_NS))
}

fn filter(filter: &Filter) -> u32 {
    match filter {
        Filter::Property { test, .. } => PROPERTY_NS + test.cost_ns(),
        Filter::Flag(_) => DEPENDENCY_NS,
    }
}
