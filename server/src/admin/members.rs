//! The members of a request's body, read one by one: a fault names the member.

use crate::error::Invalid;
use crate::project_file::{Name, Node, Value, parse};

/// How many entries a list of texts or numbers may have.
pub const MAX_ENTRIES: usize = 10_000;

/// A body that is a JSON object.
#[derive(Debug, Clone)]
pub struct Members(Node);

impl Members {
    /// Reads a body. Nesting is bounded by the reader.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let node = parse("body.json", text).map_err(|problems| {
            let first = problems.problems.into_iter().next();
            Invalid::parse(
                first.map_or_else(String::new, |problem| match problem.place {
                    Some(place) => format!(
                        "{} (line {}, column {})",
                        problem.message, place.line, place.column
                    ),
                    None => problem.message,
                }),
            )
        })?;
        match node.value {
            Value::Map(_) => Ok(Self(node)),
            _ => Err(Invalid::parse("expected an object")),
        }
    }

    /// Takes the fields of a form for the members of an object: what is no text in JSON is read as JSON.
    pub fn of_form(fields: Vec<(String, String)>) -> Self {
        let mut members: Vec<(Name, Node)> = Vec::with_capacity(fields.len());
        for (text, content) in fields {
            let value = match text.as_str() {
                "is_static" | "deleted" => match content.to_ascii_lowercase().as_str() {
                    "true" | "1" | "on" => Value::Bool(true),
                    "false" | "0" | "off" | "" => Value::Bool(false),
                    _ => Value::Text(content),
                },
                "filters" | "version" | "_create_static_person_ids" => {
                    match parse("form.json", &content) {
                        Ok(node) => node.value,
                        Err(_) => Value::Text(content),
                    }
                }
                _ => Value::Text(content),
            };
            let place = Default::default();
            members.retain(|(name, _)| name.text != text);
            members.push((Name { place, text }, Node { place, value }));
        }
        Self(Node {
            place: Default::default(),
            value: Value::Map(members),
        })
    }

    /// Returns an object without members.
    pub(crate) fn empty() -> Node {
        Node {
            place: Default::default(),
            value: Value::Map(Vec::new()),
        }
    }

    /// Returns a member, null included.
    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        self.0.get(name)
    }

    /// Reads a switch.
    pub fn switch(&self, name: &str) -> Result<Option<bool>, Invalid> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(is_on)) => Ok(Some(*is_on)),
            Some(Value::Null) => Err(null(name)),
            Some(other) => Err(expected(name, "true or false", other)),
        }
    }

    /// Reads a whole number.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, Invalid> {
        match self.value(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(text)) if text.parse::<i64>().is_ok() => Ok(text.parse().ok()),
            Some(other) => Err(expected(name, "an integer", other)),
        }
    }

    /// Reads a text of at most `most` characters.
    pub fn text(&self, name: &str, most: usize) -> Result<Option<String>, Invalid> {
        match self.nullable_text(name, most)? {
            Some(None) => Err(null(name)),
            Some(Some(text)) => Ok(Some(text)),
            None => Ok(None),
        }
    }

    /// Reads a text that may be null.
    pub fn nullable_text(
        &self,
        name: &str,
        most: usize,
    ) -> Result<Option<Option<String>>, Invalid> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(Value::Text(text)) => {
                check_text(name, text, most)?;
                Ok(Some(Some(text.clone())))
            }
            Some(other) => Err(expected(name, "a text", other)),
        }
    }

    /// Reads a list of texts; null counts as absent.
    pub fn texts(
        &self,
        name: &str,
        most: usize,
        longest: usize,
    ) -> Result<Option<Vec<String>>, Invalid> {
        let Some(items) = self.list(name, most)? else {
            return Ok(None);
        };
        let text = |(index, item): (usize, &Node)| {
            let attr = format!("{name}__{index}");
            match &item.value {
                Value::Text(text) => {
                    check_text(&attr, text, longest)?;
                    Ok(text.clone())
                }
                other => Err(expected(&attr, "a text", other)),
            }
        };
        items
            .iter()
            .enumerate()
            .map(text)
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// Reads a list whose entries the caller judges; null counts as absent.
    pub(crate) fn list(&self, name: &str, most: usize) -> Result<Option<&[Node]>, Invalid> {
        match self.value(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::List(items)) => {
                check_length(name, items.len(), most)?;
                Ok(Some(items))
            }
            Some(other) => Err(Invalid::new(
                name,
                "not_a_list",
                format!("Expected a list, found {}.", other.describe()),
            )),
        }
    }

    /// Reads an object; null counts as absent.
    pub(crate) fn object(&self, name: &str) -> Result<Option<&Node>, Invalid> {
        match self.get(name) {
            None => Ok(None),
            Some(node) => match &node.value {
                Value::Null => Ok(None),
                Value::Map(_) => Ok(Some(node)),
                other => Err(Invalid::new(
                    name,
                    "not_a_dict",
                    format!("Expected an object, found {}.", other.describe()),
                )),
            },
        }
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.get(name).map(|node| &node.value)
    }
}

/// Says that a member has the wrong type.
pub(crate) fn expected(attr: &str, what: &str, found: &Value) -> Invalid {
    let detail = format!("Expected {what}, found {}.", found.describe());
    Invalid::new(attr, "invalid", detail)
}

/// Says that a member is missing.
pub(crate) fn required(attr: &str) -> Invalid {
    Invalid::new(attr, "required", "This field is required.")
}

/// Refuses a list that is longer than anyone needs.
pub(crate) fn check_length(attr: &str, length: usize, most: usize) -> Result<(), Invalid> {
    if length <= most {
        return Ok(());
    }
    let detail = format!("The list has {length} entries, {most} are allowed.");
    Err(Invalid::new(attr, "max_length", detail))
}

fn null(attr: &str) -> Invalid {
    Invalid::new(attr, "null", "This field may not be null.")
}

/// Refuses a text that is too long, or that only one of the databases could store.
fn check_text(attr: &str, text: &str, most: usize) -> Result<(), Invalid> {
    if text.contains('\0') {
        let detail = "Null characters are not allowed.";
        return Err(Invalid::new(attr, "null_characters_not_allowed", detail));
    }
    if text.chars().count() > most {
        let detail = format!("Ensure this field has no more than {most} characters.");
        return Err(Invalid::new(attr, "max_length", detail));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
