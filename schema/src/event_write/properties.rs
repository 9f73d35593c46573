//! A JSON object of properties whose values are texts that nobody reads: they come out as they went in.

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// Name → value as JSON text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Properties(BTreeMap<String, Box<str>>);

impl Properties {
    /// Reads a stored object; `None` when the text is none.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        // Values are skipped, not read, whatever their depth.
        deserializer.disable_recursion_limit();
        Self::deserialize(&mut deserializer).ok()
    }

    /// Sets a value; returns whether that changes anything.
    pub(super) fn set(&mut self, name: &str, value: &str) -> bool {
        match self.0.get_mut(name) {
            Some(old) if **old == *value => false,
            Some(old) => {
                *old = value.into();
                true
            }
            None => self.set_once(name, value),
        }
    }

    /// Sets a value unless there is one; returns whether that changes anything.
    pub(super) fn set_once(&mut self, name: &str, value: &str) -> bool {
        if self.0.contains_key(name) {
            return false;
        }
        self.0.insert(name.to_owned(), value.into());
        true
    }

    /// Removes a value; returns whether there was one.
    pub(super) fn unset(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    /// Takes over what it does not have itself; returns whether that changes anything.
    pub(super) fn fill_from(&mut self, other: Self) -> bool {
        let before = self.0.len();
        for (name, value) in other.0 {
            self.0.entry(name).or_insert(value);
        }
        self.0.len() > before
    }

    /// Writes the object.
    pub(super) fn write(&self) -> String {
        let length = self
            .0
            .iter()
            .map(|(name, value)| name.len() + value.len() + 4);
        let mut text = String::with_capacity(length.sum::<usize>() + 2);
        text.push('{');
        for (index, (name, value)) in self.0.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            text.push_str(&serde_json::Value::from(name.as_str()).to_string());
            text.push(':');
            text.push_str(value);
        }
        text.push('}');
        text
    }
}

impl<'de> Deserialize<'de> for Properties {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Properties;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Properties, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    members.insert(name, value.get().into());
                }
                Ok(Properties(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}
