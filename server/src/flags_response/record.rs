//! One flag's answer piece by piece, and the ways in which the older shapes list flags.

use burgee_evaluation::{Evaluation, Evaluations, Outcome};
use serde::{Serialize, Serializer};
use std::borrow::Cow;

/// Which of the two shapes that have records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Shape 2.
    Plain,
    /// Shape 4, which keeps the members of shape 2 for readers of both.
    Typed,
}

/// A flag's value: its variant if it has one, else whether it is on.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
enum Value<'a> {
    Variant(&'a str),
    Enabled(bool),
}

impl<'a> Value<'a> {
    fn of(flag: &Evaluation<'a>) -> Self {
        flag.variant()
            .map_or(Value::Enabled(flag.enabled()), Value::Variant)
    }
}

#[derive(Serialize)]
struct Start<'a> {
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Option<Value<'a>>>,
    enabled: bool,
    variant: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    failed: bool,
}

#[derive(Serialize)]
struct Reason {
    code: &'static str,
    condition_index: Option<usize>,
    description: Cow<'static, str>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    id: i32,
    version: i64,
    // Flags have no description that is for clients; the member has to be there.
    description: Option<&'a str>,
    payload: Option<&'a str>,
    has_experiment: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    config_version: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant_key: Option<&'a str>,
}

/// Writes what stands before the reason: the flag's name, and the record's members that tell its value.
pub(super) fn write_start(
    buffer: &mut Vec<u8>,
    flag: &Evaluation<'_>,
    kind: Kind,
) -> serde_json::Result<()> {
    serde_json::to_writer(&mut *buffer, &flag.flag.key)?;
    buffer.push(b':');
    let start = Start {
        key: &flag.flag.key,
        value: (kind == Kind::Typed).then(|| (!flag.failed()).then(|| Value::of(flag))),
        enabled: flag.enabled(),
        variant: flag.variant(),
        failed: flag.failed(),
    };
    serde_json::to_writer(&mut *buffer, &start)?;
    // The record goes on.
    buffer.pop();
    Ok(())
}

/// Writes the reason, and the name of the member behind it.
pub(super) fn write_reason(buffer: &mut Vec<u8>, outcome: &Outcome) -> serde_json::Result<()> {
    let reason = Reason {
        code: outcome.reason.code(),
        condition_index: outcome.condition_index,
        description: outcome.description(),
    };
    buffer.extend_from_slice(br#","reason":"#);
    serde_json::to_writer(&mut *buffer, &reason)?;
    buffer.extend_from_slice(br#","metadata":"#);
    Ok(())
}

/// Writes the metadata and the end of the record.
pub(super) fn write_end(
    buffer: &mut Vec<u8>,
    flag: &Evaluation<'_>,
    kind: Kind,
) -> serde_json::Result<()> {
    let typed = kind == Kind::Typed;
    let metadata = Metadata {
        id: flag.flag.id.0,
        version: flag.flag.version.max(0),
        description: None,
        payload: flag.payload(),
        has_experiment: flag.flag.has_experiment,
        config_version: typed.then_some(1),
        variant_key: flag.variant().filter(|_| typed),
    };
    serde_json::to_writer(&mut *buffer, &metadata)?;
    buffer.push(b'}');
    Ok(())
}

/// Which flags a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listed {
    All,
    Enabled,
}

/// Values by key.
pub(super) struct Values<'a>(pub(super) &'a Evaluations, pub(super) Listed);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(flags, listed) = self;
        let wanted = |flag: &Evaluation<'_>| *listed == Listed::All || flag.enabled();
        let wanted = flags.iter().filter(wanted);
        serializer.collect_map(wanted.map(|flag| (&flag.flag.key, Value::of(&flag))))
    }
}

/// Payloads by key, of the flags that have one.
pub(super) struct Payloads<'a>(pub(super) &'a Evaluations);

impl Serialize for Payloads<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let flags = self.0.iter();
        serializer.collect_map(flags.filter_map(|flag| Some((&flag.flag.key, flag.payload()?))))
    }
}

/// The keys of the flags that are on.
pub(super) struct EnabledKeys<'a>(pub(super) &'a Evaluations);

impl Serialize for EnabledKeys<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let on = self.0.iter().filter(Evaluation::enabled);
        serializer.collect_seq(on.map(|flag| &flag.flag.key))
    }
}
