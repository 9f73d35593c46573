//! The hash-key writer: stores the hash keys of experience continuity (evaluation section 5.7).
//!
//! One transaction at a time holds all writes that wait at that moment. Whoever asked reads again afterwards.

use crate::courier::Reply;
use crate::mailbox::{Posted, answers_ping};
use crate::metrics::Metrics;
use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Supervised, WrapFuture};
use burgee_schema::models::HashKeyWrite;
use burgee_schema::{Store, chain};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Writes in one transaction.
const BATCH_SIZE: usize = 500;

/// Asks for hash keys to be stored.
#[derive(Debug)]
pub(crate) struct WriteHashKeys {
    pub(crate) write: HashKeyWrite,
    pub(crate) deadline: Instant,
    pub(crate) reply: Reply<Result<(), NotWritten>>,
}

/// The hash keys could not be stored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NotWritten;

/// The actor.
#[derive(Debug)]
pub(crate) struct OverrideWriter {
    store: Store,
    capacity: usize,
    waiting: Vec<WriteHashKeys>,
    transaction: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

impl OverrideWriter {
    pub(crate) fn new(store: Store, capacity: usize, metrics: Arc<Metrics>) -> Self {
        Self {
            store,
            capacity,
            waiting: Vec::new(),
            transaction: Arc::new(Semaphore::new(1)),
            metrics,
        }
    }

    /// Stores what waits, and takes no message until that is done.
    fn flush(&mut self, ctx: &mut Context<Self>) {
        if self.waiting.is_empty() {
            return;
        }
        if let Ok(permit) = Arc::clone(&self.transaction).try_acquire_owned() {
            let batch = std::mem::take(&mut self.waiting);
            // A task of its own, because `ctx.wait` also holds up what the context has spawned.
            actix_rt::spawn(store_all(
                batch,
                self.store.clone(),
                Arc::clone(&self.metrics),
                permit,
            ));
        }
        let transaction = Arc::clone(&self.transaction);
        let done = async move { drop(transaction.acquire().await) };
        ctx.wait(
            done.into_actor(self)
                .map(|(), writer, ctx| writer.flush(ctx)),
        );
    }
}

impl Actor for OverrideWriter {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.capacity);
    }
}

impl Supervised for OverrideWriter {
    fn restarting(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.capacity);
    }
}

answers_ping!(OverrideWriter);

impl Handler<Posted<WriteHashKeys>> for OverrideWriter {
    type Result = ();

    fn handle(&mut self, message: Posted<WriteHashKeys>, ctx: &mut Self::Context) {
        if self.waiting.is_empty() {
            // Polled when the mailbox is drained: that is the moment to flush.
            ctx.spawn(
                std::future::ready(())
                    .into_actor(self)
                    .map(|(), writer, ctx| writer.flush(ctx)),
            );
        }
        self.waiting.push(message.open());
        if self.waiting.len() >= BATCH_SIZE {
            self.flush(ctx);
        }
    }
}

async fn store_all(
    mut batch: Vec<WriteHashKeys>,
    store: Store,
    metrics: Arc<Metrics>,
    permit: OwnedSemaphorePermit,
) {
    let now = Instant::now();
    batch.retain(|message| !message.reply.is_closed() && message.deadline > now);
    if batch.is_empty() {
        return;
    }
    let (writes, replies): (Vec<_>, Vec<_>) = batch
        .into_iter()
        .map(|message| (message.write, message.reply))
        .unzip();
    metrics
        .hash_key_batch
        .observe(f64::from(u32::try_from(writes.len()).unwrap_or(u32::MAX)));
    let result = store.write_hash_keys(&writes).await;
    drop(permit);
    if let Err(error) = &result {
        tracing::warn!(
            error = chain(error),
            writes = writes.len(),
            "hash keys could not be stored; sticky flags are answered as failed"
        );
    }
    for reply in replies {
        reply.send(if result.is_ok() {
            Ok(())
        } else {
            Err(NotWritten)
        });
    }
}
