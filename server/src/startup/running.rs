//! A server that listens, the actors behind it, and how both end.

use super::{StartupError, actor_config, http_config};
use crate::admin_access::AdminAccess;
use crate::config::{LifecycleConfig, ServeConfig};
use crate::console::Console;
use crate::credential::Credentials;
use crate::lifecycle::Lifecycle;
use crate::openapi::Document;
use crate::reload::Reloader;
use crate::routes::{Side, app};
use crate::state::{AppState, Edge};
use crate::streams::{Streams, hang_up_when_stalled};
use crate::tls::Certificates;
use crate::trace::Tracer;
use actix_web::HttpServer;
use actix_web::dev::{Server, ServerHandle};
use actix_web::rt::task::JoinHandle;
use burgee_actors::runtimes::Runtime;
use burgee_actors::{Budget, Metrics, Source, System};
use burgee_schema::Store;
use prometheus_client::registry::Registry;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// What writers get at least, however long requests took to end.
const LEAST_TO_WRITE: Duration = Duration::from_secs(2);
/// How long what is known of sampled requests may hold up a stop.
const TRACES_PATIENCE: Duration = Duration::from_secs(2);

/// A server that listens.
pub(super) struct Running {
    server: JoinHandle<io::Result<()>>,
    handle: ServerHandle,
    /// Serves metrics, where they have an address of their own.
    metrics: Option<ServerHandle>,
    /// Serves what changes and shows the server, where that has an address of its own.
    admin: Option<ServerHandle>,
    tracer: Option<Arc<Tracer>>,
    pub(super) system: System,
    streams: Arc<Streams>,
    pub(super) lifecycle: Arc<Lifecycle>,
    pub(super) address: SocketAddr,
    stop: LifecycleConfig,
}

impl Running {
    /// Starts the actors and listens. Only probes are answered until [`Lifecycle::serve`] says more.
    pub(super) async fn start(
        source: Source,
        store: &Store,
        config: &ServeConfig,
    ) -> Result<Self, StartupError> {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry, store.clone());
        let mut edge = Edge::new(http_config(config), &mut registry);
        edge.lifecycle = Arc::new(Lifecycle::starting());
        let traces = config.traces.as_ref();
        let tracer = traces.map(|it| Tracer::start(it, &mut registry));
        edge.tracer = tracer.transpose()?.map(Arc::new);
        let certificates = config.tls.as_ref().map(Certificates::load).transpose()?;
        let certificates = certificates.map(Arc::new);
        let actors = actor_config(config);
        let system = System::start_from(source, &actors, store.clone(), metrics).await?;
        let admin = AdminAccess::new(store.clone(), config.admin, &mut registry);
        let admin = Arc::new(admin);
        let state = AppState {
            system: system.clone(),
            credentials: Arc::new(Credentials::new(store.clone(), &system)),
            admin,
            registry: Arc::new(registry),
            document: Arc::new(Document::new(&edge.config.base_path)?),
            edge: Arc::new(edge),
        };
        if config.console {
            actix_web::rt::spawn(Console::sample(state.clone()));
        }
        let streams = Arc::clone(&state.edge.streams);
        let lifecycle = Arc::clone(&state.edge.lifecycle);
        let metrics = config
            .metrics_listen
            .map(|address| serve_metrics(address, state.clone()))
            .transpose()?;
        let admin = config
            .admin_listen
            .map(|address| serve_admin(address, state.clone(), certificates.as_ref()))
            .transpose()?;
        let tracer = state.edge.tracer.clone();
        let reloader = Reloader {
            given: config.given.clone(),
            tls: config.tls.clone(),
            certificates: certificates.clone(),
            tls_watch: config.tls_watch,
            edge: Arc::clone(&state.edge),
            system: system.clone(),
        };
        actix_web::rt::spawn(reloader.run());
        let (server, address) = listen(config, state, certificates.as_ref())?;
        log_plan(&config.budget);
        tracing::info!(%address, database = %config.database_url, "listening");
        Ok(Self {
            handle: server.handle(),
            server: actix_web::rt::spawn(server),
            metrics: metrics.map(run_beside),
            admin: admin.map(run_beside),
            tracer,
            system,
            streams,
            lifecycle,
            address,
            stop: config.lifecycle,
        })
    }

    /// Waits for an end that nobody asked for.
    pub(super) async fn ended(&mut self) -> StartupError {
        let ended = (&mut self.server).await;
        let ended = ended.unwrap_or_else(|gone| Err(io::Error::other(gone)));
        let error = ended.err();
        StartupError::Serve(error.unwrap_or_else(|| io::Error::other("nobody had asked it to")))
    }

    /// Ends a server that has nothing to serve.
    pub(super) async fn abandon(self) {
        self.handle.stop(false).await;
        self.end_actors().await;
    }

    /// Ends a server step by step: clients are sent elsewhere, no more are let in, requests under way end, what waits is
    /// written.
    pub(super) async fn stop(self) {
        let was_serving = self.lifecycle.drain();
        if was_serving && !self.stop.drain_delay.is_zero() {
            let seconds = self.stop.drain_delay.as_secs();
            tracing::info!(
                seconds,
                "not ready any more; serving on until balancers know"
            );
            tokio::time::sleep(self.stop.drain_delay).await;
        }
        tracing::info!("stopping; requests under way end first");
        let deadline = Instant::now() + self.stop.shutdown_timeout;
        // These would never end by themselves.
        self.streams.stop();
        self.handle.stop(true).await;
        if let Some(admin) = &self.admin {
            admin.stop(true).await;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        tracing::info!("no request is under way; writing what waits to be written");
        self.system.finish(left.max(LEAST_TO_WRITE)).await;
        self.end_actors().await;
        tracing::info!("stopped");
    }

    async fn end_actors(self) {
        // Until now, so that a stop can be watched.
        if let Some(metrics) = self.metrics {
            metrics.stop(false).await;
        }
        self.system.stop();
        if let Some(tracer) = &self.tracer {
            tracer.finish(TRACES_PATIENCE);
        }
    }
}

fn run_beside(server: Server) -> ServerHandle {
    let handle = server.handle();
    actix_web::rt::spawn(server);
    handle
}

fn listen(
    config: &ServeConfig,
    state: AppState,
    certificates: Option<&Arc<Certificates>>,
) -> Result<(Server, SocketAddr), StartupError> {
    let workers = Arc::new(AtomicU32::new(0));
    let server = HttpServer::new(move || {
        let worker = workers.fetch_add(1, Ordering::Relaxed);
        actix_web::rt::spawn(state.system.watch_runtime(Runtime::HttpWorker, worker));
        app(state.at_worker(), Side::Main)
    })
    .workers(config.budget.http_workers)
    .max_connections(config.max_connections)
    .keep_alive(config.keep_alive)
    .shutdown_timeout(config.lifecycle.shutdown_timeout.as_secs())
    .disable_signals()
    .on_connect(hang_up_when_stalled);
    let bound = match certificates {
        Some(shown) => server.bind_rustls_0_23(config.listen, shown.server_config()?),
        None => server.bind(config.listen),
    };
    let server = bound.map_err(StartupError::Listen)?;
    let address = server.addrs().first().copied().unwrap_or(config.listen);
    Ok((server.run(), address))
}

/// Begins to listen for those who read metrics: one thread, a few connections.
fn serve_metrics(address: SocketAddr, state: AppState) -> Result<Server, StartupError> {
    let server = HttpServer::new(move || app(state.clone(), Side::Metrics))
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

/// Begins to listen for those who run the server: one thread, a few connections.
fn serve_admin(
    address: SocketAddr,
    state: AppState,
    certificates: Option<&Arc<Certificates>>,
) -> Result<Server, StartupError> {
    let server = HttpServer::new(move || app(state.clone(), Side::Admin))
        .workers(1)
        .max_connections(256)
        .shutdown_timeout(2)
        .disable_signals()
        .on_connect(hang_up_when_stalled);
    let bound = match certificates {
        Some(shown) => server.bind_rustls_0_23(address, shown.server_config()?),
        None => server.bind(address),
    };
    let server = bound.map_err(StartupError::Listen)?;
    let address = server.addrs().first().copied().unwrap_or(address);
    tracing::info!(%address, "the admin side is served");
    Ok(server.run())
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
