//! Reading JSON strictly: wrong types are not coerced, and every fault names its path (section 1.8).
//!
//! A reader goes on after a fault so that `check` can tell all of them; whoever compiles stops at the first.

use serde_json::{Map, Value};
use std::fmt;

/// Something wrong in a definition, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where: a path inside the definition, such as `filters.groups[0].properties[1].operator`.
    pub path: String,
    /// What is wrong there; lower case, no full stop.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

/// The faults found so far.
#[derive(Debug, Default)]
pub(crate) struct Faults(pub(crate) Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Fault {
            path: path.into(),
            message: message.into(),
        });
    }

    fn expected(&mut self, path: String, what: &str, found: &Value) {
        self.add(path, format!("expected {what}, found {}", kind(found)));
    }
}

/// A JSON object and its path.
#[derive(Debug)]
pub(crate) struct Object<'a> {
    pub(crate) fields: &'a Map<String, Value>,
    path: String,
}

impl<'a> Object<'a> {
    /// Takes a value that has to be an object.
    pub(crate) fn read(value: &'a Value, path: String, faults: &mut Faults) -> Option<Self> {
        match value {
            Value::Object(fields) => Some(Self { fields, path }),
            other => {
                faults.expected(path, "an object", other);
                None
            }
        }
    }

    /// Returns the path of a field.
    pub(crate) fn path(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// Returns a field for which null and missing are the same.
    fn nullable(&self, name: &str) -> Option<&'a Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// Reads a field that may be null or missing.
    fn optional<T>(
        &self,
        name: &str,
        what: &str,
        faults: &mut Faults,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.nullable(name)?;
        let found = read(value);
        if found.is_none() {
            faults.expected(self.path(name), what, value);
        }
        found
    }

    /// Reads a field that has to be there.
    fn required<T>(
        &self,
        name: &str,
        what: &str,
        faults: &mut Faults,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        let Some(value) = self.fields.get(name) else {
            faults.add(self.path(name), format!("missing, expected {what}"));
            return None;
        };
        let found = read(value);
        if found.is_none() {
            faults.expected(self.path(name), what, value);
        }
        found
    }

    pub(crate) fn optional_bool(&self, name: &str, faults: &mut Faults) -> Option<bool> {
        self.optional(name, "true or false", faults, Value::as_bool)
    }

    pub(crate) fn optional_integer(&self, name: &str, faults: &mut Faults) -> Option<i64> {
        self.optional(name, "an integer", faults, Value::as_i64)
    }

    pub(crate) fn optional_number(&self, name: &str, faults: &mut Faults) -> Option<f64> {
        self.optional(name, "a number", faults, Value::as_f64)
    }

    pub(crate) fn optional_text(&self, name: &str, faults: &mut Faults) -> Option<&'a str> {
        self.optional(name, "a text", faults, Value::as_str)
    }

    pub(crate) fn optional_list(&self, name: &str, faults: &mut Faults) -> &'a [Value] {
        self.optional(name, "a list", faults, Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    pub(crate) fn required_integer(&self, name: &str, faults: &mut Faults) -> Option<i64> {
        self.required(name, "an integer", faults, Value::as_i64)
    }

    pub(crate) fn required_number(&self, name: &str, faults: &mut Faults) -> Option<f64> {
        self.required(name, "a number", faults, Value::as_f64)
    }

    pub(crate) fn required_text(&self, name: &str, faults: &mut Faults) -> Option<&'a str> {
        self.required(name, "a text", faults, Value::as_str)
    }

    pub(crate) fn required_list(&self, name: &str, faults: &mut Faults) -> Option<&'a [Value]> {
        self.required(name, "a list", faults, Value::as_array)
            .map(Vec::as_slice)
    }
}

/// Names the JSON type of a value, never the value: it may be private.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
