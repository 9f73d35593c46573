//! Parameters of query strings.

use crate::body::percent;
use std::borrow::Cow;
use std::fmt::Write;

/// Returns a parameter's value, the first if there are several; `None` also when it is no text.
pub(super) fn parameter<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(found, _)| *found == name)?;
    match percent::decode(value.as_bytes()) {
        Cow::Borrowed(_) => Some(value.into()),
        Cow::Owned(decoded) => String::from_utf8(decoded).ok().map(Cow::Owned),
    }
}

/// Writes a text so that it can be a parameter's value.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a text does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::{encode, parameter};

    #[test]
    fn parameters_are_found_by_name() {
        for (query, expected) in [
            ("", None),
            ("since", None),
            ("since=a.1", Some("a.1")),
            ("since=", Some("")),
            ("x=1&since=%22a%22&since=b", Some("\"a\"")),
            ("xsince=a", None),
            ("since=%ff", None),
        ] {
            assert_eq!(parameter(query, "since").as_deref(), expected, "{query}");
        }
    }

    #[test]
    fn what_was_encoded_is_read_again() {
        for text in ["", "phc_local_dev", "a&b=c d%+/?#é\""] {
            let query = format!("x=1&token={}", encode(text));
            assert_eq!(parameter(&query, "token").as_deref(), Some(text));
        }
        assert_eq!(encode("a b&é"), "a%20b%26%C3%A9");
    }
}
