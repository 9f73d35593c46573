//! The live page of this instance: what `/metrics` says, read again and again, and told to those who watch.
//!
//! One task a process reads the registry, off the HTTP workers: once a second while somebody watches, slowly otherwise, so that a
//! page that is opened is not empty. It knows nothing of how the figures come about, nor of projects.

pub mod assets;
mod history;
mod reading;
mod sample;

use crate::metrics::prometheus_text;
use crate::state::AppState;
use crate::streams::event_stream;
use actix_web::{HttpResponse, rt, web};
use assets::Assets;
use burgee_actors::{Budget, Readiness};
use bytes::Bytes;
use chrono::Utc;
use history::History;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use reading::Reading;
use sample::{Between, State};
use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, broadcast, mpsc, watch};
use tokio::time::{Instant, sleep_until};

/// The pause between two readings while somebody watches.
const WATCHED: Duration = Duration::from_secs(1);
/// And while nobody does.
const UNWATCHED: Duration = Duration::from_secs(5);
/// How many may watch one instance.
const MOST_WATCHERS: usize = 16;
/// How many samples a watcher may leave unread before it is cut off.
const ROOM: usize = 8;

/// The settings of the page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConsoleConfig {
    /// Whether there is one.
    pub is_on: bool,
    /// What it says of the threads; `None` where there is no plan.
    pub plan: Option<Budget>,
}

/// The page and its watchers. One per process, shared by all HTTP workers.
#[derive(Debug)]
pub struct Console {
    config: ConsoleConfig,
    instance: String,
    /// In milliseconds of Unix time.
    started: i64,
    /// The files of the page.
    pub assets: Assets,
    watchers: Gauge,
    told: broadcast::Sender<Bytes>,
    /// Locked together with sending, so that who begins to watch misses nothing and gets nothing twice.
    history: Mutex<History>,
    somebody: Notify,
}

/// What a watcher is told first.
#[derive(Serialize)]
struct Hello<'a> {
    instance: &'a str,
    version: &'static str,
    /// In milliseconds of Unix time.
    started: i64,
    plan: Option<Plan>,
}

#[derive(Serialize)]
struct Plan {
    http_workers: usize,
    small_evaluators: usize,
    large_evaluators: usize,
    cpu_threads: usize,
    database_threads: usize,
}

impl From<Budget> for Plan {
    fn from(budget: Budget) -> Self {
        Self {
            http_workers: budget.http_workers,
            small_evaluators: budget.small_evaluators,
            large_evaluators: budget.large_evaluators,
            cpu_threads: budget.rayon,
            database_threads: budget.database,
        }
    }
}

/// There are as many watchers as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many watch already")]
pub struct NoPlace;

impl Console {
    /// Builds it, and registers how many watch.
    pub fn new(config: ConsoleConfig, registry: &mut Registry) -> Self {
        let watchers = Gauge::default();
        registry.register(
            "burgee_console_watchers",
            "Pages that watch this instance",
            watchers.clone(),
        );
        Self {
            config,
            instance: host_name(),
            started: Utc::now().timestamp_millis(),
            assets: Assets::new(),
            watchers,
            told: broadcast::channel(ROOM).0,
            history: Mutex::default(),
            somebody: Notify::new(),
        }
    }

    /// Returns whether there is a page.
    pub fn is_on(&self) -> bool {
        self.config.is_on
    }

    /// Reads the registry for as long as the process lives; to be spawned once.
    pub async fn sample(state: AppState) {
        let console = &state.edge.console;
        let mut before: Option<(Instant, Reading)> = None;
        loop {
            let due_from = Instant::now();
            if let Some((read_at, now)) = read(&state).await {
                if let Some((earlier, before)) = &before {
                    let between = Between {
                        before,
                        now: &now,
                        seconds: (read_at - *earlier).as_secs_f64(),
                    };
                    console.tell(&between, &readiness(&state));
                }
                before = Some((read_at, now));
            }
            console.pause(due_from).await;
        }
    }

    /// Waits until the next reading is due. Whoever begins to watch makes it due earlier.
    async fn pause(&self, from: Instant) {
        loop {
            let pause = if self.told.receiver_count() > 0 {
                WATCHED
            } else {
                UNWATCHED
            };
            tokio::select! {
                () = sleep_until(from + pause) => return,
                () = self.somebody.notified() => {}
            }
        }
    }

    fn tell(&self, between: &Between<'_>, state: &State) {
        let at = Utc::now().timestamp_millis();
        let Ok(json) = serde_json::to_vec(&between.sample(at, state)) else {
            return; // Writing figures and names of ours does not fail.
        };
        let sample = Bytes::from(json);
        let frame = frame("tick", &sample);
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        history.push(at, sample);
        // Nobody may be there.
        let _ = self.told.send(frame);
    }

    /// Answers with a stream: who this is and the last minutes, then every second. `may_still_watch` is asked before each; the
    /// stream ends when it says no, when the server stops, and when the watcher does not read.
    ///
    /// Must be called on a thread that runs an arbiter.
    pub fn watch<F>(
        &self,
        stopping: watch::Receiver<bool>,
        may_still_watch: impl Fn() -> F + 'static,
    ) -> Result<HttpResponse, NoPlace>
    where
        F: Future<Output = bool> + 'static,
    {
        let place = Place::take(&self.watchers)?;
        let (queue, frames) = mpsc::channel(ROOM);
        let (hello, ticks) = self.begin();
        let watcher = Watcher {
            queue,
            ticks,
            stopping,
            _place: place,
        };
        rt::spawn(watcher.feed(hello, may_still_watch));
        self.somebody.notify_one();
        Ok(event_stream(frames))
    }

    fn begin(&self) -> (Bytes, broadcast::Receiver<Bytes>) {
        let hello = Hello {
            instance: &self.instance,
            version: env!("CARGO_PKG_VERSION"),
            started: self.started,
            plan: self.config.plan.map(Plan::from),
        };
        let mut text = b"{\"hello\":".to_vec();
        text.extend(serde_json::to_vec(&hello).unwrap_or_default());
        text.extend_from_slice(b",\"history\":");
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        history.write(&mut text);
        let ticks = self.told.subscribe();
        drop(history);
        text.push(b'}');
        (frame("hello", &text), ticks)
    }
}

/// A place among the watchers; given back when it is dropped.
struct Place(Gauge);

impl Place {
    fn take(watchers: &Gauge) -> Result<Self, NoPlace> {
        let before = usize::try_from(watchers.inc()).unwrap_or_default();
        let place = Self(watchers.clone());
        (before < MOST_WATCHERS).then_some(place).ok_or(NoPlace)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Somebody who watches.
struct Watcher {
    queue: mpsc::Sender<Bytes>,
    ticks: broadcast::Receiver<Bytes>,
    stopping: watch::Receiver<bool>,
    _place: Place,
}

impl Watcher {
    async fn feed<F>(mut self, hello: Bytes, may_still_watch: impl Fn() -> F)
    where
        F: Future<Output = bool>,
    {
        let mut stopping = self.stopping.clone();
        let mut next = hello;
        // Whoever leaves no room in its queue is cut off.
        while self.queue.try_send(next).is_ok() {
            next = tokio::select! {
                tick = self.ticks.recv() => match tick {
                    Ok(tick) => tick,
                    Err(_behind_or_over) => return,
                },
                _ = stopping.wait_for(|stops| *stops) => return self.say("stopping"),
                () = self.queue.closed() => return,
            };
            if !may_still_watch().await {
                return self.say("key");
            }
        }
    }

    /// Says why the stream ends. The end itself is seen by those who have no room for it.
    fn say(&self, why: &str) {
        let _ = self
            .queue
            .try_send(frame("end", format!("\"{why}\"").as_bytes()));
    }
}

/// Returns the name of the machine, which in a cluster is that of the pod.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "this instance".to_owned(),
        name => name.to_owned(),
    }
}

/// Reads everything that is counted, and says when. Some of it comes from the kernel's files, so not here.
async fn read(state: &AppState) -> Option<(Instant, Reading)> {
    let registry = Arc::clone(&state.registry);
    let read = web::block(move || {
        let text = prometheus_text(&registry).ok()?;
        Some((Instant::now(), Reading::parse(&text)))
    });
    read.await.ok().flatten()
}

fn readiness(state: &AppState) -> State {
    if let Some(objection) = state.edge.lifecycle.objection() {
        return State {
            is: "not_ready",
            why: Some(objection.into_owned()),
        };
    }
    match state.system.readiness() {
        Readiness::Ready => State {
            is: "ready",
            why: None,
        },
        Readiness::Stale { .. } => State {
            is: "stale",
            why: None,
        },
        Readiness::NotReady(why) => State {
            is: "not_ready",
            why: Some(why),
        },
    }
}

/// Writes an event whose data is JSON on one line.
fn frame(event: &str, data: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(event.len() + data.len() + 16);
    frame.extend_from_slice(b"event: ");
    frame.extend_from_slice(event.as_bytes());
    frame.extend_from_slice(b"\ndata: ");
    frame.extend_from_slice(data);
    frame.extend_from_slice(b"\n\n");
    frame.into()
}
