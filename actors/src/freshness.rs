//! Since when the published definitions are known to be current. Written by the change listener and the definitions
//! cache, read at each scrape and by readiness.

use burgee_schema::Synchronised;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What is known, and since when.
#[derive(Debug, Default)]
pub(crate) struct Freshness(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Definitions from disk: when they were put up, and how old they were then.
    restored: Option<(Instant, Duration)>,
    /// When the database was asked for everything.
    loaded_at: Option<Instant>,
    /// The feed of changes, once it is followed.
    feed: Option<Synchronised>,
    /// Since when at least one project could not be read again after a change.
    failing_since: Option<Instant>,
}

impl Freshness {
    /// Definitions were taken from disk that were current so long ago.
    pub(crate) fn restored(&self, age: Duration) {
        self.state().restored = Some((Instant::now(), age));
    }

    /// Everything was loaded, as of this moment.
    pub(crate) fn loaded(&self, asked_at: Instant) {
        self.state().loaded_at = Some(asked_at);
    }

    /// From now on the feed tells.
    pub(crate) fn follows(&self, feed: Synchronised) {
        self.state().feed = Some(feed);
    }

    /// Whether there are projects that changed and could not be read since.
    pub(crate) fn is_failing(&self, failing: bool) {
        let mut state = self.state();
        state.failing_since = match (failing, state.failing_since) {
            (false, _) => None,
            (true, Some(since)) => Some(since),
            (true, None) => Some(Instant::now()),
        };
    }

    /// Whether what is served was read from the database, at least once.
    pub(crate) fn is_from_database(&self) -> bool {
        self.state().loaded_at.is_some()
    }

    /// Returns how long ago the definitions were last known to be current; `None` before there are any.
    pub(crate) fn age(&self) -> Option<Duration> {
        let state = self.state();
        let known = state.feed.as_ref().and_then(Synchronised::at);
        let age = match known.max(state.loaded_at) {
            Some(at) => at.elapsed(),
            None => {
                let (at, age) = state.restored?;
                age + at.elapsed()
            }
        };
        let failing = state.failing_since.map(|since| since.elapsed());
        Some(failing.map_or(age, |failing| failing.max(age)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Freshness;
    use std::time::{Duration, Instant};

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn nothing_is_known_at_first() {
        assert_eq!(Freshness::default().age(), None);
    }

    #[test]
    fn what_comes_from_disk_is_as_old_as_it_was_there() {
        let freshness = Freshness::default();
        freshness.restored(HOUR);
        assert!(freshness.age().unwrap() >= HOUR);
        assert!(!freshness.is_from_database());
        freshness.loaded(Instant::now());
        assert!(freshness.age().unwrap() < HOUR);
        assert!(freshness.is_from_database());
    }

    #[test]
    fn a_project_that_cannot_be_read_again_makes_everything_old() {
        let freshness = Freshness::default();
        freshness.is_failing(true);
        let since = freshness.state().failing_since;
        freshness.is_failing(true);
        assert_eq!(
            freshness.state().failing_since,
            since,
            "the first failure counts"
        );
        freshness.loaded(Instant::now());
        assert!(freshness.age().unwrap() >= since.unwrap().duration_since(since.unwrap()));
        let age = freshness.age().unwrap();
        assert!(age > Duration::ZERO);
        freshness.is_failing(false);
        assert_eq!(freshness.state().failing_since, None);
    }
}
