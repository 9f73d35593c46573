//! Since when the oldest message of a mailbox has waited, told without a list of them.
//!
//! Messages are taken in order. So the oldest was not posted before the one that was taken last, nor before the mailbox was
//! last empty; the later of both is kept, and is right to within the time between two messages.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Where time begins for what is kept.
static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A moment, in microseconds since the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment(u64);

impl Moment {
    pub(super) fn now() -> Self {
        Self(u64::try_from(BEGIN.elapsed().as_micros()).unwrap_or(u64::MAX))
    }
}

/// The moment before which no waiting message was posted.
#[derive(Debug, Default)]
pub(crate) struct Oldest(AtomicU64);

impl Oldest {
    /// Notes that a message found the mailbox empty.
    pub(super) fn first(&self, posted: Moment) {
        self.0.fetch_max(posted.0, Ordering::Relaxed);
    }

    /// Notes that a message was taken.
    pub(super) fn taken(&self, posted: Moment) {
        self.0.fetch_max(posted.0, Ordering::Relaxed);
    }

    /// Returns how long the oldest message has waited, provided that one waits.
    pub(crate) fn waited(&self) -> Duration {
        self.waited_until(Moment::now())
    }

    fn waited_until(&self, now: Moment) -> Duration {
        let since = self.0.load(Ordering::Relaxed);
        Duration::from_micros(now.0.saturating_sub(since))
    }
}

#[cfg(test)]
mod tests {
    use super::{Moment, Oldest};
    use std::time::Duration;

    #[test]
    fn the_later_of_both_counts() {
        let oldest = Oldest::default();
        let waited = |now| oldest.waited_until(Moment(now)).as_micros();
        oldest.first(Moment(100));
        assert_eq!(waited(150), 50);
        // One posted at 120 waits behind it; the first is taken, then the second.
        oldest.taken(Moment(100));
        assert_eq!(
            waited(200),
            100,
            "no message tells when the next was posted"
        );
        oldest.taken(Moment(120));
        assert_eq!(waited(200), 80);
        // Empty for long, then one more.
        oldest.first(Moment(10_000));
        assert_eq!(waited(10_007), 7);
        // A message that was posted on another thread is seen late: time does not go back.
        oldest.taken(Moment(9_000));
        assert_eq!(waited(10_007), 7);
        assert_eq!(waited(9_999), 0);
    }

    #[test]
    fn moments_pass() {
        let first = Moment::now();
        assert!(Moment::now().0 >= first.0);
        assert!(Oldest::default().waited() < Duration::from_secs(86_400));
    }
}
