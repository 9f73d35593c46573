//! The six comparisons that numbers, versions and dates share.

use std::cmp::Ordering;

/// How a property must stand to the filter value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Greater,
    AtLeast,
    Less,
    AtMost,
}

impl Comparison {
    /// Compares; what has no order (NaN) holds for nothing.
    pub(super) fn holds<T: PartialOrd>(self, property: &T, bound: &T) -> bool {
        let Some(order) = property.partial_cmp(bound) else {
            return false;
        };
        match self {
            Self::Equal => order == Ordering::Equal,
            Self::NotEqual => order != Ordering::Equal,
            Self::Greater => order == Ordering::Greater,
            Self::AtLeast => order != Ordering::Less,
            Self::Less => order == Ordering::Less,
            Self::AtMost => order != Ordering::Greater,
        }
    }

    /// Compares two values that may be unreadable; it holds only if neither is.
    pub(super) fn holds_between<T: PartialOrd>(
        self,
        property: Option<T>,
        bound: Option<T>,
    ) -> bool {
        property
            .zip(bound)
            .is_some_and(|(property, bound)| self.holds(&property, &bound))
    }
}
