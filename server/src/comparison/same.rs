//! When two JSON values say the same: whatever the order of members and the spelling of numbers.

use serde_json::{Number, Value};

/// Returns whether two values are equal. `1`, `1.0` and `1e0` are; `1` and `"1"` are not.
pub(super) fn same_json(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => same_number(one, other),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| same_json(a, b))
        }
        (Value::Object(one), Value::Object(other)) => {
            let has = |(name, value): (&String, &Value)| {
                other.get(name).is_some_and(|found| same_json(value, found))
            };
            one.len() == other.len() && one.iter().all(has)
        }
        _ => one == other,
    }
}

fn same_number(one: &Number, other: &Number) -> bool {
    // Whole numbers beyond 2^53 are told apart only here.
    if let (Some(one), Some(other)) = (one.as_i128(), other.as_i128()) {
        return one == other;
    }
    one.as_f64() == other.as_f64()
}

/// Returns whether two payloads are equal: as JSON where both are, else as texts.
pub(super) fn same_payload(one: &Option<String>, other: &Option<String>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) if one != other => {
            let read = |text: &str| serde_json::from_str::<Value>(text).ok();
            match (read(one), read(other)) {
                (Some(one), Some(other)) => same_json(&one, &other),
                _ => false,
            }
        }
        _ => one == other,
    }
}
