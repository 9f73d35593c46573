//! How much people may ask at once through the admin API, so that however much it is, evaluation has its own: a few requests at
//! work, a bounded number that wait for their turn, fewer uploads, a time limit for each.

use burgee_schema::Store;
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

/// The way to the database for people. One per process, shared by all HTTP workers.
pub struct AdminAccess {
    /// The bounds.
    pub config: AdminConfig,
    /// Everything that is stored.
    pub store: Store,
    turns: Semaphore,
    waiting: Semaphore,
    uploads: Semaphore,
}

/// A place among the requests at work; given back when it is dropped.
#[derive(Debug)]
pub struct Turn<'a> {
    _place: SemaphorePermit<'a>,
}

impl AdminAccess {
    /// Bounds the access to a store.
    pub fn new(store: Store, config: AdminConfig) -> Self {
        Self {
            turns: Semaphore::new(config.turns),
            waiting: Semaphore::new(config.turns.saturating_mul(WAITING_PER_TURN)),
            uploads: Semaphore::new(UPLOADS),
            config,
            store,
        }
    }

    /// Waits for a turn; `None` when too many wait already, or the time is over.
    pub async fn turn(&self, deadline: Instant) -> Option<Turn<'_>> {
        let _waiting = self.waiting.try_acquire().ok()?;
        let turn = timeout_at(deadline.into(), self.turns.acquire()).await;
        let place = turn.ok()?.ok()?;
        Some(Turn { _place: place })
    }

    /// Takes a place among the uploads; `None` when there is none.
    pub fn upload(&self) -> Option<Turn<'_>> {
        let place = self.uploads.try_acquire().ok()?;
        Some(Turn { _place: place })
    }
}

impl fmt::Debug for AdminAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminAccess")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
