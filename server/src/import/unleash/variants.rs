//! Variants: of a flag in an environment, or of a strategy.

use super::constraint::property;
use crate::import::compare::{Part, texts};
use crate::import::plan::{Branch, Served, Shares};
use crate::import::rule::Rule;
use crate::import::value::{as_number, as_text, items, text_of};
use crate::project_file::{Node, Value, is_json_number, write_json_text};
use std::collections::BTreeSet;

/// All variants of a flag: keys and payloads.
#[derive(Debug, Default)]
pub(super) struct Variants(Vec<(String, Option<String>)>);

/// One list of variants: how it divides people.
#[derive(Debug, Default)]
pub(super) struct Split<'n> {
    shares: Shares,
    /// Who gets a variant whatever the hash says.
    overrides: Vec<(Rule, String)>,
    /// What is hashed, if it is not the user's id.
    pub(super) other_field: Option<&'n str>,
}

impl Variants {
    /// Reads a list of variants, and adds those that are new.
    pub(super) fn read<'n>(&mut self, list: &'n [Node], path: &str) -> Result<Split<'n>, String> {
        let mut split = Split::default();
        for (index, node) in list.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let name = text_of(node, "name").unwrap_or_default();
            let weight = node.get("weight").and_then(as_number);
            let weight = weight.filter(|weight| *weight >= 0.0);
            let weight = weight.ok_or_else(|| format!("{path}.weight: no number"))?;
            self.add(name, payload(node), &path)?;
            split.shares.push((name.to_owned(), weight));
            split.overrides.extend(overrides(node, name));
            if let Some(field) = text_of(node, "stickiness")
                && !["", "default", "userId"].contains(&field)
            {
                split.other_field = Some(field);
            }
        }
        Ok(split)
    }

    fn add(&mut self, name: &str, payload: Option<String>, path: &str) -> Result<(), String> {
        match self.0.iter().find(|(known, _)| known == name) {
            Some((_, known)) if *known != payload => Err(format!(
                "{path}: the variant `{name}` has another payload elsewhere"
            )),
            Some(_) => Ok(()),
            None => {
                self.0.push((name.to_owned(), payload));
                Ok(())
            }
        }
    }

    /// Returns all keys.
    pub(super) fn keys(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Returns the payloads: variant key and JSON text.
    pub(super) fn payloads(&self) -> Vec<(&str, Value)> {
        (self.0.iter())
            .filter_map(|(name, payload)| Some((name.as_str(), Value::Text(payload.clone()?))))
            .collect()
    }
}

impl Split<'_> {
    /// Returns whether there are no variants.
    pub(super) fn is_empty(&self) -> bool {
        self.shares.is_empty()
    }

    /// Returns what those get whom a strategy is for.
    pub(super) fn branches(
        &self,
        rule: Rule,
        rollout: f64,
        path: &str,
        differences: &mut BTreeSet<String>,
    ) -> Result<Vec<Branch>, String> {
        if rule == Rule::Never {
            return Ok(Vec::new());
        }
        let mut branches = Vec::new();
        for (who, name) in &self.overrides {
            branches.push(Branch {
                rule: Rule::All(vec![rule.clone(), who.clone()]),
                rollout,
                served: Served::Variant(name.clone()),
            });
        }
        let served = self.served(path, differences)?;
        branches.push(Branch {
            rule,
            rollout,
            served,
        });
        Ok(branches)
    }

    fn served(&self, path: &str, differences: &mut BTreeSet<String>) -> Result<Served, String> {
        let mut chosen = self.shares.iter().filter(|(_, weight)| *weight > 0.0);
        match (chosen.next(), chosen.next()) {
            (None, _) => {
                if !self.is_empty() {
                    differences
                        .insert("its variants have no weight: it is on without one".to_owned());
                }
                Ok(Served::On)
            }
            (Some((only, _)), None) => Ok(Served::Variant(only.clone())),
            _ => match self.other_field {
                Some(field) => Err(format!(
                    "{path}: its variants hash `{field}`, and here the distinct id is hashed"
                )),
                None => Ok(Served::Split(self.shares.clone())),
            },
        }
    }
}

fn overrides(node: &Node, name: &str) -> Vec<(Rule, String)> {
    (items(node, "overrides").iter())
        .map(|entry| {
            let field = text_of(entry, "contextName").unwrap_or_default();
            let values: Vec<&str> = items(entry, "values").iter().filter_map(as_text).collect();
            let rule = texts(property(field), &values, Part::Whole, false);
            (rule, name.to_owned())
        })
        .collect()
}

/// Returns the JSON text of a payload: JSON and numbers as they are, other texts as JSON texts.
fn payload(node: &Node) -> Option<String> {
    let payload = node.get("payload")?;
    let value = text_of(payload, "value")?;
    let kept = match text_of(payload, "type") {
        Some("json") => serde_json::from_str::<serde::de::IgnoredAny>(value).is_ok(),
        Some("number") => is_json_number(value),
        _ => false,
    };
    Some(match kept {
        true => value.to_owned(),
        false => {
            let mut out = String::new();
            write_json_text(value, &mut out);
            out
        }
    })
}
