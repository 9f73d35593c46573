//! How long work takes, learned while it is done: moving averages that admission reads without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Each sample moves an average by one in this many parts.
const WEIGHT: u64 = 32;

/// The moving average of an evaluator's service time, and how long the last that was served had waited.
#[derive(Debug)]
pub(crate) struct ServiceTime {
    average: Average,
    /// Times are counted from here, in nanoseconds.
    epoch: Instant,
    last_wait: AtomicU64,
    last_began: AtomicU64,
}

/// What the estimates of the core have to be multiplied by on this machine.
#[derive(Debug)]
pub(crate) struct Calibration(Average);

/// The estimates are scaled within these bounds, in thousandths, whatever a disturbed machine shows.
const SCALE: std::ops::RangeInclusive<u64> = 100..=20_000;

#[derive(Debug, Default)]
struct Average(AtomicU64);

impl Average {
    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Moves the average. Two threads at once may lose a sample: it is an average.
    fn add(&self, sample: u64) {
        let old = self.get();
        let new = if old == 0 {
            sample
        } else {
            old - old / WEIGHT + sample / WEIGHT
        };
        self.0.store(new, Ordering::Relaxed);
    }
}

impl Default for ServiceTime {
    fn default() -> Self {
        Self {
            average: Average::default(),
            epoch: Instant::now(),
            last_wait: AtomicU64::default(),
            last_began: AtomicU64::default(),
        }
    }
}

impl ServiceTime {
    pub(crate) fn record(&self, took: Duration) {
        self.average.add(nanoseconds(took));
    }

    /// Notes that one is served now that had waited so long.
    pub(crate) fn began(&self, now: Instant, waited: Duration) {
        self.last_wait.store(nanoseconds(waited), Ordering::Relaxed);
        self.last_began
            .store(self.since_epoch(now), Ordering::Relaxed);
    }

    /// Returns what is left of the wait of the last that was served: when there is no time between two services but other
    /// programs take the thread's, the average knows nothing of it.
    pub(crate) fn last_wait(&self, now: Instant) -> Duration {
        let began = self.last_began.load(Ordering::Relaxed);
        let elapsed = self.since_epoch(now).saturating_sub(began);
        let waited = self.last_wait.load(Ordering::Relaxed);
        Duration::from_nanos(waited.saturating_sub(elapsed))
    }

    fn since_epoch(&self, now: Instant) -> u64 {
        nanoseconds(now.saturating_duration_since(self.epoch))
    }

    /// Returns how long `waiting` messages will keep `parallel` workers busy.
    pub(crate) fn expected_wait(&self, waiting: usize, parallel: usize) -> Duration {
        let waiting = u64::try_from(waiting).unwrap_or(u64::MAX);
        let parallel = u64::try_from(parallel).unwrap_or(1).max(1);
        Duration::from_nanos(self.average.get().saturating_mul(waiting) / parallel)
    }
}

impl Calibration {
    /// Starts by believing the estimates.
    pub(crate) fn new() -> Self {
        Self(Average(AtomicU64::new(1_000)))
    }

    /// Learns from work that was estimated and then done.
    pub(crate) fn record(&self, estimated_ns: u64, took: Duration) {
        let thousandfold = nanoseconds(took).saturating_mul(1_000);
        if let Some(scale) = thousandfold.checked_div(estimated_ns) {
            self.0.add(scale.clamp(*SCALE.start(), *SCALE.end()));
        }
    }

    /// Returns how long estimated work will take here.
    pub(crate) fn apply(&self, estimated_ns: u64) -> Duration {
        Duration::from_nanos(estimated_ns.saturating_mul(self.0.get()) / 1_000)
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Calibration, ServiceTime};
    use std::time::{Duration, Instant};

    #[test]
    fn the_expected_wait_is_depth_times_service_time() {
        let service = ServiceTime::default();
        assert_eq!(
            service.expected_wait(100, 1),
            Duration::ZERO,
            "nothing is known yet"
        );
        service.record(Duration::from_micros(100));
        assert_eq!(service.expected_wait(10, 1), Duration::from_millis(1));
        assert_eq!(service.expected_wait(10, 4), Duration::from_micros(250));
        assert_eq!(service.expected_wait(0, 1), Duration::ZERO);
    }

    #[test]
    fn the_last_wait_is_remembered_while_it_lasted() {
        let (service, now) = (ServiceTime::default(), Instant::now());
        assert_eq!(service.last_wait(now), Duration::ZERO);
        service.began(now, Duration::from_millis(30));
        let later = |millis| service.last_wait(now + Duration::from_millis(millis));
        assert_eq!(later(0), Duration::from_millis(30));
        assert_eq!(later(20), Duration::from_millis(10));
        assert_eq!(later(31), Duration::ZERO);
    }

    #[test]
    fn averages_follow_what_lasts_and_forget_what_does_not() {
        let service = ServiceTime::default();
        service.record(Duration::from_micros(100));
        service.record(Duration::from_micros(3_300));
        let after_one = service.expected_wait(1, 1);
        assert!(after_one < Duration::from_micros(201), "{after_one:?}");
        (0..1_000).for_each(|_| service.record(Duration::from_micros(300)));
        let settled = service.expected_wait(1, 1);
        assert!(
            settled.abs_diff(Duration::from_micros(300)) < Duration::from_micros(3),
            "{settled:?}"
        );
    }

    #[test]
    fn estimates_are_scaled_by_what_was_seen() {
        let calibration = Calibration::new();
        assert_eq!(calibration.apply(5_000), Duration::from_micros(5));
        (0..2_000).for_each(|_| calibration.record(1_000, Duration::from_micros(2)));
        let scaled = calibration.apply(5_000);
        assert!(
            scaled.abs_diff(Duration::from_micros(10)) < Duration::from_micros(1),
            "{scaled:?}"
        );
        (0..2_000).for_each(|_| calibration.record(1, Duration::from_secs(1)));
        assert!(
            calibration.apply(1_000) <= Duration::from_micros(20),
            "bounded whatever was seen"
        );
        calibration.record(0, Duration::from_secs(1));
    }
}
