//! Everything wrong with the definitions of a project, for the people who write them.
//!
//! Evaluation survives all of it; nothing here is asked while a request waits.

use super::{
    Fault, Faults, FlagDefinition, GroupTypes,
    filters::{
        self, Aggregation, CohortFilter, CohortOperator, Filter, Filters, FlagFilter,
        FlagReference, Format, Source,
    },
};
use crate::{
    CohortId, FlagId,
    cohort::{self, CohortDefinition},
    dependency::Graph,
};
use std::collections::{HashMap, HashSet};

/// Shares are sums of doubles: what exceeds 100 by less than this is rounding.
const TOLERANCE: f64 = 1e-9;

/// Returns all faults of a project's definitions, deleted ones left aside, with paths such as
/// `flags[2].filters.groups[0].properties[1].operator` and `cohorts[0].filters.properties`. The numbers are places in the lists.
pub fn faults(
    flags: &[FlagDefinition],
    cohorts: &[CohortDefinition],
    group_types: &GroupTypes,
) -> Vec<Fault> {
    let flags: Vec<(usize, &FlagDefinition)> = flags
        .iter()
        .enumerate()
        .filter(|(_, flag)| !flag.deleted)
        .collect();
    let cohorts: Vec<(usize, &CohortDefinition)> = cohorts
        .iter()
        .enumerate()
        .filter(|(_, cohort)| !cohort.deleted)
        .collect();
    let mut found = Vec::new();
    check_flags(&flags, &cohorts, group_types, &mut found);
    check_cohorts(&cohorts, &mut found);
    found
}

fn check_flags(
    flags: &[(usize, &FlagDefinition)],
    cohorts: &[(usize, &CohortDefinition)],
    group_types: &GroupTypes,
    found: &mut Vec<Fault>,
) {
    let places: HashMap<FlagId, usize> = flags
        .iter()
        .enumerate()
        .map(|(place, (_, flag))| (flag.id, place))
        .collect();
    let cohorts = cohorts.iter().map(|(_, cohort)| cohort.id).collect();
    let (mut keys, mut ids) = (HashSet::new(), HashSet::new());
    let mut references = Vec::with_capacity(flags.len());
    for (index, flag) in flags {
        let mut check = FlagCheck {
            places: &places,
            cohorts: &cohorts,
            group_types,
            faults: Faults::default(),
            references: Vec::new(),
        };
        let own = format!("flags[{index}]");
        if !keys.insert(flag.key.as_str()) {
            found.push(fault(format!("{own}.key"), "used twice"));
        }
        if !ids.insert(flag.id) {
            found.push(fault(format!("{own}.id"), "used twice"));
        }
        check.run(flag);
        found.extend(under(check.faults, &format!("{own}.filters")));
        let active = flag.active && !flag.archived;
        references.push(if active { check.references } else { Vec::new() });
    }
    let name = |place: usize| flags.get(place).map(|(_, flag)| flag.key.clone());
    for (place, text) in circles(references, name) {
        if let Some((index, _)) = flags.get(place) {
            let message = format!("depends on itself: {text}");
            found.push(fault(format!("flags[{index}].filters"), &message));
        }
    }
}

fn check_cohorts(cohorts: &[(usize, &CohortDefinition)], found: &mut Vec<Fault>) {
    let places: HashMap<CohortId, usize> = cohorts
        .iter()
        .enumerate()
        .map(|(place, (_, cohort))| (cohort.id, place))
        .collect();
    let mut ids = HashSet::new();
    let mut references = Vec::with_capacity(cohorts.len());
    for (index, definition) in cohorts {
        let own = format!("cohorts[{index}]");
        if !ids.insert(definition.id) {
            found.push(fault(format!("{own}.id"), "used twice"));
        }
        let mut faults = Faults::default();
        references.push(cohort::read(definition, &places, &mut faults).references);
        found.extend(under(faults, &own));
    }
    let name = |place: usize| cohorts.get(place).map(|(_, cohort)| cohort.id.to_string());
    for (place, text) in circles(references, name) {
        if let Some((index, _)) = cohorts.get(place) {
            let message = format!("refers to itself: {text}");
            found.push(fault(format!("cohorts[{index}].filters"), &message));
        }
    }
}

/// Checks one flag; paths are inside its `filters`.
struct FlagCheck<'a> {
    places: &'a HashMap<FlagId, usize>,
    cohorts: &'a HashSet<CohortId>,
    group_types: &'a GroupTypes,
    faults: Faults,
    /// The places of the flags it depends on.
    references: Vec<usize>,
}

impl FlagCheck<'_> {
    fn run(&mut self, flag: &FlagDefinition) {
        let mut faults = Faults::default();
        match filters::read(&flag.filters, &mut faults) {
            Format::Unsupported => self.faults.add("version", "unsupported format, expected 1"),
            Format::Readable(filters) => {
                self.faults = faults;
                self.variants(&filters);
                self.conditions(&filters);
            }
        }
    }

    fn variants(&mut self, filters: &Filters) {
        let sum: f64 = filters.variants.shares.iter().sum();
        if sum > 100.0 + TOLERANCE {
            let message = format!("the shares add up to {sum}, more than 100");
            self.faults.add("multivariate.variants", message);
        }
        let mut keys = HashSet::new();
        for (index, key) in filters.variants.keys.iter().enumerate() {
            if !keys.insert(key) {
                let path = format!("multivariate.variants[{index}].key");
                self.faults.add(path, "used twice");
            }
        }
    }

    fn conditions(&mut self, filters: &Filters) {
        let flag = filters.aggregation;
        self.group_type(flag.group_type(), || {
            "aggregation_group_type_index".to_owned()
        });
        for (index, condition) in filters.conditions.iter().enumerate() {
            let path = format!("groups[{index}]");
            if condition.aggregation != flag {
                let own = condition.aggregation.group_type();
                self.group_type(own, || format!("{path}.aggregation_group_type_index"));
            }
            let properties = format!("{path}.properties");
            for filter in &condition.filters {
                self.filter(filter, condition.aggregation, &properties);
            }
            for filter in &condition.cohorts {
                self.cohort_filter(filter, &properties);
            }
        }
    }

    fn filter(&mut self, filter: &Filter, condition: Aggregation, properties: &str) {
        match filter {
            Filter::Flag(filter) => self.flag_filter(filter, properties),
            Filter::Property {
                source,
                test,
                position,
                ..
            } => {
                let path = format!("{properties}[{position}]");
                if let Some(message) = test.fault() {
                    self.faults.add(path.clone(), message);
                }
                if let Source::Group(index) = *source
                    && index != condition.group_type()
                {
                    self.group_type(index, || format!("{path}.group_type_index"));
                }
            }
        }
    }

    fn flag_filter(&mut self, filter: &FlagFilter, properties: &str) {
        let path = format!("{properties}[{}]", filter.position);
        let place = match filter.reference {
            FlagReference::None => {
                self.faults.add(
                    format!("{path}.key"),
                    "never matches: expected the id of a flag",
                );
                return;
            }
            FlagReference::OutOfRange => None,
            FlagReference::Id(id) => self.places.get(&id),
        };
        match place {
            Some(place) => self.references.push(*place),
            None => self
                .faults
                .add(format!("{path}.key"), "there is no flag with this id"),
        }
        if filter.expected.is_none() {
            let message =
                "never matches: expected `flag_evaluates_to` with true, false or a variant";
            self.faults.add(path, message);
        }
    }

    fn cohort_filter(&mut self, filter: &CohortFilter, properties: &str) {
        let path = format!("{properties}[{}]", filter.position);
        match filter.cohort {
            None => self.faults.add(
                format!("{path}.value"),
                "expected the id of a cohort, an integer",
            ),
            Some(id) if !self.cohorts.contains(&id) => self
                .faults
                .add(format!("{path}.value"), format!("there is no cohort {id}")),
            Some(_) => {}
        }
        if filter.operator == CohortOperator::Never {
            self.faults.add(
                format!("{path}.operator"),
                "never matches: expected in or not_in",
            );
        }
    }

    fn group_type(&mut self, index: Option<i64>, path: impl FnOnce() -> String) {
        if let Some(index) = index {
            let known =
                u8::try_from(index).is_ok_and(|index| self.group_types.name(index).is_some());
            if !known {
                self.faults
                    .add(path(), format!("there is no group type {index}"));
            }
        }
    }
}

/// Returns for each circle of references where it starts, and its names.
fn circles(
    references: Vec<Vec<usize>>,
    name: impl Fn(usize) -> Option<String>,
) -> Vec<(usize, String)> {
    let graph = Graph::new(references);
    let describe = |circle: Vec<usize>| {
        let start = *circle.first()?;
        let names: Option<Vec<String>> = circle.into_iter().chain([start]).map(&name).collect();
        Some((start, names?.join(" → ")))
    };
    graph
        .circles(&graph.order())
        .into_iter()
        .filter_map(describe)
        .collect()
}

fn fault(path: String, message: &str) -> Fault {
    Fault {
        path,
        message: message.to_owned(),
    }
}

/// Puts a path in front of those of the faults.
fn under(faults: Faults, path: &str) -> impl Iterator<Item = Fault> {
    faults.0.into_iter().map(move |fault| Fault {
        path: if fault.path.is_empty() {
            path.to_owned()
        } else {
            format!("{path}.{}", fault.path)
        },
        message: fault.message,
    })
}

#[cfg(test)]
mod tests;
