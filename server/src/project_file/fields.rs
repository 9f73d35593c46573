//! Typed reading of one object's members: wrong types and unknown names become problems, and reading goes on.

use super::node::{Name, Node, Place, Value};
use super::problem::Findings;
use std::fmt;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct At<T> {
    /// Where.
    pub(crate) place: Place,
    /// What.
    pub(crate) value: T,
}

/// A member that may be absent, or null, which takes a stored value away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Setting<T> {
    /// Not written: what is stored stays.
    Absent,
    /// Written as null.
    None,
    /// Written.
    Some(T),
}

/// A path inside the file, built only when a problem wants it.
#[derive(Clone, Copy)]
pub(crate) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Member(&'a str),
    Item(usize),
}

impl<'a> Path<'a> {
    pub(crate) const ROOT: Path<'static> = Path {
        parent: None,
        step: Step::Root,
    };

    pub(crate) fn member<'b>(&'b self, name: &'b str) -> Path<'b> {
        Path {
            parent: Some(self),
            step: Step::Member(name),
        }
    }

    pub(crate) fn item<'b>(&'b self, index: usize) -> Path<'b> {
        Path {
            parent: Some(self),
            step: Step::Item(index),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Item(index) => write!(f, "[{index}]"),
            Step::Member(name) if self.parent.is_some_and(|p| matches!(p.step, Step::Root)) => {
                f.write_str(name)
            }
            Step::Member(name) => write!(f, ".{name}"),
        }
    }
}

/// The members of one object, taken one by one.
pub(crate) struct Fields<'p> {
    pub(crate) place: Place,
    pub(crate) path: &'p Path<'p>,
    members: Vec<(Name, Node)>,
}

impl<'p> Fields<'p> {
    /// Opens an object whose member names are among `known`; others are problems that name the nearest known one.
    pub(crate) fn open(
        node: Node,
        path: &'p Path<'p>,
        known: &[&str],
        findings: &mut Findings,
    ) -> Option<Self> {
        let place = node.place;
        let Value::Map(members) = node.value else {
            wrong_type(findings, place, path, "an object", &node.value);
            return None;
        };
        for (name, member) in &members {
            if !known.contains(&name.text.as_str()) {
                let place = if name.place == Place::default() {
                    member.place
                } else {
                    name.place
                };
                findings.problem(place, path, unknown(&name.text, known));
            }
        }
        Some(Self {
            place,
            path,
            members,
        })
    }

    /// Takes a member, null included.
    pub(crate) fn take(&mut self, name: &str) -> Option<Node> {
        let index = self.members.iter().position(|(n, _)| n.text == name)?;
        Some(self.members.swap_remove(index).1)
    }

    /// Takes a member; null counts as missing.
    pub(crate) fn take_some(&mut self, name: &str) -> Option<Node> {
        self.take(name).filter(|n| n.value != Value::Null)
    }

    /// Takes a text.
    pub(crate) fn text(&mut self, name: &str, findings: &mut Findings) -> Option<At<String>> {
        let node = self.take_some(name)?;
        text(node, &self.path.member(name), findings)
    }

    /// Takes a text that must be there and not be empty; the empty text stands for one that was a problem.
    pub(crate) fn required_text(&mut self, name: &str, findings: &mut Findings) -> At<String> {
        let path = self.path.member(name);
        let Some(node) = self.take(name) else {
            findings.problem(self.place, self.path, format!("`{name}` is missing"));
            return self.nothing();
        };
        match text(node, &path, findings) {
            Some(text) if text.value.is_empty() => {
                findings.problem(text.place, path, "must not be empty");
                text
            }
            Some(text) => text,
            None => self.nothing(),
        }
    }

    fn nothing(&self) -> At<String> {
        At {
            place: self.place,
            value: String::new(),
        }
    }

    /// Takes an integer of at least 1.
    pub(crate) fn id<T: TryFrom<i64>>(
        &mut self,
        name: &str,
        findings: &mut Findings,
    ) -> Option<At<T>> {
        let node = self.take_some(name)?;
        let path = self.path.member(name);
        let id = integer::<i64>(&node, &path, findings)?;
        match T::try_from(id) {
            Ok(value) if id >= 1 => Some(At {
                place: node.place,
                value,
            }),
            _ => {
                findings.problem(node.place, path, format!("{id} is out of range for an id"));
                None
            }
        }
    }

    /// Takes a boolean that may be missing but not null.
    pub(crate) fn boolean(&mut self, name: &str, findings: &mut Findings) -> Option<bool> {
        let node = self.take(name)?;
        boolean(&node, &self.path.member(name), findings)
    }

    /// Takes a boolean; null counts as missing.
    pub(crate) fn nullable_boolean(&mut self, name: &str, findings: &mut Findings) -> Option<bool> {
        let node = self.take_some(name)?;
        boolean(&node, &self.path.member(name), findings)
    }

    /// Takes a list; null counts as missing.
    pub(crate) fn list(&mut self, name: &str, findings: &mut Findings) -> Option<Vec<Node>> {
        let node = self.take_some(name)?;
        list(node, &self.path.member(name), findings)
    }

    /// Takes a list of texts; null counts as missing.
    pub(crate) fn texts(&mut self, name: &str, findings: &mut Findings) -> Option<Vec<At<String>>> {
        let path = self.path.member(name);
        let items = self.list(name, findings)?.into_iter().enumerate();
        Some(
            items
                .filter_map(|(i, item)| text(item, &path.item(i), findings))
                .collect(),
        )
    }

    /// Takes a setting: absent, null, or what `read` makes of it.
    pub(crate) fn setting<T>(
        &mut self,
        name: &str,
        findings: &mut Findings,
        read: impl FnOnce(Node, &Path<'_>, &mut Findings) -> Option<T>,
    ) -> Setting<T> {
        match self.take(name) {
            None => Setting::Absent,
            Some(node) if node.value == Value::Null => Setting::None,
            Some(node) => match read(node, &self.path.member(name), findings) {
                Some(value) => Setting::Some(value),
                None => Setting::Absent,
            },
        }
    }
}

/// Reads a text.
pub(crate) fn text(node: Node, path: &Path<'_>, findings: &mut Findings) -> Option<At<String>> {
    let place = node.place;
    match node.value {
        // Postgres has no such character, and a key that one database takes and the other does not helps nobody.
        Value::Text(value) if value.contains('\0') => {
            findings.problem(place, path, "a text must not contain the character U+0000");
            None
        }
        Value::Text(value) => Some(At { place, value }),
        other => {
            wrong_type(findings, place, path, "a text", &other);
            None
        }
    }
}

/// Reads a text, or a number as its text: identifiers are often numbers.
pub(crate) fn identifier(
    node: Node,
    path: &Path<'_>,
    findings: &mut Findings,
) -> Option<At<String>> {
    match node.value {
        Value::Number(digits) => Some(At {
            place: node.place,
            value: digits.into(),
        }),
        _ => text(node, path, findings),
    }
}

/// Reads an integer.
pub(crate) fn integer<T: std::str::FromStr>(
    node: &Node,
    path: &Path<'_>,
    findings: &mut Findings,
) -> Option<T> {
    if let Value::Number(digits) = &node.value
        && let Ok(value) = digits.parse()
    {
        return Some(value);
    }
    wrong_type(findings, node.place, path, "an integer", &node.value);
    None
}

/// Reads a list.
pub(crate) fn list(node: Node, path: &Path<'_>, findings: &mut Findings) -> Option<Vec<Node>> {
    match node.value {
        Value::List(items) => Some(items),
        other => {
            wrong_type(findings, node.place, path, "a list", &other);
            None
        }
    }
}

/// Reads an object and returns it as JSON text.
pub(crate) fn object_json(node: Node, path: &Path<'_>, findings: &mut Findings) -> Option<String> {
    match &node.value {
        Value::Map(_) => Some(node.to_json()),
        other => {
            wrong_type(findings, node.place, path, "an object", other);
            None
        }
    }
}

/// Reads the members of an object whose names are free.
pub(crate) fn members(
    node: Node,
    path: &Path<'_>,
    findings: &mut Findings,
) -> Option<Vec<(Name, Node)>> {
    match node.value {
        Value::Map(members) => Some(members),
        other => {
            wrong_type(findings, node.place, path, "an object", &other);
            None
        }
    }
}

fn boolean(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<bool> {
    match &node.value {
        Value::Bool(value) => Some(*value),
        other => {
            wrong_type(findings, node.place, path, "true or false", other);
            None
        }
    }
}

pub(crate) fn wrong_type(
    findings: &mut Findings,
    place: Place,
    path: &Path<'_>,
    wanted: &str,
    found: &Value,
) {
    findings.problem(
        place,
        path,
        format!("expected {wanted}, found {}", found.describe()),
    );
}

fn unknown(name: &str, known: &[&str]) -> String {
    let nearest = known
        .iter()
        .max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b)));
    match nearest {
        Some(nearest) => {
            format!("unknown field `{name}`, the nearest known field is `{nearest}`")
        }
        None => format!("unknown field `{name}`"),
    }
}
