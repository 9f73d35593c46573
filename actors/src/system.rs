//! The handle to all actors, and a request's way through them.

use crate::admission::{Admission, ProjectLoad};
use crate::budget::Budget;
use crate::cohort_cache::{CatchUp, CohortCache};
use crate::definitions_cache::{DefinitionsCache, FindProject, Published, Refresh};
use crate::evaluator::Work;
use crate::events::{EventsConfig, Intake};
use crate::mailbox::Mailbox;
use crate::metrics::Metrics;
use crate::reader::Reader;
use crate::runtimes::Runtime;
use crate::seat::Seat;
use crate::snapshot::Snapshots;
use crate::stages::{Stage, StageTimer, Stages};
use crate::start::WorkerSeats;
use crate::static_members::StaticMembers;
use crate::{EvaluateError, ProjectError};
use actix_rt::{Arbiter, ArbiterHandle};
use burgee_evaluation::{
    CohortSet, Definitions, Evaluations, MatchingVersion, Moment, Needs, ProjectId, Selector,
    Subject,
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::time::timeout_at;

/// One project's definitions at one moment: immutable, shared.
#[derive(Debug)]
pub struct ProjectSnapshot {
    /// Its id.
    pub id: ProjectId,
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
    /// It cannot be reached; the message tells when it was and its migrations have run. Until then the snapshot serves.
    Awaited(oneshot::Receiver<()>),
}

/// The actors could not be started.
#[derive(Debug, thiserror::Error)]
#[error("the CPU pool could not be started")]
pub struct StartError(#[from] rayon::ThreadPoolBuildError);

/// Cheap to clone; one per HTTP worker.
#[derive(Clone)]
pub struct System {
    pub(crate) published: Arc<Published>,
    pub(crate) definitions: Mailbox<DefinitionsCache>,
    pub(crate) cohorts: Mailbox<CohortCache>,
    pub(crate) reader: Reader,
    pub(crate) events: Intake,
    pub(crate) admission: Admission,
    /// How to seat an evaluator at an HTTP worker, if that is wanted.
    pub(crate) worker_seats: Option<Arc<WorkerSeats>>,
    pub(crate) started: Arc<AtomicBool>,
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
        let here = self.worker_seats.as_ref().zip(Arbiter::try_current());
        let Some((seats, arbiter)) = here else {
            return self.clone();
        };
        Self {
            admission: self.admission.with_home(Seat::start(seats.plan(), arbiter)),
            ..self.clone()
        }
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
        if let Some(snapshot) = self.published.load().get(token) {
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
        let needs = if request.overrides_only {
            Needs::default()
        } else {
            Needs::of(&project.definitions, &selection, &request.subject)
        };
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
        let evaluated = self.admission.evaluate(work, request.deadline).await;
        if let Err(EvaluateError::TimedOut { .. }) = evaluated {
            self.metrics.deadline_missed(Stage::Evaluate);
        }
        evaluated
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

    /// Has projects read again, and waits until they were: for a process that has just changed them itself.
    pub async fn refresh(&self, projects: Vec<ProjectId>) {
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
        self.started.load(Ordering::Acquire)
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
