//! `regex` and `not_regex` (section 4.5).

use super::{Fault, FilterError, Usable};
use crate::text_form;
use serde_json::Value;

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
    pub(super) fn compile(value: &Value) -> Usable<Self> {
        let pattern = text_form(value);
        let plain = || plain(&pattern);
        let backtracking = || backtracking(&pattern);
        // The plain engine goes first because it is quicker and bounded. Possessive quantifiers are the one spelling that
        // both engines read, each in its own way: to the plain one `a++` is only an `a+` repeated.
        let compiled = if may_be_possessive(&pattern) {
            backtracking().or_else(|fault| plain().ok_or(fault))
        } else {
            plain().map_or_else(backtracking, Ok)
        };
        compiled
            .map_err(|error| Fault::new(format!("has a pattern that does not compile: {error}")))
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

fn plain(pattern: &str) -> Option<Pattern> {
    ::regex::RegexBuilder::new(pattern)
        .size_limit(SIZE_LIMIT)
        .build()
        .ok()
        .map(Pattern::Plain)
}

fn backtracking(pattern: &str) -> Result<Pattern, Box<fancy_regex::Error>> {
    fancy_regex::RegexBuilder::new(pattern)
        .backtrack_limit(BACKTRACK_LIMIT)
        .delegate_size_limit(SIZE_LIMIT)
        .max_prog_size(PROGRAM_LIMIT)
        .build()
        .map(|compiled| Pattern::Backtracking(Box::new(compiled)))
        .map_err(Box::new)
}

/// Says yes too often (`\++`, `[*+]`), which does no harm: the backtracking engine reads those like the plain one.
fn may_be_possessive(pattern: &str) -> bool {
    ["?+", "*+", "++", "}+"]
        .iter()
        .any(|end| pattern.contains(end))
}
