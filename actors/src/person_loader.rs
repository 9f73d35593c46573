//! The person loader: one batch of questions for all look-ups that wait at that moment, never one per request.
//!
//! It drains its mailbox, then flushes, without any artificial delay. At most [`BATCHES_IN_FLIGHT`] batches are with
//! the database; while they are, it takes no message, so that its mailbox is the brake.

use crate::convert::failure_code;
use crate::courier::Reply;
use crate::mailbox::{Posted, answers_ping};
use crate::metrics::Metrics;
use crate::service_time::ServiceTime;
use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Supervised, WrapFuture};
use burgee_evaluation::outcome::FailureCode;
use burgee_schema::models::{Found, Lookup};
use burgee_schema::{Store, chain};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Batches with the database at one time.
pub(crate) const BATCHES_IN_FLIGHT: usize = 2;
/// Look-ups in one batch.
const BATCH_SIZE: usize = 1_000;
/// No look-up is work for longer than this: what a batch takes beyond is waiting, for a database that is slow, not overloaded.
const MOST_PER_LOOKUP: Duration = Duration::from_micros(100);

/// What was found, or why nothing could be.
pub(crate) type Answer = Result<Found, FailureCode>;

/// Asks for what is stored about one request's person and groups.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) lookup: Lookup,
    pub(crate) deadline: Instant,
    pub(crate) posted_at: Instant,
    pub(crate) reply: Reply<Answer>,
}

/// The actor.
#[derive(Debug)]
pub(crate) struct PersonLoader {
    store: Store,
    capacity: usize,
    waiting: Vec<Load>,
    batches: Arc<Semaphore>,
    service: Arc<ServiceTime>,
    metrics: Arc<Metrics>,
}

impl PersonLoader {
    /// An actor that tells `service` how long look-ups take, each its part of a batch.
    pub(crate) fn new(
        store: Store,
        capacity: usize,
        service: Arc<ServiceTime>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            store,
            capacity,
            waiting: Vec::new(),
            batches: Arc::new(Semaphore::new(BATCHES_IN_FLIGHT)),
            service,
            metrics,
        }
    }

    /// Sends what waits to the database, and stops taking messages while no further batch may start.
    fn flush(&mut self, ctx: &mut Context<Self>) {
        if self.waiting.is_empty() {
            return;
        }
        let Ok(permit) = Arc::clone(&self.batches).try_acquire_owned() else {
            return self.wait_for_a_batch(ctx);
        };
        let batch = std::mem::take(&mut self.waiting);
        // A task of its own, because `ctx.wait` also holds up what the context has spawned, and on the threads that the
        // connections live on: from here each step would be a way to them and back.
        self.store.runtime().spawn(answer(
            batch,
            self.store.clone(),
            Arc::clone(&self.service),
            Arc::clone(&self.metrics),
            permit,
        ));
        if self.batches.available_permits() == 0 {
            self.wait_for_a_batch(ctx);
        }
    }

    fn wait_for_a_batch(&self, ctx: &mut Context<Self>) {
        let batches = Arc::clone(&self.batches);
        let batch_is_free = async move { drop(batches.acquire().await) };
        ctx.wait(
            batch_is_free
                .into_actor(self)
                .map(|(), loader, ctx| loader.flush(ctx)),
        );
    }
}

impl Actor for PersonLoader {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.capacity);
    }
}

impl Supervised for PersonLoader {
    fn restarting(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.capacity);
    }
}

answers_ping!(PersonLoader);

impl Handler<Posted<Load>> for PersonLoader {
    type Result = ();

    fn handle(&mut self, message: Posted<Load>, ctx: &mut Self::Context) {
        if self.waiting.is_empty() {
            // Polled when the mailbox is drained: that is the moment to flush.
            ctx.spawn(
                std::future::ready(())
                    .into_actor(self)
                    .map(|(), loader, ctx| loader.flush(ctx)),
            );
        }
        self.waiting.push(message.open());
        if self.waiting.len() >= BATCH_SIZE {
            self.flush(ctx);
        }
    }
}

/// Answers a batch: everybody who still waits gets what was found, or the code of what went wrong.
async fn answer(
    mut batch: Vec<Load>,
    store: Store,
    service: Arc<ServiceTime>,
    metrics: Arc<Metrics>,
    permit: OwnedSemaphorePermit,
) {
    let now = Instant::now();
    let all = batch.len();
    batch.retain(|load| !load.reply.is_closed() && load.deadline > now);
    metrics
        .lookups_late
        .inc_by(u64::try_from(all - batch.len()).unwrap_or(u64::MAX));
    if batch.is_empty() {
        return;
    }
    let mut lookups = Vec::with_capacity(batch.len());
    let mut replies = Vec::with_capacity(batch.len());
    for load in batch {
        metrics
            .loader_wait
            .observe(now.duration_since(load.posted_at).as_secs_f64());
        lookups.push(load.lookup);
        replies.push(load.reply);
    }
    metrics
        .loader_batch
        .observe(f64::from(u32::try_from(lookups.len()).unwrap_or(u32::MAX)));
    let result = store.look_up(&lookups).await;
    let took = now.elapsed();
    metrics.loader_query_time.observe(took.as_secs_f64());
    let each = took / u32::try_from(lookups.len()).unwrap_or(u32::MAX);
    service.record(each.min(MOST_PER_LOOKUP));
    drop(permit);
    match result {
        Ok(found) => {
            for (reply, found) in replies.into_iter().zip(found) {
                reply.send(Ok(found));
            }
        }
        Err(error) => {
            let code = failure_code(&error);
            metrics.count_failed_lookups(code, replies.len());
            tracing::warn!(
                error = chain(&error),
                lookups = replies.len(),
                "look-ups failed; the flags that need them are answered as failed"
            );
            for reply in replies {
                reply.send(Err(code));
            }
        }
    }
}

#[cfg(test)]
mod tests;
