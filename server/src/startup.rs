//! The one place where parts meet: settings → store → actors → HTTP server.

use crate::cli::{self, CliError};
use crate::config::ServeConfig;
use crate::demo;
use crate::error::OverloadStatus;
use crate::project_file::{self, ApplyOptions};
use crate::routes::app;
use crate::state::{AppState, Edge, HttpConfig};
use actix_web::HttpServer;
use actix_web::dev::{Server, ServerHandle};
use burgee_actors::{Budget, Config, Metrics, System};
use burgee_evaluation::ProjectId;
use burgee_schema::{Store, StoreError, chain};
use chrono::Utc;
use prometheus_client::registry::Registry;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

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
    /// The address, or the server itself.
    #[error("the address cannot be listened on")]
    Listen(#[source] io::Error),
    /// The server stopped by itself.
    #[error("the server ended")]
    Serve(#[source] io::Error),
}

/// Serves until a signal says to stop; requests under way end first.
pub async fn serve(config: &ServeConfig, out: &mut impl Write) -> Result<(), StartupError> {
    let store = Store::open(config.database_url.expose(), config.pool.clone()).await?;
    prepare(&store, config).await?;
    apply_projects(&store, config).await?;
    let started = Started::new(&store, config).await?;
    tracing::info!(address = %started.address, database = %config.database_url, "listening");
    if config.demo && io::stdout().is_terminal() {
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

/// Brings the database to the newest schema, waiting for one that is still starting.
async fn prepare(store: &Store, config: &ServeConfig) -> Result<(), StartupError> {
    let give_up = Instant::now() + DATABASE_PATIENCE;
    loop {
        let ready = async {
            cli::prepare(store, config.migrate).await?;
            Ok(store.warm_up(DATABASE_PATIENCE).await?)
        };
        match ready.await {
            Err(CliError::Store(
                error @ (StoreError::Unavailable(_) | StoreError::PoolExhausted),
            )) if Instant::now() < give_up => {
                tracing::warn!(
                    error = chain(&error),
                    database = %config.database_url,
                    "waiting for the database"
                );
            }
            Err(CliError::Store(error)) => return Err(error.into()),
            other => return other.map_err(StartupError::from),
        }
        tokio::time::sleep(DATABASE_PAUSE).await;
    }
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
    system: System,
    address: SocketAddr,
}

impl Started {
    async fn new(store: &Store, config: &ServeConfig) -> Result<Self, StartupError> {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry, store.clone());
        let edge = Edge::new(http_config(config), &mut registry);
        let system = System::start(&actor_config(config), store.clone(), metrics).await?;
        let state = AppState {
            edge: Arc::new(edge),
            system: system.clone(),
            registry: Arc::new(registry),
        };
        let server = HttpServer::new(move || app(state.at_worker()))
            .workers(config.budget.http_workers)
            .max_connections(config.max_connections)
            .keep_alive(config.keep_alive)
            .shutdown_timeout(config.shutdown_timeout.as_secs())
            .disable_signals()
            .bind(config.listen)
            .map_err(StartupError::Listen)?;
        let address = server.addrs().first().copied().unwrap_or(config.listen);
        log_plan(&config.budget);
        Ok(Self {
            server: server.run(),
            system,
            address,
        })
    }

    async fn run(self) -> Result<(), StartupError> {
        actix_web::rt::spawn(stop_on_signal(self.server.handle()));
        let ended = self.server.await.map_err(StartupError::Serve);
        self.system.stop();
        tracing::info!("stopped");
        ended
    }
}

/// Both signals let requests under way end; a second one is up to the system.
async fn stop_on_signal(server: ServerHandle) {
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
    server.stop(true).await;
}

fn http_config(config: &ServeConfig) -> HttpConfig {
    let mut http = HttpConfig {
        base_path: config.base_path.clone(),
        request_timeout: config.request_timeout,
        max_in_flight: config.max_in_flight,
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
        evaluators_at_workers: config.evaluators_at_workers,
        cohort_cache_bytes: config.cohort_cache_bytes,
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
