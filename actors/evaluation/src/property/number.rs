//! `gt`, `gte`, `lt`, `lte` (section 4.6), `between` and `not_between` (section 4.7).

use super::{Fault, Usable};
use serde_json::Value;

/// Reads a number: a JSON number, or a string that is a decimal number as a whole.
///
/// The grammar of section 4.6 is the one of Rust's own parser, `inf`, `infinity` and `nan` in any case included.
pub(super) fn read(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// Reads the filter value of a comparison.
pub(super) fn bound(value: &Value) -> Usable<f64> {
    read(value).ok_or_else(|| Fault::new("needs a number, or a string that is one"))
}

/// Two numbers in order; both belong to the range.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    first: f64,
    last: f64,
}

impl Range {
    pub(super) fn compile(value: &Value) -> Usable<Self> {
        let ends = match value.as_array().map(Vec::as_slice) {
            Some([first, last]) => read(first).zip(read(last)),
            _ => None,
        };
        match ends {
            // False for NaN, too.
            Some((first, last)) if first <= last => Ok(Self { first, last }),
            _ => Err(Fault::new(
                "needs a list of exactly two numbers, the smaller one first",
            )),
        }
    }

    /// Answers for a present property: NaN is neither in nor out of the range, what is not a number is out.
    pub(super) fn contains(self, property: &Value, negated: bool) -> bool {
        match read(property) {
            Some(number) if number.is_nan() => false,
            Some(number) => (self.first <= number && number <= self.last) != negated,
            None => negated,
        }
    }
}
