//! What two servers answered to the same question, and in what they differ, flag by flag.
//!
//! Pure: bytes in, differences out. It knows the shapes of `/flags` and `/decide` (section 3.7) and nothing of who was asked, or why.
//! What differs by nature is never looked at: `requestId`, `evaluatedAt`, the ids, versions and descriptions in `metadata`, the
//! configuration members, the order of members, and how a number is spelt.

mod answer;
mod report;
mod same;
mod tally;

#[cfg(test)]
mod tests;

pub use answer::{Answer, Flags, Record};
pub use report::Report;
pub use tally::{Tally, TallyLimits};

use same::same_payload;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// How a flag's two answers differ. The first that applies is told, and no other: each difference is one flag of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// One side could not evaluate the flag, or could not answer at all.
    Error,
    /// Only the second side knows the flag.
    MissingInFirst,
    /// Only the first side knows the flag.
    MissingInSecond,
    /// On here and off there.
    Enabled,
    /// On with both, with another variant.
    Variant,
    /// Another value, though neither of the two above says so.
    Value,
    /// The same value with another payload.
    Payload,
    /// The same value for another reason.
    Reason,
    /// The same value and reason by another condition set.
    Condition,
}

impl Kind {
    /// Every kind, the weightiest first.
    pub const ALL: [Self; 9] = [
        Self::Error,
        Self::MissingInFirst,
        Self::MissingInSecond,
        Self::Enabled,
        Self::Variant,
        Self::Value,
        Self::Payload,
        Self::Reason,
        Self::Condition,
    ];

    /// Returns its name in reports and labels, `sides` being the names of the two.
    pub fn name(self, sides: Sides) -> &'static str {
        match self {
            Self::Error => "error",
            Self::MissingInFirst => sides.missing[0],
            Self::MissingInSecond => sides.missing[1],
            Self::Enabled => "enabled",
            Self::Variant => "variant",
            Self::Value => "value",
            Self::Payload => "payload",
            Self::Reason => "reason",
            Self::Condition => "condition",
        }
    }
}

/// What the two sides are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sides {
    /// The names.
    pub names: [&'static str; 2],
    /// What a flag that is missing on one of them is called.
    pub missing: [&'static str; 2],
}

/// What is not counted as a difference.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ignored {
    /// Reasons, and so condition sets.
    pub reason: bool,
    /// Which condition set decided.
    pub condition: bool,
    /// Payloads.
    pub payload: bool,
    /// A flag that is off with one side and missing with the other.
    pub missing_off: bool,
    /// Flags with these keys.
    pub flags: BTreeSet<String>,
}

/// A flag that is answered differently, or a whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The flag; `None` for a whole answer.
    pub flag: Option<String>,
    /// How they differ.
    pub kind: Kind,
    /// Why each side says so: a reason code, or what became of the whole answer.
    pub reasons: [Option<String>; 2],
    /// What each side says.
    pub values: [Value; 2],
}

/// Compares two answers to one request.
pub fn compare(first: &Answer, second: &Answer, ignored: &Ignored) -> Vec<Difference> {
    match (first, second) {
        (Answer::Flags(first), Answer::Flags(second)) => compare_flags(first, second, ignored),
        _ if first.is_same_refusal(second) => Vec::new(),
        _ => vec![Difference {
            flag: None,
            kind: Kind::Error,
            reasons: [Some(first.label()), Some(second.label())],
            values: [Value::Null, Value::Null],
        }],
    }
}

fn compare_flags(first: &Flags, second: &Flags, ignored: &Ignored) -> Vec<Difference> {
    let keys: BTreeSet<&String> = first.records.keys().chain(second.records.keys()).collect();
    let kept = keys.into_iter().filter(|key| !ignored.flags.contains(*key));
    kept.filter_map(|key| {
        let pair = [first.records.get(key), second.records.get(key)];
        let kind = match pair {
            [Some(one), Some(other)] => kind_of_pair(one, other, ignored)?,
            [None, Some(record)] => kind_of_missing(first, record, Kind::MissingInFirst, ignored)?,
            [Some(record), None] => {
                kind_of_missing(second, record, Kind::MissingInSecond, ignored)?
            }
            [None, None] => return None,
        };
        Some(Difference {
            flag: Some(key.clone()),
            kind,
            reasons: pair.map(|record| record.and_then(|it| it.reason.clone())),
            values: pair.map(shown),
        })
    })
    .collect()
}

/// Returns what a record that only one side has amounts to. `other` is the answer without it.
fn kind_of_missing(other: &Flags, record: &Record, kind: Kind, ignored: &Ignored) -> Option<Kind> {
    if other.lists_enabled_only {
        // Not to be listed is to be off there.
        return record.enabled.then_some(Kind::Enabled);
    }
    let is_off = !record.enabled && !record.failed;
    (!(ignored.missing_off && is_off)).then_some(kind)
}

fn kind_of_pair(one: &Record, other: &Record, ignored: &Ignored) -> Option<Kind> {
    if one.failed != other.failed {
        return Some(Kind::Error);
    }
    if one.enabled != other.enabled {
        return Some(Kind::Enabled);
    }
    if one.variant != other.variant {
        return Some(Kind::Variant);
    }
    if both(one.value.as_ref(), other.value.as_ref()).is_some_and(|(a, b)| !same::same_json(a, b)) {
        return Some(Kind::Value);
    }
    let payloads = both(one.payload.as_ref(), other.payload.as_ref());
    if !ignored.payload && payloads.is_some_and(|(a, b)| !same_payload(a, b)) {
        return Some(Kind::Payload);
    }
    if ignored.reason {
        return None;
    }
    if both(one.reason.as_ref(), other.reason.as_ref()).is_some_and(|(a, b)| a != b) {
        return Some(Kind::Reason);
    }
    let conditions = both(one.condition.as_ref(), other.condition.as_ref());
    let is_other = !ignored.condition && conditions.is_some_and(|(a, b)| a != b);
    is_other.then_some(Kind::Condition)
}

/// Returns what both shapes tell; what only one of them can tell is not compared.
fn both<'a, T>(one: Option<&'a T>, other: Option<&'a T>) -> Option<(&'a T, &'a T)> {
    Some((one?, other?))
}

/// How much of a text of an answer is repeated, in characters.
const MAX_SHOWN: usize = 200;

/// Returns a record as reports show it: definitions only, nothing of a person.
fn shown(record: Option<&Record>) -> Value {
    let Some(record) = record else {
        return Value::Null;
    };
    let value = match (&record.variant, &record.value) {
        (Some(variant), _) => Value::from(cut(variant)),
        (None, Some(value)) if !value.is_boolean() => Value::from(cut(&value.to_string())),
        _ => Value::from(record.enabled),
    };
    let mut shown = json!({"value": value});
    let payload = record.payload.as_ref().and_then(Option::as_deref);
    let parts = [
        ("failed", record.failed.then_some(Value::Bool(true))),
        ("payload", payload.map(|text| Value::from(cut(text)))),
        ("condition", record.condition.flatten().map(Value::from)),
    ];
    if let Value::Object(members) = &mut shown {
        for (name, part) in parts {
            if let Some(part) = part {
                members.insert(name.to_owned(), part);
            }
        }
    }
    shown
}

/// Returns the beginning of a text.
pub(crate) fn cut(text: &str) -> String {
    text.chars().take(MAX_SHOWN).collect()
}
