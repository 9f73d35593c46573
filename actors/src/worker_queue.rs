//! The queue before an HTTP worker's own thread: requests that are ready, and wait for those before them.
//!
//! No mailbox holds them, so nothing bounds or counts them; what can be known is how long they wait. A probe, a task that
//! does nothing, is put behind everything that is ready, and tells when its turn comes. One probe is under way at most, and
//! none while nothing arrives.

use crate::metrics::Metrics;
use crate::standing_queue::{Pressure, StandingLimit, StandingQueue};
use prometheus_client::metrics::histogram::Histogram;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// The queue of one HTTP worker.
#[derive(Debug)]
pub(crate) struct WorkerQueue {
    probe: Notify,
    turn: Mutex<Turn>,
    standing: StandingQueue,
    waits: Histogram,
}

/// What the probe has told.
#[derive(Debug)]
struct Turn {
    /// When the probe that is under way was sent.
    sent_at: Option<Instant>,
    /// How long the one before waited, and when it told.
    wait: Duration,
    told_at: Instant,
}

impl WorkerQueue {
    pub(crate) fn new(limit: &StandingLimit, metrics: &Metrics) -> Arc<Self> {
        let now = Instant::now();
        Arc::new(Self {
            probe: Notify::new(),
            turn: Mutex::new(Turn {
                sent_at: None,
                wait: Duration::ZERO,
                told_at: now,
            }),
            standing: StandingQueue::new(limit, now),
            waits: metrics.http_wait.clone(),
        })
    }

    /// Answers probes; to be spawned on the worker's thread. It ends with its runtime.
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            self.probe.notified().await;
            let now = Instant::now();
            let waited = self.lock().tell(now);
            self.waits.observe(waited.as_secs_f64());
        }
    }

    /// Counts a request, and returns whether it may join, and how long it would wait.
    pub(crate) fn ask(&self, now: Instant) -> (Pressure, Duration) {
        let wait = self.expect(now);
        (self.standing.ask(now, wait), wait)
    }

    /// The same, without counting.
    pub(crate) fn look(&self, now: Instant) -> (Pressure, Duration) {
        let wait = self.expect(now);
        (self.standing.look(wait), wait)
    }

    /// Counts the refusal of a request that has asked.
    pub(crate) fn refuse(&self) {
        self.standing.refuse();
    }

    /// Pretends that requests have waited so long for a while.
    #[cfg(test)]
    pub(crate) fn pretend(&self, wait: Duration) {
        let mut now = Instant::now();
        for _ in 0..200 {
            now += Duration::from_millis(5);
            self.standing.ask(now, wait);
        }
    }

    fn expect(&self, now: Instant) -> Duration {
        let (wait, send) = self.lock().expect(now);
        if send {
            self.probe.notify_one();
        }
        wait
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Returns the expected wait, and whether a probe is to be sent: a probe that has not come back waits at least since it was
    /// sent, and what the last one waited for is worked off while time passes.
    fn expect(&mut self, now: Instant) -> (Duration, bool) {
        let elapsed = now.saturating_duration_since(self.told_at);
        let left = self.wait.saturating_sub(elapsed);
        let send = self.sent_at.is_none();
        let sent_at = *self.sent_at.get_or_insert(now);
        (left.max(now.saturating_duration_since(sent_at)), send)
    }

    /// Notes that the probe's turn has come, and returns how long it waited.
    fn tell(&mut self, now: Instant) -> Duration {
        let sent_at = self.sent_at.take().unwrap_or(now);
        self.told_at = now;
        self.wait = now.saturating_duration_since(sent_at);
        self.wait
    }
}

#[cfg(test)]
mod tests {
    use super::{Turn, WorkerQueue};
    use crate::standing_queue::StandingLimit;
    use crate::tests::metrics;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn the_wait_is_that_of_the_probe_under_way_or_what_is_left_of_the_last_one() {
        let start = Instant::now();
        let mut turn = Turn {
            sent_at: None,
            wait: Duration::ZERO,
            told_at: start,
        };
        assert_eq!(turn.expect(start), (ms(0), true), "the first sends a probe");
        assert_eq!(turn.expect(start + ms(3)), (ms(3), false));
        assert_eq!(turn.tell(start + ms(8)), ms(8));
        assert_eq!(turn.expect(start + ms(9)), (ms(7), true));
        assert_eq!(turn.expect(start + ms(14)), (ms(5), false));
        assert_eq!(turn.tell(start + ms(14)), ms(5));
        assert_eq!(turn.expect(start + ms(90)).0, ms(0), "long ago is over");
    }

    #[actix::test]
    async fn a_probe_waits_for_what_is_ready_before_it() {
        let (metrics, _directory) = metrics().await;
        let queue = WorkerQueue::new(&StandingLimit::new(Some(ms(1))), &metrics);
        actix_rt::spawn(Arc::clone(&queue).run());
        tokio::task::yield_now().await;
        let sent = Instant::now();
        // What is ready before the probe keeps the thread busy until the clock has moved.
        actix_rt::spawn(async move { while sent.elapsed() < ms(20) {} });
        queue.ask(sent);
        while queue.lock().sent_at.is_some() {
            tokio::task::yield_now().await;
        }
        assert!(queue.lock().wait >= ms(20));
    }
}
