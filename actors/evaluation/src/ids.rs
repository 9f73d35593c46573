//! Identifiers as types of their own, so that two integers cannot be swapped.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A project: the tenant, called team in the wire formats.
    ProjectId,
    i64
);
id!(
    /// A flag, unique over all projects; dependencies refer to it.
    FlagId,
    i32
);
id!(
    /// A cohort, unique over all projects.
    CohortId,
    i64
);
id!(
    /// A stored person.
    PersonId,
    i64
);
