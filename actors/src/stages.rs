//! Where a request's time goes: a duration a stage, filled by guards, so that an early return is counted too.

use std::time::{Duration, Instant};

/// What a request waits for after its body was decoded. A closed list: it is also a label of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Decoding the body.
    Decode,
    /// Finding the project's definitions.
    Definitions,
    /// Reading what is stored about the person and its groups, and storing hash keys.
    LookUp,
    /// Waiting for an evaluator, and evaluating.
    Evaluate,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 4] = [
        Self::Decode,
        Self::Definitions,
        Self::LookUp,
        Self::Evaluate,
    ];

    /// Returns its name in metrics and log lines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Definitions => "definitions",
            Self::LookUp => "look_up",
            Self::Evaluate => "evaluate",
        }
    }
}

/// How long one request spent in the stages that the actors know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stages {
    /// Reading stored data, and storing hash keys.
    pub look_up: Duration,
    /// Waiting for an evaluator, and evaluating.
    pub evaluate: Duration,
}

/// Adds the time until it is dropped to a duration.
#[derive(Debug)]
pub struct StageTimer<'a> {
    slot: &'a mut Duration,
    started: Instant,
}

impl<'a> StageTimer<'a> {
    /// Begins to measure.
    pub fn start(slot: &'a mut Duration) -> Self {
        Self {
            slot,
            started: Instant::now(),
        }
    }
}

impl Drop for StageTimer<'_> {
    fn drop(&mut self) {
        *self.slot += self.started.elapsed();
    }
}

#[cfg(test)]
mod tests {
    use super::StageTimer;
    use std::time::Duration;

    #[test]
    fn a_stage_that_is_left_early_counts_and_several_add_up() {
        let mut spent = Duration::ZERO;
        let fail = |slot: &mut Duration| -> Option<()> {
            let _timer = StageTimer::start(slot);
            None
        };
        assert_eq!(fail(&mut spent), None);
        let once = spent;
        assert!(once > Duration::ZERO);
        fail(&mut spent);
        assert!(spent > once);
    }
}
