//! Which static cohorts a flag can come to ask for. Whoever fetches memberships needs no others.

use super::{CohortSet, Rule};
use crate::{CohortId, Definitions, Selection};
use std::collections::{BTreeSet, HashMap};

/// The static cohorts that each flag of one set of [`Definitions`] can reach, directly or through other cohorts.
#[derive(Debug, Default)]
pub struct StaticReach {
    cohorts: Box<[CohortId]>,
    /// By the flag's place: places in `cohorts`.
    by_flag: Box<[Box<[usize]>]>,
}

impl StaticReach {
    /// Finds out, once for each pair of definitions and cohorts.
    pub fn of(definitions: &Definitions, set: &CohortSet) -> Self {
        let mut behind: HashMap<CohortId, Vec<CohortId>> = HashMap::new();
        let mut by_flag: Vec<BTreeSet<CohortId>> = Vec::with_capacity(definitions.flags.len());
        for flag in &definitions.flags {
            let mut reached = BTreeSet::new();
            let filters = flag.conditions.iter().flat_map(|c| &c.cohorts);
            for cohort in filters.filter_map(|filter| filter.cohort) {
                reached.extend(
                    behind
                        .entry(cohort)
                        .or_insert_with(|| set.statics_behind(cohort))
                        .iter(),
                );
            }
            by_flag.push(reached);
        }
        let all: BTreeSet<CohortId> = by_flag.iter().flatten().copied().collect();
        let places: HashMap<CohortId, usize> =
            all.iter().enumerate().map(|(n, id)| (*id, n)).collect();
        let places_of = |reached: BTreeSet<CohortId>| {
            let places = reached.iter().filter_map(|id| places.get(id).copied());
            places.collect()
        };
        Self {
            by_flag: by_flag.into_iter().map(places_of).collect(),
            cohorts: all.into_iter().collect(),
        }
    }

    /// Returns the cohorts that any flag can reach, ascending.
    pub fn cohorts(&self) -> &[CohortId] {
        &self.cohorts
    }

    /// Returns the places in [`Self::cohorts`] of those that the selected flags can reach, ascending, each once.
    pub fn places(&self, selection: &Selection) -> Vec<usize> {
        let mut places = Vec::new();
        if self.cohorts.is_empty() {
            return places;
        }
        for &flag in selection.order.iter() {
            places.extend(self.by_flag.get(flag).into_iter().flatten());
        }
        places.sort_unstable();
        places.dedup();
        places
    }
}

impl CohortSet {
    /// Returns the static cohorts among a cohort and all it refers to.
    fn statics_behind(&self, cohort: CohortId) -> Vec<CohortId> {
        let from = self.places.get(&cohort).copied();
        let reached = self.graph.closure(from).into_iter();
        let cohorts = reached.filter_map(|place| self.cohorts.get(place));
        cohorts
            .filter(|cohort| matches!(cohort.rule, Rule::Static))
            .map(|cohort| cohort.id)
            .collect()
    }
}

#[cfg(test)]
mod tests;
