//! One property filter against one value (section 4).
//!
//! [`Test`] is the compiled right-hand side of a filter: operator and filter value, prepared once. It knows neither where
//! the property comes from nor its name; `definition` and `cohort` keep that.

use crate::Moment;
use serde_json::Value;

/// The operators of section 4, by their wire names. Closed: an unknown name makes a flag unreadable (section 1.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `exact`
    Exact,
    // the others are added by the implementation
}

impl Operator {
    /// Reads a wire name, case-sensitive.
    pub fn from_name(_name: &str) -> Option<Self> {
        todo!()
    }

    /// Returns the wire name.
    pub fn name(self) -> &'static str {
        todo!()
    }

    /// Returns all operators, in the order of the specification's table.
    pub fn all() -> &'static [Self] {
        todo!()
    }
}

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
    // filled in by its implementation
}

impl Test {
    /// Compiles an operator and its value (`None` and null are the same). Never fails: a broken pattern or an unusable
    /// value is kept as such, because its answer depends on the property (sections 4.5 and 4.7).
    pub fn compile(_operator: Operator, _value: Option<&Value>) -> Self {
        todo!()
    }

    /// Returns a fault that `check` reports when a definition is written (a broken pattern, a value the operator can never use).
    pub fn fault(&self) -> Option<String> {
        todo!()
    }

    /// Answers for a property; `None` is an absent one.
    pub fn matches(
        &self,
        _property: Option<&Value>,
        _completeness: Completeness,
        _moment: &Moment,
    ) -> Result<bool, FilterError> {
        todo!()
    }
}
