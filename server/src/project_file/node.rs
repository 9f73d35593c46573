//! A JSON or YAML text as a tree in which every value knows its place and every number its digits.
//!
//! Numbers stay text because `5` and `5.0` are different property values. This module knows nothing of projects.

use std::fmt::{self, Write};

/// A place in a file; both count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Something wrong at a place, found while reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Where.
    pub(crate) place: Place,
    /// What.
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn new(place: Place, message: impl Into<String>) -> Self {
        Self {
            place,
            message: message.into(),
        }
    }
}

/// The deepest nesting that is read: a cohort tree of 64 levels takes two of these for each.
pub(crate) const MAX_DEPTH: usize = 250;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// Where it begins.
    pub(crate) place: Place,
    /// What it is.
    pub(crate) value: Value,
}

/// A member name and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    /// Where it begins.
    pub(crate) place: Place,
    /// Its text.
    pub(crate) text: String,
}

/// A JSON value with its members in the order written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number as it is written; always JSON's grammar, and within the range of a double.
    Number(Box<str>),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// An object; names are unique.
    Map(Vec<(Name, Node)>),
}

impl Node {
    /// Returns the value as compact JSON: members in their order, numbers as they were written.
    pub(crate) fn to_json(&self) -> String {
        let mut out = String::new();
        self.value.write_json(&mut out);
        out
    }

    /// Returns the member of an object.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(members) => members
                .iter()
                .find_map(|(n, node)| (n.text == name).then_some(node)),
            _ => None,
        }
    }

    /// Returns the place of the deepest node on a path such as `groups[0].properties[1].key`; the node's own place when
    /// the path leads nowhere.
    pub(crate) fn place_of(&self, path: &str) -> Place {
        let mut node = self;
        for step in path.split(['.', '[']).filter(|s| !s.is_empty()) {
            let next = match (&node.value, step.strip_suffix(']')) {
                (Value::List(items), Some(index)) => {
                    index.parse().ok().and_then(|i: usize| items.get(i))
                }
                (Value::Map(_), None) => node.get(step),
                _ => None,
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node.place
    }
}

impl Value {
    /// Appends the value as compact JSON.
    pub(crate) fn write_json(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(true) => out.push_str("true"),
            Self::Bool(false) => out.push_str("false"),
            Self::Number(text) => out.push_str(text),
            Self::Text(text) => write_json_text(text, out),
            Self::List(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    item.value.write_json(out);
                }
                out.push(']');
            }
            Self::Map(members) => {
                out.push('{');
                for (i, (name, member)) in members.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    write_json_text(&name.text, out);
                    out.push(':');
                    member.value.write_json(out);
                }
                out.push('}');
            }
        }
    }

    /// Names the value for a message: `the number 5`, `a list`.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(text) => format!("the number {text}"),
            Self::Text(_) => "a text".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "an object".to_owned(),
        }
    }
}

/// Appends a text as a JSON string that YAML reads the same way: beyond what JSON demands, characters that YAML does not
/// print are escaped.
pub(crate) fn write_json_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control()
                || matches!(
                    c,
                    '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
                ) =>
            {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Returns whether a text is a number in JSON's grammar.
pub(crate) fn is_json_number(text: &str) -> bool {
    let digits = |s: &str| s.bytes().take_while(u8::is_ascii_digit).count();
    let rest = text.strip_prefix('-').unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest.starts_with('0')) {
        return false;
    }
    let mut rest = rest.get(whole..).unwrap_or("");
    if let Some(fraction) = rest.strip_prefix('.') {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = fraction.get(count..).unwrap_or("");
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        return !exponent.is_empty() && digits(exponent) == exponent.len();
    }
    rest.is_empty()
}

/// Returns a number node's value, or why the number cannot be kept as it is.
pub(crate) fn number(text: &str) -> Result<Value, String> {
    match text.parse::<f64>() {
        Ok(n) if n.is_finite() => Ok(Value::Number(text.into())),
        _ => Err(format!(
            "the number {text} is beyond the range of a double; write it as a text, or smaller"
        )),
    }
}

/// Returns the faults of members that occur twice, and drops all but the first.
pub(crate) fn drop_duplicates(members: &mut Vec<(Name, Node)>, faults: &mut Vec<Fault>) {
    let mut seen = std::collections::HashSet::with_capacity(members.len());
    members.retain(|(name, _)| {
        let first = seen.insert(name.text.clone());
        if !first {
            faults.push(Fault::new(
                name.place,
                format!("`{}` is written twice in one object", name.text),
            ));
        }
        first
    });
}

#[cfg(test)]
mod tests;
