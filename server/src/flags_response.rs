//! What `/flags` and `/decide` answer, in every shape of section 3.7.
//!
//! Pure: evaluations in, JSON bytes out, written straight into one buffer. It knows neither how a flag is decided nor HTTP.

pub mod openapi;
mod prepared;
mod record;

#[cfg(test)]
mod tests;

use crate::remote_config::{Minimal, RemoteConfig};
use burgee_evaluation::Evaluations;
use prepared::Prepared;
use record::{EnabledKeys, Kind, Listed, Payloads, Values};
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

/// Writes an answer, its flags in ascending order of their keys.
///
/// Fails only if the writer of JSON does, which a buffer in memory gives no cause for.
pub fn render(
    shape: Shape,
    envelope: &Envelope<'_>,
    evaluations: &Evaluations,
) -> serde_json::Result<Vec<u8>> {
    write(shape, envelope, evaluations, envelope.config)
}

/// Writes the minimal answer to a GET, which evaluates nothing (section 3.10).
pub fn render_minimal(shape: Shape, envelope: &Envelope<'_>) -> serde_json::Result<Vec<u8>> {
    write(
        shape,
        envelope,
        &Evaluations::default(),
        Some(Minimal::default()),
    )
}

fn write(
    shape: Shape,
    envelope: &Envelope<'_>,
    flags: &Evaluations,
    config: Option<impl Serialize>,
) -> serde_json::Result<Vec<u8>> {
    let mut buffer = Vec::with_capacity(ENVELOPE_BYTES + flags.len() * shape.bytes_per_flag());
    buffer.push(b'{');
    if matches!(shape, Shape::V1 | Shape::V2 | Shape::V4) {
        let errors = envelope.errors_while_computing;
        member(&mut buffer, r#""errorsWhileComputingFlags":"#, errors)?;
        buffer.push(b',');
    }
    match shape {
        Shape::V1 => {
            let values = Values(flags, Listed::All);
            member(&mut buffer, r#""featureFlags":"#, values)?;
            member(&mut buffer, r#","featureFlagPayloads":"#, Payloads(flags))?;
        }
        Shape::V2 => Prepared::write(&mut buffer, flags, Kind::Plain)?,
        Shape::V4 => Prepared::write(&mut buffer, flags, Kind::Typed)?,
        Shape::D1 => member(&mut buffer, r#""featureFlags":"#, EnabledKeys(flags))?,
        Shape::D2 => {
            let values = Values(flags, Listed::Enabled);
            member(&mut buffer, r#""featureFlags":"#, values)?;
        }
    }
    let mut id = Uuid::encode_buffer();
    let id = envelope.request_id.hyphenated().encode_lower(&mut id);
    buffer.extend_from_slice(br#","requestId":""#);
    buffer.extend_from_slice(id.as_bytes());
    member(&mut buffer, r#"","evaluatedAt":"#, envelope.evaluated_at)?;
    let end = buffer.len();
    match config {
        None => buffer.push(b'}'),
        Some(config) => {
            serde_json::to_writer(&mut buffer, &config)?;
            // It was written as an object of its own: its members go on where the others ended.
            if let Some(opening) = buffer.get_mut(end) {
                *opening = b',';
            }
        }
    }
    Ok(buffer)
}

/// Writes a value behind text that goes in front of it as it is.
fn member(buffer: &mut Vec<u8>, name: &str, value: impl Serialize) -> serde_json::Result<()> {
    buffer.extend_from_slice(name.as_bytes());
    serde_json::to_writer(buffer, &value)
}
