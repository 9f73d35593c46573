//! One flag's answer, and the ways in which the shapes list flags.

use burgee_evaluation::Evaluation;
use serde::{Serialize, Serializer};
use std::borrow::Cow;

/// Everything an answer may say about one flag.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The flag's key.
    pub key: &'a str,
    /// The flag's id.
    pub id: i32,
    /// Its version, never negative.
    pub version: i64,
    /// Whether it belongs to an experiment.
    pub has_experiment: bool,
    /// Whether it is on.
    pub enabled: bool,
    /// Whether it could not be computed.
    pub failed: bool,
    /// The variant's key.
    pub variant: Option<&'a str>,
    /// The payload, as JSON text.
    pub payload: Option<&'a str>,
    /// The reason's wire code.
    pub code: &'static str,
    /// The 0-based index of the condition that decided.
    pub condition_index: Option<usize>,
}

/// What can be read as a record, without being copied first.
pub trait AsRecord {
    /// Returns the record.
    fn record(&self) -> Record<'_>;

    /// Returns the reason as a sentence. Apart from the record, because not every shape has it and it may have to be formatted.
    fn description(&self) -> Cow<'static, str>;
}

impl AsRecord for Evaluation {
    fn record(&self) -> Record<'_> {
        Record {
            key: &self.flag.key,
            id: self.flag.id.0,
            version: self.flag.version.max(0),
            has_experiment: self.flag.has_experiment,
            enabled: self.enabled(),
            failed: self.failed(),
            variant: self.variant(),
            payload: self.payload(),
            code: self.outcome.reason.code(),
            condition_index: self.outcome.condition_index,
        }
    }

    fn description(&self) -> Cow<'static, str> {
        Self::description(self)
    }
}

/// A flag's value: its variant if it has one, else whether it is on.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
pub(super) enum Value<'a> {
    Variant(&'a str),
    Enabled(bool),
}

impl<'a> Record<'a> {
    fn value(&self) -> Value<'a> {
        self.variant
            .map_or(Value::Enabled(self.enabled), Value::Variant)
    }
}

/// The record of shapes 2 and 4, member by member.
#[derive(Serialize)]
pub(super) struct WireRecord<'a> {
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Option<Value<'a>>>,
    enabled: bool,
    variant: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    failed: bool,
    reason: WireReason,
    metadata: Metadata<'a>,
}

#[derive(Serialize)]
struct WireReason {
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

/// Returns the record of shape 2.
pub(super) fn plain<R: AsRecord>(flag: &R) -> WireRecord<'_> {
    let record = flag.record();
    WireRecord {
        key: record.key,
        value: None,
        enabled: record.enabled,
        variant: record.variant,
        failed: record.failed,
        reason: WireReason {
            code: record.code,
            condition_index: record.condition_index,
            description: flag.description(),
        },
        metadata: Metadata {
            id: record.id,
            version: record.version,
            description: None,
            payload: record.payload,
            has_experiment: record.has_experiment,
            config_version: None,
            variant_key: None,
        },
    }
}

/// Returns the record of shape 4, which keeps the members of shape 2 for readers of both.
pub(super) fn typed<R: AsRecord>(flag: &R) -> WireRecord<'_> {
    let record = flag.record();
    let mut wire = plain(flag);
    wire.value = Some((!record.failed).then(|| record.value()));
    wire.metadata.config_version = Some(1);
    wire.metadata.variant_key = wire.variant;
    wire
}

/// All records by key.
pub(super) struct Records<'a, R>(
    pub(super) &'a [R],
    pub(super) for<'r> fn(&'r R) -> WireRecord<'r>,
);

impl<R: AsRecord> Serialize for Records<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(records, wire) = self;
        serializer.collect_map(records.iter().map(|flag| {
            let record = wire(flag);
            (record.key, record)
        }))
    }
}

/// Which flags a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listed {
    All,
    Enabled,
}

/// Values by key.
pub(super) struct Values<'a, R>(pub(super) &'a [R], pub(super) Listed);

impl<R: AsRecord> Serialize for Values<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(flags, listed) = self;
        let records = flags.iter().map(AsRecord::record);
        serializer.collect_map(
            records
                .filter(|record| *listed == Listed::All || record.enabled)
                .map(|record| (record.key, record.value())),
        )
    }
}

/// Payloads by key, of the flags that have one.
pub(super) struct Payloads<'a, R>(pub(super) &'a [R]);

impl<R: AsRecord> Serialize for Payloads<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let records = self.0.iter().map(AsRecord::record);
        serializer.collect_map(records.filter_map(|record| Some((record.key, record.payload?))))
    }
}

/// The keys of the flags that are on.
pub(super) struct EnabledKeys<'a, R>(pub(super) &'a [R]);

impl<R: AsRecord> Serialize for EnabledKeys<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let records = self.0.iter().map(AsRecord::record);
        serializer.collect_seq(
            records
                .filter(|record| record.enabled)
                .map(|record| record.key),
        )
    }
}
