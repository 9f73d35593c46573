//! Which cohorts' members are held, which are being loaded, and what has to go when memory is short.
//!
//! Bookkeeping alone: it asks nobody and waits for nothing. The actor brings it pages and changes, one at a time.

use super::members::Members;
use super::metrics::MemberMetrics;
use super::slot::Slot;
use crate::metrics::Metrics;
use burgee_evaluation::{CohortId, ProjectId};
use burgee_schema::models::{ChangeRow, ChangedMembers, Membership};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Cohorts that are read in turns; the others wait in line.
const LOADS_AT_ONCE: usize = 4;
/// How long a cohort that was given up for another stays with the database.
const REST: Duration = Duration::from_secs(60);
/// The same for one that alone is larger than the limit.
const LONG_REST: Duration = Duration::from_secs(600);
/// Changed memberships of one cohort beyond which it is read anew.
const MANY_CHANGES: usize = 20_000;
/// Progress is logged each time this many more members were read.
const PROGRESS: u64 = 1_000_000;

/// What is known of all cohorts.
pub(super) struct Holdings {
    entries: HashMap<CohortId, Entry>,
    /// Asked for; their loads have not begun.
    line: VecDeque<CohortId>,
    /// Being loaded, in the order of their turns. A page a turn, so that a small cohort does not wait for a large one.
    turns: VecDeque<CohortId>,
    /// Read to the end, not published yet.
    complete: VecDeque<CohortId>,
    bytes: usize,
    limit: usize,
    /// Grows with each load and each second.
    clock: u64,
    loads_begun: u64,
    metrics: Arc<Metrics>,
}

struct Entry {
    project: ProjectId,
    slot: Arc<Slot>,
    state: State,
    last_used: u64,
}

enum State {
    /// Nobody has asked.
    Idle,
    /// In line.
    Waiting,
    Loading(Box<Load>),
    /// Published; its size in bytes.
    Held(usize),
    /// Left to the database until then.
    Resting(Instant),
}

/// A cohort that is read page by page. Nobody but this module sees it before it is whole.
struct Load {
    number: u64,
    members: Members,
    bytes: usize,
    after: i64,
    is_complete: bool,
    /// Persons whose membership changed meanwhile: what was read of them may be old.
    changed: HashSet<i64>,
    began: Instant,
}

/// The next page to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    pub(super) project: ProjectId,
    pub(super) cohort: CohortId,
    pub(super) after: i64,
    load: u64,
}

/// A load that has to read some memberships again before it can be published.
#[derive(Debug)]
pub(super) struct Settlement {
    cohort: CohortId,
    load: u64,
    pub(super) memberships: Vec<Membership>,
}

impl Holdings {
    pub(super) fn new(limit: usize, metrics: Arc<Metrics>) -> Self {
        let gauge = &metrics.members.limit;
        gauge.set(i64::try_from(limit).unwrap_or(i64::MAX));
        Self {
            entries: HashMap::new(),
            line: VecDeque::new(),
            turns: VecDeque::new(),
            complete: VecDeque::new(),
            bytes: 0,
            limit,
            clock: 0,
            loads_begun: 0,
            metrics,
        }
    }

    fn metrics(&self) -> &MemberMetrics {
        &self.metrics.members
    }

    /// Returns where a cohort's members are published.
    pub(super) fn slot(&mut self, project: ProjectId, cohort: CohortId) -> Arc<Slot> {
        let entry = self.entries.entry(cohort).or_insert_with(|| Entry {
            project,
            slot: Arc::default(),
            state: State::Idle,
            last_used: 0,
        });
        Arc::clone(&entry.slot)
    }

    /// Puts a cohort in line to be loaded, unless it is there already.
    pub(super) fn ask(&mut self, cohort: CohortId) {
        if let Some(entry) = self.entries.get_mut(&cohort)
            && matches!(entry.state, State::Idle)
            && self.limit > 0
        {
            entry.state = State::Waiting;
            self.line.push_back(cohort);
            self.count();
        }
    }

    /// Returns whether no cohort is held or asked for, so that no change matters.
    pub(super) fn is_idle(&self) -> bool {
        let idle = |entry: &Entry| matches!(entry.state, State::Idle | State::Resting(_));
        self.entries.values().all(idle)
    }

    /// Returns whose turn it is.
    pub(super) fn next_page(&mut self) -> Option<Page> {
        while self.turns.len() < LOADS_AT_ONCE
            && let Some(cohort) = self.line.pop_front()
        {
            self.begin(cohort);
        }
        while let Some(cohort) = self.turns.pop_front() {
            if let Some(entry) = self.entries.get(&cohort)
                && let State::Loading(load) = &entry.state
                && !load.is_complete
            {
                return Some(Page {
                    project: entry.project,
                    cohort,
                    after: load.after,
                    load: load.number,
                });
            }
        }
        None
    }

    fn begin(&mut self, cohort: CohortId) {
        self.loads_begun += 1;
        if let Some(entry) = self.entries.get_mut(&cohort)
            && matches!(entry.state, State::Waiting)
        {
            entry.state = State::Loading(Box::new(Load::new(self.loads_begun)));
            self.turns.push_back(cohort);
        }
    }

    /// Gives a page's turn back: it could not be read.
    pub(super) fn page_failed(&mut self, page: Page) {
        self.metrics().pages_failed.inc();
        self.turns.push_front(page.cohort);
    }

    /// Takes a page in. One that is not full is the last.
    pub(super) fn page_read(&mut self, page: Page, persons: &[i64], is_last: bool) {
        let Some(entry) = self.entries.get_mut(&page.cohort) else {
            return;
        };
        let State::Loading(load) = &mut entry.state else {
            return;
        };
        if load.number != page.load {
            // It was begun anew meanwhile, and has lost its turn.
            self.turns.push_back(page.cohort);
            return;
        }
        let before = load.bytes;
        load.take(page, persons);
        load.is_complete = is_last;
        self.bytes = self.bytes - before + load.bytes;
        let line = if is_last {
            &mut self.complete
        } else {
            &mut self.turns
        };
        line.push_back(page.cohort);
        self.metrics()
            .members_loaded
            .inc_by(u64::try_from(persons.len()).unwrap_or(u64::MAX));
        self.make_room();
        if self.bytes > self.limit {
            self.give_up(page.cohort);
        }
        self.count();
    }

    /// Returns whether a cohort was read to its end and can be published once its changes were read again.
    pub(super) fn has_complete(&self) -> bool {
        !self.complete.is_empty()
    }

    /// Returns the next cohort to publish, with the memberships to read again first.
    pub(super) fn next_complete(&mut self) -> Option<Settlement> {
        while let Some(cohort) = self.complete.pop_front() {
            if let Some(State::Loading(load)) = self.entries.get_mut(&cohort).map(|e| &mut e.state)
                && load.is_complete
            {
                let changed = std::mem::take(&mut load.changed);
                let membership = |person_id| Membership {
                    cohort_id: cohort.0,
                    person_id,
                };
                return Some(Settlement {
                    cohort,
                    load: load.number,
                    memberships: changed.into_iter().map(membership).collect(),
                });
            }
        }
        None
    }

    /// Takes a settlement back: its memberships could not be read.
    pub(super) fn settlement_failed(&mut self, settlement: Settlement) {
        if let Some(load) = self.load(&settlement) {
            let persons = settlement.memberships.iter().map(|m| m.person_id);
            load.changed.extend(persons);
            self.complete.push_front(settlement.cohort);
        }
    }

    /// Publishes a cohort.
    pub(super) fn settled(&mut self, settlement: &Settlement, existing: &[Membership]) {
        let Some(load) = self.load(settlement) else {
            return;
        };
        let mut members = std::mem::take(&mut load.members);
        let (before, began) = (load.bytes, load.began);
        let existing: HashSet<&Membership> = existing.iter().collect();
        for membership in &settlement.memberships {
            members.set(membership.person_id, existing.contains(membership));
        }
        // A copy has no room to grow left over.
        let members = members.clone();
        let (bytes, count) = (members.bytes(), members.len());
        self.note_used();
        if let Some(entry) = self.entries.get_mut(&settlement.cohort) {
            entry.slot.publish(members);
            entry.state = State::Held(bytes);
            entry.last_used = self.clock;
            let (cohort, project) = (settlement.cohort, entry.project);
            tracing::info!(%project, %cohort, members = count, bytes, seconds = began.elapsed().as_secs_f64(), "the members of a cohort are loaded");
        }
        // Whoever is used from here on was used later.
        self.clock += 1;
        self.bytes = self.bytes - before + bytes;
        self.metrics().loads.inc();
        self.metrics()
            .load_time
            .observe(began.elapsed().as_secs_f64());
        self.make_room();
        self.count();
    }

    fn load(&mut self, settlement: &Settlement) -> Option<&mut Load> {
        match &mut self.entries.get_mut(&settlement.cohort)?.state {
            State::Loading(load) if load.number == settlement.load => Some(load),
            _ => None,
        }
    }

    /// Takes changes in; returns the memberships of held cohorts that have to be read again.
    pub(super) fn changed(&mut self, changes: &[ChangeRow]) -> Vec<Membership> {
        let mut persons: BTreeMap<CohortId, BTreeSet<i64>> = BTreeMap::new();
        for change in changes {
            match change.members() {
                None => {}
                Some(ChangedMembers::Persons {
                    cohort_id,
                    person_ids,
                }) => persons
                    .entry(CohortId(cohort_id))
                    .or_default()
                    .extend(person_ids),
                Some(ChangedMembers::Cohort(id)) => self.read_anew(CohortId(id)),
                Some(ChangedMembers::All) => self.read_all_anew(ProjectId(change.project_id)),
            }
        }
        let mut again = Vec::new();
        for (cohort, persons) in persons {
            again.extend(self.persons_changed(cohort, persons));
        }
        self.count();
        again
    }

    fn persons_changed(&mut self, cohort: CohortId, persons: BTreeSet<i64>) -> Vec<Membership> {
        let state = self.entries.get_mut(&cohort).map(|entry| &mut entry.state);
        let many = match state {
            Some(State::Loading(load)) => {
                load.changed.extend(persons);
                load.changed.len() > MANY_CHANGES
            }
            Some(State::Held(_)) if persons.len() <= MANY_CHANGES => {
                let membership = |person_id| Membership {
                    cohort_id: cohort.0,
                    person_id,
                };
                return persons.into_iter().map(membership).collect();
            }
            Some(State::Held(_)) => true,
            Some(State::Idle | State::Waiting | State::Resting(_)) | None => false,
        };
        if many {
            self.read_anew(cohort);
        }
        Vec::new()
    }

    /// Forgets what was read of a cohort. One that was held is loaded again when somebody asks for it.
    fn read_anew(&mut self, cohort: CohortId) {
        let Some(entry) = self.entries.get_mut(&cohort) else {
            return;
        };
        match &mut entry.state {
            State::Held(bytes) => {
                self.bytes -= *bytes;
                entry.slot.withdraw();
                entry.state = State::Idle;
                entry.slot.may_be_asked();
            }
            State::Loading(load) => {
                self.bytes -= load.bytes;
                self.loads_begun += 1;
                if load.is_complete {
                    self.turns.push_back(cohort);
                }
                **load = Load::new(self.loads_begun);
            }
            State::Idle | State::Waiting | State::Resting(_) => {}
        }
    }

    fn read_all_anew(&mut self, project: ProjectId) {
        let of_project = self.entries.iter().filter(|(_, e)| e.project == project);
        let cohorts: Vec<CohortId> = of_project.map(|(id, _)| *id).collect();
        for cohort in cohorts {
            self.read_anew(cohort);
        }
    }

    /// Publishes what became of memberships that were read again.
    pub(super) fn apply(&mut self, asked: &[Membership], existing: &[Membership]) {
        let existing: HashSet<&Membership> = existing.iter().collect();
        for of_cohort in asked.chunk_by(|a, b| a.cohort_id == b.cohort_id) {
            let Some(id) = of_cohort.first().map(|m| CohortId(m.cohort_id)) else {
                continue;
            };
            let Some(entry) = self.entries.get_mut(&id) else {
                continue;
            };
            let (State::Held(bytes), Some(held)) = (&mut entry.state, entry.slot.members()) else {
                continue;
            };
            let is_new = |m: &&Membership| held.contains(m.person_id) != existing.contains(*m);
            let mut new = of_cohort.iter().filter(is_new).peekable();
            if new.peek().is_some() {
                let mut members = Members::clone(&held);
                new.for_each(|m| members.set(m.person_id, existing.contains(m)));
                self.bytes -= *bytes;
                *bytes = members.bytes();
                self.bytes += *bytes;
                entry.slot.publish(members);
            }
        }
        self.make_room();
        self.count();
    }

    /// Gives up the cohorts that were not used for longest, until the rest fits.
    fn make_room(&mut self) {
        if self.bytes <= self.limit {
            return;
        }
        self.note_used();
        while self.bytes > self.limit {
            let held = self
                .entries
                .iter()
                .filter(|(_, entry)| matches!(entry.state, State::Held(_)));
            let Some(id) = held
                .min_by_key(|(id, entry)| (entry.last_used, **id))
                .map(|(id, _)| *id)
            else {
                return;
            };
            self.rest(id, REST);
            self.metrics().evictions.inc();
        }
    }

    /// Ends a load for which there is no room.
    fn give_up(&mut self, cohort: CohortId) {
        let loads = |entry: &&Entry| matches!(entry.state, State::Loading(_));
        let alone = self.entries.values().filter(loads).count() == 1;
        if alone {
            tracing::warn!(%cohort, limit = self.limit, "the members of a cohort take more memory than there is for all; the database answers for it");
        }
        self.rest(cohort, if alone { LONG_REST } else { REST });
        self.metrics().evictions.inc();
    }

    fn rest(&mut self, cohort: CohortId, rest: Duration) {
        if let Some(entry) = self.entries.get_mut(&cohort) {
            self.bytes -= entry.state.bytes();
            entry.slot.withdraw();
            entry.state = State::Resting(Instant::now() + rest);
        }
    }

    fn note_used(&mut self) {
        for entry in self.entries.values_mut() {
            if entry.slot.take_used() {
                entry.last_used = self.clock;
            }
        }
    }

    /// Does what is due with time: notes who was used, ends rests, forgets cohorts that no definitions mention any more.
    pub(super) fn tick(&mut self, now: Instant) {
        self.clock += 1;
        self.note_used();
        let mut freed = 0;
        self.entries.retain(|_, entry| {
            if Arc::strong_count(&entry.slot) == 1 {
                freed += entry.state.bytes();
                return false;
            }
            if matches!(entry.state, State::Resting(until) if until <= now) {
                entry.state = State::Idle;
                entry.slot.may_be_asked();
            }
            true
        });
        self.bytes -= freed;
        self.count();
    }

    /// Forgets a project's cohorts.
    pub(super) fn forget(&mut self, project: ProjectId) {
        let mut freed = 0;
        self.entries.retain(|_, entry| {
            if entry.project == project {
                freed += entry.state.bytes();
                entry.slot.withdraw();
            }
            entry.project != project
        });
        self.bytes -= freed;
        self.count();
    }

    fn count(&self) {
        let of = |wanted: fn(&State) -> bool| {
            let count = self.entries.values().filter(|e| wanted(&e.state)).count();
            i64::try_from(count).unwrap_or(i64::MAX)
        };
        let metrics = self.metrics();
        metrics
            .bytes
            .set(i64::try_from(self.bytes).unwrap_or(i64::MAX));
        metrics
            .entries
            .set(of(|state| matches!(state, State::Held(_))));
        metrics.loading.set(of(|state| {
            matches!(state, State::Waiting | State::Loading(_))
        }));
    }
}

impl Drop for Holdings {
    /// Nobody would keep them up to date.
    fn drop(&mut self) {
        for entry in self.entries.values() {
            entry.slot.withdraw();
        }
    }
}

impl State {
    fn bytes(&self) -> usize {
        match self {
            Self::Held(bytes) => *bytes,
            Self::Loading(load) => load.bytes,
            Self::Idle | Self::Waiting | Self::Resting(_) => 0,
        }
    }
}

impl Load {
    fn new(number: u64) -> Self {
        Self {
            number,
            members: Members::default(),
            bytes: 0,
            after: i64::MIN,
            is_complete: false,
            changed: HashSet::new(),
            began: Instant::now(),
        }
    }

    fn take(&mut self, page: Page, persons: &[i64]) {
        let before = self.members.len();
        self.members.add(persons);
        self.bytes = self.members.bytes();
        self.after = persons.last().copied().unwrap_or(self.after);
        let members = self.members.len();
        if before / PROGRESS != members / PROGRESS {
            let Page {
                project, cohort, ..
            } = page;
            tracing::info!(%project, %cohort, members, "loading the members of a cohort");
        }
    }
}
