//! Constraints: what an Unleash context must be. Its values are texts, and what is missing has none.

use crate::import::compare::{Part, equals_number, network, texts};
use crate::import::rule::Rule;
use crate::import::value::{as_list, as_number, as_text, is_true, items, number, text, text_of};
use crate::project_file::Node;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;

/// Fields that SDKs fill in by themselves.
const FILLED_IN: [&str; 2] = ["appName", "environment"];

/// Reads constraints, at a time that settles some of them.
#[derive(Debug)]
pub(super) struct Reader {
    now: DateTime<Utc>,
}

impl Reader {
    pub(super) fn new(now: DateTime<Utc>) -> Self {
        Self { now }
    }

    /// Returns that all constraints of a list hold.
    pub(super) fn all(
        &self,
        list: &Node,
        path: &str,
        differences: &mut BTreeSet<String>,
    ) -> Result<Rule, String> {
        let rules: Result<Vec<Rule>, String> = (as_list(list).iter().enumerate())
            .map(|(index, node)| {
                let rule = self.constraint(node, differences);
                rule.map_err(|reason| format!("{path}[{index}]: {reason}"))
            })
            .collect();
        Ok(Rule::All(rules?))
    }

    fn constraint(&self, node: &Node, differences: &mut BTreeSet<String>) -> Result<Rule, String> {
        let name = text_of(node, "contextName").unwrap_or_default();
        let operator = text_of(node, "operator").unwrap_or_default();
        if FILLED_IN.contains(&name) {
            differences.insert(format!(
                "`{name}` is a property of the person, which callers send; the SDK filled it in"
            ));
        }
        let rule = match operator.split_once('_') {
            _ if name == "currentTime" => self.time(node, operator)?,
            Some(("DATE", _)) => date(name, node, operator, differences)?,
            Some(("SEMVER", order)) => version(name, node, order, differences)?,
            Some(("NUM", order)) => number_rule(name, node, order)?,
            _ => text_rule(name, node, operator)?,
        };
        Ok(if is_true(node, "inverted") {
            rule.not()
        } else {
            rule
        })
    }

    /// Returns whether a moment is past. One that is to come cannot be waited for by a condition.
    fn time(&self, node: &Node, operator: &str) -> Result<Rule, String> {
        let when_past = match operator {
            "DATE_AFTER" => Rule::Always,
            "DATE_BEFORE" => Rule::Never,
            _ => {
                return Err(format!(
                    "{operator} of `currentTime` has no counterpart here"
                ));
            }
        };
        let value = value(node)?;
        if moment(value)? < self.now {
            return Ok(when_past);
        }
        Err(format!(
            "{operator}: conditions do not know the time, and {value} is to come"
        ))
    }
}

/// Returns the person property that stands for a field of the context.
pub(super) fn property(field: &str) -> &str {
    match field {
        "userId" => "distinct_id",
        other => other,
    }
}

fn text_rule(name: &str, node: &Node, operator: &str) -> Result<Rule, String> {
    let property = property(name);
    let values: Vec<&str> = items(node, "values").iter().filter_map(as_text).collect();
    let any_case = is_true(node, "caseInsensitive");
    let part = |part| Ok(texts(property, &values, part, any_case));
    match operator {
        "IN" => part(Part::Whole),
        "NOT_IN" => Ok(texts(property, &values, Part::Whole, any_case).not()),
        "STR_STARTS_WITH" => part(Part::Start),
        "STR_ENDS_WITH" => part(Part::End),
        "STR_CONTAINS" => part(Part::Inside),
        "REGEX" => {
            let case = if any_case { "(?i)" } else { "" };
            let pattern = format!("{case}{}", value(node)?);
            Ok(Rule::is(property, "regex", text(&pattern)))
        }
        "IN_CIDR" => networks(property, values.iter().copied()),
        _ => Err(format!("the operator `{operator}` has no counterpart here")),
    }
}

/// Returns that a property is an address in one of the networks. Values that are no address at all count for nothing.
pub(super) fn networks<'v>(
    property: &str,
    values: impl Iterator<Item = &'v str>,
) -> Result<Rule, String> {
    let mut rules = Vec::new();
    for value in values {
        match network(property, value) {
            Some(rule) => rules.push(rule),
            None if value.contains(':') => {
                return Err(format!(
                    "addresses such as {value} can be written in many ways"
                ));
            }
            None => {}
        }
    }
    Ok(Rule::Any(rules))
}

fn number_rule(name: &str, node: &Node, order: &str) -> Result<Rule, String> {
    let limit = (node.get("value").and_then(as_number)).ok_or("its `value` is no number")?;
    let operator = match order {
        "EQ" => return Ok(equals_number(property(name), limit)),
        "GT" => "gt",
        "GTE" => "gte",
        "LT" => "lt",
        "LTE" => "lte",
        _ => {
            return Err(format!(
                "the operator `NUM_{order}` has no counterpart here"
            ));
        }
    };
    Ok(Rule::is(property(name), operator, number(limit)))
}

fn date(
    name: &str,
    node: &Node,
    operator: &str,
    differences: &mut BTreeSet<String>,
) -> Result<Rule, String> {
    let value = value(node)?;
    moment(value)?;
    let operator = match operator {
        "DATE_AFTER" => "is_date_after",
        "DATE_BEFORE" => "is_date_before",
        _ => return Err(format!("the operator `{operator}` has no counterpart here")),
    };
    differences.insert(format!(
        "`{name}` as a date: days without a time, and numbers, are read, and were not"
    ));
    Ok(Rule::is(property(name), operator, text(value)))
}

fn version(
    name: &str,
    node: &Node,
    order: &str,
    differences: &mut BTreeSet<String>,
) -> Result<Rule, String> {
    let operator = match order {
        "EQ" => "semver_eq",
        "GT" => "semver_gt",
        "GTE" => "semver_gte",
        "LT" => "semver_lt",
        "LTE" => "semver_lte",
        _ => {
            return Err(format!(
                "the operator `SEMVER_{order}` has no counterpart here"
            ));
        }
    };
    let value = value(node)?;
    if !value.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(format!("`{value}` is no version"));
    }
    differences.insert(format!(
        "`{name}` as a version: short ones such as `1.2`, and leading zeros, are read, and were not"
    ));
    Ok(Rule::is(property(name), operator, text(value)))
}

fn value(node: &Node) -> Result<&str, String> {
    let value = text_of(node, "value").map(str::trim);
    value.ok_or_else(|| "its `value` is not a text".to_owned())
}

fn moment(value: &str) -> Result<DateTime<Utc>, String> {
    let moment = DateTime::parse_from_rfc3339(value);
    let moment = moment.map_err(|error| format!("`{value}` is no date: {error}"))?;
    Ok(moment.to_utc())
}
