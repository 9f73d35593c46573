//! Runs and lists the migrations of `../migrations`, which are part of the binary. Any number of processes may start at
//! once: a lock lets one of them work while the others wait and then find nothing left to do.

use crate::StoreError;
use crate::connection::{Access, Connection, sqlite_settings};
use crate::database_url::Target;
use crate::models::MigrationStatus;
use diesel::backend::Backend;
use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel::{Connection as _, SqliteConnection};
use diesel_async::{AsyncMigrationHarness, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;
use std::time::Duration;

const POSTGRES: EmbeddedMigrations = embed_migrations!("../migrations/postgres");
const SQLITE: EmbeddedMigrations = embed_migrations!("../migrations/sqlite");

/// Held by the process that migrates a Postgres database.
const LOCK: i64 = 0x6275_7267_6565_0002;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// What to do with the migrations.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Job {
    /// Run those that have not run.
    Run,
    /// Only look.
    List,
    /// Undo all: for the test that `down.sql` undoes `up.sql`.
    Revert,
}

/// Does a job; returns all migrations in order, and the names of those it ran.
pub(crate) async fn carry_out(
    target: &Target,
    limit: Duration,
    job: Job,
) -> Result<(Vec<MigrationStatus>, Vec<String>), StoreError> {
    let outcome = match target {
        Target::Postgres(_) => {
            let connection = Connection::establish(target, Access::Write, limit).await?;
            let Some(mut connection) = connection.into_postgres() else {
                return Err(crate::runtime::lost());
            };
            connection
                .batch_execute(&format!("SELECT pg_advisory_lock({LOCK})"))
                .await?;
            // The lock ends with the connection. The harness blocks, and only may on a thread for it.
            tokio::task::spawn_blocking(move || {
                work(&mut AsyncMigrationHarness::new(connection), POSTGRES, job)
            })
            .await
        }
        Target::Sqlite(path) => {
            let path = path.clone();
            tokio::task::spawn_blocking(move || on_sqlite(&path, limit, job)).await
        }
    };
    match outcome {
        Ok(done) => done.map_err(sorted),
        Err(_panicked_or_shut_down) => Err(crate::runtime::lost()),
    }
}

/// A locked file is no broken one: waiting helps.
fn sorted(error: Box<dyn Error + Send + Sync>) -> StoreError {
    match error.downcast::<diesel::result::Error>() {
        Ok(error) => (*error).into(),
        Err(other) => StoreError::Query(other),
    }
}

/// Returns version and name of each migration for Postgres, in order.
pub(crate) fn known_to_postgres() -> Result<Vec<(String, String)>, StoreError> {
    known::<diesel::pg::Pg>(POSTGRES)
}

/// The same for SQLite.
pub(crate) fn known_to_sqlite() -> Result<Vec<(String, String)>, StoreError> {
    known::<diesel::sqlite::Sqlite>(SQLITE)
}

fn known<DB: Backend>(source: EmbeddedMigrations) -> Result<Vec<(String, String)>, StoreError>
where
    EmbeddedMigrations: MigrationSource<DB>,
{
    let migrations: Vec<Box<dyn Migration<DB>>> = source.migrations().map_err(StoreError::Query)?;
    let mut known: Vec<_> = migrations
        .iter()
        .map(|migration| migration.name())
        .map(|name| (name.version().to_string(), name.to_string()))
        .collect();
    known.sort();
    Ok(known)
}

fn on_sqlite(
    path: &Path,
    limit: Duration,
    job: Job,
) -> Outcome<(Vec<MigrationStatus>, Vec<String>)> {
    let path = path
        .to_str()
        .ok_or("the path of the SQLite file is not Unicode")?;
    let mut connection = SqliteConnection::establish(path)?;
    connection.batch_execute(&sqlite_settings(Access::Write, limit))?;
    connection.immediate_transaction(|connection| work(connection, SQLITE, job))
}

fn work<DB: Backend>(
    harness: &mut impl MigrationHarness<DB>,
    source: EmbeddedMigrations,
    job: Job,
) -> Outcome<(Vec<MigrationStatus>, Vec<String>)>
where
    EmbeddedMigrations: MigrationSource<DB>,
{
    let mut migrations: Vec<Box<dyn Migration<DB>>> = source.migrations()?;
    migrations.sort_by_key(|migration| migration.name().to_string());
    let mut ran = Vec::new();
    match job {
        Job::List => {}
        Job::Run => {
            let versions = harness.run_pending_migrations(source)?.into_iter();
            let versions: BTreeSet<_> = versions.map(|version| version.as_owned()).collect();
            ran = migrations
                .iter()
                .filter(|migration| versions.contains(&migration.name().version()))
                .map(|migration| migration.name().to_string())
                .collect();
        }
        Job::Revert => {
            harness.revert_all_migrations(source)?;
        }
    }
    let applied: BTreeSet<_> = harness.applied_migrations()?.into_iter().collect();
    let status = migrations
        .iter()
        .map(|migration| MigrationStatus {
            name: migration.name().to_string(),
            applied: applied.contains(&migration.name().version()),
        })
        .collect();
    Ok((status, ran))
}
