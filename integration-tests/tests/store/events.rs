//! Events as the store takes them: in one transaction, once each, whatever else writes at the same moment.

use crate::fixture::*;
use burgee_integration_tests::postgres::TestDatabase;
use burgee_schema::Store;
use burgee_schema::models::*;
use std::collections::BTreeSet;
use std::sync::Arc;

on_both!(
    properties_are_stored_as_they_were_sent,
    persons_are_created_and_joined,
    a_merge_moves_everything,
    members_and_group_types_are_announced,
    an_event_is_stored_once,
    old_events_are_forgotten,
    all_or_nothing,
    many_events_are_stored_at_once,
    merges_of_the_same_persons_from_several_sides,
    events_and_applied_files_take_turns,
    calls_of_flags_add_up,
);

const NOW: i64 = 1_800_000_000_000_000;

async fn send(store: &Store, events: Vec<EventWrite>) -> WrittenEvents {
    store.write_events(&Arc::new(events), NOW).await.unwrap()
}

fn on(distinct_id: &str) -> PersonChange {
    PersonChange {
        distinct_id: distinct_id.to_owned(),
        ..PersonChange::default()
    }
}

fn event(person: PersonChange) -> EventWrite {
    EventWrite {
        project_id: 1,
        id: None,
        person: Some(person),
        group: None,
    }
}

fn set(distinct_id: &str, name: &str, value: &str) -> EventWrite {
    event(PersonChange {
        set: vec![(name.to_owned(), value.to_owned())],
        ..on(distinct_id)
    })
}

fn merge(distinct_id: &str, other: &str, is_forced: bool) -> EventWrite {
    let other = other.to_owned();
    event(PersonChange {
        merge: Some(Merge { other, is_forced }),
        ..on(distinct_id)
    })
}

fn group_event(group_type: &str, key: &str, properties: &[(&str, &str)]) -> EventWrite {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    EventWrite {
        project_id: 1,
        id: None,
        person: None,
        group: Some(GroupChange {
            group_type: group_type.to_owned(),
            key: key.to_owned(),
            set: properties.iter().map(owned).collect(),
        }),
    }
}

fn with_id(id: &str, event: EventWrite) -> EventWrite {
    EventWrite {
        id: Some(EventId::of(id)),
        ..event
    }
}

/// All persons of project 1, whole.
async fn everybody(store: &Store) -> Vec<FullPerson> {
    let mut snapshot = store.begin_snapshot().await.unwrap();
    snapshot.persons_after(1, 0, 100_000).await.unwrap()
}

/// Distinct ids and properties of all persons.
async fn seen(store: &Store) -> Vec<(Vec<String>, String)> {
    let all = everybody(store).await.into_iter();
    all.map(|whole| (whole.distinct_ids, whole.person.properties))
        .collect()
}

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

async fn properties_are_stored_as_they_were_sent(database: TestDatabase) {
    let store = store_with_project(&database).await;
    let written = send(
        &store,
        vec![
            set("ada", "a", "5.0"),
            set("ada", "b", "1e2"),
            set("ada", "é\"\\", "\"\\u0000\""),
            group_event("company", "acme", &[("n", "5.0"), ("o", "{\"a\": [1]}")]),
        ],
    )
    .await;
    assert_eq!((written.persons, written.groups), (1, 1));
    let all = everybody(&store).await;
    assert_eq!(all.len(), 1);
    assert_eq!(
        all[0].person.properties,
        r#"{"a":5.0,"b":1e2,"é\"\\":"\u0000"}"#
    );
    assert_eq!(all[0].person.created_at.timestamp_micros(), NOW);
    let mut snapshot = store.begin_snapshot().await.unwrap();
    let groups = snapshot.groups(1).await.unwrap();
    assert_eq!(groups, [group(0, "acme", r#"{"n":5.0,"o":{"a": [1]}}"#)]);
    drop(snapshot);

    // What changes nothing is not written.
    let again = send(
        &store,
        vec![set("ada", "a", "5.0"), group_event("company", "acme", &[])],
    )
    .await;
    assert_eq!((again.persons, again.groups), (0, 0));
    assert_eq!(again.outcomes, [EventOutcome::Written; 2]);
    send(
        &store,
        vec![group_event("company", "acme", &[("n", "null")])],
    )
    .await;
    let mut snapshot = store.begin_snapshot().await.unwrap();
    assert_eq!(
        snapshot.groups(1).await.unwrap(),
        [group(0, "acme", r#"{"n":null,"o":{"a": [1]}}"#)]
    );
}

async fn persons_are_created_and_joined(database: TestDatabase) {
    let store = store_with_project(&database).await;
    write(&store, async |write| {
        write.put_project(&project(2)).await.unwrap();
        let mut stranger = person(&["ada"]);
        stranger.person.project_id = 2;
        write.insert_person(&stranger).await.unwrap();
        write
            .insert_person(&person(&["known", "k2"]))
            .await
            .unwrap();
    })
    .await;
    send(
        &store,
        vec![
            event(on("ada")),
            merge("ada", "anon", false),
            merge("known", "k3", false),
            merge("k4", "k2", false),
            event(on("known")),
        ],
    )
    .await;
    let expected = [ids(&["known", "k2", "k3", "k4"]), ids(&["ada", "anon"])];
    let found: Vec<_> = seen(&store).await.into_iter().map(|(ids, _)| ids).collect();
    assert_eq!(found, expected);
    let mut snapshot = store.begin_snapshot().await.unwrap();
    let others = snapshot.persons_after(2, 0, 10).await.unwrap();
    assert_eq!(
        others[0].distinct_ids,
        ["ada"],
        "another project's person is untouched"
    );
}

async fn a_merge_moves_everything(database: TestDatabase) {
    let store = store_with_project(&database).await;
    let keys = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(flag, key)| ((*flag).to_owned(), (*key).to_owned()))
            .collect()
    };
    write(&store, async |write| {
        for id in [3, 4, 5] {
            write.put_cohort(&cohort(id)).await.unwrap();
        }
        let mut ada = person(&["ada", "a2"]);
        ada.person.properties = r#"{"tier":"gold"}"#.to_owned();
        ada.static_cohorts = vec![3, 4];
        ada.hash_key_overrides = keys(&[("f", "of-ada")]);
        let mut anon = person(&["anon", "b2"]);
        anon.person.properties = r#"{"tier":"none","utm":1}"#.to_owned();
        anon.person.created_at = chrono::DateTime::UNIX_EPOCH;
        anon.static_cohorts = vec![4, 5];
        anon.hash_key_overrides = keys(&[("f", "of-anon"), ("g", "of-anon")]);
        let mut third = person(&["third"]);
        third.hash_key_overrides = keys(&[("g", "of-third"), ("h", "of-third")]);
        write.insert_persons(&[ada, anon, third]).await.unwrap();
    })
    .await;
    let written = send(
        &store,
        vec![
            merge("ada", "anon", false),
            merge("a2", "third", false),
            merge("ada", "new", false),
        ],
    )
    .await;
    assert_eq!(written.merged, 2);
    let all = everybody(&store).await;
    assert_eq!(all.len(), 1);
    let ada = &all[0];
    assert_eq!(
        ada.distinct_ids,
        ["ada", "a2", "anon", "b2", "third", "new"]
    );
    assert_eq!(ada.person.properties, r#"{"tier":"gold","utm":1}"#);
    assert_eq!(ada.person.created_at, chrono::DateTime::UNIX_EPOCH);
    assert_eq!(ada.static_cohorts, [3, 4, 5]);
    let expected = keys(&[("f", "of-ada"), ("g", "of-anon"), ("h", "of-third")]);
    assert_eq!(ada.hash_key_overrides, expected);

    // Being identified is remembered.
    send(&store, vec![merge("bob", "b9", false)]).await;
    let refused = send(&store, vec![merge("bob", "ada", false)]).await;
    assert_eq!(
        (refused.merged, refused.outcomes),
        (0, vec![EventOutcome::Written])
    );
    assert_eq!(everybody(&store).await.len(), 2);
    assert_eq!(
        send(&store, vec![merge("bob", "ada", true)]).await.merged,
        1
    );
    assert_eq!(everybody(&store).await.len(), 1);
}

async fn members_and_group_types_are_announced(database: TestDatabase) {
    let store = store_with_project(&database).await;
    let mut people = Vec::new();
    write(&store, async |write| {
        write.put_cohort(&cohort(3)).await.unwrap();
        let mut anon = person(&["anon"]);
        anon.static_cohorts = vec![3];
        people = write
            .insert_persons(&[person(&["ada"]), anon])
            .await
            .unwrap();
    })
    .await;
    let before = store.latest_sequence().await.unwrap();
    // Persons are read at each request: nobody has to be told of their properties.
    send(
        &store,
        vec![
            set("ada", "a", "1"),
            set("new", "a", "1"),
            merge("ada", "x", false),
        ],
    )
    .await;
    assert_eq!(store.latest_sequence().await.unwrap(), before);

    let written = send(&store, vec![merge("ada", "anon", false)]).await;
    assert!(written.memberships_changed && written.projects_changed.is_empty());
    let changes = store.changes_after(before, 10).await.unwrap();
    assert_eq!(changes.len(), 1);
    let expected = ChangedMembers::Persons {
        cohort_id: 3,
        person_ids: people.clone(),
    };
    assert_eq!(changes[0].members(), Some(expected));

    let written = send(
        &store,
        ["a", "b", "c", "d", "e", "f", "a"]
            .map(|name| group_event(name, "k", &[]))
            .to_vec(),
    )
    .await;
    assert_eq!(written.projects_changed, [1]);
    assert_eq!(written.groups, 5);
    assert_eq!(written.outcomes[5], EventOutcome::NoGroupType);
    let changes = store.changes_after(changes[0].sequence, 10).await.unwrap();
    let kinds: Vec<ChangeKind> = changes.iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [ChangeKind::Project]);
    let types = store.definitions(1).await.unwrap().unwrap().group_types;
    let names: Vec<(i16, &str)> = types
        .iter()
        .map(|row| (row.group_type_index, row.name.as_str()))
        .collect();
    assert_eq!(names, [(0, "a"), (1, "b"), (2, "c"), (3, "d"), (4, "e")]);
}

async fn an_event_is_stored_once(database: TestDatabase) {
    let store = store_with_project(&database).await;
    write(&store, async |write| {
        write.put_project(&project(2)).await.unwrap()
    })
    .await;
    let written = send(
        &store,
        vec![
            with_id("1", set("ada", "a", "1")),
            with_id("1", set("ada", "a", "2")),
            set("ada", "b", "1"),
            set("ada", "b", "1"),
        ],
    )
    .await;
    use EventOutcome::{Repeated, Written};
    assert_eq!(written.outcomes, [Written, Repeated, Written, Written]);
    send(&store, vec![with_id("2", set("ada", "a", "3"))]).await;
    let again = send(
        &store,
        vec![
            with_id("1", set("ada", "a", "1")),
            with_id("3", set("ada", "c", "1")),
        ],
    )
    .await;
    assert_eq!(again.outcomes, [Repeated, Written]);
    assert_eq!(
        seen(&store).await,
        [(ids(&["ada"]), r#"{"a":3,"b":1,"c":1}"#.to_owned())]
    );
    // A uuid is one project's.
    let mut elsewhere = with_id("1", set("ada", "a", "1"));
    elsewhere.project_id = 2;
    assert_eq!(send(&store, vec![elsewhere]).await.outcomes, [Written]);
}

async fn old_events_are_forgotten(database: TestDatabase) {
    let store = store_with_project(&database).await;
    let seconds = NOW / 1_000_000;
    send(&store, vec![with_id("1", set("ada", "a", "1"))]).await;
    let later = Arc::new(vec![with_id("2", set("ada", "a", "2"))]);
    store.write_events(&later, NOW + 60_000_000).await.unwrap();
    assert_eq!(store.forget_events(seconds).await.unwrap(), 0);
    assert_eq!(store.forget_events(seconds + 1).await.unwrap(), 1);
    let again = send(
        &store,
        vec![
            with_id("1", set("ada", "a", "3")),
            with_id("2", set("ada", "a", "4")),
        ],
    )
    .await;
    assert_eq!(
        again.outcomes,
        [EventOutcome::Written, EventOutcome::Repeated]
    );
}

async fn all_or_nothing(database: TestDatabase) {
    let store = store_with_project(&database).await;
    let mut stranger = set("x", "a", "1");
    stranger.project_id = 999;
    for bad in [stranger, set("a\0", "a", "1"), group_event("t", "k\0", &[])] {
        let events = Arc::new(vec![with_id("1", set("ada", "a", "1")), bad]);
        store.write_events(&events, NOW).await.unwrap_err();
    }
    assert_eq!(everybody(&store).await, []);
    // Also the memory of it is undone.
    let written = send(&store, vec![with_id("1", set("ada", "a", "1"))]).await;
    assert_eq!(written.outcomes, [EventOutcome::Written]);
}

async fn many_events_are_stored_at_once(database: TestDatabase) {
    let store = store_with_project(&database).await;
    let events = |value: &str| -> Vec<EventWrite> {
        (0..3_000)
            .map(|n| {
                with_id(
                    &format!("{value}-{n}"),
                    set(&format!("id-{}", n % 1_500), "a", value),
                )
            })
            .collect()
    };
    assert_eq!(send(&store, events("1")).await.persons, 1_500);
    assert_eq!(send(&store, events("2")).await.persons, 1_500);
    let all = seen(&store).await;
    assert_eq!(all.len(), 1_500);
    assert!(all.iter().all(|(_, properties)| properties == r#"{"a":2}"#));
}

/// Several stores, as several replicas are, merge the same ids in every direction. Nothing may fail, no id may be lost or
/// be two persons', and all ids that were ever joined are one person in the end.
async fn merges_of_the_same_persons_from_several_sides(database: TestDatabase) {
    const IDS: usize = 12;
    let first = store_with_project(&database).await;
    send(
        &first,
        (0..IDS)
            .map(|n| set(&format!("id-{n}"), &format!("of-{n}"), "1"))
            .collect(),
    )
    .await;
    let mut tasks = tokio::task::JoinSet::new();
    for side in 0..3 {
        let store = Store::open(database.url(), patient()).await.unwrap();
        tasks.spawn(async move {
            for round in 0..IDS {
                let (one, other) = ((round + side * 5) % IDS, (round * 7 + side) % IDS);
                let events = vec![
                    set(&format!("id-{one}"), "touched", &format!("{side}")),
                    merge(&format!("id-{one}"), &format!("id-{other}"), true),
                    merge(&format!("id-{other}"), &format!("new-{side}-{round}"), true),
                ];
                store.write_events(&Arc::new(events), NOW).await.unwrap();
            }
        });
    }
    while let Some(done) = soon(tasks.join_next()).await {
        done.unwrap();
    }
    // One chain through all of them.
    let chain = (1..IDS).map(|n| merge("id-0", &format!("id-{n}"), true));
    send(
        &first,
        chain.filter(|event| event.person.is_some()).collect(),
    )
    .await;
    let all = everybody(&first).await;
    let mut found = BTreeSet::new();
    for whole in &all {
        for id in &whole.distinct_ids {
            assert!(found.insert(id.clone()), "{id} is two persons'");
        }
    }
    assert_eq!(found.len(), IDS + 3 * IDS);
    assert_eq!(all.len(), 1);
    let properties: serde_json::Value = serde_json::from_str(&all[0].person.properties).unwrap();
    for n in 0..IDS {
        assert_eq!(properties[format!("of-{n}")], 1, "{properties}");
    }
}

/// Whoever applies a project file changes the same persons in another order.
async fn events_and_applied_files_take_turns(database: TestDatabase) {
    let store = store_with_project(&database).await;
    let mut ids_of = Vec::new();
    write(&store, async |write| {
        let people: Vec<FullPerson> = (0..20).map(|n| person(&[&format!("id-{n}")])).collect();
        ids_of = write.insert_persons(&people).await.unwrap();
    })
    .await;
    let mut tasks = tokio::task::JoinSet::new();
    let events = store.clone();
    tasks.spawn(async move {
        for round in 0..20 {
            let batch = (0..20).map(|n| set(&format!("id-{n}"), "a", &round.to_string()));
            events
                .write_events(&Arc::new(batch.collect()), NOW)
                .await
                .unwrap();
        }
    });
    let files = store.clone();
    tasks.spawn(async move {
        for _ in 0..10 {
            let mut write = files.begin_write().await.unwrap();
            for (n, id) in ids_of.iter().enumerate().rev() {
                let mut whole = person(&[&format!("id-{n}")]);
                whole.person.id = *id;
                write.replace_person(&whole).await.unwrap();
            }
            write.commit().await.unwrap();
        }
    });
    while let Some(done) = soon(tasks.join_next()).await {
        done.unwrap();
    }
    send(
        &store,
        (0..20).map(|n| set(&format!("id-{n}"), "b", "1")).collect(),
    )
    .await;
    assert_eq!(everybody(&store).await.len(), 20);
}

async fn calls_of_flags_add_up(database: TestDatabase) {
    let store = store_with_project(&database).await;
    let row = |flag: &str, value: &str, calls: i64, last_called_at: i64| FlagCalls {
        project_id: 1,
        flag_key: flag.to_owned(),
        value: value.to_owned(),
        calls,
        last_called_at,
    };
    let mut stranger = row("x", "true", 1, 1);
    stranger.project_id = 999;
    let first = vec![
        row("b", "true", 2, 50),
        row("ä", "null", 1, 10),
        row("b", "false", 1, 10),
        stranger,
    ];
    store.add_flag_calls(first).await.unwrap();
    store
        .add_flag_calls(vec![row("b", "true", 3, 40), row("b", "false", 1, 20)])
        .await
        .unwrap();
    store.add_flag_calls(Vec::new()).await.unwrap();
    let expected = [
        row("b", "false", 2, 20),
        row("b", "true", 5, 50),
        row("ä", "null", 1, 10),
    ];
    assert_eq!(store.flag_calls(1).await.unwrap(), expected);
    assert_eq!(store.flag_calls(999).await.unwrap(), []);
}
