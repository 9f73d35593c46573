//! Copies what the upstream accepted on the paths of events to Burgee, so that it knows the persons and groups when its turn comes.

use super::aside::Lane;
use super::metrics::ShadowMetrics;
use crate::peer::{Peer, Question};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often a copy is sent before it is given up.
const ATTEMPTS: u32 = 3;

/// The pause before the second attempt; it doubles.
const PAUSE: Duration = Duration::from_millis(250);

/// How long an attempt may take. Nobody waits for it.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;

/// Where accepted events are handed over.
#[derive(Debug, Clone)]
pub(super) struct Mirror(pub(super) Lane<Question>);

impl Mirror {
    /// Hands a request over. Never waits.
    pub(super) fn offer(&self, question: Question) {
        let bytes = question.body.len() + 2048;
        self.0.offer(question, bytes);
    }

    /// Counts a request whose body is too long to be copied.
    pub(super) fn too_large(&self) {
        self.0.too_large();
    }
}

/// What it takes to copy.
#[derive(Debug)]
pub(super) struct Copier {
    pub(super) burgee: Peer,
    pub(super) metrics: ShadowMetrics,
}

impl Copier {
    /// Sends a copy, again if Burgee could not take it. What it takes twice it applies once: events carry ids.
    pub(super) async fn run(self: Arc<Self>, question: Question) {
        let mut pause = PAUSE;
        for attempt in 1..=ATTEMPTS {
            let deadline = Instant::now() + TIMEOUT;
            match self.burgee.exchange(&question, deadline, MAX_ANSWER).await {
                Ok(answer) if answer.status < 400 => return self.metrics.mirrored("accepted"),
                Ok(answer) if answer.status < 500 && answer.status != 429 => {
                    tracing::debug!(status = answer.status, "a copy of events is refused");
                    return self.metrics.mirrored("refused");
                }
                Ok(answer) => tracing::debug!(status = answer.status, "a copy of events fails"),
                Err(error) => tracing::debug!(%error, "a copy of events fails"),
            }
            if attempt < ATTEMPTS {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
        }
        self.metrics.mirrored("failed");
    }
}
