//! The cohort cache: owns the compiled cohorts of each project, and compiles them again only when their rows changed.

use crate::convert;
use crate::mailbox::answers_ping;
use crate::metrics::Metrics;
use actix::{Actor, Context, Handler, Message, Supervised};
use burgee_evaluation::{CohortSet, ProjectId};
use burgee_schema::models::CohortRow;
use std::collections::HashMap;
use std::sync::Arc;

/// Asks for the compiled form of a project's cohorts, given their newest rows.
#[derive(Debug, Message)]
#[rtype(result = "Arc<CohortSet>")]
pub(crate) struct CompileCohorts {
    pub(crate) project: ProjectId,
    pub(crate) rows: Vec<CohortRow>,
}

/// Tells that a project is gone.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ForgetCohorts(pub(crate) ProjectId);

#[derive(Debug)]
struct Entry {
    rows: Vec<CohortRow>,
    compiled: Arc<CohortSet>,
}

/// The actor. Its messages come from the definitions cache alone, which bounds how many are under way.
#[derive(Debug)]
pub(crate) struct CohortCache {
    entries: HashMap<ProjectId, Entry>,
    capacity: usize,
    metrics: Arc<Metrics>,
}

impl CohortCache {
    pub(crate) fn new(capacity: usize, metrics: Arc<Metrics>) -> Self {
        Self {
            entries: HashMap::new(),
            capacity,
            metrics,
        }
    }

    fn count(&self) {
        self.metrics
            .cohorts_cached
            .set(i64::try_from(self.entries.len()).unwrap_or(i64::MAX));
    }
}

impl Actor for CohortCache {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.capacity);
    }
}

impl Supervised for CohortCache {
    fn restarting(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.capacity);
    }
}

answers_ping!(CohortCache);

impl Handler<CompileCohorts> for CohortCache {
    type Result = Arc<CohortSet>;

    fn handle(&mut self, message: CompileCohorts, _: &mut Self::Context) -> Self::Result {
        let CompileCohorts { project, rows } = message;
        if let Some(entry) = self
            .entries
            .get(&project)
            .filter(|entry| entry.rows == rows)
        {
            return Arc::clone(&entry.compiled);
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
        compiled
    }
}

impl Handler<ForgetCohorts> for CohortCache {
    type Result = ();

    fn handle(&mut self, ForgetCohorts(project): ForgetCohorts, _: &mut Self::Context) {
        self.entries.remove(&project);
        self.count();
    }
}
