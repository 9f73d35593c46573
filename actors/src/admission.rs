//! Which evaluator gets a request, or that none does, decided at once.
//!
//! A request is refused when no mailbox has room, when the expected wait is longer than what is left of its deadline,
//! when it does not get shorter, or when its project holds its share of a contended lane already.

use crate::EvaluateError;
use crate::courier::{Courier, Reply};
use crate::evaluator::{Evaluate, Work};
use crate::mailbox::{Refused, WhyRefused};
use crate::metrics::Metrics;
use crate::seat::Seat;
use crate::service_time::Calibration;
use crate::shares::{Place, Share, Shares};
use crate::standing_queue::Pressure;
use crate::system::ProjectSnapshot;
use arc_swap::ArcSwap;
use burgee_evaluation::outcome::FailureCode;
use burgee_evaluation::{Evaluations, Selection};
use rand::RngExt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout_at;

/// The least time after which a refused caller may try again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Refused callers are spread over this much more, so that they do not come back together.
const RETRY_JITTER: Duration = Duration::from_secs(2);

/// Flags that take so long to evaluate cost, with reading their answer out, as much as all the rest of a small request.
const SMALL_REQUEST: Duration = Duration::from_micros(32);

/// All evaluators of one lane.
#[derive(Clone)]
pub(crate) struct Lane {
    seats: Arc<ArcSwap<Vec<Arc<Seat>>>>,
    /// The evaluator on the caller's own thread, if there is one: it is asked first.
    home: Option<Arc<Seat>>,
    shares: Arc<Shares>,
}

/// What a project holds of each lane.
#[derive(Debug, Default)]
pub(crate) struct ProjectLoad {
    small: Arc<Share>,
    large: Arc<Share>,
    pub(crate) lookups: Arc<Share>,
    pub(crate) requests: Arc<Share>,
}

/// A place in a lane, for work that is still being prepared.
#[derive(Debug)]
pub(crate) struct Reserved {
    is_large: bool,
    place: Place,
}

/// Both lanes, and the border between them.
#[derive(Clone)]
pub(crate) struct Admission {
    small: Lane,
    large: Lane,
    /// Work that is expected to take longer is large.
    large_above: Duration,
    calibration: Arc<Calibration>,
    /// The way back to the worker that asks.
    courier: Option<Arc<Courier>>,
    metrics: Arc<Metrics>,
}

impl Lane {
    /// A lane of evaluators, with this many places in all mailboxes together.
    pub(crate) fn new(seats: Vec<Arc<Seat>>, room: usize) -> Self {
        Self {
            shares: Shares::new(room),
            seats: Arc::new(ArcSwap::from_pointee(seats)),
            home: None,
        }
    }

    /// Adds an evaluator to the lane, and returns the lane as that evaluator's thread sees it.
    pub(crate) fn with_home(&self, seat: Arc<Seat>) -> Self {
        self.seats.rcu(|seats| {
            let mut seats = Vec::clone(seats);
            seats.push(Arc::clone(&seat));
            seats
        });
        Self {
            home: Some(seat),
            ..self.clone()
        }
    }

    /// Returns how many messages wait in all mailboxes.
    fn waiting(&self) -> usize {
        self.seats.load().iter().map(|seat| seat.waiting()).sum()
    }

    /// Returns two evaluators, the one to ask first in front: the thread's own, or the less loaded of two.
    fn candidates(&self) -> [Option<Arc<Seat>>; 2] {
        let seats = self.seats.load();
        if let Some(home) = &self.home {
            let other = any(&seats, |seat| Arc::ptr_eq(seat, home));
            return [Some(Arc::clone(home)), other];
        }
        let Some(first) = any(&seats, |_| false) else {
            return [None, None];
        };
        match any(&seats, |seat| Arc::ptr_eq(seat, &first)) {
            Some(second) if second.waiting() < first.waiting() => [Some(second), Some(first)],
            second => [Some(first), second],
        }
    }
}

/// Returns one of the seats at random, but not the excluded one.
fn any(seats: &[Arc<Seat>], excluded: impl Fn(&Arc<Seat>) -> bool) -> Option<Arc<Seat>> {
    let start = match seats.len() {
        0 | 1 => 0,
        count => rand::rng().random_range(0..count),
    };
    let (before, after) = seats.split_at(start);
    let mut seats = after.iter().chain(before);
    seats.find(|seat| !excluded(seat)).cloned()
}

impl Admission {
    pub(crate) fn new(
        small: Lane,
        large: Lane,
        large_above: Duration,
        calibration: Arc<Calibration>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            small,
            large,
            large_above,
            calibration,
            courier: None,
            metrics,
        }
    }

    /// Returns the admission whose answers come by a courier.
    pub(crate) fn with_courier(&self, courier: Arc<Courier>) -> Self {
        Self {
            courier: Some(courier),
            ..self.clone()
        }
    }

    /// Adds a small evaluator, and returns the admission as that evaluator's thread sees it.
    pub(crate) fn with_home(&self, seat: Arc<Seat>) -> Self {
        Self {
            small: self.small.with_home(seat),
            ..self.clone()
        }
    }

    /// Takes a place in the lane of a selection, before anything is read for it: what cannot be evaluated in time
    /// should cost no question to the database.
    pub(crate) fn reserve(
        &self,
        project: &ProjectSnapshot,
        selection: &Selection,
        deadline: Instant,
    ) -> Result<Reserved, EvaluateError> {
        let is_large = self.calibration.apply(selection.cost_ns()) > self.large_above;
        let lane = self.lane(is_large);
        let load = &project.load;
        let share = if is_large { &load.large } else { &load.small };
        let [Some(seat), _] = lane.candidates() else {
            return Err(self.refusal(WhyRefused::Gone, Duration::ZERO));
        };
        let (now, wait) = (Instant::now(), seat.expected_wait());
        let left = deadline.saturating_duration_since(now);
        let pressure = seat.standing.ask(now, wait);
        let (allowed, why) = match pressure {
            _ if wait > left => return Err(self.refusal(WhyRefused::Wait, wait)),
            Pressure::None => (lane.shares.allowed(lane.waiting()), WhyRefused::Share),
            _ => (lane.shares.under(pressure), pressure.reason()),
        };
        let place = lane.shares.take(share, allowed);
        let Some(place) = place else {
            if pressure != Pressure::None {
                seat.standing.refuse();
            }
            return Err(self.refusal(why, wait));
        };
        Ok(Reserved { is_large, place })
    }

    /// Returns how many requests as small as can be a selection is worth: reading and answering costs about as much for each of
    /// them, and so much more for the flags.
    pub(crate) fn places(&self, selection: &Selection) -> usize {
        let cost = self.calibration.apply(selection.cost_ns());
        let flags = cost.as_nanos() / SMALL_REQUEST.as_nanos();
        1 + usize::try_from(flags).unwrap_or(usize::MAX - 1)
    }

    fn lane(&self, is_large: bool) -> &Lane {
        if is_large { &self.large } else { &self.small }
    }

    /// Hands work to an evaluator and waits for its answer until the deadline.
    pub(crate) async fn evaluate(
        &self,
        reserved: Reserved,
        work: Work,
        deadline: Instant,
    ) -> Result<Evaluations, EvaluateError> {
        let started_at = Instant::now();
        let (project, selection) = (Arc::clone(&work.project), work.selection.clone());
        let (reply, answer) = Reply::channel(self.courier.as_ref());
        self.admit(reserved, work, started_at, deadline, reply)?;
        match timeout_at(deadline.into(), answer).await {
            Ok(Ok(evaluations)) => Ok(evaluations),
            // Late work is dropped by its evaluator. Anything dropped earlier went down with it: its flags failed.
            Ok(Err(_)) if deadline > Instant::now() => Ok(Evaluations::all_failed(
                &project.definitions,
                &selection,
                FailureCode::BatchEvaluationPanicked,
            )),
            Ok(Err(_)) | Err(_) => Err(EvaluateError::TimedOut {
                budget: deadline.saturating_duration_since(started_at),
            }),
        }
    }

    fn admit(
        &self,
        reserved: Reserved,
        work: Work,
        now: Instant,
        deadline: Instant,
        reply: Reply<Evaluations>,
    ) -> Result<(), EvaluateError> {
        let Reserved { is_large, place } = reserved;
        let lane = self.lane(is_large);
        let mut message = Evaluate {
            work: Box::new(work),
            deadline,
            posted_at: now,
            reply,
            place,
        };
        let left = deadline.saturating_duration_since(now);
        let mut refusal = (WhyRefused::Full, Duration::ZERO);
        for seat in lane.candidates().into_iter().flatten() {
            let wait = seat.expected_wait();
            if wait > left {
                refusal = (WhyRefused::Wait, wait);
                continue;
            }
            match seat.post(message) {
                Ok(()) => return Ok(()),
                Err(Refused { message: back, why }) => {
                    refusal = (why, wait);
                    message = back;
                }
            }
        }
        Err(self.refusal(refusal.0, refusal.1))
    }

    /// Counts a refusal and tells when to come back: later the longer the queue, and not all at once.
    pub(crate) fn refusal(&self, why: WhyRefused, wait: Duration) -> EvaluateError {
        self.metrics.count_refusal(why);
        let jitter = RETRY_JITTER.mul_f64(rand::rng().random());
        EvaluateError::Busy {
            retry_after: RETRY_AFTER.max(wait) + jitter,
        }
    }
}

#[cfg(test)]
mod tests;
