//! From the bytes of a body to a parsed request, by the steps of section 3.3 and in their order.
//!
//! It knows encodings, sniffing and limits. What the JSON means is the caller's: it hands in the function that reads the text.

mod gunzip;
mod json;
pub(crate) mod percent;
mod read;
mod unpack;

#[cfg(test)]
mod tests;

pub use json::MAX_DEPTH;
pub use read::read;
pub use unpack::Encoding;

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Bodies up to this many bytes, as received, are decoded where they were read.
const INLINE_RECEIVED: usize = 64 * 1024;

/// A body that unpacks to more than this is decoded on the blocking pool.
const INLINE_DECOMPRESSED: usize = 256 * 1024;

/// How much of a client's own words an error text repeats, in characters.
const MAX_ECHO: usize = 100;

/// Standard alphabet; padding was cut off by the caller, and bits left over in the last character do no harm.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// How large a body may be, in bytes, and how long it may take to arrive.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// As received.
    pub received: usize,
    /// After decompression.
    pub decompressed: usize,
    /// From the request's head to the last byte of its body.
    pub timeout: Duration,
}

impl Default for BodyLimits {
    /// The limits of section 3.3, and five seconds.
    fn default() -> Self {
        Self {
            received: 2 * 1024 * 1024,
            decompressed: 20 * 1024 * 1024,
            timeout: Duration::from_secs(5),
        }
    }
}

/// Why a body could not be read or decoded (section 3.11).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Longer than the limit as received.
    #[error("the body is longer than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// It took too long to arrive.
    #[error("the body did not arrive in time")]
    TimedOut,
    /// The client went away, or broke the transfer encoding.
    #[error("the body ended before its end")]
    Incomplete,
    /// A value of `compression` that is none of the known words.
    #[error("unknown compression")]
    UnsupportedCompression,
    /// Not gzip, or broken; with the decoder's words.
    #[error("gzip: {0}")]
    Gzip(String),
    /// Not what `Content-Encoding` says, or broken; with the decoder's words.
    #[error("{encoding}: {why}")]
    Packed {
        /// The encoding.
        encoding: &'static str,
        /// What is wrong.
        why: String,
    },
    /// An encoding that is not understood; shortened.
    #[error("unsupported content encoding {0}")]
    UnsupportedEncoding(String),
    /// Unpacks to more than the limit.
    #[error("the body unpacks to more than {limit} bytes")]
    DecompressedTooLarge {
        /// The limit, in bytes.
        limit: usize,
        /// How many bytes had come out when it was stopped.
        got: usize,
    },
    /// A content type that is not understood; shortened.
    #[error("unsupported content type {0}")]
    UnsupportedContentType(String),
    /// A form may not be compressed.
    #[error("compressed form")]
    GzipInForm,
    /// A form whose data is not base64 of JSON.
    #[error("not base64 of JSON")]
    InvalidJsonStructure,
    /// Not JSON, not an object, or a member of the wrong type.
    #[error("not the expected JSON")]
    InvalidJson,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested too deep")]
    TooDeep,
    /// A list with more entries than anyone needs.
    #[error("{member} has more than {limit} entries")]
    TooManyEntries {
        /// The member's name.
        member: &'static str,
        /// The limit, in entries.
        limit: usize,
    },
}

/// Why a body that was read has not become a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The body is to blame.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// Too many large bodies are being decoded already.
    #[error("no room to decode a large body")]
    Busy,
    /// The decoder crashed.
    #[error("the decoder crashed")]
    Crashed,
}

impl BodyError {
    /// Returns the label under which it is counted.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too_large",
            Self::TimedOut => "timed_out",
            Self::Incomplete => "incomplete",
            Self::UnsupportedCompression => "unsupported_compression",
            Self::Gzip(_) => "gzip",
            Self::Packed { .. } => "packed",
            Self::UnsupportedEncoding(_) => "unsupported_encoding",
            Self::DecompressedTooLarge { .. } => "decompressed_too_large",
            Self::UnsupportedContentType(_) => "unsupported_content_type",
            Self::GzipInForm => "gzip_in_form",
            Self::InvalidJsonStructure => "invalid_json_structure",
            Self::InvalidJson => "invalid_json",
            Self::TooDeep => "too_deep",
            Self::TooManyEntries { .. } => "too_many_entries",
        }
    }
}

/// Why a text is not the expected JSON. Only the first kind sends the decoder on to its next attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParseError {
    /// Not JSON at all.
    Syntax,
    /// JSON, but of another shape.
    Shape,
    /// A list that is too long.
    TooManyEntries {
        /// The member's name.
        member: &'static str,
        /// The limit, in entries.
        limit: usize,
    },
}

impl From<serde_json::Error> for ParseError {
    fn from(error: serde_json::Error) -> Self {
        if error.is_data() {
            Self::Shape
        } else {
            Self::Syntax
        }
    }
}

/// Reads a decoded text.
pub type Parse<T> = fn(&str) -> Result<T, ParseError>;

/// The `compression` query parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Absent or empty.
    #[default]
    Unstated,
    /// `gzip` or `gzip-js`.
    Gzip,
    /// `base64`, which is found without being told.
    Base64,
    /// Anything else.
    Unknown,
}

impl Compression {
    /// Reads the parameter's value.
    pub fn from_parameter(value: &str) -> Self {
        match value {
            "" => Self::Unstated,
            "gzip" | "gzip-js" => Self::Gzip,
            "base64" => Self::Base64,
            _ => Self::Unknown,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Media {
    Json,
    Form,
    Other(String),
}

/// What a request says about its body's encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyFormat {
    compression: Compression,
    media: Media,
    gzip_header: bool,
    /// The encoding is this one, and nothing is guessed.
    exactly: Option<Encoding>,
}

impl BodyFormat {
    /// Reads the query parameter, `Content-Type` (absent means JSON) and `Content-Encoding`.
    pub fn new(
        compression: Compression,
        content_type: Option<&str>,
        content_encoding: Option<&str>,
    ) -> Self {
        Self {
            compression,
            media: Media::of(content_type.unwrap_or_default()),
            gzip_header: content_encoding
                .is_some_and(|value| value.to_ascii_lowercase().contains("gzip")),
            exactly: None,
        }
    }

    /// Takes `Content-Encoding` at its word, and no other signs: for clients that are known to tell it right.
    pub fn exact(
        content_type: Option<&str>,
        content_encoding: Option<&str>,
    ) -> Result<Self, BodyError> {
        Ok(Self {
            exactly: Some(Encoding::of(content_encoding.unwrap_or_default())?),
            ..Self::new(Compression::Unstated, content_type, None)
        })
    }

    /// Returns the format of a query string with a member `data`, which is read as a form is.
    pub const fn of_query() -> Self {
        Self {
            compression: Compression::Unstated,
            media: Media::Form,
            gzip_header: false,
            exactly: None,
        }
    }

    fn is_gzip(&self, raw: &[u8]) -> bool {
        self.compression == Compression::Gzip || self.gzip_header || raw.starts_with(&gunzip::MAGIC)
    }
}

impl Media {
    fn of(content_type: &str) -> Self {
        let (essence, _) = content_type.split_once(';').unwrap_or((content_type, ""));
        let essence = essence.trim();
        let is = |name: &str| essence.eq_ignore_ascii_case(name);
        if essence.is_empty() || is("application/json") || is("text/plain") {
            Self::Json
        } else if is("application/x-www-form-urlencoded") {
            Self::Form
        } else {
            Self::Other(
                essence
                    .chars()
                    .take(MAX_ECHO)
                    .map(|c| c.to_ascii_lowercase())
                    .collect(),
            )
        }
    }
}

/// Decodes a body: small ones here and now, others on the blocking pool, so that no I/O thread is held for long.
///
/// `slots` bounds how many large bodies are decoded, and so held in memory, at once; waiting for one ends at `deadline`.
pub async fn decode<T: Send + 'static>(
    body: Bytes,
    format: BodyFormat,
    limit: usize,
    slots: &Arc<Semaphore>,
    deadline: Instant,
    parse: Parse<T>,
) -> Result<T, DecodeError> {
    if body.len() <= INLINE_RECEIVED {
        let inline_limit = limit.min(INLINE_DECOMPRESSED);
        match decode_now(&body, &format, inline_limit, parse) {
            Err(BodyError::DecompressedTooLarge { .. }) if inline_limit < limit => {}
            decided => return Ok(decided?),
        }
    }
    let slot = tokio::time::timeout_at(deadline.into(), Arc::clone(slots).acquire_owned());
    let Ok(Ok(slot)) = slot.await else {
        return Err(DecodeError::Busy);
    };
    let decoded = actix_web::web::block(move || {
        // The slot goes with the work: a caller that gives up does not make room before the work is done.
        let _slot = slot;
        decode_now(&body, &format, limit, parse)
    })
    .await;
    Ok(decoded.map_err(|_blocking| DecodeError::Crashed)??)
}

/// Decodes a body on the calling thread; `limit` bounds what it may unpack to, in bytes.
pub fn decode_now<T>(
    raw: &[u8],
    format: &BodyFormat,
    limit: usize,
    parse: Parse<T>,
) -> Result<T, BodyError> {
    if format.compression == Compression::Unknown {
        return Err(BodyError::UnsupportedCompression);
    }
    match &format.media {
        Media::Json if format.exactly.is_some() => decode_exactly(raw, format, limit, parse),
        Media::Json => decode_json(raw, format, limit, parse),
        Media::Form if format.is_gzip(raw) => Err(BodyError::GzipInForm),
        Media::Form => decode_form(raw, parse),
        Media::Other(essence) => Err(BodyError::UnsupportedContentType(essence.clone())),
    }
}

fn decode_json<T>(
    raw: &[u8],
    format: &BodyFormat,
    limit: usize,
    parse: Parse<T>,
) -> Result<T, BodyError> {
    let data: Cow<'_, [u8]> = if format.is_gzip(raw) {
        gunzip::gunzip(raw, limit)?.into()
    } else {
        raw.into()
    };
    // The lossy reading goes byte by byte; nearly all bodies do without it.
    let text = match std::str::from_utf8(&data) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(&data),
    };
    match json::read(&text, parse) {
        Ok(value) => Ok(value),
        Err(json::Fault::Parse(ParseError::Syntax)) => {
            let inner =
                unwrap_base64(&percent::decode(text.as_bytes())).ok_or(BodyError::InvalidJson)?;
            json::read(&inner, parse).map_err(|fault| fault.into_error(BodyError::InvalidJson))
        }
        Err(fault) => Err(fault.into_error(BodyError::InvalidJson)),
    }
}

fn decode_exactly<T>(
    raw: &[u8],
    format: &BodyFormat,
    limit: usize,
    parse: Parse<T>,
) -> Result<T, BodyError> {
    let encoding = format.exactly.unwrap_or(Encoding::Identity);
    let data = unpack::unpack(raw, encoding, limit)?;
    json::read(&String::from_utf8_lossy(&data), parse)
        .map_err(|fault| fault.into_error(BodyError::InvalidJson))
}

fn decode_form<T>(raw: &[u8], parse: Parse<T>) -> Result<T, BodyError> {
    if raw.is_empty() {
        return Err(BodyError::InvalidJson);
    }
    let decoded = percent::decode(form_data(raw));
    let data = decoded.strip_prefix(b"data=").unwrap_or(&decoded);
    let text = unwrap_base64(data).ok_or(BodyError::InvalidJsonStructure)?;
    json::read(&text, parse).map_err(|fault| fault.into_error(BodyError::InvalidJsonStructure))
}

/// Returns what follows `data=` up to the next field, or everything when there is no such field.
fn form_data(raw: &[u8]) -> &[u8] {
    raw.split(|byte| *byte == b'&')
        .find_map(|field| field.strip_prefix(b"data="))
        .unwrap_or(raw)
}

/// Undoes base64. Spaces are dropped and a `+` is kept: to base64 it is a digit.
fn unwrap_base64(encoded: &[u8]) -> Option<String> {
    let digits: Vec<u8> = encoded
        .iter()
        .copied()
        .filter(|byte| *byte != b' ')
        .collect();
    let unpadded = digits
        .iter()
        .rposition(|byte| *byte != b'=')
        .map_or(0, |last| last + 1);
    let bytes = BASE64.decode(digits.get(..unpadded)?).ok()?;
    Some(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(broken) => String::from_utf8_lossy(broken.as_bytes()).into_owned(),
    })
}
