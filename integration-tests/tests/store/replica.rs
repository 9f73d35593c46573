//! A real streaming replica that is paused, falls behind, goes away and comes back: nobody is told less than before.

use crate::fixture::*;
use burgee_integration_tests::deadline::eventually;
use burgee_integration_tests::postgres::{Server, TestDatabase};
use burgee_schema::models::*;
use burgee_schema::{PoolConfig, ReplicaConfig, Store, StoreError};
use std::sync::Arc;
use std::time::Duration;

const NOW: i64 = 1_800_000_000_000_000;
/// Longer than any test.
const AN_HOUR: Duration = Duration::from_secs(3600);

/// A primary, its replica, a store that uses both, and another that writes behind its back.
struct Pair {
    primary: TestDatabase,
    replica: Server,
    store: Store,
    other: Store,
}

impl Pair {
    async fn new(most_behind: Duration) -> Self {
        let primary = TestDatabase::private_postgres().unwrap();
        let other = store_with_project(&primary).await;
        write(&other, async |it| {
            it.put_cohort(&cohort(1)).await.unwrap();
            for id in ["ada", "bob"] {
                it.insert_person(&person(&[id])).await.unwrap();
            }
        })
        .await;
        let replica = Server::following(primary.server().unwrap()).unwrap();
        let config = PoolConfig {
            replica: Some(ReplicaConfig {
                url: replica.url(Self::name(&primary)),
                most_behind,
            }),
            ..patient()
        };
        let store = Store::open(primary.url(), config).await.unwrap();
        let pair = Self {
            primary,
            replica,
            store,
            other,
        };
        pair.until_used().await;
        pair
    }

    fn name(primary: &TestDatabase) -> &str {
        primary.url().rsplit('/').next().unwrap()
    }

    /// Keeps the replica from showing anything that is committed from now on.
    fn pause(&self) {
        self.on_replica("SELECT pg_wal_replay_pause()");
        eventually("the replica to pause", || {
            let state = self.on_replica("SELECT pg_get_wal_replay_pause_state()");
            (state == "paused").then_some(())
        });
    }

    fn resume(&self) {
        self.on_replica("SELECT pg_wal_replay_resume()");
    }

    fn on_replica(&self, sql: &str) -> String {
        self.replica.query(Self::name(&self.primary), sql).unwrap()
    }

    /// Waits until a look-up is answered by the replica.
    async fn until_used(&self) {
        soon(async {
            while self.answered_by_replica(&lookup("nobody")).await == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }

    /// Asks once; returns how many of the answers came from the replica.
    async fn answered_by_replica(&self, lookup: &Lookup) -> u64 {
        let before = self.store.replica_status().unwrap().answered;
        self.store
            .look_up(std::slice::from_ref(lookup))
            .await
            .unwrap();
        self.store.replica_status().unwrap().answered - before
    }

    async fn plan(&self, id: &str) -> String {
        plan(&self.store, id).await
    }
}

fn lookup(id: &str) -> Lookup {
    Lookup {
        project_id: 1,
        distinct_id: id.to_owned(),
        state: true,
        ..Lookup::default()
    }
}

async fn plan(store: &Store, id: &str) -> String {
    let found = store.look_up(&[lookup(id)]).await.unwrap();
    found[0]
        .person
        .as_ref()
        .map(|person| person.properties.clone())
        .unwrap_or_default()
}

/// Sets the property `plan` of a person by an event.
async fn set_plan(store: &Store, id: &str, value: &str) {
    let change = PersonChange {
        distinct_id: id.to_owned(),
        set: vec![("plan".to_owned(), format!("\"{value}\""))],
        ..PersonChange::default()
    };
    let event = EventWrite {
        project_id: 1,
        id: None,
        person: Some(change),
        group: None,
    };
    store
        .write_events(&Arc::new(vec![event]), NOW)
        .await
        .unwrap();
}

#[tokio::test]
async fn what_this_process_wrote_is_asked_of_the_primary() {
    let pair = Pair::new(AN_HOUR).await;
    pair.pause();
    set_plan(&pair.store, "ada", "pro").await;
    set_plan(&pair.other, "bob", "pro").await;
    assert!(
        pair.plan("ada").await.contains("pro"),
        "what it wrote itself"
    );
    assert_eq!(pair.plan("bob").await, "{}", "what it cannot know of");
    // Both in one batch, in the order asked.
    let lookups = ["bob", "ada", "nobody", "bob"].map(lookup);
    let found = pair.store.look_up(&lookups).await.unwrap();
    let is_pro: Vec<Option<bool>> = found
        .iter()
        .map(|found| Some(found.person.as_ref()?.properties.contains("pro")))
        .collect();
    assert_eq!(is_pro, [Some(false), Some(true), None, Some(false)]);
    // When the replica has caught up it answers again, and says the same.
    pair.resume();
    soon(async {
        while pair.answered_by_replica(&lookup("ada")).await == 0 {
            assert!(pair.plan("ada").await.contains("pro"));
        }
    })
    .await;
    assert!(pair.plan("bob").await.contains("pro"));
}

#[tokio::test]
async fn hash_keys_are_never_old() {
    let pair = Pair::new(AN_HOUR).await;
    let keys = Lookup {
        hash_keys: true,
        ..lookup("ada")
    };
    assert_eq!(pair.answered_by_replica(&keys).await, 0);
    assert_eq!(pair.answered_by_replica(&lookup("ada")).await, 1);
}

/// An applied file may change anything, so everything is asked of the primary until the replica has it.
#[tokio::test]
async fn an_applied_file_is_seen_at_once() {
    let pair = Pair::new(AN_HOUR).await;
    pair.pause();
    write(&pair.store, async |it| {
        it.insert_person(&person(&["cleo"])).await.unwrap();
    })
    .await;
    assert_eq!(pair.plan("cleo").await, "{}", "she is there");
    pair.resume();
    pair.until_used().await;
    assert_eq!(pair.plan("cleo").await, "{}");
}

#[tokio::test]
async fn a_replica_that_is_far_behind_is_left_alone() {
    let pair = Pair::new(Duration::from_secs(1)).await;
    pair.pause();
    set_plan(&pair.other, "bob", "pro").await;
    soon(async {
        while !pair.plan("bob").await.contains("pro") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert!(
        pair.on_replica("SELECT count(*) FROM persons WHERE properties::text LIKE '%pro%'") == "0"
    );
    pair.resume();
    pair.until_used().await;
}

#[tokio::test]
async fn a_replica_that_is_away_costs_nobody_an_answer() {
    let pair = Pair::new(AN_HOUR).await;
    pair.replica.stop().unwrap();
    for _ in 0..20 {
        assert_eq!(pair.plan("ada").await, "{}");
    }
    assert_eq!(pair.answered_by_replica(&lookup("ada")).await, 0);
    pair.replica.resume().unwrap();
    pair.until_used().await;
}

#[tokio::test]
async fn persons_are_found_while_the_primary_is_away() {
    let pair = Pair::new(Duration::from_secs(2)).await;
    let primary = pair.primary.server().unwrap();
    primary.stop().unwrap();
    let behind = || pair.store.replica_status().unwrap().behind.unwrap();
    // Longer than it may be behind.
    let began = std::time::Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        assert_eq!(pair.plan("ada").await, "{}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(behind() < Duration::from_secs(2), "{:?}", behind());
    let error = pair.store.projects().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    primary.resume().unwrap();
    pair.until_used().await;
}

/// Members that are loaded hold every change that was heard of before: otherwise a change would be lost for good.
#[tokio::test]
async fn members_are_not_older_than_the_changes_that_were_read() {
    let pair = Pair::new(AN_HOUR).await;
    let members = || pair.store.cohort_members_after(1, 1, 0, 100);
    assert_eq!(members().await.unwrap(), [0; 0]);
    pair.pause();
    write(&pair.other, async |it| {
        let member = FullPerson {
            static_cohorts: vec![1],
            ..person(&["dora"])
        };
        it.insert_person(&member).await.unwrap();
    })
    .await;
    // It has not heard of the change, and would read the membership again when it does.
    assert_eq!(members().await.unwrap(), [0; 0]);
    let changes = pair.store.changes_after(0, 1000).await.unwrap();
    assert!(!changes.is_empty());
    assert_eq!(members().await.unwrap().len(), 1, "from the primary");
    pair.resume();
}

#[tokio::test]
async fn only_a_postgres_has_one() {
    let replica = Some(ReplicaConfig {
        url: "postgres://burgee@127.0.0.1:1/none".to_owned(),
        most_behind: AN_HOUR,
    });
    let database = TestDatabase::sqlite().unwrap();
    let config = PoolConfig {
        replica,
        ..patient()
    };
    let error = Store::open(database.url(), config).await.unwrap_err();
    assert!(matches!(error, StoreError::Config(_)), "{error:?}");
}
