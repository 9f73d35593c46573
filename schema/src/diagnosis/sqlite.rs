//! What can be seen of a SQLite file that is there.

use super::SchemaFacts;
use crate::StoreError;
use crate::migrate;
use diesel::connection::SimpleConnection as _;
use diesel::deserialize::QueryableByName;
use diesel::sql_types::{BigInt, Text};
use diesel::{Connection as _, RunQueryDsl as _, SqliteConnection};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

/// Who may write to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteLock {
    /// This process.
    Free,
    /// Somebody else who writes just now.
    Taken,
    /// Nobody: the file, or what it is on, cannot be written.
    ReadOnly,
}

/// A SQLite file, seen over one connection.
#[derive(Debug, Clone)]
pub struct SqliteFacts {
    /// How it keeps its journal: `wal` once a server has used it.
    pub journal_mode: String,
    /// Whether it can be written.
    pub write_lock: WriteLock,
    /// How long each of a few questions took.
    pub round_trips: Vec<Duration>,
    /// What has run on it.
    pub schema: SchemaFacts,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Looks at a file, which must exist; waits at most `patience` for whoever writes. Blocks.
pub fn look_at_sqlite(path: &Path, patience: Duration) -> Result<SqliteFacts, StoreError> {
    let path = path.to_str().ok_or_else(|| {
        StoreError::Config("the path of the SQLite file is not Unicode".to_owned())
    })?;
    let unavailable = |error| StoreError::Unavailable(Box::new(error));
    let mut connection = SqliteConnection::establish(&existing(path)).map_err(unavailable)?;
    let pause = format!("PRAGMA busy_timeout = {}", patience.as_millis());
    connection.batch_execute(&pause)?;
    let mut round_trips = Vec::new();
    for _ in 0..5 {
        let began = Instant::now();
        count(
            &mut connection,
            "SELECT count(*) AS count FROM sqlite_master",
        )?;
        round_trips.push(began.elapsed());
    }
    let mode = "SELECT journal_mode AS line FROM pragma_journal_mode";
    let journal_mode = lines(&mut connection, mode)?.pop().unwrap_or_default();
    let schema = schema(&mut connection)?;
    Ok(SqliteFacts {
        journal_mode,
        write_lock: write_lock(&mut connection),
        round_trips,
        schema,
    })
}

/// Takes the lock and gives it back, without having written anything.
fn write_lock(connection: &mut SqliteConnection) -> WriteLock {
    match connection.batch_execute("BEGIN IMMEDIATE; ROLLBACK") {
        Ok(()) => WriteLock::Free,
        Err(error) if error.to_string().contains("locked") => WriteLock::Taken,
        Err(_) => WriteLock::ReadOnly,
    }
}

fn schema(connection: &mut SqliteConnection) -> Result<SchemaFacts, StoreError> {
    let table =
        "SELECT count(*) AS count FROM sqlite_master WHERE name = '__diesel_schema_migrations'";
    let mut applied = BTreeSet::new();
    if count(connection, table)? > 0 {
        let versions = "SELECT version AS line FROM __diesel_schema_migrations";
        applied.extend(lines(connection, versions)?);
    }
    Ok(SchemaFacts::compare(migrate::known_to_sqlite()?, &applied))
}

fn lines(connection: &mut SqliteConnection, sql: &str) -> Result<Vec<String>, StoreError> {
    let found: Vec<Line> = diesel::sql_query(sql).load(connection)?;
    Ok(found.into_iter().map(|it| it.line).collect())
}

fn count(connection: &mut SqliteConnection, sql: &str) -> Result<i64, StoreError> {
    let found: Count = diesel::sql_query(sql).get_result(connection)?;
    Ok(found.count)
}

/// Returns the name under which SQLite opens a file and never makes one.
fn existing(path: &str) -> String {
    let escaped = path
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23");
    format!("file:{escaped}?mode=rw")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_missing_stays_so() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a 50% #1?.db");
        assert!(look_at_sqlite(&path, Duration::ZERO).is_err());
        assert!(!path.exists());
        std::fs::write(&path, b"").unwrap();
        let facts = look_at_sqlite(&path, Duration::ZERO).unwrap();
        assert_eq!(facts.write_lock, WriteLock::Free);
        assert!(facts.schema.pending.len() > 3 && facts.schema.unknown.is_empty());
    }
}
