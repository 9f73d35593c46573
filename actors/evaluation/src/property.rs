//! One property filter against one value (section 4).
//!
//! [`Test`] is the compiled right-hand side of a filter: operator and filter value, prepared once. It knows neither where
//! the property comes from nor its name; `definition` and `cohort` keep that.
//!
//! A file a family: `operator` names them all; `equality`, `text`, `regex`, `number`, `semver` and `date` hold what is
//! prepared from the filter value and how it meets a property; `comparison` is the order they share.

mod comparison;
mod date;
mod equality;
mod number;
mod operator;
mod regex;
mod semver;
mod text;

pub use operator::Operator;

use crate::Moment;
use comparison::Comparison;
use serde_json::Value;

/// Whether a map knows all properties, or only those of the request (sections 4 and 5.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// An absent key is really absent.
    Complete,
    /// The store was not read: an absent key fails closed, whatever the operator.
    Partial,
}

/// An error inside a filter: a non-match on a flag's condition, a non-match *before* negation in a cohort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the filter cannot be evaluated on this value")]
pub struct FilterError;

/// An operator with its filter value, compiled.
#[derive(Debug)]
pub struct Test {
    operator: Operator,
    prepared: Prepared,
}

/// What depends on the filter value alone. `negated` marks the `not_` half of a pair: the opposite answer for a present
/// property and yes for an absent one.
#[derive(Debug)]
enum Prepared {
    /// Whether the property is there is all that is asked.
    Presence,
    /// No filter value: no match (section 4.1, rule 3).
    NoValue,
    /// An operator of cohort or flag filters.
    Foreign,
    Equality {
        wanted: equality::Wanted,
        negated: bool,
    },
    Text {
        needles: text::Needles,
        negated: bool,
    },
    Regex {
        pattern: Usable<regex::Pattern>,
        negated: bool,
    },
    Number {
        comparison: Comparison,
        bound: Usable<f64>,
    },
    Range {
        range: Usable<number::Range>,
        negated: bool,
    },
    Version {
        comparison: Comparison,
        bound: Usable<::semver::Version>,
    },
    VersionRange(Usable<::semver::VersionReq>),
    Date {
        comparison: Comparison,
        bound: Usable<date::Point>,
    },
}

/// What was made of a filter value, or what is wrong with it.
type Usable<T> = Result<T, Fault>;

/// What is wrong with a filter value, for the person who wrote it.
#[derive(Debug, Clone)]
struct Fault(Box<str>);

impl Fault {
    fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }
}

impl Test {
    /// Compiles an operator and its value (`None` and null are the same). Never fails: a broken pattern or an unusable
    /// value is kept as such, because its answer depends on the property (sections 4.5 and 4.7).
    pub fn compile(operator: Operator, value: Option<&Value>) -> Self {
        let prepared = match (operator, value) {
            (Operator::IsSet | Operator::IsNotSet, _) => Prepared::Presence,
            (Operator::In | Operator::NotIn | Operator::FlagEvaluatesTo, _) => Prepared::Foreign,
            (_, None | Some(Value::Null)) => Prepared::NoValue,
            (_, Some(value)) => Prepared::from_value(operator, value),
        };
        Self { operator, prepared }
    }

    /// Returns a fault that `check` reports when a definition is written (a broken pattern, a value the operator can never use).
    pub fn fault(&self) -> Option<String> {
        let what = match &self.prepared {
            Prepared::NoValue => "needs a value; without one it never matches",
            Prepared::Foreign => "works in cohort and flag filters only, never on a property",
            other => &other.fault()?.0,
        };
        Some(format!("`{}` {what}", self.operator.name()))
    }

    /// Answers for a property; `None` is an absent one.
    pub fn matches(
        &self,
        property: Option<&Value>,
        completeness: Completeness,
        moment: &Moment,
    ) -> Result<bool, FilterError> {
        match property {
            None if completeness == Completeness::Partial => Err(FilterError),
            None => self.matches_absent(),
            Some(property) => self.matches_present(property, moment),
        }
    }

    /// Returns about how long [`Test::matches`] takes, in nanoseconds: orders of magnitude, to tell light work from heavy.
    pub(crate) fn cost_ns(&self) -> u32 {
        match &self.prepared {
            Prepared::Presence | Prepared::NoValue | Prepared::Foreign => 5,
            Prepared::Number { .. } | Prepared::Range { .. } => 20,
            Prepared::Equality { .. } | Prepared::Text { .. } => 40,
            Prepared::Version { .. } | Prepared::VersionRange(_) | Prepared::Date { .. } => 120,
            Prepared::Regex { .. } => 200,
        }
    }

    fn matches_absent(&self) -> Result<bool, FilterError> {
        match &self.prepared {
            Prepared::Presence => Ok(self.operator == Operator::IsNotSet),
            Prepared::Equality { negated, .. }
            | Prepared::Text { negated, .. }
            | Prepared::Regex { negated, .. } => Ok(*negated),
            // Its filter value is checked before anything else (section 4.7).
            Prepared::Range { range, negated } => usable(range).map(|_| *negated),
            Prepared::Foreign => Err(FilterError),
            Prepared::NoValue
            | Prepared::Number { .. }
            | Prepared::Version { .. }
            | Prepared::VersionRange(_)
            | Prepared::Date { .. } => Ok(false),
        }
    }

    fn matches_present(&self, property: &Value, moment: &Moment) -> Result<bool, FilterError> {
        match &self.prepared {
            Prepared::Presence => Ok(self.operator == Operator::IsSet),
            Prepared::NoValue => Ok(false),
            Prepared::Foreign => Err(FilterError),
            Prepared::Equality { wanted, negated } => {
                Ok(wanted.equals(property, moment.matching) != *negated)
            }
            Prepared::Text { needles, negated } => Ok(needles.found_in(property) != *negated),
            Prepared::Regex { pattern, negated } => {
                Ok(usable(pattern)?.found_in(property)? != *negated)
            }
            Prepared::Number { comparison, bound } => {
                let property = number::read(property).ok_or(FilterError)?;
                Ok(comparison.holds(&property, usable(bound)?))
            }
            Prepared::Range { range, negated } => Ok(usable(range)?.contains(property, *negated)),
            Prepared::Version { comparison, bound } => {
                let bound = usable(bound)?;
                Ok(semver::read(property).is_some_and(|version| comparison.holds(&version, bound)))
            }
            Prepared::VersionRange(range) => {
                let range = usable(range)?;
                Ok(semver::read(property).is_some_and(|version| range.matches(&version)))
            }
            Prepared::Date { comparison, bound } => {
                let bound = usable(bound)?;
                Ok(comparison.holds_between(date::read(property, moment), bound.instant(moment)))
            }
        }
    }
}

impl Prepared {
    fn from_value(operator: Operator, value: &Value) -> Self {
        use Operator as O;
        use text::Place;
        match operator {
            O::Exact => Self::equality(value, false),
            O::IsNot => Self::equality(value, true),
            O::Icontains => Self::text(Place::Anywhere, value, false),
            O::NotIcontains => Self::text(Place::Anywhere, value, true),
            O::StartsWith => Self::text(Place::Start, value, false),
            O::NotStartsWith => Self::text(Place::Start, value, true),
            O::EndsWith => Self::text(Place::End, value, false),
            O::NotEndsWith => Self::text(Place::End, value, true),
            O::IcontainsMulti => Self::any_text(value, false),
            O::NotIcontainsMulti => Self::any_text(value, true),
            O::Regex => Self::regex(value, false),
            O::NotRegex => Self::regex(value, true),
            O::Gt => Self::number(Comparison::Greater, value),
            O::Gte => Self::number(Comparison::AtLeast, value),
            O::Lt => Self::number(Comparison::Less, value),
            O::Lte => Self::number(Comparison::AtMost, value),
            O::Between => Self::range(value, false),
            O::NotBetween => Self::range(value, true),
            O::SemverEq => Self::version(Comparison::Equal, value),
            O::SemverNeq => Self::version(Comparison::NotEqual, value),
            O::SemverGt => Self::version(Comparison::Greater, value),
            O::SemverGte => Self::version(Comparison::AtLeast, value),
            O::SemverLt => Self::version(Comparison::Less, value),
            O::SemverLte => Self::version(Comparison::AtMost, value),
            O::SemverTilde => Self::VersionRange(semver::tilde(value)),
            O::SemverCaret => Self::VersionRange(semver::caret(value)),
            O::SemverWildcard => Self::VersionRange(semver::wildcard(value)),
            O::IsDateExact => Self::date(Comparison::Equal, value),
            O::IsDateAfter => Self::date(Comparison::Greater, value),
            O::IsDateBefore => Self::date(Comparison::Less, value),
            O::IsSet | O::IsNotSet => Self::Presence,
            O::In | O::NotIn | O::FlagEvaluatesTo => Self::Foreign,
        }
    }

    fn equality(value: &Value, negated: bool) -> Self {
        let wanted = equality::Wanted::compile(value);
        Self::Equality { wanted, negated }
    }

    fn text(place: text::Place, value: &Value, negated: bool) -> Self {
        let needles = text::Needles::one(place, value);
        Self::Text { needles, negated }
    }

    fn any_text(value: &Value, negated: bool) -> Self {
        let needles = text::Needles::any(value);
        Self::Text { needles, negated }
    }

    fn regex(value: &Value, negated: bool) -> Self {
        let pattern = regex::Pattern::compile(value);
        Self::Regex { pattern, negated }
    }

    fn number(comparison: Comparison, value: &Value) -> Self {
        let bound = number::bound(value);
        Self::Number { comparison, bound }
    }

    fn range(value: &Value, negated: bool) -> Self {
        let range = number::Range::compile(value);
        Self::Range { range, negated }
    }

    fn version(comparison: Comparison, value: &Value) -> Self {
        let bound = semver::bound(value);
        Self::Version { comparison, bound }
    }

    fn date(comparison: Comparison, value: &Value) -> Self {
        let bound = date::Point::compile(value);
        Self::Date { comparison, bound }
    }

    fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Presence
            | Self::NoValue
            | Self::Foreign
            | Self::Equality { .. }
            | Self::Text { .. } => None,
            Self::Regex { pattern, .. } => pattern.as_ref().err(),
            Self::Number { bound, .. } => bound.as_ref().err(),
            Self::Range { range, .. } => range.as_ref().err(),
            Self::Version { bound, .. } => bound.as_ref().err(),
            Self::VersionRange(range) => range.as_ref().err(),
            Self::Date { bound, .. } => bound.as_ref().err(),
        }
    }
}

/// The prepared value, or the error that stands for its fault during evaluation.
fn usable<T>(prepared: &Usable<T>) -> Result<&T, FilterError> {
    prepared.as_ref().ok().ok_or(FilterError)
}

#[cfg(test)]
mod tests;
