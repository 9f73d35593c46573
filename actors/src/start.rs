//! Starts the actors: each on a thread of its own, or on one of the two that the caches and the database's actors share.

use crate::admission::{Admission, Lane};
use crate::change_listener::ChangeListener;
use crate::cohort_cache::{CohortCache, MemberSource};
use crate::cpu_pool::CpuPool;
use crate::definitions_cache::{self, DefinitionsCache, Loader, Published};
use crate::evaluator;
use crate::events::{self, Caches, CallCounter, EventWriter, Intake};
use crate::keys::KeysRevision;
use crate::mailbox::{Mailbox, Ping};
use crate::metrics::{MailboxMetrics, Metrics};
use crate::news::News;
use crate::override_writer::OverrideWriter;
use crate::person_loader::PersonLoader;
use crate::reader::Reader;
use crate::runtimes::Runtime;
use crate::seat::{Seat, SeatPlan};
use crate::service_time::{Calibration, ServiceTime};
use crate::shares::Shares;
use crate::snapshot::Writer;
use crate::standing_queue::{StandingLimit, StandingQueue};
use crate::system::{Config, Source, StartError, System};
use actix::dev::ToEnvelope;
use actix::{Actor, Context, Handler, Supervised, Supervisor};
use actix_rt::{Arbiter, ArbiterHandle};
use burgee_schema::Store;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc, watch};

/// Messages the caches take before they refuse.
const CACHE_CAPACITY: usize = 1_024;
/// Definitions are stale when they were not known to be current for so many polls, and this.
const STALE_AFTER_POLLS: u32 = 3;
const STALE_AFTER: Duration = Duration::from_secs(5);

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
        let members = Arc::new(store.clone());
        Self::start_with(source, config, store, members, metrics).await
    }

    /// The same, with the members of static cohorts from elsewhere than the rest.
    pub(crate) async fn start_with(
        source: Source,
        config: &Config,
        store: Store,
        members: Arc<dyn MemberSource>,
        metrics: Metrics,
    ) -> Result<Self, StartError> {
        let metrics = Arc::new(metrics);
        let cpu = CpuPool::new(config.budget.rayon)?;
        let mut arbiters = Arbiters::default();
        let watch = |runtime| metrics.runtimes.watch(runtime, 0);
        store.runtime().spawn(watch(Runtime::Database));
        let calibration = Arc::new(Calibration::new());
        let standing_limit = StandingLimit::new(config.standing_limit);
        let plans = Plans {
            config,
            standing_limit: &standing_limit,
            metrics: &metrics,
            calibration: &calibration,
        };
        let admission = plans.seat_all(&cpu, &mut arbiters).await;
        let worker_seats = config
            .evaluators_at_workers
            .then(|| Arc::new(plans.at_workers()));

        let state = arbiters.start();
        state.spawn(watch(Runtime::Caches));
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
            snapshots: source.snapshots.clone(),
        };
        let news = Arc::new(News::default());
        let (readers, followers) = (Arc::clone(&published), Arc::clone(&news));
        let definitions = supervised(
            &state,
            metrics.mailbox("definitions_cache", 0, CACHE_CAPACITY),
            move || DefinitionsCache::new(loader, readers, followers, CACHE_CAPACITY),
        )
        .await;

        let io = arbiters.start();
        io.spawn(watch(Runtime::Loaders));
        let capacity = config.loader_capacity;
        let service = Arc::new(ServiceTime::default());
        let (its_store, its_metrics) = (store.clone(), Arc::clone(&metrics));
        let its_service = Arc::clone(&service);
        let loader = supervised(
            &io,
            metrics.mailbox("person_loader", 0, capacity),
            move || PersonLoader::new(its_store, capacity, its_service, its_metrics),
        )
        .await;
        let (its_store, its_metrics) = (store.clone(), Arc::clone(&metrics));
        let writer = supervised(
            &io,
            metrics.mailbox("override_writer", 0, capacity),
            move || OverrideWriter::new(its_store, capacity, its_metrics),
        )
        .await;

        let caches = Caches {
            cohorts: cohorts.clone(),
            definitions: definitions.clone(),
        };
        let events = start_events(&io, config, &store, caches, &metrics).await;

        let snapshot_flushes = source.snapshots.clone().map(|snapshots| {
            let (flushes, asked) = mpsc::channel(1);
            let writer = Writer::new(snapshots, store.clone(), Arc::clone(&metrics));
            state.spawn(writer.run(asked));
            flushes
        });
        let (has_started, started) = watch::channel(false);
        let keys = KeysRevision::default();
        let listener = ChangeListener {
            store,
            definitions: definitions.clone(),
            cohorts: cohorts.clone(),
            keys: keys.clone(),
            poll: config.poll,
            started: has_started,
            metrics: Arc::clone(&metrics),
            snapshots: source.snapshots,
        };
        state.spawn(listener.run(source.database));
        let arbiters = Arc::new(arbiters.handles);
        let reader = Reader {
            loader,
            writer,
            cohorts: cohorts.clone(),
            courier: None,
            shares: Shares::new(capacity),
            service,
            standing: Arc::new(StandingQueue::new(&standing_limit, Instant::now())),
            metrics: Arc::clone(&metrics),
        };
        Ok(Self {
            published,
            news,
            definitions,
            cohorts,
            reader,
            keys,
            events,
            admission,
            worker_seats,
            worker: None,
            standing_limit,
            requests: Shares::new(0),
            started,
            snapshot_flushes,
            metrics,
            stale_after: config.poll * STALE_AFTER_POLLS + STALE_AFTER,
            arbiters,
        })
    }
}

/// Starts the event writer and the counter of calls.
async fn start_events(
    io: &ArbiterHandle,
    config: &Config,
    store: &Store,
    caches: Caches,
    metrics: &Arc<Metrics>,
) -> Intake {
    let capacity = events::WRITER_CAPACITY;
    let (its_store, its_metrics) = (store.clone(), Arc::clone(&metrics.events));
    let writer = supervised(
        io,
        metrics.mailbox("event_writer", 0, capacity),
        move || EventWriter::new(its_store, caches, capacity, its_metrics),
    )
    .await;
    let capacity = events::CALLS_CAPACITY;
    let (its_store, its_metrics) = (store.clone(), Arc::clone(&metrics.events));
    let calls = supervised(
        io,
        metrics.mailbox("call_counter", 0, capacity),
        move || CallCounter::new(its_store, capacity, its_metrics),
    )
    .await;
    Intake::new(writer, calls, &config.events, Arc::clone(&metrics.events))
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

/// How every evaluator is started.
struct Plans<'a> {
    config: &'a Config,
    standing_limit: &'a StandingLimit,
    metrics: &'a Arc<Metrics>,
    calibration: &'a Arc<Calibration>,
}

impl Plans<'_> {
    /// Starts the shared evaluators of both lanes.
    async fn seat_all(&self, cpu: &CpuPool, arbiters: &mut Arbiters) -> Admission {
        let budget = self.config.budget;
        let mut small = Vec::new();
        for instance in (0..).take(budget.small_evaluators) {
            let plan = self.plan("evaluator_small", instance, evaluator::Lane::Inline);
            let arbiter = self.arbiter(arbiters, Runtime::SmallEvaluator, instance);
            small.push(Seat::start(plan, arbiter));
        }
        // One batch more than there are threads for, so that no thread waits for the next one to be handed over.
        let slots = budget.rayon / budget.large_evaluators.max(1) + 1;
        let mut large = Vec::new();
        for instance in (0..).take(budget.large_evaluators) {
            let pool = cpu.clone();
            let plan = self.plan(
                "evaluator_large",
                instance,
                evaluator::Lane::Rayon { pool, slots },
            );
            let arbiter = self.arbiter(arbiters, Runtime::LargeEvaluator, instance);
            large.push(Seat::start(plan, arbiter));
        }
        for seat in small.iter().chain(&large) {
            seat.ready().await;
        }
        let capacity = self.config.evaluator_capacity;
        let workers = if self.config.evaluators_at_workers {
            budget.http_workers
        } else {
            0
        };
        let small_room = (small.len() + workers) * capacity;
        let large_room = large.len() * capacity;
        Admission::new(
            Lane::new(small, small_room),
            Lane::new(large, large_room),
            self.config.large_above,
            Arc::clone(self.calibration),
            Arc::clone(self.metrics),
        )
    }

    /// Starts a thread for an evaluator, and something that watches it.
    fn arbiter(&self, arbiters: &mut Arbiters, runtime: Runtime, instance: u32) -> ArbiterHandle {
        let arbiter = arbiters.start();
        arbiter.spawn(self.metrics.runtimes.watch(runtime, instance));
        arbiter
    }

    fn plan(&self, name: &'static str, instance: u32, lane: evaluator::Lane) -> SeatPlan {
        let capacity = self.config.evaluator_capacity;
        SeatPlan {
            lane,
            capacity,
            standing_limit: self.standing_limit.clone(),
            calibration: Arc::clone(self.calibration),
            metrics: Arc::clone(self.metrics),
            mailbox: self.metrics.mailbox(name, instance, capacity),
        }
    }

    fn at_workers(&self) -> WorkerSeats {
        WorkerSeats {
            capacity: self.config.evaluator_capacity,
            standing_limit: self.standing_limit.clone(),
            calibration: Arc::clone(self.calibration),
            metrics: Arc::clone(self.metrics),
            seated: AtomicU32::new(0),
        }
    }
}

/// How to seat an evaluator at an HTTP worker.
pub(crate) struct WorkerSeats {
    capacity: usize,
    standing_limit: StandingLimit,
    calibration: Arc<Calibration>,
    metrics: Arc<Metrics>,
    seated: AtomicU32,
}

impl WorkerSeats {
    pub(crate) fn plan(&self) -> SeatPlan {
        let instance = self.seated.fetch_add(1, Ordering::Relaxed);
        SeatPlan {
            lane: evaluator::Lane::Inline,
            capacity: self.capacity,
            standing_limit: self.standing_limit.clone(),
            calibration: Arc::clone(&self.calibration),
            metrics: Arc::clone(&self.metrics),
            mailbox: self
                .metrics
                .mailbox("evaluator_worker", instance, self.capacity),
        }
    }
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
