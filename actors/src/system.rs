//! The handle to all actors, and a request's way through them.

use crate::admission::{Admission, Lane};
use crate::budget::Budget;
use crate::change_listener::ChangeListener;
use crate::cohort_cache::{CatchUp, CohortCache, MemberSource};
use crate::continuity;
use crate::cpu_pool::CpuPool;
use crate::definitions_cache::{self, DefinitionsCache, FindProject, Loader, Published, Refresh};
use crate::evaluator::{self, Evaluator, FoundState, Work};
use crate::mailbox::{Mailbox, Ping, Refused};
use crate::metrics::{MailboxMetrics, Metrics};
use crate::override_writer::{OverrideWriter, WriteHashKeys};
use crate::person_loader::{Load, PersonLoader};
use crate::static_members::StaticMembers;
use crate::{EvaluateError, ProjectError};
use actix::dev::ToEnvelope;
use actix::{Actor, Context, Handler, Supervised, Supervisor};
use actix_rt::{Arbiter, ArbiterHandle};
use burgee_evaluation::outcome::FailureCode;
use burgee_evaluation::subject::Read;
use burgee_evaluation::{
    CohortSet, Definitions, Evaluations, MatchingVersion, Moment, Needs, ProjectId, Selection,
    Selector, Subject,
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
    /// Memory for the members of static cohorts, in bytes. What does not fit is asked of the database.
    pub cohort_cache_bytes: usize,
}

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
    cohorts: Mailbox<CohortCache>,
    loader: Mailbox<PersonLoader>,
    writer: Mailbox<OverrideWriter>,
    admission: Admission,
    started: Arc<AtomicBool>,
    metrics: Arc<Metrics>,
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
        let members = Arc::new(store.clone());
        Self::start_with(config, store, members, metrics).await
    }

    async fn start_with(
        config: &Config,
        store: Store,
        members: Arc<dyn MemberSource>,
        metrics: Metrics,
    ) -> Result<Self, StartError> {
        let metrics = Arc::new(metrics);
        let cpu = CpuPool::new(config.budget.rayon)?;
        let mut arbiters = Arbiters::default();
        let admission = evaluators(config, &cpu, &metrics, &mut arbiters).await;

        let state = arbiters.start();
        let (limit, its_metrics) = (config.cohort_cache_bytes, Arc::clone(&metrics));
        let cohorts = supervised(
            &state,
            metrics.mailbox("cohort_cache", 0, CACHE_CAPACITY),
            move || CohortCache::new(members, limit, CACHE_CAPACITY, its_metrics),
        )
        .await;
        let published = Arc::new(Published::default());
        let loader = Loader {
            store: store.clone(),
            cohorts: cohorts.address(),
            cpu,
            metrics: Arc::clone(&metrics),
            slots: Arc::new(Semaphore::new(definitions_cache::LOADS_IN_FLIGHT)),
        };
        let readers = Arc::clone(&published);
        let definitions = supervised(
            &state,
            metrics.mailbox("definitions_cache", 0, CACHE_CAPACITY),
            move || DefinitionsCache::new(loader, readers, CACHE_CAPACITY),
        )
        .await;

        let io = arbiters.start();
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

        let started = Arc::new(AtomicBool::new(false));
        let listener = ChangeListener {
            store,
            definitions: definitions.clone(),
            cohorts: cohorts.clone(),
            poll: config.poll,
            started: Arc::clone(&started),
            metrics: Arc::clone(&metrics),
        };
        state.spawn(listener.run());
        let arbiters = Arc::new(arbiters.handles);
        Ok(Self {
            published,
            definitions,
            cohorts,
            loader,
            writer,
            admission,
            started,
            metrics,
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
            Err(_) => return Err(ProjectError::TimedOut),
        };
        if found.is_none() {
            self.metrics.unknown_tokens.inc();
        }
        Ok(found)
    }

    /// Evaluates: selects, reads what is needed, waits for an evaluator, all within the deadline.
    pub async fn evaluate(
        &self,
        project: &Arc<ProjectSnapshot>,
        request: EvaluateRequest,
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
        let (state, hash_keys) = self.read(project, &selection, &request, needs).await;
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
        self.admission.evaluate(work, request.deadline).await
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
        if self.started() {
            Readiness::Ready
        } else {
            Readiness::NotReady("the definitions have not been loaded yet".into())
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
        selection: &Selection,
        request: &EvaluateRequest,
        needs: Needs,
    ) -> (FoundState, Read<HashMap<String, String>>) {
        if needs == Needs::default() {
            return (Read::NotNeeded, Read::NotNeeded);
        }
        let deadline = before(request.deadline);
        let lookup = lookup(project, &request.subject, needs);
        let found = self.look_up_state(project, selection, &lookup, deadline);
        let mut found = match found.await {
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

    /// Looks up, with the static cohorts from memory when those that matter are held.
    async fn look_up_state(
        &self,
        project: &ProjectSnapshot,
        selection: &Selection,
        lookup: &Lookup,
        deadline: Instant,
    ) -> Result<Found, FailureCode> {
        if !lookup.state {
            return self.look_up(lookup.clone(), deadline).await;
        }
        let reached = project.static_members.reached_by(selection);
        let memberships = reached.must_be_read(&self.cohorts, &self.metrics);
        let with = |memberships| Lookup {
            memberships,
            ..lookup.clone()
        };
        let mut found = self.look_up(with(memberships), deadline).await?;
        if memberships || reached.fill(&mut found) {
            return Ok(found);
        }
        self.look_up(with(true), deadline).await
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
            Ok(Err(_)) | Err(_) => Err(FailureCode::Timeout),
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
        memberships: false,
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
    supervised(
        &arbiters.start(),
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
