//! The `changes` table, and following it.

use crate::fixture::*;
use burgee_integration_tests::postgres::TestDatabase;
use burgee_schema::models::*;
use burgee_schema::{ChangeFeed, QueryKind, Store, StoreObserver};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

on_both!(
    every_write_tells_what_it_touched,
    many_persons_are_one_change,
    a_reader_never_misses_a_smaller_sequence,
    a_feed_hears_its_own_process_at_once,
    a_feed_hears_others_by_polling,
    a_feed_catches_up_over_many_pages,
    a_feed_ends_without_harm,
    a_change_that_is_not_dealt_with_is_missing,
);

/// Never, as far as a test is concerned.
const NEVER: Duration = Duration::from_secs(3600);

async fn every_write_tells_what_it_touched(database: TestDatabase) {
    let store = store(&database).await;
    assert_eq!(store.latest_sequence().await.unwrap(), 0);
    let mut id = 0;
    write(&store, async |write| {
        write.put_project(&project(1)).await.unwrap();
        write.put_flag(&flag(1, "f")).await.unwrap();
        write.put_flag(&flag(1, "f")).await.unwrap();
        write.put_cohort(&cohort(7)).await.unwrap();
        let hashed = vec![("f".to_owned(), "h".to_owned())];
        let ada = FullPerson {
            static_cohorts: vec![7],
            hash_key_overrides: hashed,
            ..person(&["ada"])
        };
        id = write.insert_person(&ada).await.unwrap();
        write.put_group(&group(0, "acme", "{}")).await.unwrap();
        let token = SecretTokenRow {
            project_id: 1,
            fingerprint: "x".to_owned(),
        };
        write.put_secret_token(&token).await.unwrap();
    })
    .await;
    let told = |changes: Vec<ChangeRow>| -> Vec<(ChangeKind, String)> {
        assert!(changes.is_sorted_by(|a, b| a.sequence < b.sequence));
        assert!(changes.iter().all(|change| change.project_id == 1));
        changes
            .into_iter()
            .map(|change| (change.kind, change.object))
            .collect()
    };
    let expected = [
        (ChangeKind::Project, String::new()),
        (ChangeKind::Flag, "f".to_owned()),
        (ChangeKind::Cohort, "7".to_owned()),
        (ChangeKind::Person, id.to_string()),
        (ChangeKind::CohortMembers, format!("7:{id}")),
        (ChangeKind::HashKeys, String::new()),
        (ChangeKind::Group, "0:acme".to_owned()),
        (ChangeKind::Keys, String::new()),
    ];
    assert_eq!(told(store.changes_after(0, 100).await.unwrap()), expected);
    let first = store.changes_after(0, 3).await.unwrap();
    assert_eq!(first.len(), 3);
    assert_eq!(
        told(store.changes_after(first[2].sequence, 2).await.unwrap()),
        expected[3..5]
    );

    let before = store.latest_sequence().await.unwrap();
    write(&store, async |write| {
        write.delete_flag(1, 1).await.unwrap();
        write.delete_cohort(1, 7).await.unwrap();
        write.delete_person(1, id).await.unwrap();
        write.delete_group(1, 0, "acme").await.unwrap();
        write.delete_secret_token(1, "x").await.unwrap();
        let company = GroupTypeRow {
            project_id: 1,
            group_type_index: 0,
            name: "company".to_owned(),
        };
        write.put_group_type(&company).await.unwrap();
    })
    .await;
    let kinds: Vec<ChangeKind> = told(store.changes_after(before, 100).await.unwrap())
        .into_iter()
        .map(|(kind, _)| kind)
        .collect();
    let expected = [
        ChangeKind::Flag,
        ChangeKind::Cohort,
        ChangeKind::CohortMembers,
        ChangeKind::Person,
        ChangeKind::Group,
        ChangeKind::Keys,
        ChangeKind::Project,
    ];
    assert_eq!(kinds, expected);
}

async fn many_persons_are_one_change(database: TestDatabase) {
    let store = store_with_project(&database).await;
    let people = |count: usize, prefix: &str| -> Vec<FullPerson> {
        (0..count)
            .map(|number| person(&[&format!("{prefix}{number}")]))
            .collect()
    };
    for (count, changes) in [(100, 100), (101, 1)] {
        let before = store.latest_sequence().await.unwrap();
        write(&store, async |write| {
            write
                .insert_persons(&people(count, &format!("{count}-")))
                .await
                .unwrap();
        })
        .await;
        let told = store.changes_after(before, 1_000).await.unwrap();
        assert_eq!(told.len(), changes);
        assert_eq!(told[0].object.is_empty(), changes == 1);
    }
}

/// Several processes write, in both kinds of transaction, while one reads on from what it has seen.
async fn a_reader_never_misses_a_smaller_sequence(database: TestDatabase) {
    const WRITERS: i32 = 4;
    const ROUNDS: i32 = 25;
    let reader = store_with_project(&database).await;
    write(&reader, async |write| {
        write.insert_person(&person(&["ada"])).await.unwrap();
    })
    .await;
    let start = reader.latest_sequence().await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let store = Store::open(database.url(), patient()).await.unwrap();
        writers.spawn(async move {
            for round in 0..ROUNDS {
                if writer % 2 == 0 {
                    let id = writer * ROUNDS + round;
                    write(&store, async |write| {
                        write
                            .put_flag(&flag(id + 1, &format!("flag-{id}")))
                            .await
                            .unwrap();
                        write
                            .put_group(&group(0, &format!("group-{id}"), "{}"))
                            .await
                            .unwrap();
                    })
                    .await;
                } else {
                    let wish = HashKeyWrite {
                        project_id: 1,
                        distinct_id: "ada".to_owned(),
                        anonymous_id: "anon".to_owned(),
                        flag_keys: vec![format!("{writer}-{round}")],
                    };
                    store.write_hash_keys(&[wish]).await.unwrap();
                }
            }
        });
    }
    let expected = usize::try_from(ROUNDS * (2 * 2 + 2)).unwrap();
    let seen = soon(async {
        let (mut seen, mut last) = (Vec::new(), start);
        while seen.len() < expected {
            let news = reader.changes_after(last, 3).await.unwrap();
            if let Some(newest) = news.last() {
                last = newest.sequence;
            } else if writers.is_empty() {
                break;
            } else {
                let done =
                    tokio::time::timeout(Duration::from_millis(1), writers.join_next()).await;
                done.ok().flatten().transpose().unwrap();
            }
            seen.extend(news);
        }
        seen
    })
    .await;
    let all = reader.changes_after(start, 10_000).await.unwrap();
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    assert_eq!(seen, all);
    assert_eq!(seen.len(), expected);
}

/// Reads until every one of these flags was told.
async fn hear(feed: &mut ChangeFeed, flags: &[&str]) {
    let mut missing: BTreeSet<&str> = flags.iter().copied().collect();
    soon(async {
        while !missing.is_empty() {
            // An interruption is told, and the feed goes on.
            for change in feed.next().await.unwrap_or_default() {
                missing.remove(change.object.as_str());
            }
        }
    })
    .await;
}

async fn put(store: &Store, id: i32, key: &str) {
    write(store, async |write| {
        write.put_flag(&flag(id, key)).await.unwrap()
    })
    .await;
}

async fn a_feed_hears_its_own_process_at_once(database: TestDatabase) {
    let store = store_with_project(&database).await;
    let start = store.latest_sequence().await.unwrap();
    let mut feed = store.follow_changes(start, NEVER);
    for id in 1..=3 {
        let key = format!("flag-{id}");
        put(&store, id, &key).await;
        let changes = soon(feed.next()).await.unwrap();
        assert_eq!(changes.len(), 1);
        assert_eq!(
            (changes[0].kind, changes[0].object.as_str()),
            (ChangeKind::Flag, key.as_str())
        );
    }
}

async fn a_feed_hears_others_by_polling(database: TestDatabase) {
    let store = store_with_project(&database).await;
    let other = Store::open(database.url(), patient()).await.unwrap();
    let mut feed = store.follow_changes(0, Duration::from_millis(20));
    hear(&mut feed, &[""]).await;
    for id in 1..=3 {
        let key = format!("flag-{id}");
        put(&other, id, &key).await;
        hear(&mut feed, &[&key]).await;
    }
}

async fn a_feed_catches_up_over_many_pages(database: TestDatabase) {
    let store = store_with_project(&database).await;
    write(&store, async |write| {
        for id in 1..=1_100 {
            write
                .put_flag(&flag(id, &format!("flag-{id}")))
                .await
                .unwrap();
        }
    })
    .await;
    let all = store.changes_after(0, 10_000).await.unwrap();
    assert_eq!(all.len(), 1_101);
    let mut feed = store.follow_changes(0, NEVER);
    let mut seen = Vec::new();
    while seen.len() < all.len() {
        seen.extend(soon(feed.next()).await.unwrap());
    }
    assert_eq!(seen, all);
}

async fn a_feed_ends_without_harm(database: TestDatabase) {
    let store = store_with_project(&database).await;
    let mut feed = store.follow_changes(0, NEVER);
    hear(&mut feed, &[""]).await;
    // It keeps what it needs: the last handle on the store may go before it.
    drop(store);
    let other = Store::open(database.url(), patient()).await.unwrap();
    drop(feed);
    put(&other, 1, "flag").await;
    drop(other.follow_changes(0, NEVER));
    assert_eq!(other.changes_after(0, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn postgres_announces_changes() {
    let database = TestDatabase::postgres().unwrap();
    let store = store_with_project(&database).await;
    let other = Store::open(database.url(), patient()).await.unwrap();
    let mut feed = store.follow_changes(0, NEVER);
    hear(&mut feed, &[""]).await;
    put(&other, 1, "first").await;
    hear(&mut feed, &["first"]).await;

    // The listener's backend is killed, more than once: the feed goes on, and loses nothing meanwhile.
    for id in 2..=4 {
        let killed = soon(async {
            loop {
                let killed = database
                    .query(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                         WHERE datname = current_database() AND query LIKE 'LISTEN%'",
                    )
                    .unwrap();
                if !killed.is_empty() {
                    break killed;
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(killed, "t");
        let key = format!("flag-{id}");
        put(&other, id, &key).await;
        hear(&mut feed, &[&key]).await;
    }

    // When the feed is dropped, so is its connection.
    drop(feed);
    let listeners = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    soon(async {
        while database.query(listeners).unwrap() != "0" {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Counts how often changes were asked for, and that each connection that was taken was waited for and given back.
#[derive(Debug, Default)]
struct Counter {
    acquired: AtomicUsize,
    released: AtomicUsize,
    changes: AtomicUsize,
}

#[derive(Debug)]
struct Observer(Arc<Counter>);

impl StoreObserver for Observer {
    fn acquired(&self, _: Duration) {
        self.0.acquired.fetch_add(1, Ordering::SeqCst);
    }

    fn released(&self, _: Duration) {
        self.0.released.fetch_add(1, Ordering::SeqCst);
    }

    fn asked(&self, kind: QueryKind, _: Duration) {
        let changes = usize::from(kind == QueryKind::Changes);
        self.0.changes.fetch_add(changes, Ordering::SeqCst);
    }
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

async fn a_change_that_is_not_dealt_with_is_missing(database: TestDatabase) {
    let store = store_with_project(&database).await;
    let counter = Arc::new(Counter::default());
    store.observe(Box::new(Observer(Arc::clone(&counter))));
    let latest = store.latest_sequence().await.unwrap();
    let mut feed = store.follow_changes(latest, Duration::from_millis(5));
    let synchronised = feed.synchronised();
    soon(until(|| synchronised.at().is_some())).await;

    write(&store, async |write| {
        write.put_flag(&flag(1, "f")).await.unwrap();
    })
    .await;
    assert_eq!(soon(feed.next()).await.unwrap().len(), 1);
    let before = synchronised.at();
    let asked = counter.changes.load(Ordering::SeqCst);
    // However often nothing more is found: the change was returned, and nobody said that it was dealt with.
    soon(until(|| {
        counter.changes.load(Ordering::SeqCst) >= asked + 3
    }))
    .await;
    assert_eq!(synchronised.at(), before);
    let waiting = tokio::spawn(async move { feed.next().await.map(|changes| changes.len()) });
    soon(until(|| synchronised.at() > before)).await;
    waiting.abort();

    let released = || counter.released.load(Ordering::SeqCst);
    assert!(counter.acquired.load(Ordering::SeqCst) >= released() && released() > 0);
}
