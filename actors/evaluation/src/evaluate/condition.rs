//! The filters of one condition (section 3, step 4c), failed dependencies among them (section 7.5).

use super::request::{Known, Request, Values};
use crate::{
    definition::{
        Flag,
        filters::{Condition, Expected, Filter, FlagFilter, Source},
    },
    outcome::{FailureCode, FlagValue},
    property::{Completeness, Test},
};
use serde_json::Value;

/// What the filters of a condition say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All match.
    Match,
    /// All match, provided that failed dependencies have the right value.
    Provisional,
    /// One does not.
    NoMatch {
        /// A cohort with a behavioural criterion decided it.
        behavioral: bool,
    },
    /// A cohort cannot be evaluated: the whole flag fails (section 6.5).
    Failed(FailureCode),
}

const NO_MATCH: Verdict = Verdict::NoMatch { behavioral: false };

/// Tries the filters in stored order, those on cohorts last. The first that does not match decides.
pub(super) fn filters_match(
    condition: &Condition,
    request: &mut Request<'_>,
    values: &Values,
) -> Verdict {
    let mut assumed: Vec<(usize, &Expected)> = Vec::new();
    for filter in &condition.filters {
        let matches = match filter {
            Filter::Property {
                source: Source::Person,
                key,
                slot,
                test,
                ..
            } => {
                let value = request.person.get_numbered(*slot, key);
                matches(test, value, request.person.completeness, request)
            }
            Filter::Property {
                source, key, test, ..
            } => property_matches(*source, key, test, request),
            Filter::Flag(filter) => flag_matches(filter, request, values, &mut assumed),
        };
        if !matches {
            return NO_MATCH;
        }
    }
    for filter in &condition.cohorts {
        // an unreadable reference fails the flag whatever the operator
        let Some(cohort) = filter.cohort else {
            return Verdict::Failed(FailureCode::CohortFiltersParsingError);
        };
        let member = request
            .memberships
            .contains(cohort, &request.person, request.moment);
        match member {
            Err(code) => return Verdict::Failed(code),
            Ok(member) if filter.operator.matches(member) => {}
            Ok(_) => {
                return Verdict::NoMatch {
                    behavioral: request.memberships.is_behavioral(cohort),
                };
            }
        }
    }
    if assumed.is_empty() {
        Verdict::Match
    } else {
        Verdict::Provisional
    }
}

fn property_matches(source: Source, key: &str, test: &Test, request: &Request<'_>) -> bool {
    let person: Completeness = request.person.completeness;
    let (value, completeness) = match source {
        Source::Person => (request.person.get(key), person),
        Source::PersonMetadata => (request.person.metadata(key), person),
        Source::Group(index) => request.groups.get(index, key),
    };
    matches(test, value, completeness, request)
}

/// An error is a non-match.
fn matches(
    test: &Test,
    value: Option<&Value>,
    completeness: Completeness,
    request: &Request<'_>,
) -> bool {
    test.matches(value, completeness, request.moment) == Ok(true)
}

/// Answers for a filter on another flag. A failed one matches for now, unless an earlier filter assumed the contrary.
fn flag_matches<'f>(
    filter: &'f FlagFilter,
    request: &Request<'_>,
    values: &Values,
    assumed: &mut Vec<(usize, &'f Expected)>,
) -> bool {
    let (Some(place), Some(expected)) = (filter.target, &filter.expected) else {
        return false;
    };
    match values.get(place) {
        Known::Value(value) => {
            let flag = request.definitions.flags.get(place);
            flag.is_some_and(|flag| is_expected(flag, value, expected))
        }
        Known::Failed => {
            let contrary = |&(other, assumed): &(usize, &Expected)| {
                other == place && !compatible(assumed, expected)
            };
            if assumed.iter().any(contrary) {
                return false;
            }
            assumed.push((place, expected));
            true
        }
    }
}

fn is_expected(flag: &Flag, value: FlagValue, expected: &Expected) -> bool {
    match expected {
        Expected::On => value != FlagValue::Off,
        Expected::Off => value == FlagValue::Off,
        Expected::Variant(variant) => match value {
            FlagValue::Off | FlagValue::On => false,
            FlagValue::Variant(index) => flag.variant_key(index) == Some(variant),
            FlagValue::Holdout => flag.holdout_variant() == Some(variant),
        },
    }
}

/// Returns whether one value can satisfy both.
fn compatible(a: &Expected, b: &Expected) -> bool {
    match (a, b) {
        (Expected::Off, Expected::Off) | (Expected::On, Expected::On | Expected::Variant(_)) => {
            true
        }
        (Expected::Variant(_), Expected::On) => true,
        (Expected::Variant(a), Expected::Variant(b)) => a == b,
        (Expected::Off, _) | (_, Expected::Off) => false,
    }
}
