//! When, where and by which rules: the arguments that are neither definitions nor subject.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

/// How `exact` and `is_not` treat booleans (section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MatchingVersion {
    /// A boolean-like filter matches by truthiness. Anything but the number 2 means this.
    #[default]
    Default,
    /// Booleans are compared like everything else.
    Explicit,
}

impl MatchingVersion {
    /// Reads a project's `property_matching_version`: 2 is explicit, anything else the default.
    pub fn from_number(version: Option<i32>) -> Self {
        if version == Some(2) {
            Self::Explicit
        } else {
            Self::Default
        }
    }
}

/// The moment of an evaluation. The core has no clock; the caller reads it once per request.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The present, from which relative dates count back.
    pub now: DateTime<Utc>,
    /// The project's time zone, for dates without an offset (section 4.9).
    pub zone: Tz,
    /// The project's rule for booleans.
    pub matching: MatchingVersion,
}
