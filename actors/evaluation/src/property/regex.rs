//! `regex` and `not_regex` (section 4.5).

use super::{Fault, FilterError, Usable};
use crate::text_form;
use fancy_regex::Expr;
use serde_json::Value;
use std::fmt;

/// How many steps a backtracking search may take.
const BACKTRACK_LIMIT: usize = 10_000;

/// How large a compiled pattern may become, in bytes. It is the engine's own default, said aloud: a pattern of more counts
/// as one that does not compile.
const SIZE_LIMIT: usize = 10 << 20;

/// How many instructions a backtracking pattern may become: it repeats by copying.
const PROGRAM_LIMIT: usize = 100_000;

/// A compiled pattern.
#[derive(Debug)]
pub(super) enum Pattern {
    /// Searched in linear time.
    Plain(::regex::Regex),
    /// With look-around, back-references or possessive quantifiers: searched by backtracking.
    Backtracking(Box<fancy_regex::Regex>),
}

impl Pattern {
    /// Compiles the text form of a value.
    ///
    /// The plain engine goes first because it is quicker and bounded. Possessive quantifiers are the one spelling that both
    /// engines read, each in its own way: to the plain one `a++` is only an `a+` repeated.
    pub(super) fn compile(value: &Value) -> Usable<Self> {
        let pattern = text_form(value);
        if may_be_possessive(&pattern)
            && let Ok(compiled) = backtracking(&pattern)
        {
            return Ok(compiled);
        }
        match plain(&pattern) {
            Ok(compiled) => Ok(Self::Plain(compiled)),
            Err(error @ ::regex::Error::CompiledTooBig(_)) => Err(broken(&error)),
            Err(_) => backtracking(&pattern),
        }
    }

    /// Searches the text form of a property. Exceeding the step limit is an error.
    pub(super) fn found_in(&self, property: &Value) -> Result<bool, FilterError> {
        let text = text_form(property);
        match self {
            Self::Plain(pattern) => Ok(pattern.is_match(&text)),
            Self::Backtracking(pattern) => pattern.is_match(&*text).ok().ok_or(FilterError),
        }
    }
}

fn plain(pattern: &str) -> Result<::regex::Regex, ::regex::Error> {
    ::regex::RegexBuilder::new(pattern)
        .size_limit(SIZE_LIMIT)
        .build()
}

fn backtracking(pattern: &str) -> Usable<Pattern> {
    if has_reversed_limits(pattern) {
        return Err(broken(&"the limits of a repetition are reversed"));
    }
    fancy_regex::RegexBuilder::new(pattern)
        .backtrack_limit(BACKTRACK_LIMIT)
        .delegate_size_limit(SIZE_LIMIT)
        .max_prog_size(PROGRAM_LIMIT)
        .build()
        .map(|compiled| Pattern::Backtracking(Box::new(compiled)))
        .map_err(|error| broken(&error))
}

fn broken(why: &dyn fmt::Display) -> Fault {
    Fault::new(format!("has a pattern that does not compile: {why}"))
}

/// The backtracking engine takes `a{2,1}` and makes something of it; to Rust's syntax it is a mistake.
fn has_reversed_limits(pattern: &str) -> bool {
    let reversed = |part: &Expr| matches!(part, Expr::Repeat { lo, hi, .. } if lo > hi);
    Expr::parse_tree(pattern).is_ok_and(|tree| tree.expr.has_descendant_or_self(reversed))
}

/// Says yes too often (`\++`, `[*+]`), which does no harm: the backtracking engine reads those like the plain one.
fn may_be_possessive(pattern: &str) -> bool {
    ["?+", "*+", "++", "}+"]
        .iter()
        .any(|end| pattern.contains(end))
}
