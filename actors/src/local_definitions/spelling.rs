//! Filters that SDKs read otherwise than the server, said in words that mean the same to both.

use super::json::{Members, Object};
use burgee_evaluation::text_form;
use serde_json::Value;

/// How a filter is written, where that is not how it is stored.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Spelling {
    pub(super) operator: Option<&'static str>,
    pub(super) value: Option<String>,
}

impl Spelling {
    pub(super) fn of(filter: &Members<'_>) -> Self {
        let value = || serde_json::from_str(filter.get("value")?).ok();
        match filter.text("operator").as_deref() {
            Some("regex" | "not_regex") => value().map(pattern),
            Some("semver_wildcard") => value().and_then(wildcard),
            _ => None,
        }
        .unwrap_or_default()
    }

    /// Writes a member of the filter.
    pub(super) fn write(
        &self,
        filter: &mut Object<'_>,
        name: &str,
        stored: &str,
    ) -> serde_json::Result<()> {
        let other = match name {
            "operator" => self.operator,
            "value" => self.value.as_deref(),
            _ => None,
        };
        match other {
            Some(other) => filter.optional(name, Some(other)),
            None => filter.raw(name, stored),
        }
    }
}

/// A pattern is a text form to the server, and whatever Python or JavaScript make of a value to an SDK.
fn pattern(value: Value) -> Spelling {
    let value = match value {
        Value::String(_) | Value::Null => None,
        other => Some(text_form(&other).into_owned()),
    };
    Spelling {
        operator: None,
        value,
    }
}

/// Without a star it is a range of Cargo to the server, where `0` and `0.0` leave open what they do not name; SDKs read that
/// version alone. What is more than numbers is left as it is: SDKs do not read it.
fn wildcard(value: Value) -> Option<Spelling> {
    let text = text_form(&value);
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = text.split('.').collect();
    if parts.len() > 3 || !parts.iter().all(|part| is_number(part)) {
        return None;
    }
    let is_zero = parts.iter().all(|part| part.bytes().all(|b| b == b'0'));
    Some(match is_zero && parts.len() < 3 {
        true => Spelling {
            operator: None,
            value: Some(format!("{text}.*")),
        },
        false => Spelling {
            operator: Some("semver_caret"),
            value: Some(text.into_owned()),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_read_otherwise_is_written_otherwise() {
        let cases = [
            (r#"{"operator": "regex", "value": "5"}"#, None, None),
            (r#"{"operator": "regex", "value": 5.0}"#, None, Some("5.0")),
            (
                r#"{"operator": "not_regex", "value": true}"#,
                None,
                Some("true"),
            ),
            (
                r#"{"operator": "regex", "value": ["a", 1]}"#,
                None,
                Some(r#"["a",1]"#),
            ),
            (r#"{"operator": "regex", "value": null}"#, None, None),
            (r#"{"operator": "regex"}"#, None, None),
            (r#"{"operator": "exact", "value": 5.0}"#, None, None),
            (
                r#"{"operator": "semver_wildcard", "value": "1.*"}"#,
                None,
                None,
            ),
            (
                r#"{"operator": "semver_wildcard", "value": ">=1.2"}"#,
                None,
                None,
            ),
            (
                r#"{"operator": "semver_wildcard", "value": "1.2.3.4"}"#,
                None,
                None,
            ),
            (
                r#"{"operator": "semver_wildcard", "value": "1.2.3"}"#,
                Some("semver_caret"),
                Some("1.2.3"),
            ),
            (
                r#"{"operator": "semver_wildcard", "value": "0.2"}"#,
                Some("semver_caret"),
                Some("0.2"),
            ),
            (
                r#"{"operator": "semver_wildcard", "value": 1.2}"#,
                Some("semver_caret"),
                Some("1.2"),
            ),
            (
                r#"{"operator": "semver_wildcard", "value": "0.0.0"}"#,
                Some("semver_caret"),
                Some("0.0.0"),
            ),
            (
                r#"{"operator": "semver_wildcard", "value": "0.0"}"#,
                None,
                Some("0.0.*"),
            ),
            (
                r#"{"operator": "semver_wildcard", "value": 0}"#,
                None,
                Some("0.*"),
            ),
        ];
        for (filter, operator, value) in cases {
            let spelling = Spelling::of(&Members::of(filter).unwrap());
            let expected = Spelling {
                operator,
                value: value.map(str::to_owned),
            };
            assert_eq!(spelling, expected, "{filter}");
        }
    }
}
