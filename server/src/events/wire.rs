//! An event's members as they stand in the JSON, and the event they make.

#[cfg(test)]
mod tests;

use super::MAX_EVENTS;
use burgee_actors::Event;
use burgee_actors::events::{GroupMembers, PropertyMembers};
use burgee_evaluation::bucketing::cut_identifier;
use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use std::fmt;
use std::marker::PhantomData;
use utoipa::ToSchema;

type Raw<'a> = Option<&'a RawValue>;

// It is also read from the object around a batch, which has the same members and the batch.
/// Something that happened. Members that are not listed are ignored, and so are those of another type.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = EventMembers)]
pub(super) struct WireEvent<'a> {
    #[serde(borrow)]
    #[schema(ignore)]
    pub(super) batch: Option<Batch<'a>>,
    /// What happened.
    #[serde(borrow)]
    #[schema(value_type = Option<String>, nullable = false, min_length = 1)]
    event: Raw<'a>,
    /// Who did it. What is no text counts as its JSON; longer ids are cut to 200 characters.
    #[serde(borrow)]
    #[schema(value_type = Option<Value>)]
    distinct_id: Raw<'a>,
    /// The same.
    #[serde(borrow, rename = "$distinct_id")]
    #[schema(value_type = Option<Value>)]
    dollar_distinct_id: Raw<'a>,
    /// The project's public token.
    #[serde(borrow)]
    #[schema(value_type = Option<Value>)]
    token: Raw<'a>,
    /// The same.
    #[serde(borrow)]
    #[schema(value_type = Option<Value>)]
    api_key: Raw<'a>,
    /// The same.
    #[serde(borrow, rename = "$token")]
    #[schema(value_type = Option<Value>)]
    dollar_token: Raw<'a>,
    /// The event's id: one that was taken before is not taken again.
    #[serde(borrow)]
    #[schema(value_type = Option<Value>)]
    uuid: Raw<'a>,
    /// Properties of the person to set.
    #[serde(borrow, rename = "$set")]
    #[schema(value_type = Option<Value>)]
    set: Raw<'a>,
    /// Properties of the person to set where it has none of the name.
    #[serde(borrow, rename = "$set_once")]
    #[schema(value_type = Option<Value>)]
    set_once: Raw<'a>,
    /// Properties of the person to remove: a list of names, or an object with these members.
    #[serde(borrow, rename = "$unset")]
    #[schema(value_type = Option<Value>)]
    unset: Raw<'a>,
    /// What is known of it.
    #[serde(borrow)]
    #[schema(value_type = Option<WireProperties<'static>>)]
    properties: Option<Object<WireProperties<'a>>>,
    /// How it is to be taken, in version 1.
    #[serde(borrow)]
    #[schema(value_type = Option<WireOptions<'static>>)]
    options: Option<Object<WireOptions<'a>>>,
}

/// What is known of an event. Those that are listed have a meaning here.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = EventProperties)]
struct WireProperties<'a> {
    /// Who did it, where that is not said beside.
    #[serde(borrow)]
    #[schema(value_type = Option<Value>)]
    distinct_id: Raw<'a>,
    /// The same.
    #[serde(borrow, rename = "$distinct_id")]
    #[schema(value_type = Option<Value>)]
    dollar_distinct_id: Raw<'a>,
    /// The project's public token, where it is not beside.
    #[serde(borrow)]
    #[schema(value_type = Option<Value>)]
    token: Raw<'a>,
    /// Properties of the person to set; of a name that is set beside as well, this one counts.
    #[serde(borrow, rename = "$set")]
    #[schema(value_type = Option<Value>)]
    set: Raw<'a>,
    /// Properties of the person to set where it has none of the name.
    #[serde(borrow, rename = "$set_once")]
    #[schema(value_type = Option<Value>)]
    set_once: Raw<'a>,
    /// Properties of the person to remove.
    #[serde(borrow, rename = "$unset")]
    #[schema(value_type = Option<Value>)]
    unset: Raw<'a>,
    /// False for an event that changes nobody.
    #[serde(borrow, rename = "$process_person_profile")]
    #[schema(value_type = Option<Value>)]
    process_person_profile: Raw<'a>,
    /// The id to join, of `$identify`.
    #[serde(borrow, rename = "$anon_distinct_id")]
    #[schema(value_type = Option<Value>)]
    anonymous_id: Raw<'a>,
    /// The id to join, of `$create_alias` and `$merge_dangerously`.
    #[serde(borrow)]
    #[schema(value_type = Option<Value>)]
    alias: Raw<'a>,
    /// The type of the group, of `$groupidentify`.
    #[serde(borrow, rename = "$group_type")]
    #[schema(value_type = Option<Value>)]
    group_type: Raw<'a>,
    /// The key of the group.
    #[serde(borrow, rename = "$group_key")]
    #[schema(value_type = Option<Value>)]
    group_key: Raw<'a>,
    /// Properties of the group to set.
    #[serde(borrow, rename = "$group_set")]
    #[schema(value_type = Option<Value>)]
    group_set: Raw<'a>,
    /// The flag that was read, of `$feature_flag_called`.
    #[serde(borrow, rename = "$feature_flag")]
    #[schema(value_type = Option<Value>)]
    flag: Raw<'a>,
    /// The value that was read.
    #[serde(borrow, rename = "$feature_flag_response")]
    #[schema(value_type = Option<Value>)]
    flag_value: Raw<'a>,
}

/// How an event is to be taken, in version 1.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = EventOptions)]
struct WireOptions<'a> {
    /// Stands for the property `$process_person_profile`.
    #[serde(borrow)]
    #[schema(value_type = Option<Value>)]
    process_person_profile: Raw<'a>,
}

/// Why an event is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventFault {
    /// It has no name.
    NoName,
    /// It has no distinct id.
    NoDistinctId,
}

impl WireEvent<'_> {
    /// Returns the token that stands beside the other members.
    pub(super) fn own_token(&self) -> Option<String> {
        let names = [self.token, self.api_key, self.dollar_token];
        names.into_iter().find_map(filled_text)
    }

    /// Returns the token among the properties.
    pub(super) fn inner_token(&self) -> Option<String> {
        filled_text(self.properties.as_ref()?.0.token)
    }

    /// Returns the uuid, if it is a text with anything in it.
    pub(super) fn uuid(&self) -> Option<String> {
        filled_text(self.uuid)
    }

    /// Returns the event.
    pub(super) fn read(&self) -> Result<Event, EventFault> {
        let none = WireProperties::default();
        let inside = self.properties.as_ref().map_or(&none, |object| &object.0);
        let name = filled_text(self.event).ok_or(EventFault::NoName)?;
        let ids = [
            self.distinct_id,
            self.dollar_distinct_id,
            inside.distinct_id,
            inside.dollar_distinct_id,
        ];
        let distinct_id = ids.into_iter().find_map(identifier);
        let option = self
            .options
            .as_ref()
            .and_then(|it| it.0.process_person_profile);
        let profile = option.or(inside.process_person_profile);
        Ok(Event {
            name,
            distinct_id: distinct_id.ok_or(EventFault::NoDistinctId)?,
            uuid: self.uuid(),
            has_profile: profile.is_none_or(|value| value.get() != "false"),
            beside: members(self.set, self.set_once, self.unset),
            inside: members(inside.set, inside.set_once, inside.unset),
            anonymous_id: inside.anonymous_id.and_then(scalar_text),
            alias: inside.alias.and_then(scalar_text),
            group: GroupMembers {
                group_type: inside.group_type.and_then(text),
                key: inside.group_key.and_then(scalar_text),
                set: inside.group_set.and_then(properties),
            },
            flag: filled_text(inside.flag),
            flag_value: inside.flag_value.map(|value| value.get().to_owned()),
        })
    }
}

fn members(set: Raw<'_>, set_once: Raw<'_>, unset: Raw<'_>) -> PropertyMembers {
    PropertyMembers {
        set: set.and_then(properties),
        set_once: set_once.and_then(properties),
        unset: unset.and_then(names),
    }
}

/// Returns the text of a string, `None` for any other value.
fn text(raw: &RawValue) -> Option<String> {
    raw.get()
        .starts_with('"')
        .then(|| serde_json::from_str(raw.get()).ok())?
}

fn filled_text(raw: Raw<'_>) -> Option<String> {
    raw.and_then(text).filter(|text| !text.is_empty())
}

/// Returns the text of a string, or a number's digits exactly as they were sent; `None` for anything else.
fn scalar_text(raw: &RawValue) -> Option<String> {
    match raw.get().as_bytes().first() {
        Some(b'-' | b'0'..=b'9') => Some(raw.get().to_owned()),
        _ => text(raw),
    }
}

/// Returns the text of a string, or any other value's JSON text, cut to the length of a distinct id.
fn identifier(raw: Raw<'_>) -> Option<String> {
    let raw = raw?;
    let id = if raw.get().starts_with('"') {
        text(raw)?
    } else {
        raw.get().to_owned()
    };
    (!id.is_empty()).then(|| cut_identifier(&id).to_owned())
}

/// Returns an object's members, values as JSON text; `None` for anything else.
fn properties(raw: &RawValue) -> Option<Vec<(String, String)>> {
    let mut deserializer = serde_json::Deserializer::from_str(raw.get());
    // The body decoder has bounded the depth before.
    deserializer.disable_recursion_limit();
    Pairs::deserialize(&mut deserializer)
        .ok()
        .map(|pairs| pairs.0)
}

/// Returns the names in a list, or those of an object's members; `None` for anything else.
fn names(raw: &RawValue) -> Option<Vec<String>> {
    if let Some(pairs) = properties(raw) {
        return Some(pairs.into_iter().map(|(name, _)| name).collect());
    }
    let list: Vec<&RawValue> = serde_json::from_str(raw.get()).ok()?;
    Some(list.into_iter().filter_map(text).collect())
}

/// Returns a value's text, or null where no number is what the text says: it could not be read again.
fn readable(raw: &RawValue) -> String {
    let text = raw.get();
    let is_readable = match text.as_bytes().first() {
        Some(b'-' | b'0'..=b'9') => text.parse().is_ok_and(f64::is_finite),
        Some(b'{' | b'[') => {
            let mut deserializer = serde_json::Deserializer::from_str(text);
            deserializer.disable_recursion_limit();
            Value::deserialize(&mut deserializer).is_ok()
        }
        _ => true,
    };
    if is_readable { text } else { "null" }.to_owned()
}

/// The members of an object.
struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    pairs.push((name, readable(value)));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// Something that is read from an object only: serde would read a struct from a list too.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// A list of events, as many as are allowed.
#[derive(Debug, Default)]
pub(super) struct Batch<'a> {
    pub(super) events: Vec<WireEvent<'a>>,
    /// Whether there were more.
    pub(super) is_cut: bool,
}

impl<'de: 'a, 'a> Deserialize<'de> for Batch<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Events<'a>(PhantomData<&'a str>);
        impl<'de: 'a, 'a> Visitor<'de> for Events<'a> {
            type Value = Batch<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of events")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Batch<'a>, A::Error> {
                let mut batch = Batch::default();
                while batch.events.len() < MAX_EVENTS {
                    match list.next_element::<Object<WireEvent<'a>>>()? {
                        Some(event) => batch.events.push(event.0),
                        None => return Ok(batch),
                    }
                }
                while list.next_element::<IgnoredAny>()?.is_some() {
                    batch.is_cut = true;
                }
                Ok(batch)
            }
        }
        deserializer.deserialize_seq(Events(PhantomData))
    }
}
