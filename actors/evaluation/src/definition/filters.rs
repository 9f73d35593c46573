//! Reading a flag's `filters` (sections 1.2 to 1.5) into a form that is quick to evaluate.
//!
//! It knows one flag at a time: which flags and cohorts exist is the business of `definition` and `check`.

mod condition;
mod property;

pub(crate) use condition::{Aggregation, Condition};
pub(crate) use property::{
    CohortFilter, CohortOperator, Expected, Filter, FlagFilter, FlagReference, Source,
};

use super::read::{Faults, Object};
use condition::ConditionReader;
use serde_json::{Value, value::RawValue};
use std::collections::BTreeMap;

/// A flag's readable `filters`.
#[derive(Debug, Default)]
pub(crate) struct Filters {
    /// In stored order.
    pub(crate) conditions: Box<[Condition]>,
    pub(crate) variants: Variants,
    /// Variant key, or `true`, → payload as JSON text. Null is no payload.
    pub(crate) payloads: BTreeMap<Box<str>, Box<str>>,
    /// What the flag itself is about.
    pub(crate) aggregation: Aggregation,
    pub(crate) feature_enrollment: bool,
    pub(crate) holdout: Option<Holdout>,
    pub(crate) early_exit: bool,
}

/// The declared variants, in order.
#[derive(Debug, Default)]
pub(crate) struct Variants {
    pub(crate) keys: Box<[Box<str>]>,
    pub(crate) shares: Box<[f64]>,
}

/// A holdout.
#[derive(Debug)]
pub(crate) struct Holdout {
    /// `holdout-<id>`.
    pub(crate) variant: Box<str>,
    /// 0 to 100.
    pub(crate) percentage: f64,
}

/// What `filters` turned out to be.
#[derive(Debug)]
pub(crate) enum Format {
    /// The format of section 1.2.
    Readable(Filters),
    /// A format marker other than 1: the flag is answered as failed.
    Unsupported,
}

impl Variants {
    /// Returns whether more than one variant can be reached: some share is positive before the sum reaches 100 (section 5.7).
    pub(crate) fn more_than_one_reachable(&self) -> bool {
        let mut sum = 0.0;
        let mut reachable = 0;
        for &share in &self.shares {
            if sum >= 100.0 {
                break;
            }
            if share > 0.0 {
                reachable += 1;
            }
            sum += share;
        }
        reachable > 1
    }

    /// Returns whether the variants split the population, so that a hash is needed to choose (section 3, step 4b).
    pub(crate) fn split(&self) -> bool {
        let first_positive = self.shares.iter().find(|&&share| share > 0.0);
        first_positive.is_some_and(|&share| share < 100.0)
    }

    fn position(&self, key: &str) -> Option<u32> {
        let position = self.keys.iter().position(|declared| **declared == *key);
        u32::try_from(position?).ok()
    }
}

/// Reads `filters`. Faults are added with paths inside `filters`; the result is of no use if there are any.
pub(crate) fn read(text: &RawValue, faults: &mut Faults) -> Format {
    let fields: BTreeMap<String, &RawValue> = match serde_json::from_str(text.get()) {
        Ok(fields) => fields,
        Err(error) => {
            faults.add("", format!("expected an object: {error}"));
            return Format::Readable(Filters::default());
        }
    };
    let mut values = serde_json::Map::new();
    for name in FIELDS {
        if let Some(raw) = fields.get(name) {
            match serde_json::from_str::<Value>(raw.get()) {
                Ok(value) => {
                    values.insert(name.to_owned(), value);
                }
                Err(error) => faults.add(name, error.to_string()),
            }
        }
    }
    // absent or 1; null is neither
    if values
        .get("version")
        .is_some_and(|version| version.as_f64() != Some(1.0))
    {
        return Format::Unsupported;
    }
    let values = Value::Object(values);
    let Some(object) = Object::read(&values, String::new(), faults) else {
        return Format::Readable(Filters::default());
    };
    let mut filters = read_fields(&object, faults);
    filters.payloads = read_payloads(fields.get("payloads").copied(), faults);
    Format::Readable(filters)
}

/// The fields read as values. Payloads are not among them: their texts have to stay as they are.
const FIELDS: [&str; 7] = [
    "groups",
    "multivariate",
    "aggregation_group_type_index",
    "feature_enrollment",
    "holdout",
    "early_exit",
    "version",
];

fn read_fields(object: &Object<'_>, faults: &mut Faults) -> Filters {
    let aggregation =
        Aggregation::of(object.optional_integer("aggregation_group_type_index", faults));
    let variants = read_variants(object, faults);
    let groups = if object.fields.contains_key("groups") {
        object.required_list("groups", faults).unwrap_or_default()
    } else {
        &[]
    };
    let reader = ConditionReader {
        aggregation,
        variants: &variants,
    };
    let conditions = groups
        .iter()
        .enumerate()
        .map(|(index, condition)| reader.read(condition, format!("groups[{index}]"), faults))
        .collect();
    Filters {
        conditions,
        payloads: BTreeMap::new(),
        aggregation,
        feature_enrollment: object.optional_bool("feature_enrollment", faults) == Some(true),
        holdout: read_holdout(object, faults),
        early_exit: object.optional_bool("early_exit", faults) == Some(true),
        variants,
    }
}

fn read_variants(object: &Object<'_>, faults: &mut Faults) -> Variants {
    let Some(multivariate) = nested(object, "multivariate", faults) else {
        return Variants::default();
    };
    let list = multivariate
        .required_list("variants", faults)
        .unwrap_or_default();
    let mut keys = Vec::with_capacity(list.len());
    let mut shares = Vec::with_capacity(list.len());
    for (index, variant) in list.iter().enumerate() {
        let path = multivariate.path(&format!("variants[{index}]"));
        if let Some(variant) = Object::read(variant, path, faults) {
            let key = variant.required_text("key", faults);
            let share = variant.required_number("rollout_percentage", faults);
            keys.push(key.unwrap_or_default().into());
            shares.push(share.unwrap_or_default());
        }
    }
    Variants {
        keys: keys.into(),
        shares: shares.into(),
    }
}

fn read_holdout(object: &Object<'_>, faults: &mut Faults) -> Option<Holdout> {
    let holdout = nested(object, "holdout", faults)?;
    let id = holdout.required_integer("id", faults);
    let percentage = holdout.required_number("exclusion_percentage", faults);
    Some(Holdout {
        variant: format!("holdout-{}", id?).into(),
        percentage: percentage?.clamp(0.0, 100.0),
    })
}

/// Returns an object field that may be null or missing.
fn nested<'a>(object: &Object<'a>, name: &str, faults: &mut Faults) -> Option<Object<'a>> {
    let value = object.fields.get(name).filter(|value| !value.is_null())?;
    Object::read(value, object.path(name), faults)
}

fn read_payloads(raw: Option<&RawValue>, faults: &mut Faults) -> BTreeMap<Box<str>, Box<str>> {
    let Some(raw) = raw else {
        return BTreeMap::new();
    };
    let entries: Option<BTreeMap<Box<str>, &RawValue>> = match serde_json::from_str(raw.get()) {
        Ok(entries) => entries,
        Err(error) => {
            faults.add("payloads", format!("expected an object: {error}"));
            None
        }
    };
    let mut payloads = BTreeMap::new();
    for (key, payload) in entries.unwrap_or_default() {
        match payload_text(payload.get()) {
            Ok(Some(text)) => {
                payloads.insert(key, text);
            }
            Ok(None) => {}
            Err(error) => faults.add(format!("payloads.{key}"), error.to_string()),
        }
    }
    payloads
}

/// Returns a payload's text: of a text its content, of anything else its JSON without blanks; null is none.
pub fn payload_text(json: &str) -> serde_json::Result<Option<Box<str>>> {
    if json == "null" {
        Ok(None)
    } else if json.starts_with('"') {
        serde_json::from_str(json).map(Some)
    } else {
        Ok(Some(compact(json).into()))
    }
}

/// Drops the blanks between the tokens of valid JSON; numbers and texts keep the spelling they were written with.
fn compact(json: &str) -> String {
    let mut in_text = false;
    let mut escaped = false;
    json.chars()
        .filter(|&c| {
            if in_text {
                in_text = escaped || c != '"';
                escaped = !escaped && c == '\\';
                true
            } else {
                in_text = c == '"';
                !c.is_ascii_whitespace()
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
