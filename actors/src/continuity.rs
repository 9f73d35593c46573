//! Experience continuity decided in pure code (evaluation section 5.7): which stored hash key counts, and whether more
//! must be stored.

use burgee_schema::models::FoundHashKeys;
use std::collections::{HashMap, HashSet};

/// Returns whether some existing person lacks a hash key for some sticky-marked flag. Without a person nothing is stored.
pub(crate) fn must_write(found: &FoundHashKeys, sticky: &[Box<str>]) -> bool {
    [&found.of_distinct_id, &found.of_anonymous_id]
        .into_iter()
        .flatten()
        .any(|rows| {
            let stored: HashSet<&str> = rows.iter().map(|(flag, _)| flag.as_str()).collect();
            sticky.iter().any(|flag| !stored.contains(&**flag))
        })
}

/// Returns flag key → hash key. Where both persons have a row, the one of the distinct id's person wins.
pub(crate) fn merge(found: FoundHashKeys) -> HashMap<String, String> {
    let mut merged: HashMap<_, _> = found
        .of_anonymous_id
        .unwrap_or_default()
        .into_iter()
        .collect();
    merged.extend(found.of_distinct_id.unwrap_or_default());
    merged
}

#[cfg(test)]
mod tests {
    use super::{merge, must_write};
    use burgee_schema::models::FoundHashKeys;

    type Rows<'a> = Option<&'a [(&'a str, &'a str)]>;

    fn found(distinct: Rows<'_>, anonymous: Rows<'_>) -> FoundHashKeys {
        let owned = |rows: Rows<'_>| {
            rows.map(|rows| {
                rows.iter()
                    .map(|(f, k)| ((*f).into(), (*k).into()))
                    .collect()
            })
        };
        FoundHashKeys {
            of_distinct_id: owned(distinct),
            of_anonymous_id: owned(anonymous),
        }
    }

    #[test]
    fn writes_only_what_some_existing_person_lacks() {
        let sticky = ["a".into(), "b".into()];
        let both: &[_] = &[("a", "x"), ("b", "x")];
        let one: &[_] = &[("a", "x")];
        let none: &[_] = &[];
        for (distinct, anonymous, expected) in [
            (None, None, false),
            (Some(both), None, false),
            (Some(one), None, true),
            (Some(both), Some(both), false),
            (Some(both), Some(one), true),
            (Some(none), Some(both), true),
        ] {
            assert_eq!(
                must_write(&found(distinct, anonymous), &sticky),
                expected,
                "{distinct:?} {anonymous:?}"
            );
        }
        assert!(!must_write(&found(Some(&[]), None), &[]));
    }

    #[test]
    fn the_distinct_ids_person_wins() {
        let merged = merge(found(
            Some(&[("a", "of-distinct")]),
            Some(&[("a", "of-anonymous"), ("b", "of-anonymous")]),
        ));
        assert_eq!(merged["a"], "of-distinct");
        assert_eq!(merged["b"], "of-anonymous");
    }
}
