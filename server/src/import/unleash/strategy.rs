//! Strategies: who is meant, and how many of them.

use super::constraint::{Reader, networks, property};
use crate::import::compare::{Part, texts};
use crate::import::rule::Rule;
use crate::import::value::{as_number, items, text_of};
use crate::project_file::Node;
use std::collections::BTreeSet;

/// A strategy.
#[derive(Debug)]
pub(super) struct Strategy<'n> {
    /// Who, segments left aside.
    pub(super) rule: Rule,
    /// How many of them, in percent.
    pub(super) rollout: f64,
    /// What is hashed with the person's id; the flag's name when it is not told.
    pub(super) group_id: Option<&'n str>,
    /// What its variants hash, if it is not the user's id.
    pub(super) other_field: Option<&'n str>,
    /// Its own variants.
    pub(super) variants: &'n [Node],
}

/// What a rollout hashes.
enum Hashed<'n> {
    /// The user's id, here the distinct id.
    User,
    /// Another field, without which nobody is in.
    Field(&'n str),
    /// Nothing: each question is answered anew.
    Chance,
}

impl<'n> Strategy<'n> {
    pub(super) fn read(
        node: &'n Node,
        path: &str,
        reader: &Reader,
        differences: &mut BTreeSet<String>,
    ) -> Result<Self, String> {
        let mut rules = Vec::new();
        if let Some(constraints) = node.get("constraints") {
            let path = format!("{path}.constraints");
            rules.push(reader.all(constraints, &path, differences)?);
        }
        let mut strategy = Self {
            rule: Rule::Always,
            rollout: 100.0,
            group_id: parameter(node, "groupId").filter(|id| !id.is_empty()),
            other_field: None,
            variants: items(node, "variants"),
        };
        let own = strategy.own_rule(node);
        rules.push(own.map_err(|reason| format!("{path}: {reason}"))?);
        strategy.rule = Rule::All(rules);
        Ok(strategy)
    }

    /// Returns whether only some are in, so that the hash matters.
    pub(super) fn is_hashed(&self) -> bool {
        self.rollout > 0.0 && self.rollout < 100.0
    }

    fn own_rule(&mut self, node: &'n Node) -> Result<Rule, String> {
        let name = text_of(node, "name").or(text_of(node, "strategyName"));
        match name.unwrap_or_default() {
            "default" => Ok(Rule::Always),
            "userWithId" => Ok(users(parameter(node, "userIds").unwrap_or_default())),
            "flexibleRollout" => {
                let hashed = match parameter(node, "stickiness") {
                    None | Some("" | "default" | "userId") => Hashed::User,
                    Some("random") => Hashed::Chance,
                    Some(field) => Hashed::Field(field),
                };
                self.other_field = match hashed {
                    Hashed::User => None,
                    Hashed::Chance | Hashed::Field(_) => parameter(node, "stickiness"),
                };
                self.some(node, "rollout", &hashed)
            }
            "gradualRolloutUserId" => self.some(node, "percentage", &Hashed::User),
            "gradualRolloutSessionId" => self.some(node, "percentage", &Hashed::Field("sessionId")),
            "gradualRolloutRandom" => self.some(node, "percentage", &Hashed::Chance),
            "remoteAddress" => {
                let addresses = parameter(node, "IPs").unwrap_or_default();
                networks("remoteAddress", addresses.split(',').map(str::trim))
            }
            "applicationHostname" => {
                Err("applicationHostname: the host of the program is not known here".to_owned())
            }
            other => Err(format!("the strategy `{other}` is made by yourselves")),
        }
    }

    /// Reads the rollout. What is hashed matters only where some are in and some are not.
    fn some(&mut self, node: &Node, name: &str, hashed: &Hashed<'_>) -> Result<Rule, String> {
        let share = node.get("parameters").and_then(|p| p.get(name));
        let share = share.and_then(as_number).filter(|n| n.fract() == 0.0);
        let share = share.ok_or_else(|| format!("parameters.{name}: no whole number"))?;
        self.rollout = share.clamp(0.0, 100.0);
        match hashed {
            // The hash 0 is inside every percentage here, and nobody is inside of none there.
            _ if share <= 0.0 => Ok(Rule::Never),
            Hashed::Field(field) if share >= 100.0 => Ok(Rule::is_set(property(field))),
            Hashed::Field(field) => Err(format!(
                "it hashes `{field}`, and here the distinct id is hashed"
            )),
            Hashed::Chance if share < 100.0 => {
                Err("it draws anew at each question, which a hash does not".to_owned())
            }
            Hashed::User | Hashed::Chance => Ok(Rule::Always),
        }
    }
}

fn parameter<'n>(node: &'n Node, name: &str) -> Option<&'n str> {
    text_of(node.get("parameters")?, name)
}

fn users(list: &str) -> Rule {
    let ids: Vec<&str> = list.split(',').map(str::trim).collect();
    let ids: Vec<&str> = ids.into_iter().filter(|id| !id.is_empty()).collect();
    texts(property("userId"), &ids, Part::Whole, false)
}
