//! Dynamic cohorts: membership, order of references, cycles (section 6).
//!
//! Everything that can be wrong with a cohort is found when the set is compiled; it comes to light when a flag reaches the cohort.

mod legacy;
mod membership;
mod reach;
mod tree;

pub(crate) use membership::Memberships;
pub use reach::StaticReach;
pub(crate) use tree::{Node, TreeReader};

use crate::{CohortId, definition::Faults, dependency::Graph, outcome::FailureCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};

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
    cohorts: Vec<Cohort>,
    /// What refers to what.
    graph: Graph,
    places: HashMap<CohortId, usize>,
}

/// A cohort, compiled.
#[derive(Debug)]
struct Cohort {
    id: CohortId,
    rule: Rule,
    /// Why it cannot be evaluated, because of itself or of one it refers to.
    failure: Option<FailureCode>,
    /// Whether it, or one it refers to, has a criterion that is not resolved here.
    behavioral: bool,
}

/// What makes a member.
#[derive(Debug)]
enum Rule {
    /// A stored list.
    Static,
    /// A tree of filters.
    Dynamic(Node),
}

/// What was read of one cohort.
pub(crate) struct ReadCohort {
    rule: Option<Rule>,
    /// The places of the cohorts it refers to.
    pub(crate) references: Vec<usize>,
    /// Whether it refers to one that does not exist.
    missing: bool,
    behavioral: bool,
}

impl CohortSet {
    /// Compiles the cohorts of a project. Never fails: what is wrong with a cohort is kept, and fails the flags that reach it.
    pub fn compile(mut cohorts: Vec<CohortDefinition>) -> Self {
        cohorts.retain(|cohort| !cohort.deleted);
        let places = places(&cohorts);
        let mut read: Vec<ReadCohort> = cohorts
            .iter()
            .map(|cohort| read(cohort, &places, &mut Faults::default()))
            .collect();
        let graph = Graph::new(
            read.iter_mut()
                .map(|cohort| std::mem::take(&mut cohort.references)),
        );
        let spread = |mark: fn(&ReadCohort) -> bool| {
            graph.spread_to_referrers(read.iter().map(mark).collect())
        };
        let missing = spread(|cohort| cohort.missing);
        let unreadable = spread(|cohort| cohort.rule.is_none());
        let behavioral = spread(|cohort| cohort.behavioral);
        let cyclic = graph
            .order()
            .stages
            .into_iter()
            .map(|stage| stage.is_none());
        let marks = missing
            .into_iter()
            .zip(unreadable)
            .zip(cyclic)
            .zip(behavioral);
        let cohorts = cohorts
            .iter()
            .zip(read)
            .zip(marks)
            .map(
                |((definition, read), (((missing, unreadable), cyclic), behavioral))| Cohort {
                    id: definition.id,
                    rule: read.rule.unwrap_or(Rule::Dynamic(Node::Unsupported)),
                    failure: first_failure(missing, cyclic, unreadable),
                    behavioral,
                },
            )
            .collect();
        Self {
            cohorts,
            graph,
            places,
        }
    }

    fn get(&self, id: CohortId) -> Option<&Cohort> {
        self.cohorts.get(*self.places.get(&id)?)
    }

    /// Returns whether a cohort has a behavioural criterion, so that a non-match deserves the longer description (section 3.1).
    pub(crate) fn is_behavioral(&self, id: CohortId) -> bool {
        self.get(id).is_some_and(|cohort| cohort.behavioral)
    }
}

/// Returns the place of each cohort; the last one of an id counts.
pub(crate) fn places(cohorts: &[CohortDefinition]) -> HashMap<CohortId, usize> {
    let place = |(place, cohort): (usize, &CohortDefinition)| (cohort.id, place);
    cohorts.iter().enumerate().map(place).collect()
}

/// A missing cohort is reported over a circle (section 6.5), both over what cannot be read.
fn first_failure(missing: bool, cyclic: bool, unreadable: bool) -> Option<FailureCode> {
    if missing {
        Some(FailureCode::DependencyNotFoundCohort)
    } else if cyclic {
        Some(FailureCode::DependencyCycleCohort)
    } else if unreadable {
        Some(FailureCode::CohortFiltersParsingError)
    } else {
        None
    }
}

/// Reads one cohort. Faults are for people; what counts for evaluation is in the result.
pub(crate) fn read(
    cohort: &CohortDefinition,
    places: &HashMap<CohortId, usize>,
    faults: &mut Faults,
) -> ReadCohort {
    let mut reader = TreeReader::new(places, faults);
    let rule = if cohort.is_static {
        Some(Rule::Static)
    } else {
        read_rule(cohort, &mut reader).ok().map(Rule::Dynamic)
    };
    ReadCohort {
        rule,
        references: reader.references,
        missing: reader.missing,
        behavioral: reader.behavioral,
    }
}

fn read_rule(
    cohort: &CohortDefinition,
    reader: &mut TreeReader<'_>,
) -> Result<Node, tree::Unreadable> {
    let filters = cohort.filters.as_deref().map(RawValue::get);
    let fields: BTreeMap<String, &RawValue> = match filters {
        None | Some("null") => BTreeMap::new(),
        Some(json) => serde_json::from_str(json).map_err(|error| {
            reader.unreadable("filters", &format!("expected an object: {error}"))
        })?,
    };
    if fields.is_empty() {
        let groups = cohort.groups.as_deref().map(RawValue::get);
        return legacy::read(groups.unwrap_or("null"), reader);
    }
    match fields.get("properties") {
        Some(tree) => reader.top(tree, "filters.properties"),
        None => Err(reader.unreadable("filters.properties", "missing")),
    }
}

#[cfg(test)]
mod tests;
