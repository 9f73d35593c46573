use super::{Evaluate, Evaluator, Lane, Threads, Work};
use crate::courier::Reply;
use crate::cpu_pool::CpuPool;
use crate::local_definitions::LocalDefinitions;
use crate::mailbox::Mailbox;
use crate::metrics::Metrics;
use crate::service_time::Calibration;
use crate::shares::{Allowed, Shares};
use crate::static_members::StaticMembers;
use crate::system::ProjectSnapshot;
use crate::tests::{flag, metrics};
use actix::Supervisor;
use burgee_evaluation::outcome::{FailureCode, FlagValue, Reason};
use burgee_evaluation::subject::Read;
use burgee_evaluation::{
    CohortSet, Definitions, Evaluations, MatchingVersion, Moment, ProjectId, Selector, Subject,
};
use chrono::Utc;
use chrono_tz::Tz;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Evaluating for this distinct id panics, in tests.
pub(crate) const PANIC: &str = "evaluating this one panics";

/// Dequeuing a message for this one kills the evaluator, past all that catches panics.
pub(crate) const DIE: &str = "dequeuing this one kills the evaluator";

const LONG: Duration = Duration::from_secs(60);

pub(crate) fn project() -> Arc<ProjectSnapshot> {
    project_of(1)
}

/// A project with flags that let everybody in.
fn project_of(flags: i32) -> Arc<ProjectSnapshot> {
    let flags = (1..=flags).map(|id| flag(id, &format!("flag-{id}")));
    let (definitions, dropped) = Definitions::compile(flags.collect(), Ok(Default::default()));
    assert_eq!(dropped, []);
    Arc::new(ProjectSnapshot {
        id: ProjectId(1),
        token: "phc_test".into(),
        revision: "1.1".parse().unwrap(),
        definitions: Arc::new(definitions),
        cohorts: Arc::new(CohortSet::default()),
        zone: Tz::UTC,
        matching: MatchingVersion::Default,
        load: Arc::default(),
        static_members: StaticMembers::default(),
        local_definitions: LocalDefinitions::none(),
    })
}

pub(crate) fn work(project: &Arc<ProjectSnapshot>, distinct_id: &str) -> Work {
    Work {
        project: Arc::clone(project),
        selection: project.definitions.select(&Selector::default()),
        subject: Subject {
            distinct_id: distinct_id.into(),
            ..Subject::default()
        },
        state: Read::NotNeeded,
        hash_keys: Read::NotNeeded,
        moment: Moment {
            now: Utc::now(),
            zone: project.zone,
            matching: project.matching,
        },
    }
}

fn post(
    evaluator: &Mailbox<Evaluator>,
    work: Work,
    deadline: Duration,
) -> tokio::sync::oneshot::Receiver<Evaluations> {
    let (reply, answer) = Reply::channel(None);
    let now = Instant::now();
    evaluator
        .post(Evaluate {
            work: Box::new(work),
            deadline: now + deadline,
            posted_at: now,
            reply,
            place: Shares::new(8).take(&Arc::default(), Allowed::All).unwrap(),
        })
        .unwrap();
    answer
}

fn start(lane: Lane, metrics: &Arc<Metrics>) -> Mailbox<Evaluator> {
    let its_metrics = Arc::clone(metrics);
    let address = Supervisor::start(move |_| {
        Evaluator::new(
            lane,
            8,
            Arc::default(),
            Arc::new(Calibration::new()),
            its_metrics,
        )
    });
    Mailbox::new(address, metrics.mailbox("evaluator", 0, 8))
}

fn lanes() -> [Lane; 2] {
    [
        Lane::Inline,
        Lane::Rayon {
            pool: CpuPool::new(1).unwrap(),
            slots: 1,
        },
    ]
}

#[actix::test]
async fn a_panic_fails_its_own_request_and_the_queue_behind_it_is_answered() {
    for lane in lanes() {
        let (metrics, _directory) = metrics().await;
        let project = project();
        let evaluator = start(lane, &metrics);
        evaluator.ready().await;
        let broken = post(&evaluator, work(&project, PANIC), LONG);
        let behind: Vec<_> = (0..5)
            .map(|_| post(&evaluator, work(&project, "ada"), LONG))
            .collect();

        let broken = broken.await.unwrap();
        assert!(broken.errors_while_computing);
        let outcome = broken.iter().next().unwrap().outcome;
        assert_eq!(
            outcome.reason,
            Reason::Failed(FailureCode::BatchEvaluationPanicked)
        );
        for answer in behind {
            let answer = answer.await.unwrap();
            assert_eq!(answer.iter().next().unwrap().outcome.value, FlagValue::On);
            assert!(!answer.errors_while_computing);
        }
        assert_eq!(metrics.panics.get(), 1);
        // The restarted actor still refuses at its own capacity, not at actix's default.
        let more = post(&evaluator, work(&project, "ada"), LONG);
        assert_eq!(more.await.unwrap().len(), 1);
    }
}

#[actix::test]
async fn work_that_nobody_wants_is_dropped_and_counted() {
    for lane in lanes() {
        let (metrics, _directory) = metrics().await;
        let project = project();
        let evaluator = start(lane, &metrics);
        drop(post(&evaluator, work(&project, "gone"), LONG));
        let late = post(&evaluator, work(&project, "late"), Duration::ZERO);
        assert!(late.await.is_err(), "late work is never answered");
        let wanted = post(&evaluator, work(&project, "ada"), LONG);
        assert_eq!(wanted.await.unwrap().len(), 1);
        assert_eq!(
            (
                metrics.evaluations_abandoned.get(),
                metrics.evaluations_late.get()
            ),
            (1, 1)
        );
    }
}

#[actix::test]
async fn large_work_is_split_when_threads_are_idle_and_answers_the_same() {
    let (metrics, _directory) = metrics().await;
    let (small, large) = (project_of(20), project_of(20_000));
    let [one, two] = [1, 2].map(|threads| CpuPool::new(threads).unwrap());
    let rows = [
        (&small, &two, 1, Threads::One, "too small to pay"),
        (&large, &one, 1, Threads::One, "no other thread"),
        (&large, &two, 2, Threads::One, "another batch is under way"),
        (&large, &two, 1, Threads::Idle, "large, and alone"),
    ];
    for (project, pool, in_flight, expected, case) in rows {
        let gauge = prometheus_client::metrics::gauge::Gauge::default();
        gauge.set(in_flight);
        let threads = work(project, "ada").threads(pool, &gauge);
        assert_eq!(threads, expected, "{case}");
    }

    let lane = Lane::Rayon {
        pool: two,
        slots: 1,
    };
    let evaluator = start(lane, &metrics);
    let answer = post(&evaluator, work(&large, "ada"), LONG).await.unwrap();
    assert!(
        answer
            .iter()
            .all(|flag| flag.outcome.value == FlagValue::On)
    );
    assert_eq!(answer.len(), 20_000);
    assert_eq!(metrics.evaluations_split.get(), 1);
}
