//! Finds the project token of a request for flags, however it is encoded (sections 3.2 to 3.4). The same token is found in every
//! encoding, so that a project stays on its side.

use crate::body::{self, BodyFormat, Compression, ParseError, percent};
use crate::flags_request::FlagsQuery;
use crate::rate_limit::peek_token;
use bytes::Bytes;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Semaphore;

/// The names of the token, the one that counts first (section 3.4).
const NAMES: [&str; 3] = ["token", "api_key", "$token"];

/// A plain body up to this many bytes is only glanced at.
const GLANCED: usize = 64 * 1024;

/// What a body may unpack to, in bytes (section 3.3).
const MAX_UNPACKED: usize = 20 * 1024 * 1024;

/// Returns the token: of the body, else of the query. `None` also where the body cannot be read in time.
pub(super) async fn find(
    query: &str,
    headers: &HeaderMap,
    body: &Bytes,
    slots: &Arc<Semaphore>,
    deadline: Instant,
) -> Option<String> {
    if !body.is_empty() {
        if let Some(token) = glance(body) {
            return Some(token);
        }
        let parameters = FlagsQuery::parse(query);
        let format = format(parameters.compression, headers);
        let decoded = body::decode(body.clone(), format, MAX_UNPACKED, slots, deadline, parse);
        return decoded.await.ok().flatten();
    }
    in_query(query)
}

/// Returns the token of a plain body that is short enough for a glance to tell the same as reading it.
fn glance(body: &[u8]) -> Option<String> {
    if body.len() > GLANCED {
        return None;
    }
    let token = std::str::from_utf8(peek_token(body)?).ok()?;
    // What is escaped is read, so that all spellings of a token are one.
    (!token.contains('\\')).then(|| token.to_owned())
}

fn format(compression: Compression, headers: &HeaderMap) -> BodyFormat {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    BodyFormat::new(compression, text(CONTENT_TYPE), text(CONTENT_ENCODING))
}

/// Returns the token among the parameters, or in the base64 of `data`, as older browsers send it.
fn in_query(query: &str) -> Option<String> {
    let pairs = || {
        query
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    };
    let decoded =
        |text: &str| String::from_utf8_lossy(&percent::decode(text.as_bytes())).into_owned();
    for wanted in NAMES {
        let found = pairs().find(|(name, value)| !value.is_empty() && decoded(name) == wanted);
        if let Some((_, value)) = found {
            return Some(decoded(value));
        }
    }
    pairs().find(|(name, _)| *name == "data")?;
    let read = body::decode_now(
        query.as_bytes(),
        &BodyFormat::of_query(),
        MAX_UNPACKED,
        parse,
    );
    read.ok().flatten()
}

#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    token: Option<&'a RawValue>,
    #[serde(borrow)]
    api_key: Option<&'a RawValue>,
    #[serde(borrow, rename = "$token")]
    dollar_token: Option<&'a RawValue>,
}

fn parse(text: &str) -> Result<Option<String>, ParseError> {
    // serde reads a struct from an array as well.
    if text.trim_start().starts_with('[') {
        return Err(ParseError::Shape);
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    // The body decoder has bounded the depth before.
    deserializer.disable_recursion_limit();
    let members = Members::deserialize(&mut deserializer)?;
    deserializer.end()?;
    let raw = [members.token, members.api_key, members.dollar_token];
    let texts = raw.into_iter().flatten();
    let mut texts = texts.filter_map(|raw| serde_json::from_str::<String>(raw.get()).ok());
    Ok(texts.find(|token| !token.is_empty()))
}
