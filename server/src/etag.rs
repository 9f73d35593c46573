//! Entity tags made from content, and what a client says it has already.

use actix_web::http::header::{HeaderMap, HeaderValue, IF_NONE_MATCH};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// How many bytes of a digest a tag shows: enough that two answers never share one.
const SHOWN: usize = 16;

/// Returns the tag of a body, in its quotes. Equal bodies have equal tags, on every instance and at every time.
pub fn of(body: &[u8]) -> String {
    let digest = Sha256::digest(body);
    let mut tag = String::with_capacity(2 + 2 * SHOWN);
    tag.push('"');
    for byte in digest.iter().take(SHOWN) {
        // Writing to a text does not fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}

/// Returns whether a request says that it has this tag's content: `If-None-Match`, compared weakly, `*` included.
pub fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let lists = headers.get_all(IF_NONE_MATCH).map(HeaderValue::as_bytes);
    lists
        .flat_map(|list| list.split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .any(|known| known == b"*" || known.strip_prefix(b"W/").unwrap_or(known) == tag.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_bodies_have_equal_tags() {
        assert_eq!(of(b"abc"), "\"ba7816bf8f01cfea414140de5dae2223\"");
        assert_eq!(of(b"abc"), of(b"abc"));
        assert_ne!(of(b"abc"), of(b"abd"));
    }

    #[test]
    fn a_tag_is_found_however_it_is_listed() {
        let cases: [(&[&str], bool); 10] = [
            (&[], false),
            (&["\"a\""], true),
            (&["\"b\""], false),
            (&["a"], false),
            (&["W/\"a\""], true),
            (&["*"], true),
            (&["\"b\", \"a\""], true),
            (&["\"b\",W/\"a\" "], true),
            (&["\"b\"", "\"a\""], true),
            (&["\"ab\"", ""], false),
        ];
        for (sent, expected) in cases {
            let mut headers = HeaderMap::new();
            for value in sent {
                headers.append(IF_NONE_MATCH, HeaderValue::from_str(value).unwrap());
            }
            assert_eq!(is_known(&headers, "\"a\""), expected, "{sent:?}");
        }
    }
}
