//! Persons and groups as project files and exports see them.

use crate::fixture::*;
use burgee_integration_tests::postgres::TestDatabase;
use burgee_schema::models::*;

on_both!(
    a_person_is_whole,
    a_replaced_person_has_nothing_of_the_old_one,
    pages_hold_every_person_once,
    many_ids_are_looked_for_at_once,
    an_id_belongs_to_one_person,
    groups_are_put_and_deleted,
    ids_are_never_given_twice,
);

fn ada() -> FullPerson {
    FullPerson {
        static_cohorts: vec![3, 5],
        hash_key_overrides: vec![
            ("Z".to_owned(), "h3".to_owned()),
            ("a".to_owned(), "h1".to_owned()),
            ("ä".to_owned(), "h2".to_owned()),
        ],
        ..person(&["z", "a", "m", "é"])
    }
}

fn with_id(id: i64, mut person: FullPerson) -> FullPerson {
    person.person.id = id;
    person
}

async fn a_person_is_whole(database: TestDatabase) {
    let store = store_with_project(&database).await;
    write(&store, async |write| {
        write.put_cohort(&cohort(5)).await.unwrap();
        write.put_cohort(&cohort(3)).await.unwrap();
        let id = write.insert_person(&ada()).await.unwrap();
        let other = write.insert_person(&person(&[])).await.unwrap();
        assert_ne!(id, other);
        let found = write
            .persons_of(
                1,
                &[
                    "m".to_owned(),
                    "nobody".to_owned(),
                    "z".to_owned(),
                    "\0".to_owned(),
                ],
            )
            .await
            .unwrap();
        assert_eq!(found, [with_id(id, ada())]);
        assert_eq!(write.persons_of(1, &[]).await.unwrap(), []);
        write.delete_person(1, id).await.unwrap();
        assert_eq!(write.persons_of(1, &["m".to_owned()]).await.unwrap(), []);
        // Its ids are free again.
        write.insert_person(&ada()).await.unwrap();
    })
    .await;
}

async fn a_replaced_person_has_nothing_of_the_old_one(database: TestDatabase) {
    let store = store_with_project(&database).await;
    write(&store, async |write| {
        for id in [3, 4, 5] {
            write.put_cohort(&cohort(id)).await.unwrap();
        }
        let id = write.insert_person(&ada()).await.unwrap();
        let mut new = with_id(
            id,
            FullPerson {
                static_cohorts: vec![4, 5],
                ..person(&["m", "n"])
            },
        );
        new.person.properties = r#"{"a": 5.0}"#.to_owned();
        new.person.created_at = chrono::DateTime::UNIX_EPOCH;
        write.replace_person(&new).await.unwrap();
        assert_eq!(write.persons_after(1, 0, 10).await.unwrap(), [new]);
    })
    .await;
    let mut write = store.begin_write().await.unwrap();
    write
        .replace_person(&with_id(999, ada()))
        .await
        .unwrap_err();
}

async fn pages_hold_every_person_once(database: TestDatabase) {
    let store = store_with_project(&database).await;
    let names: Vec<String> = (0..25).map(|number| format!("user-{number}")).collect();
    let people: Vec<FullPerson> = names.iter().map(|name| person(&[name])).collect();
    let mut stranger = person(&["user-1"]);
    stranger.person.project_id = 2;
    write(&store, async |write| {
        write.put_project(&project(2)).await.unwrap();
        let first = write.insert_persons(&people[..13]).await.unwrap();
        let foreign = write.insert_person(&stranger).await.unwrap();
        let second = write.insert_persons(&people[13..]).await.unwrap();
        assert_eq!(write.insert_persons(&[]).await.unwrap(), [0; 0]);
        let ids: Vec<i64> = first.into_iter().chain(second).collect();
        let expected: Vec<FullPerson> = ids
            .iter()
            .zip(&people)
            .map(|(id, person)| with_id(*id, person.clone()))
            .collect();

        let (mut seen, mut sizes, mut after) = (Vec::new(), Vec::new(), 0);
        loop {
            let page = write.persons_after(1, after, 10).await.unwrap();
            let Some(last) = page.last() else { break };
            after = last.person.id;
            sizes.push(page.len());
            seen.extend(page);
        }
        assert_eq!(sizes, [10, 10, 5]);
        assert_eq!(seen, expected);
        assert_eq!(
            write.persons_after(2, 0, 10).await.unwrap()[0].person.id,
            foreign
        );
    })
    .await;
}

async fn many_ids_are_looked_for_at_once(database: TestDatabase) {
    let store = store_with_project(&database).await;
    write(&store, async |write| {
        let ids = write
            .insert_persons(&[person(&["user-7", "x"]), person(&["user-39999"])])
            .await
            .unwrap();
        // More than SQLite takes as single parameters.
        let wanted: Vec<String> = (0..40_000).map(|number| format!("user-{number}")).collect();
        let found = write.persons_of(1, &wanted).await.unwrap();
        assert_eq!(
            found
                .iter()
                .map(|person| person.person.id)
                .collect::<Vec<_>>(),
            ids
        );
    })
    .await;
}

async fn an_id_belongs_to_one_person(database: TestDatabase) {
    let store = store_with_project(&database).await;
    write(&store, async |write| {
        write.insert_person(&person(&["a"])).await.unwrap();
    })
    .await;
    for bad in [person(&["a"]), person(&["b", "b"]), person(&["c\0"])] {
        let mut write = store.begin_write().await.unwrap();
        write.insert_person(&bad).await.unwrap_err();
    }
}

async fn groups_are_put_and_deleted(database: TestDatabase) {
    let store = store_with_project(&database).await;
    let all = [
        group(0, "Z", "{}"),
        group(0, "a", "{}"),
        group(0, "ä", "{}"),
        group(4, "a", "{}"),
    ];
    write(&store, async |write| {
        let [one, two, three, four] = &all;
        write
            .put_groups(&[four.clone(), three.clone(), two.clone()])
            .await
            .unwrap();
        write.put_group(one).await.unwrap();
        write.put_groups(&[]).await.unwrap();
        assert_eq!(write.groups(1).await.unwrap(), all);
        write
            .put_group(&group(0, "a", r#"{"n": 1e2}"#))
            .await
            .unwrap();
        assert_eq!(
            write.groups(1).await.unwrap()[1],
            group(0, "a", r#"{"n": 1e2}"#)
        );
        write.delete_group(1, 0, "a").await.unwrap();
        write.delete_group(1, 0, "a").await.unwrap();
        assert_eq!(
            write.groups(1).await.unwrap(),
            [one.clone(), three.clone(), four.clone()]
        );
    })
    .await;
    for bad in [
        group(5, "a", "{}"),
        group(-1, "a", "{}"),
        group(0, "\0", "{}"),
    ] {
        let mut write = store.begin_write().await.unwrap();
        write.put_group(&bad).await.unwrap_err();
    }
}

async fn ids_are_never_given_twice(database: TestDatabase) {
    let store = store_with_project(&database).await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..3 {
        write(&store, async |write| {
            let ids = write
                .insert_persons(&[person(&["a"]), person(&["b"])])
                .await
                .unwrap();
            for id in ids {
                assert!(seen.insert(id), "{id} was given twice");
                write.delete_person(1, id).await.unwrap();
            }
        })
        .await;
    }
}
