//! One project floods an HTTP worker, and the others notice.

use super::{EVERYBODY, ada, config, flag, project, seeded, until, write};
use crate::metrics::Metrics;
use crate::shares::{Allowed, Place};
use crate::stages::Stages;
use crate::system::{EvaluateRequest, Readiness, System};
use crate::{EvaluateError, ProjectSnapshot};
use burgee_evaluation::Selector;
use burgee_schema::Store;
use burgee_schema::models::FlagRow;
use chrono::Utc;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::time::Duration;

const LIMIT: Duration = Duration::from_millis(100);

async fn at_worker(store: &Store) -> System {
    let metrics = Metrics::register(&mut Registry::default(), store.clone());
    let config = crate::Config {
        standing_limit: Some(LIMIT),
        ..config()
    };
    let system = System::start(&config, store.clone(), metrics)
        .await
        .unwrap();
    until(async || system.readiness() == Readiness::Ready).await;
    system.at_worker()
}

async fn answer(system: &System, project: &Arc<ProjectSnapshot>) -> Result<usize, EvaluateError> {
    let request = EvaluateRequest {
        selector: Selector::default(),
        subject: ada(),
        overrides_only: true,
        write_hash_keys: false,
        now: Utc::now(),
        deadline: super::deadline(),
    };
    let mut stages = Stages::default();
    let answer = system.evaluate(project, request, &mut stages);
    Ok(answer.await?.iter().count())
}

#[actix::test]
async fn who_floods_is_refused_while_others_notice_and_they_are_not() {
    let (store, _directory) = seeded().await;
    write(&store, async |t| {
        t.put_project(&project(2, "calm")).await.unwrap();
        let row = FlagRow {
            project_id: 2,
            ..flag(2, "b", EVERYBODY)
        };
        t.put_flag(&row).await.unwrap();
    })
    .await;
    let system = at_worker(&store).await;
    let of = async |token| {
        let project = system.project(token, super::deadline()).await.unwrap();
        project.unwrap()
    };
    let (flood, calm) = (of("token").await, of("calm").await);
    let hold = |project: &ProjectSnapshot, count: usize| -> Vec<Place> {
        let share = &project.load.requests;
        let take = || system.requests.take(share, Allowed::All);
        std::iter::repeat_with(take).flatten().take(count).collect()
    };
    let (floods, _calms) = (hold(&flood, 60), hold(&calm, 3));
    let early = |token: &'static str| system.refuse_early(|| Some(token.as_bytes()));

    assert!(early("token").is_ok(), "nobody notices anything yet");
    assert_eq!(answer(&system, &flood).await.unwrap(), 1);

    // For some intervals, requests wait a hundredth of the limit.
    system.worker.as_ref().unwrap().pretend(LIMIT / 100);
    let refused = answer(&system, &flood).await;
    assert!(matches!(
        refused,
        Err(EvaluateError::Busy { retry_after }) if retry_after >= Duration::from_secs(1)
    ));
    assert_eq!(answer(&system, &calm).await.unwrap(), 1);
    // From the first refusal on, before anything is read.
    assert!(matches!(early("token"), Err(EvaluateError::Busy { .. })));
    assert!(early("calm").is_ok());
    assert!(early("nobody's").is_ok(), "it is asked about later");

    // With as much as the others the flood is no flood.
    drop(floods);
    assert!(early("token").is_ok());
    assert_eq!(answer(&system, &flood).await.unwrap(), 1);
    system.stop();
}
