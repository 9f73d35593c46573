//! The query parameters of `/flags` and `/decide` (section 3.2), and the answer's shape that follows from them (section 3.7).

#[cfg(test)]
mod tests;

use crate::body::{Compression, percent};
use crate::flags_response::Shape;
use std::borrow::Cow;

/// Which of the two names a request was sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// `/flags`.
    Flags,
    /// `/decide`, or `/flags` behind a proxy that renames it.
    Decide,
}

/// The parameters that matter; all others are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlagsQuery {
    /// `v`, or `version`. What is not a number is 1.
    pub version: Option<i64>,
    /// `config`.
    pub config: Option<bool>,
    /// `compression`.
    pub compression: Compression,
    /// `only_evaluate_survey_feature_flags`.
    pub surveys_only: bool,
    /// `detailed_analysis`.
    pub detailed_analysis: bool,
    /// `only_use_override_person_properties`.
    pub overrides_only: bool,
}

impl FlagsQuery {
    /// Reads a query string. Of a repeated parameter the first one counts; an empty text counts as absent.
    pub fn parse(query: &str) -> Self {
        let mut parsed = Self::default();
        let mut long_version = None;
        let mut compression = None;
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(value);
            match decoded(name).as_ref() {
                "v" => parsed.version = parsed.version.or_else(|| version(&value)),
                "version" => long_version = long_version.or_else(|| version(&value)),
                "config" => parsed.config = parsed.config.or_else(|| Some(boolean(&value))),
                "compression" if !value.is_empty() => {
                    compression = compression.or_else(|| Some(Compression::from_parameter(&value)));
                }
                "only_evaluate_survey_feature_flags" => parsed.surveys_only |= boolean(&value),
                "detailed_analysis" => parsed.detailed_analysis |= boolean(&value),
                "only_use_override_person_properties" => parsed.overrides_only |= boolean(&value),
                _ => {}
            }
        }
        parsed.version = parsed.version.or(long_version);
        parsed.compression = compression.unwrap_or_default();
        parsed
    }

    /// Returns the shape of an evaluated answer.
    pub fn shape(&self, endpoint: Endpoint) -> Shape {
        let default = if self.is_plain(endpoint) { 2 } else { 1 };
        shape(endpoint, self.version.unwrap_or(default))
    }

    /// Returns the shape of the minimal answer to GET, where nothing means version 1 (section 3.10).
    pub fn minimal_shape(&self, endpoint: Endpoint) -> Shape {
        shape(endpoint, self.version.unwrap_or(1))
    }

    /// Returns whether the remote config members are wanted too.
    pub fn wants_config(&self, endpoint: Endpoint) -> bool {
        self.config
            .unwrap_or(endpoint == Endpoint::Decide || self.is_plain(endpoint))
    }

    /// `/flags` with neither parameter means `v=2&config=true`; `/decide` has a rule of its own.
    fn is_plain(&self, endpoint: Endpoint) -> bool {
        endpoint == Endpoint::Flags && self.version.is_none() && self.config.is_none()
    }
}

fn shape(endpoint: Endpoint, version: i64) -> Shape {
    match (endpoint, version) {
        (Endpoint::Flags, ..=1) | (Endpoint::Decide, 3) => Shape::V1,
        (Endpoint::Flags, 2 | 3) | (Endpoint::Decide, 4..) => Shape::V2,
        (Endpoint::Flags, 4..) => Shape::V4,
        (Endpoint::Decide, ..=1) => Shape::D1,
        (Endpoint::Decide, 2) => Shape::D2,
    }
}

fn version(value: &str) -> Option<i64> {
    if value.is_empty() {
        return None;
    }
    // Digits that do not fit are still a number, and a large one.
    let is_large = value.bytes().all(|digit| digit.is_ascii_digit());
    let fallback = if is_large { i64::MAX } else { 1 };
    Some(value.parse().unwrap_or(fallback))
}

/// Everything but four words means true, nothing at all included.
fn boolean(value: &str) -> bool {
    !["false", "0", "no", "off"]
        .iter()
        .any(|word| value.eq_ignore_ascii_case(word))
}

fn decoded(text: &str) -> Cow<'_, str> {
    match percent::decode(text.as_bytes()) {
        Cow::Borrowed(_) => text.into(),
        Cow::Owned(bytes) => String::from_utf8_lossy(&bytes).into_owned().into(),
    }
}
