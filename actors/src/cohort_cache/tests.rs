use super::holdings::Holdings;
use super::members::Members;
use super::source::{Answer, MemberSource};
use super::{CatchUp, CohortCache, CompileCohorts, LoadMembers, PAGE, Slot};
use crate::mailbox::Mailbox;
use crate::metrics::Metrics;
use crate::static_members::StaticMembers;
use crate::tests::{bulk_insert, flag, metrics, store, until};
use actix::Actor;
use burgee_evaluation::definition::GroupTypes;
use burgee_evaluation::{CohortId, CohortSet, Definitions, ProjectId, Selector, StaticReach};
use burgee_schema::models::*;
use burgee_schema::{Store, StoreError, WriteTransaction};
use chrono::Utc;
use prometheus_client::registry::Registry;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::{Semaphore, oneshot};

/// The real store, with a gate before each page.
pub(crate) struct Gated {
    store: Store,
    pub(crate) gate: Arc<Semaphore>,
    /// Loads that began, and pages asked for.
    pub(crate) loads: AtomicUsize,
    pages: AtomicUsize,
    fails: Arc<AtomicBool>,
    panics: AtomicBool,
}

impl Gated {
    pub(crate) fn closed(store: &Store) -> Arc<Self> {
        Arc::new(Self {
            store: store.clone(),
            gate: Arc::new(Semaphore::new(0)),
            loads: AtomicUsize::new(0),
            pages: AtomicUsize::new(0),
            fails: Arc::default(),
            panics: AtomicBool::new(false),
        })
    }

    /// Lets all pages through from here on.
    pub(crate) fn open(&self) {
        self.gate.add_permits(1_000_000);
    }
}

impl MemberSource for Gated {
    fn latest_sequence(&self) -> Answer<i64> {
        MemberSource::latest_sequence(&self.store)
    }

    fn changes_after(&self, sequence: i64) -> Answer<Vec<ChangeRow>> {
        MemberSource::changes_after(&self.store, sequence)
    }

    fn members_after(
        &self,
        project: ProjectId,
        cohort: CohortId,
        after: i64,
        limit: usize,
    ) -> Answer<Vec<i64>> {
        assert!(!self.panics.load(Ordering::Relaxed), "planned");
        self.pages.fetch_add(1, Ordering::Relaxed);
        if after == i64::MIN {
            self.loads.fetch_add(1, Ordering::Relaxed);
        }
        let (gate, fails) = (Arc::clone(&self.gate), Arc::clone(&self.fails));
        let store = self.store.clone();
        Box::pin(async move {
            gate.acquire().await.unwrap().forget();
            if fails.swap(false, Ordering::Relaxed) {
                return Err(StoreError::StatementTimeout);
            }
            MemberSource::members_after(&store, project, cohort, after, limit).await
        })
    }

    fn existing(&self, memberships: Vec<Membership>) -> Answer<Vec<Membership>> {
        self.store.existing(memberships)
    }
}

/// A cache on this thread, over a database with project 1 and static cohorts 1 to 3.
struct World {
    store: Store,
    source: Arc<Gated>,
    cache: Mailbox<CohortCache>,
    metrics: Arc<Metrics>,
    slots: HashMap<CohortId, Arc<Slot>>,
    directory: TempDir,
}

impl World {
    async fn new(limit: usize) -> Self {
        let (store, directory) = store().await;
        write(&store, async |t| {
            let project = ProjectRow {
                id: 1,
                name: "test".into(),
                token: "token".into(),
                timezone: None,
                property_matching_version: None,
            };
            t.put_project(&project).await.unwrap();
            for id in 1..=3 {
                t.put_cohort(&cohort(id)).await.unwrap();
            }
        })
        .await;
        let metrics = Arc::new(Metrics::register(&mut Registry::default(), store.clone()));
        let source = Gated::closed(&store);
        let actor = CohortCache::new(source.clone(), limit, 64, Arc::clone(&metrics));
        let cache = Mailbox::new(actor.start(), metrics.mailbox("cohort_cache", 0, 64));
        let rows = store.definitions(1).await.unwrap().unwrap().cohorts;
        let project = ProjectId(1);
        let compiled = cache.address().send(CompileCohorts { project, rows }).await;
        let slots = compiled.unwrap().slots;
        Self {
            store,
            source,
            cache,
            metrics,
            slots,
            directory,
        }
    }

    /// Gives a cohort the members `from`, `from + step`, …, which need not exist as persons.
    fn members(&self, cohort: i64, from: i64, step: i64, count: i64) {
        bulk_insert(&self.directory, cohort, from, step, count);
    }

    fn slot(&self, cohort: i64) -> &Slot {
        &self.slots[&CohortId(cohort)]
    }

    fn ask(&self, cohort: i64) {
        let cohorts = vec![CohortId(cohort)];
        self.cache.post(LoadMembers { cohorts }).unwrap();
    }

    async fn load(&self, cohort: i64) {
        self.ask(cohort);
        until(async || self.slot(cohort).is_held()).await;
    }

    async fn catch_up(&self) {
        let (done, was_done) = oneshot::channel();
        self.cache.post(CatchUp { done: Some(done) }).unwrap();
        was_done.await.unwrap();
    }

    fn begun(&self) -> usize {
        self.source.loads.load(Ordering::Relaxed)
    }

    async fn person(&self, cohorts: &[i64]) -> i64 {
        let mut id = 0;
        write(&self.store, async |t| {
            id = t.insert_person(&person(0, cohorts)).await.unwrap();
        })
        .await;
        id
    }

    async fn move_person(&self, id: i64, cohorts: &[i64]) {
        write(&self.store, async |t| {
            t.replace_person(&person(id, cohorts)).await.unwrap();
        })
        .await;
    }
}

async fn write(store: &Store, change: impl AsyncFnOnce(&mut WriteTransaction)) {
    let mut transaction = store.begin_write().await.unwrap();
    change(&mut transaction).await;
    transaction.commit().await.unwrap();
}

fn cohort(id: i64) -> CohortRow {
    CohortRow {
        id,
        project_id: 1,
        name: None,
        deleted: false,
        is_static: true,
        filters: None,
        groups: None,
        cohort_type: None,
        condition_type: None,
    }
}

fn person(id: i64, cohorts: &[i64]) -> FullPerson {
    FullPerson {
        person: PersonRow {
            id,
            project_id: 1,
            properties: "{}".into(),
            created_at: Utc::now(),
        },
        distinct_ids: Vec::new(),
        static_cohorts: cohorts.to_vec(),
        hash_key_overrides: Vec::new(),
    }
}

/// Plenty.
const MIB: usize = 1 << 20;
/// Two pages and a half.
const SOME: i64 = 12_500;

#[actix::test]
async fn a_cohort_is_loaded_once_however_many_wait() {
    let world = World::new(MIB).await;
    world.members(1, 1, 1, SOME);
    let asked = (0..1_000).filter(|_| world.slot(1).ask()).count();
    assert_eq!(asked, 1, "one of all who miss asks");
    for _ in 0..32 {
        world.ask(1);
    }
    world.source.open();
    until(async || world.slot(1).is_held()).await;
    for _ in 0..32 {
        world.ask(1);
    }
    world.load(2).await;
    assert_eq!(world.begun(), 2);
    assert_eq!(world.metrics.members.loads.get(), 2);
    assert_eq!(world.source.pages.load(Ordering::Relaxed), 4);
    assert_eq!(world.metrics.members.members_loaded.get(), 12_500);
}

#[actix::test]
async fn nobody_sees_a_half_loaded_cohort() {
    let world = World::new(MIB).await;
    world.members(1, 1, 2, SOME);
    world.ask(1);
    for pages in 1..=3 {
        assert_eq!(world.slot(1).contains(1), None);
        assert_eq!(world.metrics.members.entries.get(), 0);
        world.source.gate.add_permits(1);
        let read = (pages * PAGE).min(12_500);
        let loaded = || world.metrics.members.members_loaded.get();
        until(async || usize::try_from(loaded()).unwrap() == read).await;
    }
    until(async || world.slot(1).is_held()).await;
    for (person, expected) in [(1, true), (2, false), (24_999, true), (25_001, false)] {
        assert_eq!(world.slot(1).contains(person), Some(expected), "{person}");
    }
    assert_eq!(world.metrics.members.loading.get(), 0);
}

#[actix::test]
async fn small_cohorts_do_not_wait_for_a_large_one() {
    let world = World::new(MIB).await;
    world.members(1, 1, 1, 4 * SOME);
    world.members(2, 1, 1, 10);
    world.ask(1);
    world.ask(2);
    // A page each.
    world.source.gate.add_permits(2);
    until(async || world.slot(2).is_held()).await;
    assert!(!world.slot(1).is_held());
}

#[actix::test]
async fn what_changes_while_a_cohort_is_loaded_counts() {
    let world = World::new(MIB).await;
    let leaves = world.person(&[1]).await;
    let stays = world.person(&[1]).await;
    world.members(1, 1_000, 1, SOME);
    world.ask(1);
    world.source.gate.add_permits(1);
    until(async || world.metrics.members.members_loaded.get() > 0).await;
    // Both are behind the page that was read.
    world.move_person(leaves, &[2]).await;
    let comes = world.person(&[1]).await;
    assert!(comes < 1_000);
    world.source.open();
    until(async || world.slot(1).is_held()).await;
    for (person, expected) in [(leaves, false), (stays, true), (comes, true)] {
        assert_eq!(world.slot(1).contains(person), Some(expected), "{person}");
    }
    assert_eq!(world.begun(), 1);
}

#[actix::test]
async fn a_load_begins_anew_when_anybody_may_have_left() {
    let world = World::new(MIB).await;
    world.members(1, 1, 1, SOME);
    world.ask(1);
    world.source.gate.add_permits(1);
    until(async || world.metrics.members.members_loaded.get() > 0).await;
    write(&world.store, async |t| {
        t.delete_cohort(1, 1).await.unwrap();
    })
    .await;
    world.catch_up().await;
    world.source.open();
    until(async || world.slot(1).is_held()).await;
    assert_eq!(world.slot(1).contains(1), Some(false));
    assert_eq!(world.begun(), 2);
}

#[actix::test]
async fn changes_are_applied_without_loading_again() {
    let world = World::new(MIB).await;
    world.source.open();
    world.members(1, 1_000, 1, SOME);
    let id = world.person(&[]).await;
    world.load(1).await;
    world.load(2).await;
    for cohorts in [&[1, 2][..], &[2], &[1], &[]] {
        world.move_person(id, cohorts).await;
        world.catch_up().await;
        for cohort in [1, 2] {
            let expected = Some(cohorts.contains(&cohort));
            assert_eq!(world.slot(cohort).contains(id), expected, "{cohorts:?}");
            assert_eq!(world.slot(cohort).contains(1_000), Some(cohort == 1));
        }
    }
    world.move_person(id, &[1]).await;
    write(&world.store, async |t| {
        t.delete_person(1, id).await.unwrap()
    })
    .await;
    world.catch_up().await;
    assert_eq!(world.slot(1).contains(id), Some(false));
    assert_eq!(world.begun(), 2);
}

#[actix::test]
async fn a_cohort_that_changed_widely_is_left_to_the_database_until_it_is_loaded_again() {
    let world = World::new(MIB).await;
    world.source.open();
    world.members(1, 1_000_000, 1, SOME);
    world.load(1).await;
    assert!(world.slot(1).ask() && !world.slot(1).ask());
    write(&world.store, async |t| {
        let many = vec![person(0, &[1]); 1_001];
        t.insert_persons(&many).await.unwrap();
    })
    .await;
    world.catch_up().await;
    assert_eq!(world.slot(1).contains(1), None);
    assert!(world.slot(1).ask(), "who misses next asks");
    world.load(1).await;
    assert_eq!(world.slot(1).contains(1), Some(true));
    assert_eq!(world.slot(1).contains(1_000_000), Some(true));
}

#[actix::test]
async fn a_page_that_cannot_be_read_is_tried_again() {
    let world = World::new(MIB).await;
    world.members(1, 1, 1, SOME);
    world.source.fails.store(true, Ordering::Relaxed);
    world.source.open();
    world.load(1).await;
    assert_eq!(world.metrics.members.pages_failed.get(), 1);
    assert_eq!(world.slot(1).contains(SOME), Some(true));
    // 2,500, then 5,000 and 5,000, and an empty one: the database gets its time.
    assert_eq!(world.source.pages.load(Ordering::Relaxed), 5);
}

#[actix::test]
async fn the_cohort_not_used_for_longest_makes_room() {
    // One in a hundred: two bytes each and up to twice that while it grows, 26 kB a cohort.
    let world = World::new(75_000).await;
    world.source.open();
    for cohort in 1..=3 {
        world.members(cohort, cohort, 100, SOME);
    }
    world.load(1).await;
    world.load(2).await;
    assert_eq!(world.slot(1).contains(1), Some(true));
    world.load(3).await;
    assert_eq!(world.slot(2).contains(2), None);
    assert_eq!(world.slot(1).contains(1), Some(true));
    let metrics = &world.metrics.members;
    assert_eq!((metrics.evictions.get(), metrics.entries.get()), (1, 2));
    assert!((50_000..75_000).contains(&metrics.bytes.get()));
    // It is not loaded again at once, or two cohorts would chase each other.
    world.ask(2);
    world.catch_up().await;
    assert_eq!((world.begun(), metrics.loading.get()), (3, 0));
}

#[actix::test]
async fn a_cohort_larger_than_the_limit_is_left_to_the_database() {
    let world = World::new(60_000).await;
    world.source.open();
    world.members(1, 1, 100, 4 * SOME);
    world.ask(1);
    until(async || world.metrics.members.evictions.get() == 1).await;
    world.load(2).await;
    assert_eq!(world.slot(1).contains(1), None);
    assert!(world.metrics.members.bytes.get() < 1_000);
}

#[actix::test]
async fn a_million_members_take_less_than_four_megabytes() {
    let world = World::new(256 * MIB).await;
    world.source.open();
    world.members(1, 1, 1, 1_000_000);
    world.load(1).await;
    let metrics = &world.metrics.members;
    assert_eq!(metrics.members_loaded.get(), 1_000_000);
    let bytes = metrics.bytes.get();
    assert!((125_000..4_000_000).contains(&bytes), "{bytes}");
    for (person, expected) in [(0, false), (1, true), (1_000_000, true), (1_000_001, false)] {
        assert_eq!(world.slot(1).contains(person), Some(expected), "{person}");
    }
}

#[actix::test]
async fn rests_end_and_what_nobody_mentions_is_forgotten() {
    let (metrics, _directory) = metrics().await;
    let mut holdings = Holdings::new(100, Arc::clone(&metrics));
    let slot = holdings.slot(ProjectId(1), CohortId(1));
    let forgotten = holdings.slot(ProjectId(1), CohortId(2));
    assert!(slot.ask() && forgotten.ask());
    // Nothing fits.
    holdings.ask(CohortId(1));
    let page = holdings.next_page().unwrap();
    holdings.page_read(page, &[1], true);
    assert!(holdings.is_idle() && !slot.is_held());
    let now = Instant::now();
    holdings.tick(now);
    assert!(!slot.ask());
    holdings.tick(now + Duration::from_secs(3_600));
    assert!(slot.ask());
    drop(forgotten);
    holdings.tick(now);
    let again = holdings.slot(ProjectId(1), CohortId(2));
    assert!(again.ask(), "it is a new one");
}

#[actix::test]
async fn a_cache_that_is_gone_publishes_nothing() {
    let world = World::new(MIB).await;
    world.source.open();
    world.load(1).await;
    assert_eq!(world.slot(1).contains(1), Some(false));
    world.source.panics.store(true, Ordering::Relaxed);
    world.ask(2);
    // The panic ends the actor, and nobody would tell the others of changes.
    until(async || world.slot(1).contains(1).is_none()).await;
}

#[test]
fn a_person_is_filled_in_only_when_all_that_matters_is_held() {
    let mut definition = flag(1, "in-both");
    let filters = r#"{"groups": [{"properties": [{"key": "id", "type": "cohort", "value": 1}, {"key": "id", "type": "cohort", "value": 2}]}]}"#;
    definition.filters = serde_json::value::RawValue::from_string(filters.into()).unwrap();
    let (definitions, dropped) = Definitions::compile(vec![definition], Ok(GroupTypes::default()));
    assert_eq!(dropped, []);
    let cohorts = [1, 2].map(|id| crate::convert::cohort(cohort(id)).unwrap());
    let reach = StaticReach::of(&definitions, &CohortSet::compile(cohorts.into()));
    let slots: HashMap<CohortId, Arc<Slot>> =
        [1, 2].map(|id| (CohortId(id), Arc::default())).into();
    let members = StaticMembers::new(reach, &slots);
    let selection = definitions.select(&Selector::default());
    let reached = members.reached_by(&selection);
    let fill = || {
        let person = FoundPerson {
            id: 7,
            properties: "{}".into(),
            created_at: Utc::now(),
            static_cohorts: Vec::new(),
        };
        let mut found = Found {
            person: Some(person),
            ..Found::default()
        };
        let filled = reached.fill(&mut found);
        filled.then(|| found.person.unwrap().static_cohorts)
    };
    let mut seven = Members::default();
    seven.add(&[7]);
    slots[&CohortId(1)].publish(seven);
    assert_eq!(fill(), None, "2 is not held");
    slots[&CohortId(2)].publish(Members::default());
    assert_eq!(fill(), Some(vec![1]));
    slots[&CohortId(1)].withdraw();
    assert_eq!(fill(), None);
    assert!(reached.fill(&mut Found::default()), "there is no person");
}
