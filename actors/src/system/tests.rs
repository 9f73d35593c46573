mod fairness;
mod followed;
mod memberships;

use super::{Config, Database, EvaluateRequest, Preparation, Readiness, Source, System};
use crate::ProjectError;
use crate::budget::Budget;
use crate::metrics::Metrics;
use crate::snapshot::Snapshots;
use crate::stages::{Stage, Stages};
use crate::tests::{store, until};
use burgee_evaluation::outcome::FlagValue;
use burgee_evaluation::{ProjectId, Selector, Subject};
use burgee_schema::models::{FlagRow, FullPerson, PersonRow, ProjectRow};
use burgee_schema::{Store, WriteTransaction};
use chrono::Utc;
use prometheus_client::registry::Registry;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Long enough for any machine; nothing here is about time.
fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn project(id: i64, token: &str) -> ProjectRow {
    let token = token.into();
    ProjectRow {
        id,
        name: "test".into(),
        token,
        timezone: None,
        property_matching_version: None,
    }
}

fn flag(id: i32, key: &str, filters: &str) -> FlagRow {
    FlagRow {
        id,
        project_id: 1,
        key: key.into(),
        name: None,
        filters: filters.into(),
        active: true,
        archived: false,
        deleted: false,
        ensure_experience_continuity: false,
        version: 1,
        evaluation_runtime: None,
        evaluation_contexts: None,
        bucketing_identifier: None,
        has_experiment: false,
        is_remote_configuration: false,
    }
}

const EVERYBODY: &str = r#"{"groups": [{}]}"#;
const NOBODY: &str = r#"{"groups": []}"#;

async fn write(store: &Store, change: impl AsyncFnOnce(&mut WriteTransaction)) {
    let mut transaction = store.begin_write().await.unwrap();
    change(&mut transaction).await;
    transaction.commit().await.unwrap();
}

fn config() -> Config {
    Config {
        budget: Budget::for_cpus(2),
        evaluator_capacity: 64,
        loader_capacity: 64,
        poll: Duration::from_millis(20),
        large_above: Duration::from_micros(100),
        standing_limit: None,
        evaluators_at_workers: true,
        cohort_cache_bytes: 1 << 20,
        events: crate::EventsConfig::default(),
    }
}

async fn start(store: &Store) -> System {
    let metrics = Metrics::register(&mut Registry::default(), store.clone());
    let system = System::start(&config(), store.clone(), metrics)
        .await
        .unwrap();
    until(async || system.readiness() == Readiness::Ready).await;
    system
}

/// Returns key and value of each flag, or `None` when the token is unknown.
async fn ask(system: &System, token: &str, subject: Subject) -> Option<Vec<(String, FlagValue)>> {
    let project = system.project(token, deadline()).await.unwrap()?;
    let request = EvaluateRequest {
        selector: Selector::default(),
        subject,
        overrides_only: false,
        write_hash_keys: true,
        now: Utc::now(),
        deadline: deadline(),
    };
    let answer = system
        .evaluate(&project, request, &mut Stages::default())
        .await
        .unwrap();
    Some(
        answer
            .iter()
            .map(|e| (e.flag.key.to_string(), e.outcome.value))
            .collect(),
    )
}

async fn seeded() -> (Store, TempDir) {
    let (store, directory) = store().await;
    write(&store, async |t| {
        t.put_project(&project(1, "token")).await.unwrap();
        t.put_flag(&flag(1, "a", EVERYBODY)).await.unwrap();
    })
    .await;
    (store, directory)
}

fn ada() -> Subject {
    Subject {
        distinct_id: "ada".into(),
        ..Subject::default()
    }
}

#[actix::test]
async fn a_known_token_is_answered_and_an_unknown_one_is_not() {
    let (store, _directory) = seeded().await;
    let system = start(&store).await;
    assert_eq!(
        ask(&system, "token", ada()).await,
        Some(vec![("a".into(), FlagValue::On)])
    );
    assert_eq!(ask(&system, "nobody's", ada()).await, None);
    system.stop();
}

#[actix::test]
async fn changes_in_the_database_reach_the_answers() {
    let (store, _directory) = seeded().await;
    let system = start(&store).await;
    write(&store, async |t| {
        t.put_flag(&flag(1, "a", NOBODY)).await.unwrap()
    })
    .await;
    until(async || ask(&system, "token", ada()).await == Some(vec![("a".into(), FlagValue::Off)]))
        .await;
    // A new project and a new token, although the token was asked for in vain.
    assert_eq!(ask(&system, "later", ada()).await, None);
    write(&store, async |t| {
        t.put_project(&project(2, "later")).await.unwrap()
    })
    .await;
    until(async || ask(&system, "later", ada()).await == Some(vec![])).await;
    write(&store, async |t| {
        t.put_project(&project(2, "rotated")).await.unwrap()
    })
    .await;
    until(async || ask(&system, "rotated", ada()).await == Some(vec![])).await;
    assert_eq!(
        ask(&system, "later", ada()).await,
        None,
        "the old token is gone"
    );
    system.stop();
}

#[actix::test]
async fn a_process_sees_its_own_change_at_once() {
    let (store, _directory) = seeded().await;
    let system = start(&store).await;
    for filters in [NOBODY, EVERYBODY, NOBODY] {
        write(&store, async |t| {
            t.put_flag(&flag(1, "a", filters)).await.unwrap()
        })
        .await;
        system.refresh(vec![ProjectId(1)]).await;
        let expected = if filters == NOBODY {
            FlagValue::Off
        } else {
            FlagValue::On
        };
        assert_eq!(
            ask(&system, "token", ada()).await,
            Some(vec![("a".into(), expected)])
        );
    }
    system.stop();
}

#[actix::test]
async fn an_unreadable_flag_does_not_take_its_neighbours_with_it() {
    let (store, _directory) = seeded().await;
    write(&store, async |t| {
        t.put_flag(&flag(2, "no-json", "{")).await.unwrap();
        t.put_flag(&flag(
            3,
            "unknown-operator",
            r#"{"groups": [{"properties": [{"key": "a", "type": "person", "operator": "like"}]}]}"#,
        ))
        .await
        .unwrap();
    })
    .await;
    let system = start(&store).await;
    assert_eq!(
        ask(&system, "token", ada()).await,
        Some(vec![("a".into(), FlagValue::On)])
    );
    system.stop();
}

#[actix::test]
async fn stored_properties_decide() {
    let (store, _directory) = seeded().await;
    let by_plan = r#"{"groups": [{"properties": [{"key": "plan", "type": "person", "operator": "exact", "value": "pro"}]}]}"#;
    write(&store, async |t| {
        t.put_flag(&flag(1, "a", by_plan)).await.unwrap();
        t.insert_person(&FullPerson {
            person: PersonRow {
                id: 0,
                project_id: 1,
                properties: r#"{"plan": "pro"}"#.into(),
                created_at: Utc::now(),
            },
            distinct_ids: vec!["ada".into()],
            static_cohorts: Vec::new(),
            hash_key_overrides: Vec::new(),
        })
        .await
        .unwrap();
    })
    .await;
    let system = start(&store).await;
    assert_eq!(
        ask(&system, "token", ada()).await,
        Some(vec![("a".into(), FlagValue::On)])
    );
    let somebody = Subject {
        distinct_id: "somebody".into(),
        ..Subject::default()
    };
    assert_eq!(
        ask(&system, "token", somebody).await,
        Some(vec![("a".into(), FlagValue::Off)])
    );
    system.stop();
}

#[actix::test]
async fn continuity_keeps_the_anonymous_answer() {
    let (store, _directory) = seeded().await;
    write(&store, async |t| {
        let half = r#"{"groups": [{"rollout_percentage": 50}]}"#;
        let sticky = FlagRow {
            ensure_experience_continuity: true,
            ..flag(1, "a", half)
        };
        t.put_flag(&sticky).await.unwrap();
        t.insert_person(&FullPerson {
            person: PersonRow {
                id: 0,
                project_id: 1,
                properties: "{}".into(),
                created_at: Utc::now(),
            },
            distinct_ids: vec!["ada".into()],
            static_cohorts: Vec::new(),
            hash_key_overrides: Vec::new(),
        })
        .await
        .unwrap();
    })
    .await;
    let system = start(&store).await;
    // Find an anonymous id whose answer differs from the one of the distinct id.
    let before = ask(&system, "token", ada()).await;
    let mut differs = None;
    for n in 0..64 {
        let anonymous = Subject {
            distinct_id: format!("anon-{n}"),
            ..Subject::default()
        };
        if ask(&system, "token", anonymous).await != before {
            differs = Some(format!("anon-{n}"));
            break;
        }
    }
    let identified = Subject {
        anonymous_id: differs,
        ..ada()
    };
    let after = ask(&system, "token", identified).await;
    assert_ne!(
        after, before,
        "the first identified request gets the anonymous answer"
    );
    assert_eq!(
        ask(&system, "token", ada()).await,
        after,
        "and so do all later ones"
    );
    system.stop();
}

/// A system that may not ask the database yet, and what allows it to.
async fn start_without_database(
    store: &Store,
    directory: &Path,
) -> (System, tokio::sync::watch::Sender<Preparation>) {
    let (allow, prepared) = tokio::sync::watch::channel(Preparation::Away);
    let source = Source {
        snapshots: Some(Snapshots::open(directory, "test").unwrap()),
        database: Database::Awaited(prepared),
    };
    let metrics = Metrics::register(&mut Registry::default(), store.clone());
    let config = config();
    let system = System::start_from(source, &config, store.clone(), metrics);
    (system.await.unwrap(), allow)
}

#[actix::test]
async fn a_snapshot_serves_until_the_database_does() {
    let (store, _directory) = seeded().await;
    write(&store, async |t| {
        t.put_project(&project(2, "other")).await.unwrap();
    })
    .await;
    let disk = tempfile::tempdir().unwrap();
    let source = Source {
        snapshots: Some(Snapshots::open(disk.path(), "test").unwrap()),
        database: Database::Prepared,
    };
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry, store.clone());
    let config = config();
    let system = System::start_from(source, &config, store.clone(), metrics);
    let system = system.await.unwrap();
    let is_complete = async || {
        let names = ["project-1.jsonl", "project-2.jsonl", "synchronised.json"];
        names.iter().all(|name| disk.path().join(name).exists())
    };
    until(is_complete).await;
    system.stop();

    // What changes while no server runs is not in the snapshot.
    let moved = ProjectRow {
        token: "moved".into(),
        ..project(2, "other")
    };
    write(&store, async |t| {
        t.put_flag(&flag(1, "a", NOBODY)).await.unwrap();
        t.put_project(&moved).await.unwrap();
    })
    .await;
    let (system, allow) = start_without_database(&store, disk.path()).await;
    let is_stale = async || matches!(system.readiness(), Readiness::Stale { .. });
    until(is_stale).await;
    let old = Some(vec![("a".into(), FlagValue::On)]);
    assert_eq!(ask(&system, "token", ada()).await, old);
    assert_eq!(ask(&system, "other", ada()).await, Some(vec![]));

    allow.send(Preparation::Done).unwrap();
    until(async || system.readiness() == Readiness::Ready).await;
    let new = Some(vec![("a".into(), FlagValue::Off)]);
    assert_eq!(ask(&system, "token", ada()).await, new);
    assert_eq!(ask(&system, "moved", ada()).await, Some(vec![]));
    assert_eq!(ask(&system, "other", ada()).await, None);
    // The file follows.
    let file = disk.path().join("project-2.jsonl");
    until(async || std::fs::read_to_string(&file).unwrap().contains("moved")).await;
    system.stop();
}

#[actix::test]
async fn without_a_snapshot_nothing_is_served_before_the_database() {
    let (store, _directory) = seeded().await;
    let disk = tempfile::tempdir().unwrap();
    let (system, allow) = start_without_database(&store, disk.path()).await;
    assert!(matches!(system.readiness(), Readiness::NotReady(_)));
    allow.send(Preparation::Done).unwrap();
    until(async || system.readiness() == Readiness::Ready).await;
    system.stop();
}

#[actix::test]
async fn an_unknown_token_asks_the_database_once() {
    let (store, _directory) = seeded().await;
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry, store.clone());
    let system = System::start(&config(), store.clone(), metrics)
        .await
        .unwrap();
    until(async || system.readiness() == Readiness::Ready).await;
    for _ in 0..3 {
        assert_eq!(ask(&system, "nobody's", ada()).await, None);
    }
    // A change of something else is no reason to forget.
    write(&store, async |t| {
        t.put_flag(&flag(1, "a", NOBODY)).await.unwrap()
    })
    .await;
    system.refresh(vec![ProjectId(1)]).await;
    assert_eq!(ask(&system, "nobody's", ada()).await, None);
    assert!(ask(&system, "token", ada()).await.is_some());
    let text = scraped(&registry);
    for line in [
        "burgee_unknown_tokens_total 4",
        "burgee_unknown_token_hits_total 3",
        "burgee_unknown_tokens_remembered 1",
        "burgee_definition_hits_total 1",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}\n{text}");
    }
    system.stop();
}

#[actix::test]
async fn waits_and_deadlines_are_measured() {
    let (store, _directory) = seeded().await;
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry, store.clone());
    let system = System::start(&config(), store.clone(), metrics)
        .await
        .unwrap();
    until(async || system.readiness() == Readiness::Ready).await;
    let hold = Arc::new(AtomicBool::new(true));
    for arbiter in system.arbiters.iter() {
        let hold = Arc::clone(&hold);
        arbiter.spawn_fn(move || {
            while hold.load(Ordering::Acquire) {
                std::hint::spin_loop();
            }
        });
    }
    // Nobody can answer, so the deadline comes first.
    let late = system.project("nobody's", Instant::now()).await;
    hold.store(false, Ordering::Release);
    assert!(matches!(late, Err(ProjectError::TimedOut)));
    system.missed_deadline(Stage::Decode);
    let text = scraped(&registry);
    for start in [
        r#"burgee_deadlines_missed_total{stage="definitions"} 1"#,
        r#"burgee_deadlines_missed_total{stage="decode"} 1"#,
        "burgee_definitions_age_seconds ",
        "burgee_pool_acquire_seconds_count ",
        "burgee_pool_hold_seconds_count ",
        r#"burgee_database_query_seconds_count{kind="definitions"} "#,
        r#"burgee_database_query_seconds_count{kind="changes"} "#,
        "burgee_pool_opened_total ",
        "burgee_pool_connect_failures_total 0",
    ] {
        assert!(
            text.lines().any(|it| it.starts_with(start)),
            "{start}\n{text}"
        );
    }
    system.stop();
}

fn scraped(registry: &Registry) -> String {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
    text
}
