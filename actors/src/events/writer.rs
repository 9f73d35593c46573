//! The event writer: one transaction at a time stores all events that wait at that moment (group commit).
//!
//! While a transaction is under way it takes no message, so that its mailbox, and the memory given to what waits, are the
//! brake. Whoever asked is told when the transaction was committed, and when what it changed counts for the next request.

#[cfg(test)]
mod tests;

use super::metrics::{Dropped, EventMetrics, Pending};
use crate::cohort_cache::{CatchUp, CohortCache};
use crate::definitions_cache::{DefinitionsCache, Refresh};
use crate::mailbox::{Mailbox, Posted, answers_ping};
use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Supervised, WrapFuture};
use burgee_evaluation::ProjectId;
use burgee_schema::models::{EventOutcome, EventWrite, WrittenEvents};
use burgee_schema::{Store, StoreError, chain};
use chrono::Utc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Events in one transaction; a few more when the last message brings them.
const BATCH: usize = 2_000;
/// The pause before events that nobody waits for are tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(250);
/// How often events that nobody waits for are tried alone before they are given up: a database that is there may still be
/// without its tables for a moment.
const MAX_TRIES: u32 = 20;
/// How long the caches may take to see what was stored before the answer is given all the same.
const CACHES_LIMIT: Duration = Duration::from_secs(1);
/// How long the repetition of an event is noticed, in seconds: longer than any SDK tries again.
const IDS_KEPT_SECONDS: i64 = 6 * 60 * 60;
/// How often those that are older are forgotten.
const TRIM_EACH: Duration = Duration::from_secs(60);

/// Asks for events to be stored.
#[derive(Debug)]
pub(super) struct WriteEvents {
    pub(super) events: Vec<EventWrite>,
    /// When nobody waits any more; `None` for events that must be stored whenever it can be.
    pub(super) deadline: Option<Instant>,
    /// Told whether they are stored.
    pub(super) reply: Option<oneshot::Sender<bool>>,
    pub(super) pending: Pending,
    /// How often it was tried alone.
    pub(super) tries: u32,
    /// The memory they take, until they are gone.
    pub(super) _room: OwnedSemaphorePermit,
}

/// Asks to be told when everything before it is stored.
#[derive(Debug)]
pub(super) struct FlushEvents {
    /// Dropped then.
    pub(super) done: oneshot::Sender<()>,
}

/// The actor.
pub(crate) struct EventWriter {
    store: Store,
    caches: Caches,
    capacity: usize,
    waiting: Vec<WriteEvents>,
    waiting_events: usize,
    flushes: Vec<oneshot::Sender<()>>,
    transaction: Arc<Semaphore>,
    metrics: Arc<EventMetrics>,
}

/// Those who hold in memory what events may change.
#[derive(Clone)]
pub(crate) struct Caches {
    pub(crate) cohorts: Mailbox<CohortCache>,
    pub(crate) definitions: Mailbox<DefinitionsCache>,
}

impl EventWriter {
    pub(crate) fn new(
        store: Store,
        caches: Caches,
        capacity: usize,
        metrics: Arc<EventMetrics>,
    ) -> Self {
        Self {
            store,
            caches,
            capacity,
            waiting: Vec::new(),
            waiting_events: 0,
            flushes: Vec::new(),
            transaction: Arc::new(Semaphore::new(1)),
            metrics,
        }
    }

    fn begin(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(self.capacity);
        ctx.run_interval(TRIM_EACH, |writer, _| {
            actix_rt::spawn(trim(writer.store.clone(), Arc::clone(&writer.metrics)));
        });
    }

    /// Flushes when the mailbox is drained.
    fn flush_soon(&self, ctx: &mut Context<Self>) {
        ctx.spawn(
            std::future::ready(())
                .into_actor(self)
                .map(|(), writer, ctx| writer.flush(ctx)),
        );
    }

    /// Stores what waits, and takes no message until that is done.
    fn flush(&mut self, ctx: &mut Context<Self>) {
        if self.waiting.is_empty() {
            self.flushes.clear();
            return;
        }
        if let Ok(permit) = Arc::clone(&self.transaction).try_acquire_owned() {
            let work = Work {
                batch: std::mem::take(&mut self.waiting),
                flushes: std::mem::take(&mut self.flushes),
                store: self.store.clone(),
                caches: self.caches.clone(),
                metrics: Arc::clone(&self.metrics),
                _permit: permit,
            };
            self.waiting_events = 0;
            // A task of its own, because `ctx.wait` also holds up what the context has spawned.
            actix_rt::spawn(work.run());
        }
        let transaction = Arc::clone(&self.transaction);
        let done = async move { drop(transaction.acquire().await) };
        ctx.wait(
            done.into_actor(self)
                .map(|(), writer, ctx| writer.flush(ctx)),
        );
    }
}

impl Actor for EventWriter {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.begin(ctx);
    }
}

impl Supervised for EventWriter {
    fn restarting(&mut self, ctx: &mut Self::Context) {
        self.begin(ctx);
        self.flush_soon(ctx);
    }
}

answers_ping!(EventWriter);

impl Handler<Posted<WriteEvents>> for EventWriter {
    type Result = ();

    fn handle(&mut self, message: Posted<WriteEvents>, ctx: &mut Self::Context) {
        let message = message.open();
        if self.waiting.is_empty() {
            self.flush_soon(ctx);
        }
        self.waiting_events += message.events.len();
        self.waiting.push(message);
        if self.waiting_events >= BATCH {
            self.flush(ctx);
        }
    }
}

impl Handler<Posted<FlushEvents>> for EventWriter {
    type Result = ();

    fn handle(&mut self, message: Posted<FlushEvents>, ctx: &mut Self::Context) {
        // No transaction is under way when a message is handled: whatever came before waits here, or is stored.
        self.flushes.push(message.open().done);
        self.flush_soon(ctx);
    }
}

/// One round: a transaction, or as many as it takes.
struct Work {
    batch: Vec<WriteEvents>,
    /// Dropped at the end.
    flushes: Vec<oneshot::Sender<()>>,
    store: Store,
    caches: Caches,
    metrics: Arc<EventMetrics>,
    _permit: OwnedSemaphorePermit,
}

impl Work {
    async fn run(mut self) {
        self.batch.retain_mut(is_awaited);
        while !self.batch.is_empty() {
            let events = self.batch.iter().flat_map(|message| &message.events);
            let events: Arc<Vec<EventWrite>> = Arc::new(events.cloned().collect());
            match self.commit(&events).await {
                Ok(outcomes) => {
                    let batch = std::mem::take(&mut self.batch);
                    settle(batch, outcomes);
                }
                Err(error) => self.failed(&error).await,
            }
        }
        drop(self.flushes);
    }

    /// Stores events in one transaction, and has the caches see what it changed.
    async fn commit(&self, events: &Arc<Vec<EventWrite>>) -> Result<Vec<EventOutcome>, StoreError> {
        let began = Instant::now();
        let size = u32::try_from(events.len()).unwrap_or(u32::MAX);
        self.metrics.batch.observe(f64::from(size));
        let written = self
            .store
            .write_events(events, Utc::now().timestamp_micros())
            .await;
        let took = began.elapsed().as_secs_f64();
        self.metrics.transaction_time.observe(took);
        let written = written.inspect_err(|_| {
            self.metrics.transactions_failed.inc();
        })?;
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        self.metrics.persons_written.inc_by(count(written.persons));
        self.metrics.persons_merged.inc_by(count(written.merged));
        self.metrics.groups_written.inc_by(count(written.groups));
        self.caches.see(&written).await;
        Ok(written.outcomes)
    }

    /// Goes on after a failed transaction: alone, when one of the messages may be to blame; later, when nobody waits; not
    /// at all otherwise.
    async fn failed(&mut self, error: &StoreError) {
        let may_be_to_blame = matches!(error, StoreError::Query(_));
        tracing::warn!(
            error = chain(error),
            messages = self.batch.len(),
            "events could not be stored"
        );
        if may_be_to_blame {
            self.each_alone().await;
        } else {
            self.keep_those_that_wait();
        }
        if !self.batch.is_empty() {
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    /// Gives those up of whom somebody wants to know, and keeps the others.
    fn keep_those_that_wait(&mut self) {
        self.batch.retain_mut(|message| {
            let is_kept = message.reply.is_none();
            if !is_kept {
                message.pending.drop_rest(Dropped::Failed);
            }
            is_kept
        });
    }

    /// Stores each message in a transaction of its own, so that one that cannot be stored takes no other with it.
    async fn each_alone(&mut self) {
        let mut left = Vec::new();
        for mut message in std::mem::take(&mut self.batch) {
            let events = Arc::new(message.events.clone());
            match self.commit(&events).await {
                Ok(outcomes) => settle(vec![message], outcomes),
                Err(StoreError::Query(_))
                    if message.reply.is_none() && message.tries < MAX_TRIES =>
                {
                    message.tries += 1;
                    left.push(message);
                }
                Err(StoreError::Query(error)) => {
                    tracing::error!(
                        error = chain(&*error),
                        events = message.events.len(),
                        "events cannot be stored and are given up"
                    );
                }
                Err(_) => left.push(message),
            }
        }
        // Those went wrong for another reason, which the next round meets again.
        self.batch = left;
    }
}

/// Whether somebody waits for a message in time, or nobody has to.
fn is_awaited(message: &mut WriteEvents) -> bool {
    let is_late = message
        .deadline
        .is_some_and(|deadline| deadline <= Instant::now());
    let is_gone = message
        .reply
        .as_ref()
        .is_some_and(oneshot::Sender::is_closed);
    if is_late || is_gone {
        message.pending.drop_rest(Dropped::Late);
    }
    !is_late && !is_gone
}

/// Counts what came of messages, and tells those who wait.
fn settle(batch: Vec<WriteEvents>, outcomes: Vec<EventOutcome>) {
    let mut outcomes = outcomes.into_iter();
    for mut message in batch {
        for outcome in outcomes.by_ref().take(message.events.len()) {
            match outcome {
                EventOutcome::Written => message.pending.written(1),
                EventOutcome::Repeated => message.pending.dropped(Dropped::Repeated, 1),
                EventOutcome::NoGroupType => message.pending.dropped(Dropped::NoGroupType, 1),
            }
        }
        if let Some(reply) = message.reply {
            let _ = reply.send(true);
        }
    }
}

impl Caches {
    /// Waits until the caches have seen what was stored, so that the next request here does.
    async fn see(&self, written: &WrittenEvents) {
        let mut waits = Vec::new();
        if written.memberships_changed {
            let (done, seen) = oneshot::channel();
            // A refused message drops its sender, which ends the wait; the changes table tells them in any case.
            let _ = self.cohorts.post(CatchUp { done: Some(done) });
            waits.push(seen);
        }
        if !written.projects_changed.is_empty() {
            let (done, seen) = oneshot::channel();
            let projects = written.projects_changed.iter().map(|id| ProjectId(*id));
            let _ = self.definitions.post(Refresh {
                projects: projects.collect(),
                done: Some(done),
            });
            waits.push(seen);
        }
        let all = async {
            for seen in waits {
                let _ = seen.await;
            }
        };
        let _ = tokio::time::timeout(CACHES_LIMIT, all).await;
    }
}

/// Forgets events that are old, a few thousand at a time.
async fn trim(store: Store, metrics: Arc<EventMetrics>) {
    let before = Utc::now().timestamp() - IDS_KEPT_SECONDS;
    let end = Instant::now() + TRIM_EACH / 2;
    while Instant::now() < end {
        match store.forget_events(before).await {
            Ok(0) => return,
            Ok(forgotten) => {
                let forgotten = u64::try_from(forgotten).unwrap_or(u64::MAX);
                metrics.ids_forgotten.inc_by(forgotten);
            }
            Err(error) => {
                tracing::warn!(error = chain(&error), "old events could not be forgotten");
                return;
            }
        }
    }
}
