//! The seat of an evaluator: where it is reached, and what is known of its load. An evaluator that died is replaced here.

use crate::evaluator::{Evaluate, Evaluator, Lane};
use crate::mailbox::{Mailbox, Refused, WhyRefused};
use crate::metrics::{MailboxMetrics, Metrics};
use crate::service_time::{Calibration, ServiceTime};
use crate::standing_queue::{StandingLimit, StandingQueue};
use actix::{Context, Supervisor};
use actix_rt::ArbiterHandle;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What it takes to start an evaluator, and to start it again.
pub(crate) struct SeatPlan {
    pub(crate) lane: Lane,
    pub(crate) capacity: usize,
    /// How long its queue may stay.
    pub(crate) standing_limit: StandingLimit,
    pub(crate) calibration: Arc<Calibration>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) mailbox: MailboxMetrics,
}

/// One evaluator's place among the fixed set.
pub(crate) struct Seat {
    plan: SeatPlan,
    service: Arc<ServiceTime>,
    pub(crate) standing: StandingQueue,
    arbiter: ArbiterHandle,
    mailbox: ArcSwap<Mailbox<Evaluator>>,
    replacing: AtomicBool,
}

impl Seat {
    /// Starts an evaluator on a thread.
    pub(crate) fn start(plan: SeatPlan, arbiter: ArbiterHandle) -> Arc<Self> {
        let service = Arc::new(ServiceTime::default());
        let mailbox = start(&plan, &service, &arbiter);
        Arc::new(Self {
            standing: StandingQueue::new(&plan.standing_limit, Instant::now()),
            plan,
            service,
            arbiter,
            mailbox: ArcSwap::from_pointee(mailbox),
            replacing: AtomicBool::new(false),
        })
    }

    /// Waits until the evaluator takes messages, up to its capacity.
    pub(crate) async fn ready(&self) {
        let mailbox = self.mailbox.load_full();
        mailbox.ready().await;
    }

    /// Returns how many messages wait.
    pub(crate) fn waiting(&self) -> usize {
        self.mailbox.load().waiting()
    }

    /// Returns how long a message posted now will wait.
    pub(crate) fn expected_wait(&self) -> Duration {
        let parallel = self.plan.lane.parallel();
        let expected = self.service.expected_wait(self.waiting(), parallel);
        expected.max(self.service.last_wait(Instant::now()))
    }

    /// Pretends that an evaluation took this long.
    #[cfg(test)]
    pub(crate) fn learn(&self, took: Duration) {
        self.service.record(took);
    }

    /// Posts a message. An evaluator that is found dead is replaced, and the message goes to its successor.
    pub(crate) fn post(&self, message: Evaluate) -> Result<(), Refused<Evaluate>> {
        match self.mailbox.load().post(message) {
            Err(Refused {
                message,
                why: WhyRefused::Gone,
            }) if !self.replacing.swap(true, Ordering::AcqRel) => {
                tracing::error!("an evaluator died; it is replaced");
                self.plan.metrics.evaluators_replaced.inc();
                let successor = start(&self.plan, &self.service, &self.arbiter);
                self.mailbox.store(Arc::new(successor));
                self.replacing.store(false, Ordering::Release);
                self.mailbox.load().post(message)
            }
            posted => posted,
        }
    }
}

fn start(
    plan: &SeatPlan,
    service: &Arc<ServiceTime>,
    arbiter: &ArbiterHandle,
) -> Mailbox<Evaluator> {
    let evaluator = Evaluator::new(
        plan.lane.clone(),
        plan.capacity,
        Arc::clone(service),
        Arc::clone(&plan.calibration),
        Arc::clone(&plan.metrics),
    );
    let begin = move |_: &mut Context<Evaluator>| evaluator;
    let address = Supervisor::start_in_arbiter(arbiter, begin);
    Mailbox::new(address, plan.mailbox.clone())
}
