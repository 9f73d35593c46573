//! `Store`: Postgres or SQLite, chosen once, behind one set of functions.

mod reading;

use crate::connection::{Access, Connection};
use crate::database_url::Target;
use crate::event_write;
use crate::migrate::{self, Job};
use crate::models::*;
use crate::models::{change, cohort_member, definitions, event, hash_key, key, project};
use crate::observer::Observers;
use crate::pool::{Pool, PoolStatus};
use crate::replica::{self, Replica, ReplicaStatus};
use crate::runtime::DatabaseRuntime;
use crate::{ChangeFeed, PoolConfig, QueryKind, StoreError, StoreObserver, WriteTransaction};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reading::Source;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

pub use crate::fingerprint::fingerprint;

type Result<T> = std::result::Result<T, StoreError>;

/// How often, and after what pause, a SQLite file is made that somebody else is just making.
const MAKE_FILE_TRIES: u32 = 50;
const MAKE_FILE_PAUSE: Duration = Duration::from_millis(20);

/// How many connections people's questions share.
pub const ADMIN_CONNECTIONS: u32 = 2;
/// How long such a question may wait for one, and how long it may run.
const ADMIN_LIMIT: Duration = Duration::from_secs(5);

/// A database and its pool. Cheap to clone. May be called from any runtime: the work happens on the store's own.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) target: Target,
    pub(crate) config: PoolConfig,
    readers: Pool,
    /// SQLite's one writer. Postgres reads and writes with the same connections.
    writer: Option<Pool>,
    /// The one connection on which events are stored in Postgres: statements may run longer there than on the read path.
    events: Option<Pool>,
    /// Answers look-ups in the place of the readers.
    pub(crate) replica: Option<Replica>,
    /// The few connections on which people's questions are answered, so that they never take one from the read path.
    admin: Pool,
    /// Counts this process's own commits, so that its feeds hear of them at once.
    pub(crate) commits: watch::Sender<u64>,
    pub(crate) observers: Arc<Observers>,
    /// Last, so that the pools are gone when it stops.
    pub(crate) runtime: DatabaseRuntime,
}

impl Inner {
    pub(crate) fn writer(&self) -> &Pool {
        self.writer.as_ref().unwrap_or(&self.readers)
    }

    pub(crate) fn readers(&self) -> &Pool {
        &self.readers
    }

    /// Notes that this process may have written anything.
    pub(crate) fn wrote_anything(&self) {
        if let Some(replica) = &self.replica {
            replica.wrote_anything();
        }
    }

    fn event_writer(&self) -> &Pool {
        self.events.as_ref().unwrap_or_else(|| self.writer())
    }
}

impl Store {
    /// Opens `sqlite://PATH` (created when missing; `sqlite://:memory:` is refused) or `postgres://…`.
    ///
    /// Does not fail when a Postgres is away: the pool keeps trying, and questions answer [`StoreError::Unavailable`].
    pub async fn open(url: &str, config: PoolConfig) -> Result<Self> {
        config.check()?;
        let target = Target::parse(url)?;
        // SQLite's statements run on blocking threads, one a connection; those that were given up still hold theirs.
        let connections = usize::try_from(config.max_size).unwrap_or(usize::MAX);
        let blocking = connections.saturating_mul(4).saturating_add(8);
        let runtime = DatabaseRuntime::start(config.threads, blocking)?;
        let observers = Arc::new(Observers::default());
        let writer = match &target {
            Target::Postgres(_) => None,
            Target::Sqlite(path) => {
                // The first connection makes the file and its journal, before any reader looks.
                let (first, limit) = (target.clone(), config.write_timeout);
                let made = runtime.run(async move { make_file(&first, limit).await });
                made.await.map_err(|error| {
                    StoreError::Config(format!(
                        "the SQLite file {} cannot be opened: {}",
                        path.display(),
                        crate::error::chain(&error)
                    ))
                })?;
                let one = PoolConfig {
                    max_size: 1,
                    min_idle: 1,
                    ..config.clone()
                };
                let _context = runtime.handle().enter();
                Some(Pool::start(target.clone(), Access::Write, &one, &observers))
            }
        };
        let readers = {
            let _context = runtime.handle().enter();
            Pool::start(target.clone(), Access::Read, &config, &observers)
        };
        let events = target.is_postgres().then(|| {
            let one = PoolConfig {
                max_size: 1,
                min_idle: 0,
                query_timeout: config.event_timeout,
                ..config.clone()
            };
            let _context = runtime.handle().enter();
            Pool::start(target.clone(), Access::Write, &one, &observers)
        });
        let admin = {
            let few = PoolConfig {
                max_size: ADMIN_CONNECTIONS,
                min_idle: 0,
                acquire_timeout: ADMIN_LIMIT,
                query_timeout: ADMIN_LIMIT,
                ..config.clone()
            };
            let _context = runtime.handle().enter();
            Pool::start(target.clone(), Access::Read, &few, &observers)
        };
        let replica = match &config.replica {
            None => None,
            Some(replica) => {
                let found = Target::parse(&replica.url)?;
                if !(found.is_postgres() && target.is_postgres()) {
                    return Err(StoreError::Config(
                        "only a Postgres can have a read replica".to_owned(),
                    ));
                }
                let _context = runtime.handle().enter();
                let pool = Pool::start(found, Access::Read, &config, &observers);
                Some(Replica::new(pool, replica.most_behind))
            }
        };
        let (commits, _) = watch::channel(0);
        let inner = Arc::new(Inner {
            target,
            config,
            readers,
            writer,
            events,
            replica,
            admin,
            commits,
            observers,
            runtime,
        });
        if inner.replica.is_some() {
            let watching = replica::watch(Arc::downgrade(&inner));
            inner.runtime.handle().spawn(watching);
        }
        Ok(Self { inner })
    }

    /// Waits until `min_idle` connections are open and one has answered a question.
    pub async fn warm_up(&self, limit: Duration) -> Result<()> {
        let store = self.clone();
        let warming = async move {
            let wanted = store.inner.config.min_idle.max(1);
            loop {
                let answer = store.ping().await;
                if answer.is_ok() && store.inner.readers.status().connections >= wanted {
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let last = self.clone();
        self.inner
            .runtime
            .run(async move {
                match tokio::time::timeout(limit, warming).await {
                    Ok(warm) => warm,
                    Err(_) => Err(last.inner.readers.refusal()),
                }
            })
            .await
    }

    /// Runs the migrations that have not run; returns their names. Safe to call from several processes at once.
    pub async fn migrate(&self) -> Result<Vec<String>> {
        self.on_migrations(Job::Run).await.map(|(_, ran)| ran)
    }

    /// Lists all migrations in order.
    pub async fn migrations(&self) -> Result<Vec<MigrationStatus>> {
        self.on_migrations(Job::List).await.map(|(all, _)| all)
    }

    /// Undoes all migrations, and with them everything that is stored. For tests of the migrations themselves.
    #[doc(hidden)]
    pub async fn revert_migrations(&self) -> Result<()> {
        self.on_migrations(Job::Revert).await.map(drop)
    }

    async fn on_migrations(&self, job: Job) -> Result<(Vec<MigrationStatus>, Vec<String>)> {
        let (target, limit) = (self.inner.target.clone(), self.inner.config.write_timeout);
        self.inner
            .runtime
            .run(async move { migrate::carry_out(&target, limit, job).await })
            .await
    }

    /// Asks the database whether it is there.
    pub async fn ping(&self) -> Result<()> {
        self.read(QueryKind::Ping, |connection| {
            async move { connection.run("SELECT 1").await }.boxed()
        })
        .await
    }

    /// Returns the pool's state.
    pub fn pool_status(&self) -> PoolStatus {
        self.inner.readers.status()
    }

    /// Returns what is known of the read replica, where there is one.
    pub fn replica_status(&self) -> Option<ReplicaStatus> {
        self.inner.replica.as_ref().map(Replica::status)
    }

    /// Tells an observer of every wait from now on. There can be one; a second one is never told anything.
    pub fn observe(&self, observer: Box<dyn StoreObserver>) {
        self.inner.observers.set(observer);
    }

    /// Returns the runtime that connections live on, for whoever watches its threads.
    pub fn runtime(&self) -> &tokio::runtime::Handle {
        self.inner.runtime.handle()
    }

    /// Returns the project of a public token.
    pub async fn project_by_token(&self, token: &str) -> Result<Option<ProjectRow>> {
        if !crate::batch::is_storable(token) {
            return Ok(None);
        }
        let token = token.to_owned();
        self.read(QueryKind::Projects, |connection| {
            async move { project::by_token(connection, &token).await }.boxed()
        })
        .await
    }

    /// Returns all projects, by id.
    pub async fn projects(&self) -> Result<Vec<ProjectRow>> {
        self.read(QueryKind::Projects, |connection| {
            project::all(connection).boxed()
        })
        .await
    }

    /// Reads everything evaluation needs to know about a project in one snapshot.
    pub async fn definitions(&self, project_id: i64) -> Result<Option<DefinitionRows>> {
        self.read(QueryKind::Definitions, move |connection| {
            definitions::read(connection, project_id).boxed()
        })
        .await
    }

    /// Answers many look-ups with one statement per kind of thing, in the order asked; from the replica where it may.
    pub async fn look_up(&self, lookups: &[Lookup]) -> Result<Vec<Found>> {
        let Some(replica) = &self.inner.replica else {
            return self.look_up_in(Source::Primary, lookups).await;
        };
        let (there, here) = replica.split(lookups);
        if there.is_empty() {
            return self.look_up_in(Source::Primary, lookups).await;
        }
        if here.is_empty() {
            return self.look_up_in(Source::Replica, lookups).await;
        }
        let of = |places: &[usize]| -> Vec<Lookup> {
            let lookups = places.iter().filter_map(|&place| lookups.get(place));
            lookups.cloned().collect()
        };
        let (of_there, of_here) = (of(&there), of(&here));
        let (from_there, from_here) = futures_util::future::try_join(
            self.look_up_in(Source::Replica, &of_there),
            self.look_up_in(Source::Primary, &of_here),
        )
        .await?;
        let places = there.into_iter().chain(here);
        let mut found: Vec<_> = places
            .zip(from_there.into_iter().chain(from_here))
            .collect();
        found.sort_unstable_by_key(|(place, _)| *place);
        Ok(found.into_iter().map(|(_, found)| found).collect())
    }

    async fn look_up_in(&self, source: Source, lookups: &[Lookup]) -> Result<Vec<Found>> {
        if lookups.is_empty() {
            return Ok(Vec::new());
        }
        let questions = lookups.len();
        let lookups: Arc<[Lookup]> = lookups.into();
        self.read_in(source, QueryKind::LookUp, questions, move |connection| {
            let lookups = Arc::clone(&lookups);
            async move { crate::look_up::look_up(connection, &lookups).await }.boxed()
        })
        .await
    }

    /// Returns at most `limit` members of a static cohort with an id above `after`, ascending.
    pub async fn cohort_members_after(
        &self,
        project_id: i64,
        cohort_id: i64,
        after: i64,
        limit: i64,
    ) -> Result<Vec<i64>> {
        let replica = self.inner.replica.as_ref();
        let source = match replica {
            Some(replica) if replica.may_load_members() => Source::Replica,
            _ => Source::Primary,
        };
        self.read_in(source, QueryKind::Members, 1, move |connection| {
            cohort_member::after(connection, project_id, cohort_id, after, limit).boxed()
        })
        .await
    }

    /// Returns those of some memberships that exist, in no order. A few thousand at once at most.
    pub async fn existing_memberships(
        &self,
        memberships: &[Membership],
    ) -> Result<Vec<Membership>> {
        let memberships = memberships.to_vec();
        self.read(QueryKind::Members, |connection| {
            async move { cohort_member::existing(connection, &memberships).await }.boxed()
        })
        .await
    }

    /// Stores hash keys, all in one transaction.
    pub async fn write_hash_keys(&self, writes: &[HashKeyWrite]) -> Result<()> {
        if writes.is_empty() {
            return Ok(());
        }
        let (inner, writes) = (Arc::clone(&self.inner), writes.to_vec());
        self.inner
            .runtime
            .run(async move {
                let mut connection = inner.writer().acquire(inner.config.acquire_timeout).await?;
                connection.set_limit(inner.config.query_timeout).await?;
                let began = inner.observers.began();
                let wrote = hash_key::write(&mut connection, &writes).await;
                let observers = &inner.observers;
                observers.tell(began, |it, took| it.asked(QueryKind::HashKeys, took));
                if wrote? {
                    inner
                        .commits
                        .send_modify(|count| *count = count.wrapping_add(1));
                }
                Ok(())
            })
            .await
    }

    /// Stores events, all or none, in one transaction of a few statements; those with an id that was seen before are left
    /// out. New persons are created at `now`, in microseconds since 1970. A few thousand at once at most.
    pub async fn write_events(
        &self,
        events: &Arc<Vec<EventWrite>>,
        now: i64,
    ) -> Result<WrittenEvents> {
        if events.is_empty() {
            return Ok(WrittenEvents::default());
        }
        let (events, kept) = (Arc::clone(events), Arc::clone(events));
        self.write_with_events(QueryKind::Events, move |connection| {
            async move { event_write::write(connection, &events, now).await }.boxed()
        })
        .await
        .inspect(|written| {
            if let Some(replica) = &self.inner.replica {
                replica.wrote(&kept);
            }
            if written.memberships_changed || !written.projects_changed.is_empty() {
                let commits = &self.inner.commits;
                commits.send_modify(|count| *count = count.wrapping_add(1));
            }
        })
    }

    /// Forgets at most 5,000 events that were seen before a moment, in seconds since 1970, so that they could be stored
    /// again; returns how many.
    pub async fn forget_events(&self, before: i64) -> Result<usize> {
        self.write_with_events(QueryKind::Events, move |connection| {
            event::trim(connection, before).boxed()
        })
        .await
    }

    /// Adds to the counts of flags that were called. The entries must differ in project, flag or value.
    pub async fn add_flag_calls(&self, calls: Vec<FlagCalls>) -> Result<()> {
        if calls.is_empty() {
            return Ok(());
        }
        self.write_with_events(QueryKind::FlagCalls, move |connection| {
            async move { event::add_flag_calls(connection, &calls).await }.boxed()
        })
        .await
    }

    /// Returns how often a project's flags were called, by flag and value.
    pub async fn flag_calls(&self, project_id: i64) -> Result<Vec<FlagCalls>> {
        self.read(QueryKind::FlagCalls, move |connection| {
            event::flag_calls(connection, project_id).boxed()
        })
        .await
    }

    /// Runs one unit of writing on the connection for events.
    async fn write_with_events<T, F>(&self, kind: QueryKind, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        self.inner
            .runtime
            .run(async move {
                let limit = inner.config.event_timeout;
                let mut connection = inner.event_writer().acquire(limit).await?;
                connection.set_limit(limit).await?;
                connection.make_durable().await?;
                let began = inner.observers.began();
                let answer = work(&mut connection).await;
                let observers = &inner.observers;
                observers.tell(began, |it, took| it.asked(kind, took));
                answer
            })
            .await
    }

    /// Returns the newest sequence, 0 when nothing ever changed.
    pub async fn latest_sequence(&self) -> Result<i64> {
        let latest = self
            .read(QueryKind::Changes, |connection| {
                change::latest_sequence(connection).boxed()
            })
            .await;
        self.changes_were_read();
        latest
    }

    /// Returns at most `limit` changes after `sequence`, in order.
    pub async fn changes_after(&self, sequence: i64, limit: i64) -> Result<Vec<ChangeRow>> {
        let changes = self
            .read(QueryKind::Changes, move |connection| {
                change::after(connection, sequence, limit).boxed()
            })
            .await?;
        if !changes.is_empty() {
            self.changes_were_read();
        }
        Ok(changes)
    }

    fn changes_were_read(&self) {
        if let Some(replica) = &self.inner.replica {
            replica.changes_were_read();
        }
    }

    /// Follows the changes after `sequence`: by LISTEN on Postgres, and by polling everywhere.
    pub fn follow_changes(&self, sequence: i64, poll: Duration) -> ChangeFeed {
        ChangeFeed::start(self.clone(), sequence, poll)
    }

    /// Begins the one kind of transaction that changes definitions and people. Writers take turns.
    pub async fn begin_write(&self) -> Result<WriteTransaction> {
        WriteTransaction::begin(self.clone()).await
    }

    /// Begins the same, and gives every wait in it no more than this.
    pub async fn begin_write_within(&self, limit: Duration) -> Result<WriteTransaction> {
        let limit = limit.min(self.inner.config.write_timeout);
        WriteTransaction::begin_within(self.clone(), limit).await
    }

    /// Begins a transaction that only reads: everything is seen as of one moment, and no writer waits for it. Its writing
    /// methods fail.
    pub async fn begin_snapshot(&self) -> Result<WriteTransaction> {
        WriteTransaction::begin_snapshot(self.clone()).await
    }

    /// Looks a secret token up by its fingerprint (see [`fingerprint`]).
    pub async fn secret_token(&self, fingerprint: &str) -> Result<Option<SecretTokenRow>> {
        if !crate::batch::is_storable(fingerprint) {
            return Ok(None);
        }
        let fingerprint = fingerprint.to_owned();
        self.read(QueryKind::Keys, |connection| {
            async move { key::secret_token(connection, &fingerprint).await }.boxed()
        })
        .await
    }

    /// Looks a personal key up by its fingerprint.
    pub async fn personal_key(&self, fingerprint: &str) -> Result<Option<PersonalKeyRow>> {
        if !crate::batch::is_storable(fingerprint) {
            return Ok(None);
        }
        let fingerprint = fingerprint.to_owned();
        self.read(QueryKind::Keys, |connection| {
            async move { key::personal_key(connection, &fingerprint).await }.boxed()
        })
        .await
    }
}

/// Makes a SQLite file and its journal. Two that do so at the same moment do not wait for each other as they do for every
/// other lock, so one of them has to try again.
async fn make_file(target: &Target, limit: Duration) -> Result<()> {
    let mut tries = 0;
    loop {
        tries += 1;
        match Connection::establish(target, Access::Write, limit).await {
            Err(StoreError::StatementTimeout) if tries < MAKE_FILE_TRIES => {}
            made => return made.map(drop),
        }
        tokio::time::sleep(MAKE_FILE_PAUSE).await;
    }
}

impl fmt::Debug for Store {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("pool", &self.pool_status())
            .finish_non_exhaustive()
    }
}
