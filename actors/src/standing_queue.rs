//! Tells a queue that stands from one that passes: what waits in a burst is worked off, what waits behind a queue that never
//! gets short again only gets older. This is controlled delay (CoDel), with refusals in the place of dropped packets.
//!
//! A queue stands when nobody found it short for a whole interval. From then on those who would wait longer than the
//! limit are refused, and those who take too much of it earlier, until few of them are. Pure but for its lock: the time and the expected wait are arguments.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a queue must have been long before anybody is refused for it: more than a burst of connections, or a database
/// that pauses, takes to be worked off.
const INTERVAL: Duration = Duration::from_millis(100);
/// An interval is quiet when fewer than one in so many were refused.
const FEW: u32 = 8;
/// The queue has passed after so many quiet intervals: refusing makes a queue short, and letting all in again makes it long.
const QUIET: u32 = 10;
/// For its length alone a queue refuses one in so many at most. A refusal is work too: with enough connections that ask
/// again at once, refusing everybody would keep the queue long, and nobody would ever be let in.
const MOST: u32 = 2;
/// Beyond so many times the limit, nobody is let through.
const FAR: u32 = 4;
/// From this part of the limit on a queue is long: too long for the others, if it is one project's work that waits in it.
const LONG: u32 = 50;

/// What a queue's length means for one that wants to join it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(crate) enum Pressure {
    /// It may join.
    None,
    /// It may join unless it takes much more than its share.
    Long,
    /// It may join only if others take more than their share.
    Over,
    /// It may not join.
    FarOver,
}

/// Watches one queue.
#[derive(Debug)]
pub(crate) struct StandingQueue {
    /// The wait that is always allowed; `None` when nobody is ever refused.
    limit: StandingLimit,
    window: Mutex<Window>,
}

/// How long requests may go on waiting; shared by all queues, and may change while they stand.
#[derive(Debug, Clone)]
pub(crate) struct StandingLimit(Arc<AtomicU64>);

impl StandingLimit {
    /// In the place of a limit where nobody is ever refused.
    const NONE: u64 = u64::MAX;

    pub(crate) fn new(limit: Option<Duration>) -> Self {
        let shared = Self(Arc::default());
        shared.set(limit);
        shared
    }

    pub(crate) fn set(&self, limit: Option<Duration>) {
        let micros = limit.map_or(Self::NONE, |limit| {
            u64::try_from(limit.as_micros()).unwrap_or(Self::NONE)
        });
        self.0.store(micros, Ordering::Relaxed);
    }

    fn get(&self) -> Option<Duration> {
        let micros = self.0.load(Ordering::Relaxed);
        (micros != Self::NONE).then(|| Duration::from_micros(micros))
    }
}

#[derive(Debug)]
struct Window {
    began: Instant,
    shortest: Duration,
    asked: u32,
    refused: u32,
    stands: bool,
    /// Quiet intervals in a row while it stands.
    quiet: u32,
}

impl StandingQueue {
    pub(crate) fn new(limit: &StandingLimit, now: Instant) -> Self {
        Self {
            limit: limit.clone(),
            window: Mutex::new(Window::new(now)),
        }
    }

    /// Counts one that would wait this long, and returns whether it may.
    pub(crate) fn ask(&self, now: Instant, wait: Duration) -> Pressure {
        let Some(limit) = self.limit.get() else {
            return Pressure::None;
        };
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let age = now.saturating_duration_since(window.began);
        if age >= INTERVAL {
            // An interval in which nobody asked is an interval without a queue.
            *window = if age < INTERVAL * 2 {
                window.next(now, limit)
            } else {
                Window::new(now)
            };
        }
        window.shortest = window.shortest.min(wait);
        window.asked += 1;
        window.pressure(limit, wait)
    }

    /// The same for one that is not counted yet: it asks later, or when it is refused.
    pub(crate) fn look(&self, wait: Duration) -> Pressure {
        let Some(limit) = self.limit.get() else {
            return Pressure::None;
        };
        let window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.pressure(limit, wait)
    }

    /// Counts the refusal of one that has asked.
    pub(crate) fn refuse(&self) {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.refused += 1;
    }
}

impl Window {
    fn new(began: Instant) -> Self {
        Self {
            began,
            shortest: Duration::MAX,
            asked: 0,
            refused: 0,
            stands: false,
            quiet: 0,
        }
    }

    fn pressure(&self, limit: Duration, wait: Duration) -> Pressure {
        match wait {
            wait if !self.stands || wait <= limit / LONG => Pressure::None,
            wait if wait <= limit || self.refused * MOST > self.asked => Pressure::Long,
            wait if wait <= limit * FAR => Pressure::Over,
            _ => Pressure::FarOver,
        }
    }

    /// Returns the window after this one.
    fn next(&self, began: Instant, limit: Duration) -> Self {
        let is_quiet = self.refused * FEW < self.asked.max(1);
        let quiet = if is_quiet { self.quiet + 1 } else { 0 };
        let stands = if self.stands {
            quiet < QUIET
        } else {
            self.asked > 0 && self.shortest > limit / LONG
        };
        Self {
            stands,
            quiet: if self.stands { quiet } else { 0 },
            ..Self::new(began)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{INTERVAL, Pressure, StandingLimit, StandingQueue};
    use std::time::{Duration, Instant};

    const LIMIT: Duration = Duration::from_millis(10);
    const STEP: Duration = Duration::from_millis(5);

    struct Clocked {
        queue: StandingQueue,
        now: Instant,
    }

    impl Clocked {
        fn new(limit: Option<Duration>) -> Self {
            let now = Instant::now();
            Self {
                queue: StandingQueue::new(&StandingLimit::new(limit), now),
                now,
            }
        }

        /// Asks every few milliseconds, refuses where it must, and returns how many of so many were refused.
        fn load(&mut self, times: usize, wait: Duration) -> usize {
            (0..times).filter(|_| self.one(wait)).count()
        }

        fn one(&mut self, wait: Duration) -> bool {
            self.now += STEP;
            let refused = self.queue.ask(self.now, wait) > Pressure::Long;
            if refused {
                self.queue.refuse();
            }
            refused
        }
    }

    #[test]
    fn a_burst_that_is_worked_off_costs_nobody_anything() {
        let mut queue = Clocked::new(Some(LIMIT));
        for _ in 0..50 {
            assert_eq!(
                queue.load(15, LIMIT * 9),
                0,
                "long for three quarters of an interval"
            );
            assert_eq!(queue.load(5, Duration::ZERO), 0);
        }
    }

    #[test]
    fn a_queue_that_stands_refuses_whoever_would_wait_too_long_and_nobody_else() {
        let mut queue = Clocked::new(Some(LIMIT));
        assert!(
            queue.load(40, LIMIT * 2) <= 21,
            "an interval or two without refusals"
        );
        let refused = queue.load(100, LIMIT * 2);
        assert!((45..=55).contains(&refused), "half of them: {refused}");
        queue.load(20, Duration::ZERO);
        assert!(!queue.one(LIMIT));
        assert_eq!(queue.queue.look(LIMIT / 50), Pressure::None);
        assert_eq!(queue.queue.look(LIMIT), Pressure::Long);
        assert_eq!(queue.queue.look(LIMIT * 4), Pressure::Over);
        assert_eq!(queue.queue.look(LIMIT * 5), Pressure::FarOver);
    }

    #[test]
    fn it_has_passed_when_few_are_refused() {
        let mut queue = Clocked::new(Some(LIMIT));
        queue.load(100, LIMIT * 2);
        // One in twenty still finds it long.
        for _ in 0..12 {
            queue.load(1, LIMIT * 2);
            queue.load(19, Duration::ZERO);
        }
        assert_eq!(queue.load(1, LIMIT * 2), 0, "it does not stand any more");
    }

    #[test]
    fn it_goes_on_standing_while_many_are_refused() {
        let mut queue = Clocked::new(Some(LIMIT));
        queue.load(100, LIMIT * 2);
        for _ in 0..50 {
            assert!(queue.one(LIMIT * 2), "a quarter of them are too many");
            queue.load(3, Duration::ZERO);
        }
    }

    #[test]
    fn those_who_are_refused_at_a_look_keep_it_standing() {
        let mut queue = Clocked::new(Some(LIMIT));
        queue.load(100, LIMIT * 2);
        // Everybody is refused before asking; whoever comes after that still finds it standing.
        for _ in 0..100 {
            queue.now += STEP;
            assert!(queue.queue.look(LIMIT * 5) >= Pressure::Long);
            queue.queue.ask(queue.now, LIMIT * 5);
            queue.queue.refuse();
        }
        assert!(queue.queue.look(LIMIT * 5) >= Pressure::Long);
    }

    #[test]
    fn silence_is_no_queue() {
        let mut queue = Clocked::new(Some(LIMIT));
        queue.load(1, LIMIT * 2);
        queue.now += INTERVAL * 50;
        assert!(
            !queue.one(LIMIT * 2),
            "one slow moment long ago proves nothing"
        );
    }

    #[test]
    fn a_limit_that_changes_counts_at_once() {
        let limit = StandingLimit::new(None);
        let mut queue = Clocked {
            queue: StandingQueue::new(&limit, Instant::now()),
            now: Instant::now(),
        };
        assert_eq!(queue.load(100, LIMIT * 2), 0);
        limit.set(Some(LIMIT));
        assert!(queue.load(100, LIMIT * 2) > 0);
        limit.set(Some(LIMIT * 100));
        assert_eq!(queue.load(100, LIMIT * 2), 0);
    }

    #[test]
    fn without_a_limit_nobody_is_refused() {
        let mut queue = Clocked::new(None);
        assert_eq!(queue.load(1_000, Duration::from_secs(9)), 0);
        assert_eq!(queue.queue.look(Duration::from_secs(9)), Pressure::None);
    }
}
