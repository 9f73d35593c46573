//! One stream of changes. What counts is the sequence: LISTEN, this process's own commits and the clock only say when to
//! ask for it again, so nothing is lost when one of them fails.

use crate::connection::{Access, Connection};
use crate::models::ChangeRow;
use crate::models::change::CHANNEL;
use crate::store::Inner;
use crate::{Store, StoreError};
use diesel_async::SimpleAsyncConnection;
use futures_util::StreamExt;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::AbortHandle;

/// Changes asked for at once.
const PAGE: i64 = 1_000;
/// Before the first and the last attempt to listen again.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Follows the `changes` table. Reconnects by itself; each reconnection resynchronises by sequence. Stops when dropped.
pub struct ChangeFeed {
    pages: mpsc::Receiver<Result<Vec<ChangeRow>, StoreError>>,
    tasks: Vec<AbortHandle>,
    synchronised: Synchronised,
    /// Pages of changes that were returned.
    returned: u64,
    _store: Store,
}

/// Since when nothing is known to be missing. Cheap to clone, and outlives its feed.
#[derive(Debug, Clone, Default)]
pub struct Synchronised(Arc<Progress>);

#[derive(Debug, Default)]
struct Progress {
    /// Pages given out.
    given: AtomicU64,
    /// Pages that whoever reads the feed is done with.
    done: AtomicU64,
    at: Mutex<Option<Instant>>,
}

impl Synchronised {
    /// Returns the last moment at which the database had no change that the reader of the feed had not dealt with;
    /// `None` before the first.
    pub fn at(&self) -> Option<Instant> {
        *self.0.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A page that was empty at this moment was asked for.
    fn nothing_new(&self, asked_at: Instant) {
        if self.0.done.load(Ordering::Acquire) == self.0.given.load(Ordering::Acquire) {
            *self.0.at.lock().unwrap_or_else(PoisonError::into_inner) = Some(asked_at);
        }
    }
}

impl ChangeFeed {
    pub(crate) fn start(store: Store, sequence: i64, poll: Duration) -> Self {
        let (sender, pages) = mpsc::channel(1);
        let heard = Arc::new(Notify::new());
        let runtime = &store.inner.runtime;
        let mut tasks = Vec::new();
        if store.inner.target.is_postgres() {
            let listening = listen(Arc::clone(&store.inner), Arc::clone(&heard), poll);
            tasks.push(runtime.handle().spawn(listening).abort_handle());
        }
        let follower = Follower {
            commits: store.inner.commits.subscribe(),
            store: store.clone(),
            sequence,
            poll: poll.max(Duration::from_millis(1)),
            heard,
            synchronised: Synchronised::default(),
        };
        let synchronised = follower.synchronised.clone();
        tasks.push(
            runtime
                .handle()
                .spawn(follower.follow(sender))
                .abort_handle(),
        );
        Self {
            pages,
            tasks,
            synchronised,
            returned: 0,
            _store: store,
        }
    }

    /// Waits for changes that were not returned before; never empty. An error means that the last attempt to ask the
    /// database failed; calling again goes on after a pause, and says that everything returned so far is dealt with.
    pub async fn next(&mut self) -> Result<Vec<ChangeRow>, StoreError> {
        let done = &self.synchronised.0.done;
        done.store(self.returned, Ordering::Release);
        let page = self.pages.recv().await;
        let page = page.unwrap_or_else(|| Err(crate::runtime::lost()));
        self.returned += u64::from(page.is_ok());
        page
    }

    /// Returns what tells since when nothing is known to be missing.
    pub fn synchronised(&self) -> Synchronised {
        self.synchronised.clone()
    }
}

impl Drop for ChangeFeed {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl fmt::Debug for ChangeFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeFeed").finish_non_exhaustive()
    }
}

struct Follower {
    store: Store,
    sequence: i64,
    poll: Duration,
    heard: Arc<Notify>,
    commits: watch::Receiver<u64>,
    synchronised: Synchronised,
}

impl Follower {
    async fn follow(mut self, pages: mpsc::Sender<Result<Vec<ChangeRow>, StoreError>>) {
        loop {
            // What is committed from here on is either in the page or wakes the wait below.
            self.commits.mark_unchanged();
            let asked_at = Instant::now();
            let page = self.store.changes_after(self.sequence, PAGE).await;
            let more = match &page {
                Ok(changes) => match changes.last() {
                    Some(last) => {
                        self.sequence = last.sequence;
                        self.synchronised.0.given.fetch_add(1, Ordering::AcqRel);
                        true
                    }
                    None => {
                        self.synchronised.nothing_new(asked_at);
                        false
                    }
                },
                Err(_) => false,
            };
            let failed = page.is_err();
            if (more || failed) && pages.send(page).await.is_err() {
                return;
            }
            if !more {
                self.wait(failed).await;
            }
        }
    }

    /// Waits until there may be news. After a failure only the clock counts, and it does not run long.
    async fn wait(&mut self, failed: bool) {
        if failed {
            tokio::time::sleep(self.poll.min(Duration::from_millis(500))).await;
            return;
        }
        tokio::select! {
            () = self.heard.notified() => {}
            () = tokio::time::sleep(self.poll) => {}
            // An error would mean that the store is gone, which this task itself holds.
            _ = self.commits.changed() => {}
        }
    }
}

/// Listens for announcements as long as the store lives, on a connection of its own.
async fn listen(inner: Arc<Inner>, heard: Arc<Notify>, poll: Duration) {
    let (shortest, longest) = BACKOFF;
    let mut pause = shortest;
    loop {
        if let Err(error) = listen_once(&inner, &heard, &mut pause).await {
            let error = crate::error::chain(&error);
            // The pause is back at its shortest when there was a connection in between.
            if pause == shortest {
                tracing::warn!(
                    error,
                    ?poll,
                    "cannot listen for changes, only polling for now"
                );
            } else {
                tracing::debug!(error, "still cannot listen for changes");
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
}

/// Returns when the connection ends.
async fn listen_once(
    inner: &Inner,
    heard: &Notify,
    pause: &mut Duration,
) -> Result<(), StoreError> {
    let connection =
        Connection::establish(&inner.target, Access::Read, inner.config.query_timeout).await?;
    let Some(mut connection) = connection.into_postgres() else {
        return Ok(());
    };
    connection
        .batch_execute(&format!("LISTEN {CHANNEL}"))
        .await?;
    *pause = BACKOFF.0;
    // What was announced while nobody listened.
    heard.notify_one();
    let mut announcements = std::pin::pin!(connection.notifications_stream());
    while let Some(announcement) = announcements.next().await {
        announcement?;
        heard.notify_one();
    }
    Ok(())
}
