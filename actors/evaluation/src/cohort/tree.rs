//! The tree of a cohort's filters (sections 1.6 and 6.3).
//!
//! It is read level by level from the raw text, so the stack never holds more than the permitted depth, however deep
//! the text is.

use crate::{
    CohortId, Moment,
    definition::{Faults, Object, filters::CohortOperator},
    property::{Completeness, Operator, Test},
    subject::PersonView,
};
use serde_json::{Value, value::RawValue};
use std::collections::{BTreeMap, HashMap};

/// How many trees may stand inside each other, the outermost included.
const MAX_DEPTH: usize = 64;

/// A tree or one of its entries.
#[derive(Debug)]
pub(crate) enum Node {
    /// True if all entries are.
    All(Box<[Self]>),
    /// True if any entry is.
    Any(Box<[Self]>),
    /// A filter on the person.
    Leaf {
        key: Box<str>,
        test: Test,
        /// Whether it reads a column of the person record instead of a property.
        metadata: bool,
        negation: bool,
    },
    /// Membership in another cohort.
    Cohort {
        /// Its place in the set.
        place: usize,
        operator: CohortOperator,
        negation: bool,
    },
    /// What cannot be computed from properties: false, whatever its negation says.
    Unsupported,
}

/// A tree that cannot be read; the reader has noted where and why.
#[derive(Debug)]
pub(crate) struct Unreadable;

/// Reads one cohort's trees and gathers what they refer to.
pub(crate) struct TreeReader<'a> {
    places: &'a HashMap<CohortId, usize>,
    faults: &'a mut Faults,
    pub(crate) references: Vec<usize>,
    /// Whether a reference leads nowhere.
    pub(crate) missing: bool,
    /// Whether there is a behavioural or lifecycle criterion.
    pub(crate) behavioral: bool,
}

type Fields<'a> = BTreeMap<String, &'a RawValue>;

impl Node {
    /// Evaluates the tree on the person's properties, all of which count as known (section 6.3). `member` tells the
    /// membership in the cohort at a place.
    pub(crate) fn holds(
        &self,
        person: &PersonView<'_>,
        member: &dyn Fn(usize) -> bool,
        moment: &Moment,
    ) -> bool {
        match self {
            Self::All(entries) => entries
                .iter()
                .all(|entry| entry.holds(person, member, moment)),
            Self::Any(entries) => entries
                .iter()
                .any(|entry| entry.holds(person, member, moment)),
            Self::Leaf {
                key,
                test,
                metadata,
                negation,
            } => {
                let value = if *metadata {
                    person.metadata(key)
                } else {
                    person.get(key)
                };
                // an error is a non-match before negation
                let found = test.matches(value, Completeness::Complete, moment) == Ok(true);
                found != *negation
            }
            Self::Cohort {
                place,
                operator,
                negation,
            } => operator.matches(member(*place)) != *negation,
            Self::Unsupported => false,
        }
    }
}

impl<'a> TreeReader<'a> {
    pub(crate) fn new(places: &'a HashMap<CohortId, usize>, faults: &'a mut Faults) -> Self {
        Self {
            places,
            faults,
            references: Vec::new(),
            missing: false,
            behavioral: false,
        }
    }

    /// Notes a fault that makes the tree unreadable.
    pub(crate) fn unreadable(&mut self, path: &str, message: &str) -> Unreadable {
        self.faults.add(path, message);
        Unreadable
    }

    /// Reads the outermost tree, which has to be `AND` or `OR`.
    pub(crate) fn top(&mut self, raw: &RawValue, path: &str) -> Result<Node, Unreadable> {
        let Some(fields) = object(raw) else {
            return Err(self.unreadable(path, "expected an object"));
        };
        match text(&fields, "type").as_deref() {
            Some("AND" | "OR") => self.tree(&fields, path, 1),
            _ => Err(self.unreadable(&format!("{path}.type"), "expected AND or OR")),
        }
    }

    /// Reads a tree: `AND` and `property` want all of their entries, `OR` any.
    pub(crate) fn tree(
        &mut self,
        fields: &Fields<'_>,
        path: &str,
        depth: usize,
    ) -> Result<Node, Unreadable> {
        if depth > MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} trees inside each other");
            return Err(self.unreadable(path, &message));
        }
        let path_of_values = format!("{path}.values");
        let values = fields.get("values").and_then(|raw| list(raw));
        let Some(values) = values else {
            return Err(self.unreadable(&path_of_values, "expected a list"));
        };
        let mut entries = Vec::with_capacity(values.len());
        for (index, value) in values.into_iter().enumerate() {
            entries.push(self.entry(value, &format!("{path_of_values}[{index}]"), depth)?);
        }
        match text(fields, "type").as_deref() {
            Some("AND" | "property") => Ok(Node::All(entries.into())),
            Some("OR") => Ok(Node::Any(entries.into())),
            _ => Err(self.unreadable(&format!("{path}.type"), "expected AND or OR")),
        }
    }

    fn entry(&mut self, raw: &RawValue, path: &str, depth: usize) -> Result<Node, Unreadable> {
        let Some(fields) = object(raw) else {
            return Ok(self.unsupported(path, "not an object"));
        };
        let kind = text(&fields, "type").unwrap_or_default();
        if text(&fields, "key").is_some() && is_leaf_type(&kind) {
            self.leaf(raw, &kind, path)
        } else if fields.contains_key("values") {
            self.tree(&fields, path, depth.saturating_add(1))
        } else {
            // such a criterion is no fault: it is known not to be resolved here
            if matches!(kind.as_str(), "behavioral" | "lifecycle") {
                self.behavioral = true;
                return Ok(Node::Unsupported);
            }
            Ok(self.unsupported(path, &format!("not a filter: type {kind:?}")))
        }
    }

    /// Reads a leaf of a known type.
    pub(crate) fn leaf(
        &mut self,
        raw: &RawValue,
        kind: &str,
        path: &str,
    ) -> Result<Node, Unreadable> {
        let value: Value = match serde_json::from_str(raw.get()) {
            Ok(value) => value,
            Err(error) => return Ok(self.unsupported(path, &error.to_string())),
        };
        let before = self.faults.0.len();
        let Some(object) = Object::read(&value, path.to_owned(), self.faults) else {
            return Ok(Node::Unsupported);
        };
        let key = object.required_text("key", self.faults).unwrap_or_default();
        let name = object.optional_text("operator", self.faults);
        let negation = object.optional_bool("negation", self.faults) == Some(true);
        let operator = name.and_then(Operator::from_name);
        if let (Some(name), None) = (name, operator) {
            self.faults.add(
                object.path("operator"),
                format!("unknown operator {name:?}"),
            );
        }
        if kind == "cohort" {
            return self.cohort_leaf(&object, CohortOperator::of(operator), negation);
        }
        if self.faults.0.len() > before {
            return Ok(Node::Unsupported);
        }
        let operator = operator.unwrap_or(Operator::Exact);
        let test = Test::compile(operator, object.fields.get("value"));
        if let Some(fault) = test.fault() {
            self.faults.add(path, fault);
        }
        Ok(Node::Leaf {
            key: key.into(),
            test,
            metadata: kind == "person_metadata",
            negation,
        })
    }

    fn cohort_leaf(
        &mut self,
        object: &Object<'_>,
        operator: CohortOperator,
        negation: bool,
    ) -> Result<Node, Unreadable> {
        let Some(id) = object.fields.get("value").and_then(Value::as_i64) else {
            return Err(self.unreadable(
                &object.path("value"),
                "expected the id of a cohort, an integer",
            ));
        };
        if operator == CohortOperator::Never {
            self.faults.add(
                object.path("operator"),
                "never matches: expected in or not_in",
            );
        }
        let Some(&place) = self.places.get(&CohortId(id)) else {
            self.missing = true;
            self.faults
                .add(object.path("value"), format!("there is no cohort {id}"));
            return Ok(Node::Unsupported);
        };
        self.references.push(place);
        Ok(Node::Cohort {
            place,
            operator,
            negation,
        })
    }

    /// Notes an entry that is always false.
    pub(crate) fn unsupported(&mut self, path: &str, message: &str) -> Node {
        self.faults.add(path, message);
        Node::Unsupported
    }
}

/// Returns whether an entry of this type is a filter.
pub(crate) fn is_leaf_type(kind: &str) -> bool {
    matches!(
        kind,
        "person" | "person_metadata" | "group" | "cohort" | "flag"
    )
}

/// Takes an object apart, its values still as text.
pub(crate) fn object(raw: &RawValue) -> Option<Fields<'_>> {
    serde_json::from_str(raw.get()).ok()
}

/// Takes a list apart, its values still as text.
pub(crate) fn list(raw: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(raw.get()).ok()
}

/// Returns a field that is a text.
pub(crate) fn text(fields: &Fields<'_>, name: &str) -> Option<String> {
    serde_json::from_str(fields.get(name)?.get()).ok()
}
