//! Migrations, and the rules of the schema.

use crate::fixture::*;
use burgee_integration_tests::postgres::TestDatabase;
use burgee_schema::Store;
use diesel::prelude::*;
use std::collections::BTreeSet;
use std::path::Path;

on_both!(
    migrations_run_once_and_say_so,
    several_processes_may_migrate_at_once,
    down_undoes_up,
    every_project_id_is_indexed,
);

async fn migrations_run_once_and_say_so(database: TestDatabase) {
    let store = Store::open(database.url(), patient()).await.unwrap();
    let before = store.migrations().await.unwrap();
    assert!(
        !before.is_empty() && before.iter().all(|migration| !migration.applied),
        "{before:?}"
    );
    let ran = store.migrate().await.unwrap();
    assert_eq!(
        ran,
        before
            .iter()
            .map(|migration| migration.name.clone())
            .collect::<Vec<_>>()
    );
    assert!(ran.is_sorted());
    assert_eq!(store.migrate().await.unwrap(), [""; 0]);
    let after = store.migrations().await.unwrap();
    assert!(after.iter().all(|migration| migration.applied), "{after:?}");
    assert_eq!(store.projects().await.unwrap(), []);
}

async fn several_processes_may_migrate_at_once(database: TestDatabase) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let url = database.url().to_owned();
        tasks.spawn(async move {
            let store = Store::open(&url, patient()).await.unwrap();
            let ran = store.migrate().await.unwrap();
            assert_eq!(store.projects().await.unwrap(), []);
            ran
        });
    }
    let mut ran = Vec::new();
    while let Some(names) = soon(tasks.join_next()).await {
        ran.extend(names.unwrap());
    }
    let distinct: BTreeSet<&String> = ran.iter().collect();
    assert!(!ran.is_empty());
    assert_eq!(distinct.len(), ran.len(), "{ran:?}");
}

async fn down_undoes_up(database: TestDatabase) {
    let store = Store::open(database.url(), patient()).await.unwrap();
    store.migrations().await.unwrap();
    let empty = schema(&database);
    store.migrate().await.unwrap();
    let full = schema(&database);
    assert!(full.len() > empty.len() + 12);
    store.revert_migrations().await.unwrap();
    assert_eq!(schema(&database), empty);
    store.migrate().await.unwrap();
    assert_eq!(schema(&database), full);
}

async fn every_project_id_is_indexed(database: TestDatabase) {
    let store = store(&database).await;
    let indexed: BTreeSet<String> = lines(&database, INDEXED_POSTGRES, INDEXED_SQLITE)
        .into_iter()
        .collect();
    let tables = lines(&database, TABLES_POSTGRES, TABLES_SQLITE);
    assert_eq!(tables.len(), 13, "{tables:?}");
    for table in &tables {
        assert!(
            indexed.contains(table),
            "{table}.project_id has no index that begins with it"
        );
    }
    drop(store);
}

#[test]
fn both_folders_hold_the_same_steps() {
    let names = |database: &str| -> BTreeSet<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../migrations")
            .join(database);
        let files = folder.read_dir().unwrap().map(|entry| {
            let entry = entry.unwrap();
            assert!(
                entry.path().join("up.sql").is_file() && entry.path().join("down.sql").is_file()
            );
            entry.file_name().into_string().unwrap()
        });
        files.collect()
    };
    assert!(!names("postgres").is_empty());
    assert_eq!(names("postgres"), names("sqlite"));
}

/// Tables whose index on project_id makes it the first column.
const INDEXED_POSTGRES: &str = "SELECT DISTINCT t.relname FROM pg_index i \
    JOIN pg_class t ON t.oid = i.indrelid JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = i.indkey[0] \
    WHERE a.attname = 'project_id' AND i.indpred IS NULL";
const INDEXED_SQLITE: &str = "SELECT DISTINCT m.name AS line FROM sqlite_master m, pragma_index_list(m.name) l, \
    pragma_index_info(l.name) i WHERE m.type = 'table' AND i.seqno = 0 AND i.name = 'project_id' AND NOT l.partial";
const TABLES_POSTGRES: &str = "SELECT table_name FROM information_schema.columns \
    WHERE table_schema = 'public' AND column_name = 'project_id'";
const TABLES_SQLITE: &str = "SELECT m.name AS line FROM sqlite_master m, pragma_table_info(m.name) c \
    WHERE m.type = 'table' AND c.name = 'project_id'";

/// Everything in the schema, a line a thing.
fn schema(database: &TestDatabase) -> Vec<String> {
    lines(
        database,
        "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable \
         || coalesce(' ' || column_default, '') FROM information_schema.columns WHERE table_schema = 'public' \
         UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' \
         UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint \
         WHERE connamespace = 'public'::regnamespace \
         UNION ALL SELECT 'sequence ' || sequencename FROM pg_sequences ORDER BY 1",
        "SELECT type || ' ' || name || ' ' || coalesce(sql, '') AS line FROM sqlite_master \
         WHERE name NOT LIKE 'sqlite_sequence' ORDER BY 1",
    )
}

fn lines(database: &TestDatabase, postgres: &str, sqlite: &str) -> Vec<String> {
    #[derive(QueryableByName)]
    struct Line {
        #[diesel(sql_type = diesel::sql_types::Text)]
        line: String,
    }
    match database.url().strip_prefix("sqlite://") {
        None => database
            .query(postgres)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect(),
        Some(path) => {
            let mut connection = SqliteConnection::establish(path).unwrap();
            let lines: Vec<Line> = diesel::sql_query(sqlite).load(&mut connection).unwrap();
            lines.into_iter().map(|line| line.line).collect()
        }
    }
}
