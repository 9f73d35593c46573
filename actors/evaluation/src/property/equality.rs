//! `exact` and `is_not` (section 4.3).

use crate::{MatchingVersion, text_form};
use serde_json::Value;
use std::borrow::Cow;

/// A filter value, prepared for both rule sets: which one applies is known only at the moment of evaluation.
#[derive(Debug)]
pub(super) struct Wanted {
    texts: Texts,
    /// Its truth, if the value is boolean-like.
    truth: Option<bool>,
}

/// The lower-cased text forms one of which the property must have.
#[derive(Debug)]
enum Texts {
    One(Box<str>),
    /// In ascending order, so that long lists are searched quickly.
    AnyOf(Box<[Box<str>]>),
}

impl Wanted {
    pub(super) fn compile(value: &Value) -> Self {
        let texts = match value {
            Value::Array(elements) => {
                let mut texts: Vec<Box<str>> = elements.iter().map(lowered).collect();
                texts.sort_unstable();
                texts.dedup();
                Texts::AnyOf(texts.into())
            }
            single => Texts::One(lowered(single)),
        };
        let truth = is_boolean_like(value).then(|| truth(value));
        Self { texts, truth }
    }

    /// Returns whether a present property equals the filter value.
    pub(super) fn equals(&self, property: &Value, version: MatchingVersion) -> bool {
        match self.truth {
            Some(wanted) if version == MatchingVersion::Default || self.is_empty_list() => {
                truth(property) == wanted
            }
            _ => self.has_text(&text_form(property)),
        }
    }

    fn is_empty_list(&self) -> bool {
        matches!(&self.texts, Texts::AnyOf(texts) if texts.is_empty())
    }

    fn has_text(&self, text: &str) -> bool {
        match &self.texts {
            // Most texts that are equal are so letter by letter, and lower case stays what it is.
            Texts::One(wanted) if text == &**wanted => true,
            Texts::One(wanted) if text.is_ascii() => text.eq_ignore_ascii_case(wanted),
            Texts::One(wanted) => text.to_lowercase() == **wanted,
            Texts::AnyOf(wanted) => {
                let text = lower(text);
                wanted.binary_search_by(|w| (**w).cmp(&text)).is_ok()
            }
        }
    }
}

fn lowered(value: &Value) -> Box<str> {
    text_form(value).to_lowercase().into()
}

/// Lower-cases a text; most texts are lower-case ASCII already and stay borrowed.
fn lower(text: &str) -> Cow<'_, str> {
    if text
        .bytes()
        .all(|b| b.is_ascii() && !b.is_ascii_uppercase())
    {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}

fn is_boolean_like(value: &Value) -> bool {
    match value {
        Value::Bool(_) => true,
        Value::String(text) => {
            text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
        }
        Value::Array(elements) => elements.iter().all(is_boolean_like),
        _ => false,
    }
}

fn truth(value: &Value) -> bool {
    match value {
        Value::Bool(value) => *value,
        Value::String(text) => text.eq_ignore_ascii_case("true"),
        Value::Array(elements) => elements.iter().all(truth),
        _ => false,
    }
}
