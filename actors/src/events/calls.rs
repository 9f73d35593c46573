//! The counter of calls: how often SDKs said that a flag had a value, and when last.
//!
//! It counts in memory and adds up in the database each ten seconds, so a busy application costs a statement and no row a
//! call. What was counted since is lost when the process dies.

#[cfg(test)]
mod tests;

use super::CALLS_FLUSHED_EACH;
use super::metrics::EventMetrics;
use crate::mailbox::{Posted, answers_ping};
use crate::system::ProjectSnapshot;
use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Supervised, WrapFuture};
use burgee_evaluation::ProjectId;
use burgee_schema::models::FlagCalls;
use burgee_schema::{Store, chain};
use chrono::Utc;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Flags and values that are counted between two flushes; calls of further ones are lost.
const MAX_ENTRIES: usize = 100_000;
/// Entries in one statement.
const ROWS: usize = 1_000;
/// Longer names are not counted: databases do not index longer texts.
const MAX_BYTES: usize = 1_500;
/// The pause before counts are written again that could not be, when somebody waits for it.
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// Stands for every value that the flag cannot have.
const OTHER: &str = "\"$other\"";

/// Says that flags were called: flag and value each.
#[derive(Debug)]
pub(super) struct CountCalls {
    pub(super) project: ProjectId,
    pub(super) calls: Vec<(String, String)>,
}

impl CountCalls {
    /// Returns what to count for a call; `None` when there is no such flag. There are only as many values as the flag has:
    /// a client may send any.
    pub(super) fn call(
        project: &ProjectSnapshot,
        flag: String,
        value: &str,
    ) -> Option<(String, String)> {
        let found = project.definitions.flag(&flag)?;
        let is_known = match value {
            "true" | "false" | "null" => true,
            text => serde_json::from_str::<String>(text)
                .is_ok_and(|variant| found.has_variant(&variant)),
        };
        let value = if is_known { value } else { OTHER };
        (flag.len() + value.len() <= MAX_BYTES).then(|| (flag, value.to_owned()))
    }
}

/// Has everything that was counted written.
#[derive(Debug)]
pub(super) struct FlushCalls {
    pub(super) done: oneshot::Sender<()>,
}

/// Project, flag and value.
type Key = (ProjectId, String, String);

/// How often, and when last in microseconds since 1970.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    calls: i64,
    last: i64,
}

/// The actor.
#[derive(Debug)]
pub(crate) struct CallCounter {
    store: Store,
    capacity: usize,
    counts: HashMap<Key, Count>,
    is_flushing: bool,
    /// Those who want to know when everything is written; asked for at a stop alone.
    waiting: Vec<oneshot::Sender<()>>,
    metrics: Arc<EventMetrics>,
}

impl CallCounter {
    pub(crate) fn new(store: Store, capacity: usize, metrics: Arc<EventMetrics>) -> Self {
        Self {
            store,
            capacity,
            counts: HashMap::new(),
            is_flushing: false,
            waiting: Vec::new(),
            metrics,
        }
    }

    fn begin(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(self.capacity);
        self.is_flushing = false;
        ctx.run_interval(CALLS_FLUSHED_EACH, |counter, ctx| counter.flush(ctx));
    }

    fn add(&mut self, key: Key, count: Count) {
        if self.counts.len() >= MAX_ENTRIES && !self.counts.contains_key(&key) {
            self.metrics
                .calls_lost
                .inc_by(u64::try_from(count.calls).unwrap_or_default());
            return;
        }
        let entry = self.counts.entry(key).or_default();
        entry.calls = entry.calls.saturating_add(count.calls);
        entry.last = entry.last.max(count.last);
    }

    /// Writes what was counted, unless that is being done.
    fn flush(&mut self, ctx: &mut Context<Self>) {
        if self.is_flushing {
            return;
        }
        if self.counts.is_empty() {
            self.waiting.clear();
            return;
        }
        self.is_flushing = true;
        let counts = std::mem::take(&mut self.counts);
        let writing = write(self.store.clone(), counts);
        ctx.spawn(writing.into_actor(self).map(|left, counter, ctx| {
            counter.is_flushing = false;
            let is_written = left.is_empty();
            for (key, count) in left {
                counter.add(key, count);
            }
            if counter.waiting.is_empty() {
                return;
            }
            if is_written {
                counter.flush(ctx); // What was counted meanwhile.
            } else {
                // Who waits has a limit, and there is no later time to try again.
                ctx.run_later(RETRY_PAUSE, Self::flush);
            }
        }));
    }
}

/// Adds counts up in the database; returns those that could not be.
async fn write(store: Store, counts: HashMap<Key, Count>) -> Vec<(Key, Count)> {
    let mut left: Vec<(Key, Count)> = counts.into_iter().collect();
    while !left.is_empty() {
        let from = left.len().saturating_sub(ROWS);
        let row = |((project, flag, value), count): &(Key, Count)| FlagCalls {
            project_id: project.0,
            flag_key: flag.clone(),
            value: value.clone(),
            calls: count.calls,
            last_called_at: count.last,
        };
        let rows = left
            .get(from..)
            .unwrap_or_default()
            .iter()
            .map(row)
            .collect();
        if let Err(error) = store.add_flag_calls(rows).await {
            tracing::warn!(
                error = chain(&error),
                "calls of flags could not be added up; trying again"
            );
            break;
        }
        left.truncate(from);
    }
    left
}

impl Actor for CallCounter {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.begin(ctx);
    }
}

impl Supervised for CallCounter {
    fn restarting(&mut self, ctx: &mut Self::Context) {
        self.begin(ctx);
    }
}

answers_ping!(CallCounter);

impl Handler<Posted<CountCalls>> for CallCounter {
    type Result = ();

    fn handle(&mut self, message: Posted<CountCalls>, _: &mut Self::Context) {
        let CountCalls { project, calls } = message.open();
        let count = Count {
            calls: 1,
            last: Utc::now().timestamp_micros(),
        };
        for (flag, value) in calls {
            self.add((project, flag, value), count);
        }
    }
}

impl Handler<Posted<FlushCalls>> for CallCounter {
    type Result = ();

    fn handle(&mut self, message: Posted<FlushCalls>, ctx: &mut Self::Context) {
        self.waiting.push(message.open().done);
        self.flush(ctx);
    }
}
