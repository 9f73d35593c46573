//! Postgres goes away and comes back.

use crate::fixture::*;
use burgee_integration_tests::postgres::TestDatabase;
use burgee_schema::{PoolConfig, Store, StoreError};
use std::time::Duration;

fn config() -> PoolConfig {
    PoolConfig {
        max_size: 4,
        min_idle: 4,
        acquire_timeout: Duration::from_millis(500),
        ..PoolConfig::default()
    }
}

/// Asks until it answers; returns how often it did not.
async fn failures_until_back(store: &Store) -> usize {
    soon(async {
        let mut failures = 0;
        while let Err(error) = store.projects().await {
            assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
            failures += 1;
        }
        failures
    })
    .await
}

#[tokio::test]
async fn a_restart_costs_at_most_one_failure_a_connection() {
    let database = TestDatabase::private_postgres().unwrap();
    let server = database.server().unwrap();
    store_with_project(&database).await;
    let store = Store::open(database.url(), config()).await.unwrap();
    for _ in 0..2 {
        store.warm_up(PATIENCE).await.unwrap();
        server.stop().unwrap();
        server.resume().unwrap();
        let failures = failures_until_back(&store).await;
        assert!(failures <= 4, "{failures}");
        for _ in 0..20 {
            store.projects().await.unwrap();
        }
    }
}

#[tokio::test]
async fn an_absent_server_is_unavailable_until_it_returns() {
    let database = TestDatabase::private_postgres().unwrap();
    let server = database.server().unwrap();
    let store = store_with_project(&database).await;
    let mut feed = store.follow_changes(
        store.latest_sequence().await.unwrap(),
        Duration::from_millis(50),
    );
    server.stop().unwrap();
    for _ in 0..5 {
        let error = store.projects().await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    }
    let error = store.begin_write().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    let error = store.migrate().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    let error = store.warm_up(Duration::from_millis(50)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    soon(feed.next()).await.unwrap_err();

    // A store may be opened meanwhile.
    let late = Store::open(database.url(), config()).await.unwrap();
    late.ping().await.unwrap_err();
    server.resume().unwrap();
    failures_until_back(&late).await;
    failures_until_back(&store).await;
    late.warm_up(PATIENCE).await.unwrap();
    write(&late, async |write| {
        write.put_flag(&flag(1, "after")).await.unwrap()
    })
    .await;
    let heard = soon(async {
        loop {
            if let Ok(changes) = feed.next().await {
                break changes;
            }
        }
    })
    .await;
    assert_eq!(heard[0].object, "after");
}

#[tokio::test]
async fn a_lost_transaction_is_an_error_and_nothing_else() {
    let database = TestDatabase::private_postgres().unwrap();
    let server = database.server().unwrap();
    let store = store_with_project(&database).await;
    let mut transaction = store.begin_write().await.unwrap();
    transaction.put_flag(&flag(1, "lost")).await.unwrap();
    server.stop().unwrap();
    server.resume().unwrap();
    transaction
        .put_flag(&flag(2, "lost too"))
        .await
        .unwrap_err();
    transaction.commit().await.unwrap_err();
    failures_until_back(&store).await;
    assert_eq!(store.definitions(1).await.unwrap().unwrap().flags, []);
    write(&store, async |write| {
        write.put_flag(&flag(1, "kept")).await.unwrap()
    })
    .await;
}

#[tokio::test]
async fn a_server_that_stands_still_is_given_up() {
    let database = TestDatabase::private_postgres().unwrap();
    let server = database.server().unwrap();
    store_with_project(&database).await;
    let store = Store::open(database.url(), config()).await.unwrap();
    store.warm_up(PATIENCE).await.unwrap();
    let frozen = server.freeze().unwrap();
    for _ in 0..4 {
        let error = store.projects().await.unwrap_err();
        assert!(matches!(error, StoreError::StatementTimeout), "{error:?}");
    }
    // No connection is left, and none can be made.
    let error = store.projects().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    drop(frozen);
    failures_until_back(&store).await;
}

#[tokio::test]
async fn errors_keep_the_password() {
    let url = "postgres://burgee:hunter2@127.0.0.1:1/db";
    let store = Store::open(url, config()).await.unwrap();
    let error = store.ping().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    let mut told = format!("{store:?} {error} {error:?}");
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        told.push_str(&format!(" {cause} {cause:?}"));
        source = cause.source();
    }
    assert!(told.contains("refused"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}
