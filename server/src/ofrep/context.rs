//! From an evaluation context to what `/flags` calls a request (section 8.2).

#[cfg(test)]
mod tests;

use crate::body::ParseError;
use crate::flags_request::{FlagsRequest, MAX_LIST_ENTRIES, scalar_text};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};

/// The prefixes by which clients that only send scalars name one group, or one property of a group.
const FLAT_GROUP: &str = "groups.";
const FLAT_GROUP_PROPERTY: &str = "group_properties.";

/// Why a context cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContextFault {
    /// There is none, or it is no object.
    #[error("context must be an object")]
    NotAnObject,
    /// Nobody to evaluate for.
    #[error("context.targetingKey is required: a text or a number")]
    TargetingKey,
    /// A member that means something, and cannot be read.
    #[error("context.{0} cannot be used")]
    Member(&'static str),
    /// A property whose text is broken.
    #[error("a member of context cannot be read")]
    Property,
    /// A list with more entries than anyone needs.
    #[error("context.{0} has more than {MAX_LIST_ENTRIES} entries")]
    TooLong(&'static str),
}

impl ContextFault {
    /// Returns the protocol's word for it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TargetingKey => "TARGETING_KEY_MISSING",
            Self::NotAnObject | Self::Member(_) | Self::Property | Self::TooLong(_) => {
                "INVALID_CONTEXT"
            }
        }
    }
}

/// What a body asks for, if its context can be used.
pub type Asked = Result<FlagsRequest, ContextFault>;

/// Reads a body's text. Only what is not JSON at all is an error here.
pub fn read(text: &str) -> Result<Asked, ParseError> {
    // serde reads a struct from an array as well.
    if !text.trim_start().starts_with('{') {
        let _is_json: &RawValue = serde_json::from_str(text)?;
        return Ok(Err(ContextFault::NotAnObject));
    }
    let body: Body<'_> = serde_json::from_str(text)?;
    let members = body.context.map(RawValue::get).unwrap_or_default();
    if !members.starts_with('{') {
        return Ok(Err(ContextFault::NotAnObject));
    }
    let members = serde_json::from_str(members);
    Ok(members
        .map_err(|_broken| ContextFault::Property)
        .and_then(request))
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    context: Option<&'a RawValue>,
}

/// A context's members as they stand in the JSON, in an order that does not depend on chance.
type Members<'a> = BTreeMap<String, &'a RawValue>;

fn request(mut members: Members<'_>) -> Asked {
    let targeting_key = take(&mut members, &["targetingKey"])
        .and_then(|raw| scalar_text(raw).ok()?)
        .filter(|key| !key.is_empty())
        .ok_or(ContextFault::TargetingKey)?;
    let mut request = FlagsRequest {
        distinct_id: Some(targeting_key),
        runtime: text(&mut members, "evaluation_runtime")?,
        contexts: contexts(&mut members)?,
        device_id: text(&mut members, "$device_id")?,
        anonymous_id: text(&mut members, "$anon_distinct_id")?,
        groups: groups(take(&mut members, &["groups", "$groups"]))?,
        group_properties: group_properties(take(
            &mut members,
            &["group_properties", "groupProperties", "$group_properties"],
        ))?,
        ..FlagsRequest::default()
    };
    for (name, raw) in members {
        if let Some(group_type) = suffix(&name, FLAT_GROUP) {
            flat_group(&mut request, group_type, raw)?;
        } else if let Some((group_type, property)) =
            suffix(&name, FLAT_GROUP_PROPERTY).and_then(|rest| rest.split_once('.'))
        {
            let of_group = request.group_properties.entry(group_type.to_owned());
            let properties = of_group.or_default();
            if !properties.contains_key(property) {
                properties.insert(property.to_owned(), value(raw)?);
            }
        } else {
            request.person_properties.insert(name, value(raw)?);
        }
    }
    Ok(request)
}

/// Takes a member out under all of its names; the first that is not null counts.
fn take<'a>(members: &mut Members<'a>, names: &[&str]) -> Option<&'a RawValue> {
    let mut found = None;
    for name in names {
        let here = members.remove(*name).filter(|raw| raw.get() != "null");
        found = found.or(here);
    }
    found
}

fn text(members: &mut Members<'_>, name: &'static str) -> Result<Option<String>, ContextFault> {
    take(members, &[name])
        .map(|raw| serde_json::from_str(raw.get()))
        .transpose()
        .map_err(|_wrong_type| ContextFault::Member(name))
}

fn contexts(members: &mut Members<'_>) -> Result<Vec<String>, ContextFault> {
    const NAME: &str = "evaluation_contexts";
    let Some(raw) = take(members, &[NAME]) else {
        return Ok(Vec::new());
    };
    let contexts: Vec<String> =
        serde_json::from_str(raw.get()).map_err(|_wrong_type| ContextFault::Member(NAME))?;
    if contexts.len() > MAX_LIST_ENTRIES {
        return Err(ContextFault::TooLong(NAME));
    }
    Ok(contexts)
}

fn groups(raw: Option<&RawValue>) -> Result<HashMap<String, Option<String>>, ContextFault> {
    const FAULT: ContextFault = ContextFault::Member("groups");
    let Some(raw) = raw else {
        return Ok(HashMap::new());
    };
    let groups: HashMap<String, Box<RawValue>> = object(raw).ok_or(FAULT)?;
    groups
        .into_iter()
        .map(|(name, key)| {
            let key = scalar_text(&key).map_err(|_broken| FAULT)?;
            Ok((name, key.filter(|key| !key.is_empty())))
        })
        .collect()
}

type GroupProperties = HashMap<String, serde_json::Map<String, Value>>;

fn group_properties(raw: Option<&RawValue>) -> Result<GroupProperties, ContextFault> {
    let Some(raw) = raw else {
        return Ok(HashMap::new());
    };
    let properties: HashMap<String, Option<serde_json::Map<String, Value>>> =
        object(raw).ok_or(ContextFault::Member("group_properties"))?;
    let given = properties.into_iter();
    Ok(given
        .filter_map(|(name, properties)| Some((name, properties?)))
        .collect())
}

/// Reads an object, or a text that holds one. Such a text was not looked at before; the parser's own limit bounds its depth.
fn object<T: for<'de> Deserialize<'de>>(raw: &RawValue) -> Option<HashMap<String, T>> {
    let text = raw.get();
    if text.starts_with('"') {
        let inner: String = serde_json::from_str(text).ok()?;
        return serde_json::from_str(&inner).ok();
    }
    serde_json::from_str(text).ok()
}

/// Returns what follows a prefix, if anything does.
fn suffix<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    name.strip_prefix(prefix).filter(|rest| !rest.is_empty())
}

/// Adds one group, unless it was named before.
fn flat_group(
    request: &mut FlagsRequest,
    group_type: &str,
    raw: &RawValue,
) -> Result<(), ContextFault> {
    let key = match raw.get() {
        "null" => return Ok(()),
        "true" | "false" => Some(raw.get().to_owned()),
        _ => scalar_text(raw).ok().flatten(),
    };
    let key = key.ok_or(ContextFault::Member("groups"))?;
    let groups = &mut request.groups;
    let known = groups.entry(group_type.to_owned()).or_default();
    if known.is_none() && !key.is_empty() {
        *known = Some(key);
    }
    Ok(())
}

fn value(raw: &RawValue) -> Result<Value, ContextFault> {
    serde_json::from_str(raw.get()).map_err(|_broken| ContextFault::Property)
}
