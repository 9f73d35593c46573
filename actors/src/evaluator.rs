//! The evaluators: a fixed set of actors, each fed only by its bounded mailbox.
//!
//! A small evaluator works inline on its own thread. A large one hands its work to the rayon pool, keeps a fixed number
//! of batches there, and takes the next message only when a slot is free, so that the depth of its mailbox is a true
//! measure of waiting work. Neither does I/O.

use crate::convert;
use crate::courier::Reply;
use crate::cpu_pool::{CpuPool, WithinPool};
use crate::mailbox::{Posted, answers_ping};
use crate::metrics::{BatchInFlight, Metrics};
use crate::service_time::{Calibration, ServiceTime};
use crate::shares::Place;
use crate::system::ProjectSnapshot;
use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Supervised, WrapFuture,
};
use burgee_evaluation::outcome::FailureCode;
use burgee_evaluation::subject::{Read, StoredState};
use burgee_evaluation::{
    Evaluations, Moment, PART_NS, Selection, Stored, Subject, evaluate, evaluate_split,
};
use burgee_schema::models::Found;
use prometheus_client::metrics::gauge::Gauge;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Semaphore;

/// What became of reading person and groups.
pub(crate) type FoundState = Read<Found>;

/// A whole request's evaluation, inputs gathered.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) project: Arc<ProjectSnapshot>,
    pub(crate) selection: Selection,
    pub(crate) subject: Subject,
    /// As the database gave it: its JSON is parsed here, on the evaluator's thread.
    pub(crate) state: FoundState,
    pub(crate) hash_keys: Read<HashMap<String, String>>,
    pub(crate) moment: Moment,
}

/// Asks an evaluator for an answer.
#[derive(Debug)]
pub(crate) struct Evaluate {
    /// Boxed, so that passing the message on copies little.
    pub(crate) work: Box<Work>,
    pub(crate) deadline: Instant,
    pub(crate) posted_at: Instant,
    pub(crate) reply: Reply<Evaluations>,
    /// The project's place in the lane, given back when the work is done or dropped.
    pub(crate) place: Place,
}

/// Where an evaluator does its work.
#[derive(Debug, Clone)]
pub(crate) enum Lane {
    /// On its own thread.
    Inline,
    /// On the rayon pool, with at most this many batches in flight.
    Rayon { pool: CpuPool, slots: usize },
}

impl Lane {
    /// Returns its name in metrics.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Inline => "small",
            Self::Rayon { .. } => "large",
        }
    }

    /// Returns how many batches one evaluator has in flight at most.
    pub(crate) fn parallel(&self) -> usize {
        match self {
            Self::Inline => 1,
            Self::Rayon { slots, .. } => *slots,
        }
    }
}

/// The actor.
#[derive(Debug)]
pub(crate) struct Evaluator {
    lane: Lane,
    capacity: usize,
    free_slots: Arc<Semaphore>,
    learned: Learned,
    in_flight: Gauge,
    metrics: Arc<Metrics>,
}

/// What evaluating teaches admission.
#[derive(Debug, Clone)]
struct Learned {
    service: Arc<ServiceTime>,
    calibration: Arc<Calibration>,
}

impl Evaluator {
    pub(crate) fn new(
        lane: Lane,
        capacity: usize,
        service: Arc<ServiceTime>,
        calibration: Arc<Calibration>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            free_slots: Arc::new(Semaphore::new(lane.parallel())),
            in_flight: metrics.lane(lane.name()),
            lane,
            capacity,
            learned: Learned {
                service,
                calibration,
            },
            metrics,
        }
    }
}

impl Actor for Evaluator {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.capacity);
    }
}

impl Supervised for Evaluator {
    fn restarting(&mut self, ctx: &mut Self::Context) {
        // A restarted context has actix's default capacity again.
        ctx.set_mailbox_capacity(self.capacity);
    }
}

answers_ping!(Evaluator);

impl Handler<Posted<Evaluate>> for Evaluator {
    type Result = ();

    fn handle(&mut self, message: Posted<Evaluate>, ctx: &mut Self::Context) {
        let message = message.open();
        #[cfg(test)]
        if message.work.subject.distinct_id == tests::DIE {
            panic!("planned death");
        }
        self.metrics
            .evaluator_wait
            .observe(message.posted_at.elapsed().as_secs_f64());
        if !message.wanted(&self.metrics) {
            return;
        }
        match &self.lane {
            Lane::Inline => {
                let _in_flight = BatchInFlight::begin(&self.in_flight);
                if message.run(Threads::One, &self.learned, &self.metrics) == Ran::Panicked {
                    // The state may be half-changed: the supervisor restarts this actor and keeps its queue.
                    ctx.stop();
                }
            }
            Lane::Rayon { pool, .. } => {
                let (learned, metrics) = (self.learned.clone(), Arc::clone(&self.metrics));
                let in_flight = BatchInFlight::begin(&self.in_flight);
                // Only this actor takes slots, and it waits below until one is free.
                let slot = Arc::clone(&self.free_slots).try_acquire_owned().ok();
                let threads = message.work.threads(pool, &self.in_flight);
                pool.spawn(move || {
                    if message.wanted(&metrics) {
                        message.run(threads, &learned, &metrics);
                    }
                    drop((in_flight, slot));
                });
                if self.free_slots.available_permits() == 0 {
                    let free_slots = Arc::clone(&self.free_slots);
                    let slot_is_free = async move { drop(free_slots.acquire().await) };
                    ctx.wait(slot_is_free.into_actor(self).map(|(), _, _| ()));
                }
            }
        }
    }
}

/// Which threads of the pool a batch may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Threads {
    One,
    Idle,
}

#[derive(Debug, PartialEq, Eq)]
enum Ran {
    Answered,
    Panicked,
}

impl Evaluate {
    /// Returns whether anybody still waits for the answer; work that nobody wants is counted and dropped.
    fn wanted(&self, metrics: &Metrics) -> bool {
        if self.reply.is_closed() {
            metrics.evaluations_abandoned.inc();
            return false;
        }
        if self.deadline <= Instant::now() {
            metrics.evaluations_late.inc();
            return false;
        }
        true
    }

    /// Evaluates and answers. A panic fails the flags of this request alone.
    fn run(self, threads: Threads, learned: &Learned, metrics: &Metrics) -> Ran {
        let started_at = Instant::now();
        let Self {
            mut work,
            reply,
            place,
            posted_at,
            ..
        } = self;
        let waited = started_at.saturating_duration_since(posted_at);
        learned.service.began(started_at, waited);
        let result = catch_unwind(AssertUnwindSafe(|| work.evaluate(threads)));
        let took = started_at.elapsed();
        metrics.evaluation_time.observe(took.as_secs_f64());
        learned.service.record(took);
        if threads == Threads::Idle {
            metrics.evaluations_split.inc();
        } else {
            learned.calibration.record(work.selection.cost_ns(), took);
        }
        drop(place);
        let (evaluations, ran) = match result {
            Ok(evaluations) => (evaluations, Ran::Answered),
            Err(_) => {
                metrics.panics.inc();
                tracing::error!(project = %work.project.id, "evaluating a request panicked; its flags failed");
                let failed = Evaluations::all_failed(
                    &work.project.definitions,
                    &work.selection,
                    FailureCode::BatchEvaluationPanicked,
                );
                (failed, Ran::Panicked)
            }
        };
        metrics.count_outcomes(&evaluations);
        reply.send(evaluations);
        ran
    }
}

impl Work {
    /// Decides whether stages of this batch may be split. While other batches are under way none is: each has its thread, and one that
    /// waits for its other half would do the work of others first.
    fn threads(&self, pool: &CpuPool, in_flight: &Gauge) -> Threads {
        let pays = self.selection.cost_ns() >= 2 * PART_NS;
        if pays && in_flight.get() <= 1 && pool.has_more_than_one() {
            Threads::Idle
        } else {
            Threads::One
        }
    }

    fn evaluate(&mut self, threads: Threads) -> Evaluations {
        #[cfg(test)]
        if self.subject.distinct_id == tests::PANIC {
            panic!("planned");
        }
        let stored = Stored {
            state: self.parse_state(),
            hash_keys: std::mem::replace(&mut self.hash_keys, Read::NotNeeded),
        };
        let definitions = &self.project.definitions;
        let (cohorts, selection) = (&self.project.cohorts, &self.selection);
        let (subject, moment) = (&self.subject, &self.moment);
        match threads {
            Threads::One => evaluate(definitions, cohorts, selection, subject, &stored, moment),
            Threads::Idle => evaluate_split(
                definitions,
                cohorts,
                selection,
                subject,
                &stored,
                moment,
                &WithinPool,
                PART_NS,
            ),
        }
    }

    fn parse_state(&mut self) -> Read<StoredState> {
        match std::mem::replace(&mut self.state, Read::NotNeeded) {
            Read::NotNeeded => Read::NotNeeded,
            Read::Failed(code) => Read::Failed(code),
            Read::Done(found) => convert::stored_state(found).map_or_else(
                |error| {
                    // The error names a line and a column, nothing of the text.
                    tracing::error!(project = %self.project.id, %error, "stored properties are no JSON object");
                    Read::Failed(FailureCode::DatabaseError)
                },
                Read::Done,
            ),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
