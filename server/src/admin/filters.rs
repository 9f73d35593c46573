//! What people may write into a flag's `filters` (section 9.2), and what is stored of it: members that are not known here
//! stay, each condition set gets its own group type, payloads become JSON texts.
//!
//! These are the rules that have a sentence of their own. What the evaluation core says beyond them is asked afterwards, of
//! all definitions together.

mod condition;
mod payloads;
pub(super) mod property;
#[cfg(test)]
mod tests;

use super::Definitions;
use super::members::{check_length, expected};
use crate::error::Invalid;
use crate::project_file::{Name, Node, Value};

/// How many condition sets, filters of one, or variants there may be.
const MAX_ENTRIES: usize = 1_000;
/// How far a sum of percentages may be from 100, and count as rounding.
const TOLERANCE: f64 = 1e-9;

/// Checks filters and returns what is stored of them. `is_new` says that there is no flag yet.
pub(crate) fn check(
    mut filters: Node,
    is_new: bool,
    definitions: &Definitions,
) -> Result<Node, Invalid> {
    let Value::Map(members) = &mut filters.value else {
        let detail = format!("Expected an object, found {}.", filters.value.describe());
        return Err(Invalid::new("filters", "not_a_dict", detail));
    };
    let aggregation = group_type(
        member(members, "aggregation_group_type_index"),
        "filters",
        definitions,
    )?;
    let variants = variants(member(members, "multivariate"))?;
    switch(members, "early_exit")?;
    if let Some(node) = member_mut(members, "payloads") {
        payloads::check(node, variants.as_deref())?;
    }
    let groups = match member_mut(members, "groups").map(|node| &mut node.value) {
        Some(Value::List(groups)) => groups.as_mut_slice(),
        None | Some(Value::Null) => &mut [],
        Some(other) => return Err(expected("filters__groups", "a list", other)),
    };
    check_length("filters__groups", groups.len(), MAX_ENTRIES)?;
    if is_new && groups.is_empty() {
        return Err(Invalid::input(
            "filters",
            "Feature flags must have at least one condition set (group).",
        ));
    }
    let context = condition::Context {
        aggregation,
        variants: variants.as_deref().unwrap_or_default(),
        definitions,
    };
    for (index, group) in groups.iter_mut().enumerate() {
        context.check(group, &format!("filters__groups__{index}"))?;
    }
    Ok(filters)
}

/// Returns the variants' keys of filters; none where there are no variants.
pub(crate) fn variant_keys(filters: &Node) -> Vec<String> {
    let list = filters
        .get("multivariate")
        .and_then(|node| node.get("variants"));
    let Some(Value::List(list)) = list.map(|node| &node.value) else {
        return Vec::new();
    };
    let key = |variant: &Node| match &variant.get("key")?.value {
        Value::Text(key) => Some(key.clone()),
        _ => None,
    };
    list.iter().filter_map(key).collect()
}

/// Returns the keys of the variants; `None` where there are none.
fn variants(multivariate: Option<&Node>) -> Result<Option<Vec<String>>, Invalid> {
    let attr = "filters__multivariate";
    let multivariate = match multivariate {
        None => return Ok(None),
        Some(node) => match &node.value {
            Value::Null => return Ok(None),
            Value::Map(_) => node,
            other => return Err(expected(attr, "an object", other)),
        },
    };
    let attr = "filters__multivariate__variants";
    let list = match multivariate.get("variants").map(|node| &node.value) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::List(list)) => list,
        Some(other) => return Err(expected(attr, "a list", other)),
    };
    check_length(attr, list.len(), MAX_ENTRIES)?;
    let mut keys: Vec<String> = Vec::with_capacity(list.len());
    let mut sum = 0.0;
    for (index, variant) in list.iter().enumerate() {
        let attr = format!("{attr}__{index}");
        let (key, share) = self::variant(variant, &attr)?;
        if keys.contains(&key) {
            let attr = format!("{attr}__key");
            return Err(Invalid::input(
                attr,
                "Invalid variant definitions: Variant keys must be unique.",
            ));
        }
        keys.push(key);
        sum += share;
    }
    if !keys.is_empty() && (sum - 100.0_f64).abs() > TOLERANCE {
        return Err(Invalid::input(
            "filters",
            "Invalid variant definitions: Variant rollout percentages must sum to 100.",
        ));
    }
    Ok((!keys.is_empty()).then_some(keys))
}

/// Returns a variant's key and share.
fn variant(variant: &Node, attr: &str) -> Result<(String, f64), Invalid> {
    let Value::Map(_) = &variant.value else {
        return Err(expected(attr, "an object", &variant.value));
    };
    let key_attr = format!("{attr}__key");
    let key = match variant.get("key").map(|node| &node.value) {
        Some(Value::Text(key)) if !key.is_empty() => key.clone(),
        None | Some(Value::Null) => return Err(super::members::required(&key_attr)),
        Some(Value::Text(_)) => {
            return Err(Invalid::new(
                key_attr,
                "blank",
                "This field may not be blank.",
            ));
        }
        Some(other) => return Err(expected(&key_attr, "a text", other)),
    };
    let share_attr = format!("{attr}__rollout_percentage");
    let share = percentage(variant.get("rollout_percentage"), &share_attr)?;
    Ok((
        key,
        share.ok_or_else(|| super::members::required(&share_attr))?,
    ))
}

/// Reads a percentage; null is none.
fn percentage(node: Option<&Node>, attr: &str) -> Result<Option<f64>, Invalid> {
    let text = match node.map(|node| &node.value) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(text)) => text,
        Some(other) => return Err(expected(attr, "a number", other)),
    };
    match text.parse::<f64>() {
        Ok(number) if (0.0..=100.0).contains(&number) => Ok(Some(number)),
        _ => Err(Invalid::input(
            attr,
            "Rollout percentages must be between 0 and 100.",
        )),
    }
}

/// Reads the index of a group type that the project has; null is none.
fn group_type(
    node: Option<&Node>,
    of: &str,
    definitions: &Definitions,
) -> Result<Option<i64>, Invalid> {
    let attr = || format!("{of}__aggregation_group_type_index");
    let text = match node.map(|node| &node.value) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(text)) => text,
        Some(other) => return Err(expected(&attr(), "an integer", other)),
    };
    let index = text.parse().ok();
    match index.filter(|index| definitions.has_group_type(*index)) {
        Some(index) => Ok(Some(index)),
        None => Err(Invalid::input(
            attr(),
            format!("Group type with index {text} does not exist"),
        )),
    }
}

fn switch(members: &[(Name, Node)], name: &str) -> Result<(), Invalid> {
    match member(members, name).map(|node| &node.value) {
        None | Some(Value::Null | Value::Bool(_)) => Ok(()),
        Some(other) => Err(expected(
            &format!("filters__{name}"),
            "true or false",
            other,
        )),
    }
}

fn member<'a>(members: &'a [(Name, Node)], name: &str) -> Option<&'a Node> {
    let mut all = members.iter();
    all.find_map(|(other, node)| (other.text == name).then_some(node))
}

fn member_mut<'a>(members: &'a mut [(Name, Node)], name: &str) -> Option<&'a mut Node> {
    let mut all = members.iter_mut();
    all.find_map(|(other, node)| (other.text == name).then_some(node))
}
