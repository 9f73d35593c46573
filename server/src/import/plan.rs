//! Branches of another product's rule to the `filters` of a flag. Branches are tried in order, conditions too; what answers
//! "off" has no condition of its own, so it is taken out of those after it.

use super::rule::{Conditions, Rule};
use super::value::{number, text};
use crate::project_file::{Value, list, object};

/// Variant keys, each with its weight.
pub(crate) type Shares = Vec<(String, f64)>;

/// What some people get. Who is outside of its rollout goes on to the next branch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Branch {
    /// Who.
    pub(crate) rule: Rule,
    /// How many of them, in percent.
    pub(crate) rollout: f64,
    /// What they get.
    pub(crate) served: Served,
}

/// What a branch serves.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Served {
    /// Off.
    Off,
    /// On, without a variant.
    On,
    /// A variant.
    Variant(String),
    /// Variants by hash.
    Split(Shares),
}

impl Branch {
    /// Returns a branch for all whom the rule holds for.
    pub(crate) fn all(rule: Rule, served: Served) -> Self {
        Self {
            rule,
            rollout: 100.0,
            served,
        }
    }

    fn is_last(&self) -> bool {
        self.rule == Rule::Always && self.rollout >= 100.0
    }
}

/// Returns the `filters` of a flag with these variants; without any it is a boolean flag.
pub(crate) fn filters(
    flag: &str,
    variants: &[String],
    branches: &[Branch],
    conditions: &mut Conditions,
) -> Result<Vec<(&'static str, Value)>, String> {
    let end = branches.iter().position(Branch::is_last);
    let reached = end.and_then(|end| branches.get(..=end));
    let reached = reached.unwrap_or(branches);
    let declared = declared(variants, reached);
    let mut plan = Plan {
        flag,
        declared: &declared,
        conditions,
        groups: Vec::new(),
        off: Vec::new(),
    };
    for branch in reached {
        plan.add(branch)?;
    }
    let mut filters = vec![("groups", list(plan.groups))];
    if !variants.is_empty() {
        filters.push(("multivariate", multivariate(&declared)));
    }
    Ok(filters)
}

/// Returns the shares that the flag declares: those of its first split. People who are on without a variant need shares that
/// nobody's hash falls into, and where every condition names its variant the shares decide nothing.
fn declared(variants: &[String], branches: &[Branch]) -> Shares {
    let split = branches.iter().find_map(|branch| match &branch.served {
        Served::Split(shares) => Some(shares.clone()),
        _ => None,
    });
    let is_bare = branches.iter().any(|branch| branch.served == Served::On);
    let mut shares = match split {
        _ if is_bare => Vec::new(),
        Some(split) => split,
        None => (variants.iter().take(1))
            .map(|key| (key.clone(), 1.0))
            .collect(),
    };
    for key in variants {
        if !shares.iter().any(|(known, _)| known == key) {
            shares.push((key.clone(), 0.0));
        }
    }
    shares
}

struct Plan<'a> {
    flag: &'a str,
    declared: &'a Shares,
    conditions: &'a mut Conditions,
    groups: Vec<Value>,
    /// Who was answered "off" before.
    off: Vec<Rule>,
}

impl Plan<'_> {
    fn add(&mut self, branch: &Branch) -> Result<(), String> {
        match &branch.served {
            Served::Off => {
                self.off.push(branch.rule.clone());
                Ok(())
            }
            Served::On => self.group(branch, branch.rollout, None),
            Served::Variant(key) => self.group(branch, branch.rollout, Some(key)),
            Served::Split(shares) if self.declares(shares) => {
                self.group(branch, branch.rollout, None)
            }
            Served::Split(shares) => self.split(branch, shares),
        }
    }

    fn declares(&self, shares: &Shares) -> bool {
        self.declared.starts_with(shares)
    }

    /// Splits by rollouts that add up: who is past the first share goes on to the condition of the second.
    fn split(&mut self, branch: &Branch, shares: &Shares) -> Result<(), String> {
        let total = total(shares);
        let mut sum = 0.0;
        for (key, weight) in shares.iter().filter(|(_, weight)| *weight > 0.0) {
            sum += weight;
            self.group(branch, branch.rollout * sum / total, Some(key))?;
        }
        Ok(())
    }

    fn group(
        &mut self,
        branch: &Branch,
        rollout: f64,
        variant: Option<&str>,
    ) -> Result<(), String> {
        let mut rules: Vec<Rule> = vec![branch.rule.clone()];
        rules.extend(self.off.iter().map(|off| off.clone().not()));
        let rule = Rule::All(rules);
        for filters in self.conditions.alternatives(&rule, self.flag)? {
            let mut members = vec![
                ("properties", list(filters)),
                ("rollout_percentage", number(rollout)),
            ];
            if let Some(variant) = variant {
                members.push(("variant", text(variant)));
            }
            self.groups.push(object(members));
        }
        Ok(())
    }
}

fn total(shares: &Shares) -> f64 {
    shares.iter().map(|(_, weight)| weight).sum()
}

fn multivariate(shares: &Shares) -> Value {
    let total = total(shares);
    let entries = shares.iter().map(|(key, weight)| {
        let share = match total > 0.0 {
            true => weight * 100.0 / total,
            false => 0.0,
        };
        object(vec![
            ("key", text(key)),
            ("rollout_percentage", number(share)),
        ])
    });
    object(vec![("variants", list(entries))])
}

#[cfg(test)]
mod tests;
