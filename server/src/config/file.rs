//! The optional settings file: TOML whose keys are the long option names, with `_` or `-`. Tables are headings for whoever
//! reads the file, and mean nothing. Knows what the command line allows as a list of names and kinds, nothing else.

use std::collections::BTreeMap;
use std::ops::Range;
use toml::de::{DeArray, DeTable, DeValue};

/// How alike two names must be to be taken for each other.
const ALIKE: f64 = 0.7;

/// What kind of value a setting takes in a file. A text is always allowed: it is read as the environment would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Switch,
    /// Texts, separated by commas where there is only one text for them.
    List,
}

impl Kind {
    /// Returns the kind of an option from the name of its value in `--help`.
    pub(super) fn of(value_name: &str) -> Self {
        match value_name {
            "N" | "MS" | "S" | "US" | "BYTES" | "STATUS" | "RATIO" | "PERCENT" => Self::Number,
            "BOOL" => Self::Switch,
            "RANGES" => Self::List,
            _ => Self::Text,
        }
    }

    const fn expected(self) -> &'static str {
        match self {
            Self::Text => "a text in quotes",
            Self::Number => "a number",
            Self::Switch => "true or false",
            Self::List => "a list of texts",
        }
    }
}

/// A setting of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where it stands, from 1.
    pub(super) line: usize,
    /// As it would stand on a command line.
    pub(super) text: String,
}

/// Reads a file's settings by their keys, with `_`; and what is wrong, a line each.
pub(super) fn read(
    file: &str,
    text: &str,
    known: &BTreeMap<String, Kind>,
) -> (BTreeMap<String, Entry>, Vec<String>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader {
        file,
        text,
        known,
        entries: BTreeMap::new(),
        faults: Vec::new(),
    };
    for error in errors {
        let message = error.message().trim().replace('\n', ", ");
        reader.fault(&error.span().unwrap_or_default(), &message);
    }
    // What is left of a broken file would only bring faults that are none.
    if reader.faults.is_empty() {
        reader.table(table.get_ref());
    }
    (reader.entries, reader.faults)
}

struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    known: &'a BTreeMap<String, Kind>,
    entries: BTreeMap<String, Entry>,
    faults: Vec<String>,
}

impl Reader<'_> {
    /// Takes the entries in the order of their lines: a table has them in that of their names.
    fn table(&mut self, table: &DeTable<'_>) {
        let mut entries = Vec::new();
        for (name, value) in table {
            match value.get_ref() {
                DeValue::Table(section) if !self.known.contains_key(&key(name.get_ref())) => {
                    entries.extend(section);
                }
                _ => entries.push((name, value)),
            }
        }
        entries.sort_by_key(|(name, _)| name.span().start);
        for (name, value) in entries {
            self.entry(&key(name.get_ref()), &name.span(), value.get_ref());
        }
    }

    fn entry(&mut self, key: &str, at: &Range<usize>, value: &DeValue<'_>) {
        let Some(kind) = self.known.get(key).copied() else {
            let nearest = match nearest(key, self.known.keys()) {
                Some(nearest) => format!("; the nearest that is known is {nearest}"),
                None => String::new(),
            };
            return self.fault(at, &format!("{key}: no such setting{nearest}"));
        };
        let line = self.line(at);
        let Some(text) = written(kind, value) else {
            let (expected, found) = (kind.expected(), found(value));
            return self.fault(at, &format!("{key}: expected {expected}, found {found}"));
        };
        if let Some(first) = self.entries.get(key) {
            let message = format!("{key}: set before, in line {}", first.line);
            return self.fault(at, &message);
        }
        self.entries.insert(key.to_owned(), Entry { line, text });
    }

    fn fault(&mut self, at: &Range<usize>, message: &str) {
        let line = self.line(at);
        self.faults.push(format!("{}:{line}: {message}", self.file));
    }

    fn line(&self, at: &Range<usize>) -> usize {
        let before = self.text.as_bytes().iter().take(at.start);
        before.filter(|byte| **byte == b'\n').count() + 1
    }
}

fn key(name: &str) -> String {
    name.replace('-', "_")
}

fn found(value: &DeValue<'_>) -> String {
    let name = value.type_str();
    let article = if name.starts_with(['a', 'i']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {name}")
}

/// Returns a value as it would stand on a command line; `None` when it is of another kind.
fn written(kind: Kind, value: &DeValue<'_>) -> Option<String> {
    match (kind, value) {
        (_, DeValue::String(text)) => Some(text.clone().into_owned()),
        (Kind::Number, DeValue::Integer(number)) => {
            let digits = number.as_str().replace('_', "");
            let number = i64::from_str_radix(&digits, number.radix()).ok()?;
            Some(number.to_string())
        }
        (Kind::Number, DeValue::Float(number)) => Some(number.as_str().replace('_', "")),
        (Kind::Switch, DeValue::Boolean(is_on)) => Some(is_on.to_string()),
        (Kind::List, DeValue::Array(items)) => list(items),
        _ => None,
    }
}

fn list(items: &DeArray<'_>) -> Option<String> {
    let texts: Option<Vec<&str>> = items.iter().map(|item| item.get_ref().as_str()).collect();
    Some(texts?.join(","))
}

fn nearest<'a>(key: &str, known: impl Iterator<Item = &'a String>) -> Option<&'a str> {
    known
        .map(|known| (strsim::jaro_winkler(key, known), known.as_str()))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests;
