//! Static cohorts on a request's way: from the database at first, from memory later, and always the same answers.

use super::*;
use crate::cohort_cache::tests::Gated;
use burgee_evaluation::Selector;
use burgee_schema::models::CohortRow;
use std::sync::atomic::Ordering;

fn cohort(id: i64, filters: Option<&str>) -> CohortRow {
    CohortRow {
        id,
        project_id: 1,
        name: None,
        deleted: false,
        is_static: filters.is_none(),
        filters: filters.map(Into::into),
        groups: None,
        cohort_type: None,
        condition_type: None,
    }
}

fn in_cohort(id: i64) -> String {
    format!(
        r#"{{"groups": [{{"properties": [{{"key": "id", "type": "cohort", "value": {id}}}]}}]}}"#
    )
}

fn person(id: i64, distinct_id: &str, cohorts: &[i64]) -> FullPerson {
    FullPerson {
        person: PersonRow {
            id,
            project_id: 1,
            properties: "{}".into(),
            created_at: Utc::now(),
        },
        distinct_ids: vec![distinct_id.into()],
        static_cohorts: cohorts.to_vec(),
        hash_key_overrides: Vec::new(),
    }
}

/// Cohorts 1 and 2 are static, 3 is whoever is in 2; flags `one` and `three`. Ada is in both, Bob in 2, Eve in none.
async fn with_cohorts() -> (Store, TempDir, Vec<i64>) {
    let (store, directory) = store().await;
    let mut ids = Vec::new();
    write(&store, async |t| {
        t.put_project(&project(1, "token")).await.unwrap();
        t.put_cohort(&cohort(1, None)).await.unwrap();
        t.put_cohort(&cohort(2, None)).await.unwrap();
        let through = r#"{"properties": {"type": "AND", "values": [{"key": "id", "type": "cohort", "value": 2}]}}"#;
        t.put_cohort(&cohort(3, Some(through))).await.unwrap();
        t.put_flag(&flag(1, "one", &in_cohort(1))).await.unwrap();
        t.put_flag(&flag(2, "three", &in_cohort(3))).await.unwrap();
        t.put_flag(&flag(3, "everybody", EVERYBODY)).await.unwrap();
        let people = [
            person(0, "ada", &[1, 2]),
            person(0, "bob", &[2]),
            person(0, "eve", &[]),
        ];
        ids = t.insert_persons(&people).await.unwrap();
    })
    .await;
    (store, directory, ids)
}

const ANSWERS: [(&str, &[&str]); 4] = [
    ("ada", &["everybody", "one", "three"]),
    ("bob", &["everybody", "three"]),
    ("eve", &["everybody"]),
    ("stranger", &["everybody"]),
];

/// Returns the flags that are on.
async fn on(system: &System, distinct_id: &str) -> Vec<String> {
    let subject = Subject {
        distinct_id: distinct_id.into(),
        ..Subject::default()
    };
    let flags = ask(system, "token", subject).await.unwrap();
    let on = flags
        .into_iter()
        .filter(|(_, value)| *value == FlagValue::On);
    on.map(|(key, _)| key).collect()
}

async fn check_answers(system: &System) {
    for (id, expected) in ANSWERS {
        assert_eq!(on(system, id).await, expected, "{id}");
    }
}

fn counts(system: &System) -> (u64, u64) {
    let members = &system.metrics.members;
    (members.hits.get(), members.misses.get())
}

async fn until_held(system: &System, cohorts: u64) {
    until(async || system.metrics.members.loads.get() == cohorts).await;
}

#[actix::test]
async fn requests_are_answered_while_members_are_loaded() {
    let (store, _directory, _) = with_cohorts().await;
    let gated = Gated::closed(&store);
    let metrics = Metrics::register(&mut Registry::default(), store.clone());
    let system = System::start_with(Source::default(), &config(), store, gated.clone(), metrics)
        .await
        .unwrap();
    until(async || system.readiness() == Readiness::Ready).await;
    for _ in 0..3 {
        check_answers(&system).await;
    }
    assert_eq!(counts(&system), (0, 12));
    gated.open();
    until_held(&system, 2).await;
    for _ in 0..3 {
        check_answers(&system).await;
    }
    assert_eq!(counts(&system), (12, 12));
    assert_eq!(gated.loads.load(Ordering::Relaxed), 2);
    system.stop();
}

#[actix::test]
async fn only_the_cohorts_that_selected_flags_reach_are_loaded() {
    let (store, _directory, _) = with_cohorts().await;
    let system = start(&store).await;
    let project = system.project("token", deadline()).await.unwrap().unwrap();
    let ask = async |keys: &[&str]| {
        let request = EvaluateRequest {
            selector: Selector {
                keys: Some(keys.iter().map(|key| (*key).into()).collect()),
                ..Selector::default()
            },
            subject: ada(),
            overrides_only: false,
            write_hash_keys: true,
            now: Utc::now(),
            deadline: deadline(),
        };
        let answer = system
            .evaluate(&project, request, &mut Stages::default())
            .await
            .unwrap();
        assert!(answer.iter().all(|e| e.outcome.value == FlagValue::On));
    };
    ask(&["everybody"]).await;
    assert_eq!(counts(&system), (0, 0));
    ask(&["three", "everybody"]).await;
    until_held(&system, 1).await;
    ask(&["three"]).await;
    assert_eq!(counts(&system), (1, 1));
    ask(&["one", "three"]).await;
    until_held(&system, 2).await;
    ask(&["one", "three"]).await;
    assert_eq!(counts(&system), (2, 2));
    system.stop();
}

#[actix::test]
async fn a_process_sees_the_memberships_it_changed_at_once() {
    let (store, _directory, ids) = with_cohorts().await;
    let system = start(&store).await;
    check_answers(&system).await;
    until_held(&system, 2).await;
    let (_, misses) = counts(&system);
    for _ in 0..3 {
        for (cohorts, expected) in [
            (&[1][..], &["everybody", "one"][..]),
            (&[], &["everybody"]),
            (&[1, 2], &["everybody", "one", "three"]),
        ] {
            write(&store, async |t| {
                let changed = person(ids[0], "ada", cohorts);
                t.replace_person(&changed).await.unwrap();
            })
            .await;
            system.refresh(vec![ProjectId(1)]).await;
            assert_eq!(on(&system, "ada").await, expected);
        }
    }
    assert_eq!(counts(&system).1, misses, "all of it from memory");
    check_answers(&system).await;
    system.stop();
}

#[actix::test]
async fn memberships_that_others_change_arrive() {
    let (store, directory, ids) = with_cohorts().await;
    let system = start(&store).await;
    check_answers(&system).await;
    until_held(&system, 2).await;
    // Another process, which this one only hears of by asking.
    let url = format!("sqlite://{}", directory.path().join("test.db").display());
    let other = Store::open(&url, burgee_schema::PoolConfig::default())
        .await
        .unwrap();
    write(&other, async |t| {
        let changed = person(ids[2], "eve", &[1]);
        t.replace_person(&changed).await.unwrap();
    })
    .await;
    until(async || on(&system, "eve").await == ["everybody", "one"]).await;
    write(&other, async |t| t.delete_cohort(1, 2).await.unwrap()).await;
    write(&other, async |t| {
        t.put_cohort(&cohort(2, None)).await.unwrap()
    })
    .await;
    until(async || on(&system, "bob").await == ["everybody"]).await;
    system.stop();
}

#[actix::test]
async fn without_memory_the_database_answers() {
    let (store, _directory, _) = with_cohorts().await;
    let metrics = Metrics::register(&mut Registry::default(), store.clone());
    let small = Config {
        cohort_cache_bytes: 0,
        ..config()
    };
    let system = System::start(&small, store, metrics).await.unwrap();
    until(async || system.readiness() == Readiness::Ready).await;
    for _ in 0..3 {
        check_answers(&system).await;
    }
    assert_eq!(counts(&system), (0, 12));
    assert_eq!(system.metrics.members.loads.get(), 0);
    system.stop();
}
