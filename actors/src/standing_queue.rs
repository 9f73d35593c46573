//! Tells a queue that stands from one that passes: what waits in a burst is worked off, what waits behind a queue that never
//! gets short again only gets older. This is controlled delay (CoDel), with refusals in the place of dropped packets.
//!
//! A queue stands when nobody found it short for a whole interval. From then on those who would wait longer than the
//! limit are refused, until few of them are.
//!
//! Long before, a queue is contended: its waits are noticed by those who share it. Then whoever holds much more than the others may
//! hold less and less, until the others do not notice any more; then more again, so that what is idle is used. Pure but for its
//! lock: the time and the expected wait are arguments.

use crate::mailbox::WhyRefused;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a queue must have been long before anybody is refused for it: more than a burst of connections, or a database
/// that pauses, takes to be worked off.
const INTERVAL: Duration = Duration::from_millis(100);
/// An interval is quiet when fewer than one in so many were refused.
const FEW: u32 = 8;
/// The queue has passed after so many of them: refusing makes a queue short, and letting all in again makes it long.
const QUIET: u32 = 10;
/// For its length alone a queue refuses one in so many at most. A refusal is work too: with enough connections that ask
/// again at once, refusing everybody would keep the queue long, and nobody would ever be let in.
const MOST: u32 = 2;
/// Beyond so many times the limit, nobody is let through.
const FAR: u32 = 4;
/// Everybody waits long: longer than this part of the limit.
const LONG: u32 = 50;
/// Waits are noticed by others: on average they are longer than this part of the limit.
const NOTICED: u32 = 300;
/// What one may hold who holds much more than others when a queue becomes contended, in requests as small as can be.
const HOLD_AT_FIRST: usize = 512;
/// And what everybody may always hold: fewer than one large request and some small ones.
const HOLD_AT_LEAST: usize = 6;

/// What a queue's length means for one that wants to join it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(crate) enum Pressure {
    /// It may join.
    None,
    /// It may join unless it takes much more than its share, and more than this.
    Contended(usize),
    /// It may join only if others take more than their share.
    Over,
    /// It may not join.
    FarOver,
}

impl Pressure {
    /// Returns why one is refused that may not join.
    pub(crate) fn reason(self) -> WhyRefused {
        match self {
            Self::None | Self::Contended(_) => WhyRefused::Share,
            Self::Over | Self::FarOver => WhyRefused::Standing,
        }
    }
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
    /// Whether anybody was refused in the window before.
    refuses: bool,
    /// The sum of all waits that were expected.
    waits: Duration,
    stands: bool,
    /// While the queue is contended, what one may hold who holds much more than others.
    hold: Option<usize>,
    /// Quiet intervals in a row while it stands.
    quiet: u32,
    /// Quiet intervals in a row in which nobody noticed it either, while it is contended.
    calm: u32,
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
        window.waits = window.waits.saturating_add(wait);
        window.asked += 1;
        window.pressure(limit, wait)
    }

    /// The same for one that is not counted yet: it asks later, or when it is refused. That a queue is contended is told only while
    /// somebody is refused for it.
    pub(crate) fn look(&self, wait: Duration) -> Pressure {
        let Some(limit) = self.limit.get() else {
            return Pressure::None;
        };
        let window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        match window.pressure(limit, wait) {
            Pressure::Contended(_) if !window.refuses && window.refused == 0 => Pressure::None,
            pressure => pressure,
        }
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
            waits: Duration::ZERO,
            asked: 0,
            refused: 0,
            refuses: false,
            stands: false,
            hold: None,
            quiet: 0,
            calm: 0,
        }
    }

    fn pressure(&self, limit: Duration, wait: Duration) -> Pressure {
        let is_over = self.stands && wait > limit && self.refused * MOST <= self.asked;
        match self.hold {
            _ if is_over && wait > limit * FAR => Pressure::FarOver,
            _ if is_over => Pressure::Over,
            Some(hold) => Pressure::Contended(hold),
            None => Pressure::None,
        }
    }

    /// Returns the window after this one.
    fn next(&self, began: Instant, limit: Duration) -> Self {
        let is_noticed = self.waits / self.asked.max(1) > limit / NOTICED;
        let refused_few = self.refused * FEW < self.asked.max(1);
        let quiet = if refused_few { self.quiet + 1 } else { 0 };
        let calm = if refused_few && !is_noticed {
            self.calm + 1
        } else {
            0
        };
        let stands = match self.stands {
            true => quiet < QUIET,
            false => self.asked > 0 && self.shortest > limit / LONG,
        };
        let hold = match self.hold {
            None => is_noticed.then_some(HOLD_AT_FIRST),
            Some(hold) if is_noticed => Some((hold / 2).max(HOLD_AT_LEAST)),
            Some(hold) => (calm < QUIET).then_some((hold + hold / 4).min(HOLD_AT_FIRST)),
        };
        Self {
            stands,
            hold,
            refuses: self.refused > 0,
            quiet: if self.stands { quiet } else { 0 },
            calm: if self.hold.is_some() { calm } else { 0 },
            ..Self::new(began)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{HOLD_AT_LEAST, INTERVAL, Pressure, StandingLimit, StandingQueue};
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
            let refused = self.queue.ask(self.now, wait) >= Pressure::Over;
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
        assert!(queue.queue.look(LIMIT) < Pressure::Over);
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
            assert_ne!(queue.queue.look(LIMIT * 5), Pressure::None);
            queue.queue.ask(queue.now, LIMIT * 5);
            queue.queue.refuse();
        }
        assert_ne!(queue.queue.look(LIMIT * 5), Pressure::None);
    }

    #[test]
    fn while_others_notice_it_one_may_hold_less_and_less_and_then_more_again() {
        let mut queue = Clocked::new(Some(LIMIT));
        let hold = |queue: &Clocked| queue.queue.window.lock().unwrap().hold;
        // Half wait for nothing, so the queue does not stand.
        let interval = |queue: &mut Clocked, wait: Duration| {
            queue.load(10, wait);
            queue.load(10, Duration::ZERO);
        };
        interval(&mut queue, LIMIT / 200);
        interval(&mut queue, LIMIT / 200);
        assert_eq!(hold(&queue), None, "nobody notices that");
        let mut held = usize::MAX;
        for _ in 0..9 {
            interval(&mut queue, LIMIT / 20);
            let now = hold(&queue).unwrap_or(usize::MAX);
            assert!(now < held || now == usize::MAX || now == HOLD_AT_LEAST);
            held = now;
        }
        assert_eq!(held, HOLD_AT_LEAST);
        // Whoever floods goes on and is refused; the others wait for nothing.
        for _ in 0..20 {
            interval(&mut queue, Duration::ZERO);
            (0..5).for_each(|_| queue.queue.refuse());
            let now = hold(&queue).expect("it is still contended");
            assert!(now >= held, "{now} after {held}");
            held = now;
        }
        assert!(held > HOLD_AT_LEAST);
        assert_eq!(queue.queue.look(Duration::ZERO), Pressure::Contended(held));
        for _ in 0..12 {
            interval(&mut queue, Duration::ZERO);
        }
        assert_eq!(hold(&queue), None, "nobody is refused any more");
        interval(&mut queue, LIMIT / 20);
        interval(&mut queue, LIMIT / 20);
        assert_eq!(
            queue.queue.look(Duration::ZERO),
            Pressure::None,
            "as long as nobody is refused, nobody need be asked before its time"
        );
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
