use super::Groups;
use crate::models::{GroupChange, GroupTypeRow};

fn change(group_type: &str, key: &str, set: &[(&str, &str)]) -> GroupChange {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    GroupChange {
        group_type: group_type.to_owned(),
        key: key.to_owned(),
        set: set.iter().map(owned).collect(),
    }
}

fn kind(index: i16, name: &str) -> GroupTypeRow {
    GroupTypeRow {
        project_id: 1,
        group_type_index: index,
        name: name.to_owned(),
    }
}

/// Applies changes to what is stored; returns new types and written rows as texts.
fn run(
    types: &[(i16, &str)],
    stored: &[(&str, &str, &str)],
    changes: &[GroupChange],
) -> (Vec<bool>, Vec<String>, Vec<String>) {
    let mut groups = Groups::default();
    for change in changes {
        groups.want(1, change);
    }
    let known = groups
        .wanted()
        .iter()
        .enumerate()
        .filter_map(|(n, (_, name, key))| {
            let (index, _) = types.iter().find(|(_, known)| known == name)?;
            let row = stored.iter().find(|(of, id, _)| of == name && id == key);
            Some((
                n,
                (*index, row.map(|(.., properties)| (*properties).to_owned())),
            ))
        });
    let known = known.collect();
    groups.found(known);
    if groups.lack_types().is_some() {
        groups.types_are(
            types
                .iter()
                .map(|(index, name)| kind(*index, name))
                .collect(),
        );
    }
    let applied = changes
        .iter()
        .map(|change| groups.apply(1, change))
        .collect();
    let (types, rows) = groups.changes();
    let types = types
        .iter()
        .map(|row| format!("{}={}", row.group_type_index, row.name));
    let rows = rows
        .iter()
        .map(|row| format!("{}:{} {}", row.group_type_index, row.key, row.properties));
    (applied, types.collect(), rows.collect())
}

#[test]
fn properties_are_merged_name_by_name() {
    let (_, types, rows) = run(
        &[(0, "company")],
        &[("company", "acme", r#"{"a":1,"b": 5.0}"#)],
        &[
            change("company", "acme", &[("a", "2"), ("c", "null")]),
            change("company", "acme", &[("c", "1e2")]),
            change("company", "new", &[]),
        ],
    );
    assert_eq!(types, [""; 0]);
    assert_eq!(rows, [r#"0:acme {"a":2,"b":5.0,"c":1e2}"#, "0:new {}"]);
}

#[test]
fn what_changes_nothing_is_not_written() {
    let stored = [("company", "acme", r#"{"a":1}"#)];
    let changes = [change("company", "acme", &[("a", "1")])];
    let (applied, types, rows) = run(&[(0, "company")], &stored, &changes);
    assert_eq!((applied, types, rows), (vec![true], vec![], vec![]));
}

#[test]
fn an_unknown_type_gets_the_smallest_free_index() {
    let changes = [
        change("team", "a", &[("x", "1")]),
        change("team", "b", &[]),
        change("org", "a", &[]),
    ];
    let (applied, types, rows) = run(&[(0, "company"), (2, "site")], &[], &changes);
    assert_eq!(applied, [true; 3]);
    assert_eq!(types, ["1=team", "3=org"]);
    assert_eq!(rows, ["3:a {}", r#"1:a {"x":1}"#, "1:b {}"]);
}

#[test]
fn a_sixth_type_is_ignored() {
    let changes: Vec<_> = ["a", "b", "c", "d", "e", "f", "a"]
        .iter()
        .map(|name| change(name, "k", &[]))
        .collect();
    let (applied, types, rows) = run(&[], &[], &changes);
    assert_eq!(applied, [true, true, true, true, true, false, true]);
    assert_eq!(types, ["0=a", "1=b", "2=c", "3=d", "4=e"]);
    assert_eq!(rows.len(), 5);
}
