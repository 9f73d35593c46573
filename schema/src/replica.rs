//! A read replica: which look-ups it may answer, so that nobody is told less than they were told before.
//!
//! How far it is behind is measured against the primary, not believed: the primary says where its log ends, and the replica
//! is as new as the last moment whose end it has replayed. What this process wrote since then is asked of the primary, as is
//! everything while the replica is further behind than it may be, or away. Hash keys are always asked of the primary: an
//! old answer there would be another variant.

use crate::models::{EventWrite, Lookup};
use crate::pool::{Pool, PoolStatus};
use crate::store::Inner;
use crate::{QueryKind, StoreError};
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// How often both are asked where they are.
const PERIOD: Duration = Duration::from_millis(250);
/// Written ids that are remembered; more of them, and all look-ups go to the primary until the replica has caught up.
const MOST_WRITTEN: usize = 100_000;

/// Ends of the primary's log that the replica has not reached; more of them, and the oldest are forgotten.
const MOST_ENDS: usize = 256;

/// How far a log goes, in bytes: the primary's own, or what a replica has replayed. What is no replica is its own primary.
const POSITION: &str = "COALESCE(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() \
    ELSE pg_current_wal_lsn() END, '0/0'), 0)::bigint";

/// What is known of a replica at one moment, for gauges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplicaStatus {
    /// How far it is behind at most; `None` when that is not known.
    pub behind: Option<Duration>,
    /// Look-ups and pages of members that it answered.
    pub answered: u64,
    /// Those that it could have answered, but did not: it was away or too far behind, or they asked for what was just written.
    pub passed_on: u64,
    /// Its pool.
    pub pool: PoolStatus,
}

/// A replica and its pool.
pub(crate) struct Replica {
    pub(crate) pool: Pool,
    most_behind: Duration,
    news: Mutex<News>,
    hasher: RandomState,
    answered: AtomicU64,
    passed_on: AtomicU64,
}

/// What was heard of both databases.
#[derive(Default)]
struct News {
    /// Everything that was committed before this moment is on the replica.
    fresh_at: Option<Instant>,
    /// What this process wrote, and when it was told so. Entries older than `fresh_at` are dropped.
    written: HashMap<u64, Instant>,
    /// When this process last wrote without saying what.
    all_written_at: Option<Instant>,
    /// When changes were last read from the primary: members that are loaded must not be older than these.
    changes_read_at: Option<Instant>,
}

impl News {
    /// Whether the replica has what happened at a moment, if anything did.
    fn includes(&self, moment: Option<Instant>) -> bool {
        moment.is_none_or(|moment| self.fresh_at.is_some_and(|fresh| fresh >= moment))
    }

    fn is_near(&self, most_behind: Duration, now: Instant) -> bool {
        let behind = self
            .fresh_at
            .map(|fresh| now.saturating_duration_since(fresh));
        behind.is_some_and(|behind| behind <= most_behind)
    }

    fn become_fresh(&mut self, at: Instant) {
        self.fresh_at = Some(at);
        self.written.retain(|_, written| *written > at);
    }

    fn note(&mut self, id: u64, now: Instant) {
        if self.written.len() >= MOST_WRITTEN && !self.written.contains_key(&id) {
            self.all_written_at = Some(now);
            self.written.clear();
        }
        self.written.insert(id, now);
    }
}

impl Replica {
    pub(crate) fn new(pool: Pool, most_behind: Duration) -> Self {
        Self {
            pool,
            most_behind,
            news: Mutex::default(),
            hasher: RandomState::new(),
            answered: AtomicU64::new(0),
            passed_on: AtomicU64::new(0),
        }
    }

    pub(crate) fn status(&self) -> ReplicaStatus {
        ReplicaStatus {
            behind: self.news().fresh_at.map(|fresh| fresh.elapsed()),
            answered: self.answered.load(Ordering::Relaxed),
            passed_on: self.passed_on.load(Ordering::Relaxed),
            pool: self.pool.status(),
        }
    }

    /// Splits look-ups into those for the replica and those for the primary, by their place.
    pub(crate) fn split(&self, lookups: &[Lookup]) -> (Vec<usize>, Vec<usize>) {
        let news = self.news();
        let is_usable =
            news.is_near(self.most_behind, Instant::now()) && news.includes(news.all_written_at);
        let (there, here): (Vec<usize>, Vec<usize>) = lookups
            .iter()
            .enumerate()
            .map(|(place, lookup)| (place, is_usable && self.may_answer(&news, lookup)))
            .fold(
                (Vec::new(), Vec::new()),
                |(mut there, mut here), (place, may)| {
                    if may {
                        there.push(place)
                    } else {
                        here.push(place)
                    }
                    (there, here)
                },
            );
        self.passed_on
            .fetch_add(count(here.len()), Ordering::Relaxed);
        (there, here)
    }

    fn may_answer(&self, news: &News, lookup: &Lookup) -> bool {
        if lookup.hash_keys {
            return false;
        }
        let is_written = |id: &str| news.written.contains_key(&self.key(lookup.project_id, id));
        let mut groups = lookup.groups.iter().map(|(_, key)| key.as_str());
        news.written.is_empty() || !(is_written(&lookup.distinct_id) || groups.any(is_written))
    }

    /// Whether members that are read now include every change this process has heard of.
    pub(crate) fn may_load_members(&self) -> bool {
        let news = self.news();
        let may = news.is_near(self.most_behind, Instant::now())
            && news.includes(news.all_written_at)
            && news.includes(news.changes_read_at);
        if !may {
            self.passed_on.fetch_add(1, Ordering::Relaxed);
        }
        may
    }

    /// Counts what it answered.
    pub(crate) fn answered(&self, questions: usize) {
        self.answered.fetch_add(count(questions), Ordering::Relaxed);
    }

    /// Notes that it cannot be asked; it may again when it is found near.
    pub(crate) fn is_away(&self) {
        self.news().fresh_at = None;
    }

    /// Notes whose persons and groups events have just changed.
    pub(crate) fn wrote(&self, events: &[EventWrite]) {
        let now = Instant::now();
        let mut news = self.news();
        for event in events {
            let person = event.person.as_ref();
            let ids = person.into_iter().flat_map(|person| {
                let other = person.merge.as_ref().map(|merge| merge.other.as_str());
                std::iter::once(person.distinct_id.as_str()).chain(other)
            });
            let group = event.group.as_ref().map(|group| group.key.as_str());
            for id in ids.chain(group) {
                news.note(self.key(event.project_id, id), now);
            }
        }
    }

    /// Notes that anything may have been written.
    pub(crate) fn wrote_anything(&self) {
        self.news().all_written_at = Some(Instant::now());
    }

    /// Notes that changes were heard of.
    pub(crate) fn changes_were_read(&self) {
        self.news().changes_read_at = Some(Instant::now());
    }

    fn key(&self, project: i64, id: &str) -> u64 {
        self.hasher.hash_one((project, id))
    }

    fn news(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Compares both databases again and again, as long as the store is there.
pub(crate) async fn watch(store: Weak<Inner>) {
    let mut ends = VecDeque::new();
    loop {
        let Some(inner) = store.upgrade() else { return };
        let Some(replica) = inner.replica.as_ref() else {
            return;
        };
        compare(&inner, replica, &mut ends).await;
        drop(inner);
        tokio::time::sleep(PERIOD).await;
    }
}

/// Asks both where they are. The replica is as new as the moment before the primary said the last end that it has reached.
async fn compare(inner: &Inner, replica: &Replica, ends: &mut VecDeque<(Instant, i64)>) {
    let asked_at = Instant::now();
    let end = position(inner, inner.readers()).await;
    let reached = match position(inner, &replica.pool).await {
        Ok(reached) => reached,
        Err(error) => {
            tracing::debug!(
                error = crate::chain(&error),
                "the read replica does not answer"
            );
            replica.is_away();
            return;
        }
    };
    match end {
        Ok(end) => ends.push_back((asked_at, end)),
        // Nobody can write to it from here: what was near stays so.
        Err(StoreError::Unavailable(_)) => {
            let mut news = replica.news();
            if news.is_near(replica.most_behind, asked_at) {
                news.become_fresh(asked_at);
            }
        }
        Err(_) => {}
    }
    if ends.len() > MOST_ENDS {
        ends.pop_front();
    }
    while let Some((at, _)) = ends.front().copied().filter(|(_, end)| *end <= reached) {
        replica.news().become_fresh(at);
        ends.pop_front();
    }
}

async fn position(inner: &Inner, pool: &Pool) -> Result<i64, StoreError> {
    let mut connection = pool.acquire(inner.config.acquire_timeout).await?;
    let began = inner.observers.began();
    let position = connection.number_on_postgres(POSITION).await;
    let observers = &inner.observers;
    observers.tell(began, |it, took| it.asked(QueryKind::Replica, took));
    position
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
