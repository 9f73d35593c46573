//! Flag definitions of flagd. A boolean flag stays one; a text becomes the variant of that name, so that an OpenFeature
//! provider sees the same value; numbers and objects become payloads of variants.

mod logic;
mod variants;

use super::plan::{self, Branch, Served, Shares};
use super::rule::{Conditions, Rule};
use super::value::{as_list, member, text_of};
use super::{Definition, ImportOptions, Imported, flag};
use crate::project_file::{Node, Value, object};
use logic::{Choice, Decision, Logic};
use std::collections::BTreeSet;
use variants::Variants;

/// Converts files.
pub(super) fn convert(files: &[Node], options: &ImportOptions) -> Imported {
    let mut imported = Imported {
        // Comparisons with `true` and `false` then mean these values alone.
        property_matching_version: Some(2),
        ..Imported::default()
    };
    let mut conditions = Conditions::new(options.first_id);
    for file in files {
        if file.get("flags").is_none() {
            let subject = format!("value at {}", file.place);
            imported.notes.left_out(&subject, "no `flags` in it");
        }
        for (key, node) in named_flags(file) {
            let made = conditions.count();
            let mut flag = Flag {
                key,
                node,
                conditions: &mut conditions,
                differences: BTreeSet::new(),
            };
            let converted = flag.convert(file.get("$evaluators"));
            let subject = format!("flag {key}");
            for difference in flag.differences {
                imported.notes.differs(&subject, difference);
            }
            match converted {
                Ok(definition) => imported.flags.push(definition),
                Err(reason) => {
                    conditions.forget(made);
                    imported.notes.left_out(&subject, reason);
                }
            }
        }
    }
    imported.cohorts = conditions.into_cohorts();
    imported
}

/// Returns the flags of a file, an object by key or a list of flags with keys.
fn named_flags(file: &Node) -> Vec<(&str, &Node)> {
    let Some(flags) = file.get("flags") else {
        return Vec::new();
    };
    match &flags.value {
        Value::Map(members) => (members.iter())
            .map(|(name, node)| (name.text.as_str(), node))
            .collect(),
        _ => (as_list(flags).iter())
            .map(|node| (text_of(node, "key").unwrap_or_default(), node))
            .collect(),
    }
}

struct Flag<'a> {
    key: &'a str,
    node: &'a Node,
    conditions: &'a mut Conditions,
    differences: BTreeSet<String>,
}

impl Flag<'_> {
    fn convert(&mut self, evaluators: Option<&Node>) -> Result<Definition, String> {
        let active = match text_of(self.node, "state") {
            Some("ENABLED") => true,
            Some("DISABLED") => false,
            _ => return Err("state: neither ENABLED nor DISABLED".to_owned()),
        };
        let variants = Variants::read(self.node)?;
        let targeting = member(self.node, "targeting");
        let choices = match targeting.filter(|t| t.value != Value::Map(Vec::new())) {
            Some(targeting) => Logic::new(evaluators, &mut self.differences).choices(targeting)?,
            None => Vec::new(),
        };
        let branches = self.branches(&variants, choices)?;
        let mut filters = plan::filters(self.key, &variants.keys(), &branches, self.conditions)?;
        let payloads = variants.payloads();
        let mut members = vec![("active", Value::Bool(active))];
        if !payloads.is_empty() {
            filters.push(("payloads", object(payloads)));
            members.push(("is_remote_configuration", Value::Bool(true)));
        }
        members.push(("filters", object(filters)));
        self.note(&variants, active);
        Ok(flag(self.key, members))
    }

    fn note(&mut self, variants: &Variants, active: bool) {
        if variants.is_boolean() && !active {
            self.differ("while it is disabled it is off, which was the default of the code");
        }
        if variants.is_boolean() && variants.default.is_none() {
            self.differ("where no variant is served it is off, which was the default of the code");
        }
    }

    fn differ(&mut self, difference: &str) {
        self.differences.insert(difference.to_owned());
    }

    fn branches(&self, variants: &Variants, choices: Vec<Choice>) -> Result<Vec<Branch>, String> {
        let mut branches = Vec::new();
        let last = Choice {
            rule: Rule::Always,
            decision: Decision::Default,
        };
        for Choice { rule, decision } in choices.into_iter().chain([last]) {
            let name = match &decision {
                Decision::Default => variants.default.as_deref(),
                Decision::Variant(name) => Some(name.as_str()),
                Decision::Split(shares) => {
                    branches.extend(split(variants, rule, shares)?);
                    continue;
                }
            };
            let served = name.map_or(Ok(Served::Off), |name| variants.served(name))?;
            branches.push(Branch::all(rule, served));
        }
        Ok(branches)
    }
}

/// Returns the branches of a split; in a boolean flag several variants may be on, and the rest is off.
fn split(variants: &Variants, rule: Rule, shares: &Shares) -> Result<Vec<Branch>, String> {
    let mut kept: Shares = Vec::new();
    let (mut on, mut all) = (0.0, 0.0);
    for (name, weight) in shares {
        all += weight;
        match variants.served(name)? {
            Served::On => on += weight,
            Served::Variant(key) => match kept.iter_mut().find(|(known, _)| *known == key) {
                Some((_, sum)) => *sum += weight,
                None => kept.push((key, *weight)),
            },
            Served::Off | Served::Split(_) => {}
        }
    }
    if !kept.is_empty() {
        return Ok(vec![Branch::all(rule, Served::Split(kept))]);
    }
    let some = Branch {
        rule: rule.clone(),
        rollout: on * 100.0 / all,
        served: Served::On,
    };
    let rest = Branch::all(rule, Served::Off);
    Ok(if on > 0.0 {
        vec![some, rest]
    } else {
        vec![rest]
    })
}

#[cfg(test)]
mod tests;
