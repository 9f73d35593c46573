//! Which evaluator gets a request, or that none does.

use crate::EvaluateError;
use crate::evaluator::{Evaluate, Evaluator, Work};
use crate::mailbox::{Mailbox, Refused};
use burgee_evaluation::Evaluations;
use rand::RngExt;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::time::timeout_at;

/// When a refused caller may try again, before jitter.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// All evaluators of one lane.
#[derive(Clone)]
pub(crate) struct Lane {
    evaluators: Vec<Mailbox<Evaluator>>,
}

/// Both lanes, and the border between them.
#[derive(Clone)]
pub(crate) struct Admission {
    pub(crate) small: Lane,
    pub(crate) large: Lane,
    /// Requests for more flags than this are large.
    pub(crate) large_above_flags: usize,
}

impl Lane {
    pub(crate) fn new(evaluators: Vec<Mailbox<Evaluator>>) -> Self {
        Self { evaluators }
    }

    /// Posts to the less loaded of two evaluators chosen at random, then to the other, then gives up.
    fn post(&self, message: Evaluate) -> Result<(), Refused<Evaluate>> {
        let (first, second) = match self.evaluators.as_slice() {
            [] => return Err(Refused(message)),
            [only] => return only.post(message),
            [one, other] => (one, other),
            many => {
                let mut random = rand::rng();
                let one = random.random_range(0..many.len());
                let other = (one + random.random_range(1..many.len())) % many.len();
                match (many.get(one), many.get(other)) {
                    (Some(one), Some(other)) => (one, other),
                    _ => return Err(Refused(message)),
                }
            }
        };
        let (first, second) = if first.depth() <= second.depth() {
            (first, second)
        } else {
            (second, first)
        };
        first
            .post(message)
            .or_else(|Refused(message)| second.post(message))
    }
}

impl Admission {
    /// Hands work to an evaluator and waits for its answer until the deadline.
    pub(crate) async fn evaluate(
        &self,
        work: Work,
        deadline: Instant,
    ) -> Result<Evaluations, EvaluateError> {
        let started_at = Instant::now();
        let lane = if work.selection.len() > self.large_above_flags {
            &self.large
        } else {
            &self.small
        };
        let (reply, answer) = oneshot::channel();
        lane.post(Evaluate {
            work: Box::new(work),
            deadline,
            posted_at: started_at,
            reply,
        })
        .map_err(|Refused(_)| EvaluateError::Busy {
            retry_after: RETRY_AFTER,
        })?;
        match timeout_at(deadline.into(), answer).await {
            Ok(Ok(evaluations)) => Ok(evaluations),
            // The evaluator dropped it: late work is dropped at the deadline, anything earlier is a loss.
            Ok(Err(_)) if deadline > Instant::now() => Err(EvaluateError::Lost),
            Ok(Err(_)) | Err(_) => Err(EvaluateError::TimedOut {
                budget: deadline - started_at,
            }),
        }
    }
}
