//! Finds the token in a body that was not decoded yet: a look at the top level of plain JSON, without memory of its own.
//! Nothing is decompressed, and nothing depends on what is found but whose limit counts.

/// How far it looks, in bytes. SDKs put the token first.
const FAR: usize = 64 * 1024;

/// The names of the member, the one that counts first (section 3.4).
const NAMES: [&[u8]; 3] = [b"token", b"api_key", b"$token"];

/// Returns the token as it is written between its quotes; `None` when it is not in plain sight.
pub fn peek_token(body: &[u8]) -> Option<&[u8]> {
    let mut found = [None; NAMES.len()];
    // Half a body tells as much as was read of it.
    let _end = scan(body.get(..FAR).unwrap_or(body), &mut found);
    found.into_iter().flatten().find(|token| !token.is_empty())
}

fn scan<'a>(text: &'a [u8], found: &mut [Option<&'a [u8]>; NAMES.len()]) -> Option<()> {
    let mut text = after(spaces(text), b'{')?;
    loop {
        let (name, rest) = string(spaces(text))?;
        let value = spaces(after(spaces(rest), b':')?);
        let place = NAMES.iter().position(|known| *known == name);
        text = match (string(value), place.and_then(|place| found.get_mut(place))) {
            (Some((token, rest)), Some(slot)) => {
                *slot = slot.or(Some(token));
                if place == Some(0) && !token.is_empty() {
                    return None; // Nothing can come before it.
                }
                rest
            }
            (Some((_, rest)), None) => rest,
            (None, _) => skip(value)?,
        };
        text = after(spaces(text), b',')?;
    }
}

fn spaces(text: &[u8]) -> &[u8] {
    text.trim_ascii_start()
}

fn after(text: &[u8], byte: u8) -> Option<&[u8]> {
    text.strip_prefix(&[byte])
}

/// Takes a string off the front: what is between the quotes, and what comes after.
fn string(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = after(text, b'"')?;
    let mut escaped = false;
    let end = text.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    })?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

/// Takes any other value off the front, up to the comma or bracket behind it.
fn skip(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    let mut depth = 0_u32;
    loop {
        match rest.first()? {
            b'"' => {
                rest = string(rest)?.1;
                continue;
            }
            b'{' | b'[' => depth = depth.checked_add(1)?,
            b'}' | b']' | b',' if depth == 0 => return Some(rest),
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        rest = rest.get(1..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::{FAR, peek_token};

    #[test]
    fn the_token_is_found_where_it_counts() {
        let padding = " ".repeat(FAR);
        let cases = [
            (r#"{"token": "a"}"#, Some("a")),
            (r#" {"api_key":"a"}"#, Some("a")),
            (r#"{"$token" : "a" , "x": 1}"#, Some("a")),
            (r#"{"api_key": "b", "token": "a"}"#, Some("a")),
            (r#"{"$token": "c", "api_key": "b"}"#, Some("b")),
            (r#"{"api_key": "b", "token": null}"#, Some("b")),
            (r#"{"api_key": "b", "token": ""}"#, Some("b")),
            (r#"{"token": 5}"#, None),
            (
                r#"{"person_properties": {"token": "x"}, "token": "a"}"#,
                Some("a"),
            ),
            (r#"{"a": [{"token": "x"}, "]}"], "token": "a"}"#, Some("a")),
            (r#"{"a": "\"token\": \"x\"", "token": "a"}"#, Some("a")),
            (r#"{"a": "\\", "token": "a"}"#, Some("a")),
            (
                r#"{"a": -1.5e3, "b": true, "c": NaN, "token": "a"}"#,
                Some("a"),
            ),
            (r#"{"a": {}, "b": [], "token": "a\"b"}"#, Some(r#"a\"b"#)),
            (r#"{"distinct_id": "u"}"#, None),
            // Cut off in the middle.
            (
                r#"{"api_key": "b", "person_properties": {"a": [1, "#,
                Some("b"),
            ),
            (r#"{"token": "a"#, None),
            // Nothing that is in plain sight.
            ("", None),
            ("{", None),
            ("{}", None),
            ("[{\"token\": \"a\"}]", None),
            ("data=eyJ0b2tlbiI6ICJhIn0%3D", None),
            ("\u{1f}\u{8b}", None),
            ("{]]]]", None),
        ];
        for (body, expected) in cases {
            let found =
                peek_token(body.as_bytes()).map(|token| std::str::from_utf8(token).unwrap());
            assert_eq!(found, expected, "{body}");
        }
        let far = format!("{{\"a\": \"{padding}\", \"token\": \"a\"}}");
        assert_eq!(
            peek_token(far.as_bytes()),
            None,
            "it does not look that far"
        );
    }

    #[test]
    fn deep_nesting_is_no_matter() {
        let deep = format!("{{\"a\": {}, \"token\": \"a\"}}", "[".repeat(40_000));
        assert_eq!(peek_token(deep.as_bytes()), None);
        let closed = format!(
            "{{\"a\": {}{}, \"token\": \"a\"}}",
            "[".repeat(9_000),
            "]".repeat(9_000)
        );
        assert_eq!(peek_token(closed.as_bytes()), Some(&b"a"[..]));
    }
}
