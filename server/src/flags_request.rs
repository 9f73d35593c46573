//! What a `/flags` request asks for: its members (section 3.4) and, in [`query`], its parameters.
//!
//! Pure: text in, values out. It knows neither sockets nor stored data.

mod openapi;
pub mod query;

#[cfg(test)]
mod tests;

pub use query::{Endpoint, FlagsQuery};

use crate::body::ParseError;
use crate::openapi::schemas::Identifier;
use burgee_evaluation::Subject;
use burgee_evaluation::bucketing::cut_identifier;
use burgee_evaluation::subject::Properties;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::HashMap;
use utoipa::ToSchema;

/// How many entries `flag_keys` and `evaluation_contexts` may have; no project comes near it.
pub const MAX_LIST_ENTRIES: usize = 10_000;

/// The anonymous id of clients without cookies, which names nobody.
const COOKIELESS: &str = "$posthog_cookieless";

/// The members of a request that matter, under one name each.
#[derive(Debug, Default, PartialEq)]
pub struct FlagsRequest {
    /// The project token; `None` when missing or empty.
    pub token: Option<String>,
    /// The distinct id as it was sent, a number as its JSON text.
    pub distinct_id: Option<String>,
    /// Evaluate nothing.
    pub disable_flags: bool,
    /// `evaluation_runtime`, if stated.
    pub runtime: Option<String>,
    /// `evaluation_contexts`; empty means no filter.
    pub contexts: Vec<String>,
    /// `flag_keys`; an empty list lets nothing through.
    pub keys: Option<Vec<String>>,
    /// Group type → key; `None` is a key that cannot be used.
    pub groups: HashMap<String, Option<String>>,
    /// Overrides of the person's properties.
    pub person_properties: Properties,
    /// Group type → overrides of that group's properties.
    pub group_properties: HashMap<String, Properties>,
    /// The device id, empty ones included.
    pub device_id: Option<String>,
    /// The anonymous id, as it was sent.
    pub anonymous_id: Option<String>,
}

impl FlagsRequest {
    /// Reads a body's JSON text. Any known member of a wrong type makes the whole text wrong.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        // serde reads a struct from an array as well.
        if text.trim_start().starts_with('[') {
            return Err(ParseError::Shape);
        }
        let mut deserializer = serde_json::Deserializer::from_str(text);
        // The body decoder has bounded the depth before, at a limit of our own.
        deserializer.disable_recursion_limit();
        let members = Members::deserialize(&mut deserializer)?;
        deserializer.end()?;
        members.try_into()
    }

    /// Returns who is evaluated: everything the request says about the person and its groups.
    pub fn into_subject(self, distinct_id: &str) -> Subject {
        let property = |name: &str| match self.person_properties.get(name) {
            Some(Value::String(text)) => Some(text.clone()),
            _ => None,
        };
        let device_id = self.device_id.filter(|id| !id.is_empty());
        let anonymous_id = self.anonymous_id.filter(|id| id != COOKIELESS);
        Subject {
            distinct_id: cut_identifier(distinct_id).to_owned(),
            device_id: device_id.or_else(|| property("$device_id").filter(|id| !id.is_empty())),
            anonymous_id: anonymous_id
                .or_else(|| property("$anon_distinct_id").filter(|id| id != COOKIELESS)),
            person_properties: self.person_properties,
            groups: self.groups,
            group_properties: self.group_properties,
        }
    }
}

/// What is asked for, and for whom. Members that are not listed are ignored; null counts as absent. Where a member has several
/// names, the first that is there counts.
#[derive(Deserialize, ToSchema)]
#[schema(as = FlagsRequestMembers)]
pub(crate) struct Members<'a> {
    /// The project's public token.
    token: Option<String>,
    /// The same.
    api_key: Option<String>,
    /// The same.
    #[serde(rename = "$token")]
    dollar_token: Option<String>,
    /// Whom flags are evaluated for. Longer ids are cut to 200 characters.
    #[serde(borrow)]
    #[schema(value_type = Option<Identifier>)]
    distinct_id: Option<&'a RawValue>,
    /// The same.
    #[serde(borrow, rename = "$distinct_id")]
    #[schema(value_type = Option<Identifier>)]
    dollar_distinct_id: Option<&'a RawValue>,
    /// The key of each group the person belongs to, by group type.
    #[serde(borrow)]
    #[schema(value_type = Option<HashMap<String, Value>>)]
    groups: Option<HashMap<String, &'a RawValue>>,
    /// The same.
    #[serde(borrow, rename = "$groups")]
    #[schema(value_type = Option<HashMap<String, Value>>)]
    dollar_groups: Option<HashMap<String, &'a RawValue>>,
    /// Properties of the person that win over stored ones, for this request only.
    #[schema(value_type = Option<HashMap<String, Value>>)]
    person_properties: Option<Properties>,
    /// The same.
    #[serde(rename = "$properties")]
    #[schema(value_type = Option<HashMap<String, Value>>)]
    dollar_properties: Option<Properties>,
    /// The same for groups, by group type.
    #[schema(value_type = Option<HashMap<String, Option<HashMap<String, Value>>>>)]
    group_properties: Option<HashMap<String, Option<Properties>>>,
    /// The same.
    #[serde(rename = "$group_properties")]
    #[schema(value_type = Option<HashMap<String, Option<HashMap<String, Value>>>>)]
    dollar_group_properties: Option<HashMap<String, Option<Properties>>>,
    /// The anonymous id that the person had before it logged in.
    #[serde(rename = "$anon_distinct_id")]
    dollar_anon_distinct_id: Option<String>,
    /// The same.
    anon_distinct_id: Option<String>,
    /// The device, for flags that are bucketed by it.
    #[serde(rename = "$device_id")]
    dollar_device_id: Option<String>,
    /// The same.
    device_id: Option<String>,
    /// Evaluate only these flags and what they depend on. An empty list lets nothing through.
    flag_keys: Option<Vec<String>>,
    /// The same.
    flag_keys_to_evaluate: Option<Vec<String>>,
    /// Evaluate nothing.
    disable_flags: Option<bool>,
    // Nothing is derived from addresses, but a wrong type is a fault here as everywhere.
    /// Has no effect: nothing is derived from addresses.
    geoip_disable: Option<bool>,
    /// The same.
    disable_geoip: Option<bool>,
    /// Where the flags are used: `all`, `client` or `server`. Where it is missing, the user agent tells.
    evaluation_runtime: Option<String>,
    /// Evaluate only flags that have one of these contexts, or none.
    evaluation_contexts: Option<Vec<String>>,
    /// The same.
    evaluation_environments: Option<Vec<String>>,
}

impl TryFrom<Members<'_>> for FlagsRequest {
    type Error = ParseError;

    fn try_from(members: Members<'_>) -> Result<Self, ParseError> {
        let _ignored = members.geoip_disable.or(members.disable_geoip);
        let token = members.token.or(members.api_key).or(members.dollar_token);
        let distinct_id = members.distinct_id.or(members.dollar_distinct_id);
        let groups = members.groups.or(members.dollar_groups);
        let group_properties = members
            .group_properties
            .or(members.dollar_group_properties)
            .unwrap_or_default();
        let contexts = members
            .evaluation_contexts
            .or(members.evaluation_environments)
            .unwrap_or_default();
        let keys = members.flag_keys.or(members.flag_keys_to_evaluate);
        bound("evaluation_contexts", &contexts)?;
        bound("flag_keys", keys.as_deref().unwrap_or_default())?;
        Ok(Self {
            token: token.filter(|token| !token.is_empty()),
            distinct_id: distinct_id.map(identifier).transpose()?,
            disable_flags: members.disable_flags.unwrap_or_default(),
            runtime: members.evaluation_runtime,
            contexts,
            keys,
            groups: group_keys(groups.unwrap_or_default())?,
            person_properties: members
                .person_properties
                .or(members.dollar_properties)
                .unwrap_or_default(),
            group_properties: group_properties
                .into_iter()
                .filter_map(|(name, properties)| Some((name, properties?)))
                .collect(),
            device_id: members.dollar_device_id.or(members.device_id),
            anonymous_id: members.dollar_anon_distinct_id.or(members.anon_distinct_id),
        })
    }
}

fn bound(member: &'static str, list: &[String]) -> Result<(), ParseError> {
    if list.len() > MAX_LIST_ENTRIES {
        return Err(ParseError::TooManyEntries {
            member,
            limit: MAX_LIST_ENTRIES,
        });
    }
    Ok(())
}

fn group_keys(
    groups: HashMap<String, &RawValue>,
) -> Result<HashMap<String, Option<String>>, ParseError> {
    groups
        .into_iter()
        .map(|(name, key)| {
            let key = scalar_text(key)?.filter(|key| !key.is_empty());
            Ok((name, key))
        })
        .collect()
}

fn identifier(raw: &RawValue) -> Result<String, ParseError> {
    scalar_text(raw)?.ok_or(ParseError::Shape)
}

/// Returns the text of a string, or a number's digits exactly as they were sent; `None` for anything else.
pub(crate) fn scalar_text(raw: &RawValue) -> Result<Option<String>, ParseError> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'"') => Ok(Some(serde_json::from_str(text)?)),
        Some(b'-' | b'0'..=b'9') => Ok(Some(text.to_owned())),
        _ => Ok(None),
    }
}
