//! Payloads: JSON texts, by variant.

use super::super::members::{check_length, expected};
use super::MAX_ENTRIES;
use crate::error::Invalid;
use crate::project_file::{Node, Value};
use serde::de::IgnoredAny;

/// Checks payloads. What is no text becomes its JSON text; a text is one already, and stays as it is.
pub(super) fn check(payloads: &mut Node, variants: Option<&[String]>) -> Result<(), Invalid> {
    let attr = "filters__payloads";
    let members = match &mut payloads.value {
        Value::Null => return Ok(()),
        Value::Map(members) => members,
        other => return Err(expected(attr, "an object", other)),
    };
    check_length(attr, members.len(), MAX_ENTRIES)?;
    for (name, payload) in members {
        let attr = format!("{attr}__{}", name.text);
        match variants {
            Some(variants) if variants.contains(&name.text) => {}
            Some(_) => {
                let detail = "Payload keys must match a variant key for multivariate flags";
                return Err(Invalid::input(attr, detail));
            }
            None if name.text == "true" => {}
            None => {
                let detail = "Payload keys must be 'true' for boolean flags";
                return Err(Invalid::input(attr, detail));
            }
        }
        match &payload.value {
            Value::Null => {}
            Value::Text(text) => {
                let parsed: Result<IgnoredAny, _> = serde_json::from_str(text);
                if parsed.is_err() {
                    return Err(Invalid::input(attr, "Payload value is not valid JSON"));
                }
            }
            other => {
                let mut text = String::new();
                other.write_json(&mut text);
                payload.value = Value::Text(text);
            }
        }
    }
    Ok(())
}
