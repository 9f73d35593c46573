//! What the tests of several actors share.

use crate::metrics::Metrics;
use burgee_evaluation::definition::FlagDefinition;
use burgee_evaluation::{Evaluations, FlagId, Outcome};
use burgee_schema::{PoolConfig, Store};
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use prometheus_client::registry::Registry;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A flag that is on for everybody.
pub(crate) fn flag(id: i32, key: &str) -> FlagDefinition {
    FlagDefinition {
        id: FlagId(id),
        key: key.into(),
        filters: RawValue::from_string(r#"{"groups": [{}]}"#.into()).unwrap(),
        active: true,
        archived: false,
        deleted: false,
        ensure_experience_continuity: None,
        version: None,
        evaluation_runtime: None,
        evaluation_contexts: None,
        bucketing_identifier: None,
        has_experiment: None,
        is_remote_configuration: None,
    }
}

/// Returns the first answer.
pub(crate) fn first(evaluations: &Evaluations) -> Outcome {
    evaluations.iter().next().unwrap().outcome
}

/// An empty database of its own, migrated; it goes with the directory.
pub(crate) async fn store() -> (Store, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("test.db").display());
    // A test machine may be slow: nothing here is about timeouts.
    let patient = std::time::Duration::from_secs(30);
    let config = PoolConfig {
        acquire_timeout: patient,
        query_timeout: patient,
        ..PoolConfig::default()
    };
    let store = Store::open(&url, config).await.unwrap();
    store.migrate().await.unwrap();
    (store, directory)
}

/// Asks again and again until the answer is yes.
pub(crate) async fn until(mut condition: impl AsyncFnMut() -> bool) {
    // Long enough for any machine; nothing here is about time.
    let give_up = Instant::now() + Duration::from_secs(60);
    while !condition().await {
        assert!(Instant::now() < give_up, "it never happened");
        tokio::task::yield_now().await;
    }
}

/// Makes `from`, `from + step`, … members of a cohort of project 1, behind the store's back and with one statement.
pub(crate) fn bulk_insert(directory: &TempDir, cohort: i64, from: i64, step: i64, count: i64) {
    let path = directory.path().join("test.db");
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let insert = format!(
        "PRAGMA foreign_keys = OFF; PRAGMA busy_timeout = 60000; WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < {count}) \
         INSERT INTO cohort_members (project_id, person_id, cohort_id) SELECT 1, {from} + {step} * n, {cohort} FROM n"
    );
    connection.batch_execute(&insert).unwrap();
}

/// Metrics that nobody scrapes.
pub(crate) async fn metrics() -> (Arc<Metrics>, TempDir) {
    let (store, directory) = store().await;
    (
        Arc::new(Metrics::register(&mut Registry::default(), store)),
        directory,
    )
}
