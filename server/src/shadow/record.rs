//! Writes requests for flags as `burgee replay` reads them: a JSON object a line.

use crate::peer::Question;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use serde_json::{Map, Value, json};

/// Headers that are not recorded: credentials, and what belongs to a connection or a proxy.
const LEFT_OUT: [&str; 10] = [
    "authorization",
    "cookie",
    "content-length",
    "host",
    "via",
    "x-api-key",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "accept-encoding",
];

/// Returns a request's line.
pub(super) fn line(question: &Question) -> String {
    let mut line = json!({
        "method": question.method.as_str(),
        "path": question.target,
        "headers": headers(&question.headers),
    });
    let (name, body) = match std::str::from_utf8(&question.body) {
        Ok(text) => ("body", text.to_owned()),
        Err(_) => ("body_base64", STANDARD.encode(&question.body)),
    };
    if let Value::Object(members) = &mut line
        && !body.is_empty()
    {
        members.insert(name.to_owned(), Value::from(body));
    }
    line.to_string()
}

fn headers(headers: &HeaderMap) -> Map<String, Value> {
    let kept = headers
        .iter()
        .filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()));
    kept.filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.into())))
        .collect()
}
