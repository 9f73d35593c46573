//! Experience continuity: what is stored for whom (evaluation, 5.7).

use crate::fixture::*;
use burgee_integration_tests::postgres::TestDatabase;
use burgee_schema::Store;
use burgee_schema::models::*;

on_both!(
    every_person_gets_every_flag,
    rows_that_exist_stay,
    nothing_is_stored_without_a_person,
    changes_are_told_once_per_project_and_only_when_there_are_any,
    concurrent_writers_of_the_same_rows_all_succeed,
);

fn wish(distinct_id: &str, anonymous_id: &str, flags: &[&str]) -> HashKeyWrite {
    HashKeyWrite {
        project_id: 1,
        distinct_id: distinct_id.to_owned(),
        anonymous_id: anonymous_id.to_owned(),
        flag_keys: flags.iter().map(|flag| (*flag).to_owned()).collect(),
    }
}

/// What is stored for the person of an id.
async fn stored(
    store: &Store,
    project_id: i64,
    distinct_id: &str,
) -> Option<Vec<(String, String)>> {
    let lookup = Lookup {
        project_id,
        distinct_id: distinct_id.to_owned(),
        hash_keys: true,
        ..Lookup::default()
    };
    store
        .look_up(&[lookup])
        .await
        .unwrap()
        .remove(0)
        .hash_keys
        .of_distinct_id
}

fn pairs(pairs: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
    Some(
        pairs
            .iter()
            .map(|(flag, hash)| ((*flag).to_owned(), (*hash).to_owned()))
            .collect(),
    )
}

async fn two_people(database: &TestDatabase) -> Store {
    let store = store_with_project(database).await;
    write(&store, async |write| {
        write
            .insert_persons(&[person(&["user", "other"]), person(&["anon"])])
            .await
            .unwrap();
    })
    .await;
    store
}

async fn every_person_gets_every_flag(database: TestDatabase) {
    let store = two_people(&database).await;
    store
        .write_hash_keys(&[wish("user", "anon", &["f", "g"])])
        .await
        .unwrap();
    let both = pairs(&[("f", "anon"), ("g", "anon")]);
    assert_eq!(stored(&store, 1, "user").await, both);
    assert_eq!(stored(&store, 1, "other").await, both);
    assert_eq!(stored(&store, 1, "anon").await, both);
}

async fn rows_that_exist_stay(database: TestDatabase) {
    let store = two_people(&database).await;
    store
        .write_hash_keys(&[wish("user", "first", &["f"])])
        .await
        .unwrap();
    store
        .write_hash_keys(&[wish("user", "anon", &["f", "g"])])
        .await
        .unwrap();
    assert_eq!(
        stored(&store, 1, "user").await,
        pairs(&[("f", "first"), ("g", "anon")])
    );
    assert_eq!(
        stored(&store, 1, "anon").await,
        pairs(&[("f", "anon"), ("g", "anon")])
    );
    // Of several wishes in one batch the first wins.
    let several = [
        wish("user", "one", &["h"]),
        wish("other", "two", &["h"]),
        wish("user", "one", &["h", "h"]),
    ];
    store.write_hash_keys(&several).await.unwrap();
    assert_eq!(
        stored(&store, 1, "user").await,
        pairs(&[("f", "first"), ("g", "anon"), ("h", "one")])
    );
}

async fn nothing_is_stored_without_a_person(database: TestDatabase) {
    let store = two_people(&database).await;
    let before = store.latest_sequence().await.unwrap();
    let wishes = [
        wish("nobody", "no-anon", &["f"]),
        wish("user", "anon", &[]),
        wish("user", "zero\0", &["f"]),
        HashKeyWrite {
            project_id: 2,
            ..wish("user", "anon", &["f"])
        },
    ];
    store.write_hash_keys(&wishes).await.unwrap();
    store.write_hash_keys(&[]).await.unwrap();
    assert_eq!(stored(&store, 1, "user").await, pairs(&[]));
    assert_eq!(stored(&store, 1, "nobody").await, None);
    assert_eq!(store.latest_sequence().await.unwrap(), before);
    // A text that cannot be stored does not take its neighbours with it.
    store
        .write_hash_keys(&[wish("\0", "anon", &["f", "\0"]), wish("user", "\0", &["f"])])
        .await
        .unwrap();
    assert_eq!(stored(&store, 1, "anon").await, pairs(&[("f", "anon")]));
    assert_eq!(stored(&store, 1, "user").await, pairs(&[]));
}

async fn changes_are_told_once_per_project_and_only_when_there_are_any(database: TestDatabase) {
    let store = two_people(&database).await;
    let mut foreigner = person(&["user"]);
    foreigner.person.project_id = 2;
    write(&store, async |write| {
        write.put_project(&project(2)).await.unwrap();
        write.insert_person(&foreigner).await.unwrap();
    })
    .await;
    let before = store.latest_sequence().await.unwrap();
    let wishes = [
        wish("user", "anon", &["f", "g"]),
        wish("other", "x", &["h"]),
        HashKeyWrite {
            project_id: 2,
            ..wish("user", "anon", &["f"])
        },
    ];
    for _ in 0..2 {
        store.write_hash_keys(&wishes).await.unwrap();
        let changes = store.changes_after(before, 100).await.unwrap();
        let told: Vec<_> = changes
            .iter()
            .map(|change| (change.project_id, change.kind))
            .collect();
        assert_eq!(told, [(1, ChangeKind::HashKeys), (2, ChangeKind::HashKeys)]);
    }
}

async fn concurrent_writers_of_the_same_rows_all_succeed(database: TestDatabase) {
    let store = two_people(&database).await;
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..4 {
        let store = store.clone();
        tasks.spawn(async move {
            for round in 0..20 {
                let (f, g) = (format!("f{round}"), format!("g{round}"));
                // In different orders: they must not wait for each other in a circle.
                let flags = if writer % 2 == 0 {
                    [f.as_str(), &g]
                } else {
                    [&g, f.as_str()]
                };
                let (one, two) = if writer % 2 == 0 {
                    ("user", "anon")
                } else {
                    ("anon", "user")
                };
                store
                    .write_hash_keys(&[wish(one, two, &flags), wish(two, one, &flags)])
                    .await
                    .unwrap();
            }
        });
    }
    while let Some(done) = soon(tasks.join_next()).await {
        done.unwrap();
    }
    assert_eq!(stored(&store, 1, "user").await.unwrap().len(), 40);
    assert_eq!(stored(&store, 1, "anon").await.unwrap().len(), 40);
}
