//! A JSON object of properties whose values are texts that nobody reads: they come out as they went in.

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// Properties do not grow beyond this by events, in bytes: every request that needs them reads them all.
const MAX_BYTES: usize = 1 << 20;

/// Name → value as JSON text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Properties {
    values: BTreeMap<String, Box<str>>,
    /// Of all names and values.
    bytes: usize,
}

impl Properties {
    /// Reads a stored object; `None` when the text is none.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        // Values are skipped, not read, whatever their depth.
        deserializer.disable_recursion_limit();
        Self::deserialize(&mut deserializer).ok()
    }

    /// Sets a value, if there is room; returns whether that changes anything.
    pub(super) fn set(&mut self, name: &str, value: &str) -> bool {
        let Some(old) = self.values.get_mut(name) else {
            return self.set_once(name, value);
        };
        let bytes = self.bytes - old.len() + value.len();
        let has_room = bytes <= MAX_BYTES || value.len() <= old.len();
        if **old == *value || !has_room {
            return false;
        }
        *old = value.into();
        self.bytes = bytes;
        true
    }

    /// Sets a value unless there is one, if there is room; returns whether that changes anything.
    pub(super) fn set_once(&mut self, name: &str, value: &str) -> bool {
        let bytes = self.bytes + name.len() + value.len();
        if bytes > MAX_BYTES || self.values.contains_key(name) {
            return false;
        }
        self.values.insert(name.to_owned(), value.into());
        self.bytes = bytes;
        true
    }

    /// Removes a value; returns whether there was one.
    pub(super) fn unset(&mut self, name: &str) -> bool {
        let removed = self.values.remove(name);
        self.bytes -= removed.as_ref().map_or(0, |value| name.len() + value.len());
        removed.is_some()
    }

    /// Takes over what it does not have itself, if there is room; returns whether that changes anything.
    pub(super) fn fill_from(&mut self, other: &Self) -> bool {
        let mut is_changed = false;
        for (name, value) in &other.values {
            is_changed |= self.set_once(name, value);
        }
        is_changed
    }

    /// Writes the object.
    pub(super) fn write(&self) -> String {
        let mut text = String::with_capacity(self.bytes + self.values.len() * 4 + 2);
        text.push('{');
        for (index, (name, value)) in self.values.iter().enumerate() {
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
                let mut members = Properties::default();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    members.unset(&name);
                    members.bytes += name.len() + value.get().len();
                    members.values.insert(name, value.get().into());
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_BYTES, Properties};

    #[test]
    fn an_object_comes_out_as_it_went_in() {
        for (text, expected) in [
            ("{}", "{}"),
            (r#"{ "b": 5.0, "a": [1,  2] }"#, r#"{"a":[1,  2],"b":5.0}"#),
            (r#"{"a\u0000\"é":"\u00e9"}"#, r#"{"a\u0000\"é":"\u00e9"}"#),
            // Of two members with one name the last one counts.
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
        ] {
            let read = Properties::read(text).unwrap();
            assert_eq!(read.write(), expected, "{text}");
            assert_eq!(Properties::read(&read.write()).unwrap(), read, "{text}");
        }
        for text in ["", "[]", "7", "null", "{"] {
            assert_eq!(Properties::read(text), None, "{text}");
        }
    }

    #[test]
    fn there_is_room_for_so_much() {
        let value = "7".repeat(MAX_BYTES - 10);
        let mut properties = Properties::default();
        assert!(properties.set("a", &value));
        assert!(!properties.set("bb", "12345678"));
        assert!(properties.set_once("bb", "1234567"));
        assert!(!properties.set("a", &format!("{value}1")));
        assert!(properties.set("a", "1"));
        assert!(properties.set("a", &value));
        assert!(properties.unset("a"));
        assert_eq!(properties.bytes, 9);
        let mut small = Properties::default();
        assert!(small.fill_from(&properties));
        assert!(!small.fill_from(&properties));
        assert_eq!(small, properties);
    }
}
