//! Loads all projects once, then follows the `changes` table and tells the definitions cache which projects changed.

use crate::cohort_cache::{CatchUp, CohortCache};
use crate::definitions_cache::{DefinitionsCache, Refresh};
use crate::mailbox::{Mailbox, Refused};
use crate::metrics::Metrics;
use burgee_evaluation::ProjectId;
use burgee_schema::models::{ChangeKind, ChangeRow};
use burgee_schema::{Store, StoreError, chain};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;

/// The pause before the first load, or a full mailbox, is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// A task, not an actor: it has no state that anybody asks for.
pub(crate) struct ChangeListener {
    pub(crate) store: Store,
    pub(crate) definitions: Mailbox<DefinitionsCache>,
    pub(crate) cohorts: Mailbox<CohortCache>,
    pub(crate) poll: Duration,
    pub(crate) started: Arc<AtomicBool>,
    pub(crate) metrics: Arc<Metrics>,
}

impl ChangeListener {
    /// Runs until its arbiter stops.
    pub(crate) async fn run(self) {
        let sequence = loop {
            match self.load_everything().await {
                Ok(sequence) => break sequence,
                Err(error) => {
                    tracing::warn!(error = chain(&error), "the first load failed; trying again");
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        };
        self.started.store(true, Ordering::Release);
        self.note_synchronised();
        let mut feed = self.store.follow_changes(sequence, self.poll);
        loop {
            match feed.next().await {
                Ok(changes) => {
                    if changes.iter().any(|change| change.members().is_some()) {
                        self.tell_cohorts().await;
                    }
                    self.refresh(projects_of(&changes)).await;
                    self.note_synchronised();
                }
                // The feed pauses by itself. What is published keeps serving.
                Err(error) => tracing::warn!(
                    error = chain(&error),
                    "changes cannot be followed; serving the last known definitions"
                ),
            }
        }
    }

    /// Reads all projects; returns the sequence from which to follow changes.
    async fn load_everything(&self) -> Result<i64, StoreError> {
        let sequence = self.store.latest_sequence().await?;
        let projects: BTreeSet<_> = self
            .store
            .projects()
            .await?
            .iter()
            .map(|project| ProjectId(project.id))
            .collect();
        tracing::info!(projects = projects.len(), "loading definitions");
        self.refresh(projects).await;
        Ok(sequence)
    }

    /// Has projects read again and waits until they were.
    async fn refresh(&self, projects: BTreeSet<ProjectId>) {
        if projects.is_empty() {
            return;
        }
        let mut projects: Vec<_> = projects.into_iter().collect();
        loop {
            let (done, was_done) = oneshot::channel();
            match self.definitions.post(Refresh {
                projects,
                done: Some(done),
            }) {
                Ok(()) => {
                    // The cache answers once each project was read, or is gone itself.
                    let _ = was_done.await;
                    return;
                }
                Err(Refused { message, .. }) => projects = message.projects,
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    /// Has changed memberships read; does not wait for it.
    async fn tell_cohorts(&self) {
        while self.cohorts.post(CatchUp { done: None }).is_err() {
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    fn note_synchronised(&self) {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        self.metrics
            .synchronised_at
            .set(i64::try_from(now).unwrap_or(i64::MAX));
    }
}

/// Returns the projects whose definitions changed. The cohort cache reads changed memberships by itself; people and groups
/// are read at each request: nothing of them is cached.
fn projects_of(changes: &[ChangeRow]) -> BTreeSet<ProjectId> {
    let of_definitions = |change: &&ChangeRow| match change.kind {
        ChangeKind::Project | ChangeKind::Flag | ChangeKind::Cohort => true,
        ChangeKind::CohortMembers
        | ChangeKind::Person
        | ChangeKind::Group
        | ChangeKind::HashKeys
        | ChangeKind::Keys => false,
    };
    changes
        .iter()
        .filter(of_definitions)
        .map(|change| ProjectId(change.project_id))
        .collect()
}
