//! The half of a write transaction that lives on the store's runtime: it owns the connection, does one job after the
//! other, and rolls back when nobody can send another.

use crate::StoreError;
use crate::connection::{Access, Begin, Connection};
use crate::models::ChangeKind;
use crate::models::change::Change;
use crate::models::cohort_member::TouchedPersons;
use crate::models::history::{self, Stamp, Told};
use crate::pool::Lease;
use crate::store::Inner;
use futures_util::future::BoxFuture;
use std::collections::{HashMap, HashSet};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

type Result<T> = std::result::Result<T, StoreError>;

/// Whoever writes definitions or people on Postgres holds this lock. SQLite has one of its own.
pub(crate) const WRITERS_LOCK: i64 = 0x6275_7267_6565_0003;

/// More persons or groups than this in one transaction, and they are announced as many.
const NAMED_CHANGES: usize = 100;

/// Something to do with the session.
pub(super) type Job = Box<dyn for<'s> FnOnce(&'s mut Session) -> BoxFuture<'s, ()> + Send>;

/// A connection in a writing transaction, and what it has changed so far.
pub(super) struct Session {
    held: Held,
    inner: Arc<Inner>,
    changes: Vec<Change>,
    known: HashSet<Change>,
    /// What people are told of some of them.
    told: HashMap<Change, Told>,
    stamp: Stamp,
    /// By cohort.
    members: HashMap<i64, TouchedPersons>,
    failed: bool,
    over: bool,
}

/// Postgres gets a connection made for this transaction: it may take long, with limits of its own, and the request path
/// should not miss one meanwhile. SQLite has only one writer.
enum Held {
    Own(Connection),
    Lease(Lease),
}

impl Session {
    pub(super) async fn begin(inner: Arc<Inner>, limit: Duration) -> Result<Self> {
        let mut held = if inner.target.is_postgres() {
            Held::Own(Connection::establish(&inner.target, Access::Write, limit).await?)
        } else {
            let mut lease = inner.writer().acquire(limit).await?;
            lease.set_limit(limit).await?;
            Held::Lease(lease)
        };
        held.begin(Begin::Write).await?;
        held.run_on_postgres(&format!("SELECT pg_advisory_xact_lock({WRITERS_LOCK})"))
            .await?;
        Ok(Self::with(held, inner))
    }

    /// Reads only, on a connection of its own: it may take long, and nobody waits for it.
    pub(super) async fn begin_snapshot(inner: Arc<Inner>) -> Result<Self> {
        let limit = inner.config.write_timeout;
        let connection = Connection::establish(&inner.target, Access::Read, limit).await?;
        let mut held = Held::Own(connection);
        held.begin(Begin::Snapshot).await?;
        Ok(Self::with(held, inner))
    }

    fn with(held: Held, inner: Arc<Inner>) -> Self {
        Self {
            held,
            inner,
            changes: Vec::new(),
            known: HashSet::new(),
            told: HashMap::new(),
            stamp: Stamp {
                at: chrono::Utc::now().timestamp_micros(),
                author: None,
            },
            members: HashMap::new(),
            failed: false,
            over: false,
        }
    }

    /// Does jobs until there are no more, which is the end of the transaction in any case.
    pub(super) async fn serve(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(job) = jobs.recv().await {
            job(&mut self).await;
        }
        if !self.over {
            self.held.roll_back().await;
        }
    }

    pub(super) fn connection(&mut self) -> &mut Connection {
        &mut self.held
    }

    /// Remembers a change, once. It is written at commit, so that the lock on the order of changes is held shortly.
    pub(super) fn changed(&mut self, project_id: i64, kind: ChangeKind, object: String) {
        let change = (project_id, kind, object);
        if self.known.insert(change.clone()) {
            self.changes.push(change);
        }
    }

    /// Remembers a change that people are told of.
    pub(super) fn tell(&mut self, project_id: i64, kind: ChangeKind, object: String, told: Told) {
        let change = (project_id, kind, object);
        match self.told.get_mut(&change) {
            Some(earlier) => earlier.followed_by(told),
            None => {
                self.told.insert(change.clone(), told);
            }
        }
        let (project_id, kind, object) = change;
        self.changed(project_id, kind, object);
    }

    /// Says for whom all of it is done.
    pub(super) fn sign(&mut self, author: String) {
        self.stamp.author = Some(author);
    }

    /// Returns the connection, and when and for whom it writes.
    pub(super) fn parts(&mut self) -> (&mut Connection, &Stamp) {
        (&mut self.held, &self.stamp)
    }

    /// Remembers that a person came into a static cohort, or may have left it.
    pub(super) fn member_changed(&mut self, project_id: i64, cohort_id: i64, person_id: i64) {
        self.members.entry(cohort_id).or_default().add(person_id);
        self.changed(project_id, ChangeKind::CohortMembers, cohort_id.to_string());
    }

    /// Remembers that a static cohort lost its members.
    pub(super) fn members_dropped(&mut self, project_id: i64, cohort_id: i64) {
        self.members.insert(cohort_id, TouchedPersons::Many);
        self.changed(project_id, ChangeKind::CohortMembers, cohort_id.to_string());
    }

    /// Writes beside each changed cohort whose memberships changed.
    fn name_members(&self, changes: &mut [Change]) {
        let of_members = |change: &&mut Change| change.1 == ChangeKind::CohortMembers;
        for (_, _, object) in changes.iter_mut().filter(of_members) {
            let cohort = object.parse().ok();
            if let Some((cohort, touched)) = cohort.and_then(|id| self.members.get_key_value(&id)) {
                *object = touched.object(*cohort);
            }
        }
    }

    /// Keeps in mind whether a job failed: SQLite would commit the others all the same.
    pub(super) fn note<T>(&mut self, outcome: &Result<T>) {
        self.failed |= outcome.is_err();
    }

    pub(super) async fn commit(&mut self) -> Result<()> {
        self.over = true;
        if self.failed {
            self.held.roll_back().await;
            return Err(StoreError::Query(
                "the transaction was rolled back, because a part of it failed".into(),
            ));
        }
        let mut changes = summarized(std::mem::take(&mut self.changes));
        let told: Vec<Option<Told>> = changes.iter().map(|it| self.told.remove(it)).collect();
        self.name_members(&mut changes);
        let all = changes.into_iter().zip(told).collect();
        let recorded = history::record(&mut self.held, all, &self.stamp).await;
        let finished = self.held.finish(recorded).await;
        // Also after a failure: it may have taken effect.
        self.inner.wrote_anything();
        finished?;
        self.inner
            .commits
            .send_modify(|count| *count = count.wrapping_add(1));
        Ok(())
    }

    pub(super) async fn roll_back(&mut self) {
        self.over = true;
        self.held.roll_back().await;
    }
}

/// Replaces the persons, or groups, of a project by one unnamed change when there are many.
fn summarized(changes: Vec<Change>) -> Vec<Change> {
    let mut counts: HashMap<(i64, ChangeKind), usize> = HashMap::new();
    for (project_id, kind, _) in &changes {
        *counts.entry((*project_id, *kind)).or_default() += 1;
    }
    let mut unnamed = HashSet::new();
    let summarize = |(project_id, kind, object): Change| {
        let many = counts
            .get(&(project_id, kind))
            .is_some_and(|count| *count > NAMED_CHANGES);
        if !many || !matches!(kind, ChangeKind::Person | ChangeKind::Group) {
            return Some((project_id, kind, object));
        }
        unnamed
            .insert((project_id, kind))
            .then(|| (project_id, kind, String::new()))
    };
    changes.into_iter().filter_map(summarize).collect()
}

impl Deref for Held {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        match self {
            Self::Own(connection) => connection,
            Self::Lease(lease) => lease,
        }
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut Connection {
        match self {
            Self::Own(connection) => connection,
            Self::Lease(lease) => lease,
        }
    }
}
