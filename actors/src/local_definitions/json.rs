//! Taking stored JSON apart and putting it together again with its texts as they are: `5` and `5.0` stay different, and members
//! keep their order.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// The members of an object in their order; of those with one name the last counts.
pub(super) struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Members<'a> {
    /// Takes a text apart; `None` when it is no object.
    pub(super) fn of(json: &'a str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    /// Returns a member that is there, be it null.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        let member = self.0.iter().find(|(other, _)| other == name);
        member.map(|(_, value)| value.get())
    }

    /// Returns a member that is a text.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.get(name)?).ok()
    }

    /// Returns a member that is an integer.
    pub(super) fn integer(&self, name: &str) -> Option<i64> {
        serde_json::from_str(self.get(name)?).ok()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.get()))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Vec<(String, &'de RawValue)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    match members.iter_mut().find(|(other, _)| *other == name) {
                        Some((_, earlier)) => *earlier = value,
                        None => members.push((name, value)),
                    }
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// Takes a list apart; `None` when it is none.
pub(super) fn list(json: &str) -> Option<Vec<&RawValue>> {
    serde_json::from_str(json).ok()
}

/// Writes a text with its quotes.
pub(super) fn text(out: &mut Vec<u8>, text: &str) -> serde_json::Result<()> {
    serde_json::to_writer(out, text)
}

/// Writes a list, its entries by a function.
pub(super) fn write_list<T>(
    out: &mut Vec<u8>,
    entries: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T) -> serde_json::Result<()>,
) -> serde_json::Result<()> {
    out.push(b'[');
    for (index, entry) in entries.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, entry)?;
    }
    out.push(b']');
    Ok(())
}

/// An object that is being written, a member after the other.
pub(super) struct Object<'o> {
    out: &'o mut Vec<u8>,
    is_first: bool,
}

impl<'o> Object<'o> {
    pub(super) fn open(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self {
            out,
            is_first: true,
        }
    }

    /// Writes a name, and returns where its value has to be written.
    pub(super) fn name(&mut self, name: &str) -> serde_json::Result<&mut Vec<u8>> {
        if !std::mem::take(&mut self.is_first) {
            self.out.push(b',');
        }
        text(self.out, name)?;
        self.out.push(b':');
        Ok(self.out)
    }

    /// Writes a member whose value is JSON already.
    pub(super) fn raw(&mut self, name: &str, json: &str) -> serde_json::Result<()> {
        self.name(name)?.extend_from_slice(json.as_bytes());
        Ok(())
    }

    /// Writes a member that is true or false.
    pub(super) fn switch(&mut self, name: &str, value: bool) -> serde_json::Result<()> {
        self.raw(name, if value { "true" } else { "false" })
    }

    /// Writes a member that is a text or null.
    pub(super) fn optional(&mut self, name: &str, value: Option<&str>) -> serde_json::Result<()> {
        match value {
            Some(value) => text(self.name(name)?, value),
            None => self.raw(name, "null"),
        }
    }

    pub(super) fn close(self) {
        self.out.push(b'}');
    }
}
