//! What handlers and middleware share: settings, counters, and the handle to the actors. No logic.

use crate::admin_access::AdminAccess;
use crate::body::BodyLimits;
use crate::client_address::Network;
use crate::console::{Console, ConsoleConfig};
use crate::credential::Credentials;
use crate::error::OverloadStatus;
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::openapi::Document;
use crate::rate_limit::{RateLimitConfig, RateLimits};
use crate::remote_config::RemoteConfigSettings;
use crate::routes;
use crate::slow::SlowRequests;
use crate::streams::{StreamConfig, Streams};
use crate::trace::Tracer;
use arc_swap::ArcSwap;
use burgee_actors::System;
use prometheus_client::registry::Registry;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// The settings of the HTTP edge.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// A path under which all routes answer too, such as `/ph`; empty for none. Slashes around it do not matter.
    pub base_path: String,
    /// How large and how slow a body may be.
    pub body: BodyLimits,
    /// How many bodies beyond the inline size are decoded at once.
    pub large_bodies: usize,
    /// How long an evaluation may take, from the last byte of the body on. A request may ask for less.
    pub request_timeout: Duration,
    /// How long events may take to be stored, from the last byte of the body on.
    pub event_timeout: Duration,
    /// How many requests may be under way; more are refused. Operations routes are exempt.
    pub max_in_flight: usize,
    /// With what status work is refused.
    pub overload_status: OverloadStatus,
    /// How often an address or a token may ask.
    pub rate_limits: RateLimitConfig,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// From when on a request is slow; `None` for never.
    pub slow_after: Option<Duration>,
    /// Whether metrics are served on an address of their own, and not here.
    pub metrics_elsewhere: bool,
    /// Whether the server is changed and shown on an address of its own, and not here.
    pub admin_elsewhere: bool,
    /// What posthog-js is told.
    pub remote_config: RemoteConfigSettings,
    /// How many may listen to changes.
    pub streams: StreamConfig,
    /// Under which address clients reach the server, without a slash at its end; `None` where that is not known.
    pub public_url: Option<String>,
    /// Whose files are served under `/static`; `None` for none.
    pub static_dir: Option<PathBuf>,
    /// The live page.
    pub console: ConsoleConfig,
}

impl Default for HttpConfig {
    /// No base path, 1 s, 4,096 requests under way, 4 large bodies, 503, no rate limits, no trusted proxies, slow after
    /// 250 ms, metrics here, no known address, no live page, and the defaults of the parts.
    fn default() -> Self {
        Self {
            base_path: String::new(),
            body: BodyLimits::default(),
            large_bodies: 4,
            request_timeout: Duration::from_secs(1),
            event_timeout: Duration::from_secs(5),
            max_in_flight: 4_096,
            overload_status: OverloadStatus::default(),
            rate_limits: RateLimitConfig::default(),
            trusted_proxies: Vec::new(),
            slow_after: Some(Duration::from_millis(250)),
            metrics_elsewhere: false,
            admin_elsewhere: false,
            remote_config: RemoteConfigSettings::default(),
            streams: StreamConfig::default(),
            public_url: None,
            static_dir: None,
            console: ConsoleConfig::default(),
        }
    }
}

/// What every request passes, whatever its route. One per process, shared by all HTTP workers.
#[derive(Debug)]
pub struct Edge {
    /// The settings.
    pub config: HttpConfig,
    /// The counters.
    pub metrics: Metrics,
    /// Room for large bodies.
    pub large_bodies: Arc<Semaphore>,
    /// The settings that may change while the server runs.
    pub live: ArcSwap<Live>,
    /// Who tells of sampled requests, if anybody does.
    pub tracer: Option<Arc<Tracer>>,
    /// Which requests are slow, and their lines.
    pub slow: SlowRequests,
    /// Who listens to changes.
    pub streams: Arc<Streams>,
    /// Whether requests are taken.
    pub lifecycle: Arc<Lifecycle>,
    /// The live page, and who watches it.
    pub console: Console,
}

impl Edge {
    /// Builds the shared part from its settings, and registers what it counts.
    pub fn new(mut config: HttpConfig, registry: &mut Registry) -> Self {
        config.base_path = routes::normal_base_path(&config.base_path);
        Self {
            large_bodies: Arc::new(Semaphore::new(config.large_bodies)),
            metrics: Metrics::register(registry),
            live: ArcSwap::from_pointee(Live::of(&config, None)),
            tracer: None,
            slow: SlowRequests::new(config.slow_after),
            streams: Arc::new(Streams::new(config.streams, registry)),
            lifecycle: Arc::new(Lifecycle::default()),
            console: Console::new(config.console.clone(), registry),
            config,
        }
    }

    /// Takes over those settings that may change while the server runs; limits that stay the same go on counting.
    pub fn adjust(&self, config: &HttpConfig) {
        let live = Live::of(config, Some(&self.live.load()));
        self.live.store(Arc::new(live));
        self.slow.set_threshold(config.slow_after);
    }
}

/// The settings of the edge that may change while the server runs. A request sees one state of them at a time.
#[derive(Debug)]
pub struct Live {
    /// How long an evaluation may take.
    pub request_timeout: Duration,
    /// How many requests may be under way.
    pub max_in_flight: usize,
    /// With what status work is refused.
    pub overload_status: OverloadStatus,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// The limits on addresses and tokens.
    pub rate_limits: Arc<RateLimits>,
    rates: RateLimitConfig,
}

impl Live {
    fn of(config: &HttpConfig, before: Option<&Self>) -> Self {
        let rates = config.rate_limits;
        let kept = before.filter(|before| before.rates == rates);
        Self {
            request_timeout: config.request_timeout,
            max_in_flight: config.max_in_flight,
            overload_status: config.overload_status,
            trusted_proxies: config.trusted_proxies.clone(),
            rate_limits: kept.map_or_else(
                || Arc::new(RateLimits::new(&rates)),
                |before| Arc::clone(&before.rate_limits),
            ),
            rates,
        }
    }
}

/// What handlers need. One per HTTP worker.
#[derive(Clone)]
pub struct AppState {
    /// The shared part.
    pub edge: Arc<Edge>,
    /// The actors.
    pub system: System,
    /// Who a key belongs to.
    pub credentials: Arc<Credentials>,
    /// The way to the database for people.
    pub admin: Arc<AdminAccess>,
    /// Everything that `/metrics` shows.
    pub registry: Arc<Registry>,
    /// The description of everything that answers.
    pub document: Arc<Document>,
}

impl AppState {
    /// Returns the state for the HTTP worker whose thread this is.
    pub fn at_worker(&self) -> Self {
        Self {
            system: self.system.at_worker(),
            ..self.clone()
        }
    }
}
