//! An event's way in: decided, counted, posted to the writer in parts, and its answer awaited.

use super::calls::{CallCounter, CountCalls, FlushCalls};
use super::decide::{Decision, decide};
use super::metrics::{Dropped, EventMetrics};
use super::writer::{EventWriter, FlushEvents, WriteEvents};
use super::{Durability, Event, EventsConfig};
use crate::mailbox::Mailbox;
use crate::system::{ProjectSnapshot, System};
use burgee_schema::models::{EventId, EventWrite, GroupChange, PersonChange};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout_at;

/// Events in one message: a larger request goes in several.
const PART: usize = 500;

/// What an event is taken to need besides its texts, in bytes.
const EVENT_BYTES: usize = 256;

/// Room is given in units of so many bytes.
const ROOM_UNIT: usize = 64;

/// What a client is told about an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventAnswer {
    /// It was taken: stored, or dropped because it changes nothing.
    Taken,
    /// It can never be stored.
    Invalid,
    /// It could not be stored now.
    Retry,
}

/// The way to the writer and to the counter of calls.
#[derive(Clone)]
pub(crate) struct Intake {
    writer: Mailbox<EventWriter>,
    calls: Mailbox<CallCounter>,
    durability: Durability,
    /// Memory for what waits.
    room: Arc<Semaphore>,
    metrics: Arc<EventMetrics>,
}

impl Intake {
    pub(crate) fn new(
        writer: Mailbox<EventWriter>,
        calls: Mailbox<CallCounter>,
        config: &EventsConfig,
        metrics: Arc<EventMetrics>,
    ) -> Self {
        let units = (config.queue_bytes / ROOM_UNIT).min(Semaphore::MAX_PERMITS);
        Self {
            writer,
            calls,
            durability: config.durability,
            room: Arc::new(Semaphore::new(units)),
            metrics,
        }
    }

    async fn take(
        &self,
        project: &ProjectSnapshot,
        events: Vec<Event>,
        deadline: Instant,
    ) -> Vec<EventAnswer> {
        let mut answers = vec![EventAnswer::Taken; events.len()];
        let mut calls = Vec::new();
        let (mut writes, mut places) = (Vec::new(), Vec::new());
        for (place, event) in events.into_iter().enumerate() {
            let id = event.uuid.as_deref().map(EventId::of);
            match decide(event) {
                Decision::Write { person, group } => {
                    places.push(place);
                    writes.push(EventWrite {
                        project_id: project.id.0,
                        id,
                        person,
                        group,
                    });
                }
                Decision::Called { flag, value } => {
                    self.metrics.drop_events(Dropped::FlagCalled, 1);
                    calls.extend(CountCalls::call(project, flag, &value));
                }
                Decision::Drop(why) => {
                    self.metrics.drop_events(why, 1);
                    if why == Dropped::Invalid
                        && let Some(answer) = answers.get_mut(place)
                    {
                        *answer = EventAnswer::Invalid;
                    }
                }
            }
        }
        self.count_calls(project, calls);
        let failed = self.write(writes, deadline).await;
        for (place, is_stored) in places.into_iter().zip(failed) {
            if let Some(answer) = answers.get_mut(place).filter(|_| !is_stored) {
                *answer = EventAnswer::Retry;
            }
        }
        answers
    }

    fn count_calls(&self, project: &ProjectSnapshot, calls: Vec<(String, String)>) {
        if calls.is_empty() {
            return;
        }
        let count = calls.len();
        let message = CountCalls {
            project: project.id,
            calls,
        };
        if self.calls.post(message).is_err() {
            let lost = &self.metrics.calls_lost;
            lost.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
        }
    }

    /// Has events stored; says of each whether it is, or will be.
    async fn write(&self, events: Vec<EventWrite>, deadline: Instant) -> Vec<bool> {
        let mut parts = Vec::new();
        let mut events = events.into_iter().peekable();
        while events.peek().is_some() {
            let part: Vec<EventWrite> = events.by_ref().take(PART).collect();
            parts.push((part.len(), self.post(part, deadline)));
        }
        let mut stored = Vec::new();
        for (count, posted) in parts {
            let is_stored = match posted {
                Posted::Refused => false,
                Posted::Waits => true,
                Posted::Asked(answer) => {
                    matches!(timeout_at(deadline.into(), answer).await, Ok(Ok(true)))
                }
            };
            stored.extend(std::iter::repeat_n(is_stored, count));
        }
        stored
    }

    fn post(&self, events: Vec<EventWrite>, deadline: Instant) -> Posted {
        let mut pending = self.metrics.pend(events.len());
        let Some(room) = self.make_room(&events) else {
            pending.drop_rest(Dropped::Refused);
            return Posted::Refused;
        };
        let (reply, answer) = oneshot::channel();
        let is_sync = self.durability == Durability::Sync;
        let message = WriteEvents {
            events,
            deadline: is_sync.then_some(deadline),
            reply: is_sync.then_some(reply),
            pending,
            tries: 0,
            _room: room,
        };
        if let Err(mut refused) = self.writer.post(message) {
            refused.message.pending.drop_rest(Dropped::Refused);
            return Posted::Refused;
        }
        if is_sync {
            Posted::Asked(answer)
        } else {
            Posted::Waits
        }
    }

    fn make_room(&self, events: &[EventWrite]) -> Option<OwnedSemaphorePermit> {
        let bytes: usize = events.iter().map(size).sum();
        let units = u32::try_from(bytes.div_ceil(ROOM_UNIT)).ok()?;
        Arc::clone(&self.room).try_acquire_many_owned(units).ok()
    }
}

/// What became of a message.
enum Posted {
    Refused,
    /// It will be stored.
    Waits,
    /// It will be told whether it is stored.
    Asked(oneshot::Receiver<bool>),
}

/// Returns about how much memory an event takes, in bytes.
fn size(event: &EventWrite) -> usize {
    let properties = |list: &[(String, String)]| -> usize {
        list.iter()
            .map(|(name, value)| name.len() + value.len() + 48)
            .sum()
    };
    let person = |change: &PersonChange| {
        let other = change.merge.as_ref().map_or(0, |merge| merge.other.len());
        let names: usize = change.unset.iter().map(|name| name.len() + 24).sum();
        let lists = properties(&change.set) + properties(&change.set_once);
        change.distinct_id.len() + other + names + lists
    };
    let group =
        |change: &GroupChange| change.group_type.len() + change.key.len() + properties(&change.set);
    EVENT_BYTES + event.person.as_ref().map_or(0, person) + event.group.as_ref().map_or(0, group)
}

impl System {
    /// Takes a project's events; returns what became of each, in their order, once that is certain or the deadline has
    /// passed.
    pub async fn take_events(
        &self,
        project: &ProjectSnapshot,
        events: Vec<Event>,
        deadline: Instant,
    ) -> Vec<EventAnswer> {
        let intake = &self.events;
        intake.metrics.accept(events.len());
        if intake.durability == Durability::Off {
            intake.metrics.drop_events(Dropped::Off, events.len());
            return vec![EventAnswer::Taken; events.len()];
        }
        intake.take(project, events, deadline).await
    }

    /// Counts events that change nobody as accepted and dropped.
    pub fn drop_events(&self, why: Dropped, events: usize) {
        self.events.metrics.accept(events);
        self.events.metrics.drop_events(why, events);
    }

    /// Has everything that waits written: events, and counts of flags that were called.
    pub(crate) async fn finish_events(&self, limit: Duration) {
        let (done, events_are_written) = oneshot::channel();
        self.events.writer.post_last(FlushEvents { done });
        let (done, calls_are_written) = oneshot::channel();
        self.events.calls.post_last(FlushCalls { done });
        let all = async {
            // An actor that is gone has dropped the sender, which ends the wait.
            let _ = events_are_written.await;
            let _ = calls_are_written.await;
        };
        if tokio::time::timeout(limit, all).await.is_err() {
            tracing::error!("events that were still waiting are lost: the database took too long");
        }
    }
}
