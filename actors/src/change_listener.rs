//! Loads all projects once, from disk while the database is away, then follows the `changes` table and tells the definitions cache which projects changed.

use crate::cohort_cache::{CatchUp, CohortCache};
use crate::definitions_cache::{DefinitionsCache, Refresh, Restore};
use crate::keys::KeysRevision;
use crate::mailbox::{Mailbox, Refused};
use crate::metrics::Metrics;
use crate::snapshot::{Saved, Snapshots};
use crate::system::{Database, Preparation};
use burgee_evaluation::ProjectId;
use burgee_schema::models::{ChangeKind, ChangeRow};
use burgee_schema::{Store, StoreError, chain};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};

/// The pause before the first load, or a full mailbox, is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// A task, not an actor: it has no state that anybody asks for.
pub(crate) struct ChangeListener {
    pub(crate) store: Store,
    pub(crate) definitions: Mailbox<DefinitionsCache>,
    pub(crate) cohorts: Mailbox<CohortCache>,
    pub(crate) keys: KeysRevision,
    pub(crate) poll: Duration,
    pub(crate) started: watch::Sender<bool>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) snapshots: Option<Snapshots>,
}

impl ChangeListener {
    /// Runs until its arbiter stops.
    pub(crate) async fn run(mut self, database: Database) {
        let mut restored = None;
        if let Database::Awaited(mut preparation) = database {
            // Whoever prepares it may be gone: then the process is about to end.
            let is_away = {
                let known = preparation.wait_for(|it| *it != Preparation::Begun);
                matches!(known.await.as_deref(), Ok(Preparation::Away))
            };
            if is_away {
                restored = Some(self.restore().await);
                let _gone = preparation.wait_for(|it| *it == Preparation::Done).await;
            }
        }
        let sequence = loop {
            let known = restored.clone().unwrap_or_default();
            match self.load_everything(known).await {
                Ok(sequence) => break sequence,
                Err(error) => {
                    tracing::warn!(error = chain(&error), "the first load failed; trying again");
                    if restored.is_none() {
                        restored = Some(self.restore().await);
                    }
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        };
        self.started.send_replace(true);
        let mut feed = self.store.follow_changes(sequence, self.poll);
        // What was asked before the feed begins is not told of by it.
        self.keys.changed();
        self.metrics.freshness.follows(feed.synchronised());
        loop {
            match feed.next().await {
                Ok(changes) => {
                    if changes.iter().any(may_change_keys) {
                        self.keys.changed();
                    }
                    if changes.iter().any(|change| change.members().is_some()) {
                        self.tell_cohorts().await;
                    }
                    self.refresh(projects_of(&changes)).await;
                }
                // The feed pauses by itself. What is published keeps serving.
                Err(error) => tracing::warn!(
                    error = chain(&error),
                    "changes cannot be followed; serving the last known definitions"
                ),
            }
        }
    }

    /// Reads all projects, and the known ones once more: they may be gone. Returns the sequence from which to follow
    /// changes.
    async fn load_everything(&self, known: BTreeSet<ProjectId>) -> Result<i64, StoreError> {
        let asked_at = Instant::now();
        let sequence = self.store.latest_sequence().await?;
        let stored = self.store.projects().await?;
        let mut projects = known;
        projects.extend(stored.iter().map(|project| ProjectId(project.id)));
        tracing::info!(projects = stored.len(), "loading definitions");
        self.refresh(projects).await;
        self.metrics.freshness.loaded(asked_at);
        Ok(sequence)
    }

    /// Puts up what the snapshot holds, and serves from it. Returns its projects.
    async fn restore(&mut self) -> BTreeSet<ProjectId> {
        let Some(snapshots) = self.snapshots.clone() else {
            return BTreeSet::new();
        };
        let reading = tokio::task::spawn_blocking(move || snapshots.read_all());
        let Ok(Saved { projects, age }) = reading.await else {
            return BTreeSet::new();
        };
        let mut restored = BTreeSet::new();
        for rows in projects {
            restored.insert(ProjectId(rows.project.id));
            let (done, is_done) = oneshot::channel();
            let rows = rows.into();
            // One at a time: the mailbox has room.
            if self.definitions.post(Restore { rows, done }).is_ok() {
                let _ = is_done.await;
            }
        }
        if !restored.is_empty() {
            self.metrics.freshness.restored(age);
            self.started.send_replace(true);
            tracing::warn!(
                projects = restored.len(),
                age_seconds = age.as_secs(),
                "serving definitions from the snapshot until the database can be reached"
            );
        }
        restored
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
}

/// A project that goes takes its keys along, and what a newer program wrote may be anything.
fn may_change_keys(change: &ChangeRow) -> bool {
    matches!(change.kind, ChangeKind::Keys | ChangeKind::Project)
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
