//! The operators and their wire names.

macro_rules! operators {
    ($($name:ident $wire:literal,)*) => {
        /// The operators of section 4, by their wire names. Closed: an unknown name makes a flag unreadable (section 1.8).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Operator {
            $(
                #[doc = concat!("`", $wire, "`")]
                $name,
            )*
        }

        impl Operator {
            /// Reads a wire name, case-sensitive.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($wire => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// Returns the wire name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $wire,)*
                }
            }

            /// Returns all operators, in the order of the specification's table.
            pub fn all() -> &'static [Self] {
                &[$(Self::$name,)*]
            }
        }
    };
}

operators! {
    Exact "exact",
    IsNot "is_not",
    IsSet "is_set",
    IsNotSet "is_not_set",
    Icontains "icontains",
    StartsWith "starts_with",
    EndsWith "ends_with",
    IcontainsMulti "icontains_multi",
    NotIcontains "not_icontains",
    NotStartsWith "not_starts_with",
    NotEndsWith "not_ends_with",
    NotIcontainsMulti "not_icontains_multi",
    Regex "regex",
    NotRegex "not_regex",
    Gt "gt",
    Gte "gte",
    Lt "lt",
    Lte "lte",
    Between "between",
    NotBetween "not_between",
    SemverEq "semver_eq",
    SemverNeq "semver_neq",
    SemverGt "semver_gt",
    SemverGte "semver_gte",
    SemverLt "semver_lt",
    SemverLte "semver_lte",
    SemverTilde "semver_tilde",
    SemverCaret "semver_caret",
    SemverWildcard "semver_wildcard",
    IsDateExact "is_date_exact",
    IsDateAfter "is_date_after",
    IsDateBefore "is_date_before",
    In "in",
    NotIn "not_in",
    FlagEvaluatesTo "flag_evaluates_to",
}
