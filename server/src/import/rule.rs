//! Rules of other products, and the conditions that say the same: alternatives of filters, or a cohort where that needs a
//! negation that no operator has, or too many alternatives.

use super::Definition;
use super::value::{integer, text};
use crate::project_file::{Value, list, object};

/// How many alternatives a rule may become before it is kept as a cohort.
const MAX_ALTERNATIVES: usize = 16;

/// Operators that are each other's exact opposite for every value, an absent one included.
const OPPOSITES: [[&str; 2]; 8] = [
    ["exact", "is_not"],
    ["icontains", "not_icontains"],
    ["icontains_multi", "not_icontains_multi"],
    ["starts_with", "not_starts_with"],
    ["ends_with", "not_ends_with"],
    ["is_set", "is_not_set"],
    ["between", "not_between"],
    // Of a pattern that compiles; no importer makes another, and `check` refuses it.
    ["regex", "not_regex"],
];

/// Operators that are each other's opposite for numbers alone.
const ORDERS: [[&str; 2]; 2] = [["lt", "gte"], ["lte", "gt"]];

/// What must hold of a person.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Rule {
    /// Holds for everybody.
    Always,
    /// Holds for nobody.
    Never,
    /// A filter.
    Is(Test),
    /// All of them.
    All(Vec<Rule>),
    /// At least one of them.
    Any(Vec<Rule>),
    /// The opposite.
    Not(Box<Rule>),
}

/// A filter on a person's property, a cohort or another flag.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Test {
    pub(crate) kind: &'static str,
    pub(crate) key: String,
    pub(crate) operator: &'static str,
    pub(crate) value: Value,
}

impl Test {
    fn of_cohort(id: i64) -> Self {
        Self {
            kind: "cohort",
            key: "id".to_owned(),
            operator: "in",
            value: integer(id),
        }
    }

    fn filter(&self) -> Value {
        object(self.members())
    }

    fn members(&self) -> Vec<(&'static str, Value)> {
        let mut members = vec![
            ("key", text(&self.key)),
            ("type", text(self.kind)),
            ("operator", text(self.operator)),
        ];
        if self.value != Value::Null {
            members.push(("value", self.value.clone()));
        }
        members
    }
}

impl Rule {
    /// Returns a filter on a person's property.
    pub(crate) fn is(key: &str, operator: &'static str, value: Value) -> Self {
        Self::test("person", key, operator, value)
    }

    /// Returns that a person is in a cohort.
    pub(crate) fn in_cohort(id: i64) -> Self {
        Self::Is(Test::of_cohort(id))
    }

    /// Returns that another flag has a value.
    pub(crate) fn flag(id: i64, value: Value) -> Self {
        Self::test("flag", &id.to_string(), "flag_evaluates_to", value)
    }

    /// Returns that a property is there, whatever it is.
    pub(crate) fn is_set(key: &str) -> Self {
        Self::is(key, "is_set", Value::Null)
    }

    fn test(kind: &'static str, key: &str, operator: &'static str, value: Value) -> Self {
        Self::Is(Test {
            kind,
            key: key.to_owned(),
            operator,
            value,
        })
    }

    /// Returns the opposite.
    pub(crate) fn not(self) -> Self {
        match self {
            Self::Always => Self::Never,
            Self::Never => Self::Always,
            Self::Not(rule) => *rule,
            rule => Self::Not(Box::new(rule)),
        }
    }

    /// Pushes negations down to the filters, and drops what decides nothing.
    fn normal(&self, negated: bool) -> Normal {
        match (self, negated) {
            (Self::Always, false) | (Self::Never, true) => Normal::All(Vec::new()),
            (Self::Always, true) | (Self::Never, false) => Normal::Any(Vec::new()),
            (Self::Is(test), true) => not_in_order(test).unwrap_or_else(|| negative(test)),
            (Self::Is(test), false) => Normal::Is(test.clone(), false),
            (Self::Not(rule), _) => rule.normal(!negated),
            (Self::All(rules), false) | (Self::Any(rules), true) => {
                let parts = rules.iter().map(|rule| rule.normal(negated));
                Normal::join(parts, true)
            }
            (Self::Any(rules), false) | (Self::All(rules), true) => {
                let parts = rules.iter().map(|rule| rule.normal(negated));
                Normal::join(parts, false)
            }
        }
    }
}

fn negative(test: &Test) -> Normal {
    Normal::Is(test.clone(), true)
}

/// Returns the opposite of an order: the opposite order, or no number at all.
fn not_in_order(test: &Test) -> Option<Normal> {
    let operator = other_of(&ORDERS, test.operator)?;
    let opposite = Test {
        operator,
        ..test.clone()
    };
    let no_number = Test {
        operator: "not_between",
        value: list([text("-inf"), text("inf")]),
        ..test.clone()
    };
    Some(Normal::Any(vec![
        Normal::Is(opposite, false),
        Normal::Is(no_number, false),
    ]))
}

fn other_of(pairs: &[[&'static str; 2]], operator: &str) -> Option<&'static str> {
    pairs.iter().find_map(|[a, b]| match operator {
        operator if operator == *a => Some(*b),
        operator if operator == *b => Some(*a),
        _ => None,
    })
}

/// A rule with negations at filters only. Nobody is an empty `Any`, everybody an empty `All`.
#[derive(Debug)]
enum Normal {
    Is(Test, bool),
    All(Vec<Normal>),
    Any(Vec<Normal>),
}

impl Normal {
    fn join(parts: impl Iterator<Item = Self>, all: bool) -> Self {
        let mut kept = Vec::new();
        for part in parts {
            match part {
                Self::All(inner) if all => kept.extend(inner),
                Self::Any(inner) if !all => kept.extend(inner),
                // One that nobody passes decides an `All`, one that everybody passes an `Any`.
                Self::Any(inner) if all && inner.is_empty() => return Self::Any(inner),
                Self::All(inner) if !all && inner.is_empty() => return Self::All(inner),
                part => kept.push(part),
            }
        }
        match all {
            true => Self::All(kept),
            false => Self::Any(kept),
        }
    }

    /// Returns the alternatives, each a list of filters; `None` when there are too many or a filter has no opposite.
    fn alternatives(&self) -> Option<Vec<Vec<Test>>> {
        match self {
            Self::Is(test, negated) => Some(vec![vec![positive(test, *negated)?]]),
            Self::Any(parts) => {
                let mut all = Vec::new();
                for part in parts {
                    all.extend(part.alternatives()?);
                    if all.len() > MAX_ALTERNATIVES {
                        return None;
                    }
                }
                Some(all)
            }
            Self::All(parts) => {
                let mut all = vec![Vec::new()];
                for part in parts {
                    let next = part.alternatives()?;
                    if all.len() * next.len() > MAX_ALTERNATIVES {
                        return None;
                    }
                    all = (all.iter())
                        .flat_map(|a| {
                            next.iter()
                                .map(move |b| [a.as_slice(), b.as_slice()].concat())
                        })
                        .collect();
                }
                Some(all)
            }
        }
    }

    /// Returns the tree of a cohort; `None` when it asks for another flag, which cohorts cannot.
    fn tree(&self) -> Option<Value> {
        let (kind, parts) = match self {
            Self::Is(test, _) if test.kind == "flag" => return None,
            Self::Is(test, negated) => {
                let mut members = test.members();
                if *negated {
                    members.push(("negation", Value::Bool(true)));
                }
                return Some(object(members));
            }
            Self::All(parts) => ("AND", parts),
            Self::Any(parts) => ("OR", parts),
        };
        let values: Option<Vec<Value>> = parts.iter().map(Self::tree).collect();
        Some(object(vec![
            ("type", text(kind)),
            ("values", list(values?)),
        ]))
    }
}

fn positive(test: &Test, negated: bool) -> Option<Test> {
    let operator = match negated {
        true => other_of(&OPPOSITES, test.operator)?,
        false => test.operator,
    };
    Some(Test {
        operator,
        ..test.clone()
    })
}

/// Returns whether nobody passes all tests: a property cannot be missing and be something.
fn is_contradictory(tests: &[Test]) -> bool {
    let mut missing = tests.iter().filter(|test| test.operator == "is_not_set");
    missing.any(|missing| {
        let is_there = |test: &&Test| {
            test.key == missing.key && test.kind == missing.kind && !holds_without(test.operator)
        };
        tests.iter().any(|test| is_there(&test))
    })
}

/// Returns whether an operator holds for a property that is missing.
fn holds_without(operator: &str) -> bool {
    operator == "is_not" || operator.starts_with("not_") || operator == "is_not_set"
}

/// Turns rules into the filters of conditions, and makes the cohorts that this needs.
#[derive(Debug)]
pub(crate) struct Conditions {
    next_id: i64,
    cohorts: Vec<Definition>,
}

impl Conditions {
    /// Begins with the first id that is given out.
    pub(crate) fn new(first_id: i64) -> Self {
        Self {
            next_id: first_id,
            cohorts: Vec::new(),
        }
    }

    /// Returns an id that nothing in the file has yet.
    pub(crate) fn fresh_id(&mut self) -> i64 {
        let id = self.next_id;
        self.next_id = id.saturating_add(1);
        id
    }

    /// Returns how many cohorts were made.
    pub(crate) fn count(&self) -> usize {
        self.cohorts.len()
    }

    /// Forgets the cohorts that were made since there were `count`, for a flag that is left out after all.
    pub(crate) fn forget(&mut self, count: usize) {
        self.cohorts.truncate(count);
    }

    /// Returns the cohorts that were made.
    pub(crate) fn into_cohorts(self) -> Vec<Definition> {
        self.cohorts
    }

    /// Returns the alternatives under which a rule holds, each the filters of a condition. None means nobody, one without
    /// filters everybody. `Err` is a rule that only a cohort could say, if it did not ask for another flag.
    pub(crate) fn alternatives(
        &mut self,
        rule: &Rule,
        flag: &str,
    ) -> Result<Vec<Vec<Value>>, String> {
        let normal = rule.normal(false);
        if let Some(alternatives) = normal.alternatives() {
            let possible = alternatives.iter().filter(|tests| !is_contradictory(tests));
            let filters = possible.map(|tests| tests.iter().map(Test::filter).collect());
            return Ok(filters.collect());
        }
        let name = format!("Imported rule {} of {flag}", self.next_id);
        let id = self.cohort(&name, rule)?;
        Ok(vec![vec![Test::of_cohort(id).filter()]])
    }

    /// Makes a cohort of those for whom a rule holds, and returns its id.
    pub(crate) fn cohort(&mut self, name: &str, rule: &Rule) -> Result<i64, String> {
        let tree = match rule.normal(false) {
            leaf @ Normal::Is(..) => Normal::All(vec![leaf]).tree(),
            normal => normal.tree(),
        };
        let tree = tree.ok_or("its conditions on other flags are too many")?;
        let id = self.fresh_id();
        self.cohorts.push(Definition {
            subject: format!("cohort {id} {name}"),
            value: object(vec![
                ("id", integer(id)),
                ("name", text(name)),
                ("filters", object(vec![("properties", tree)])),
            ]),
        });
        Ok(id)
    }
}

#[cfg(test)]
mod tests;
