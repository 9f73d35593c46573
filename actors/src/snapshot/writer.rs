//! Writes what changed, a moment later and beside the request path.

use super::{MAX_FILE, MAX_TOTAL, STAMP, Snapshots, format};
use crate::freshness::Freshness;
use crate::metrics::Metrics;
use burgee_evaluation::ProjectId;
use burgee_schema::{Store, StoreError, chain};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, oneshot};

/// Changes gather this long before they are written.
const DEBOUNCE: Duration = Duration::from_secs(1);
/// The pause after a failure.
const RETRY_PAUSE: Duration = Duration::from_secs(5);
/// How far the stamp may lag behind.
const STAMP_INTERVAL: Duration = Duration::from_secs(10);

/// A project could not be written.
#[derive(Debug, thiserror::Error)]
enum Unwritten {
    #[error("its rows cannot be read")]
    Store(#[from] StoreError),
    #[error("its file cannot be written")]
    File(#[from] io::Error),
    #[error("it takes {0} bytes, for which there is no room")]
    NoRoom(u64),
}

/// The task that writes. It knows how large each file is.
pub(crate) struct Writer {
    snapshots: Snapshots,
    store: Store,
    metrics: Arc<Metrics>,
    sizes: HashMap<ProjectId, u64>,
}

impl Writer {
    pub(crate) fn new(snapshots: Snapshots, store: Store, metrics: Arc<Metrics>) -> Self {
        Self {
            snapshots,
            store,
            metrics,
            sizes: HashMap::new(),
        }
    }

    /// Runs until its arbiter stops. Who asks for what waits to be written now is told when it is, or cannot be.
    pub(crate) async fn run(mut self, mut asked: mpsc::Receiver<oneshot::Sender<()>>) {
        self.sizes = self.measure().await;
        // What was written by an earlier process may be outdated, or its project gone.
        self.snapshots.dirty().extend(self.sizes.keys());
        let mut pause = Duration::ZERO;
        loop {
            let asked = tokio::select! {
                asked = next(&mut asked) => Some(asked),
                () = self.gather(pause) => None,
            };
            pause = Duration::ZERO;
            if self.metrics.freshness.is_from_database() {
                if self.write_changed().await {
                    self.write_stamp().await;
                } else {
                    pause = RETRY_PAUSE;
                    self.snapshots.0.news.notify_one();
                }
            }
            // Whoever asked may have given up.
            asked.map(|asked| asked.send(()));
        }
    }

    /// Waits for changes, and a moment for more of them. Without news the stamp still moves on.
    async fn gather(&self, pause: Duration) {
        tokio::time::sleep(pause).await;
        let news = self.snapshots.0.news.notified();
        let _quiet = tokio::time::timeout(STAMP_INTERVAL, news).await;
        tokio::time::sleep(DEBOUNCE).await;
    }

    /// Writes the projects that changed; false when some of them have to be tried again.
    async fn write_changed(&mut self) -> bool {
        let mut changed = std::mem::take(&mut *self.snapshots.dirty());
        while let Some(project) = changed.iter().next().copied() {
            let Err(error) = self.write_project(project).await else {
                changed.remove(&project);
                continue;
            };
            self.metrics.snapshot_failures.inc();
            tracing::warn!(%project, error = chain(&error), "a project is not in the snapshot");
            if matches!(error, Unwritten::NoRoom(_)) {
                changed.remove(&project);
                continue;
            }
            // The next ones would fail the same way.
            self.snapshots.dirty().extend(changed);
            return false;
        }
        true
    }

    /// The rows are read anew: nothing has to be kept in memory until they are written.
    async fn write_project(&mut self, project: ProjectId) -> Result<(), Unwritten> {
        let rows = self.store.definitions(project.0).await?;
        let snapshots = self.snapshots.clone();
        let Some(rows) = rows else {
            self.sizes.remove(&project);
            return Ok(blocking(move || snapshots.remove(project)).await?);
        };
        let others: u64 = self.sizes.values().sum();
        let others = others - self.sizes.get(&project).copied().unwrap_or_default();
        let room = MAX_FILE.min(MAX_TOTAL.saturating_sub(others));
        let put = blocking(move || snapshots.put(&rows.into(), room)).await?;
        match put {
            Put::Written(bytes) => {
                self.sizes.insert(project, bytes);
                self.metrics.snapshot_writes.inc();
                Ok(())
            }
            Put::Same(bytes) => {
                self.sizes.insert(project, bytes);
                Ok(())
            }
            Put::TooLarge(bytes) => {
                self.sizes.remove(&project);
                Err(Unwritten::NoRoom(bytes))
            }
        }
    }

    /// Notes when the snapshot was last known to be current. Not while something is still to be written.
    async fn write_stamp(&self) {
        if !self.metrics.freshness.is_from_database() || !self.snapshots.dirty().is_empty() {
            return;
        }
        let Some(at) = current_at(&self.metrics.freshness) else {
            return;
        };
        let snapshots = self.snapshots.clone();
        if let Err(error) = blocking(move || snapshots.put_stamp(at)).await {
            self.metrics.snapshot_failures.inc();
            tracing::warn!(%error, "the age of the snapshot cannot be written");
        }
    }

    async fn measure(&self) -> HashMap<ProjectId, u64> {
        let snapshots = self.snapshots.clone();
        let sizes = blocking(move || {
            let files = snapshots.files()?.into_iter();
            let sizes = files.map(|(path, project)| Ok((project, fs::metadata(path)?.len())));
            sizes.collect::<io::Result<HashMap<_, _>>>()
        });
        sizes.await.unwrap_or_default()
    }
}

/// Waits for somebody who asks; for ever when there is nobody left.
async fn next(asked: &mut mpsc::Receiver<oneshot::Sender<()>>) -> oneshot::Sender<()> {
    match asked.recv().await {
        Some(asked) => asked,
        None => std::future::pending().await,
    }
}

fn current_at(freshness: &Freshness) -> Option<SystemTime> {
    SystemTime::now().checked_sub(freshness.age()?)
}

/// Does something with files on a thread that may wait for the disk.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let work = tokio::task::spawn_blocking(work);
    work.await
        .unwrap_or_else(|gone| Err(io::Error::other(gone)))
}

/// What became of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// It is new, and this long.
    Written(u64),
    /// It was the same already.
    Same(u64),
    /// There is no room for this many bytes; there is no file now, since the old one would be wrong.
    TooLarge(u64),
}

impl Snapshots {
    /// Writes a project, unless its file is longer than `room` bytes.
    pub(super) fn put(&self, rows: &super::Rows, room: u64) -> io::Result<Put> {
        let project = ProjectId(rows.project.id);
        let content = format::write(rows, &self.0.database)?;
        let bytes = u64::try_from(content.len()).unwrap_or(u64::MAX);
        if bytes > room {
            self.remove(project)?;
            return Ok(Put::TooLarge(bytes));
        }
        let path = self.path(project);
        let is_same = fs::metadata(&path).is_ok_and(|there| there.len() == bytes)
            && fs::read(&path).is_ok_and(|there| there == content);
        if is_same {
            return Ok(Put::Same(bytes));
        }
        let name = path.file_name().and_then(|name| name.to_str());
        self.write(name.unwrap_or_default(), &content)?;
        Ok(Put::Written(bytes))
    }

    /// Removes a project's file, if there is one.
    pub(super) fn remove(&self, project: ProjectId) -> io::Result<()> {
        match fs::remove_file(self.path(project)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    pub(super) fn put_stamp(&self, at: SystemTime) -> io::Result<()> {
        self.write(STAMP, &format::write_stamp(at, &self.0.database)?)
    }
}

#[cfg(test)]
mod tests {
    use super::current_at;
    use crate::freshness::Freshness;
    use std::time::{Duration, Instant, SystemTime};

    #[test]
    fn the_stamp_is_as_old_as_the_definitions() {
        let freshness = Freshness::default();
        assert_eq!(current_at(&freshness), None);
        freshness.restored(Duration::from_secs(60));
        let at = current_at(&freshness).unwrap();
        assert!(SystemTime::now().duration_since(at).unwrap() >= Duration::from_secs(60));
        freshness.loaded(Instant::now());
        assert!(current_at(&freshness).unwrap() > at);
    }
}
