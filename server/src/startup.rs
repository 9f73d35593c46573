//! The one place where parts meet: settings → store → actors → HTTP server.

use crate::cli::{self, CliError};
use crate::config::ServeConfig;
use crate::console::{Console, ConsoleConfig};
use crate::credential::Credentials;
use crate::demo;
use crate::error::OverloadStatus;
use crate::metrics;
use crate::project_file::{self, ApplyOptions};
use crate::routes::{app, metrics_app};
use crate::state::{AppState, Edge, HttpConfig};
use crate::streams::{Streams, hang_up_when_stalled};
use actix_web::HttpServer;
use actix_web::dev::{Server, ServerHandle};
use burgee_actors::runtimes::Runtime;
use burgee_actors::{Budget, Config, Database, Metrics, Snapshots, Source, System};
use burgee_evaluation::ProjectId;
use burgee_schema::{Store, StoreError, chain};
use chrono::Utc;
use prometheus_client::registry::Registry;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::oneshot;

/// How long to wait at start for a database that is not there yet.
const DATABASE_PATIENCE: Duration = Duration::from_secs(60);
/// The pause between two attempts to reach it.
const DATABASE_PAUSE: Duration = Duration::from_millis(500);
/// How often a watched project file is looked at.
const WATCH_INTERVAL: Duration = Duration::from_millis(500);

/// Why the server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    /// A bad setting, or a bad project file.
    #[error(transparent)]
    Command(#[from] CliError),
    /// The database.
    #[error("the database cannot be used")]
    Store(#[from] StoreError),
    /// The actors.
    #[error(transparent)]
    Actors(#[from] burgee_actors::system::StartError),
    /// The directory of the snapshot.
    #[error("the snapshot directory {directory} cannot be used")]
    Snapshots {
        /// Its path.
        directory: String,
        /// Why.
        source: io::Error,
    },
    /// The address, or the server itself.
    #[error("the address cannot be listened on")]
    Listen(#[source] io::Error),
    /// The server stopped by itself.
    #[error("the server ended")]
    Serve(#[source] io::Error),
}

/// Serves until a signal says to stop; requests under way end first.
pub async fn serve(config: &ServeConfig, out: &mut impl Write) -> Result<(), StartupError> {
    metrics::count_panics();
    let store = Store::open(config.database_url.expose(), config.pool.clone()).await?;
    let snapshots = open_snapshots(config)?;
    let prepared = prepare(&store, config, snapshots.as_ref()).await?;
    let database = match prepared {
        Prepared::Now => Database::Prepared,
        Prepared::Later => {
            let (tell, told) = oneshot::channel();
            actix_web::rt::spawn(prepare_later(store.clone(), config.clone(), tell));
            Database::Awaited(told)
        }
    };
    let source = Source {
        snapshots,
        database,
    };
    let started = Started::new(source, &store, config).await?;
    tracing::info!(address = %started.address, database = %config.database_url, "listening");
    if config.demo && prepared == Prepared::Now && io::stdout().is_terminal() {
        show_demo(&started, out).await;
    }
    if let Some(file) = config.project.as_deref().filter(|_| config.watch) {
        actix_web::rt::spawn(watch(
            file.to_owned(),
            store,
            started.system.clone(),
            config.lenient,
        ));
    }
    started.run().await
}

fn open_snapshots(config: &ServeConfig) -> Result<Option<Snapshots>, StartupError> {
    let Some(directory) = &config.snapshot_dir else {
        return Ok(None);
    };
    // The name of the database, as it is shown, has no password.
    let opened = Snapshots::open(directory, &config.database_url.to_string());
    opened.map(Some).map_err(|source| StartupError::Snapshots {
        directory: directory.display().to_string(),
        source,
    })
}

/// Whether the database is as this program needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prepared {
    Now,
    /// It cannot be reached, but there is a snapshot to serve from.
    Later,
}

/// Brings the database to the newest schema and applies project files. Waits for a database that is still starting,
/// unless there is a snapshot.
async fn prepare(
    store: &Store,
    config: &ServeConfig,
    snapshots: Option<&Snapshots>,
) -> Result<Prepared, StartupError> {
    let give_up = Instant::now() + DATABASE_PATIENCE;
    loop {
        match prepare_once(store, config).await {
            Err(CliError::Store(
                error @ (StoreError::Unavailable(_) | StoreError::PoolExhausted),
            )) if Instant::now() < give_up => {
                tracing::warn!(
                    error = chain(&error),
                    database = %config.database_url,
                    "waiting for the database"
                );
                if snapshots.is_some_and(Snapshots::is_usable) {
                    return Ok(Prepared::Later);
                }
            }
            Err(CliError::Store(error)) => return Err(error.into()),
            Err(error) => return Err(error.into()),
            Ok(()) => break,
        }
        tokio::time::sleep(DATABASE_PAUSE).await;
    }
    apply_projects(store, config).await?;
    Ok(Prepared::Now)
}

async fn prepare_once(store: &Store, config: &ServeConfig) -> Result<(), CliError> {
    cli::prepare(store, config.migrate).await?;
    Ok(store.warm_up(DATABASE_PATIENCE).await?)
}

/// Does the same while the snapshot serves, for as long as it takes, and tells when it is done. Nothing that goes wrong
/// with the database ends a server that serves; a bad project file is reported and left.
async fn prepare_later(store: Store, config: ServeConfig, done: oneshot::Sender<()>) {
    let mut reported = String::new();
    loop {
        let prepared = async {
            prepare_once(&store, &config).await?;
            apply_projects(&store, &config).await
        };
        let Err(error) = prepared.await else { break };
        let text = chain(&error);
        if error.code() == cli::BAD_INPUT {
            tracing::error!(error = text, "the project file is not applied");
            break;
        }
        if text != reported {
            tracing::warn!(
                error = text,
                database = %config.database_url,
                "the database cannot be used yet; serving from the snapshot"
            );
            reported = text;
        }
        tokio::time::sleep(DATABASE_PAUSE).await;
    }
    tracing::info!(database = %config.database_url, "the database can be used");
    // The server may have ended in the meantime.
    let _ = done.send(());
}

async fn apply_projects(store: &Store, config: &ServeConfig) -> Result<(), CliError> {
    if config.demo {
        apply(store, demo::FILE, demo::PROJECT, false).await?;
    }
    if let Some(path) = &config.project {
        let (file, text) = cli::read_file(path)?;
        apply(store, &file, &text, config.lenient).await?;
    }
    Ok(())
}

/// Applies a project file, and logs what came of it.
async fn apply(store: &Store, file: &str, text: &str, lenient: bool) -> Result<(), CliError> {
    let options = ApplyOptions {
        file: file.to_owned(),
        prune: false,
        lenient,
        dry_run: false,
        now: Utc::now(),
    };
    let report = project_file::apply(store, text, &options).await?;
    for warning in &report.warnings {
        tracing::warn!(file, "{}", project_file::problem_line(file, warning));
    }
    tracing::info!(file, "applied: {}", report.totals());
    Ok(())
}

/// A server that listens, and the actors behind it.
struct Started {
    server: Server,
    /// Serves metrics, where they have an address of their own.
    metrics: Option<Server>,
    system: System,
    streams: Arc<Streams>,
    address: SocketAddr,
    /// How long what waits to be stored may take at the end.
    patience: Duration,
}

impl Started {
    async fn new(
        source: Source,
        store: &Store,
        config: &ServeConfig,
    ) -> Result<Self, StartupError> {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry, store.clone());
        let edge = Edge::new(http_config(config), &mut registry);
        let actors = actor_config(config);
        let system = System::start_from(source, &actors, store.clone(), metrics).await?;
        let state = AppState {
            edge: Arc::new(edge),
            system: system.clone(),
            credentials: Arc::new(Credentials::new(store.clone(), &system)),
            registry: Arc::new(registry),
        };
        if config.console {
            actix_web::rt::spawn(Console::sample(state.clone()));
        }
        let streams = Arc::clone(&state.edge.streams);
        let metrics = config
            .metrics_listen
            .map(|address| serve_metrics(address, state.clone()))
            .transpose()?;
        let workers = Arc::new(AtomicU32::new(0));
        let watching = system.clone();
        let server = HttpServer::new(move || {
            let worker = workers.fetch_add(1, Ordering::Relaxed);
            actix_web::rt::spawn(watching.watch_runtime(Runtime::HttpWorker, worker));
            app(state.at_worker())
        })
        .workers(config.budget.http_workers)
        .max_connections(config.max_connections)
        .keep_alive(config.keep_alive)
        .shutdown_timeout(config.shutdown_timeout.as_secs())
        .disable_signals()
        .on_connect(hang_up_when_stalled)
        .bind(config.listen)
        .map_err(StartupError::Listen)?;
        let address = server.addrs().first().copied().unwrap_or(config.listen);
        log_plan(&config.budget);
        Ok(Self {
            server: server.run(),
            metrics,
            system,
            streams,
            address,
            patience: config.shutdown_timeout,
        })
    }

    async fn run(self) -> Result<(), StartupError> {
        actix_web::rt::spawn(stop_on_signal(self.server.handle(), self.streams));
        let metrics = self.metrics.map(|server| {
            let handle = server.handle();
            actix_web::rt::spawn(server);
            handle
        });
        let ended = self.server.await.map_err(StartupError::Serve);
        // Until now, so that a stop can be watched.
        if let Some(metrics) = metrics {
            metrics.stop(false).await;
        }
        self.system.finish_events(self.patience).await;
        self.system.stop();
        tracing::info!("stopped");
        ended
    }
}

/// Begins to listen for those who read metrics: one thread, a few connections.
fn serve_metrics(address: SocketAddr, state: AppState) -> Result<Server, StartupError> {
    let server = HttpServer::new(move || metrics_app(state.clone()))
        .workers(1)
        .max_connections(64)
        .disable_signals()
        .on_connect(hang_up_when_stalled)
        .bind(address)
        .map_err(StartupError::Listen)?;
    let address = server.addrs().first().copied().unwrap_or(address);
    tracing::info!(%address, "metrics are served");
    Ok(server.run())
}

/// Both signals let requests under way end; a second one is up to the system.
async fn stop_on_signal(server: ServerHandle, streams: Arc<Streams>) {
    let terminated = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => drop(terminate.recv().await),
            Err(error) => {
                tracing::error!(%error, "SIGTERM cannot be listened for");
                std::future::pending().await
            }
        }
    };
    tokio::select! {
        () = terminated => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    tracing::info!("stopping; requests under way end first");
    // These would never end by themselves.
    streams.stop();
    server.stop(true).await;
}

fn http_config(config: &ServeConfig) -> HttpConfig {
    let mut http = HttpConfig {
        base_path: config.base_path.clone(),
        request_timeout: config.request_timeout,
        event_timeout: config.event_timeout,
        max_in_flight: config.max_in_flight,
        rate_limits: config.rate_limits,
        trusted_proxies: config.trusted_proxies.clone(),
        slow_after: config.slow_request,
        remote_config: config.remote_config,
        static_dir: config.static_dir.clone(),
        metrics_elsewhere: config.metrics_listen.is_some(),
        streams: config.streams,
        public_url: config.public_url.clone(),
        console: ConsoleConfig {
            is_on: config.console,
            plan: Some(config.budget),
        },
        overload_status: match config.overload_status {
            504 => OverloadStatus::GatewayTimeout,
            _ => OverloadStatus::ServiceUnavailable,
        },
        ..HttpConfig::default()
    };
    http.body.received = config.body_limit;
    http.body.decompressed = config.decompressed_limit;
    http
}

fn actor_config(config: &ServeConfig) -> Config {
    Config {
        budget: config.budget,
        evaluator_capacity: config.mailbox_capacity,
        loader_capacity: config.loader_mailbox_capacity,
        poll: config.poll_interval,
        large_above: config.large_above,
        standing_limit: config.standing_limit,
        evaluators_at_workers: config.evaluators_at_workers,
        cohort_cache_bytes: config.cohort_cache_bytes,
        events: config.events.clone(),
    }
}

fn log_plan(budget: &Budget) {
    tracing::info!(
        http_workers = budget.http_workers,
        small_evaluators = budget.small_evaluators,
        large_evaluators = budget.large_evaluators,
        rayon = budget.rayon,
        database = budget.database,
        "thread plan"
    );
}

/// Prints a request to try, and what it will answer. A demo that cannot be shown still serves.
async fn show_demo(started: &Started, out: &mut impl Write) {
    match demo::invitation(&started.system, started.address).await {
        Ok(text) => {
            let _ = writeln!(out, "{text}");
        }
        Err(error) => tracing::warn!(error = chain(&*error), "no demo request can be shown"),
    }
}

/// Applies a project file again whenever it changes. A bad one is reported, and changes nothing.
async fn watch(path: std::path::PathBuf, store: Store, system: System, lenient: bool) {
    let mut seen = stamp(&path);
    let mut ticks = tokio::time::interval(WATCH_INTERVAL);
    loop {
        ticks.tick().await;
        let now = stamp(&path);
        if now == seen {
            continue;
        }
        seen = now;
        match reapply(&path, &store, &system, lenient).await {
            Ok(()) => {}
            Err(error) => tracing::error!(
                error = chain(&error),
                file = %path.display(),
                "the changed project file is not applied; what was there before keeps serving"
            ),
        }
    }
}

/// Returns what tells one state of a file from another; `None` while it is missing.
fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

async fn reapply(
    path: &Path,
    store: &Store,
    system: &System,
    lenient: bool,
) -> Result<(), CliError> {
    let (file, text) = cli::read_file(path)?;
    apply(store, &file, &text, lenient).await?;
    let projects = store.projects().await?;
    system
        .refresh(
            projects
                .iter()
                .map(|project| ProjectId(project.id))
                .collect(),
        )
        .await;
    Ok(())
}
