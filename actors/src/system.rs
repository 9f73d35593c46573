//! The handle to all actors, and a request's way through them.

use crate::admission::{Admission, Lane};
use crate::budget::Budget;
use crate::change_listener::ChangeListener;
use crate::cohort_cache::CohortCache;
use crate::continuity;
use crate::cpu_pool::CpuPool;
use crate::definitions_cache::{self, DefinitionsCache, FindProject, Loader, Published, Refresh};
use crate::evaluator::{self, Evaluator, FoundState, Work};
use crate::mailbox::{Mailbox, Ping, Refused};
use crate::metrics::{MailboxMetrics, Metrics};
use crate::override_writer::{OverrideWriter, WriteHashKeys};
use crate::person_loader::{Load, PersonLoader};
use crate::runtimes::Runtime;
use crate::snapshot::{Snapshots, Writer};
use crate::stages::{Stage, StageTimer, Stages};
use crate::{EvaluateError, ProjectError};
use actix::dev::ToEnvelope;
use actix::{Actor, Context, Handler, Supervised, Supervisor};
use actix_rt::{Arbiter, ArbiterHandle};
use burgee_evaluation::outcome::FailureCode;
use burgee_evaluation::subject::Read;
use burgee_evaluation::{
    CohortSet, Definitions, Evaluations, MatchingVersion, Moment, Needs, ProjectId, Selector,
    Subject,
};
use burgee_schema::Store;
use burgee_schema::models::{Found, HashKeyWrite, Lookup};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, oneshot};
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
    /// Requests for more flags than this go to the large lane.
    pub large_above_flags: usize,
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

/// Definitions are stale when they were not known to be current for so many polls, and this.
const STALE_AFTER_POLLS: u32 = 3;
const STALE_AFTER: Duration = Duration::from_secs(5);

/// Batches each large evaluator keeps on the rayon pool.
const LARGE_SLOTS: usize = 2;
/// Messages the caches take before they refuse.
const CACHE_CAPACITY: usize = 1_024;

/// The actors could not be started.
#[derive(Debug, thiserror::Error)]
#[error("the CPU pool could not be started")]
pub struct StartError(#[from] rayon::ThreadPoolBuildError);

/// Cheap to clone; one per HTTP worker.
#[derive(Clone)]
pub struct System {
    published: Arc<Published>,
    definitions: Mailbox<DefinitionsCache>,
    loader: Mailbox<PersonLoader>,
    writer: Mailbox<OverrideWriter>,
    admission: Admission,
    started: Arc<AtomicBool>,
    metrics: Arc<Metrics>,
    stale_after: Duration,
    arbiters: Arc<Vec<ArbiterHandle>>,
}

impl System {
    /// Starts all actors, each on its own thread or on the one of the caches, and begins the first load.
    ///
    /// Must be called where an actix system runs. Returns when every mailbox has its capacity.
    pub async fn start(
        config: &Config,
        store: Store,
        metrics: Metrics,
    ) -> Result<Self, StartError> {
        Self::start_from(Source::default(), config, store, metrics).await
    }

    /// The same, with definitions on disk to fall back on.
    pub async fn start_from(
        source: Source,
        config: &Config,
        store: Store,
        metrics: Metrics,
    ) -> Result<Self, StartError> {
        let metrics = Arc::new(metrics);
        let cpu = CpuPool::new(config.budget.rayon)?;
        let mut arbiters = Arbiters::default();
        store
            .runtime()
            .spawn(metrics.runtimes.watch(Runtime::Database, 0));
        let admission = evaluators(config, &cpu, &metrics, &mut arbiters).await;

        let state = arbiters.start();
        state.spawn(metrics.runtimes.watch(Runtime::Caches, 0));
        let cohorts = {
            let metrics = Arc::clone(&metrics);
            Supervisor::start_in_arbiter(&state, move |_| CohortCache::new(CACHE_CAPACITY, metrics))
        };
        let published = Arc::new(Published::default());
        let loader = Loader {
            store: store.clone(),
            cohorts: Arc::new(cohorts),
            cpu,
            metrics: Arc::clone(&metrics),
            slots: Arc::new(Semaphore::new(definitions_cache::LOADS_IN_FLIGHT)),
            snapshots: source.snapshots.clone(),
        };
        let readers = Arc::clone(&published);
        let definitions = supervised(
            &state,
            metrics.mailbox("definitions_cache", 0, CACHE_CAPACITY),
            move || DefinitionsCache::new(loader, readers, CACHE_CAPACITY),
        )
        .await;

        let io = arbiters.start();
        io.spawn(metrics.runtimes.watch(Runtime::Loaders, 0));
        let capacity = config.loader_capacity;
        let (its_store, its_metrics) = (store.clone(), Arc::clone(&metrics));
        let loader = supervised(
            &io,
            metrics.mailbox("person_loader", 0, capacity),
            move || PersonLoader::new(its_store, capacity, its_metrics),
        )
        .await;
        let (its_store, its_metrics) = (store.clone(), Arc::clone(&metrics));
        let writer = supervised(
            &io,
            metrics.mailbox("override_writer", 0, capacity),
            move || OverrideWriter::new(its_store, capacity, its_metrics),
        )
        .await;

        if let Some(snapshots) = source.snapshots.clone() {
            state.spawn(Writer::new(snapshots, store.clone(), Arc::clone(&metrics)).run());
        }
        let started = Arc::new(AtomicBool::new(false));
        let listener = ChangeListener {
            store,
            definitions: definitions.clone(),
            poll: config.poll,
            started: Arc::clone(&started),
            metrics: Arc::clone(&metrics),
            snapshots: source.snapshots,
        };
        state.spawn(listener.run(source.database));
        let arbiters = Arc::new(arbiters.handles);
        Ok(Self {
            published,
            definitions,
            loader,
            writer,
            admission,
            started,
            metrics,
            stale_after: config.poll * STALE_AFTER_POLLS + STALE_AFTER,
            arbiters,
        })
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
            .map_err(|Refused(_)| ProjectError::Unavailable)?;
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
            self.read(project, &request, needs).await
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
        let (done, was_done) = oneshot::channel();
        if self
            .definitions
            .post(Refresh {
                projects,
                done: Some(done),
            })
            .is_ok()
        {
            let _ = was_done.await;
        }
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

    /// Reads what the request needs, and stores hash keys where the rules ask for it.
    async fn read(
        &self,
        project: &ProjectSnapshot,
        request: &EvaluateRequest,
        needs: Needs,
    ) -> (FoundState, Read<HashMap<String, String>>) {
        if needs == Needs::default() {
            return (Read::NotNeeded, Read::NotNeeded);
        }
        let deadline = before(request.deadline);
        let lookup = lookup(project, &request.subject, needs);
        let mut found = match self.look_up(lookup.clone(), deadline).await {
            Ok(found) => found,
            Err(code) => {
                let state = if needs.state {
                    Read::Failed(code)
                } else {
                    Read::NotNeeded
                };
                let hash_keys = if needs.hash_keys {
                    Read::Failed(code)
                } else {
                    Read::NotNeeded
                };
                return (state, hash_keys);
            }
        };
        let hash_keys = if needs.hash_keys {
            let stored = std::mem::take(&mut found.hash_keys);
            self.hash_keys(project, request, lookup, stored, deadline)
                .await
        } else {
            Read::NotNeeded
        };
        (
            if needs.state {
                Read::Done(found)
            } else {
                Read::NotNeeded
            },
            hash_keys,
        )
    }

    async fn look_up(&self, lookup: Lookup, deadline: Instant) -> Result<Found, FailureCode> {
        let (reply, answer) = oneshot::channel();
        self.loader
            .post(Load {
                lookup,
                deadline,
                posted_at: Instant::now(),
                reply,
            })
            .map_err(|Refused(_)| FailureCode::NoMoreConnections)?;
        match timeout_at(deadline.into(), answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => {
                self.metrics.deadline_missed(Stage::LookUp);
                Err(FailureCode::Timeout)
            }
        }
    }

    /// Returns the hash keys that count, after storing those that must be.
    async fn hash_keys(
        &self,
        project: &ProjectSnapshot,
        request: &EvaluateRequest,
        lookup: Lookup,
        stored: burgee_schema::models::FoundHashKeys,
        deadline: Instant,
    ) -> Read<HashMap<String, String>> {
        let sticky = project.definitions.sticky_keys();
        let Some(anonymous_id) = lookup
            .anonymous_id
            .clone()
            .filter(|_| request.write_hash_keys)
        else {
            return Read::Done(continuity::merge(stored));
        };
        if !continuity::must_write(&stored, sticky) {
            return Read::Done(continuity::merge(stored));
        }
        let write = HashKeyWrite {
            project_id: project.id.0,
            distinct_id: lookup.distinct_id.clone(),
            anonymous_id,
            flag_keys: sticky.iter().map(|key| key.to_string()).collect(),
        };
        let (reply, answer) = oneshot::channel();
        let posted = self.writer.post(WriteHashKeys {
            write,
            deadline,
            reply,
        });
        let written =
            posted.is_ok() && matches!(timeout_at(deadline.into(), answer).await, Ok(Ok(Ok(()))));
        if !written {
            return Read::Failed(FailureCode::HashKeyOverrideError);
        }
        // Another request may have stored other keys first; what is stored is what counts.
        match self
            .look_up(
                Lookup {
                    state: false,
                    groups: Vec::new(),
                    ..lookup
                },
                deadline,
            )
            .await
        {
            Ok(found) => Read::Done(continuity::merge(found.hash_keys)),
            Err(code) => Read::Failed(code),
        }
    }
}

impl std::fmt::Debug for System {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("System")
            .field("started", &self.started())
            .finish_non_exhaustive()
    }
}

/// Returns when reading must be over, so that a fifth of the time that is left remains for evaluating.
fn before(deadline: Instant) -> Instant {
    let now = Instant::now();
    now + deadline.saturating_duration_since(now) * 4 / 5
}

fn lookup(project: &ProjectSnapshot, subject: &Subject, needs: Needs) -> Lookup {
    let types = project.definitions.group_types().as_ref().ok();
    let groups = subject.groups.iter().filter_map(|(name, key)| {
        let index = types?.index(name)?;
        Some((i16::from(index), key.clone()?))
    });
    Lookup {
        project_id: project.id.0,
        distinct_id: subject.distinct_id.clone(),
        anonymous_id: subject.anonymous_id.clone().filter(|_| needs.hash_keys),
        state: needs.state,
        groups: if needs.state {
            groups.collect()
        } else {
            Vec::new()
        },
        hash_keys: needs.hash_keys,
    }
}

/// The threads that actors live on. A thread ends when its arbiter is stopped.
#[derive(Default)]
struct Arbiters {
    handles: Vec<ArbiterHandle>,
}

impl Arbiters {
    fn start(&mut self) -> ArbiterHandle {
        let handle = Arbiter::new().handle();
        self.handles.push(handle.clone());
        handle
    }
}

async fn evaluators(
    config: &Config,
    cpu: &CpuPool,
    metrics: &Arc<Metrics>,
    arbiters: &mut Arbiters,
) -> Admission {
    let mut small = Vec::new();
    for instance in (0..).take(config.budget.small_evaluators) {
        let lane = evaluator::Lane::Inline;
        small.push(evaluator("evaluator_small", instance, lane, config, metrics, arbiters).await);
    }
    let mut large = Vec::new();
    for instance in (0..).take(config.budget.large_evaluators) {
        let lane = evaluator::Lane::Rayon {
            pool: cpu.clone(),
            slots: LARGE_SLOTS,
        };
        large.push(evaluator("evaluator_large", instance, lane, config, metrics, arbiters).await);
    }
    Admission {
        small: Lane::new(small),
        large: Lane::new(large),
        large_above_flags: config.large_above_flags,
    }
}

async fn evaluator(
    name: &'static str,
    instance: u32,
    lane: evaluator::Lane,
    config: &Config,
    metrics: &Arc<Metrics>,
    arbiters: &mut Arbiters,
) -> Mailbox<Evaluator> {
    let capacity = config.evaluator_capacity;
    let its_metrics = Arc::clone(metrics);
    let arbiter = arbiters.start();
    let runtime = match lane {
        evaluator::Lane::Inline => Runtime::SmallEvaluator,
        evaluator::Lane::Rayon { .. } => Runtime::LargeEvaluator,
    };
    arbiter.spawn(metrics.runtimes.watch(runtime, instance));
    supervised(
        &arbiter,
        metrics.mailbox(name, instance, capacity),
        move || Evaluator::new(lane, capacity, its_metrics),
    )
    .await
}

/// Starts a supervised actor on an arbiter and waits until its mailbox has its capacity.
async fn supervised<A>(
    arbiter: &ArbiterHandle,
    metrics: MailboxMetrics,
    make: impl FnOnce() -> A + Send + 'static,
) -> Mailbox<A>
where
    A: Actor<Context = Context<A>> + Supervised + Handler<Ping>,
    A::Context: ToEnvelope<A, Ping>,
{
    let mailbox = Mailbox::new(
        Supervisor::start_in_arbiter(arbiter, move |_| make()),
        metrics,
    );
    mailbox.ready().await;
    mailbox
}

#[cfg(test)]
mod tests;
