//! Which part of its life the server is in: every request passes by here, and probes ask. It knows no actors and no
//! signals; `startup` moves it on.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

const STARTING: u8 = 0;
const SERVING: u8 = 1;
const DRAINING: u8 = 2;

/// The part of its life that a server is in. One per process; moves forward only.
#[derive(Debug)]
pub struct Lifecycle {
    phase: AtomicU8,
    /// What a starting server waits for, in a sentence.
    waits_for: Mutex<Cow<'static, str>>,
}

impl Default for Lifecycle {
    /// Serving: whoever builds the application alone has nothing to wait for.
    fn default() -> Self {
        Self::in_phase(SERVING)
    }
}

impl Lifecycle {
    /// Returns that of a server that cannot serve yet: only probes are answered.
    pub fn starting() -> Self {
        Self::in_phase(STARTING)
    }

    fn in_phase(phase: u8) -> Self {
        Self {
            phase: AtomicU8::new(phase),
            waits_for: Mutex::new(Cow::Borrowed("the server is starting")),
        }
    }

    /// Says what a starting server waits for.
    pub fn waits_for(&self, what: impl Into<Cow<'static, str>>) {
        *self.sentence() = what.into();
    }

    /// Lets requests through, unless the server is stopping already.
    pub fn serve(&self) {
        let phase = &self.phase;
        // Stopping won: then it stays so.
        let _stopping =
            phase.compare_exchange(STARTING, SERVING, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Asks all clients to go elsewhere. Returns whether the server was serving until now.
    pub fn drain(&self) -> bool {
        self.phase.swap(DRAINING, Ordering::AcqRel) == SERVING
    }

    /// Returns whether requests have to wait for the server to be ready.
    pub fn is_starting(&self) -> bool {
        self.phase.load(Ordering::Acquire) == STARTING
    }

    /// Returns whether clients are asked to go elsewhere.
    pub fn is_draining(&self) -> bool {
        self.phase.load(Ordering::Acquire) == DRAINING
    }

    /// Returns why no requests should be sent here; `None` when they should.
    pub fn objection(&self) -> Option<Cow<'static, str>> {
        match self.phase.load(Ordering::Acquire) {
            STARTING => Some(self.sentence().clone()),
            DRAINING => Some(Cow::Borrowed("the server is stopping")),
            _ => None,
        }
    }

    fn sentence(&self) -> MutexGuard<'_, Cow<'static, str>> {
        self.waits_for
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_forward_only() {
        let life = Lifecycle::starting();
        assert!(life.is_starting() && !life.is_draining());
        life.waits_for("the database is away");
        assert_eq!(life.objection().as_deref(), Some("the database is away"));
        life.serve();
        assert_eq!(life.objection(), None);
        assert!(life.drain(), "it was serving");
        assert_eq!(life.objection().as_deref(), Some("the server is stopping"));
        life.serve();
        assert!(life.is_draining() && !life.drain());
    }

    #[test]
    fn a_stop_may_come_before_the_start_is_over() {
        let life = Lifecycle::starting();
        assert!(!life.drain(), "nobody was ever sent here");
        life.serve();
        assert!(life.is_draining());
    }

    #[test]
    fn an_application_alone_serves() {
        assert_eq!(Lifecycle::default().objection(), None);
    }
}
