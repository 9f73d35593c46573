//! A project file means the same on both databases, and moves from one to the other.

#![expect(
    clippy::unwrap_used,
    reason = "helpers outside the tests proper fail them by panicking, which is what a test wants"
)]

use burgee::demo;
use burgee::project_file::{Action, ApplyOptions, Format, Report, apply, export};
use burgee_integration_tests::postgres::TestDatabase;
use burgee_schema::{PoolConfig, Store};
use std::time::Duration;

/// What the demo does not have: names out of order, awkward texts and numbers, two projects.
const AWKWARD: &str = r#"
projects:
- id: 7
  token: awkward
  group_types: { 3: "Ärzte", 0: zoo }
  flags:
  - { key: b, active: true, filters: { payloads: { "true": { n: 5.0, big: 123456789012345678901234567890, "\u0000": "\u0000" } } } }
  - { key: B, active: true, filters: {} }
  - { key: "ä", active: true, filters: {} }
  - { key: a-b, active: true, filters: {} }
  - { key: a b, active: true, filters: {} }
  cohorts: [{ id: 9, is_static: true }, { name: later }]
  persons:
  - { distinct_ids: ["z\n", Z, "🦉"], properties: { n: 5, m: 5.0, e: 1e-7 }, static_cohorts: [9], hash_key_overrides: { "ä": x, b: y, B: z } }
  - { distinct_ids: [early], created_at: "1969-12-31T23:59:59.999999Z" }
  groups:
  - { type: "Ärzte", key: b }
  - { type: "Ärzte", key: B }
  - { type: zoo, key: last, properties: {} }
"#;

fn options(prune: bool) -> ApplyOptions {
    ApplyOptions {
        file: "f.yaml".to_owned(),
        prune,
        lenient: false,
        dry_run: false,
        now: "2026-03-18T12:00:00.123456789Z".parse().unwrap(),
    }
}

async fn open(database: &TestDatabase) -> Store {
    let patience = Duration::from_secs(30);
    let config = PoolConfig {
        acquire_timeout: patience,
        query_timeout: patience,
        ..PoolConfig::default()
    };
    let store = Store::open(database.url(), config).await.unwrap();
    store.migrate().await.unwrap();
    store
}

async fn applied(store: &Store, text: &str, prune: bool) -> Report {
    apply(store, text, &options(prune)).await.unwrap()
}

async fn exported(store: &Store) -> String {
    let mut out = Vec::new();
    export(store, None, Format::Yaml, &mut out).await.unwrap();
    String::from_utf8(out).unwrap()
}

#[tokio::test]
async fn both_databases_export_the_same_and_take_it_back() {
    let databases = [
        TestDatabase::sqlite().unwrap(),
        TestDatabase::postgres().unwrap(),
    ];
    let mut texts = Vec::new();
    for database in &databases {
        let store = open(database).await;
        for file in [demo::PROJECT, AWKWARD] {
            let report = applied(&store, file, false).await;
            assert!(report.lines.iter().all(|l| l.action == Action::Created));
        }
        let text = exported(&store).await;
        let sequence = store.latest_sequence().await.unwrap();
        for prune in [false, true] {
            assert!(applied(&store, &text, prune).await.totals().is_unchanged());
        }
        assert_eq!(store.latest_sequence().await.unwrap(), sequence);
        texts.push(text);
    }
    assert_eq!(texts[0], texts[1]);
    for database in [
        TestDatabase::sqlite().unwrap(),
        TestDatabase::postgres().unwrap(),
    ] {
        let store = open(&database).await;
        applied(&store, &texts[0], false).await;
        assert_eq!(exported(&store).await, texts[0]);
    }
}

#[tokio::test]
async fn pruning_leaves_what_the_file_names() {
    for database in [
        TestDatabase::sqlite().unwrap(),
        TestDatabase::postgres().unwrap(),
    ] {
        let store = open(&database).await;
        applied(&store, demo::PROJECT, false).await;
        let less = "projects: [{ id: 1, flags: [{ key: dark-mode, active: true, filters: {} }] }]";
        let totals = applied(&store, less, true).await.totals();
        assert_eq!(
            (totals.created, totals.changed, totals.removed),
            (0, 1, 12 + 2 + 3 + 2)
        );
        let text = exported(&store).await;
        assert!(
            text.contains("cohorts: []\n    persons: []\n    groups: []\n"),
            "{text}"
        );
        assert!(text.contains("secret_tokens: [\"sha256:"), "{text}");
        // What was removed comes back under the same ids.
        let totals = applied(&store, demo::PROJECT, false).await.totals();
        assert_eq!((totals.created, totals.removed), (12 + 2 + 3 + 2, 0));
        assert!(
            applied(&store, demo::PROJECT, true)
                .await
                .totals()
                .is_unchanged()
        );
    }
}

#[tokio::test]
async fn an_export_waits_for_no_writer() {
    for database in [
        TestDatabase::sqlite().unwrap(),
        TestDatabase::postgres().unwrap(),
    ] {
        let store = open(&database).await;
        applied(&store, demo::PROJECT, false).await;
        let before = exported(&store).await;
        let mut writer = store.begin_write().await.unwrap();
        writer.delete_flag(1, 1).await.unwrap();
        assert_eq!(exported(&store).await, before);
        writer.commit().await.unwrap();
        assert_ne!(exported(&store).await, before);
        let mut reader = store.begin_snapshot().await.unwrap();
        assert!(reader.delete_flag(1, 2).await.is_err());
    }
}
