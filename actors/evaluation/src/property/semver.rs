//! The nine `semver_…` operators (section 4.8).

use super::{Fault, Usable};
use crate::text_form;
use semver::{Version, VersionReq};
use serde_json::Value;

/// Reads the version of a property: only strings and numbers can be one.
pub(super) fn read(value: &Value) -> Option<Version> {
    match value {
        Value::String(_) | Value::Number(_) => read_text(bare(&text_form(value))),
        _ => None,
    }
}

/// Reads the filter value of a comparison.
pub(super) fn bound(value: &Value) -> Usable<Version> {
    read(value).ok_or_else(|| Fault::new("needs a semantic version"))
}

/// From the version up to the next minor one.
pub(super) fn tilde(value: &Value) -> Usable<VersionReq> {
    range(value, |version| format!("~{}", three_parts(version)))
}

/// From the version up to the next one that is not compatible.
pub(super) fn caret(value: &Value) -> Usable<VersionReq> {
    range(value, |version| format!("^{}", three_parts(version)))
}

/// Any version with the parts before the stars. Not padded, so that `1.*` stays a star.
pub(super) fn wildcard(value: &Value) -> Usable<VersionReq> {
    range(value, |version| {
        let (core, rest) = split_core(version);
        format!("{}{rest}", without_leading_zeros(core).join(".")).replace('*', "x")
    })
}

/// Builds a requirement and leaves its reading to Cargo's rules, which also know `1.2.*` after a `~` and lists with commas.
fn range(value: &Value, requirement: impl FnOnce(&str) -> String) -> Usable<VersionReq> {
    VersionReq::parse(&requirement(bare(&text_form(value))))
        .map_err(|error| Fault::new(format!("needs a range of semantic versions: {error}")))
}

/// Drops one leading `v`, then white space: in this order, so that ` v1` keeps its letter and fails.
fn bare(text: &str) -> &str {
    text.strip_prefix('v').unwrap_or(text).trim()
}

fn read_text(text: &str) -> Option<Version> {
    // What is strict already would not be changed by normalising, only copied.
    Version::parse(text)
        .or_else(|_| Version::parse(&three_parts(text)))
        .ok()
}

/// Drops leading zeros and pads to three parts; pre-release and build stay as they are.
fn three_parts(text: &str) -> String {
    let (core, rest) = split_core(text);
    let mut parts = without_leading_zeros(core);
    while parts.len() < 3 {
        parts.push("0");
    }
    format!("{}{rest}", parts.join("."))
}

/// Splits before the first `-` or `+`.
fn split_core(text: &str) -> (&str, &str) {
    text.split_at(text.find(['-', '+']).unwrap_or(text.len()))
}

fn without_leading_zeros(core: &str) -> Vec<&str> {
    core.split('.')
        .map(|part| match part.trim_start_matches('0') {
            "" if !part.is_empty() => "0",
            stripped if part.bytes().all(|b| b.is_ascii_digit()) => stripped,
            _ => part,
        })
        .collect()
}
