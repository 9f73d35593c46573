//! One property filter of a condition (section 1.5).

use super::{
    super::read::{Faults, Object},
    Aggregation,
};
use crate::{
    CohortId, FlagId,
    property::{Operator, Test},
};
use serde_json::Value;

/// A filter that is not about cohorts.
#[derive(Debug)]
pub(crate) enum Filter {
    /// On a property.
    Property {
        /// Where the property comes from.
        source: Source,
        key: Box<str>,
        /// The number that the project has for a person property of this name, filled in once all flags are known.
        slot: usize,
        test: Test,
        /// Its place among the condition's filters, for messages.
        position: usize,
    },
    /// On another flag's value.
    Flag(FlagFilter),
}

/// Where a filter's property comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Person,
    /// Columns of the person record.
    PersonMetadata,
    /// The group of this type; `None` when neither the filter nor its condition names one.
    Group(Option<i64>),
}

/// A filter on the value of another flag (section 7.1).
#[derive(Debug)]
pub(crate) struct FlagFilter {
    /// What its key refers to.
    pub(crate) reference: FlagReference,
    /// What matches; `None` never does.
    pub(crate) expected: Option<Expected>,
    /// The place of the flag it refers to, filled in once all flags are known.
    pub(crate) target: Option<usize>,
    /// Its place among the condition's filters, for messages.
    pub(crate) position: usize,
}

/// What the key of a flag filter refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FlagReference {
    /// A flag id.
    Id(FlagId),
    /// An integer that no flag id can be: the flag does not exist.
    OutOfRange,
    /// Not an integer: no dependency, never matches.
    None,
}

/// A value that a flag filter waits for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Anything but off.
    On,
    /// Exactly off.
    Off,
    /// Exactly this variant.
    Variant(Box<str>),
}

/// A filter on cohort membership (section 6.1).
#[derive(Debug)]
pub(crate) struct CohortFilter {
    /// The cohort; `None` if the value is not an integer.
    pub(crate) cohort: Option<CohortId>,
    pub(crate) operator: CohortOperator,
    /// Its place among the condition's filters, for messages.
    pub(crate) position: usize,
}

/// What a cohort filter asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CohortOperator {
    In,
    NotIn,
    /// Any other operator: a plain non-match.
    Never,
}

impl CohortOperator {
    /// Takes an operator; none means `in`.
    pub(crate) fn of(operator: Option<Operator>) -> Self {
        match operator {
            None | Some(Operator::In) => Self::In,
            Some(Operator::NotIn) => Self::NotIn,
            Some(_) => Self::Never,
        }
    }

    /// Returns whether it matches a membership.
    pub(crate) fn matches(self, member: bool) -> bool {
        match self {
            Self::In => member,
            Self::NotIn => !member,
            Self::Never => false,
        }
    }
}

/// A filter that was read: cohort filters are kept apart, because they are evaluated last.
pub(super) enum Read {
    Cohort(CohortFilter),
    Other(Filter),
}

/// Reads a filter; `None` if it cannot be read, and then there is a fault.
pub(super) fn read(
    value: &Value,
    position: usize,
    condition: Aggregation,
    path: String,
    faults: &mut Faults,
) -> Option<Read> {
    let object = Object::read(value, path, faults)?;
    let key = object.required_text("key", faults);
    let kind = object.required_text("type", faults);
    let operator = read_operator(&object, faults);
    let group_type = object.optional_integer("group_type_index", faults);
    let value = object.fields.get("value");
    let source = match kind? {
        "cohort" => {
            return Some(Read::Cohort(CohortFilter {
                cohort: value.and_then(Value::as_i64).map(CohortId),
                operator: CohortOperator::of(operator?),
                position,
            }));
        }
        "flag" => {
            let filter = read_flag_filter(key?, operator?, value, position);
            return Some(Read::Other(Filter::Flag(filter)));
        }
        "person" => Source::Person,
        "person_metadata" => Source::PersonMetadata,
        "group" => Source::Group(group_type.or(condition.group_type())),
        other => {
            faults.add(object.path("type"), format!("unknown type {other:?}"));
            return None;
        }
    };
    Some(Read::Other(Filter::Property {
        source,
        key: key?.into(),
        slot: 0,
        test: Test::compile(operator?.unwrap_or(Operator::Exact), value),
        position,
    }))
}

/// Reads the operator; the outer `None` is a fault, the inner one a missing operator.
fn read_operator(object: &Object<'_>, faults: &mut Faults) -> Option<Option<Operator>> {
    let before = faults.0.len();
    let name = object.optional_text("operator", faults);
    let Some(name) = name else {
        return (faults.0.len() == before).then_some(None);
    };
    let operator = Operator::from_name(name);
    if operator.is_none() {
        faults.add(
            object.path("operator"),
            format!("unknown operator {name:?}"),
        );
    }
    operator.map(Some)
}

fn read_flag_filter(
    key: &str,
    operator: Option<Operator>,
    value: Option<&Value>,
    position: usize,
) -> FlagFilter {
    let expected = match value {
        _ if operator != Some(Operator::FlagEvaluatesTo) => None,
        Some(Value::Bool(true)) => Some(Expected::On),
        Some(Value::Bool(false)) => Some(Expected::Off),
        Some(Value::String(variant)) => Some(Expected::Variant(variant.as_str().into())),
        _ => None,
    };
    FlagFilter {
        reference: FlagReference::of(key),
        expected,
        target: None,
        position,
    }
}

impl FlagReference {
    fn of(key: &str) -> Self {
        let digits = key.strip_prefix(['-', '+']).unwrap_or(key);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            Self::None
        } else {
            key.parse()
                .map_or(Self::OutOfRange, |id| Self::Id(FlagId(id)))
        }
    }
}
