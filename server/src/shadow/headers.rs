//! Which headers go on and which stay (RFC 9110, section 7.6; RFC 9112, section 9.6), in both directions.

use crate::peer::Exchanged;
use actix_web::HttpRequest;
use actix_web::HttpResponseBuilder;
use actix_web::http::header as served;
use hyper::header::{
    self, ACCEPT_ENCODING, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, VIA,
};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// What the proxy calls itself.
const NAME: &str = "1.1 burgee-shadow";

/// Headers that are about one connection, beside those that `Connection` names.
const OF_A_CONNECTION: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Returns the headers of a request as they go on: without those of this connection, with those that tell where it came from.
pub(super) fn onward(request: &HttpRequest) -> HeaderMap {
    let came = request.headers();
    let named: Vec<&str> = came
        .get_all(served::CONNECTION)
        .filter_map(as_text)
        .collect();
    let is_coded = came.contains_key(served::TRANSFER_ENCODING);
    let mut headers = HeaderMap::with_capacity(came.len() + 4);
    for (name, value) in came {
        let stays = is_of_a_connection(name.as_str(), &named);
        let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_str().as_bytes()),
            HeaderValue::from_bytes(value.as_bytes()),
        ) else {
            continue;
        };
        // A length beside a transfer coding is not the body's (RFC 9112, section 6.3).
        let is_wrong_length = is_coded && name == CONTENT_LENGTH;
        // The host is the peer's own, and the server has answered what was expected of it.
        if !stays && !is_wrong_length && name != HOST && name != EXPECT {
            headers.append(name, value);
        }
    }
    if let Some(peer) = request.peer_addr() {
        append_to_list(
            &mut headers,
            FORWARDED_FOR,
            &peer.ip().to_canonical().to_string(),
        );
    }
    let host = came.get(served::HOST).and_then(as_text);
    set_if_absent(&mut headers, FORWARDED_HOST, host);
    set_if_absent(&mut headers, FORWARDED_PROTO, Some("http"));
    append_to_list(&mut headers, VIA, NAME);
    headers
}

/// Returns the headers of a whole request: its length is known anew, and whatever it was sent with is not asked for twice.
pub(super) fn without_length(mut headers: HeaderMap) -> HeaderMap {
    headers.remove(CONTENT_LENGTH);
    headers
}

/// Returns the headers of a question nobody but the proxy reads the answer of.
pub(super) fn for_comparison(mut headers: HeaderMap) -> HeaderMap {
    headers.remove(ACCEPT_ENCODING);
    headers
}

/// Adds the headers of an answer to the one that goes back, without those of the connection it came on.
pub(super) fn back(headers: &HeaderMap, response: &mut HttpResponseBuilder) {
    let named: Vec<&str> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    for (name, value) in headers {
        // The length is written with the body.
        if is_of_a_connection(name.as_str(), &named) || name == CONTENT_LENGTH {
            continue;
        }
        let (Ok(name), Ok(value)) = (
            served::HeaderName::from_bytes(name.as_str().as_bytes()),
            served::HeaderValue::from_bytes(value.as_bytes()),
        ) else {
            continue;
        };
        response.append_header((name, value));
    }
}

/// Returns how an answer's body is encoded.
pub(super) fn encoding(answer: &Exchanged) -> Option<&str> {
    let encoding = answer.headers.get(header::CONTENT_ENCODING);
    encoding.and_then(|value| value.to_str().ok())
}

fn is_of_a_connection(name: &str, named: &[&str]) -> bool {
    let mut named = named.iter().flat_map(|list| list.split(','));
    OF_A_CONNECTION.contains(&name) || named.any(|other| other.trim().eq_ignore_ascii_case(name))
}

fn as_text(value: &served::HeaderValue) -> Option<&str> {
    value.to_str().ok()
}

/// Appends to a list that is one header, so that whoever reads only one finds all.
fn append_to_list(headers: &mut HeaderMap, name: HeaderName, entry: &str) {
    let before = headers
        .get_all(&name)
        .iter()
        .filter_map(|it| it.to_str().ok());
    let list: Vec<&str> = before.chain([entry]).collect();
    if let Ok(value) = HeaderValue::from_str(&list.join(", ")) {
        headers.insert(name, value);
    }
}

/// What an outer proxy said is nearer to the client.
fn set_if_absent(headers: &mut HeaderMap, name: HeaderName, value: Option<&str>) {
    let value = value.and_then(|value| HeaderValue::from_str(value).ok());
    if let Some(value) = value {
        headers.entry(name).or_insert(value);
    }
}
