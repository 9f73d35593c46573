//! One connection to either database, and what keeps each statement on it bounded.
//!
//! [`on_both`] gives a query to whichever it is: the query is written once and compiled for both.

use crate::StoreError;
use crate::database_url::{PostgresTarget, Target};
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::{QueryResult, SqliteConnection};
use diesel_async::pooled_connection::PoolableConnection;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use std::path::Path;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, StoreError>;

/// How long making a connection may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// SQLite as diesel-async sees it: each statement runs on the runtime's blocking threads.
pub(crate) type AsyncSqliteConnection = SyncConnectionWrapper<SqliteConnection>;

/// Runs a diesel query on a [`Connection`], with the statement's deadline: `on_both!(connection, query(connection))`.
macro_rules! on_both {
    ($connection:ident, $query:expr) => {{
        let (backend, deadline) = $connection.parts();
        match backend {
            $crate::connection::Backend::Postgres($connection) => deadline.keep($query).await,
            $crate::connection::Backend::Sqlite($connection) => deadline.keep($query).await,
        }
    }};
}
pub(crate) use on_both;

/// Which database, with its connection.
#[expect(
    clippy::large_enum_variant,
    reason = "there are only as many as the pool is large, and a box would cost each statement a hop"
)]
pub(crate) enum Backend {
    /// Postgres.
    Postgres(AsyncPgConnection),
    /// SQLite.
    Sqlite(AsyncSqliteConnection),
}

/// What a connection may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Reading. SQLite refuses anything else on it; Postgres has one kind.
    Read,
    /// Reading and writing.
    Write,
}

/// How a transaction begins.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Begin {
    /// Read-only; everything is seen as of one moment.
    Snapshot,
    /// May write. SQLite takes its one write lock at once: upgrading later can fail.
    Write,
}

/// A connection with its deadline.
pub(crate) struct Connection {
    backend: Backend,
    limit: Duration,
    state: State,
}

#[derive(Default)]
struct State {
    /// A statement is running; stays so when it was given up, because its answer is still to come.
    busy: bool,
    in_transaction: bool,
}

impl Connection {
    /// Connects. Must be called on the store's runtime: the connection's I/O stays where it began.
    pub(crate) async fn establish(
        target: &Target,
        access: Access,
        limit: Duration,
    ) -> Result<Self> {
        let backend = match target {
            Target::Postgres(server) => {
                let connecting = connect_postgres(server, limit);
                Backend::Postgres(
                    match tokio::time::timeout(CONNECT_LIMIT, connecting).await {
                        Ok(connected) => connected?,
                        Err(_) => {
                            return Err(StoreError::Unavailable(
                                "the server does not answer".into(),
                            ));
                        }
                    },
                )
            }
            Target::Sqlite(path) => Backend::Sqlite(open_sqlite(path, access, limit).await?),
        };
        Ok(Self {
            backend,
            limit,
            state: State::default(),
        })
    }

    /// Splits the connection for [`on_both`].
    pub(crate) fn parts(&mut self) -> (&mut Backend, Deadline<'_>) {
        let Self {
            backend,
            limit,
            state,
        } = self;
        (
            backend,
            Deadline {
                limit: *limit,
                state,
            },
        )
    }

    /// Changes how long statements may run. On SQLite also how long they wait for a lock; on Postgres the server's own
    /// limit stays as it was when the connection was made.
    pub(crate) async fn set_limit(&mut self, limit: Duration) -> Result<()> {
        self.limit = limit;
        if let Backend::Sqlite(_) = self.backend {
            self.run(&format!("PRAGMA busy_timeout = {}", limit.as_millis()))
                .await?;
        }
        Ok(())
    }

    /// Has commits of SQLite wait until they would survive a power cut; those of Postgres do by default.
    pub(crate) async fn make_durable(&mut self) -> Result<()> {
        match self.backend {
            Backend::Postgres(_) => Ok(()),
            Backend::Sqlite(_) => self.run("PRAGMA synchronous = FULL").await,
        }
    }

    /// Runs SQL that has no parameters and whose rows nobody wants.
    pub(crate) async fn run(&mut self, sql: &str) -> Result<()> {
        let connection = self;
        on_both!(connection, connection.batch_execute(sql))
    }

    /// Runs SQL that only Postgres needs.
    pub(crate) async fn run_on_postgres(&mut self, sql: &str) -> Result<()> {
        match self.backend {
            Backend::Postgres(_) => self.run(sql).await,
            Backend::Sqlite(_) => Ok(()),
        }
    }

    /// Asks Postgres for one whole number.
    pub(crate) async fn number_on_postgres(&mut self, expression: &str) -> Result<i64> {
        let (backend, deadline) = self.parts();
        let Backend::Postgres(connection) = backend else {
            return Err(StoreError::Config("only Postgres can be asked".to_owned()));
        };
        let question = diesel::select(diesel::dsl::sql::<diesel::sql_types::BigInt>(expression));
        deadline.keep(question.get_result(connection)).await
    }

    /// Begins a transaction.
    pub(crate) async fn begin(&mut self, kind: Begin) -> Result<()> {
        let sql = match (&self.backend, kind) {
            (Backend::Postgres(_), Begin::Snapshot) => {
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
            }
            (Backend::Postgres(_), Begin::Write) | (Backend::Sqlite(_), Begin::Snapshot) => "BEGIN",
            (Backend::Sqlite(_), Begin::Write) => "BEGIN IMMEDIATE",
        };
        self.state.in_transaction = true;
        let begun = self.run(sql).await;
        if begun.is_err() && !self.state.busy {
            self.state.in_transaction = false;
        }
        begun
    }

    /// Ends a transaction. On an error it is not known whether it took effect.
    pub(crate) async fn commit(&mut self) -> Result<()> {
        self.run("COMMIT").await?;
        self.state.in_transaction = false;
        Ok(())
    }

    /// Undoes a transaction. When that fails the connection is not used again, which undoes it too.
    pub(crate) async fn roll_back(&mut self) {
        if !self.is_broken() && self.run("ROLLBACK").await.is_ok() {
            self.state.in_transaction = false;
        }
    }

    /// Commits what succeeded and rolls back what failed.
    pub(crate) async fn finish<T>(&mut self, outcome: Result<T>) -> Result<T> {
        match outcome {
            Ok(value) => {
                let committed = self.commit().await;
                if committed.is_err() {
                    self.roll_back().await;
                }
                committed.map(|()| value)
            }
            Err(error) => {
                self.roll_back().await;
                Err(error)
            }
        }
    }

    /// Whether it must not go back to the pool.
    pub(crate) fn must_close(&mut self) -> bool {
        self.state.in_transaction || self.is_broken()
    }

    fn is_broken(&mut self) -> bool {
        // The order matters: diesel-async panics when asked about a SQLite connection that still runs a statement.
        self.state.busy
            || match &mut self.backend {
                Backend::Postgres(connection) => connection.is_broken(),
                Backend::Sqlite(connection) => connection.is_broken(),
            }
    }

    /// Gives the Postgres connection away, for the jobs that need it whole.
    pub(crate) fn into_postgres(self) -> Option<AsyncPgConnection> {
        match self.backend {
            Backend::Postgres(connection) => Some(connection),
            Backend::Sqlite(_) => None,
        }
    }
}

/// Bounds one statement.
pub(crate) struct Deadline<'a> {
    limit: Duration,
    state: &'a mut State,
}

impl Deadline<'_> {
    /// Waits for a statement. The database's own timeout should strike first, since it leaves the connection usable;
    /// this one is for a server, a network or a disk that stands still, and the connection is given up.
    pub(crate) async fn keep<T>(
        self,
        statement: impl Future<Output = QueryResult<T>>,
    ) -> Result<T> {
        let began = Instant::now();
        self.state.busy = true;
        match tokio::time::timeout(self.limit * 3 / 2, statement).await {
            Ok(answer) => {
                self.state.busy = false;
                answer.map_err(|error| match error {
                    // The driver hides the error's code, and its text may be in any language.
                    DieselError::DatabaseError(DatabaseErrorKind::Unknown, _)
                        if began.elapsed() >= self.limit =>
                    {
                        StoreError::StatementTimeout
                    }
                    other => other.into(),
                })
            }
            Err(_) => Err(StoreError::StatementTimeout),
        }
    }
}

/// Every statement is planned once a connection. Postgres would plan a batch anew each time, because it knows the length of its
/// arrays then, and planning takes longer than a short batch. All our statements go by an index, whatever a table
/// that was still empty when they were planned made look cheaper.
const PLANS_ONCE: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; \
    SET enable_hashjoin = off; SET enable_mergejoin = off";

async fn connect_postgres(server: &PostgresTarget, limit: Duration) -> Result<AsyncPgConnection> {
    let (client, connection) = server
        .config
        .connect(server.tls.clone())
        .await
        .map_err(|error| StoreError::Unavailable(Box::new(error)))?;
    let mut connection = AsyncPgConnection::try_from_client_and_connection(client, connection)
        .await
        .map_err(|error| StoreError::Unavailable(Box::new(error)))?;
    let milliseconds = limit.as_millis().max(1);
    connection
        .batch_execute(&format!(
            "SET statement_timeout = {milliseconds}; {PLANS_ONCE}"
        ))
        .await?;
    Ok(connection)
}

async fn open_sqlite(
    path: &Path,
    access: Access,
    limit: Duration,
) -> Result<AsyncSqliteConnection> {
    let Some(path) = path.to_str() else {
        return Err(StoreError::Config(
            "the path of the SQLite file is not Unicode".to_owned(),
        ));
    };
    let mut connection = AsyncSqliteConnection::establish(path)
        .await
        .map_err(|error| StoreError::Unavailable(Box::new(error)))?;
    connection
        .batch_execute(&sqlite_settings(access, limit))
        .await?;
    Ok(connection)
}

/// The settings of a SQLite connection. The wait for locks comes first, since the others may have to wait.
pub(crate) fn sqlite_settings(access: Access, limit: Duration) -> String {
    let journal = match access {
        Access::Read => "PRAGMA query_only = ON;",
        Access::Write => "PRAGMA journal_mode = WAL;",
    };
    format!(
        "PRAGMA busy_timeout = {}; {journal} PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;",
        limit.as_millis()
    )
}
