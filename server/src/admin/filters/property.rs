//! One filter of a condition set.

use super::super::Definitions;
use super::super::members::{expected, required};
use crate::error::Invalid;
use crate::project_file::{Node, Value};
use burgee_evaluation::property::{Operator, Test};

const WRONG_GROUP: &str =
    "Filters are not valid (group properties must match the condition set's group type)";

/// Checks a filter of a condition set about persons, or about groups of a type.
pub(super) fn check(
    filter: &Node,
    aggregation: Option<i64>,
    attr: &str,
    definitions: &Definitions,
) -> Result<(), Invalid> {
    let Value::Map(_) = &filter.value else {
        return Err(expected(attr, "an object", &filter.value));
    };
    let kind = text(filter, "type", attr)?.ok_or_else(|| required(&format!("{attr}__type")))?;
    match (kind, aggregation) {
        ("group", Some(index)) => of_group(filter, index, attr)?,
        (_, Some(_)) | ("group", None) => {
            return Err(Invalid::input(format!("{attr}__type"), WRONG_GROUP));
        }
        ("person" | "person_metadata" | "cohort" | "flag", None) => {}
        (other, None) => {
            let detail = format!("\"{other}\" is no type of property that flags know.");
            return Err(Invalid::input(format!("{attr}__type"), detail));
        }
    }
    let operator = operator(filter, attr)?;
    match kind {
        "cohort" => of_cohort(filter, operator, attr, definitions),
        "flag" => of_flag(filter, operator, attr, definitions),
        _ => of_value(filter, operator.unwrap_or(Operator::Exact), attr),
    }
}

/// Reads the operator, if there is one.
pub(in crate::admin) fn operator(filter: &Node, attr: &str) -> Result<Option<Operator>, Invalid> {
    let Some(name) = text(filter, "operator", attr)? else {
        return Ok(None);
    };
    match Operator::from_name(name) {
        Some(operator) => Ok(Some(operator)),
        None => Err(Invalid::new(
            format!("{attr}__operator"),
            "invalid_operator",
            format!("\"{name}\" is not an operator."),
        )),
    }
}

/// Checks that a filter on a property can match something.
pub(in crate::admin) fn of_value(
    filter: &Node,
    operator: Operator,
    attr: &str,
) -> Result<(), Invalid> {
    let key = text(filter, "key", attr)?;
    let Some(key) = key.filter(|key| !key.is_empty()) else {
        return Err(required(&format!("{attr}__key")));
    };
    let json = filter.get("value").map(Node::to_json);
    let value = json.and_then(|json| serde_json::from_str(&json).ok());
    let Some(fault) = Test::compile(operator, value.as_ref()).fault() else {
        return Ok(());
    };
    let at = format!("{attr}__value");
    Err(match operator {
        _ if value.as_ref().is_none_or(|value| value.is_null()) => required(&at),
        Operator::Regex | Operator::NotRegex => {
            Invalid::input(at, format!("Property \"{key}\": invalid regex pattern"))
        }
        Operator::IsDateExact | Operator::IsDateAfter | Operator::IsDateBefore => {
            let detail = format!("Property \"{key}\": this date cannot be read");
            Invalid::new(at, "invalid_date", detail)
        }
        Operator::In | Operator::NotIn | Operator::FlagEvaluatesTo => {
            let detail = format!("Property \"{key}\": {fault}");
            Invalid::new(format!("{attr}__operator"), "invalid_operator", detail)
        }
        _ => Invalid::input(at, format!("Property \"{key}\": {fault}")),
    })
}

fn of_group(filter: &Node, index: i64, attr: &str) -> Result<(), Invalid> {
    let at = format!("{attr}__group_type_index");
    match filter.get("group_type_index").map(|node| &node.value) {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Number(text)) if text.parse() == Ok(index) => Ok(()),
        Some(Value::Number(_)) => Err(Invalid::input(at, WRONG_GROUP)),
        Some(other) => Err(expected(&at, "an integer", other)),
    }
}

fn of_cohort(
    filter: &Node,
    operator: Option<Operator>,
    attr: &str,
    definitions: &Definitions,
) -> Result<(), Invalid> {
    if !matches!(operator, None | Some(Operator::In | Operator::NotIn)) {
        let detail = "Cohorts are compared with in or not_in.";
        return Err(Invalid::new(
            format!("{attr}__operator"),
            "invalid_operator",
            detail,
        ));
    }
    let at = format!("{attr}__value");
    let id = cohort_id(filter, &at)?;
    if !definitions.has_cohort(id) {
        return Err(no_cohort(id, at));
    }
    if definitions.is_behavioral(id) {
        let detail = format!(
            "Cohort {id} has conditions on what people did, which cannot be evaluated here, so no flag can use it."
        );
        return Err(Invalid::new(at, "behavioral_cohort_found", detail));
    }
    Ok(())
}

/// Reads the cohort that a filter names.
pub(in crate::admin) fn cohort_id(filter: &Node, attr: &str) -> Result<i64, Invalid> {
    match filter.get("value").map(|node| &node.value) {
        None | Some(Value::Null) => Err(required(attr)),
        Some(Value::Number(text)) if text.parse::<i64>().is_ok() => {
            Ok(text.parse().unwrap_or_default())
        }
        Some(other) => Err(expected(attr, "the id of a cohort, an integer", other)),
    }
}

/// Says that there is no such cohort.
pub(in crate::admin) fn no_cohort(id: i64, attr: String) -> Invalid {
    let detail = format!("Cohort with id {id} does not exist");
    Invalid::new(attr, "cohort_does_not_exist", detail)
}

fn of_flag(
    filter: &Node,
    operator: Option<Operator>,
    attr: &str,
    definitions: &Definitions,
) -> Result<(), Invalid> {
    if operator != Some(Operator::FlagEvaluatesTo) {
        let detail = "Flags are compared with flag_evaluates_to.";
        return Err(Invalid::new(
            format!("{attr}__operator"),
            "invalid_operator",
            detail,
        ));
    }
    let at = format!("{attr}__key");
    let key = text(filter, "key", attr)?.ok_or_else(|| required(&at))?;
    let is_number = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        return Err(Invalid::input(
            at,
            "A flag is named by its id, a number as a text.",
        ));
    }
    let flag = key.parse().ok().and_then(|id| definitions.flag(id));
    let Some(flag) = flag else {
        return Err(Invalid::input(
            at,
            format!("Flag with id {key} does not exist"),
        ));
    };
    let at = format!("{attr}__value");
    match filter.get("value").map(|node| &node.value) {
        Some(Value::Bool(_)) => Ok(()),
        Some(Value::Text(variant)) if Definitions::has_variant(flag, variant) => Ok(()),
        Some(Value::Text(variant)) => {
            let detail = format!("Flag with id {key} has no variant \"{variant}\"");
            Err(Invalid::input(at, detail))
        }
        None | Some(Value::Null) => Err(required(&at)),
        Some(other) => Err(expected(&at, "true, false or a variant's key", other)),
    }
}

/// Reads a text; null is none.
fn text<'a>(filter: &'a Node, name: &str, attr: &str) -> Result<Option<&'a str>, Invalid> {
    match filter.get(name).map(|node| &node.value) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text)),
        Some(other) => Err(expected(&format!("{attr}__{name}"), "a text", other)),
    }
}
