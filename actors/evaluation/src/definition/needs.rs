//! Which stored properties a flag may ask for (section 5.5), known before any request.

use super::filters::{Aggregation, Filter, Filters, Source};
use std::collections::BTreeSet;

/// What a flag needs of the store. If `always` is not set, it depends on what the request brings along.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct StateNeeds {
    /// Whatever the request says.
    pub(crate) always: bool,
    /// Needed unless the request has all of these person properties. Sorted.
    pub(crate) person_keys: Box<[Box<str>]>,
    /// Group type and property: needed if the request has a usable group of the type, but not the property. Sorted.
    pub(crate) group_keys: Box<[(i64, Box<str>)]>,
}

impl StateNeeds {
    /// Puts the needs of several flags together.
    pub(crate) fn union<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut union = Self::default();
        let mut person_keys = BTreeSet::new();
        let mut group_keys = BTreeSet::new();
        for needs in all {
            union.always |= needs.always;
            person_keys.extend(&needs.person_keys);
            group_keys.extend(&needs.group_keys);
        }
        union.person_keys = person_keys.into_iter().cloned().collect();
        union.group_keys = group_keys.into_iter().cloned().collect();
        union
    }

    pub(super) fn of(filters: &Filters, enrollment: Option<&str>) -> Self {
        let mut always = filters.aggregation != Aggregation::Persons;
        let mut person_keys: Vec<Box<str>> = enrollment.into_iter().map(Into::into).collect();
        let mut group_keys = Vec::new();
        for condition in &filters.conditions {
            // a condition that lets nobody in needs nothing; "above 0" also excludes what is not a number
            if condition.rollout > 0.0 {
                always |= !condition.cohorts.is_empty();
                for filter in &condition.filters {
                    match filter {
                        Filter::Property { source, key, .. } => match source {
                            Source::Person => person_keys.push(key.clone()),
                            // a request cannot supply it
                            Source::PersonMetadata => always = true,
                            Source::Group(Some(index)) => group_keys.push((*index, key.clone())),
                            Source::Group(None) => {}
                        },
                        Filter::Flag(_) => {}
                    }
                }
            }
        }
        person_keys.sort_unstable();
        person_keys.dedup();
        group_keys.sort_unstable();
        group_keys.dedup();
        Self {
            always,
            person_keys: person_keys.into(),
            group_keys: group_keys.into(),
        }
    }
}
