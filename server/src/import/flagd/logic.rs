//! Targeting rules of flagd, JsonLogic with operations of its own, as choices: what must hold, and what is served then.

mod compare;
mod fraction;

use crate::import::plan::Shares;
use crate::import::rule::Rule;
use crate::import::value::{as_list, as_text, text};
use crate::project_file::{Node, Value};
use std::collections::BTreeSet;

/// How deep rules may refer to rules that refer to rules.
const MAX_DEPTH: usize = 250;
/// How many operations a flag may come to, with all rules that it refers to.
const MAX_OPERATIONS: usize = 10_000;
/// Members of an OFREP context that are not properties of the person.
const OWN_MEANING: [&str; 5] = [
    "groups",
    "group_properties",
    "groupProperties",
    "evaluation_contexts",
    "evaluation_runtime",
];

/// A choice of a targeting rule.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Choice {
    pub(super) rule: Rule,
    pub(super) decision: Decision,
}

/// What a choice serves.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Decision {
    /// The default variant.
    Default,
    /// A variant, by name.
    Variant(String),
    /// Variants by hash, by name.
    Split(Shares),
}

/// Reads the rules of one flag.
pub(super) struct Logic<'a> {
    evaluators: Option<&'a Node>,
    differences: &'a mut BTreeSet<String>,
    operations: usize,
    /// Where it reads, for whoever has to be told.
    path: Vec<String>,
}

type Result<T> = std::result::Result<T, String>;

impl<'a> Logic<'a> {
    pub(super) fn new(evaluators: Option<&'a Node>, differences: &'a mut BTreeSet<String>) -> Self {
        Self {
            evaluators,
            differences,
            operations: 0,
            path: Vec::new(),
        }
    }

    /// Returns the choices of a flag's `targeting`, tried in order.
    pub(super) fn choices(&mut self, targeting: &'a Node) -> Result<Vec<Choice>> {
        self.at("targeting", |logic| logic.decide(targeting))
    }

    /// Goes a step down.
    fn at<T>(
        &mut self,
        step: impl Into<String>,
        read: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        self.path.push(step.into());
        if self.path.len() > MAX_DEPTH {
            self.path.truncate(1);
            return self.fail("its rules are too deep");
        }
        let result = read(self);
        self.path.pop();
        result
    }

    /// Says why the place where it reads cannot be expressed.
    fn fail<T>(&self, reason: impl AsRef<str>) -> Result<T> {
        Err(format!("{}: {}", self.path.concat(), reason.as_ref()))
    }

    fn differ(&mut self, difference: String) {
        self.differences.insert(difference);
    }

    fn decide(&mut self, node: &'a Node) -> Result<Vec<Choice>> {
        let all = |decision| {
            let rule = Rule::Always;
            Ok(vec![Choice { rule, decision }])
        };
        match &node.value {
            Value::Null => return all(Decision::Default),
            Value::Text(name) => return all(Decision::Variant(name.clone())),
            Value::Bool(on) => return all(Decision::Variant(on.to_string())),
            _ => {}
        }
        let (operation, arguments) = self.operation(node)?;
        match operation {
            "$ref" => {
                let target = self.reference(arguments)?;
                self.at(".$ref", |logic| logic.decide(target))
            }
            "if" => self.at(".if", |logic| logic.choose(as_list(arguments))),
            "fractional" => {
                let shares = self.at(".fractional", |logic| logic.fraction(arguments))?;
                all(Decision::Split(shares))
            }
            _ if is_boolean(node) => {
                let choice = |rule, on: &str| Choice {
                    rule,
                    decision: Decision::Variant(on.to_owned()),
                };
                let rule = self.rule(node)?;
                Ok(vec![choice(rule, "true"), choice(Rule::Always, "false")])
            }
            _ => self.fail(format!("`{operation}` computes the name of a variant")),
        }
    }

    fn choose(&mut self, arguments: &'a [Node]) -> Result<Vec<Choice>> {
        let mut choices = Vec::new();
        for (index, pair) in arguments.chunks(2).enumerate() {
            let first = format!("[{}]", index * 2);
            let (rule, then, step) = match pair {
                [condition, then] => {
                    let rule = self.at(first, |logic| logic.rule(condition))?;
                    (rule, then, format!("[{}]", index * 2 + 1))
                }
                [otherwise] => (Rule::Always, otherwise, first),
                _ => break,
            };
            for choice in self.at(step, |logic| logic.decide(then))? {
                let rule = match (&rule, choice.rule) {
                    (Rule::Always, rule) => rule,
                    (rule, Rule::Always) => rule.clone(),
                    (rule, other) => Rule::All(vec![rule.clone(), other]),
                };
                let decision = choice.decision;
                choices.push(Choice { rule, decision });
            }
        }
        if arguments.len().is_multiple_of(2) {
            choices.push(Choice {
                rule: Rule::Always,
                decision: Decision::Default,
            });
        }
        Ok(choices)
    }

    /// Returns what a condition asks.
    fn rule(&mut self, node: &'a Node) -> Result<Rule> {
        if let Some(always) = constant(&node.value) {
            return Ok(if always { Rule::Always } else { Rule::Never });
        }
        let (operation, arguments) = self.operation(node)?;
        let step = format!(".{operation}");
        match operation {
            "$ref" => {
                let target = self.reference(arguments)?;
                self.at(step, |logic| logic.rule(target))
            }
            "and" => Ok(Rule::All(self.at(step, |logic| logic.rules(arguments))?)),
            "or" => Ok(Rule::Any(self.at(step, |logic| logic.rules(arguments))?)),
            "!" => Ok(self.at(step, |logic| logic.only(arguments))?.not()),
            "!!" => self.at(step, |logic| logic.only(arguments)),
            "if" => self.at(step, |logic| logic.condition(as_list(arguments))),
            "var" => self.truth(node),
            _ => self.at(step, |logic| {
                logic.comparison(operation, as_list(arguments))
            }),
        }
    }

    fn rules(&mut self, arguments: &'a Node) -> Result<Vec<Rule>> {
        let nodes = as_list(arguments);
        if nodes.is_empty() {
            return self.fail("it has no arguments");
        }
        (nodes.iter().enumerate())
            .map(|(index, node)| self.at(format!("[{index}]"), |logic| logic.rule(node)))
            .collect()
    }

    fn only(&mut self, arguments: &'a Node) -> Result<Rule> {
        match as_list(arguments) {
            [one] => self.at("[0]", |logic| logic.rule(one)),
            [] if !matches!(arguments.value, Value::List(_)) => self.rule(arguments),
            _ => self.fail("it has not exactly one argument"),
        }
    }

    fn condition(&mut self, arguments: &'a [Node]) -> Result<Rule> {
        let [condition, then, otherwise] = arguments else {
            return self.fail("a condition needs an `if` with exactly three arguments");
        };
        let condition = self.at("[0]", |logic| logic.rule(condition))?;
        let then = self.at("[1]", |logic| logic.rule(then))?;
        let otherwise = self.at("[2]", |logic| logic.rule(otherwise))?;
        Ok(Rule::Any(vec![
            Rule::All(vec![condition.clone(), then]),
            Rule::All(vec![condition.not(), otherwise]),
        ]))
    }

    /// Returns that a property is neither missing nor empty, zero, false or null.
    fn truth(&mut self, node: &Node) -> Result<Rule> {
        let property = self.subject(node)?;
        self.differ(format!(
            "`{property}` on its own: the texts `false`, `null`, `0`, `[]` and `{{}}` count as what they say"
        ));
        let empty = r"^(?:null|false|-?0(?:\.0)?|\[\]|\{\})?$";
        Ok(Rule::All(vec![
            Rule::is_set(&property),
            Rule::is(&property, "not_regex", text(empty)),
        ]))
    }

    /// Returns the operation of a node and its arguments.
    fn operation(&mut self, node: &'a Node) -> Result<(&'a str, &'a Node)> {
        self.operations += 1;
        if self.operations > MAX_OPERATIONS {
            return self.fail("its rules are too many");
        }
        match &node.value {
            Value::Map(members) => match members.as_slice() {
                [(name, arguments)] => Ok((name.text.as_str(), arguments)),
                _ => self.fail("an operation has exactly one name"),
            },
            other => self.fail(format!("{} where a rule should be", other.describe())),
        }
    }

    fn reference(&self, name: &Node) -> Result<&'a Node> {
        let Some(name) = as_text(name) else {
            return self.fail("a `$ref` that is not a text");
        };
        match self.evaluators.and_then(|all| all.get(name)) {
            Some(found) => Ok(found),
            None => self.fail(format!("there is no evaluator `{name}`")),
        }
    }

    /// Returns the person property that a `var` reads; `None` for anything but a `var`.
    fn property(&self, node: &Node) -> Result<Option<String>> {
        let Some(path) = node.get("var") else {
            return Ok(None);
        };
        let path = match as_list(path) {
            [path] => path,
            _ => path,
        };
        match as_text(path) {
            Some("targetingKey") => Ok(Some("distinct_id".to_owned())),
            Some(name) if name.starts_with("$flagd.") => {
                self.fail(format!("`{name}` is not known here"))
            }
            Some(name) if name.contains('.') => {
                self.fail(format!("`{name}` is inside another value of the context"))
            }
            Some(name) if OWN_MEANING.contains(&name) => {
                self.fail(format!("`{name}` is no property here"))
            }
            Some(name) if !name.is_empty() => Ok(Some(name.to_owned())),
            _ => self.fail("a `var` with a default, or without a name"),
        }
    }

    fn subject(&self, node: &Node) -> Result<String> {
        match self.property(node)? {
            Some(property) => Ok(property),
            None => self.fail("it compares something else than a property with a constant"),
        }
    }
}

/// Returns whether a constant counts as true; `None` for an operation or a list.
fn constant(value: &Value) -> Option<bool> {
    match value {
        Value::Null => Some(false),
        Value::Bool(value) => Some(*value),
        Value::Text(text) => Some(!text.is_empty()),
        Value::Number(text) => text.parse().ok().map(|n: f64| n != 0.0),
        Value::List(_) | Value::Map(_) => None,
    }
}

/// Returns whether a rule comes to `true` or `false`, and never to a text that names a variant.
fn is_boolean(node: &Node) -> bool {
    let Value::Map(members) = &node.value else {
        return matches!(node.value, Value::Bool(_));
    };
    members.iter().all(|(name, arguments)| {
        let all = || as_list(arguments).iter().all(is_boolean);
        match name.text.as_str() {
            "and" | "or" => all(),
            "==" | "===" | "!=" | "!==" | "<" | "<=" | ">" | ">=" | "!" | "!!" => true,
            "in" | "starts_with" | "ends_with" | "sem_ver" => true,
            _ => false,
        }
    })
}
