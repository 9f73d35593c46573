//! `fractional`: people by hash.

use super::{Logic, Result};
use crate::import::plan::Shares;
use crate::import::value::{as_list, as_number, as_text};
use crate::project_file::{Node, Value};

impl Logic<'_> {
    /// Returns the variants of a split, by name.
    pub(super) fn fraction(&mut self, arguments: &Node) -> Result<Shares> {
        let mut entries = as_list(arguments);
        if entries.len() < 2 {
            return self.fail("it has fewer than two arguments");
        }
        let mut first = 0;
        if let [bucket, rest @ ..] = entries
            && !matches!(bucket.value, Value::List(_))
        {
            if !is_targeting_key(bucket) {
                return self.fail("it hashes something else than the targeting key");
            }
            (entries, first) = (rest, 1);
        }
        let mut shares = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let step = format!("[{}]", index + first);
            shares.push(self.at(step, |logic| logic.share(entry))?);
        }
        if shares.iter().all(|(_, weight)| *weight == 0.0) {
            return self.fail("all its weights are 0");
        }
        self.differ("another hash decides: the shares stay, other people get them".to_owned());
        Ok(shares)
    }

    fn share(&mut self, entry: &Node) -> Result<(String, f64)> {
        let (name, weight) = match as_list(entry) {
            [name] => (name, Some(1.0)),
            [name, weight] => (name, whole(weight)),
            _ => return self.fail("a share is a variant and a weight"),
        };
        let name = match &name.value {
            Value::Bool(on) => Some(on.to_string()),
            _ => as_text(name).map(str::to_owned),
        };
        match name.zip(weight) {
            Some(share) => Ok(share),
            None => self.fail("its variant is computed, or its weight is no whole number from 0"),
        }
    }
}

/// Returns whether a hashed value is the targeting key, together with constants or the flag's key or alone.
fn is_targeting_key(node: &Node) -> bool {
    let is = |node: &Node, name: &str| node.get("var").and_then(as_text) == Some(name);
    if is(node, "targetingKey") {
        return true;
    }
    let parts = node.get("cat").map_or(&[][..], as_list);
    let (keys, others): (Vec<&Node>, Vec<&Node>) =
        parts.iter().partition(|part| is(part, "targetingKey"));
    let is_fixed = |part: &&Node| as_text(part).is_some() || is(part, "$flagd.flagKey");
    keys.len() == 1 && others.iter().all(is_fixed)
}

fn whole(node: &Node) -> Option<f64> {
    match node.value {
        Value::Number(_) => as_number(node).filter(|n| *n >= 0.0 && n.fract() == 0.0),
        _ => None,
    }
}
