//! Write transactions: all or nothing, one after the other.

use crate::fixture::*;
use burgee_integration_tests::postgres::TestDatabase;
use burgee_schema::models::*;
use burgee_schema::{Store, StoreError};

on_both!(
    what_is_not_committed_never_happened,
    a_transaction_with_a_failed_part_is_not_committed,
    writers_take_turns,
    readers_do_not_wait_for_a_writer,
    a_store_outlives_the_runtime_that_opened_it,
);

async fn keys(store: &Store) -> Vec<String> {
    let rows = store.definitions(1).await.unwrap().unwrap();
    rows.flags.into_iter().map(|flag| flag.key).collect()
}

async fn what_is_not_committed_never_happened(database: TestDatabase) {
    let store = store_with_project(&database).await;
    let before = store.latest_sequence().await.unwrap();
    let mut dropped = store.begin_write().await.unwrap();
    dropped.put_flag(&flag(1, "dropped")).await.unwrap();
    drop(dropped);
    let mut rolled_back = store.begin_write().await.unwrap();
    rolled_back.put_flag(&flag(2, "rolled back")).await.unwrap();
    rolled_back.roll_back().await.unwrap();
    assert_eq!(keys(&store).await, [""; 0]);
    assert_eq!(store.latest_sequence().await.unwrap(), before);
    // And one that changed nothing tells nothing.
    store.begin_write().await.unwrap().commit().await.unwrap();
    assert_eq!(store.latest_sequence().await.unwrap(), before);
}

async fn a_transaction_with_a_failed_part_is_not_committed(database: TestDatabase) {
    let store = store_with_project(&database).await;
    let mut write = store.begin_write().await.unwrap();
    write.put_flag(&flag(1, "a")).await.unwrap();
    let error = write.put_flag(&flag(2, "a")).await.unwrap_err();
    assert!(matches!(error, StoreError::Query(_)), "{error:?}");
    write.commit().await.unwrap_err();
    assert_eq!(keys(&store).await, [""; 0]);
}

async fn writers_take_turns(database: TestDatabase) {
    let store = store_with_project(&database).await;
    let other = Store::open(database.url(), patient()).await.unwrap();
    let mut first = store.begin_write().await.unwrap();
    first.put_flag(&flag(1, "first")).await.unwrap();
    let second = tokio::spawn(async move {
        let mut second = other.begin_write().await.unwrap();
        let seen = second.flags(1).await.unwrap();
        second.put_flag(&flag(2, "second")).await.unwrap();
        second.commit().await.unwrap();
        seen
    });
    first.put_flag(&flag(3, "third")).await.unwrap();
    assert!(!second.is_finished());
    first.commit().await.unwrap();
    let seen = soon(second).await.unwrap();
    assert_eq!(seen.len(), 2);
    assert_eq!(keys(&store).await, ["first", "second", "third"]);
}

async fn readers_do_not_wait_for_a_writer(database: TestDatabase) {
    let store = store_with_project(&database).await;
    write(&store, async |write| {
        write.insert_person(&person(&["ada"])).await.unwrap();
    })
    .await;
    let mut write = store.begin_write().await.unwrap();
    write.put_flag(&flag(1, "new")).await.unwrap();
    write
        .put_project(&ProjectRow {
            name: "new".to_owned(),
            ..project(1)
        })
        .await
        .unwrap();
    assert_eq!(keys(&store).await, [""; 0]);
    assert_eq!(store.projects().await.unwrap(), [project(1)]);
    let lookup = Lookup {
        project_id: 1,
        distinct_id: "ada".to_owned(),
        state: true,
        ..Lookup::default()
    };
    assert!(store.look_up(&[lookup]).await.unwrap()[0].person.is_some());
    write.commit().await.unwrap();
    assert_eq!(keys(&store).await, ["new"]);
}

/// As when an HTTP worker's runtime stops: connections and transactions live elsewhere.
async fn a_store_outlives_the_runtime_that_opened_it(database: TestDatabase) {
    let on_its_own_runtime = |url: String| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let store = Store::open(&url, patient()).await.unwrap();
            store.migrate().await.unwrap();
            store.warm_up(PATIENCE).await.unwrap();
            let mut write = store.begin_write().await.unwrap();
            write.put_project(&project(1)).await.unwrap();
            let feed = store.follow_changes(0, PATIENCE);
            (store, write, feed)
        })
    };
    let url = database.url().to_owned();
    let (store, write, mut feed) = tokio::task::spawn_blocking(move || on_its_own_runtime(url))
        .await
        .unwrap();
    write.commit().await.unwrap();
    assert_eq!(store.projects().await.unwrap(), [project(1)]);
    assert_eq!(soon(feed.next()).await.unwrap().len(), 1);
    drop(feed);
    // Dropped inside an asynchronous context.
    drop(store);
}
