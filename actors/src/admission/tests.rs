use super::{Admission, Lane, ProjectLoad};
use crate::EvaluateError;
use crate::cpu_pool::CpuPool;
use crate::evaluator::tests::{DIE, project, work};
use crate::evaluator::{self, Work};
use crate::local_definitions::LocalDefinitions;
use crate::metrics::Metrics;
use crate::seat::{Seat, SeatPlan};
use crate::service_time::Calibration;
use crate::static_members::StaticMembers;
use crate::system::ProjectSnapshot;
use crate::tests::{first, metrics};
use actix_rt::{Arbiter, ArbiterHandle};
use burgee_evaluation::outcome::{FailureCode, FlagValue, Reason};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

const CAPACITY: usize = 8;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// A thread that can be held up, so that what is posted to its actors waits.
struct Thread {
    arbiter: ArbiterHandle,
}

impl Thread {
    fn new() -> Self {
        Self {
            arbiter: Arbiter::new().handle(),
        }
    }

    /// Keeps the thread from running anything until the sender is dropped.
    fn hold(&self) -> Sender<()> {
        let (release, released) = channel();
        let (holding, holds) = channel();
        self.arbiter.spawn_fn(move || {
            holding.send(()).unwrap();
            released.recv().unwrap_err();
        });
        holds.recv().unwrap();
        release
    }
}

fn seat(thread: &Thread, metrics: &Arc<Metrics>) -> Arc<Seat> {
    // The depth of a mailbox is its gauge's: two evaluators need two.
    static INSTANCES: AtomicU32 = AtomicU32::new(0);
    let instance = INSTANCES.fetch_add(1, Ordering::Relaxed);
    let plan = SeatPlan {
        lane: evaluator::Lane::Inline,
        capacity: CAPACITY,
        standing_limit: crate::standing_queue::StandingLimit::new(None),
        calibration: Arc::new(Calibration::new()),
        metrics: Arc::clone(metrics),
        mailbox: metrics.mailbox("evaluator", instance, CAPACITY),
    };
    Seat::start(plan, thread.arbiter.clone())
}

/// One small evaluator on a thread of its own, no large ones.
async fn admission(thread: &Thread, metrics: &Arc<Metrics>) -> Admission {
    let seat = seat(thread, metrics);
    seat.ready().await;
    Admission::new(
        Lane::new(vec![seat], CAPACITY),
        Lane::new(Vec::new(), CAPACITY),
        Duration::from_millis(1),
        Arc::new(Calibration::new()),
        Arc::clone(metrics),
    )
}

/// Another project, with the same flags.
fn other(project: &ProjectSnapshot) -> Arc<ProjectSnapshot> {
    Arc::new(ProjectSnapshot {
        id: project.id,
        token: project.token.clone(),
        revision: project.revision,
        definitions: Arc::clone(&project.definitions),
        cohorts: Arc::clone(&project.cohorts),
        zone: project.zone,
        matching: project.matching,
        load: Arc::new(ProjectLoad::default()),
        static_members: StaticMembers::default(),
        local_definitions: LocalDefinitions::none(),
    })
}

impl Admission {
    /// Takes a place and uses it at once.
    async fn run(&self, work: Work, deadline: Instant) -> Answer {
        let reserved = self.reserve(&work.project, &work.selection, deadline)?;
        self.evaluate(reserved, work, deadline).await
    }
}

type Answer = Result<burgee_evaluation::Evaluations, EvaluateError>;

/// Posts work, and lets it wait beside this test. It has been posted, or refused, when this returns.
async fn post(admission: &Admission, work: Work) -> JoinHandle<Answer> {
    let admission = admission.clone();
    let task = actix_rt::spawn(async move { admission.run(work, soon()).await });
    tokio::task::yield_now().await;
    task
}

fn is_busy(answer: &Answer) -> bool {
    matches!(answer, Err(EvaluateError::Busy { .. }))
}

#[actix::test]
async fn a_full_mailbox_refuses_at_once_and_says_when_to_come_back() {
    let (metrics, _directory) = metrics().await;
    let thread = Thread::new();
    let admission = admission(&thread, &metrics).await;
    let held = thread.hold();
    // Many projects, so that none of them is over its share.
    let project = project();
    let mut waiting = Vec::new();
    for _ in 0..CAPACITY {
        waiting.push(post(&admission, work(&other(&project), "ada")).await);
    }
    let refused = admission.run(work(&other(&project), "ada"), soon()).await;
    let Err(EvaluateError::Busy { retry_after }) = refused else {
        panic!("{refused:?}")
    };
    assert!(
        (Duration::from_secs(1)..=Duration::from_secs(3)).contains(&retry_after),
        "{retry_after:?}"
    );
    drop(held);
    for answer in waiting {
        assert_eq!(first(&answer.await.unwrap().unwrap()).value, FlagValue::On);
    }
    assert!(!is_busy(
        &admission.run(work(&project, "ada"), soon()).await
    ));
}

#[actix::test]
async fn refused_callers_are_spread() {
    let (metrics, _directory) = metrics().await;
    let thread = Thread::new();
    let admission = admission(&thread, &metrics).await;
    let delays: std::collections::HashSet<Duration> = (0..50)
        .map(
            |_| match admission.refusal(crate::mailbox::WhyRefused::Full, Duration::ZERO) {
                EvaluateError::Busy { retry_after } => retry_after,
                other => panic!("{other:?}"),
            },
        )
        .collect();
    assert!(delays.len() > 40, "{delays:?}");
}

#[actix::test]
async fn work_that_would_wait_past_its_deadline_is_refused_although_there_is_room() {
    let (metrics, _directory) = metrics().await;
    let thread = Thread::new();
    let seat = seat(&thread, &metrics);
    seat.ready().await;
    // As if each evaluation took ten seconds.
    seat.learn(Duration::from_secs(10));
    let small = Lane::new(vec![seat], CAPACITY);
    let large = Lane::new(Vec::new(), CAPACITY);
    let calibration = Arc::new(Calibration::new());
    let admission = Admission::new(
        small,
        large,
        Duration::from_millis(1),
        calibration,
        Arc::clone(&metrics),
    );
    let held = thread.hold();
    let project = project();
    let first = post(&admission, work(&project, "ada")).await;
    let deadline = Instant::now() + Duration::from_secs(5);
    let refused = admission.run(work(&project, "grace"), deadline).await;
    let Err(EvaluateError::Busy { retry_after }) = refused else {
        panic!("{refused:?}")
    };
    assert!(
        retry_after >= Duration::from_secs(10),
        "not before the queue is worked off: {retry_after:?}"
    );
    let patient = post(&admission, work(&project, "linus")).await;
    drop(held);
    assert!(first.await.unwrap().is_ok() && patient.await.unwrap().is_ok());
}

#[actix::test]
async fn one_projects_flood_leaves_room_for_another() {
    let (metrics, _directory) = metrics().await;
    let thread = Thread::new();
    let admission = admission(&thread, &metrics).await;
    let held = thread.hold();
    let flood = project();
    let calm = other(&flood);
    let mut accepted = Vec::new();
    for _ in 0..3 * CAPACITY {
        let answer = post(&admission, work(&flood, "flood")).await;
        match answer.is_finished() {
            true => assert!(is_busy(&answer.await.unwrap())),
            false => accepted.push(answer),
        }
    }
    assert_eq!(
        accepted.len(),
        CAPACITY / 2,
        "half of the places are left to others"
    );
    let calm = post(&admission, work(&calm, "calm")).await;
    drop(held);
    assert!(calm.await.unwrap().is_ok());
    for answer in accepted {
        assert!(answer.await.unwrap().is_ok());
    }
}

#[actix::test]
async fn a_dead_evaluator_is_replaced_and_its_waiters_get_an_answer() {
    let (metrics, _directory) = metrics().await;
    let thread = Thread::new();
    let admission = admission(&thread, &metrics).await;
    let held = thread.hold();
    let project = project();
    let killer = post(&admission, work(&project, DIE)).await;
    let behind = post(&admission, work(&project, "ada")).await;
    drop(held);
    for lost in [killer, behind] {
        let answer = lost.await.unwrap().unwrap();
        assert!(answer.errors_while_computing);
        let reason = first(&answer).reason;
        assert_eq!(reason, Reason::Failed(FailureCode::BatchEvaluationPanicked));
    }
    let after = admission.run(work(&project, "ada"), soon()).await.unwrap();
    assert_eq!(first(&after).value, FlagValue::On);
    assert_eq!(metrics.evaluators_replaced.get(), 1);
}

#[actix::test]
async fn the_less_loaded_of_two_evaluators_is_asked_first() {
    let (metrics, _directory) = metrics().await;
    let threads = [Thread::new(), Thread::new()];
    let seats = threads.each_ref().map(|thread| seat(thread, &metrics));
    for seat in &seats {
        seat.ready().await;
    }
    let admission = |seats: &[Arc<Seat>]| {
        Admission::new(
            Lane::new(seats.to_vec(), 2 * CAPACITY),
            Lane::new(Vec::new(), CAPACITY),
            Duration::from_millis(1),
            Arc::new(Calibration::new()),
            Arc::clone(&metrics),
        )
    };
    let held = threads[0].hold();
    let project = project();
    let mut waiting = Vec::new();
    for _ in 0..CAPACITY / 2 {
        waiting.push(post(&admission(&seats[..1]), work(&project, "ada")).await);
    }
    // The first one is held up, so only the second one can answer.
    for _ in 0..20 {
        let answer = admission(&seats).run(work(&project, "ada"), soon()).await;
        assert!(answer.is_ok());
    }
    drop(held);
    for answer in waiting {
        assert!(answer.await.unwrap().is_ok());
    }
}

#[actix::test]
async fn a_thread_asks_its_own_evaluator_first_and_another_when_that_one_is_full() {
    let (metrics, _directory) = metrics().await;
    let threads = [Thread::new(), Thread::new()];
    let seats = threads.each_ref().map(|thread| seat(thread, &metrics));
    for seat in &seats {
        seat.ready().await;
    }
    let [home, other] = seats;
    let shared = Admission::new(
        Lane::new(vec![other], 4 * CAPACITY),
        Lane::new(Vec::new(), CAPACITY),
        Duration::from_millis(1),
        Arc::new(Calibration::new()),
        Arc::clone(&metrics),
    );
    let at_home = shared.with_home(Arc::clone(&home));
    let held = threads[0].hold();
    let project = project();
    let mut waiting = Vec::new();
    for n in 1..=CAPACITY {
        waiting.push(post(&at_home, work(&project, "ada")).await);
        assert_eq!(home.waiting(), n);
    }
    let overflow = at_home.run(work(&project, "ada"), soon()).await;
    assert!(overflow.is_ok(), "the other one helps out");
    drop(held);
    for answer in waiting {
        assert!(answer.await.unwrap().is_ok());
    }
}

#[actix::test]
async fn large_work_goes_to_the_large_lane() {
    let mut registry = Registry::default();
    let (store, _directory) = crate::tests::store().await;
    let metrics = Arc::new(Metrics::register(&mut registry, store));
    let thread = Thread::new();
    let pool = CpuPool::new(1).unwrap();
    let plan = SeatPlan {
        lane: evaluator::Lane::Rayon { pool, slots: 2 },
        capacity: CAPACITY,
        standing_limit: crate::standing_queue::StandingLimit::new(None),
        calibration: Arc::new(Calibration::new()),
        metrics: Arc::clone(&metrics),
        mailbox: metrics.mailbox("large", 0, CAPACITY),
    };
    let large = Seat::start(plan, thread.arbiter.clone());
    large.ready().await;
    let admission = |above| {
        let lanes = (
            Lane::new(Vec::new(), 1),
            Lane::new(vec![Arc::clone(&large)], CAPACITY),
        );
        Admission::new(
            lanes.0,
            lanes.1,
            above,
            Arc::new(Calibration::new()),
            Arc::clone(&metrics),
        )
    };
    let project = project();
    // One flag costs more than nothing, and less than a second.
    let all_is_large = admission(Duration::ZERO)
        .run(work(&project, "ada"), soon())
        .await;
    assert!(all_is_large.is_ok());
    let all_is_small = admission(Duration::from_secs(1))
        .run(work(&project, "ada"), soon())
        .await;
    assert!(is_busy(&all_is_small), "the small lane has nobody");
    // A batch counts until after its answer.
    let give_up = soon();
    loop {
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        if text.contains("burgee_batches_in_flight{lane=\"large\"} 0\n") {
            break;
        }
        assert!(Instant::now() < give_up, "{text}");
        tokio::task::yield_now().await;
    }
}
