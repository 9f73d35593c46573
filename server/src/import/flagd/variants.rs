//! The variants of a flagd flag, and what each becomes.

use crate::import::plan::Served;
use crate::import::value::{as_text, member};
use crate::project_file::{Node, Value};
use std::collections::BTreeSet;

/// The variants of a flag.
#[derive(Debug)]
pub(super) struct Variants {
    kind: Kind,
    entries: Vec<(String, Value)>,
    /// The name of the one that is served when no rule decides; the code's own default when there is none.
    pub(super) default: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// On and off.
    Boolean,
    /// The texts are the variant keys.
    Text,
    /// The values are payloads.
    Payload,
}

impl Variants {
    /// Reads the variants of a flag.
    pub(super) fn read(node: &Node) -> Result<Self, String> {
        let Some(Value::Map(members)) = member(node, "variants").map(|v| &v.value) else {
            return Err("variants: not an object".to_owned());
        };
        let entries: Vec<(String, Value)> = (members.iter())
            .map(|(name, node)| (name.text.clone(), node.value.clone()))
            .collect();
        let default = member(node, "defaultVariant")
            .map(|default| as_text(default).ok_or("defaultVariant: not a text"))
            .transpose()?;
        let variants = Self {
            kind: kind(&entries),
            entries,
            default: default.map(str::to_owned),
        };
        if let Some(default) = default {
            (variants.served(default)).map_err(|reason| format!("defaultVariant: {reason}"))?;
        }
        Ok(variants)
    }

    /// Returns whether the flag is on or off.
    pub(super) fn is_boolean(&self) -> bool {
        self.kind == Kind::Boolean
    }

    /// Returns what serving a variant means.
    pub(super) fn served(&self, name: &str) -> Result<Served, String> {
        let found = self.entries.iter().find(|(n, _)| n == name);
        let (name, value) = found.ok_or_else(|| format!("there is no variant `{name}`"))?;
        Ok(match (self.kind, value) {
            (Kind::Boolean, Value::Bool(true)) => Served::On,
            (Kind::Boolean, _) => Served::Off,
            _ => Served::Variant(self.key(name, value)),
        })
    }

    fn key(&self, name: &str, value: &Value) -> String {
        match (self.kind, value) {
            (Kind::Text, Value::Text(text)) => text.clone(),
            _ => name.to_owned(),
        }
    }

    /// Returns the keys of the variants; none for a boolean flag.
    pub(super) fn keys(&self) -> Vec<String> {
        if self.is_boolean() {
            return Vec::new();
        }
        (self.entries.iter())
            .map(|(name, value)| self.key(name, value))
            .collect()
    }

    /// Returns the payloads: variant key and JSON text.
    pub(super) fn payloads(&self) -> Vec<(&str, Value)> {
        if self.kind != Kind::Payload {
            return Vec::new();
        }
        let text = |value: &Value| {
            let mut text = String::new();
            value.write_json(&mut text);
            Value::Text(text)
        };
        (self.entries.iter())
            .map(|(name, value)| (name.as_str(), text(value)))
            .collect()
    }
}

fn kind(entries: &[(String, Value)]) -> Kind {
    if entries.iter().all(|(_, v)| matches!(v, Value::Bool(_))) {
        return Kind::Boolean;
    }
    let texts: BTreeSet<&str> = (entries.iter())
        .filter_map(|(_, value)| match value {
            Value::Text(text) if !text.is_empty() => Some(text.as_str()),
            _ => None,
        })
        .collect();
    match texts.len() == entries.len() {
        true => Kind::Text,
        false => Kind::Payload,
    }
}
