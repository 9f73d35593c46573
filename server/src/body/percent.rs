//! Percent-decoding that leaves `+` alone, which form decoders do not.

use std::borrow::Cow;

/// Replaces each `%XX` by its byte; what is not a complete escape stays as it is.
pub(crate) fn decode(raw: &[u8]) -> Cow<'_, [u8]> {
    if !raw.contains(&b'%') {
        return raw.into();
    }
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&first, tail)) = rest.split_first() {
        if let (b'%', Some(byte)) = (first, escaped(tail)) {
            decoded.push(byte);
            rest = tail.get(2..).unwrap_or_default();
        } else {
            decoded.push(first);
            rest = tail;
        }
    }
    decoded.into()
}

fn escaped(tail: &[u8]) -> Option<u8> {
    Some(hex(*tail.first()?)? * 16 + hex(*tail.get(1)?)?)
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_escapes_are_decoded() {
        for (raw, expected) in [
            ("", ""),
            ("a+b", "a+b"),
            ("a%2Bb%3d", "a+b="),
            ("%", "%"),
            ("%4", "%4"),
            ("%zz%41", "%zzA"),
            ("%C3%A9", "é"),
            ("%%41", "%A"),
        ] {
            assert_eq!(
                decode(raw.as_bytes()).as_ref(),
                expected.as_bytes(),
                "{raw}"
            );
        }
    }
}
