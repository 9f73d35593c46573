//! A store with a fresh database, and rows that state only what matters.

use burgee_integration_tests::postgres::TestDatabase;
use burgee_schema::models::*;
use burgee_schema::{PoolConfig, Store, WriteTransaction};
use chrono::{DateTime, Utc};
use std::time::Duration;

/// Longer than anything a test waits for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the same tests on both databases.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test] async fn $test() {
                super::$test(burgee_integration_tests::postgres::TestDatabase::sqlite().unwrap()).await;
            })*
        }
        mod postgres {
            $(#[tokio::test] async fn $test() {
                super::$test(burgee_integration_tests::postgres::TestDatabase::postgres().unwrap()).await;
            })*
        }
    };
}
pub(crate) use on_both;

/// Settings under which a slow machine is no failure.
pub(crate) fn patient() -> PoolConfig {
    PoolConfig {
        max_size: 4,
        min_idle: 1,
        acquire_timeout: PATIENCE,
        query_timeout: PATIENCE,
        write_timeout: PATIENCE,
        event_timeout: PATIENCE,
        ..PoolConfig::default()
    }
}

/// A store that waits patiently, with all migrations.
pub(crate) async fn store(database: &TestDatabase) -> Store {
    let store = Store::open(database.url(), patient()).await.unwrap();
    store.migrate().await.unwrap();
    store
}

/// A store with project 1.
pub(crate) async fn store_with_project(database: &TestDatabase) -> Store {
    let store = store(database).await;
    let mut write = store.begin_write().await.unwrap();
    write.put_project(&project(1)).await.unwrap();
    write.commit().await.unwrap();
    store
}

/// Fails a test that waits for something that does not come.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what)
        .await
        .expect("it did not happen in time")
}

pub(crate) fn project(id: i64) -> ProjectRow {
    ProjectRow {
        id,
        name: format!("Project {id}"),
        token: format!("token-{id}"),
        timezone: None,
        property_matching_version: None,
    }
}

pub(crate) fn flag(id: i32, key: &str) -> FlagRow {
    FlagRow {
        id,
        project_id: 1,
        key: key.to_owned(),
        name: None,
        filters: "{}".to_owned(),
        active: true,
        archived: false,
        deleted: false,
        ensure_experience_continuity: false,
        version: 1,
        evaluation_runtime: None,
        evaluation_contexts: None,
        bucketing_identifier: None,
        has_experiment: false,
        is_remote_configuration: false,
    }
}

pub(crate) fn cohort(id: i64) -> CohortRow {
    CohortRow {
        id,
        project_id: 1,
        name: Some(format!("Cohort {id}")),
        deleted: false,
        is_static: true,
        filters: None,
        groups: None,
        cohort_type: None,
        condition_type: None,
    }
}

pub(crate) fn moment() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_750_000_000_123_456).unwrap()
}

pub(crate) fn person(distinct_ids: &[&str]) -> FullPerson {
    FullPerson {
        person: PersonRow {
            id: 0,
            project_id: 1,
            properties: "{}".to_owned(),
            created_at: moment(),
        },
        distinct_ids: distinct_ids.iter().map(|id| (*id).to_owned()).collect(),
        static_cohorts: Vec::new(),
        hash_key_overrides: Vec::new(),
    }
}

pub(crate) fn group(index: i16, key: &str, properties: &str) -> GroupRow {
    GroupRow {
        project_id: 1,
        group_type_index: index,
        key: key.to_owned(),
        properties: properties.to_owned(),
    }
}

/// Writes in a transaction of its own.
pub(crate) async fn write(store: &Store, work: impl AsyncFnOnce(&mut WriteTransaction)) {
    let mut transaction = store.begin_write().await.unwrap();
    work(&mut transaction).await;
    transaction.commit().await.unwrap();
}
