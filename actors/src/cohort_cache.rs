//! The cohort cache: owns the compiled cohorts of each project, and the members of static cohorts.
//!
//! Cohorts are compiled again only when their rows changed. Members are loaded when somebody first asks, in pages and once
//! however many ask, published whole, and kept up to date by the `changes` table. Until then, and when memory is short, the
//! database answers for them: see [`crate::static_members`].
//!
//! All that the actor asks of the database is asked by one page of members at a time, and by one round at a time that
//! reads the changes, applies them, and then publishes what was read to its end. So no answer can overtake another.

mod holdings;
mod members;
mod metrics;
mod slot;
mod source;

pub(crate) use metrics::MemberMetrics;
pub(crate) use slot::Slot;
pub(crate) use source::MemberSource;

use crate::convert;
use crate::mailbox::{Posted, answers_ping};
use crate::metrics::Metrics;
use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, MessageResponse, Supervised,
    WrapFuture,
};
use burgee_evaluation::{CohortId, CohortSet, ProjectId};
use burgee_schema::models::{ChangeRow, CohortRow, Membership};
use burgee_schema::{StoreError, chain};
use holdings::{Holdings, Page, Settlement};
use source::CHANGES;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Members read at once: a short statement, which leaves connection and threads to requests in between.
const PAGE: usize = 5_000;
/// The smallest page, for a database that is too slow for larger ones.
const SMALLEST_PAGE: usize = 100;
/// The pause before a question to the database is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// How often it is noted which cohorts were used.
const TICK: Duration = Duration::from_secs(1);

/// Asks for the compiled form of a project's cohorts, given their newest rows.
#[derive(Debug, Message)]
#[rtype(result = "Compiled")]
pub(crate) struct CompileCohorts {
    pub(crate) project: ProjectId,
    pub(crate) rows: Vec<CohortRow>,
}

/// A project's cohorts, and where the members of each are published if it is static.
#[derive(Debug, MessageResponse)]
pub(crate) struct Compiled {
    pub(crate) cohorts: Arc<CohortSet>,
    pub(crate) slots: HashMap<CohortId, Arc<Slot>>,
}

/// Tells that a project is gone.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ForgetCohorts(pub(crate) ProjectId);

/// Asks that members be loaded.
#[derive(Debug)]
pub(crate) struct LoadMembers {
    pub(crate) cohorts: Vec<CohortId>,
}

/// Tells that memberships may have changed.
#[derive(Debug)]
pub(crate) struct CatchUp {
    /// Told when what was committed before this message counts, or could not be read just now.
    pub(crate) done: Option<oneshot::Sender<()>>,
}

#[derive(Debug)]
struct Entry {
    rows: Vec<CohortRow>,
    compiled: Arc<CohortSet>,
}

/// The actor.
pub(crate) struct CohortCache {
    source: Arc<dyn MemberSource>,
    capacity: usize,
    entries: HashMap<ProjectId, Entry>,
    holdings: Holdings,
    /// Up to where changes were applied; `None` while nothing is held that could change.
    sequence: Option<i64>,
    page_size: usize,
    is_reading: bool,
    is_in_round: bool,
    /// Changes are to be read once more.
    is_told: bool,
    /// Who waits for the next round, and for this one.
    next_waiters: Vec<oneshot::Sender<()>>,
    waiters: Vec<oneshot::Sender<()>>,
    metrics: Arc<Metrics>,
}

impl CohortCache {
    /// Makes the actor; `limit` is the memory for members, in bytes.
    pub(crate) fn new(
        source: Arc<dyn MemberSource>,
        limit: usize,
        capacity: usize,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            source,
            capacity,
            entries: HashMap::new(),
            holdings: Holdings::new(limit, Arc::clone(&metrics)),
            sequence: None,
            page_size: PAGE,
            is_reading: false,
            is_in_round: false,
            is_told: false,
            next_waiters: Vec::new(),
            waiters: Vec::new(),
            metrics,
        }
    }

    fn begin(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(self.capacity);
        ctx.run_interval(TICK, |cache, _| cache.holdings.tick(Instant::now()));
        // What was under way went with an earlier context.
        self.is_reading = false;
        self.is_in_round = false;
        self.start_round(ctx);
        self.read_page(ctx);
    }

    fn count(&self) {
        self.metrics
            .cohorts_cached
            .set(i64::try_from(self.entries.len()).unwrap_or(i64::MAX));
    }

    /// Reads the page whose turn it is, unless one is on its way.
    fn read_page(&mut self, ctx: &mut Context<Self>) {
        if self.is_reading || self.sequence.is_none() {
            return;
        }
        let Some(page) = self.holdings.next_page() else {
            return;
        };
        self.is_reading = true;
        let limit = self.page_size;
        let members = self
            .source
            .members_after(page.project, page.cohort, page.after, limit);
        ctx.spawn(
            members
                .into_actor(self)
                .map(move |read, cache, ctx| cache.page_read(page, read, limit, ctx)),
        );
    }

    fn page_read(
        &mut self,
        page: Page,
        read: Result<Vec<i64>, StoreError>,
        limit: usize,
        ctx: &mut Context<Self>,
    ) {
        match read {
            Ok(persons) => {
                self.is_reading = false;
                self.page_size = PAGE.min(limit * 2);
                self.holdings
                    .page_read(page, &persons, persons.len() < limit);
                self.start_round(ctx);
                self.read_page(ctx);
            }
            Err(error) => {
                tracing::warn!(project = %page.project, cohort = %page.cohort, error = chain(&error), "members of a cohort could not be read; trying again");
                if matches!(error, StoreError::StatementTimeout) {
                    self.page_size = SMALLEST_PAGE.max(limit / 2);
                }
                self.holdings.page_failed(page);
                ctx.run_later(RETRY_PAUSE, |cache, ctx| {
                    cache.is_reading = false;
                    cache.read_page(ctx);
                });
            }
        }
    }

    /// Starts a round, unless one is under way or there is nothing to do.
    fn start_round(&mut self, ctx: &mut Context<Self>) {
        if self.is_in_round {
            return;
        }
        if self.holdings.is_idle() {
            // Nothing is held that could be out of date: who loads next begins at the newest change.
            self.sequence = None;
            self.is_told = false;
            answer(&mut self.next_waiters);
            return;
        }
        match self.sequence {
            None => self.find_place(ctx),
            Some(sequence) if self.is_told || self.holdings.has_complete() => {
                self.is_told = false;
                self.waiters.append(&mut self.next_waiters);
                self.read_changes(sequence, ctx);
            }
            Some(_) => {}
        }
    }

    /// Finds out from where changes matter, before the first page is read.
    fn find_place(&mut self, ctx: &mut Context<Self>) {
        self.is_in_round = true;
        let latest = self.source.latest_sequence();
        ctx.spawn(
            latest
                .into_actor(self)
                .map(|latest, cache, ctx| match latest {
                    Ok(sequence) => {
                        cache.sequence = Some(sequence);
                        cache.end_round(ctx);
                        cache.read_page(ctx);
                    }
                    Err(error) => cache.round_failed(&error, ctx),
                }),
        );
    }

    fn read_changes(&mut self, after: i64, ctx: &mut Context<Self>) {
        self.is_in_round = true;
        let changes = self.source.changes_after(after);
        ctx.spawn(
            changes
                .into_actor(self)
                .map(|changes, cache, ctx| match changes {
                    Ok(changes) => cache.changes_read(&changes, ctx),
                    Err(error) => cache.round_failed(&error, ctx),
                }),
        );
    }

    fn changes_read(&mut self, changes: &[ChangeRow], ctx: &mut Context<Self>) {
        let Some(last) = changes.last().map(|change| change.sequence) else {
            return self.caught_up(ctx);
        };
        let is_last = changes.len() < CHANGES;
        let asked = self.holdings.changed(changes);
        let existing = self.source.existing(asked.clone());
        ctx.spawn(
            existing
                .into_actor(self)
                .map(move |existing, cache, ctx| match existing {
                    Ok(existing) => {
                        cache.holdings.apply(&asked, &existing);
                        cache.sequence = Some(last);
                        if is_last {
                            cache.caught_up(ctx);
                        } else {
                            cache.read_changes(last, ctx);
                        }
                    }
                    Err(error) => cache.round_failed(&error, ctx),
                }),
        );
    }

    fn caught_up(&mut self, ctx: &mut Context<Self>) {
        answer(&mut self.waiters);
        self.settle(ctx);
    }

    /// Publishes what was read to its end, after reading again what changed meanwhile.
    fn settle(&mut self, ctx: &mut Context<Self>) {
        let Some(settlement) = self.holdings.next_complete() else {
            return self.end_round(ctx);
        };
        let existing = self.source.existing(settlement.memberships.clone());
        ctx.spawn(
            existing
                .into_actor(self)
                .map(move |existing, cache, ctx| cache.settled(settlement, existing, ctx)),
        );
    }

    fn settled(
        &mut self,
        settlement: Settlement,
        existing: Result<Vec<Membership>, StoreError>,
        ctx: &mut Context<Self>,
    ) {
        match existing {
            Ok(existing) => {
                self.holdings.settled(&settlement, &existing);
                self.settle(ctx);
            }
            Err(error) => {
                self.holdings.settlement_failed(settlement);
                self.round_failed(&error, ctx);
            }
        }
    }

    fn end_round(&mut self, ctx: &mut Context<Self>) {
        self.is_in_round = false;
        self.start_round(ctx);
        // A load may have been begun anew.
        self.read_page(ctx);
    }

    /// What is published keeps serving. The changes are not forgotten.
    fn round_failed(&mut self, error: &StoreError, ctx: &mut Context<Self>) {
        tracing::warn!(
            error = chain(error),
            "changed members of cohorts could not be read; trying again"
        );
        answer(&mut self.waiters);
        answer(&mut self.next_waiters);
        self.is_told = true;
        ctx.run_later(RETRY_PAUSE, |cache, ctx| cache.end_round(ctx));
    }
}

fn answer(waiters: &mut Vec<oneshot::Sender<()>>) {
    for waiter in waiters.drain(..) {
        let _ = waiter.send(());
    }
}

impl Actor for CohortCache {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.begin(ctx);
    }
}

impl Supervised for CohortCache {
    fn restarting(&mut self, ctx: &mut Self::Context) {
        self.begin(ctx);
    }
}

answers_ping!(CohortCache);

impl Handler<CompileCohorts> for CohortCache {
    type Result = Compiled;

    fn handle(&mut self, message: CompileCohorts, _: &mut Self::Context) -> Self::Result {
        let CompileCohorts { project, rows } = message;
        let slots = rows.iter().map(|row| {
            let id = CohortId(row.id);
            (id, self.holdings.slot(project, id))
        });
        let slots = slots.collect();
        if let Some(entry) = self
            .entries
            .get(&project)
            .filter(|entry| entry.rows == rows)
        {
            let cohorts = Arc::clone(&entry.compiled);
            return Compiled { cohorts, slots };
        }
        let readable = rows.iter().cloned().filter_map(|row| {
            let id = row.id;
            convert::cohort(row)
                .map_err(|error| {
                    tracing::warn!(%project, cohort = id, %error, "a cohort's stored JSON cannot be read; it counts as missing");
                })
                .ok()
        });
        let compiled = Arc::new(CohortSet::compile(readable.collect()));
        self.entries.insert(
            project,
            Entry {
                rows,
                compiled: Arc::clone(&compiled),
            },
        );
        self.count();
        Compiled {
            cohorts: compiled,
            slots,
        }
    }
}

impl Handler<ForgetCohorts> for CohortCache {
    type Result = ();

    fn handle(&mut self, ForgetCohorts(project): ForgetCohorts, _: &mut Self::Context) {
        self.entries.remove(&project);
        self.holdings.forget(project);
        self.count();
    }
}

impl Handler<Posted<LoadMembers>> for CohortCache {
    type Result = ();

    fn handle(&mut self, message: Posted<LoadMembers>, ctx: &mut Self::Context) {
        for cohort in message.open().cohorts {
            self.holdings.ask(cohort);
        }
        self.start_round(ctx);
        self.read_page(ctx);
    }
}

impl Handler<Posted<CatchUp>> for CohortCache {
    type Result = ();

    fn handle(&mut self, message: Posted<CatchUp>, ctx: &mut Self::Context) {
        self.next_waiters.extend(message.open().done);
        self.is_told = true;
        self.start_round(ctx);
    }
}

#[cfg(test)]
pub(crate) mod tests;
