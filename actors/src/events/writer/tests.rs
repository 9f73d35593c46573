#![allow(clippy::as_conversions, reason = "figures are small")]

use super::{Caches, EventWriter, FlushEvents, WriteEvents};
use crate::budget::Budget;
use crate::mailbox::Mailbox;
use crate::metrics::Metrics;
use crate::tests::store;
use crate::{Config, EventsConfig, System};
use actix::Actor;
use burgee_schema::Store;
use burgee_schema::models::{EventId, EventWrite, GroupChange, Lookup, PersonChange, ProjectRow};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::{Semaphore, oneshot};

/// A writer on the thread of the test, so that it cannot run before the test waits.
struct Bench {
    store: Store,
    system: System,
    writer: Mailbox<EventWriter>,
    metrics: Arc<Metrics>,
    registry: Registry,
    _directory: TempDir,
}

impl Bench {
    async fn new() -> Self {
        let (store, directory) = store().await;
        let mut write = store.begin_write().await.unwrap();
        let project = ProjectRow {
            id: 1,
            name: "test".into(),
            token: "token".into(),
            timezone: None,
            property_matching_version: None,
        };
        write.put_project(&project).await.unwrap();
        write.commit().await.unwrap();
        let config = Config {
            budget: Budget::for_cpus(2),
            evaluator_capacity: 64,
            loader_capacity: 64,
            poll: Duration::from_millis(20),
            large_above: Duration::from_micros(100),
            standing_limit: None,
            evaluators_at_workers: false,
            cohort_cache_bytes: 1 << 20,
            events: EventsConfig::default(),
        };
        let others = Metrics::register(&mut Registry::default(), store.clone());
        let system = System::start(&config, store.clone(), others).await.unwrap();
        let mut registry = Registry::default();
        let metrics = Arc::new(Metrics::register(&mut registry, store.clone()));
        let caches = Caches {
            cohorts: system.cohorts.clone(),
            definitions: system.definitions.clone(),
        };
        let actor = EventWriter::new(store.clone(), caches, 256, Arc::clone(&metrics.events));
        let writer = Mailbox::new(actor.start(), metrics.mailbox("event_writer", 0, 256));
        writer.ready().await;
        Self {
            store,
            system,
            writer,
            metrics,
            registry,
            _directory: directory,
        }
    }

    /// Posts events as one message.
    fn post(&self, events: Vec<EventWrite>, deadline: Instant) -> oneshot::Receiver<bool> {
        let (reply, answer) = oneshot::channel();
        self.metrics.events.accept(events.len());
        let room = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let message = WriteEvents {
            pending: self.metrics.events.pend(events.len()),
            events,
            deadline: Some(deadline),
            reply: Some(reply),
            tries: 0,
            _room: room,
        };
        self.writer.post(message).unwrap();
        answer
    }

    /// Returns a figure, 0 when there is none.
    fn figure(&self, name: &str) -> u64 {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name} ")));
        value.map_or(0, |value| value.parse::<f64>().unwrap().round() as u64)
    }

    fn dropped(&self, reason: &str) -> u64 {
        self.figure(&format!(
            "burgee_events_dropped_total{{reason=\"{reason}\"}}"
        ))
    }

    async fn properties(&self, distinct_id: &str) -> Option<String> {
        let lookup = Lookup {
            project_id: 1,
            distinct_id: distinct_id.to_owned(),
            state: true,
            ..Lookup::default()
        };
        let found = self.store.look_up(&[lookup]).await.unwrap();
        found
            .into_iter()
            .next()
            .unwrap()
            .person
            .map(|person| person.properties)
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn set(distinct_id: &str, value: u32) -> EventWrite {
    EventWrite {
        project_id: 1,
        id: None,
        person: Some(PersonChange {
            distinct_id: distinct_id.to_owned(),
            set: vec![("n".to_owned(), value.to_string())],
            ..PersonChange::default()
        }),
        group: None,
    }
}

#[actix::test]
async fn what_waits_at_the_same_moment_is_one_transaction() {
    let bench = Bench::new().await;
    let answers: Vec<_> = (0..100)
        .map(|n| bench.post(vec![set("ada", n), set(&format!("id-{n}"), n)], soon()))
        .collect();
    assert_eq!(bench.figure("burgee_events_pending"), 200);
    for answer in answers {
        assert_eq!(answer.await, Ok(true));
    }
    assert_eq!(bench.figure("burgee_event_batch_size_count"), 1);
    assert_eq!(bench.figure("burgee_event_batch_size_sum"), 200);
    assert_eq!(bench.figure("burgee_events_accepted_total"), 200);
    assert_eq!(bench.figure("burgee_events_written_total"), 200);
    assert_eq!(bench.figure("burgee_persons_written_total"), 101);
    assert_eq!(bench.figure("burgee_events_pending"), 0);
    // In the order in which they were posted.
    assert_eq!(bench.properties("ada").await.unwrap(), r#"{"n":99}"#);
    bench.system.stop();
}

#[actix::test]
async fn many_events_are_several_transactions() {
    let bench = Bench::new().await;
    let answers: Vec<_> = (0..9)
        .map(|part| {
            let events = (0..500).map(|n| set(&format!("id-{part}-{n}"), n));
            bench.post(events.collect(), soon())
        })
        .collect();
    for answer in answers {
        assert_eq!(answer.await, Ok(true));
    }
    assert_eq!(bench.figure("burgee_event_batch_size_count"), 3);
    assert_eq!(bench.figure("burgee_events_written_total"), 4_500);
    bench.system.stop();
}

#[actix::test]
async fn what_nobody_waits_for_is_dropped() {
    let bench = Bench::new().await;
    let late = bench.post(vec![set("late", 1), set("late", 2)], Instant::now());
    drop(bench.post(vec![set("gone", 1)], soon()));
    let good = bench.post(vec![set("good", 1)], soon());
    assert_eq!(good.await, Ok(true));
    assert!(late.await.is_err());
    assert_eq!(bench.dropped("late"), 3);
    assert_eq!(bench.properties("late").await, None);
    assert_eq!(bench.properties("gone").await, None);
    assert_eq!(bench.figure("burgee_events_pending"), 0);
    bench.system.stop();
}

#[actix::test]
async fn one_that_cannot_be_stored_takes_no_other_with_it() {
    let bench = Bench::new().await;
    let before = bench.post(vec![set("a", 1)], soon());
    let mut stranger = set("b", 1);
    stranger.project_id = 999;
    let bad = bench.post(vec![stranger], soon());
    let after = bench.post(vec![set("c", 1)], soon());
    assert_eq!(before.await, Ok(true));
    assert!(bad.await.is_err());
    assert_eq!(after.await, Ok(true));
    assert_eq!(bench.dropped("failed"), 1);
    assert_eq!(bench.figure("burgee_events_written_total"), 2);
    assert_eq!(bench.figure("burgee_events_pending"), 0);
    bench.system.stop();
}

#[actix::test]
async fn each_event_has_an_outcome_of_its_own() {
    let bench = Bench::new().await;
    let with = |id: &str, event: EventWrite| EventWrite {
        id: Some(EventId::of(id)),
        ..event
    };
    let group = |name: &str| EventWrite {
        project_id: 1,
        id: None,
        person: None,
        group: Some(GroupChange {
            group_type: name.to_owned(),
            key: "k".to_owned(),
            set: Vec::new(),
        }),
    };
    let mut events = vec![
        with("1", set("ada", 1)),
        with("1", set("ada", 2)),
        with("2", set("ada", 3)),
    ];
    events.extend(["a", "b", "c", "d", "e", "f"].map(group));
    assert_eq!(bench.post(events, soon()).await, Ok(true));
    let again = bench.post(vec![with("2", set("ada", 4))], soon());
    assert_eq!(again.await, Ok(true));
    assert_eq!(bench.figure("burgee_events_written_total"), 7);
    assert_eq!(bench.dropped("repeated"), 2);
    assert_eq!(bench.dropped("no_group_type"), 1);
    assert_eq!(bench.properties("ada").await.unwrap(), r#"{"n":3}"#);
    bench.system.stop();
}

#[actix::test]
async fn a_flush_ends_after_everything_before_it() {
    let bench = Bench::new().await;
    let answer = bench.post(vec![set("ada", 1)], soon());
    let (done, flushed) = oneshot::channel();
    assert!(bench.writer.post(FlushEvents { done }).is_ok());
    // The sender is dropped.
    assert!(flushed.await.is_err());
    assert_eq!(answer.await, Ok(true));
    // With nothing to do it ends as well.
    let (done, flushed) = oneshot::channel();
    assert!(bench.writer.post(FlushEvents { done }).is_ok());
    assert!(flushed.await.is_err());
    bench.system.stop();
}
