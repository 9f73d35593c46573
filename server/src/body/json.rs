//! JSON as clients really send it: a bound on depth that needs no stack, and the bare words of older Python clients.

use super::{BodyError, Parse, ParseError};

/// How deep arrays and objects may be nested; the outermost counts as one (section 3.3).
pub const MAX_DEPTH: usize = 128;

/// Words that are numbers to some writers and nothing to JSON. Longest first: one ends in another.
const BARE_WORDS: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];

/// Why a text was not read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// What the parser said.
    Parse(ParseError),
}

impl Fault {
    /// Returns the error of the whole body, `syntax` being the one for a text that is not JSON.
    pub(super) fn into_error(self, syntax: BodyError) -> BodyError {
        match self {
            Self::TooDeep => BodyError::TooDeep,
            Self::Parse(ParseError::Syntax) => syntax,
            Self::Parse(ParseError::Shape) => BodyError::InvalidJson,
            Self::Parse(ParseError::TooManyEntries { member, limit }) => {
                BodyError::TooManyEntries { member, limit }
            }
        }
    }
}

/// Reads a text that is safe to recurse into, with bare words as null when it is not JSON otherwise.
pub(super) fn read<T>(text: &str, parse: Parse<T>) -> Result<T, Fault> {
    if has_many_brackets(text) && depth(text) > MAX_DEPTH {
        return Err(Fault::TooDeep);
    }
    match parse(text) {
        // Bare words are never valid JSON, so the usual request pays nothing for them.
        Err(ParseError::Syntax) => match bare_words_to_null(text) {
            Some(relaxed) => parse(&relaxed).map_err(Fault::Parse),
            None => Err(Fault::Parse(ParseError::Syntax)),
        },
        decided => decided.map_err(Fault::Parse),
    }
}

/// Returns whether there are brackets enough for a text to be too deep, wherever they stand. Few requests have so many, and to
/// count is quicker than to follow strings.
fn has_many_brackets(text: &str) -> bool {
    let opening = text.bytes().filter(|byte| matches!(byte, b'[' | b'{'));
    opening.count() > MAX_DEPTH
}

/// Returns how deep brackets outside strings are nested at most. It need not be valid JSON.
fn depth(text: &str) -> usize {
    let mut deepest = 0;
    let mut open: usize = 0;
    let mut strings = Strings::default();
    for byte in text.bytes() {
        if strings.contain(byte) {
            continue;
        }
        match byte {
            b'[' | b'{' => {
                open += 1;
                deepest = deepest.max(open);
            }
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Returns the text with every bare word outside strings replaced by `null`, or `None` when there is none.
fn bare_words_to_null(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut strings = Strings::default();
    let mut relaxed = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let word = if strings.contain(byte) {
            None
        } else {
            bare_word(bytes, at)
        };
        if let Some(word) = word {
            relaxed.push_str(text.get(copied..at)?);
            relaxed.push_str("null");
            copied = at + word.len();
            at = copied;
        } else {
            at += 1;
        }
    }
    if copied == 0 {
        return None;
    }
    relaxed.push_str(text.get(copied..)?);
    Some(relaxed)
}

/// Returns the bare word that starts at an index and stands alone there.
fn bare_word(bytes: &[u8], at: usize) -> Option<&'static [u8]> {
    let rest = bytes.get(at..)?;
    let word = *BARE_WORDS.iter().find(|word| rest.starts_with(word))?;
    let is_word = |byte: Option<&u8>| {
        byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
    };
    let before = at.checked_sub(1).and_then(|index| bytes.get(index));
    (!is_word(before) && !is_word(rest.get(word.len()))).then_some(word)
}

/// Tells the bytes of strings, quotes included, from all others.
#[derive(Default)]
struct Strings {
    inside: bool,
    escaped: bool,
}

impl Strings {
    fn contain(&mut self, byte: u8) -> bool {
        if !self.inside {
            self.inside = byte == b'"';
            return self.inside;
        }
        if self.escaped {
            self.escaped = false;
        } else if byte == b'\\' {
            self.escaped = true;
        } else if byte == b'"' {
            self.inside = false;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_strings() {
        for (text, expected) in [
            ("", 0),
            ("1", 0),
            ("{}", 1),
            ("[[],[[]]]", 3),
            (r#"{"a":"[[[["}"#, 1),
            (r#"{"a":"\"[[[["}"#, 1),
            (r#"{"a":"\\","b":[[]]}"#, 3),
            ("[[[", 3),
            ("]]][", 1),
        ] {
            assert_eq!(depth(text), expected, "{text}");
        }
    }

    #[test]
    fn bare_words_become_null_outside_strings_only() {
        for (text, expected) in [
            (r#"{"a":NaN}"#, Some(r#"{"a":null}"#)),
            (
                r#"[Infinity,-Infinity, NaN ]"#,
                Some(r#"[null,null, null ]"#),
            ),
            (r#"{"NaN":"NaN -Infinity"}"#, None),
            (r#"{"a":"\"NaN"}"#, None),
            (r#"{"é":NaN,"ü":1}"#, Some(r#"{"é":null,"ü":1}"#)),
            ("xNaN", None),
            ("NaNs", None),
            ("--Infinity", None),
            ("1.NaN", None),
        ] {
            assert_eq!(bare_words_to_null(text).as_deref(), expected, "{text}");
        }
    }
}
