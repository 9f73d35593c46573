//! Waits that end: full pools, slow statements, locked files, bad settings.

use crate::fixture::*;
use burgee_integration_tests::postgres::TestDatabase;
use burgee_schema::models::*;
use burgee_schema::{PoolConfig, Store, StoreError};
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use std::time::Duration;

fn impatient() -> PoolConfig {
    PoolConfig {
        max_size: 1,
        min_idle: 1,
        acquire_timeout: Duration::from_millis(50),
        query_timeout: Duration::from_millis(100),
        ..patient()
    }
}

/// Holds a lock on a table of Postgres until dropped.
struct TableLock<'a> {
    database: &'a TestDatabase,
    session: Option<std::thread::JoinHandle<()>>,
}

impl<'a> TableLock<'a> {
    async fn take(database: &'a TestDatabase) -> Self {
        let (server, url) = (
            database.server().unwrap().client(),
            database.url().to_owned(),
        );
        let session = std::thread::spawn(move || {
            // It ends when its backend is killed, with an error.
            let _killed = server.query(&url, "BEGIN; LOCK TABLE projects; SELECT pg_sleep(600)");
        });
        let lock = Self {
            database,
            session: Some(session),
        };
        soon(async {
            while database.query(SLEEPERS).unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        lock
    }
}

const SLEEPERS: &str = "SELECT pid FROM pg_stat_activity \
    WHERE datname = current_database() AND wait_event = 'PgSleep'";

impl Drop for TableLock<'_> {
    fn drop(&mut self) {
        self.database
            .query(&format!(
                "SELECT pg_terminate_backend(pid) FROM ({SLEEPERS}) s"
            ))
            .unwrap();
        self.session.take().unwrap().join().unwrap();
    }
}

#[tokio::test]
async fn a_slow_statement_ends_and_keeps_its_connection() {
    let database = TestDatabase::postgres().unwrap();
    store_with_project(&database).await;
    let store = Store::open(database.url(), impatient()).await.unwrap();
    store.warm_up(PATIENCE).await.unwrap();
    let backend = "SELECT pid FROM pg_stat_activity \
        WHERE datname = current_database() AND application_name = 'burgee'";
    let before = database.query(backend).unwrap();
    let lock = TableLock::take(&database).await;
    for _ in 0..3 {
        let error = store.projects().await.unwrap_err();
        assert!(matches!(error, StoreError::StatementTimeout), "{error:?}");
    }
    drop(lock);
    assert_eq!(store.projects().await.unwrap(), [project(1)]);
    assert_eq!(
        database.query(backend).unwrap(),
        before,
        "the server's own timeout costs no connection"
    );
}

#[tokio::test]
async fn a_full_pool_refuses() {
    let database = TestDatabase::postgres().unwrap();
    store_with_project(&database).await;
    let config = PoolConfig {
        query_timeout: PATIENCE,
        ..impatient()
    };
    let store = Store::open(database.url(), config).await.unwrap();
    store.warm_up(PATIENCE).await.unwrap();
    let lock = TableLock::take(&database).await;
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.projects().await }
    });
    soon(async {
        while store.pool_status().idle > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let error = store.ping().await.unwrap_err();
    assert!(matches!(error, StoreError::PoolExhausted), "{error:?}");
    // More than may wait: all are refused, none hangs.
    let crowd = (0..200).map(|_| store.ping());
    for refused in futures_util::future::join_all(crowd).await {
        assert!(
            matches!(refused, Err(StoreError::PoolExhausted)),
            "{refused:?}"
        );
    }
    drop(lock);
    assert_eq!(soon(waiting).await.unwrap().unwrap(), [project(1)]);
    store.ping().await.unwrap();
    assert_eq!(store.pool_status().waiting, 0);
}

#[tokio::test]
async fn a_busy_sqlite_writer_refuses_without_stopping_readers() {
    let database = TestDatabase::sqlite().unwrap();
    store_with_project(&database).await;
    let store = Store::open(database.url(), impatient()).await.unwrap();
    let write = store.begin_write().await.unwrap();
    let wish = HashKeyWrite {
        project_id: 1,
        distinct_id: "a".to_owned(),
        anonymous_id: "b".to_owned(),
        flag_keys: vec!["f".to_owned()],
    };
    let error = store
        .write_hash_keys(std::slice::from_ref(&wish))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::PoolExhausted), "{error:?}");
    store.ping().await.unwrap();
    write.roll_back().await.unwrap();
    soon(async {
        // The rolled back transaction gives its connection back a moment later.
        while store
            .write_hash_keys(std::slice::from_ref(&wish))
            .await
            .is_err()
        {}
    })
    .await;
}

#[tokio::test]
async fn a_locked_sqlite_file_ends_the_wait() {
    let database = TestDatabase::sqlite().unwrap();
    store_with_project(&database).await;
    let config = PoolConfig {
        write_timeout: Duration::from_millis(100),
        ..impatient()
    };
    let store = Store::open(database.url(), config).await.unwrap();
    let path = database.url().strip_prefix("sqlite://").unwrap();
    let mut other = SqliteConnection::establish(path).unwrap();
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    let error = store.begin_write().await.unwrap_err();
    assert!(matches!(error, StoreError::StatementTimeout), "{error:?}");
    assert_eq!(store.projects().await.unwrap(), [project(1)]);
    other.batch_execute("ROLLBACK").unwrap();
    soon(async {
        loop {
            if let Ok(write) = store.begin_write().await {
                write.commit().await.unwrap();
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_slow_sqlite_statement_is_left_behind() {
    let database = TestDatabase::sqlite().unwrap();
    store_with_project(&database).await;
    let config = PoolConfig {
        query_timeout: Duration::from_millis(1),
        acquire_timeout: PATIENCE,
        ..impatient()
    };
    let store = Store::open(database.url(), config).await.unwrap();
    let lookups: Vec<Lookup> = (0..50_000)
        .map(|number| Lookup {
            project_id: 1,
            distinct_id: number.to_string(),
            state: true,
            hash_keys: true,
            ..Lookup::default()
        })
        .collect();
    let error = store.look_up(&lookups).await.unwrap_err();
    assert!(matches!(error, StoreError::StatementTimeout), "{error:?}");
    soon(async { while store.ping().await.is_err() {} }).await;
}

#[tokio::test]
async fn bad_settings_are_told_together() {
    let database = TestDatabase::sqlite().unwrap();
    let bad = PoolConfig {
        max_size: 0,
        threads: 0,
        query_timeout: Duration::ZERO,
        idle_timeout: Duration::ZERO,
        ..PoolConfig::default()
    };
    let Err(StoreError::Config(message)) = Store::open(database.url(), bad).await else {
        panic!("it was accepted");
    };
    for part in [
        "size must be at least 1",
        "1 thread",
        "query timeout",
        "idle timeout",
        "idle with a size of 0",
    ] {
        assert!(message.contains(part), "{message}");
    }
    let nowhere = Store::open("sqlite:///nowhere/at/all.db", PoolConfig::default()).await;
    assert!(
        matches!(nowhere, Err(StoreError::Config(ref why)) if why.contains("/nowhere/at/all.db")),
        "{nowhere:?}"
    );
}
