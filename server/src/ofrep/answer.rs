//! Answers as OFREP writes them (sections 8.3 and 8.4). Nothing in them changes from request to request.

#[cfg(test)]
mod tests;

use super::openapi::OpenFeatureReason;
use burgee_evaluation::Evaluation;
use burgee_evaluation::outcome::{FlagValue, Match, Reason};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cell::RefCell;
use utoipa::ToSchema;

/// About how many bytes one flag takes.
const BYTES_PER_FLAG: usize = 192;

/// What an answer with all flags says besides them.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = OpenFeatureFlagSet)]
pub struct FlagSet<'a> {
    /// The project's id.
    pub project: &'a str,
    /// Which definitions it was made from.
    pub version: &'a str,
}

/// Where a client may listen for changes.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = OpenFeatureEventStream)]
pub struct EventStream {
    /// The only kind there is.
    pub r#type: &'static str,
    /// The whole address, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub url: Option<String>,
    /// Path and query for a client that knows where it reached the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub endpoint: Option<Endpoint>,
    /// For how long a page may be hidden before it hangs up, in seconds.
    #[serde(rename = "inactivityDelaySec")]
    pub inactivity_delay_seconds: u32,
}

/// A place on the server that was asked.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = OpenFeatureEndpoint)]
pub struct Endpoint {
    /// Path and query.
    #[serde(rename = "requestUri")]
    pub request_uri: String,
}

/// Writes the answer for one flag that did not fail.
pub fn write_one(flag: &Evaluation<'_>) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Record::of(flag))
}

/// Writes the answer for all flags, in the order in which they come.
pub fn write_all<'a>(
    flags: impl Iterator<Item = Evaluation<'a>>,
    expected: usize,
    set: FlagSet<'_>,
    stream: Option<&EventStream>,
) -> serde_json::Result<Vec<u8>> {
    let mut buffer = Vec::with_capacity(expected * BYTES_PER_FLAG + 256);
    let answer = All {
        flags: Listed(RefCell::new(flags)),
        metadata: set,
        event_streams: stream.map(std::slice::from_ref),
    };
    serde_json::to_writer(&mut buffer, &answer)?;
    Ok(buffer)
}

#[derive(Serialize)]
struct All<'a, L> {
    flags: L,
    metadata: FlagSet<'a>,
    #[serde(rename = "eventStreams", skip_serializing_if = "Option::is_none")]
    event_streams: Option<&'a [EventStream]>,
}

/// A list that is written as it comes: it can be written once.
struct Listed<I>(RefCell<I>);

impl<'a, I: Iterator<Item = Evaluation<'a>>> Serialize for Listed<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.borrow_mut().by_ref().map(|flag| Entry::of(&flag)))
    }
}

/// A flag that was evaluated, or could not be.
#[derive(Serialize, ToSchema)]
#[schema(as = OpenFeatureEntry)]
#[serde(untagged)]
pub(super) enum Entry<'a> {
    Answered(Record<'a>),
    Failed(Failure<'a>),
}

impl<'a> Entry<'a> {
    fn of(flag: &Evaluation<'a>) -> Self {
        if flag.failed() {
            Self::Failed(Failure {
                key: &flag.flag.key,
                error_code: "GENERAL",
                error_details: flag.description(),
            })
        } else {
            Self::Answered(Record::of(flag))
        }
    }
}

/// A flag that could not be evaluated.
#[derive(Serialize, ToSchema)]
#[schema(as = OpenFeatureFailure)]
pub(super) struct Failure<'a> {
    /// The flag's key.
    key: &'a str,
    /// The protocol's word for what went wrong.
    #[serde(rename = "errorCode")]
    error_code: &'static str,
    /// A sentence for people.
    #[serde(rename = "errorDetails")]
    #[schema(value_type = String)]
    error_details: Cow<'static, str>,
}

/// A flag's value.
#[derive(Serialize, ToSchema)]
#[schema(as = OpenFeatureFlag)]
pub(crate) struct Record<'a> {
    /// The flag's key.
    key: &'a str,
    /// The value. Where it is left out, the client takes what its own code says.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = serde_json::Value, required = false)]
    value: Option<Value<'a>>,
    /// The variant; `true` or `false` for a flag without variants.
    variant: &'a str,
    /// The protocol's word for why the flag has its value.
    #[schema(value_type = OpenFeatureReason)]
    reason: &'static str,
    /// The rest.
    metadata: Metadata<'a>,
}

/// What is known of a flag besides its value.
#[derive(Serialize, ToSchema)]
#[schema(as = OpenFeatureMetadata)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    /// The flag's id.
    flag_id: i32,
    /// Grows with each change of the flag.
    version: i64,
    /// Why the flag has its value, as `/flags` says it.
    posthog_reason: &'static str,
    /// Which condition set decided, counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    condition_index: Option<usize>,
    /// The payload of a flag whose value is not its payload: a text that is JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    payload: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
enum Value<'a> {
    Bool(bool),
    Text(&'a str),
    Json(&'a RawValue),
}

impl<'a> Record<'a> {
    fn of(flag: &Evaluation<'a>) -> Self {
        let payload = flag.payload().filter(|_| flag.enabled());
        let parsed = payload
            .filter(|_| flag.flag.is_remote_configuration)
            .and_then(parse);
        Self {
            key: &flag.flag.key,
            value: parsed.map_or_else(|| value(flag), |parsed| Some(Value::Json(parsed))),
            variant: variant(flag),
            reason: reason(flag),
            metadata: Metadata {
                flag_id: flag.flag.id.0,
                version: flag.flag.version.max(0),
                posthog_reason: flag.outcome.reason.code(),
                condition_index: flag.outcome.condition_index,
                payload: payload.filter(|_| parsed.is_none()),
            },
        }
    }
}

/// Reads a payload as the JSON that it should be. Payloads are stored as texts that nobody may have looked at, and null is no
/// value that a client could use.
fn parse(payload: &str) -> Option<&RawValue> {
    let parsed: &RawValue = serde_json::from_str(payload).ok()?;
    (parsed.get() != "null").then_some(parsed)
}

/// Returns the value of a flag that has no payload for a value; `None` leaves it to the client's own code.
fn value<'a>(flag: &Evaluation<'a>) -> Option<Value<'a>> {
    let is_multivariate = flag.flag.variants() > 0;
    match flag.outcome.value {
        FlagValue::Off if is_multivariate || flag.flag.is_remote_configuration => None,
        FlagValue::Off => Some(Value::Bool(false)),
        // A multivariate flag whose shares leave somebody over has no text to offer.
        FlagValue::On if is_multivariate => None,
        FlagValue::On => Some(Value::Bool(true)),
        FlagValue::Variant(_) => flag.variant().map(Value::Text),
        // A boolean flag must not turn into a text.
        FlagValue::Holdout if is_multivariate => flag.variant().map(Value::Text),
        FlagValue::Holdout => None,
    }
}

fn variant<'a>(flag: &Evaluation<'a>) -> &'a str {
    let plain = if flag.enabled() { "true" } else { "false" };
    flag.variant().unwrap_or(plain)
}

/// Returns one of the protocol's words; clients fail on any other.
fn reason(flag: &Evaluation<'_>) -> &'static str {
    match (flag.outcome.reason, flag.matched()) {
        (Reason::FlagDisabled, _) => "DISABLED",
        (Reason::OutOfRolloutBound | Reason::HoldoutConditionValue, _)
        | (_, Some(Match::Split)) => "SPLIT",
        (_, Some(Match::Targeted)) => "TARGETING_MATCH",
        (_, Some(Match::Everybody)) => "STATIC",
        // An enrolment is a property of the person.
        (Reason::SuperConditionValue, None) if flag.enabled() => "TARGETING_MATCH",
        _ => "UNKNOWN",
    }
}
