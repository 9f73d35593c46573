//! What the tests of several actors share.

use crate::metrics::Metrics;
use burgee_evaluation::FlagId;
use burgee_evaluation::definition::FlagDefinition;
use burgee_schema::{PoolConfig, Store};
use prometheus_client::registry::Registry;
use serde_json::value::RawValue;
use std::sync::Arc;
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
    }
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

/// Metrics that nobody scrapes.
pub(crate) async fn metrics() -> (Arc<Metrics>, TempDir) {
    let (store, directory) = store().await;
    (
        Arc::new(Metrics::register(&mut Registry::default(), store)),
        directory,
    )
}
