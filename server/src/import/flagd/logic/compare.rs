//! Comparisons of a property with a constant. JsonLogic compares loosely: what counts otherwise for values of another type than
//! the constant's is told.

use super::{Logic, Result};
use crate::import::compare::{Part, equals_number, escape, texts, version};
use crate::import::rule::Rule;
use crate::import::value::{as_number, as_text, text};
use crate::project_file::{Node, Value};

impl Logic<'_> {
    /// Returns what a comparison asks.
    pub(super) fn comparison(&mut self, operation: &str, arguments: &[Node]) -> Result<Rule> {
        match (operation, arguments) {
            ("==" | "===", [a, b]) => self.equality(a, b, operation == "==="),
            ("!=" | "!==", [a, b]) => Ok(self.equality(a, b, operation == "!==")?.not()),
            ("<" | "<=" | ">" | ">=", [a, b]) => self.order(operation, a, b),
            ("<" | "<=", [low, middle, high]) => Ok(Rule::All(vec![
                self.order(operation, low, middle)?,
                self.order(operation, middle, high)?,
            ])),
            ("in", [needle, heap]) => self.member(needle, heap),
            ("starts_with" | "ends_with", [subject, part]) => self.part(operation, subject, part),
            ("sem_ver", [subject, operator, target]) => self.version(subject, operator, target),
            _ => self.fail("it has no counterpart here"),
        }
    }

    fn equality(&mut self, a: &Node, b: &Node, is_strict: bool) -> Result<Rule> {
        let (property, constant) = match (self.property(a)?, self.property(b)?) {
            (Some(property), None) => (property, b),
            (None, Some(property)) => (property, a),
            _ => return self.fail("it compares something else than a property with a constant"),
        };
        self.equals(&property, constant, is_strict)
    }

    fn equals(&mut self, property: &str, constant: &Node, is_strict: bool) -> Result<Rule> {
        match &constant.value {
            Value::Text(value) => {
                self.note_text(property, value);
                Ok(texts(property, &[value], Part::Whole, false))
            }
            Value::Number(text) => {
                let number = as_number(constant).unwrap_or_default();
                let difference = match is_strict {
                    true => "the text of the number counts",
                    false => "`true`, `false` and blank texts do not count as 1 and 0",
                };
                if is_strict || number == 0.0 || number == 1.0 {
                    self.differ(format!("`{property}` and the number {text}: {difference}"));
                }
                Ok(equals_number(property, number))
            }
            Value::Bool(value) => {
                self.differ(format!(
                    "`{property}` and {value}: the text `{value}` counts, numbers do not"
                ));
                Ok(Rule::is(property, "exact", Value::Bool(*value)))
            }
            Value::Null => {
                self.differ(format!(
                    "`{property}` and null: the text `null` counts as null"
                ));
                Ok(Rule::Any(vec![
                    Rule::is(property, "is_not_set", Value::Null),
                    Rule::is(property, "regex", text("^null$")),
                ]))
            }
            other => self.fail(format!("it compares with {}", other.describe())),
        }
    }

    /// Tells where the type of a property matters although the constant is a text.
    fn note_text(&mut self, property: &str, value: &str) {
        // An id is always a text.
        if property == "distinct_id" {
            return;
        }
        if value.trim().parse::<f64>().is_ok() || is_word(value) {
            self.differ(format!(
                "`{property}` and the text `{value}`: a value that is no text counts if it is written exactly so"
            ));
        }
    }

    fn order(&mut self, operation: &str, a: &Node, b: &Node) -> Result<Rule> {
        let (property, constant, operation) = match (self.property(a)?, self.property(b)?) {
            (Some(property), None) => (property, b, operation),
            (None, Some(property)) => (property, a, mirrored(operation)),
            _ => return self.fail("it compares something else than a property with a constant"),
        };
        let Value::Number(_) = constant.value else {
            return self.fail(format!("it orders by {}", constant.value.describe()));
        };
        let limit = as_number(constant).unwrap_or_default();
        let (operator, holds): (_, fn(f64, f64) -> bool) = match operation {
            "<" => ("lt", |value, limit| value < limit),
            "<=" => ("lte", |value, limit| value <= limit),
            ">" => ("gt", |value, limit| value > limit),
            _ => ("gte", |value, limit| value >= limit),
        };
        let rule = Rule::is(&property, operator, constant.value.clone());
        if holds(0.0, limit) || holds(1.0, limit) {
            self.differ(format!(
                "`{property}` {operation} {limit}: null, `true`, `false` and blank texts do not count as 0 or 1"
            ));
        }
        // What is missing counts as 0.
        let missing = Rule::is(&property, "is_not_set", Value::Null);
        Ok(match holds(0.0, limit) {
            true => Rule::Any(vec![missing, rule]),
            false => rule,
        })
    }

    fn member(&mut self, needle: &Node, heap: &Node) -> Result<Rule> {
        if let Some(property) = self.property(heap)? {
            let Some(part) = as_text(needle) else {
                return self.fail("it looks for something else than a text");
            };
            self.differ(format!(
                "`{part}` in `{property}`: a text that begins with [ is taken for a list, lists in lists are searched too, and so are values that are no text"
            ));
            return Ok(contains(&property, part));
        }
        let property = self.subject(needle)?;
        let Value::List(items) = &heap.value else {
            return self.fail("it looks for a property inside a constant");
        };
        let words: Vec<&str> = items.iter().filter_map(as_text).collect();
        let mut any = Vec::new();
        for (index, item) in items.iter().enumerate() {
            if as_text(item).is_none() {
                any.push(self.at(format!("[1][{index}]"), |logic| {
                    logic.equals(&property, item, true)
                })?);
            }
        }
        for word in &words {
            self.note_text(&property, word);
        }
        if !words.is_empty() {
            any.push(texts(&property, &words, Part::Whole, false));
        }
        Ok(Rule::Any(any))
    }

    fn part(&mut self, operation: &str, subject: &Node, part: &Node) -> Result<Rule> {
        let property = self.subject(subject)?;
        let Some(part) = as_text(part) else {
            return self.fail("it compares with something computed");
        };
        let (place, is_other) = match operation {
            "starts_with" => (Part::Start, begins_other_value(part)),
            _ => (Part::End, ends_other_value(part)),
        };
        if is_other {
            self.differ(format!(
                "`{property}` {operation} `{part}`: values that are no text count by their JSON text"
            ));
        }
        Ok(texts(&property, &[part], place, false))
    }

    fn version(&mut self, subject: &Node, operator: &Node, target: &Node) -> Result<Rule> {
        let property = self.subject(subject)?;
        let (operator, target) = (as_text(operator), as_text(target));
        let rule = operator
            .zip(target)
            .and_then(|(operator, target)| version(&property, operator, target));
        let Some(rule) = rule else {
            return self.fail("its operator or its version cannot be read");
        };
        self.differ(format!(
            "`{property}` as a version: numbers, leading zeros, blanks and `1.2-rc` are read, and were not"
        ));
        Ok(rule)
    }
}

/// Returns that a property holds a text: as a part of a text, or as an item of a list, which is compared as its JSON text.
fn contains(property: &str, part: &str) -> Rule {
    let part_of_text = escape(part);
    let mut quoted = String::new();
    Value::Text(part.to_owned()).write_json(&mut quoted);
    let item = escape(&quoted);
    let pattern = format!(r"(?s)^(?:[^\[].*)?{part_of_text}|^\[(?:.*,)?{item}(?:,.*)?\]$");
    Rule::is(property, "regex", text(&pattern))
}

fn is_word(text: &str) -> bool {
    ["true", "false", "null"].contains(&text)
}

/// Returns whether the JSON text of a value that is no text can begin so.
fn begins_other_value(part: &str) -> bool {
    let begins = |c: char| c.is_ascii_digit() || "-[{".contains(c);
    part.starts_with(begins)
        || ["true", "false", "null"]
            .iter()
            .any(|w| w.starts_with(part))
}

fn ends_other_value(part: &str) -> bool {
    let ends = |c: char| c.is_ascii_digit() || "]}".contains(c);
    part.ends_with(ends) || ["true", "false", "null"].iter().any(|w| w.ends_with(part))
}

fn mirrored(operation: &str) -> &str {
    match operation {
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        _ => "<=",
    }
}
