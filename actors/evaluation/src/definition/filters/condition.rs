//! One condition of a flag: an entry of `filters.groups` (section 1.3).

use super::{
    super::read::{Faults, Object},
    CohortFilter, Filter, Variants,
    property::{self, Read},
};
use serde_json::Value;

/// Whom a flag or a condition is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Aggregation {
    /// Persons.
    #[default]
    Persons,
    /// Groups of the type with this index, which the project's mapping may not know.
    Groups(i64),
}

impl Aggregation {
    /// Returns the aggregation of a type index; none means persons.
    pub(crate) fn of(index: Option<i64>) -> Self {
        index.map_or(Self::Persons, Self::Groups)
    }

    /// Returns the group type, if it is one.
    pub(crate) fn group_type(self) -> Option<i64> {
        match self {
            Self::Persons => None,
            Self::Groups(index) => Some(index),
        }
    }
}

/// A condition, compiled.
#[derive(Debug)]
pub(crate) struct Condition {
    /// All but the cohort filters, in stored order.
    pub(crate) filters: Box<[Filter]>,
    /// The cohort filters, in stored order; they wait until all others have matched.
    pub(crate) cohorts: Box<[CohortFilter]>,
    /// In percent, as it was written; 100 if it was not.
    pub(crate) rollout: f64,
    /// The variant it pins, if that one is declared.
    pub(crate) pinned: Option<u32>,
    /// Its own aggregation, or the flag's.
    pub(crate) aggregation: Aggregation,
    /// Whether the answer needs a hash (section 3, step 4b).
    pub(crate) needs_hash: bool,
}

/// What a condition takes from its flag.
pub(super) struct ConditionReader<'a> {
    pub(super) aggregation: Aggregation,
    pub(super) variants: &'a Variants,
}

impl ConditionReader<'_> {
    pub(super) fn read(&self, value: &Value, path: String, faults: &mut Faults) -> Condition {
        let Some(object) = Object::read(value, path, faults) else {
            return self.condition(Aggregation::Persons, None, None);
        };
        let index = object.optional_integer("aggregation_group_type_index", faults);
        // three states: missing takes the flag's, null means persons
        let aggregation = if object.fields.contains_key("aggregation_group_type_index") {
            Aggregation::of(index)
        } else {
            self.aggregation
        };
        let rollout = object.optional_number("rollout_percentage", faults);
        let variant = object.optional_text("variant", faults);
        let mut condition = self.condition(aggregation, rollout, variant);
        let mut filters = Vec::new();
        let mut cohorts = Vec::new();
        for (position, filter) in object
            .optional_list("properties", faults)
            .iter()
            .enumerate()
        {
            let path = object.path(&format!("properties[{position}]"));
            match property::read(filter, position, aggregation, path, faults) {
                Some(Read::Cohort(filter)) => cohorts.push(filter),
                Some(Read::Other(filter)) => filters.push(filter),
                None => {}
            }
        }
        condition.filters = filters.into();
        condition.cohorts = cohorts.into();
        condition
    }

    fn condition(
        &self,
        aggregation: Aggregation,
        rollout: Option<f64>,
        variant: Option<&str>,
    ) -> Condition {
        let rollout = rollout.unwrap_or(100.0);
        let pinned = variant.and_then(|key| self.variants.position(key));
        Condition {
            filters: Box::default(),
            cohorts: Box::default(),
            rollout,
            pinned,
            aggregation,
            needs_hash: rollout < 100.0 || (pinned.is_none() && self.variants.split()),
        }
    }
}
