//! Waiting for something to become true. The only place of the tests that pauses.

use std::time::{Duration, Instant};

/// How long anything is waited for. Generous: it decides nothing but when a broken build is given up.
pub const PATIENCE: Duration = Duration::from_secs(30);

const PAUSE: Duration = Duration::from_millis(10);

/// Asks again and again until `probe` gives a value; fails, naming `what`, when [`PATIENCE`] is over.
pub fn eventually<T>(what: &str, probe: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, probe)
}

/// The same with another deadline.
pub fn within<T>(patience: Duration, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + patience;
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(
            Instant::now() < end,
            "gave up waiting for {what} after {patience:?}"
        );
        pause();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "between two looks at another process there is nothing to wait for"
)]
fn pause() {
    std::thread::sleep(PAUSE);
}
