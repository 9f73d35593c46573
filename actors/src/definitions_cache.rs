//! The definitions cache: owns the compiled definitions of each project and publishes them as immutable snapshots.
//!
//! Readers look a token up in the published map and take no lock. Only a miss, or a change, is a message. What was
//! published once keeps serving when the database is away, until something newer was read.

use crate::ProjectError;
use crate::admission::ProjectLoad;
use crate::cohort_cache::{CohortCache, CompileCohorts, Compiled, ForgetCohorts};
use crate::convert;
use crate::cpu_pool::CpuPool;
use crate::local_definitions::LocalDefinitions;
use crate::mailbox::{Posted, answers_ping};
use crate::metrics::Metrics;
use crate::news::News;
use crate::revision::Revision;
use crate::snapshot::Snapshots;
use crate::static_members::StaticMembers;
use crate::system::ProjectSnapshot;
use crate::unknown_tokens::UnknownTokens;
use actix::{Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Supervised, WrapFuture};
use arc_swap::ArcSwap;
use burgee_evaluation::{CohortSet, Definitions, ProjectId, StaticReach};
use burgee_schema::models::DefinitionRows;
use burgee_schema::{Store, StoreError, chain};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, oneshot};

/// Projects read from the database at one time.
pub(crate) const LOADS_IN_FLIGHT: usize = 4;
/// Requests that may wait for a project to be loaded.
const WAITERS: usize = 4_096;
/// The pause before a failed refresh is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// All snapshots, as readers see them.
pub(crate) type Published = ArcSwap<Projects>;

/// Snapshots by what they are asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Projects {
    pub(crate) by_token: HashMap<Box<str>, Arc<ProjectSnapshot>>,
    pub(crate) by_id: HashMap<ProjectId, Arc<ProjectSnapshot>>,
}

/// The project of a token, or that there is none.
pub(crate) type FoundProject = Result<Option<Arc<ProjectSnapshot>>, ProjectError>;

/// Asks for a project that is not published.
#[derive(Debug)]
pub(crate) struct FindProject {
    pub(crate) token: Box<str>,
    pub(crate) reply: oneshot::Sender<FoundProject>,
}

/// Tells that projects changed.
#[derive(Debug)]
pub(crate) struct Refresh {
    pub(crate) projects: Vec<ProjectId>,
    /// Told when all of them were read once more, whatever came of it.
    pub(crate) done: Option<oneshot::Sender<()>>,
}

/// Puts up a project that was read from disk, unless the database was faster.
#[derive(Debug)]
pub(crate) struct Restore {
    pub(crate) rows: DefinitionRows,
    /// Told when it is up, or cannot be.
    pub(crate) done: oneshot::Sender<()>,
}

/// A project as read, or that it is gone.
type Loaded = Result<Option<Ready>, StoreError>;
/// Its token, the newest change it includes, and what readers get.
type Ready = (Box<str>, i64, Arc<ProjectSnapshot>);

/// The actor.
pub(crate) struct DefinitionsCache {
    loader: Loader,
    capacity: usize,
    published: Arc<Published>,
    news: Arc<News>,
    projects: HashMap<ProjectId, Cached>,
    finding: HashMap<Box<str>, Vec<oneshot::Sender<FoundProject>>>,
    waiters: usize,
    refreshing: HashSet<ProjectId>,
    again: HashSet<ProjectId>,
    watchers: Vec<(HashSet<ProjectId>, oneshot::Sender<()>)>,
    unknown: UnknownTokens,
    /// Projects that changed and could not be read since.
    failing: HashSet<ProjectId>,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct Cached {
    token: Box<str>,
    sequence: i64,
    /// Outlives the snapshots: what is under way was admitted under older ones.
    load: Arc<ProjectLoad>,
}

/// What loading needs; cheap to clone into a future.
#[derive(Clone)]
pub(crate) struct Loader {
    pub(crate) store: Store,
    pub(crate) cohorts: Arc<Addr<CohortCache>>,
    pub(crate) cpu: CpuPool,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) snapshots: Option<Snapshots>,
}

impl DefinitionsCache {
    pub(crate) fn new(
        loader: Loader,
        published: Arc<Published>,
        news: Arc<News>,
        capacity: usize,
    ) -> Self {
        Self {
            metrics: Arc::clone(&loader.metrics),
            loader,
            capacity,
            published,
            news,
            projects: HashMap::new(),
            finding: HashMap::new(),
            waiters: 0,
            refreshing: HashSet::new(),
            again: HashSet::new(),
            watchers: Vec::new(),
            unknown: UnknownTokens::default(),
            failing: HashSet::new(),
        }
    }

    fn publish(&mut self, token: Box<str>, sequence: i64, snapshot: &Arc<ProjectSnapshot>) {
        let id = snapshot.id;
        if self
            .projects
            .get(&id)
            .is_some_and(|cached| cached.sequence > sequence)
        {
            return; // A newer reading was faster.
        }
        let mut projects = Projects::clone(&self.published.load());
        if let Some(old) = self.projects.insert(
            id,
            Cached {
                token: token.clone(),
                sequence,
                load: Arc::clone(&snapshot.load),
            },
        ) {
            projects.by_token.remove(&old.token);
        }
        projects
            .by_token
            .insert(token.clone(), Arc::clone(snapshot));
        projects.by_id.insert(id, Arc::clone(snapshot));
        self.published.store(Arc::new(projects));
        self.news.published(snapshot);
        self.unknown.forget(&token);
        self.count();
    }

    fn withdraw(&mut self, project: ProjectId) {
        if let Some(old) = self.projects.remove(&project) {
            let mut projects = Projects::clone(&self.published.load());
            projects.by_token.remove(&old.token);
            projects.by_id.remove(&project);
            self.published.store(Arc::new(projects));
            self.news.withdrawn(project);
            self.loader.cohorts.do_send(ForgetCohorts(project));
            self.loader.saw(project);
            self.count();
        }
    }

    fn count(&self) {
        self.metrics
            .projects_cached
            .set(i64::try_from(self.projects.len()).unwrap_or(i64::MAX));
        self.metrics
            .unknown_tokens_remembered
            .set(i64::try_from(self.unknown.len()).unwrap_or(i64::MAX));
    }

    fn found(&mut self, token: &str, loaded: Loaded) {
        let answer = match loaded {
            Ok(Some((current_token, sequence, snapshot))) => {
                self.publish(current_token, sequence, &snapshot);
                Ok(Some(snapshot))
            }
            Ok(None) => {
                self.unknown.remember(token, Instant::now());
                self.count();
                Ok(None)
            }
            Err(_) => Err(ProjectError::Unavailable),
        };
        for waiter in self.finding.remove(token).unwrap_or_default() {
            self.waiters = self.waiters.saturating_sub(1);
            let _ = waiter.send(answer.clone());
        }
    }

    fn refresh(&mut self, project: ProjectId, ctx: &mut Context<Self>) {
        if !self.refreshing.insert(project) {
            // What is being read may be older than the change: read once more.
            self.again.insert(project);
            return;
        }
        let loader = self.loader.clone();
        let cached = self.projects.get(&project);
        let load = cached.map_or_else(Arc::default, |cached| Arc::clone(&cached.load));
        let load = async move { loader.by_id(project, load).await };
        ctx.spawn(
            load.into_actor(self)
                .map(move |loaded, cache, ctx| cache.refreshed(project, loaded, ctx)),
        );
    }

    fn refreshed(&mut self, project: ProjectId, loaded: Loaded, ctx: &mut Context<Self>) {
        self.refreshing.remove(&project);
        match &loaded {
            Ok(_) => self.failing.remove(&project),
            Err(_) => self.failing.insert(project),
        };
        self.metrics.freshness.is_failing(!self.failing.is_empty());
        match loaded {
            Ok(Some((token, sequence, snapshot))) => self.publish(token, sequence, &snapshot),
            Ok(None) => self.withdraw(project),
            Err(_) => {
                // The last good definitions keep serving. The change is not forgotten.
                ctx.run_later(RETRY_PAUSE, move |cache, ctx| cache.refresh(project, ctx));
            }
        }
        if self.again.remove(&project) {
            return self.refresh(project, ctx);
        }
        for (projects, _) in &mut self.watchers {
            projects.remove(&project);
        }
        for (_, done) in self
            .watchers
            .extract_if(.., |(projects, _)| projects.is_empty())
        {
            let _ = done.send(());
        }
    }
}

impl Actor for DefinitionsCache {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.capacity);
    }
}

impl Supervised for DefinitionsCache {
    fn restarting(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.capacity);
    }
}

answers_ping!(DefinitionsCache);

impl Handler<Posted<FindProject>> for DefinitionsCache {
    type Result = ();

    fn handle(&mut self, message: Posted<FindProject>, ctx: &mut Self::Context) {
        let FindProject { token, reply } = message.open();
        if let Some(snapshot) = self.published.load().by_token.get(&token) {
            let _ = reply.send(Ok(Some(Arc::clone(snapshot))));
            return;
        }
        if self.unknown.knows(&token, Instant::now()) {
            self.metrics.unknown_token_hits.inc();
            let _ = reply.send(Ok(None));
            return;
        }
        if self.waiters >= WAITERS {
            let _ = reply.send(Err(ProjectError::Unavailable));
            return;
        }
        self.waiters += 1;
        let waiting = self.finding.entry(token.clone()).or_default();
        waiting.push(reply);
        if waiting.len() > 1 {
            return; // Somebody asked already.
        }
        let loader = self.loader.clone();
        let load = async move { (loader.by_token(&token).await, token) };
        ctx.spawn(
            load.into_actor(self)
                .map(|(loaded, token), cache, _| cache.found(&token, loaded)),
        );
    }
}

impl Handler<Posted<Refresh>> for DefinitionsCache {
    type Result = ();

    fn handle(&mut self, message: Posted<Refresh>, ctx: &mut Self::Context) {
        let Refresh { projects, done } = message.open();
        match done {
            Some(done) if projects.is_empty() => {
                let _ = done.send(());
            }
            Some(done) => self
                .watchers
                .push((projects.iter().copied().collect(), done)),
            None => {}
        }
        for project in projects {
            self.refresh(project, ctx);
        }
    }
}

impl Handler<Posted<Restore>> for DefinitionsCache {
    type Result = ();

    fn handle(&mut self, message: Posted<Restore>, ctx: &mut Self::Context) {
        let Restore { rows, done } = message.open();
        let loader = self.loader.clone();
        let compile = async move { loader.compile(rows, Arc::default()).await };
        ctx.spawn(compile.into_actor(self).map(|compiled, cache, _| {
            match compiled {
                Ok((token, sequence, snapshot)) => cache.publish(token, sequence, &snapshot),
                Err(error) => {
                    tracing::warn!(error = chain(&error), "a saved project cannot be used");
                }
            }
            let _ = done.send(());
        }));
    }
}

impl Loader {
    /// Notes that a project was read or went away, so that its snapshot is written.
    fn saw(&self, project: ProjectId) {
        if let Some(snapshots) = &self.snapshots {
            snapshots.changed(project);
        }
    }

    async fn by_token(&self, token: &str) -> Loaded {
        let _slot = self.slots.acquire().await;
        let result = match self.store.project_by_token(token).await {
            Ok(Some(project)) => self.load(ProjectId(project.id), Arc::default()).await,
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        self.noted(result)
    }

    async fn by_id(&self, project: ProjectId, load: Arc<ProjectLoad>) -> Loaded {
        let _slot = self.slots.acquire().await;
        let result = self.load(project, load).await;
        self.noted(result)
    }

    fn noted(&self, result: Loaded) -> Loaded {
        match &result {
            Ok(_) => drop(self.metrics.definition_loads.inc()),
            Err(error) => {
                self.metrics.definition_loads_failed.inc();
                tracing::warn!(error = chain(error), "definitions could not be loaded");
            }
        }
        result
    }

    async fn load(&self, id: ProjectId, load: Arc<ProjectLoad>) -> Loaded {
        let Some(rows) = self.store.definitions(id.0).await? else {
            return Ok(None);
        };
        let compiled = self.compile(rows, load).await?;
        self.saw(id);
        Ok(Some(compiled))
    }

    async fn compile(
        &self,
        rows: DefinitionRows,
        load: Arc<ProjectLoad>,
    ) -> Result<Ready, StoreError> {
        let id = ProjectId(rows.project.id);
        let revise = self.cpu.run(move || (Revision::of(&rows), rows));
        let (revision, rows) = revise.await.ok_or_else(compiling_failed)?;
        let made = self.metrics.local_definitions_made.clone();
        let local_definitions = LocalDefinitions::new(rows.clone(), self.cpu.clone(), made);
        let DefinitionRows {
            project,
            group_types,
            flags,
            cohorts,
            sequence,
        } = rows;
        let cohorts = self.cohorts.send(CompileCohorts {
            project: id,
            rows: cohorts,
        });
        let compile = self.cpu.run(move || {
            let mut readable = Vec::with_capacity(flags.len());
            let mut dropped = 0;
            for row in flags {
                let key = row.key.clone();
                match convert::flag(row) {
                    Ok(flag) => readable.push(flag),
                    Err(error) => {
                        tracing::warn!(project = %id, flag = key, %error, "a flag's stored JSON cannot be read; it is dropped");
                        dropped += 1;
                    }
                }
            }
            let (definitions, unreadable) = Definitions::compile(readable, Ok(convert::group_types(group_types)));
            (definitions, unreadable, dropped)
        });
        let (Ok(Compiled { cohorts, slots }), Some((definitions, unreadable, dropped))) =
            (cohorts.await, compile.await)
        else {
            return Err(compiling_failed());
        };
        self.metrics
            .flags_dropped
            .inc_by(dropped + u64::try_from(unreadable.len()).unwrap_or(u64::MAX));
        for flag in &unreadable {
            tracing::warn!(project = %id, flag = flag.key, reason = flag.reason, "an unreadable flag is dropped");
        }
        let definitions = Arc::new(definitions);
        let reach = self.reach(&definitions, &cohorts).await?;
        let token: Box<str> = project.token.as_str().into();
        let snapshot = ProjectSnapshot {
            id,
            token: token.clone(),
            revision,
            static_members: StaticMembers::new(reach, &slots),
            local_definitions,
            definitions,
            cohorts,
            zone: convert::zone(&project),
            matching: convert::matching(&project),
            load,
        };
        Ok((token, sequence, Arc::new(snapshot)))
    }

    async fn reach(
        &self,
        definitions: &Arc<Definitions>,
        cohorts: &Arc<CohortSet>,
    ) -> Result<StaticReach, StoreError> {
        let (definitions, cohorts) = (Arc::clone(definitions), Arc::clone(cohorts));
        let reach = self
            .cpu
            .run(move || StaticReach::of(&definitions, &cohorts))
            .await;
        reach.ok_or_else(compiling_failed)
    }
}

fn compiling_failed() -> StoreError {
    StoreError::Query("compiling the definitions failed".into())
}
