//! Where the proxy's parts meet: settings → lanes and peers → HTTP servers, and at a stop the way back.

use super::aside::{Aside, Lane, LaneEnd, LaneLimits, lane};
use super::compare::{Comparer, Comparison, Served, Tallied};
use super::flags;
use super::lines::{Lines, LinesEnd};
use super::metrics::{LaneMetrics, ShadowMetrics};
use super::mirror::{Copier, Mirror};
use super::passage;
use super::paths::{PathKind, Target};
use super::share::{Percent, Split};
use super::{CompareConfig, MirrorConfig, ShadowConfig, Timeouts, admin};
use crate::peer::{Connector, Peer, PoolLimits, Question};
use crate::startup::signals::Signals;
use actix_web::dev::{Server, ServerHandle};
use actix_web::web::{self, Data, Payload};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use burgee_schema::TrustError;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// Idle connections that each thread keeps to each peer.
const MOST_IDLE: usize = 128;

/// How long an idle connection is kept at most: less than servers usually do, so that few are closed under a request.
const KEPT: Duration = Duration::from_secs(20);

/// The largest file of examples, in bytes.
const MAX_SAMPLES: u64 = 256 * 1024 * 1024;

/// How many large bodies are unpacked at once to look for their token.
const DECODERS: usize = 4;

/// Why the proxy cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ShadowError {
    /// The certificates of those who may vouch.
    #[error("an upstream cannot be asked over TLS")]
    Certificates(#[source] TrustError),
    /// A file cannot be opened.
    #[error("{file} cannot be written")]
    File {
        /// Its name.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// An address cannot be listened on.
    #[error("the address cannot be listened on")]
    Listen(#[source] io::Error),
    /// The server stopped by itself, or a thread cannot be started.
    #[error("the proxy ended")]
    Serve(#[source] io::Error),
}

/// What all threads share.
pub(super) struct Shared {
    pub(super) split: Split,
    pub(super) fallback: bool,
    pub(super) timeouts: Timeouts,
    pub(super) body_limit: usize,
    pub(super) places: Semaphore,
    pub(super) decoders: Arc<Semaphore>,
    pub(super) metrics: ShadowMetrics,
    pub(super) registry: Registry,
    pub(super) stopping: watch::Receiver<bool>,
    pub(super) comparer: Option<Comparer>,
    pub(super) mirror: Option<Mirror>,
    pub(super) recorder: Option<Lines>,
    tallied: Tallied,
    lanes: Vec<(&'static str, LaneMetrics)>,
    base_path: String,
    names: [String; 2],
}

impl Shared {
    /// Changes the percentage; requests that come from now on are split by it.
    pub(super) fn set_percent(&self, percent: Percent) {
        self.split.set(percent);
        self.metrics.percent(percent);
    }

    /// Returns the report as JSON.
    pub(super) fn report(&self) -> Value {
        let [burgee, upstream] = &self.names;
        let lanes = self.lanes.iter();
        let aside: serde_json::Map<String, Value> = lanes
            .map(|(name, metrics)| ((*name).to_owned(), metrics.summary()))
            .collect();
        json!({
            "burgee": burgee,
            "upstream": upstream,
            "percent": self.split.percent().value(),
            "aside": aside,
            "comparison": self.tallied.json(),
        })
    }

    /// Returns the report as text.
    pub(super) fn report_text(&self) -> String {
        let mut text = format!("percent {}\n", self.split.percent());
        for (name, metrics) in &self.lanes {
            let summary = metrics.summary();
            let count = |member: &str| summary.get(member).and_then(Value::as_i64).unwrap_or(0);
            text.push_str(&format!(
                "{name}: {} offered, {} done, {} dropped, {} waiting\n",
                count("offered"),
                count("done"),
                count("dropped"),
                count("waiting"),
            ));
        }
        text.push_str(&self.tallied.text());
        text
    }
}

/// What one HTTP worker has: the connections are its own.
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) upstream: Peer,
    pub(super) burgee: Peer,
}

async fn handle(worker: Data<Worker>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let target = Target::of(request.uri(), &worker.shared.base_path);
    match target.kind {
        PathKind::Flags | PathKind::Decide => {
            flags::answer(&worker, &request, payload, target).await
        }
        PathKind::Events | PathKind::Other => {
            passage::pass(&worker, &request, payload, target).await
        }
    }
}

/// Serves until a signal says to stop; requests under way end first. Prints the report at the end. A second signal ends the process
/// at once.
pub async fn serve(config: &ShadowConfig, out: &mut impl Write) -> Result<(), ShadowError> {
    let signals = Signals::listen().map_err(ShadowError::Serve)?;
    let connector = connector(config)?;
    let (stop, stopping) = watch::channel(false);
    let mut parts = Parts::new(config, &connector)?;
    let shared = Arc::new(parts.shared(config, stopping));
    let admin = listen_for_operators(config, &shared)?;
    let server = listen(config, &shared, &connector)?;
    let admin_handle = admin.handle();
    actix_web::rt::spawn(admin);
    actix_web::rt::spawn(stop_on_signal(signals, server.handle(), stop));
    let ended = server.await.map_err(ShadowError::Serve);
    parts.aside.finish(config.shutdown_timeout).await;
    let report = shared.report_text();
    admin_handle.stop(false).await;
    let files = parts.files;
    drop(shared);
    write_out(files, config.shutdown_timeout).await;
    // Nobody may be reading any more.
    let _closed = write!(out, "{report}").and_then(|()| out.flush());
    tracing::info!("stopped");
    ended
}

fn connector(config: &ShadowConfig) -> Result<Connector, ShadowError> {
    let limits = PoolLimits {
        connect_timeout: config.timeouts.connect,
        idle_timeout: config.timeouts.idle.min(KEPT),
        most_idle: MOST_IDLE,
    };
    Connector::new(
        &[&config.upstream, &config.burgee],
        config.roots.clone(),
        limits,
    )
    .map_err(ShadowError::Certificates)
}

/// What is made before the servers.
struct Parts {
    registry: Registry,
    metrics: ShadowMetrics,
    aside: Aside,
    files: Vec<LinesEnd>,
    comparer: Option<Comparer>,
    mirror: Option<Mirror>,
    recorder: Option<Lines>,
    tallied: Tallied,
    lanes: Vec<(&'static str, LaneMetrics)>,
}

impl Parts {
    fn new(config: &ShadowConfig, connector: &Connector) -> Result<Self, ShadowError> {
        let mut registry = Registry::default();
        let metrics = ShadowMetrics::register(&mut registry);
        let mut parts = Self {
            registry,
            metrics,
            aside: Aside::start().map_err(ShadowError::Serve)?,
            files: Vec::new(),
            comparer: None,
            mirror: None,
            recorder: None,
            tallied: Tallied::new(),
            lanes: Vec::new(),
        };
        if let Some(compare) = &config.compare {
            parts.compare(config, compare, connector)?;
        }
        if let Some(mirror) = &config.mirror {
            parts.mirror(config, mirror, connector);
        }
        if let Some(path) = &config.record {
            tracing::warn!(
                file = %path.display(),
                "requests are recorded: the file will hold ids and properties of persons"
            );
            parts.recorder = Some(parts.file("record", path, config.record_limit)?);
        }
        Ok(parts)
    }

    fn compare(
        &mut self,
        config: &ShadowConfig,
        compare: &CompareConfig,
        connector: &Connector,
    ) -> Result<(), ShadowError> {
        let samples = match &compare.sample {
            Some(path) => Some(self.file("sample", path, MAX_SAMPLES)?),
            None => None,
        };
        let limits = LaneLimits {
            queue: compare.queue,
            bytes: config.aside_bytes,
            in_flight: compare.in_flight,
            stale_after: Some(compare.timeout),
        };
        let (lane, end): (Lane<Served>, LaneEnd<Served>) = self.lane("compare", limits);
        let comparison = Arc::new(Comparison {
            upstream: Peer::new(config.upstream.clone(), connector),
            burgee: Peer::new(config.burgee.clone(), connector),
            config: compare.clone(),
            tallied: self.tallied.clone(),
            metrics: self.metrics.clone(),
            samples,
        });
        self.aside
            .run(end, move |served| Arc::clone(&comparison).run(served));
        self.comparer = Some(Comparer::new(lane, compare));
        Ok(())
    }

    fn mirror(&mut self, config: &ShadowConfig, mirror: &MirrorConfig, connector: &Connector) {
        let limits = LaneLimits {
            queue: mirror.queue,
            bytes: config.aside_bytes,
            in_flight: mirror.in_flight,
            stale_after: None,
        };
        let (lane, end): (Lane<Question>, LaneEnd<Question>) = self.lane("mirror", limits);
        let copier = Arc::new(Copier {
            burgee: Peer::new(config.burgee.clone(), connector),
            metrics: self.metrics.clone(),
        });
        self.aside
            .run(end, move |question| Arc::clone(&copier).run(question));
        self.mirror = Some(Mirror(lane));
    }

    fn lane<T>(&mut self, name: &'static str, limits: LaneLimits) -> (Lane<T>, LaneEnd<T>) {
        let metrics = self.metrics.lane(name);
        self.lanes.push((name, metrics.clone()));
        lane(limits, metrics)
    }

    fn file(&mut self, name: &'static str, path: &Path, limit: u64) -> Result<Lines, ShadowError> {
        let metrics = self.metrics.lane(name);
        self.lanes.push((name, metrics.clone()));
        let opened = Lines::open(path, limit, metrics).map_err(|source| ShadowError::File {
            file: path.display().to_string(),
            source,
        });
        let (lines, end) = opened?;
        self.files.push(end);
        Ok(lines)
    }

    fn shared(&mut self, config: &ShadowConfig, stopping: watch::Receiver<bool>) -> Shared {
        let shared = Shared {
            split: Split::new(config.percent),
            fallback: config.fallback,
            timeouts: config.timeouts,
            body_limit: config.body_limit,
            places: Semaphore::new(config.max_in_flight),
            decoders: Arc::new(Semaphore::new(DECODERS)),
            metrics: self.metrics.clone(),
            registry: std::mem::take(&mut self.registry),
            stopping,
            comparer: self.comparer.take(),
            mirror: self.mirror.take(),
            recorder: self.recorder.take(),
            tallied: self.tallied.clone(),
            lanes: self.lanes.clone(),
            base_path: config.base_path.clone(),
            names: [config.burgee.to_string(), config.upstream.to_string()],
        };
        shared.metrics.percent(config.percent);
        shared
    }
}

fn listen(
    config: &ShadowConfig,
    shared: &Arc<Shared>,
    connector: &Connector,
) -> Result<Server, ShadowError> {
    let (shared, connector) = (Arc::clone(shared), connector.clone());
    let (upstream, burgee) = (config.upstream.clone(), config.burgee.clone());
    let server = HttpServer::new(move || {
        let worker = Worker {
            shared: Arc::clone(&shared),
            upstream: Peer::new(upstream.clone(), &connector),
            burgee: Peer::new(burgee.clone(), &connector),
        };
        App::new()
            .app_data(Data::new(worker))
            .default_service(web::to(handle))
    })
    .workers(config.http_workers)
    .max_connections(config.max_connections)
    .keep_alive(config.timeouts.idle.min(Duration::from_secs(75)))
    .shutdown_timeout(config.shutdown_timeout.as_secs())
    .disable_signals()
    .bind(config.listen)
    .map_err(ShadowError::Listen)?;
    let address = server.addrs().first().copied().unwrap_or(config.listen);
    tracing::info!(
        %address,
        upstream = %config.upstream,
        burgee = %config.burgee,
        percent = %config.percent,
        "listening"
    );
    Ok(server.run())
}

/// Begins to listen for operators: one thread, a few connections.
fn listen_for_operators(
    config: &ShadowConfig,
    shared: &Arc<Shared>,
) -> Result<Server, ShadowError> {
    let shared = Arc::clone(shared);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(Data::new(Arc::clone(&shared)))
            .configure(admin::configure)
    })
    .workers(1)
    .max_connections(64)
    .disable_signals()
    .bind(config.metrics_listen)
    .map_err(ShadowError::Listen)?;
    let address = server.addrs().first().copied();
    let address = address.unwrap_or(config.metrics_listen);
    tracing::info!(%address, "metrics are served");
    Ok(server.run())
}

/// Waits for a signal, says so to those who wait for it, and lets requests under way end; a second signal ends everything.
async fn stop_on_signal(mut signals: Signals, server: ServerHandle, stop: watch::Sender<bool>) {
    signals.next().await;
    tracing::info!("stopping; requests under way end first");
    actix_web::rt::spawn(signals.exit_at_next());
    stop.send_replace(true);
    server.stop(true).await;
}

/// Waits until files hold every line that was taken.
async fn write_out(files: Vec<LinesEnd>, patience: Duration) {
    let joined = web::block(move || files.into_iter().for_each(LinesEnd::join));
    if tokio::time::timeout(patience, joined).await.is_err() {
        tracing::error!("a file was not written to its end");
    }
}
