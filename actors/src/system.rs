//! The handle to all actors, and a request's way through them.

use crate::admission::{Admission, ProjectLoad};
use crate::budget::Budget;
use crate::cohort_cache::{CatchUp, CohortCache};
use crate::courier::Courier;
use crate::definitions_cache::{DefinitionsCache, FindProject, Published, Refresh};
use crate::evaluator::Work;
use crate::events::{EventsConfig, Intake};
use crate::keys::KeysRevision;
use crate::local_definitions::{Document, LocalDefinitions};
use crate::mailbox::Mailbox;
use crate::metrics::Metrics;
use crate::news::{Follow, News};
use crate::reader::Reader;
use crate::revision::Revision;
use crate::runtimes::Runtime;
use crate::seat::Seat;
use crate::shares::{Place, Shares};
use crate::snapshot::Snapshots;
use crate::stages::{Stage, StageTimer, Stages};
use crate::standing_queue::{Pressure, StandingLimit};
use crate::start::WorkerSeats;
use crate::static_members::StaticMembers;
use crate::worker_queue::WorkerQueue;
use crate::{EvaluateError, ProjectError};
use actix_rt::{Arbiter, ArbiterHandle};
use burgee_evaluation::{
    CohortSet, Definitions, Evaluations, MatchingVersion, Moment, Needs, ProjectId, Selection,
    Selector, Subject,
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout_at;

/// One project's definitions at one moment: immutable, shared.
#[derive(Debug)]
pub struct ProjectSnapshot {
    /// Its id.
    pub id: ProjectId,
    /// Its public token.
    pub token: Box<str>,
    /// Which state of its definitions this is.
    pub revision: Revision,
    /// Its flags.
    pub definitions: Arc<Definitions>,
    /// Its cohorts.
    pub cohorts: Arc<CohortSet>,
    /// Its time zone.
    pub zone: Tz,
    /// Its rule for booleans.
    pub matching: MatchingVersion,
    /// What it holds of each queue; the same for all snapshots of a project.
    pub(crate) load: Arc<ProjectLoad>,
    pub(crate) static_members: StaticMembers,
    pub(crate) local_definitions: LocalDefinitions,
}

/// What the edge asks for: inputs that were read from the request, nothing stored.
#[derive(Debug)]
pub struct EvaluateRequest {
    /// Which flags.
    pub selector: Selector,
    /// Who.
    pub subject: Subject,
    /// `only_use_override_person_properties`: read nothing stored.
    pub overrides_only: bool,
    /// Whether hash keys may be written (off with `detailed_analysis` and with `overrides_only`, section 5.7).
    pub write_hash_keys: bool,
    /// The present, read once.
    pub now: DateTime<Utc>,
    /// When the answer is worthless.
    pub deadline: Instant,
}

/// Whether flags can be served, and if not, why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// They can.
    Ready,
    /// They can, from definitions that are no longer known to be current.
    Stale {
        /// Since when not.
        age: Duration,
    },
    /// They cannot, with a sentence for the operator.
    NotReady(String),
}

/// Sizes and bounds of the actors.
#[derive(Debug, Clone)]
pub struct Config {
    /// Threads of each part.
    pub budget: Budget,
    /// Requests that may wait for one evaluator. Must cover a burst of connections.
    pub evaluator_capacity: usize,
    /// Look-ups that may wait for the person loader.
    pub loader_capacity: usize,
    /// How often the `changes` table is asked, notifications apart.
    pub poll: Duration,
    /// Work that is expected to take longer than this goes to the large lane.
    pub large_above: Duration,
    /// How long requests may wait for a thread when they have waited so for a while; `None` for as long as they have time.
    pub standing_limit: Option<Duration>,
    /// Whether each HTTP worker has a small evaluator on its own thread, beside the shared ones.
    pub evaluators_at_workers: bool,
    /// Memory for the members of static cohorts, in bytes. What does not fit is asked of the database.
    pub cohort_cache_bytes: usize,
    /// How events are stored.
    pub events: EventsConfig,
}

/// Where definitions come from at the start.
#[derive(Debug, Default)]
pub struct Source {
    /// Definitions on disk, for when the database is away.
    pub snapshots: Option<Snapshots>,
    /// Whether the database may be asked.
    pub database: Database,
}

/// Whether the database may be asked for definitions yet.
#[derive(Debug, Default)]
pub enum Database {
    /// Its schema is the one this program knows.
    #[default]
    Prepared,
    /// Somebody is about to make it so, and tells how far that is.
    Awaited(watch::Receiver<Preparation>),
}

/// How far a database is from being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preparation {
    /// It is being prepared.
    Begun,
    /// It cannot be used at the moment: until it can, the snapshot serves.
    Away,
    /// Its schema is the one this program knows.
    Done,
}

/// The actors could not be started.
#[derive(Debug, thiserror::Error)]
#[error("the CPU pool could not be started")]
pub struct StartError(#[from] rayon::ThreadPoolBuildError);

/// Cheap to clone; one per HTTP worker.
#[derive(Clone)]
pub struct System {
    pub(crate) published: Arc<Published>,
    pub(crate) news: Arc<News>,
    pub(crate) definitions: Mailbox<DefinitionsCache>,
    pub(crate) cohorts: Mailbox<CohortCache>,
    pub(crate) reader: Reader,
    pub(crate) keys: KeysRevision,
    pub(crate) events: Intake,
    pub(crate) admission: Admission,
    /// How to seat an evaluator at an HTTP worker, if that is wanted.
    pub(crate) worker_seats: Option<Arc<WorkerSeats>>,
    /// The queue before the HTTP worker whose handle this is.
    pub(crate) worker: Option<Arc<WorkerQueue>>,
    pub(crate) standing_limit: StandingLimit,
    /// What the projects hold of the requests under way.
    pub(crate) requests: Arc<Shares>,
    pub(crate) started: watch::Receiver<bool>,
    /// Asks for what is not on disk yet to be written there; `None` without a snapshot.
    pub(crate) snapshot_flushes: Option<mpsc::Sender<oneshot::Sender<()>>>,
    pub(crate) metrics: Arc<Metrics>,
    /// From what age on the definitions are called stale.
    pub(crate) stale_after: Duration,
    pub(crate) arbiters: Arc<Vec<ArbiterHandle>>,
}

impl System {
    /// Returns the handle for the calling HTTP worker, with a small evaluator on its own thread where that is wanted: its
    /// requests are spared the way to another thread and back.
    ///
    /// Must be called on a thread that runs an arbiter; elsewhere the shared evaluators have to do.
    pub fn at_worker(&self) -> Self {
        let Some(arbiter) = Arbiter::try_current() else {
            return self.clone();
        };
        let queue = WorkerQueue::new(&self.standing_limit, &self.metrics);
        actix_rt::spawn(Arc::clone(&queue).run());
        let courier = Courier::new(self.metrics.answers_waiting.clone());
        actix_rt::spawn(Arc::clone(&courier).run());
        let mut admission = self.admission.with_courier(Arc::clone(&courier));
        if let Some(seats) = &self.worker_seats {
            admission = admission.with_home(Seat::start(seats.plan(), arbiter));
        }
        let mut reader = self.reader.clone();
        reader.courier = Some(courier);
        Self {
            admission,
            reader,
            worker: Some(queue),
            ..self.clone()
        }
    }

    /// Changes how long requests may wait for a thread when they have waited so for a while, for all queues at once.
    pub fn set_standing_limit(&self, limit: Option<Duration>) {
        self.standing_limit.set(limit);
    }

    /// Stops the actors' threads. Call it when no request is under way any more.
    pub fn stop(&self) {
        for arbiter in self.arbiters.iter() {
            arbiter.stop();
        }
    }

    /// Returns the project of a public token, `None` when there is none. No I/O when the project is cached.
    pub async fn project(
        &self,
        token: &str,
        deadline: Instant,
    ) -> Result<Option<Arc<ProjectSnapshot>>, ProjectError> {
        if let Some(snapshot) = self.published.load().by_token.get(token) {
            self.metrics.definition_hits.inc();
            return Ok(Some(Arc::clone(snapshot)));
        }
        let (reply, answer) = oneshot::channel();
        self.definitions
            .post(FindProject {
                token: token.into(),
                reply,
            })
            .map_err(|_refused| ProjectError::Unavailable)?;
        let found = match timeout_at(deadline.into(), answer).await {
            Ok(Ok(found)) => found?,
            Ok(Err(_)) => return Err(ProjectError::Unavailable),
            Err(_) => {
                self.metrics.deadline_missed(Stage::Definitions);
                return Err(ProjectError::TimedOut);
            }
        };
        if found.is_none() {
            self.metrics.unknown_tokens.inc();
        }
        Ok(found)
    }

    /// Returns the project of an id, `None` when there is none that could be read. No I/O when the project is cached; meant
    /// for ids that are known to exist, such as that of a key.
    pub async fn project_by_id(
        &self,
        id: ProjectId,
        deadline: Instant,
    ) -> Result<Option<Arc<ProjectSnapshot>>, ProjectError> {
        let published = || self.published.load().by_id.get(&id).cloned();
        if let Some(snapshot) = published() {
            self.metrics.definition_hits.inc();
            return Ok(Some(snapshot));
        }
        let (done, was_read) = oneshot::channel();
        let refresh = Refresh {
            projects: vec![id],
            done: Some(done),
        };
        let posted = self.definitions.post(refresh);
        posted.map_err(|_refused| ProjectError::Unavailable)?;
        // The cache answers once it has tried; what came of it is among the published ones.
        if timeout_at(deadline.into(), was_read).await.is_err() {
            self.metrics.deadline_missed(Stage::Definitions);
            return Err(ProjectError::TimedOut);
        }
        Ok(published())
    }

    /// Begins to follow a project's definitions; `None` when the project is gone.
    pub fn follow(&self, project: ProjectId) -> Option<Follow> {
        let published = || self.published.load().by_id.get(&project).cloned();
        self.news.follow(project, published)
    }

    /// Returns a project as it is once it has reached a revision that another instance told of, or as it is at the deadline.
    pub async fn reached(
        &self,
        project: Arc<ProjectSnapshot>,
        asked: Revision,
        deadline: Instant,
    ) -> Arc<ProjectSnapshot> {
        if project.revision.is_at_least(asked) {
            return project;
        }
        let Some(mut follow) = self.follow(project.id) else {
            return project;
        };
        let reached = follow.wait_for(|newest| newest.revision.is_at_least(asked));
        // In time or not: the newest there is.
        drop(timeout_at(deadline.into(), reached).await);
        let newest = follow.borrow();
        Arc::clone(&newest)
    }

    /// Returns what SDKs read that evaluate a project's flags themselves. Made at the first call after a change, on the CPU
    /// pool; `None` when it cannot be made.
    pub async fn local_definitions(
        &self,
        project: &ProjectSnapshot,
        deadline: Instant,
    ) -> Result<Option<Arc<Document>>, ProjectError> {
        let document = project.local_definitions.document(&project.definitions);
        let document = timeout_at(deadline.into(), document).await;
        document.map_err(|_elapsed| {
            self.metrics.deadline_missed(Stage::Definitions);
            ProjectError::TimedOut
        })
    }

    /// Evaluates: selects, reads what is needed, waits for an evaluator, all within the deadline. Adds to `stages` how long
    /// that took, whatever comes of it.
    pub async fn evaluate(
        &self,
        project: &Arc<ProjectSnapshot>,
        request: EvaluateRequest,
        stages: &mut Stages,
    ) -> Result<Evaluations, EvaluateError> {
        let selection = project.definitions.select(&request.selector);
        if selection.is_empty() {
            return Ok(Evaluations::default());
        }
        let _turn = self.take_turn(project, &selection)?;
        let reserved = self
            .admission
            .reserve(project, &selection, request.deadline)?;
        let needs = if request.overrides_only {
            Needs::default()
        } else {
            Needs::of(&project.definitions, &selection, &request.subject)
        };
        if needs != Needs::default() {
            let admitted = self.reader.admit(project);
            admitted.map_err(|(why, wait)| self.admission.refusal(why, wait))?;
        }
        let (state, hash_keys) = {
            let _timer = StageTimer::start(&mut stages.look_up);
            self.reader.read(project, &selection, &request, needs).await
        };
        let work = Work {
            project: Arc::clone(project),
            selection,
            subject: request.subject,
            state,
            hash_keys,
            moment: Moment {
                now: request.now,
                zone: project.zone,
                matching: project.matching,
            },
        };
        let _timer = StageTimer::start(&mut stages.evaluate);
        let answer = self.admission.evaluate(reserved, work, request.deadline);
        let evaluated = answer.await;
        if let Err(EvaluateError::TimedOut { .. }) = evaluated {
            self.metrics.deadline_missed(Stage::Evaluate);
        }
        evaluated
    }

    /// Refuses a request before anything is done for it, by the token in its body, if this HTTP worker has more to do than
    /// it can and the token's project has its share of it.
    ///
    /// The token is only asked for when it matters. What has none in plain sight is let through, and asked about later.
    pub fn refuse_early<'a>(
        &self,
        token: impl FnOnce() -> Option<&'a [u8]>,
    ) -> Result<(), EvaluateError> {
        let Some(worker) = &self.worker else {
            return Ok(());
        };
        let now = Instant::now();
        let (pressure, wait) = worker.look(now);
        if pressure == Pressure::None {
            return Ok(());
        }
        let allowed = self.requests.under(pressure);
        let token = token().and_then(|token| std::str::from_utf8(token).ok());
        let project = token.and_then(|token| self.published.load().by_token.get(token).cloned());
        let has_place = match project {
            Some(project) => self.requests.has_place(&project.load.requests, allowed),
            None => pressure < Pressure::FarOver,
        };
        if has_place {
            return Ok(()); // It asks when its turn comes.
        }
        // A queue that only refuses is not an idle one.
        worker.ask(now);
        worker.refuse();
        Err(self.admission.refusal(pressure.reason(), wait))
    }

    /// Takes a place among the requests under way, or is refused because this HTTP worker has more to do than it can.
    fn take_turn(
        &self,
        project: &ProjectSnapshot,
        selection: &Selection,
    ) -> Result<Place, EvaluateError> {
        let asked = self
            .worker
            .as_ref()
            .map(|worker| worker.ask(Instant::now()));
        let (pressure, wait) = asked.unwrap_or((Pressure::None, Duration::ZERO));
        let allowed = self.requests.under(pressure);
        let places = self.admission.places(selection);
        let place = self
            .requests
            .take_places(&project.load.requests, allowed, places);
        place.ok_or_else(|| {
            if let Some(worker) = &self.worker {
                worker.refuse();
            }
            self.admission.refusal(pressure.reason(), wait)
        })
    }

    /// Counts a request that ran out of time before it got here.
    pub fn missed_deadline(&self, stage: Stage) {
        self.metrics.deadline_missed(stage);
    }

    /// Returns the task that watches one more runtime; to be spawned there. It ends with its runtime.
    pub fn watch_runtime(
        &self,
        runtime: Runtime,
        instance: u32,
    ) -> impl Future<Output = ()> + Send + 'static {
        self.metrics.runtimes.watch(runtime, instance)
    }

    /// Returns what tells when keys changed.
    pub fn keys_revision(&self) -> KeysRevision {
        self.keys.clone()
    }

    /// Has projects read again, and waits until they were: for a process that has just changed them, or their keys, itself.
    pub async fn refresh(&self, projects: Vec<ProjectId>) {
        self.keys.changed();
        let (done, definitions_are_read) = oneshot::channel();
        let refresh = Refresh {
            projects,
            done: Some(done),
        };
        let (done, memberships_are_read) = oneshot::channel();
        let catch_up = CatchUp { done: Some(done) };
        // A refused message drops its sender, which ends the wait.
        let _ = self.definitions.post(refresh);
        let _ = self.cohorts.post(catch_up);
        let _ = definitions_are_read.await;
        let _ = memberships_are_read.await;
    }

    /// Returns whether flags can be served. Once they can, they can: the last good definitions outlive the database.
    pub fn readiness(&self) -> Readiness {
        if !self.started() {
            return Readiness::NotReady("the definitions have not been loaded yet".into());
        }
        let freshness = &self.metrics.freshness;
        match freshness.age() {
            Some(age) if age > self.stale_after || !freshness.is_from_database() => {
                Readiness::Stale { age }
            }
            _ => Readiness::Ready,
        }
    }

    /// Returns whether the first load is over.
    pub fn started(&self) -> bool {
        *self.started.borrow()
    }

    /// Waits until flags can be served for the first time: the first load is over, or the snapshot was put up.
    pub async fn until_started(&self) {
        let mut started = self.started.clone();
        // The change listener ends with its arbiter alone; then nobody waits for it any more.
        if started.wait_for(|started| *started).await.is_err() {
            std::future::pending().await
        }
    }

    /// Has everything that waits written: events, counts of flags that were called, and definitions that are not in the
    /// snapshot yet. Call it when no request is under way any more; what is not written within the limit is lost.
    pub async fn finish(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        self.finish_events(limit).await;
        if self.finish_snapshot(deadline).await.is_err() {
            tracing::warn!(
                "the newest definitions are not in the snapshot: writing it took too long"
            );
        }
    }

    async fn finish_snapshot(&self, deadline: Instant) -> Result<(), tokio::time::error::Elapsed> {
        let Some(flushes) = &self.snapshot_flushes else {
            return Ok(());
        };
        let (done, is_written) = oneshot::channel();
        timeout_at(deadline.into(), async {
            // A writer that is gone has dropped what it was sent, which ends the wait.
            let _ = flushes.send(done).await;
            let _ = is_written.await;
        })
        .await
    }
}

impl std::fmt::Debug for System {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("System")
            .field("started", &self.started())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
