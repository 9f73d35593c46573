//! [`Value`] to YAML or JSON text that reads back as the same value, and is the same for the same value.

use super::node::{Name, Node, Value, is_json_number, write_json_text};
use std::io;

/// How a project file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// YAML, for people.
    Yaml,
    /// JSON, indented.
    Json,
}

/// Writes values item by item, so that a long list need not be held.
pub(crate) struct Emitter<'w, W> {
    out: &'w mut W,
    format: Format,
}

impl<'w, W: io::Write> Emitter<'w, W> {
    pub(crate) fn new(out: &'w mut W, format: Format) -> Self {
        Self { out, format }
    }

    /// Writes the beginning of the file.
    pub(crate) fn begin(&mut self) -> io::Result<()> {
        match self.format {
            Format::Yaml => Ok(()),
            Format::Json => self.out.write_all(b"{\"projects\": ["),
        }
    }

    /// Writes the end of a file of `count` projects.
    pub(crate) fn end(&mut self, count: usize) -> io::Result<()> {
        match (self.format, count) {
            (Format::Yaml, 0) => self.out.write_all(b"projects: []\n"),
            (Format::Yaml, _) => Ok(()),
            (Format::Json, 0) => self.out.write_all(b"]}\n"),
            (Format::Json, _) => self.out.write_all(b"\n]}\n"),
        }
    }

    /// Begins project number `index` with its first members.
    pub(crate) fn begin_project(
        &mut self,
        index: usize,
        members: &[(&str, Value)],
    ) -> io::Result<()> {
        let mut text = String::new();
        match self.format {
            Format::Yaml => {
                text.push_str(if index == 0 { "projects:\n" } else { "" });
                for (i, (name, value)) in members.iter().enumerate() {
                    text.push_str(if i == 0 { "  - " } else { "    " });
                    yaml_member(name, value, 4, &mut text);
                }
            }
            Format::Json => {
                text.push_str(if index == 0 { "\n  {" } else { ",\n  {" });
                for (i, (name, value)) in members.iter().enumerate() {
                    text.push_str(if i == 0 { "\n    " } else { ",\n    " });
                    json_member(name, value, 4, &mut text);
                }
            }
        }
        self.out.write_all(text.as_bytes())
    }

    /// Ends a project.
    pub(crate) fn end_project(&mut self) -> io::Result<()> {
        match self.format {
            Format::Yaml => Ok(()),
            Format::Json => self.out.write_all(b"\n  }"),
        }
    }

    /// Writes item number `index` of the list `name`, and with the first one the list's beginning.
    pub(crate) fn item(&mut self, name: &str, index: usize, value: &Value) -> io::Result<()> {
        let mut text = String::new();
        match self.format {
            Format::Yaml => {
                if index == 0 {
                    text.push_str(&format!("    {name}:\n"));
                }
                text.push_str("      - ");
                yaml_value(value, 8, &mut text);
            }
            Format::Json => {
                if index == 0 {
                    text.push_str(&format!(",\n    \"{name}\": ["));
                }
                text.push_str(if index == 0 { "\n      " } else { ",\n      " });
                json_value(value, 6, &mut text);
            }
        }
        self.out.write_all(text.as_bytes())
    }

    /// Ends the list `name` of `count` items.
    pub(crate) fn end_list(&mut self, name: &str, count: usize) -> io::Result<()> {
        match (self.format, count) {
            (Format::Yaml, 0) => writeln!(self.out, "    {name}: []"),
            (Format::Yaml, _) => Ok(()),
            (Format::Json, 0) => write!(self.out, ",\n    \"{name}\": []"),
            (Format::Json, _) => self.out.write_all(b"\n    ]"),
        }
    }
}

/// Returns an object of the given members.
pub(crate) fn object(members: Vec<(&str, Value)>) -> Value {
    let named = |name: &str| Name {
        place: Default::default(),
        text: name.to_owned(),
    };
    Value::Map(
        members
            .into_iter()
            .map(|(name, value)| (named(name), node(value)))
            .collect(),
    )
}

/// Returns a list.
pub(crate) fn list(items: impl IntoIterator<Item = Value>) -> Value {
    Value::List(items.into_iter().map(node).collect())
}

fn node(value: Value) -> Node {
    Node {
        place: Default::default(),
        value,
    }
}

fn json_member(name: &str, value: &Value, indent: usize, out: &mut String) {
    write_json_text(name, out);
    out.push_str(": ");
    json_value(value, indent, out);
}

fn json_value(value: &Value, indent: usize, out: &mut String) {
    if is_inline(value) {
        return inline_value(value, write_json_text, out);
    }
    let pad = " ".repeat(indent + 2);
    let (open, close) = match value {
        Value::List(_) => ('[', ']'),
        _ => ('{', '}'),
    };
    let mut first = true;
    let mut separate = |out: &mut String| {
        out.push_str(if first { "\n" } else { ",\n" });
        out.push_str(&pad);
        first = false;
    };
    out.push(open);
    match value {
        Value::List(items) => {
            for item in items {
                separate(out);
                json_value(&item.value, indent + 2, out);
            }
        }
        Value::Map(members) => {
            for (name, member) in members {
                separate(out);
                json_member(&name.text, &member.value, indent + 2, out);
            }
        }
        _ => {}
    }
    out.push('\n');
    out.push_str(&" ".repeat(indent));
    out.push(close);
}

fn yaml_member(name: &str, value: &Value, indent: usize, out: &mut String) {
    yaml_text(name, out);
    out.push(':');
    match value {
        Value::List(items) if !is_inline(value) => {
            out.push('\n');
            for item in items {
                out.push_str(&" ".repeat(indent + 2));
                out.push_str("- ");
                yaml_value(&item.value, indent + 4, out);
            }
        }
        Value::Map(_) if !is_inline(value) => {
            out.push('\n');
            out.push_str(&" ".repeat(indent + 2));
            yaml_value(value, indent + 2, out);
        }
        _ => {
            out.push(' ');
            inline_value(value, yaml_text, out);
            out.push('\n');
        }
    }
}

/// Writes a value whose first line was already indented, with its line break.
fn yaml_value(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Map(members) if !is_inline(value) => {
            for (i, (name, member)) in members.iter().enumerate() {
                if i > 0 {
                    out.push_str(&" ".repeat(indent));
                }
                yaml_member(&name.text, &member.value, indent, out);
            }
        }
        Value::List(items) if !is_inline(value) => {
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(&" ".repeat(indent));
                }
                out.push_str("- ");
                yaml_value(&item.value, indent + 2, out);
            }
        }
        _ => {
            inline_value(value, yaml_text, out);
            out.push('\n');
        }
    }
}

fn inline_value(value: &Value, text: fn(&str, &mut String), out: &mut String) {
    match value {
        Value::Text(value) => text(value, out),
        Value::List(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                inline_value(&item.value, text, out);
            }
            out.push(']');
        }
        Value::Map(members) if members.is_empty() => out.push_str("{}"),
        Value::Map(members) => {
            out.push_str("{ ");
            for (i, (name, member)) in members.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                text(&name.text, out);
                out.push_str(": ");
                inline_value(&member.value, text, out);
            }
            out.push_str(" }");
        }
        scalar => scalar.write_json(out),
    }
}

/// How long a list or object may be to stand on one line.
const INLINE: usize = 80;

/// Returns whether a value stands on one line: scalars, and short collections of scalars.
fn is_inline(value: &Value) -> bool {
    let scalar = |node: &Node| !matches!(node.value, Value::List(_) | Value::Map(_));
    let flat = |node: &Node| match &node.value {
        Value::List(items) => items.iter().all(scalar),
        Value::Map(members) => members.is_empty(),
        _ => true,
    };
    let simple = match value {
        Value::List(items) => items.iter().all(flat),
        Value::Map(members) => members.iter().all(|(_, member)| flat(member)),
        _ => return true,
    };
    simple && {
        let mut text = String::new();
        value.write_json(&mut text);
        text.len() <= INLINE
    }
}

/// Writes a text plainly where no reader can take it for anything else, and quoted everywhere else.
fn yaml_text(text: &str, out: &mut String) {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ' | '/' | '@'))
        && !is_json_number(text)
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if plain {
        out.push_str(text);
    } else {
        write_json_text(text, out);
    }
}

/// Words that some YAML reader takes for something other than a text.
const WORDS: [&str; 10] = [
    "null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan",
];
