//! The `filters` of a flag: older fields become the ones that replaced them.

use super::super::value::{as_list, as_number, as_text, items, member, number, text_of};
use crate::project_file::{Node, Value, object};

/// The fields that are not evaluated any more, and what replaced them.
const REPLACED: [(&str, &str); 2] = [
    ("super_groups", "feature_enrollment"),
    ("holdout_groups", "holdout"),
];

/// Returns the filters without older fields; `Err` says what cannot be translated.
pub(super) fn translate(filters: &Node, key: &str) -> Result<Node, String> {
    let Value::Map(members) = &filters.value else {
        return Err("its `filters` is not an object".to_owned());
    };
    if let Some(version) = member(filters, "version")
        && as_number(version) != Some(1.0)
    {
        return Err(format!("its `filters` has version {}", version.to_json()));
    }
    let mut kept: Vec<(&str, Value)> = (members.iter())
        .filter(|(name, _)| !REPLACED.iter().any(|(old, _)| name.text == *old))
        .map(|(name, node)| (name.text.as_str(), node.value.clone()))
        .collect();
    for (old, new) in REPLACED {
        let entries = items(filters, old);
        if entries.is_empty() || member(filters, new).is_some() {
            continue;
        }
        kept.retain(|(name, _)| *name != new);
        let value = match entries {
            [entry] if new == "holdout" => holdout(entry),
            [entry] => enrollment(entry, key),
            _ => None,
        };
        let value = value.ok_or_else(|| format!("its `{old}` is not what `{new}` can say"))?;
        kept.push((new, value));
    }
    Ok(Node {
        place: filters.place,
        value: object(kept),
    })
}

/// Returns `true` for an entry that asks for the enrolment of this flag.
fn enrollment(entry: &Node, key: &str) -> Option<Value> {
    let [property] = items(entry, "properties") else {
        return None;
    };
    let name = format!("$feature_enrollment/{key}");
    let asks = text_of(property, "key") == Some(&name) && asks_for_true(property);
    (asks && rollout(entry) == 100.0).then_some(Value::Bool(true))
}

fn asks_for_true(property: &Node) -> bool {
    let is_true = |node: &Node| node.value == Value::Bool(true) || as_text(node) == Some("true");
    let operator = text_of(property, "operator").unwrap_or("exact");
    let value = property.get("value");
    let one = value.is_some_and(|v| is_true(v) || matches!(as_list(v), [v] if is_true(v)));
    operator == "exact" && one
}

fn holdout(entry: &Node) -> Option<Value> {
    let id = text_of(entry, "variant")?.strip_prefix("holdout-")?;
    let id: i64 = id.parse().ok()?;
    let plain = items(entry, "properties").is_empty();
    plain.then(|| {
        object(vec![
            ("id", Value::Number(id.to_string().into())),
            ("exclusion_percentage", number(rollout(entry))),
        ])
    })
}

fn rollout(entry: &Node) -> f64 {
    let rollout = member(entry, "rollout_percentage").and_then(as_number);
    rollout.unwrap_or(100.0)
}

/// Returns the ids of the cohorts that conditions name, as text.
pub(super) fn cohorts(filters: &Node) -> impl Iterator<Item = String> + '_ {
    (items(filters, "groups").iter())
        .flat_map(|group| items(group, "properties"))
        .filter(|property| text_of(property, "type") == Some("cohort"))
        .filter_map(|property| Some(property.get("value")?.to_json()))
}
