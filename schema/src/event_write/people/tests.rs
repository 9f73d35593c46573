use super::{People, Plan, StoredPerson};
use crate::models::{Merge, PersonChange};
use std::collections::HashMap;

const NOW: i64 = 900;

/// A stored person: its id, its distinct ids, properties, when it was created, whether it is identified.
type Row<'a> = (i64, &'a [&'a str], &'a str, i64, bool);

/// Applies changes to stored persons; new persons get the ids 101, 102, ….
fn run(stored: &[Row<'_>], changes: &[PersonChange]) -> Plan {
    let mut people = People::new(NOW);
    for change in changes {
        people.want(1, change);
    }
    let mut found = Vec::new();
    for (n, (_, wanted)) in people.wanted().iter().enumerate() {
        let owner = stored
            .iter()
            .find(|(_, ids, ..)| ids.contains(&wanted.as_str()));
        if let Some((id, _, properties, created_at, is_identified)) = owner {
            let person = StoredPerson {
                id: *id,
                properties: (*properties).to_owned(),
                created_at: *created_at,
                is_identified: *is_identified,
            };
            found.push((n, person));
        }
    }
    people.found(&found);
    for change in changes {
        people.apply(1, change);
    }
    let changes = people.changes();
    let new_ids: Vec<i64> = (101..).take(changes.new_count()).collect();
    let last = |id: &i64| {
        let row = stored.iter().find(|(other, ..)| other == id).unwrap();
        (*id, i32::try_from(row.1.len()).unwrap() - 1)
    };
    let positions: HashMap<i64, i32> = changes.positions_needed().iter().map(last).collect();
    changes.plan(&new_ids, &positions)
}

/// Renders a plan, a line a thing.
fn lines(plan: &Plan) -> Vec<String> {
    let person = |verb: &str, row: &super::WrittenPerson| {
        let identified = if row.is_identified { " identified" } else { "" };
        format!(
            "{verb} {} {} @{}{identified}",
            row.id, row.properties, row.created_at
        )
    };
    let mut lines: Vec<String> = Vec::new();
    lines.extend(plan.inserted.iter().map(|row| person("insert", row)));
    lines.extend(plan.updated.iter().map(|row| person("update", row)));
    for it in &plan.moves {
        lines.push(format!("move {}->{} +{}", it.source, it.target, it.shift));
    }
    for id in &plan.ids {
        lines.push(format!(
            "id {}={}[{}]",
            id.distinct_id, id.person_id, id.position
        ));
    }
    lines.extend(plan.merged.iter().map(|id| format!("delete {id}")));
    lines
}

fn on(distinct_id: &str) -> PersonChange {
    PersonChange {
        distinct_id: distinct_id.to_owned(),
        ..PersonChange::default()
    }
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

fn set(distinct_id: &str, properties: &[(&str, &str)]) -> PersonChange {
    PersonChange {
        set: pairs(properties),
        ..on(distinct_id)
    }
}

fn set_once(distinct_id: &str, properties: &[(&str, &str)]) -> PersonChange {
    PersonChange {
        set_once: pairs(properties),
        ..on(distinct_id)
    }
}

fn unset(distinct_id: &str, names: &[&str]) -> PersonChange {
    PersonChange {
        unset: names.iter().map(|name| (*name).to_owned()).collect(),
        ..on(distinct_id)
    }
}

/// Merges `other` into `distinct_id`.
fn merge(distinct_id: &str, other: &str) -> PersonChange {
    let other = other.to_owned();
    PersonChange {
        merge: Some(Merge {
            other,
            is_forced: false,
        }),
        ..on(distinct_id)
    }
}

fn force(distinct_id: &str, other: &str) -> PersonChange {
    let mut change = merge(distinct_id, other);
    change.merge.as_mut().unwrap().is_forced = true;
    change
}

#[track_caller]
fn check(stored: &[Row<'_>], changes: &[PersonChange], expected: &[&str]) {
    assert_eq!(lines(&run(stored, changes)), expected);
}

const ADA: Row<'_> = (1, &["ada", "a2"], r#"{"tier":"gold","n": 5.0}"#, 100, false);
const ANON: Row<'_> = (2, &["anon"], r#"{"tier":"none","utm":"x"}"#, 50, false);

#[test]
fn properties_are_set_in_their_order() {
    let stored = [ADA];
    check(
        &stored,
        &[set("ada", &[("tier", "1")])],
        &[r#"update 1 {"n":5.0,"tier":1} @100"#],
    );
    check(
        &stored,
        &[set_once("a2", &[("tier", "1"), ("x", "null")])],
        &[r#"update 1 {"n":5.0,"tier":"gold","x":null} @100"#],
    );
    check(
        &stored,
        &[unset("ada", &["tier", "other"])],
        &[r#"update 1 {"n":5.0} @100"#],
    );
    let all = PersonChange {
        set_once: pairs(&[("a", "1"), ("b", "1"), ("c", "1")]),
        set: pairs(&[("b", "2"), ("c", "2")]),
        unset: vec!["c".to_owned()],
        ..on("ada")
    };
    check(
        &stored,
        &[all],
        &[r#"update 1 {"a":1,"b":2,"n":5.0,"tier":"gold"} @100"#],
    );
}

#[test]
fn what_changes_nothing_is_not_written() {
    for change in [
        set("ada", &[("tier", "\"gold\"")]),
        set_once("ada", &[("tier", "1")]),
        unset("ada", &["other"]),
        on("ada"),
    ] {
        check(&[ADA], &[change], &[]);
    }
    // Another text is another value.
    check(
        &[ADA],
        &[set("ada", &[("n", "5")])],
        &[r#"update 1 {"n":5,"tier":"gold"} @100"#],
    );
}

#[test]
fn a_person_is_created_once() {
    check(&[], &[on("new")], &["insert 101 {} @900", "id new=101[0]"]);
    check(
        &[],
        &[
            set("new", &[("a", "1")]),
            set_once("new", &[("a", "2")]),
            set("new", &[("b", "3")]),
        ],
        &[r#"insert 101 {"a":1,"b":3} @900"#, "id new=101[0]"],
    );
}

#[test]
fn many_changes_of_a_person_are_one_row() {
    check(
        &[ADA, ANON],
        &[
            set("ada", &[("a", "1")]),
            set("anon", &[("a", "2")]),
            set("a2", &[("a", "3")]),
        ],
        &[
            r#"update 1 {"a":3,"n":5.0,"tier":"gold"} @100"#,
            r#"update 2 {"a":2,"tier":"none","utm":"x"} @50"#,
        ],
    );
}

#[test]
fn an_id_without_a_person_is_added() {
    check(
        &[ADA],
        &[merge("ada", "new")],
        &[
            r#"update 1 {"n":5.0,"tier":"gold"} @100 identified"#,
            "id new=1[2]",
        ],
    );
    // The same when the person is the other's.
    check(
        &[ADA],
        &[merge("new", "ada")],
        &[
            r#"update 1 {"n":5.0,"tier":"gold"} @100 identified"#,
            "id new=1[2]",
        ],
    );
    check(
        &[],
        &[merge("new", "anon")],
        &[
            "insert 101 {} @900 identified",
            "id new=101[0]",
            "id anon=101[1]",
        ],
    );
}

#[test]
fn two_persons_become_that_of_the_distinct_id() {
    check(
        &[ADA, ANON],
        &[merge("ada", "anon")],
        &[
            r#"update 1 {"n":5.0,"tier":"gold","utm":"x"} @50 identified"#,
            "move 2->1 +2",
            "delete 2",
        ],
    );
    check(
        &[ADA, ANON],
        &[merge("anon", "ada")],
        &[
            r#"update 2 {"n":5.0,"tier":"none","utm":"x"} @50 identified"#,
            "move 1->2 +1",
            "delete 1",
        ],
    );
    // Ids of one person are one already.
    check(
        &[(1, &["ada", "a2"], "{}", 1, true)],
        &[merge("ada", "a2")],
        &[],
    );
}

#[test]
fn an_identified_person_is_merged_by_force_only() {
    let identified: Row<'_> = (2, &["anon"], r#"{"utm":"x"}"#, 50, true);
    check(
        &[ADA, identified],
        &[merge("ada", "anon")],
        &[r#"update 1 {"n":5.0,"tier":"gold"} @100 identified"#],
    );
    check(
        &[ADA, identified],
        &[force("ada", "anon")],
        &[
            r#"update 1 {"n":5.0,"tier":"gold","utm":"x"} @50 identified"#,
            "move 2->1 +2",
            "delete 2",
        ],
    );
    // The survivor may be identified.
    let known: Row<'_> = (1, &["ada"], "{}", 10, true);
    check(
        &[known, ANON],
        &[merge("ada", "anon")],
        &[
            r#"update 1 {"tier":"none","utm":"x"} @10 identified"#,
            "move 2->1 +1",
            "delete 2",
        ],
    );
}

#[test]
fn later_events_see_what_earlier_ones_did() {
    // Identified by the first event, so the second one is refused.
    check(
        &[ADA, ANON],
        &[merge("anon", "x"), merge("ada", "anon")],
        &[
            r#"update 1 {"n":5.0,"tier":"gold"} @100 identified"#,
            r#"update 2 {"tier":"none","utm":"x"} @50 identified"#,
            "id x=2[1]",
        ],
    );
    // Properties of an id that was merged away go to the survivor.
    check(
        &[ADA, ANON],
        &[merge("ada", "anon"), set("anon", &[("utm", "2")])],
        &[
            r#"update 1 {"n":5.0,"tier":"gold","utm":2} @50 identified"#,
            "move 2->1 +2",
            "delete 2",
        ],
    );
}

#[test]
fn chains_of_merges_keep_every_id_at_a_place_of_its_own() {
    let third: Row<'_> = (3, &["c", "d", "e"], r#"{"z":1}"#, 70, false);
    // 2 becomes part of 3, then 3 by force part of 1; a new id comes in between and one after.
    let changes = [
        merge("c", "anon"),
        merge("c", "new"),
        force("ada", "c"),
        merge("ada", "last"),
    ];
    check(
        &[ADA, ANON, third],
        &changes,
        &[
            r#"update 1 {"n":5.0,"tier":"gold","utm":"x","z":1} @50 identified"#,
            "move 3->1 +2",
            "move 2->1 +5",
            "id new=1[6]",
            "id last=1[7]",
            "delete 2",
            "delete 3",
        ],
    );
}

#[test]
fn a_new_person_can_take_a_stored_one_over() {
    check(
        &[ANON],
        &[set("new", &[("tier", "1")]), merge("new", "anon")],
        &[
            r#"insert 101 {"tier":1,"utm":"x"} @50 identified"#,
            "move 2->101 +1",
            "id new=101[0]",
            "delete 2",
        ],
    );
    // And be taken over itself before it was ever stored.
    check(
        &[ADA],
        &[set("new", &[("x", "1")]), merge("ada", "new")],
        &[
            r#"update 1 {"n":5.0,"tier":"gold","x":1} @100 identified"#,
            "id new=1[2]",
        ],
    );
}

#[test]
fn unreadable_properties_begin_anew() {
    check(
        &[(1, &["ada"], "[]", 1, false)],
        &[set("ada", &[("a", "1")])],
        &[r#"update 1 {"a":1} @1"#],
    );
}
