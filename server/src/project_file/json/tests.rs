//! JSON texts to compact JSON, or to the faults with their places.

use super::*;
use proptest::prelude::*;

/// The compact form, and the faults as `line:column message`.
fn read(text: &str) -> Result<String, Vec<String>> {
    let mut faults = Vec::new();
    let parsed = parse(text, &mut faults);
    let shown = |f: &Fault| format!("{} {}", f.place, f.message);
    match parsed {
        Ok(node) if faults.is_empty() => Ok(node.to_json()),
        Ok(_) => Err(faults.iter().map(shown).collect()),
        Err(fault) => Err(vec![shown(&fault)]),
    }
}

#[test]
fn what_is_read_is_kept() {
    for (text, expected) in [
        ("5", "5"),
        ("5.0", "5.0"),
        ("-0", "-0"),
        ("1E2", "1E2"),
        ("12345678901234567890123", "12345678901234567890123"),
        (" [ 1 , 2.50 , null ] ", "[1,2.50,null]"),
        ("{\"b\": 1,\n\"a\": {}}", "{\"b\":1,\"a\":{}}"),
        (r#""\u00e9\ud83e\udd89\/""#, "\"é🦉/\""),
        (r#""\u0000\u2028\"\\""#, r#""\u0000\u2028\"\\""#),
        (
            r#"{"payloads": {"true": "{\"eur\": 9}"}}"#,
            r#"{"payloads":{"true":"{\"eur\": 9}"}}"#,
        ),
    ] {
        assert_eq!(read(text), Ok(expected.to_owned()), "{text}");
    }
}

#[test]
fn faults_name_their_place() {
    let deep = "[".repeat(MAX_DEPTH + 2);
    for (text, expected) in [
        ("", "1:1 expected a value, found the end of the text"),
        (
            "{\"a\": 1",
            "1:8 expected `,` or `}`, found the end of the text",
        ),
        (
            "{\"a\" 1}",
            "1:6 expected `:` after the member name, found `1`",
        ),
        (
            "{a: 1}",
            "1:2 expected a member name in double quotes, found `a`",
        ),
        (
            "[1,\n 1e400]",
            "2:2 the number 1e400 is beyond the range of a double; write it as a text, or smaller",
        ),
        ("[01]", "1:2 `01` is not a JSON value"),
        ("[1] x", "1:5 unexpected text after the end of the value"),
        (
            "\"a\nb\"",
            "1:1 a control character inside a text; escape it",
        ),
        ("\"abc", "1:1 a text without a closing quote"),
        ("\"\\", "1:1 a text without a closing quote"),
        (
            "{\"a\": 1, \"a\": 2}",
            "1:10 `a` is written twice in one object",
        ),
        ("[NaN]", "1:2 `NaN` is not a JSON value"),
        (&deep, "1:252 nested deeper than 250 levels"),
    ] {
        assert_eq!(read(text), Err(vec![expected.to_owned()]), "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC*") {
        let _ = read(&text);
    }

    /// Whatever our reader takes, `serde_json` takes, and the other way round.
    #[test]
    fn agrees_with_serde(text in "[\\[\\]{}:,\"a0-9.eE+\\- tfn\\\\u]{0,12}") {
        let ours = read(&text).is_ok();
        let theirs = serde_json::from_str::<serde_json::Value>(&text).is_ok();
        // Members that occur twice are a fault only for us, and none can be written in so few characters.
        prop_assert_eq!(ours, theirs, "{}", text);
    }
}
