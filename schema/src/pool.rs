//! The connection pool: bb8 behind a fair queue, with settings and a memory of why connecting fails.

use crate::StoreError;
use crate::connection::{Access, Connection};
use crate::database_url::Target;
use crate::observer::Observers;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Callers that may wait for one connection; more are refused at once.
const WAITING_PER_CONNECTION: u32 = 64;

/// How many connections, and how long anything waits for one.
#[derive(Debug, Clone)]
pub struct PoolConfig {
    /// The largest number of connections.
    pub max_size: u32,
    /// Idle connections kept warm.
    pub min_idle: u32,
    /// How long a request waits for a connection. 50 ms by default.
    pub acquire_timeout: Duration,
    /// How long a statement of the read path may run. 100 ms by default.
    pub query_timeout: Duration,
    /// How long a statement of a write transaction, a migration or an export may run.
    pub write_timeout: Duration,
    /// How long a statement that stores events may run, and how long it waits for its turn. 2 s by default.
    pub event_timeout: Duration,
    /// Connections idle for longer are closed, down to `min_idle`.
    pub idle_timeout: Duration,
    /// Connections older than this are replaced.
    pub max_lifetime: Duration,
    /// Threads of the runtime that the connections live on.
    pub threads: usize,
    /// A read replica of a Postgres.
    pub replica: Option<ReplicaConfig>,
}

/// A read replica, and when it is used.
#[derive(Clone, PartialEq, Eq)]
pub struct ReplicaConfig {
    /// Its URL.
    pub url: String,
    /// How far it may be behind; beyond that, the primary is asked.
    pub most_behind: Duration,
}

impl fmt::Debug for ReplicaConfig {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplicaConfig")
            .field("most_behind", &self.most_behind)
            .finish_non_exhaustive()
    }
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            max_size: 10,
            min_idle: 2,
            acquire_timeout: Duration::from_millis(50),
            query_timeout: Duration::from_millis(100),
            write_timeout: Duration::from_secs(30),
            event_timeout: Duration::from_secs(2),
            idle_timeout: Duration::from_secs(300),
            max_lifetime: Duration::from_secs(1800),
            threads: 1,
            replica: None,
        }
    }
}

impl PoolConfig {
    /// Refuses settings that cannot work, all at once.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let mut faults = Vec::new();
        if self.max_size == 0 {
            faults.push("the pool's size must be at least 1".to_owned());
        }
        if self.min_idle > self.max_size {
            faults.push(format!(
                "the pool cannot keep {} connections idle with a size of {}",
                self.min_idle, self.max_size
            ));
        }
        if self.threads == 0 {
            faults.push("the database needs at least 1 thread".to_owned());
        }
        for (name, value) in [
            ("acquire timeout", self.acquire_timeout),
            ("query timeout", self.query_timeout),
            ("write timeout", self.write_timeout),
            ("event timeout", self.event_timeout),
            ("idle timeout", self.idle_timeout),
            ("maximum lifetime", self.max_lifetime),
        ] {
            if value < Duration::from_millis(1) {
                faults.push(format!("the {name} must be at least 1 ms"));
            }
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(StoreError::Config(faults.join("; ")))
        }
    }
}

/// The pool's state at one moment, for gauges.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolStatus {
    /// Open connections.
    pub connections: u32,
    /// Of them, idle ones.
    pub idle: u32,
    /// Callers waiting for one.
    pub waiting: u32,
    /// Connections made since the start.
    pub opened: u64,
    /// Attempts to make one that failed.
    pub failed: u64,
}

/// A pool of one kind of connection.
pub(crate) struct Pool {
    connections: bb8::Pool<Manager>,
    /// bb8 wakes its waiters in no fair order, and some starve under load. With as many permits as connections in
    /// front, first come is first served and bb8 itself never has a queue.
    queue: Arc<Semaphore>,
    waiting: AtomicU32,
    max_waiting: u32,
    health: Arc<Health>,
    observers: Arc<Observers>,
}

impl Pool {
    /// Begins to connect in the background. Must be called on the store's runtime.
    pub(crate) fn start(
        target: Target,
        access: Access,
        config: &PoolConfig,
        observers: &Arc<Observers>,
    ) -> Self {
        let health = Arc::new(Health::default());
        let manager = Manager {
            target,
            access,
            limit: config.query_timeout,
            health: Arc::clone(&health),
        };
        let connections = bb8::Pool::builder()
            .max_size(config.max_size)
            .min_idle(config.min_idle)
            .test_on_check_out(false)
            .retry_connection(false)
            // The queue's own deadline is the one that counts.
            .connection_timeout(config.acquire_timeout.max(config.write_timeout) * 2)
            .idle_timeout(config.idle_timeout)
            .max_lifetime(config.max_lifetime)
            .reaper_rate(Duration::from_secs(1))
            .build_unchecked(manager);
        Self {
            connections,
            queue: Arc::new(Semaphore::new(
                usize::try_from(config.max_size).unwrap_or(Semaphore::MAX_PERMITS),
            )),
            waiting: AtomicU32::new(0),
            max_waiting: config.max_size.saturating_mul(WAITING_PER_CONNECTION),
            health,
            observers: Arc::clone(observers),
        }
    }

    /// Waits at most `limit` for a connection that is not known to be dead.
    pub(crate) async fn acquire(&self, limit: Duration) -> Result<Lease, StoreError> {
        let _place = self.join_queue()?;
        let began = self.observers.began();
        let lease = tokio::time::timeout(limit, self.next()).await;
        let observers = &self.observers;
        observers.tell(began, |observer, waited| observer.acquired(waited));
        match lease {
            Ok(lease) => lease,
            Err(_) => Err(self.refusal()),
        }
    }

    pub(crate) fn status(&self) -> PoolStatus {
        let state = self.connections.state();
        PoolStatus {
            connections: state.connections,
            idle: state.idle_connections,
            waiting: self.waiting.load(Ordering::Relaxed),
            opened: self.health.opened.load(Ordering::Relaxed),
            failed: self.health.attempts_failed.load(Ordering::Relaxed),
        }
    }

    fn join_queue(&self) -> Result<Place<'_>, StoreError> {
        let place = Place(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.max_waiting {
            return Err(StoreError::PoolExhausted);
        }
        Ok(place)
    }

    async fn next(&self) -> Result<Lease, StoreError> {
        let permit = Arc::clone(&self.queue)
            .acquire_owned()
            .await
            .map_err(|_closed| self.refusal())?;
        loop {
            let mut connection = self.connect().await?;
            // A connection can die while it idles, for example when the server restarts.
            if !connection.must_close() {
                return Ok(Lease {
                    connection,
                    lent_at: self.observers.began(),
                    observers: Arc::clone(&self.observers),
                    _permit: permit,
                });
            }
        }
    }

    /// Takes an idle connection or waits for a new one, but not longer than it takes to fail when there is no other.
    async fn connect(&self) -> Result<bb8::PooledConnection<'static, Manager>, StoreError> {
        let mut failed = std::pin::pin!(self.health.failed.notified());
        failed.as_mut().enable();
        let mut connection = std::pin::pin!(self.connections.get_owned());
        loop {
            tokio::select! {
                biased;
                connection = &mut connection => return connection.map_err(|_late| self.refusal()),
                () = failed.as_mut() => {
                    if self.connections.state().connections == 0 {
                        return Err(self.refusal());
                    }
                    failed.set(self.health.failed.notified());
                }
            }
        }
    }

    /// Why there is no connection: too many callers, or none can be made.
    pub(crate) fn refusal(&self) -> StoreError {
        match self.health.last_failure() {
            Some(failure) => StoreError::Unavailable(failure.into()),
            None if self.connections.state().connections == 0 => {
                StoreError::Unavailable("no connection could be made in time".into())
            }
            None => StoreError::PoolExhausted,
        }
    }
}

/// A place in the queue.
struct Place<'a>(&'a AtomicU32);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection on loan. It goes back before the next caller's turn comes.
pub(crate) struct Lease {
    connection: bb8::PooledConnection<'static, Manager>,
    lent_at: Option<Instant>,
    observers: Arc<Observers>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let observers = &self.observers;
        observers.tell(self.lent_at, |observer, held| observer.released(held));
    }
}

impl Deref for Lease {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

/// Makes connections for bb8.
struct Manager {
    target: Target,
    access: Access,
    limit: Duration,
    health: Arc<Health>,
}

impl bb8::ManageConnection for Manager {
    type Connection = Connection;
    type Error = StoreError;

    async fn connect(&self) -> Result<Connection, StoreError> {
        let connection = Connection::establish(&self.target, self.access, self.limit).await;
        match &connection {
            Ok(_) => self.health.succeeded(),
            Err(error) => self.health.failed(crate::error::chain(error)),
        }
        connection
    }

    async fn is_valid(&self, _connection: &mut Connection) -> Result<(), StoreError> {
        Ok(())
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        std::thread::panicking() || connection.must_close()
    }
}

/// Whether connecting works, and the news of each failure.
#[derive(Default)]
struct Health {
    opened: AtomicU64,
    attempts_failed: AtomicU64,
    last_failure: Mutex<Option<String>>,
    failed: Notify,
}

impl Health {
    fn last_failure(&self) -> Option<String> {
        self.last_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn failed(&self, failure: String) {
        self.attempts_failed.fetch_add(1, Ordering::Relaxed);
        let mut last = self
            .last_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if last.is_none() {
            tracing::warn!(error = %failure, "the database cannot be reached");
        }
        *last = Some(failure);
        drop(last);
        self.failed.notify_waiters();
    }

    fn succeeded(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let mut last = self
            .last_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if last.take().is_some() {
            tracing::info!("the database can be reached again");
        }
    }
}
