//! The text form of a JSON value: what most comparisons work on.

use serde_json::Value;
use std::borrow::Cow;

/// Returns the text form of a value: a string as it is, anything else as compact JSON with sorted keys.
///
/// Only numbers, lists and objects allocate. Key order and number spelling are those of `serde_json` without its
/// `preserve_order` and `arbitrary_precision` features; the tests notice if either is ever switched on.
pub fn text_form(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Bool(true) => Cow::Borrowed("true"),
        Value::Bool(false) => Cow::Borrowed("false"),
        Value::Null => Cow::Borrowed("null"),
        Value::Number(number) => Cow::Owned(number.to_string()),
        Value::Array(_) | Value::Object(_) => Cow::Owned(value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::text_form;
    use serde_json::Value;
    use std::borrow::Cow;

    /// JSON as sent, and its text form.
    const FORMS: &[(&str, &str)] = &[
        (r#""a \"b\" ü""#, "a \"b\" ü"),
        (r#""""#, ""),
        ("true", "true"),
        ("false", "false"),
        ("null", "null"),
        ("5", "5"),
        ("5.0", "5.0"),
        ("-5", "-5"),
        ("-0.0", "-0.0"),
        ("0.1", "0.1"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("100.00", "100.0"),
        ("1e2", "100.0"),
        ("1e-5", "0.00001"),
        ("0.00001", "0.00001"),
        ("1.25e-5", "0.0000125"),
        ("0.0000099", "9.9e-6"),
        ("1e-7", "1e-7"),
        ("1.5e-7", "1.5e-7"),
        ("5e-324", "5e-324"),
        ("1e15", "1000000000000000.0"),
        ("9999999999999998.0", "9999999999999998.0"),
        ("1e16", "1e+16"),
        ("1.5e16", "1.5e+16"),
        ("-1e16", "-1e+16"),
        ("1e300", "1e+300"),
        ("9007199254740993", "9007199254740993"),
        ("9223372036854775807", "9223372036854775807"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("18446744073709551615", "18446744073709551615"),
        ("18446744073709551616", "1.8446744073709552e+19"),
        ("[]", "[]"),
        ("{}", "{}"),
        (r#"[ "a", 1 ]"#, r#"["a",1]"#),
        (r#"[null, true, "\u00fc\n"]"#, r#"[null,true,"ü\n"]"#),
        (
            r#"{"b": 1, "a": {"z": [], "é": 0, "Z": 5.0}}"#,
            r#"{"a":{"Z":5.0,"z":[],"é":0},"b":1}"#,
        ),
    ];

    #[test]
    fn every_kind_has_its_text_form() {
        for (json, expected) in FORMS {
            let value: Value = serde_json::from_str(json).unwrap();
            assert_eq!(text_form(&value), *expected, "{json}");
        }
    }

    #[test]
    fn strings_and_constants_are_borrowed() {
        for json in [r#""maria@corp.test""#, "true", "false", "null"] {
            let value: Value = serde_json::from_str(json).unwrap();
            assert!(matches!(text_form(&value), Cow::Borrowed(_)), "{json}");
        }
    }
}
