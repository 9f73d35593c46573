//! What `/flags` and `/decide` answer, in every shape of section 3.7.
//!
//! Pure: records in, JSON bytes out, written straight into one buffer. It knows neither how a flag is decided nor HTTP.

mod record;

#[cfg(test)]
mod tests;

pub use record::{AsRecord, Record};

use crate::remote_config::{Minimal, RemoteConfig};
use burgee_evaluation::Evaluation;
use record::{EnabledKeys, Listed, Payloads, Records, Values, plain, typed};
use serde::Serialize;
use uuid::Uuid;

/// The shape of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Values and payloads in two maps.
    V1,
    /// A record a flag.
    V2,
    /// A record a flag, with a typed value.
    V4,
    /// The keys of the flags that are on.
    D1,
    /// The values of the flags that are on.
    D2,
}

impl Shape {
    /// Returns about how many bytes one flag takes, so that the buffer seldom grows.
    const fn bytes_per_flag(self) -> usize {
        match self {
            Self::V1 | Self::D2 => 64,
            Self::V2 => 320,
            Self::V4 => 400,
            Self::D1 => 32,
        }
    }
}

/// What every shape has besides flags.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// `errorsWhileComputingFlags`, where the shape has it.
    pub errors_while_computing: bool,
    /// `requestId`.
    pub request_id: Uuid,
    /// `evaluatedAt`, in milliseconds since 1970.
    pub evaluated_at: i64,
    /// The members of section 5.2, when they were asked for.
    pub config: Option<RemoteConfig<'a>>,
}

/// Room for the envelope and the config members.
const ENVELOPE_BYTES: usize = 1024;

/// Writes an answer. The records are expected in ascending order of their keys, and stay in it.
///
/// Fails only if the writer of JSON does, which a buffer in memory gives no cause for.
pub fn render<R: AsRecord>(
    shape: Shape,
    envelope: &Envelope<'_>,
    records: &[R],
) -> serde_json::Result<Vec<u8>> {
    write(shape, envelope, records, envelope.config)
}

/// Writes the minimal answer to a GET, which evaluates nothing (section 3.10).
pub fn render_minimal(shape: Shape, envelope: &Envelope<'_>) -> serde_json::Result<Vec<u8>> {
    write::<Evaluation>(shape, envelope, &[], Some(Minimal::default()))
}

fn write<R: AsRecord>(
    shape: Shape,
    envelope: &Envelope<'_>,
    records: &[R],
    config: Option<impl Serialize>,
) -> serde_json::Result<Vec<u8>> {
    let buffer = Vec::with_capacity(ENVELOPE_BYTES + records.len() * shape.bytes_per_flag());
    match shape {
        Shape::V1 => {
            let flags = ValuesAndPayloads {
                feature_flags: Values(records, Listed::All),
                feature_flag_payloads: Payloads(records),
            };
            finish(
                buffer,
                envelope,
                Some(envelope.errors_while_computing),
                flags,
                config,
            )
        }
        Shape::V2 | Shape::V4 => {
            let flags = Flags {
                flags: Records(records, if shape == Shape::V4 { typed } else { plain }),
            };
            finish(
                buffer,
                envelope,
                Some(envelope.errors_while_computing),
                flags,
                config,
            )
        }
        Shape::D1 => {
            let feature_flags = EnabledKeys(records);
            finish(
                buffer,
                envelope,
                None,
                FeatureFlags { feature_flags },
                config,
            )
        }
        Shape::D2 => {
            let feature_flags = Values(records, Listed::Enabled);
            finish(
                buffer,
                envelope,
                None,
                FeatureFlags { feature_flags },
                config,
            )
        }
    }
}

fn finish(
    mut buffer: Vec<u8>,
    envelope: &Envelope<'_>,
    errors_while_computing_flags: Option<bool>,
    flags: impl Serialize,
    config: Option<impl Serialize>,
) -> serde_json::Result<Vec<u8>> {
    let mut id = Uuid::encode_buffer();
    let answer = Answer {
        errors_while_computing_flags,
        flags,
        request_id: envelope.request_id.hyphenated().encode_lower(&mut id),
        evaluated_at: envelope.evaluated_at,
        config,
    };
    serde_json::to_writer(&mut buffer, &answer)?;
    Ok(buffer)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a, F, C> {
    #[serde(skip_serializing_if = "Option::is_none")]
    errors_while_computing_flags: Option<bool>,
    #[serde(flatten)]
    flags: F,
    request_id: &'a str,
    evaluated_at: i64,
    #[serde(flatten)]
    config: Option<C>,
}

#[derive(Serialize)]
struct Flags<F> {
    flags: F,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FeatureFlags<F> {
    feature_flags: F,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ValuesAndPayloads<F, P> {
    feature_flags: F,
    feature_flag_payloads: P,
}
