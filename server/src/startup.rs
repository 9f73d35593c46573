//! The one place where parts meet: settings → store → actors → HTTP server.
//!
//! The server listens first, so that probes are answered from the beginning; then the database is prepared, definitions are
//! loaded, and requests are let in. A stop goes the other way.

mod prepare;
mod running;
pub(crate) mod signals;
mod watch;

use crate::cli::{self, CliError};
use crate::config::ServeConfig;
use crate::console::ConsoleConfig;
use crate::demo;
use crate::error::OverloadStatus;
use crate::lifecycle::Lifecycle;
use crate::metrics;
use crate::project_file::{self, ApplyOptions};
use crate::state::HttpConfig;
use crate::tls::TlsError;
use crate::trace::TraceError;
use burgee_actors::{Config, Database, Preparation, Snapshots, Source, System};
use burgee_schema::{Store, StoreError, chain};
use chrono::Utc;
use prepare::Preparing;
use running::Running;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signals::Signals;
use std::convert::Infallible;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::watch::channel;

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
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The export of traces.
    #[error(transparent)]
    Traces(#[from] TraceError),
    /// Signals cannot be listened for.
    #[error("signals cannot be listened for")]
    Signals(#[source] io::Error),
    /// The server stopped by itself.
    #[error("the server ended")]
    Serve(#[source] io::Error),
    /// The description of the HTTP interface.
    #[error("the OpenAPI document cannot be written")]
    Document(#[from] serde_json::Error),
}

/// Serves until a signal says to stop; requests under way end first. A second signal ends the process at once.
pub async fn serve(config: &ServeConfig, out: &mut impl Write) -> Result<(), StartupError> {
    metrics::count_panics();
    let mut signals = Signals::listen().map_err(StartupError::Signals)?;
    raise_descriptor_limit();
    let store = Store::open(config.database_url.expose(), config.pool.clone()).await?;
    let snapshots = open_snapshots(config)?;
    let (progress, prepared) = channel(Preparation::Begun);
    let source = Source {
        snapshots: snapshots.clone(),
        database: Database::Awaited(prepared),
    };
    let mut running = Running::start(source, &store, config).await?;
    let opening = Opening {
        system: running.system.clone(),
        lifecycle: Arc::clone(&running.lifecycle),
        address: running.address,
    };
    let preparing = Preparing {
        store: &store,
        config,
        lifecycle: Arc::clone(&running.lifecycle),
        snapshots,
        progress,
    };
    let failure = tokio::select! {
        Err(failure) = opening.serve(preparing, out) => Some(failure),
        failure = running.ended() => Some(failure),
        () = signals.next() => None,
    };
    if let Some(failure) = failure {
        running.abandon().await;
        return Err(failure);
    }
    actix_web::rt::spawn(signals.exit_at_next());
    running.stop().await;
    Ok(())
}

/// What is needed to let requests in.
struct Opening {
    system: System,
    lifecycle: Arc<Lifecycle>,
    address: SocketAddr,
}

impl Opening {
    /// Lets requests in as soon as there are definitions, and goes on with what comes after the database is prepared.
    /// Never ends, unless the server never can serve.
    async fn serve(
        self,
        preparing: Preparing<'_>,
        out: &mut impl Write,
    ) -> Result<Infallible, StartupError> {
        let (store, config) = (preparing.store, preparing.config);
        // Beside each other: a snapshot may serve long before the database does.
        let prepared = tokio::try_join!(self.open(), preparing.run());
        prepared.map_err(|error| match error {
            CliError::Store(error) => StartupError::Store(error),
            error => StartupError::Command(error),
        })?;
        if config.demo && io::stdout().is_terminal() {
            self.show_demo(out).await;
        }
        match config.project.clone().filter(|_| config.watch) {
            Some(file) => watch::watch(file, store.clone(), self.system, config.lenient).await,
            None => std::future::pending().await,
        }
    }

    async fn open(&self) -> Result<(), CliError> {
        self.system.until_started().await;
        self.lifecycle.serve();
        tracing::info!("ready");
        Ok(())
    }

    /// Prints a request to try, and what it will answer. A demo that cannot be shown still serves.
    async fn show_demo(&self, out: &mut impl Write) {
        match demo::invitation(&self.system, self.address).await {
            Ok(text) => {
                let _ = writeln!(out, "{text}");
            }
            Err(error) => tracing::warn!(error = chain(&*error), "no demo request can be shown"),
        }
    }
}

/// Connections count against the soft limit, which is low on many systems for the sake of programs of old.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
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

/// Returns the settings of the edge.
pub(crate) fn http_config(config: &ServeConfig) -> HttpConfig {
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
        admin_elsewhere: config.admin_listen.is_some(),
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
