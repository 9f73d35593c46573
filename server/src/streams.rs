//! Server-sent events: who listens to which project, how many may, and when one is cut off.
//!
//! A listener has a small queue of its own, filled by a task that follows the project's definitions. Whoever does not empty it
//! is cut off, so that slow readers cost no memory; whoever comes back is told the newest state, so that nothing is lost by it.
//! It knows neither who may listen nor what a change means: callers say what is told.

mod metrics;
mod stalled;

#[cfg(test)]
mod tests;

pub use stalled::hang_up_when_stalled;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::{HttpResponse, rt};
use burgee_actors::{Follow, ProjectSnapshot};
use burgee_evaluation::ProjectId;
use bytes::Bytes;
use futures_util::Stream;
use metrics::StreamMetrics;
use prometheus_client::registry::Registry;
use rand::RngExt;
use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// How many frames a listener may leave unread, beside what its connection holds.
const ROOM: usize = 8;

/// After which time a listener that lost its stream comes back, in milliseconds: spread, so that they do not come together.
const RETRY_MILLISECONDS: std::ops::Range<u32> = 1_000..5_000;

/// Something that is no event, so that proxies keep the connection, and the loss of one is noticed.
const HEARTBEAT: Bytes = Bytes::from_static(b":\n\n");

/// Tells nginx not to wait for more.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// How many may listen, and how often they hear that nothing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamConfig {
    /// Streams of all projects together; 0 switches them off.
    pub most: usize,
    /// Streams of one project.
    pub most_per_project: usize,
    /// The pause between two signs of life.
    pub heartbeat: Duration,
}

impl Default for StreamConfig {
    /// 4,096 streams, 1,024 of one project, 15 s.
    fn default() -> Self {
        Self {
            most: 4_096,
            most_per_project: 1_024,
            heartbeat: Duration::from_secs(15),
        }
    }
}

/// Why a stream is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StreamRefusal {
    /// The project has as many as one may have.
    #[error("the project has too many streams")]
    Project,
    /// All projects together have as many as there may be.
    #[error("there are too many streams")]
    Total,
    /// The server is about to stop.
    #[error("the server is stopping")]
    Stopping,
}

/// Something to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// By which it is known; what has the same id is not told twice.
    pub id: String,
    /// What is told, on one line.
    pub data: String,
}

/// All listeners. One per process, shared by all HTTP workers.
#[derive(Debug)]
pub struct Streams {
    config: StreamConfig,
    metrics: StreamMetrics,
    open: Mutex<Open>,
    stopping: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_project: HashMap<ProjectId, usize>,
}

impl Streams {
    /// Builds it from its settings, and registers what it counts.
    pub fn new(config: StreamConfig, registry: &mut Registry) -> Self {
        Self {
            config,
            metrics: StreamMetrics::register(registry),
            open: Mutex::default(),
            stopping: watch::Sender::new(false),
        }
    }

    /// Returns whether there may be any.
    pub fn are_on(&self) -> bool {
        self.config.most > 0 && self.config.most_per_project > 0
    }

    /// Ends all streams and opens no more, so that a graceful stop waits for none.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Returns what tells that all streams end.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    /// Takes a place; it is given back when it is dropped.
    pub fn enter(self: &Arc<Self>, project: ProjectId) -> Result<Place, StreamRefusal> {
        let entered = self.try_enter(project);
        match entered {
            Ok(()) => {
                self.metrics.opened();
                Ok(Place {
                    streams: Arc::clone(self),
                    project,
                })
            }
            Err(refusal) => {
                self.metrics.refused(refusal);
                Err(refusal)
            }
        }
    }

    fn try_enter(&self, project: ProjectId) -> Result<(), StreamRefusal> {
        if *self.stopping.borrow() {
            return Err(StreamRefusal::Stopping);
        }
        let mut open = self.open();
        if open.total >= self.config.most {
            return Err(StreamRefusal::Total);
        }
        let of_project = open.by_project.get(&project).copied().unwrap_or_default();
        if of_project >= self.config.most_per_project {
            return Err(StreamRefusal::Project);
        }
        open.by_project.insert(project, of_project + 1);
        open.total += 1;
        Ok(())
    }

    fn leave(&self, project: ProjectId) {
        let mut open = self.open();
        open.total = open.total.saturating_sub(1);
        if let Some(of_project) = open.by_project.get_mut(&project) {
            *of_project = of_project.saturating_sub(1);
            if *of_project == 0 {
                open.by_project.remove(&project);
            }
        }
        self.metrics.closed();
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among the listeners.
#[derive(Debug)]
pub struct Place {
    streams: Arc<Streams>,
    project: ProjectId,
}

impl Place {
    /// Answers with a stream of what `tell` says of the project's states, from `known` on: the id of what the listener was
    /// told last, or `None` if it is to be told at once. `tell` is asked at each change and at each heartbeat; the stream ends
    /// when it has nothing to say.
    ///
    /// Must be called on a thread that runs an arbiter.
    pub fn listen<F>(
        self,
        follow: Follow,
        known: Option<String>,
        tell: impl Fn(Arc<ProjectSnapshot>) -> F + 'static,
    ) -> HttpResponse
    where
        F: Future<Output = Option<Told>> + 'static,
    {
        let (queue, frames) = mpsc::channel(ROOM);
        rt::spawn(feed(Listener { queue, place: self }, follow, known, tell));
        event_stream(frames)
    }
}

/// Answers with frames as they come, until nobody is left to send one.
pub(crate) fn event_stream(frames: mpsc::Receiver<Bytes>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .insert_header((UNBUFFERED, HeaderValue::from_static("no")))
        .streaming(Frames(frames))
}

impl Drop for Place {
    fn drop(&mut self) {
        self.streams.leave(self.project);
    }
}

/// The body of a listener's answer.
struct Frames(mpsc::Receiver<Bytes>);

impl Stream for Frames {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|frame| frame.map(Ok))
    }
}

/// Somebody's queue, and its place among all.
struct Listener {
    queue: mpsc::Sender<Bytes>,
    place: Place,
}

impl Listener {
    /// Queues a frame. Tells whether there is anybody left to queue for; whoever has no room is cut off.
    fn push(&self, frame: Bytes) -> bool {
        match self.queue.try_send(frame) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.place.streams.metrics.cut_off();
                false
            }
            Err(TrySendError::Closed(_)) => false,
        }
    }
}

/// Follows a project for one listener, until it leaves, is cut off, the project is gone or the server stops. What ends here
/// ends the listener's answer.
async fn feed<F>(
    listener: Listener,
    mut follow: Follow,
    mut known: Option<String>,
    tell: impl Fn(Arc<ProjectSnapshot>) -> F,
) where
    F: Future<Output = Option<Told>>,
{
    let streams = Arc::clone(&listener.place.streams);
    let mut stopping = streams.stopping.subscribe();
    let heartbeat = streams.config.heartbeat;
    let mut beats = interval_at(Instant::now() + heartbeat, heartbeat);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let retry = rand::rng().random_range(RETRY_MILLISECONDS);
    if !listener.push(format!("retry: {retry}\n\n").into()) {
        return;
    }
    loop {
        let newest = Arc::clone(&follow.borrow_and_update());
        let Some(Told { id, data }) = tell(newest).await else {
            return;
        };
        if known.as_deref() != Some(&*id) {
            if !listener.push(format!("id: {id}\ndata: {data}\n\n").into()) {
                return;
            }
            known = Some(id);
        }
        tokio::select! {
            changed = follow.changed() => if changed.is_err() { return },
            _ = beats.tick() => if !listener.push(HEARTBEAT) { return },
            () = listener.queue.closed() => return,
            _ = stopping.wait_for(|stops| *stops) => return,
        }
    }
}
