//! What people may write into a cohort's `filters` (section 9.3).

use super::Definitions;
use super::filters::property;
use super::members::{check_length, expected, required};
use crate::error::Invalid;
use crate::project_file::{Node, Value};
use burgee_evaluation::property::Operator;

/// How many entries one tree may have.
const MAX_ENTRIES: usize = 1_000;

/// Checks filters. Conditions on what people did are kept, although nothing here evaluates them.
pub(super) fn check(filters: &Node, definitions: &Definitions) -> Result<(), Invalid> {
    let attr = "filters__properties";
    match filters.get("properties") {
        None => Err(required(attr)),
        Some(tree) => group(tree, attr, definitions),
    }
}

/// Checks a tree; how deep it may be is bounded by the reader of the body.
fn group(tree: &Node, attr: &str, definitions: &Definitions) -> Result<(), Invalid> {
    let Value::Map(_) = &tree.value else {
        return Err(expected(attr, "an object", &tree.value));
    };
    match tree.get("type").map(|node| &node.value) {
        Some(Value::Text(kind)) if matches!(kind.as_str(), "AND" | "OR") => {}
        None | Some(Value::Null) => return Err(required(&format!("{attr}__type"))),
        Some(_) => {
            return Err(Invalid::input(
                format!("{attr}__type"),
                "Expected AND or OR.",
            ));
        }
    }
    let attr = format!("{attr}__values");
    let values = match tree.get("values").map(|node| &node.value) {
        Some(Value::List(values)) => values,
        None | Some(Value::Null) => return Err(required(&attr)),
        Some(other) => return Err(expected(&attr, "a list", other)),
    };
    check_length(&attr, values.len(), MAX_ENTRIES)?;
    for (index, entry) in values.iter().enumerate() {
        let attr = format!("{attr}__{index}");
        if entry.get("values").is_some() {
            group(entry, &attr, definitions)?;
        } else {
            leaf(entry, &attr, definitions)?;
        }
    }
    Ok(())
}

fn leaf(filter: &Node, attr: &str, definitions: &Definitions) -> Result<(), Invalid> {
    let Value::Map(_) = &filter.value else {
        return Err(expected(attr, "an object", &filter.value));
    };
    let at = format!("{attr}__type");
    let kind = match filter.get("type").map(|node| &node.value) {
        Some(Value::Text(kind)) => kind.as_str(),
        None | Some(Value::Null) => return Err(required(&at)),
        Some(other) => return Err(expected(&at, "a text", other)),
    };
    if let Some(negation) = filter.get("negation")
        && !matches!(negation.value, Value::Bool(_) | Value::Null)
    {
        let at = format!("{attr}__negation");
        return Err(expected(&at, "true or false", &negation.value));
    }
    match kind {
        "behavioral" | "lifecycle" => Ok(()),
        "person" | "person_metadata" => {
            let operator = property::operator(filter, attr)?;
            property::of_value(filter, operator.unwrap_or(Operator::Exact), attr)
        }
        "cohort" => {
            property::operator(filter, attr)?;
            let at = format!("{attr}__value");
            let id = property::cohort_id(filter, &at)?;
            match definitions.has_cohort(id) {
                true => Ok(()),
                false => Err(property::no_cohort(id, at)),
            }
        }
        other => {
            let detail = format!("\"{other}\" is no type of property that cohorts know.");
            Err(Invalid::input(at, detail))
        }
    }
}
