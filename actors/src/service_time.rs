//! How long work takes, learned while it is done: moving averages that admission reads without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Each sample moves an average by one in this many parts.
const WEIGHT: u64 = 32;

/// The moving average of an evaluator's service time.
#[derive(Debug, Default)]
pub(crate) struct ServiceTime(Average);

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

impl ServiceTime {
    pub(crate) fn record(&self, took: Duration) {
        self.0.add(nanoseconds(took));
    }

    /// Returns how long `waiting` messages will keep `parallel` workers busy.
    pub(crate) fn expected_wait(&self, waiting: usize, parallel: usize) -> Duration {
        let waiting = u64::try_from(waiting).unwrap_or(u64::MAX);
        let parallel = u64::try_from(parallel).unwrap_or(1).max(1);
        Duration::from_nanos(self.0.get().saturating_mul(waiting) / parallel)
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
    use std::time::Duration;

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
