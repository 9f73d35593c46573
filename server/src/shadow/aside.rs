//! What is done beside answers: a lane a kind, bounded by number and by bytes, worked off on a thread of its own. To offer never
//! waits: what finds no room is dropped and counted.

use super::metrics::{Dropped, LaneMetrics};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// The entrance of a lane; clones share it.
#[derive(Debug)]
pub(super) struct Lane<T> {
    sender: mpsc::Sender<Waiting<T>>,
    room: Arc<Room>,
    metrics: LaneMetrics,
}

impl<T> Clone for Lane<T> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            room: Arc::clone(&self.room),
            metrics: self.metrics.clone(),
        }
    }
}

/// Bytes that may still wait.
#[derive(Debug)]
struct Room(AtomicUsize);

/// Something in a lane. It gives its room back wherever it ends.
#[derive(Debug)]
struct Waiting<T> {
    item: T,
    since: Instant,
    reserved: Reserved,
}

#[derive(Debug)]
struct Reserved {
    room: Arc<Room>,
    bytes: usize,
    metrics: LaneMetrics,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.room.0.fetch_add(self.bytes, Ordering::Relaxed);
        self.metrics.left(self.bytes);
    }
}

impl<T> Lane<T> {
    /// Offers something that takes so many bytes of memory.
    pub(super) fn offer(&self, item: T, bytes: usize) {
        self.metrics.offered();
        let taken = self
            .room
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(bytes)
            });
        if taken.is_err() {
            return self.metrics.dropped(Dropped::NoMemory);
        }
        self.metrics.entered(bytes);
        let waiting = Waiting {
            item,
            since: Instant::now(),
            reserved: Reserved {
                room: Arc::clone(&self.room),
                bytes,
                metrics: self.metrics.clone(),
            },
        };
        match self.sender.try_send(waiting) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => self.metrics.dropped(Dropped::QueueFull),
            Err(mpsc::error::TrySendError::Closed(_)) => self.metrics.dropped(Dropped::Stopped),
        }
    }

    /// Counts something that was too large to be offered.
    pub(super) fn too_large(&self) {
        self.metrics.offered();
        self.metrics.dropped(Dropped::TooLarge);
    }
}

/// How a lane is bounded.
#[derive(Debug, Clone, Copy)]
pub(super) struct LaneLimits {
    /// How many may wait.
    pub(super) queue: usize,
    /// How many bytes may wait.
    pub(super) bytes: usize,
    /// How many are worked on at once.
    pub(super) in_flight: usize,
    /// How long one may wait before it is of no use any more.
    pub(super) stale_after: Option<Duration>,
}

/// The exit of a lane: what works it off.
#[derive(Debug)]
pub(super) struct LaneEnd<T> {
    receiver: mpsc::Receiver<Waiting<T>>,
    limits: LaneLimits,
    metrics: LaneMetrics,
}

/// Makes a lane.
pub(super) fn lane<T>(limits: LaneLimits, metrics: LaneMetrics) -> (Lane<T>, LaneEnd<T>) {
    let (sender, receiver) = mpsc::channel(limits.queue);
    let lane = Lane {
        sender,
        room: Arc::new(Room(AtomicUsize::new(limits.bytes))),
        metrics: metrics.clone(),
    };
    let end = LaneEnd {
        receiver,
        limits,
        metrics,
    };
    (lane, end)
}

impl<T: Send + 'static> LaneEnd<T> {
    /// Works off until it is told to stop, and then what still waits.
    async fn run<W, F>(mut self, mut stop: watch::Receiver<bool>, work: W)
    where
        W: Fn(T) -> F,
        F: Future<Output = ()> + Send + 'static,
    {
        let most = u32::try_from(self.limits.in_flight).unwrap_or(u32::MAX);
        let slots = Arc::new(Semaphore::new(self.limits.in_flight));
        let mut is_stopping = false;
        loop {
            // The slot comes first: what waits for one waits in the lane, where it is counted and bounded.
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                return;
            };
            let waiting = tokio::select! {
                waiting = self.receiver.recv() => waiting,
                _stopped = stop.wait_for(|it| *it), if !is_stopping => {
                    is_stopping = true;
                    self.receiver.close();
                    continue;
                }
            };
            let Some(Waiting {
                item,
                since,
                reserved,
            }) = waiting
            else {
                break;
            };
            if self
                .limits
                .stale_after
                .is_some_and(|limit| since.elapsed() > limit)
            {
                self.metrics.dropped(Dropped::Stale);
                continue;
            }
            let work = work(item);
            let metrics = self.metrics.clone();
            tokio::spawn(async move {
                let begun = metrics.begin();
                drop(reserved);
                work.await;
                begun.end();
                drop(slot);
            });
        }
        // A closed semaphore would be the only error.
        let _all = slots.acquire_many(most).await;
    }
}

/// The thread beside, and what runs on it.
pub(super) struct Aside {
    runtime: tokio::runtime::Runtime,
    stop: watch::Sender<bool>,
    running: Vec<(JoinHandle<()>, LaneMetrics)>,
}

impl Aside {
    /// Starts the thread.
    pub(super) fn start() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(2)
            .thread_name("burgee-aside")
            .enable_all()
            .build()?;
        Ok(Self {
            runtime,
            stop: watch::Sender::new(false),
            running: Vec::new(),
        })
    }

    /// Begins to work off a lane.
    pub(super) fn run<T, W, F>(&mut self, end: LaneEnd<T>, work: W)
    where
        T: Send + 'static,
        W: Fn(T) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let metrics = end.metrics.clone();
        let running = self.runtime.spawn(end.run(self.stop.subscribe(), work));
        self.running.push((running, metrics));
    }

    /// Works off what waits, for so long at most; what is left is counted as dropped.
    pub(super) async fn finish(self, patience: Duration) {
        self.stop.send_replace(true);
        let deadline = Instant::now() + patience;
        for (running, metrics) in self.running {
            if tokio::time::timeout_at(deadline, running).await.is_err() {
                metrics.abandon();
            }
        }
        self.runtime.shutdown_background();
    }
}
