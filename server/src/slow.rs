//! One line for a slow request, with the time spent in each stage. Nothing is allocated for one that is not slow, and
//! only a few lines are written each second.

use crate::middleware::RequestId;
use crate::trace::TraceContext;
use actix_web::http::StatusCode;
use burgee_actors::Stages;
use burgee_evaluation::ProjectId;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines a second, at most.
const LINES_PER_SECOND: u32 = 5;

/// Where one request's time went.
#[derive(Debug, Default)]
pub struct RequestStages {
    /// Until the whole body was there.
    pub read: Duration,
    /// Decoding it.
    pub decode: Duration,
    /// Finding the project's definitions.
    pub definitions: Duration,
    /// What the actors took.
    pub actors: Stages,
    /// Writing the answer.
    pub render: Duration,
    /// The project, once it is known.
    pub project: Option<ProjectId>,
}

/// Decides which requests are slow, and which of those get a line.
#[derive(Debug)]
pub struct SlowRequests {
    /// In microseconds; `u64::MAX` for never.
    threshold_micros: AtomicU64,
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    began: Option<Instant>,
    lines: u32,
    left_out: u64,
}

impl SlowRequests {
    /// Requests that take at least this long are slow; `None` switches the lines off.
    pub fn new(threshold: Option<Duration>) -> Self {
        Self {
            threshold_micros: AtomicU64::new(threshold.map_or(u64::MAX, micros)),
            window: Mutex::default(),
        }
    }

    /// Changes from when on a request is slow.
    pub fn set_threshold(&self, threshold: Option<Duration>) {
        let threshold = threshold.map_or(u64::MAX, micros);
        self.threshold_micros.store(threshold, Ordering::Relaxed);
    }

    /// Returns whether a request that took this long is slow.
    pub fn is_slow(&self, took: Duration) -> bool {
        let threshold = self.threshold_micros.load(Ordering::Relaxed);
        threshold != u64::MAX && micros(took) >= threshold
    }

    /// Writes the line of a slow request, unless there were too many in this second.
    pub fn log(
        &self,
        route: &'static str,
        status: StatusCode,
        (id, trace): (RequestId, Option<TraceContext>),
        took: Duration,
        stages: &RequestStages,
    ) {
        let Some(left_out) = self.admit(Instant::now()) else {
            return;
        };
        tracing::warn!(
            target: "burgee::slow",
            route,
            status = status.as_u16(),
            request_id = %id.0,
            trace_id = trace.map(tracing::field::display),
            project = stages.project.map(|project| project.0),
            duration_us = micros(took),
            read_us = micros(stages.read),
            decode_us = micros(stages.decode),
            definitions_us = micros(stages.definitions),
            look_up_us = micros(stages.actors.look_up),
            evaluate_us = micros(stages.actors.evaluate),
            render_us = micros(stages.render),
            left_out,
            "slow request"
        );
    }

    /// Takes a place among this second's lines; returns how many had none since the last line.
    fn admit(&self, now: Instant) -> Option<u64> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = window
            .began
            .is_none_or(|began| now.saturating_duration_since(began) >= Duration::from_secs(1));
        if is_over {
            window.began = Some(now);
            window.lines = 0;
        }
        if window.lines >= LINES_PER_SECOND {
            window.left_out += 1;
            return None;
        }
        window.lines += 1;
        Some(std::mem::take(&mut window.left_out))
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{LINES_PER_SECOND, SlowRequests};
    use std::time::{Duration, Instant};

    #[test]
    fn the_threshold_decides_and_may_be_off() {
        let quarter = Duration::from_millis(250);
        let slow = SlowRequests::new(Some(quarter));
        assert!(slow.is_slow(quarter));
        assert!(!slow.is_slow(quarter - Duration::from_micros(1)));
        assert!(!SlowRequests::new(None).is_slow(Duration::MAX));
    }

    #[test]
    fn a_second_has_only_so_many_lines_and_the_next_one_tells_how_many_are_missing() {
        let (slow, now) = (SlowRequests::new(None), Instant::now());
        for _ in 0..LINES_PER_SECOND {
            assert_eq!(slow.admit(now), Some(0));
        }
        for _ in 0..7 {
            assert_eq!(slow.admit(now + Duration::from_millis(999)), None);
        }
        let next = now + Duration::from_secs(1);
        assert_eq!(slow.admit(next), Some(7));
        assert_eq!(slow.admit(next), Some(0));
    }
}
