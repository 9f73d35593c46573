//! One answer, in whichever shape it came.

use crate::body::{BodyFormat, ParseError, decode_now};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// An answer unpacks to no more than this many bytes.
const MAX_UNPACKED: usize = 64 * 1024 * 1024;

/// What a server made of a request for flags.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Flags.
    Flags(Flags),
    /// No flags, because the project has used up its quota.
    QuotaLimited,
    /// Another status than 200.
    Refused(u16),
    /// A 200 that cannot be read.
    Unreadable,
    /// No answer, with the word for why.
    Failed(&'static str),
}

/// The flags of an answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Flags {
    /// By key.
    pub records: BTreeMap<String, Record>,
    /// Whether a flag that is not listed is off (the two oldest shapes).
    pub lists_enabled_only: bool,
}

/// One flag. What the shape does not tell is `None`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Record {
    /// On or off; off when it failed.
    pub enabled: bool,
    /// The variant, when it has one.
    pub variant: Option<String>,
    /// The value where it is written as one member, or is none of the usual ones.
    pub value: Option<Value>,
    /// The payload's text, if the shape tells of payloads.
    pub payload: Option<Option<String>>,
    /// The reason's code.
    pub reason: Option<String>,
    /// The condition set that decided, if the shape tells of them.
    pub condition: Option<Option<i64>>,
    /// Whether it could not be evaluated.
    pub failed: bool,
}

impl Answer {
    /// Reads an answer with its status and `Content-Encoding`.
    pub fn read(status: u16, encoding: Option<&str>, body: &[u8]) -> Self {
        if status != 200 {
            return Self::Refused(status);
        }
        let read = BodyFormat::exact(Some("application/json"), encoding)
            .and_then(|format| decode_now::<Self>(body, &format, MAX_UNPACKED, parse));
        read.unwrap_or(Self::Unreadable)
    }

    /// Returns what became of it in one word, as reports say it.
    pub fn label(&self) -> String {
        match self {
            Self::Flags(_) => "answered".to_owned(),
            Self::QuotaLimited => "quota_limited".to_owned(),
            Self::Refused(status) => format!("status_{status}"),
            Self::Unreadable => "unreadable".to_owned(),
            Self::Failed(why) => (*why).to_owned(),
        }
    }

    /// Returns whether both refuse alike. Two answers that did not come are not alike: nobody knows what they were.
    pub(super) fn is_same_refusal(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::QuotaLimited, Self::QuotaLimited) => true,
            (Self::Refused(one), Self::Refused(other)) => one == other,
            _ => false,
        }
    }
}

fn parse(text: &str) -> Result<Answer, ParseError> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    // The decoder has bounded the depth before.
    deserializer.disable_recursion_limit();
    let value = Value::deserialize(&mut deserializer)?;
    deserializer.end()?;
    let answer = value.as_object().ok_or(ParseError::Shape)?;
    if answer.get("quotaLimited").is_some_and(is_flag_quota) {
        return Ok(Answer::QuotaLimited);
    }
    let flags = if let Some(records) = answer.get("flags").and_then(Value::as_object) {
        by_record(records)
    } else {
        match answer.get("featureFlags") {
            Some(Value::Object(values)) => by_value(answer, values),
            Some(Value::Array(keys)) => by_key(keys),
            _ => return Err(ParseError::Shape),
        }
    };
    Ok(Answer::Flags(flags))
}

fn is_flag_quota(limited: &Value) -> bool {
    let kinds = limited.as_array();
    kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind == "feature_flags"))
}

/// Versions 2 and 4: a record a flag.
fn by_record(records: &Map<String, Value>) -> Flags {
    let records = records.iter();
    Flags {
        records: records.map(|(key, it)| (key.clone(), record(it))).collect(),
        lists_enabled_only: false,
    }
}

fn record(record: &Value) -> Record {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let reason = record.get("reason");
    let value = record.get("value");
    let told = record.get("enabled").and_then(Value::as_bool);
    Record {
        enabled: told.unwrap_or_else(|| value.is_some_and(is_on)),
        variant: text(record.get("variant")).or_else(|| text(value)),
        value: value.cloned(),
        payload: record
            .get("metadata")
            .map(|metadata| metadata.get("payload").and_then(payload)),
        reason: text(reason.and_then(|reason| reason.get("code"))),
        condition: reason.map(|it| it.get("condition_index").and_then(Value::as_i64)),
        failed: record.get("failed").is_some_and(|failed| failed == true),
    }
}

/// Version 1, and without payloads the second oldest shape: a value a flag.
fn by_value(answer: &Map<String, Value>, values: &Map<String, Value>) -> Flags {
    let payloads = answer.get("featureFlagPayloads").and_then(Value::as_object);
    let record = |key: &String, value: &Value| Record {
        enabled: is_on(value),
        variant: value.as_str().map(str::to_owned),
        value: Some(value.clone()),
        payload: payloads.map(|all| all.get(key).and_then(payload)),
        ..Record::default()
    };
    Flags {
        records: values
            .iter()
            .map(|(key, value)| (key.clone(), record(key, value)))
            .collect(),
        lists_enabled_only: !answer.contains_key("errorsWhileComputingFlags"),
    }
}

/// The oldest shape: the keys of what is on.
fn by_key(keys: &[Value]) -> Flags {
    let keys = keys.iter().filter_map(Value::as_str);
    let on = Record {
        enabled: true,
        ..Record::default()
    };
    Flags {
        records: keys.map(|key| (key.to_owned(), on.clone())).collect(),
        lists_enabled_only: true,
    }
}

fn is_on(value: &Value) -> bool {
    matches!(value, Value::Bool(true) | Value::String(_))
}

/// Returns a payload's JSON text. Some servers of old wrote the value itself.
fn payload(payload: &Value) -> Option<String> {
    match payload {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
