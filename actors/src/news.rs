//! Tells those who wait for it that a project's definitions are others now.
//!
//! Whoever is slow misses what came in between and sees the newest state: nothing piles up. Publishing takes a lock, which
//! only publishing and the beginning of a wait ever ask for.

use crate::system::ProjectSnapshot;
use burgee_evaluation::ProjectId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// A project's newest definitions, and when there are newer ones. Ends when the project is gone.
pub type Follow = watch::Receiver<Arc<ProjectSnapshot>>;

/// Written by the definitions cache, read by whoever follows.
#[derive(Debug, Default)]
pub(crate) struct News(Mutex<HashMap<ProjectId, watch::Sender<Arc<ProjectSnapshot>>>>);

impl News {
    /// Tells of a state, after it was published.
    pub(crate) fn published(&self, snapshot: &Arc<ProjectSnapshot>) {
        let mut followed = self.followed();
        match followed.get(&snapshot.id) {
            Some(project) if project.receiver_count() > 0 => {
                project.send_replace(Arc::clone(snapshot));
            }
            Some(_) => drop(followed.remove(&snapshot.id)),
            None => {}
        }
    }

    /// Tells that a project is gone.
    pub(crate) fn withdrawn(&self, project: ProjectId) {
        self.followed().remove(&project);
    }

    /// Begins to follow a project; `current` reads what is published. Under the lock: no state comes in between unseen.
    pub(crate) fn follow(
        &self,
        project: ProjectId,
        current: impl FnOnce() -> Option<Arc<ProjectSnapshot>>,
    ) -> Option<Follow> {
        let mut followed = self.followed();
        let current = current()?;
        let sender = followed
            .entry(project)
            .or_insert_with(|| watch::Sender::new(Arc::clone(&current)));
        Some(sender.subscribe())
    }

    fn followed(&self) -> MutexGuard<'_, HashMap<ProjectId, watch::Sender<Arc<ProjectSnapshot>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
