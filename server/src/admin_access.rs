//! How much people may ask at once through the admin API, so that however much it is, evaluation has its own: a few requests at
//! work, a bounded number that wait for their turn, fewer uploads, a time limit for each.

use burgee_schema::{ADMIN_CONNECTIONS, Store};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::fmt;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout_at;

/// How many requests may wait for each that is at work.
const WAITING_PER_TURN: usize = 8;
/// How many uploads may be under way.
const UPLOADS: usize = 2;

/// The bounds of the admin API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdminConfig {
    /// How many requests may be at work at once.
    pub turns: usize,
    /// How long each may take.
    pub timeout: Duration,
    /// How large an upload may be, in bytes.
    pub upload_limit: usize,
    /// How long an upload may take.
    pub upload_timeout: Duration,
}

impl Default for AdminConfig {
    /// Four requests, ten seconds each; 64 MiB in two minutes.
    fn default() -> Self {
        Self {
            turns: 4,
            timeout: Duration::from_secs(10),
            upload_limit: 64 << 20,
            upload_timeout: Duration::from_secs(120),
        }
    }
}

impl AdminConfig {
    /// Returns how many connections to a Postgres the API holds at most: those for questions, and one for each change under way.
    pub fn most_connections(&self) -> usize {
        let asking = usize::try_from(ADMIN_CONNECTIONS).unwrap_or(usize::MAX);
        asking.saturating_add(self.turns).saturating_add(UPLOADS)
    }
}

/// The way to the database for people. One per process, shared by all HTTP workers.
pub struct AdminAccess {
    /// The bounds.
    pub config: AdminConfig,
    /// Everything that is stored.
    pub store: Store,
    turns: Semaphore,
    waiting: Semaphore,
    uploads: Semaphore,
    queued: Gauge,
    at_work: Gauge,
}

/// A place among the requests at work; given back when it is dropped.
#[derive(Debug)]
pub struct Turn<'a> {
    _place: SemaphorePermit<'a>,
    _counted: Counted,
}

/// One more in a gauge, until it is dropped.
#[derive(Debug)]
struct Counted(Gauge);

impl Counted {
    fn by(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl AdminAccess {
    /// Bounds the access to a store, and registers how much of it is taken.
    pub fn new(store: Store, config: AdminConfig, registry: &mut Registry) -> Self {
        let (queued, at_work) = (Gauge::default(), Gauge::default());
        registry.register(
            "burgee_admin_waiting",
            "Requests of the admin API that wait for their turn",
            queued.clone(),
        );
        registry.register(
            "burgee_admin_at_work",
            "Requests of the admin API that are being answered, uploads included",
            at_work.clone(),
        );
        Self {
            turns: Semaphore::new(config.turns),
            waiting: Semaphore::new(config.turns.saturating_mul(WAITING_PER_TURN)),
            uploads: Semaphore::new(UPLOADS),
            queued,
            at_work,
            config,
            store,
        }
    }

    /// Waits for a turn; `None` when too many wait already, or the time is over.
    pub async fn turn(&self, deadline: Instant) -> Option<Turn<'_>> {
        let _waiting = self.waiting.try_acquire().ok()?;
        let _queued = Counted::by(&self.queued);
        let turn = timeout_at(deadline.into(), self.turns.acquire()).await;
        Some(self.taken(turn.ok()?.ok()?))
    }

    /// Takes a place among the uploads; `None` when there is none.
    pub fn upload(&self) -> Option<Turn<'_>> {
        Some(self.taken(self.uploads.try_acquire().ok()?))
    }

    fn taken<'a>(&self, place: SemaphorePermit<'a>) -> Turn<'a> {
        Turn {
            _place: place,
            _counted: Counted::by(&self.at_work),
        }
    }
}

impl fmt::Debug for AdminAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminAccess")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
