//! The settings of `burgee serve`.

use super::DatabaseUrl;
use super::admin::AdminOptions;
use super::browsers::BrowserOptions;
use super::events::EventOptions;
use super::faults::{ConfigError, Faults};
use super::layers::Given;
use super::lifecycle::{LifecycleConfig, LifecycleOptions};
use super::limits::LimitOptions;
use super::listeners::ListenerOptions;
use super::replica::ReplicaOptions;
use super::streams::StreamOptions;
use super::threads::ThreadOptions;
use super::traces::TraceOptions;
use super::words;
use crate::admin_access::AdminConfig;
use crate::client_address::Network;
use crate::rate_limit::RateLimitConfig;
use crate::remote_config::RemoteConfigSettings;
use crate::streams::StreamConfig;
use crate::tls::TlsFiles;
use crate::trace::TraceConfig;
use burgee_actors::{Budget, EventsConfig};
use burgee_schema::PoolConfig;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The settings as they were written.
#[derive(Debug, Clone, clap::Args)]
pub struct ServeOptions {
    /// Address and port to listen on
    #[arg(
        long,
        env = "BURGEE_LISTEN",
        default_value = "127.0.0.1:8080",
        value_name = "ADDRESS"
    )]
    listen: String,
    /// Where everything is stored: sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE
    #[arg(
        long,
        env = "BURGEE_DATABASE_URL",
        default_value = "sqlite://burgee.db",
        value_name = "URL",
        hide_env_values = true
    )]
    database_url: String,
    /// A project file to apply before serving
    #[arg(long, env = "BURGEE_PROJECT", value_name = "FILE")]
    project: Option<PathBuf>,
    /// Apply the project file again whenever it changes; a bad file is reported and changes nothing
    #[arg(long, env = "BURGEE_WATCH", default_value = "false", default_missing_value = "true", num_args = 0..=1, require_equals = true, value_name = "BOOL")]
    watch: String,
    /// Store flags and cohorts of the project file that `burgee check` would refuse, with a warning for each
    #[arg(long, env = "BURGEE_LENIENT", default_value = "false", default_missing_value = "true", num_args = 0..=1, require_equals = true, value_name = "BOOL")]
    lenient: String,
    /// Load the built-in demo project and print a request to try
    #[arg(long, env = "BURGEE_DEMO", default_value = "false", default_missing_value = "true", num_args = 0..=1, require_equals = true, value_name = "BOOL")]
    demo: String,
    /// Refuse to start when migrations are pending, instead of running them
    #[arg(long, env = "BURGEE_NO_MIGRATE", default_value = "false", default_missing_value = "true", num_args = 0..=1, require_equals = true, value_name = "BOOL")]
    no_migrate: String,
    /// A path in front of every route, such as /ph
    #[arg(
        long,
        env = "BURGEE_BASE_PATH",
        default_value = "",
        value_name = "PATH"
    )]
    base_path: String,
    /// Serve /metrics on this address and port, and not on the main one
    #[arg(long, env = "BURGEE_METRICS_LISTEN", value_name = "ADDRESS")]
    metrics_listen: Option<String>,
    /// Whether the live page of this instance is served at /console/, beside the admin API
    #[arg(long, env = "BURGEE_CONSOLE", default_value = "on", value_name = "ON")]
    console: String,
    /// Keep the last known definitions in this directory, and start from them while the database is away
    #[arg(long, env = "BURGEE_SNAPSHOT_DIR", value_name = "DIR")]
    snapshot_dir: Option<PathBuf>,

    /// The largest number of database connections
    #[arg(
        long,
        env = "BURGEE_POOL_SIZE",
        default_value = "10",
        value_name = "N",
        help_heading = "Database"
    )]
    pool_size: String,
    /// Idle connections kept open, and opened before the server is ready
    #[arg(
        long,
        env = "BURGEE_POOL_MIN_IDLE",
        default_value = "2",
        value_name = "N",
        help_heading = "Database"
    )]
    pool_min_idle: String,
    /// How long a request waits for a connection, in milliseconds
    #[arg(
        long,
        env = "BURGEE_POOL_ACQUIRE_TIMEOUT_MS",
        default_value = "50",
        value_name = "MS",
        help_heading = "Database"
    )]
    pool_acquire_timeout_ms: String,
    /// How long a reading statement may run, in milliseconds
    #[arg(
        long,
        env = "BURGEE_QUERY_TIMEOUT_MS",
        default_value = "100",
        value_name = "MS",
        help_heading = "Database"
    )]
    query_timeout_ms: String,
    /// How long a statement of a write, a migration or an export may run, in milliseconds
    #[arg(
        long,
        env = "BURGEE_WRITE_TIMEOUT_MS",
        default_value = "30000",
        value_name = "MS",
        help_heading = "Database"
    )]
    write_timeout_ms: String,
    /// Close connections that were idle for this long, in seconds
    #[arg(
        long,
        env = "BURGEE_POOL_IDLE_TIMEOUT_S",
        default_value = "300",
        value_name = "S",
        help_heading = "Database"
    )]
    pool_idle_timeout_s: String,
    /// Replace connections older than this, in seconds
    #[arg(
        long,
        env = "BURGEE_POOL_MAX_LIFETIME_S",
        default_value = "1800",
        value_name = "S",
        help_heading = "Database"
    )]
    pool_max_lifetime_s: String,
    /// How often the database is asked for changes that no notification told of, in seconds
    #[arg(
        long,
        env = "BURGEE_POLL_INTERVAL_S",
        default_value = "5",
        value_name = "S",
        help_heading = "Database"
    )]
    poll_interval_s: String,

    #[command(flatten)]
    replica: ReplicaOptions,

    /// How long a request may take, in milliseconds
    #[arg(
        long,
        env = "BURGEE_REQUEST_TIMEOUT_MS",
        default_value = "1000",
        value_name = "MS",
        help_heading = "Requests"
    )]
    request_timeout_ms: String,
    /// The largest body as received, in bytes
    #[arg(
        long,
        env = "BURGEE_BODY_LIMIT_BYTES",
        default_value = "2097152",
        value_name = "BYTES",
        help_heading = "Requests"
    )]
    body_limit_bytes: String,
    /// The largest body after decompression, in bytes
    #[arg(
        long,
        env = "BURGEE_DECOMPRESSED_LIMIT_BYTES",
        default_value = "20971520",
        value_name = "BYTES",
        help_heading = "Requests"
    )]
    decompressed_limit_bytes: String,
    /// How many requests may be worked on at once; further ones are refused
    #[arg(
        long,
        env = "BURGEE_MAX_IN_FLIGHT",
        default_value = "4096",
        value_name = "N",
        help_heading = "Requests"
    )]
    max_in_flight: String,
    /// How many connections each HTTP worker holds open
    #[arg(
        long,
        env = "BURGEE_MAX_CONNECTIONS",
        default_value = "8192",
        value_name = "N",
        help_heading = "Requests"
    )]
    max_connections: String,
    /// How long an idle connection is kept open, in seconds
    #[arg(
        long,
        env = "BURGEE_KEEP_ALIVE_S",
        default_value = "75",
        value_name = "S",
        help_heading = "Requests"
    )]
    keep_alive_s: String,
    /// The status of a refusal under overload: 503, or 504 for SDKs that try again only on that
    #[arg(
        long,
        env = "BURGEE_OVERLOAD_STATUS",
        default_value = "503",
        value_name = "STATUS",
        help_heading = "Requests"
    )]
    overload_status: String,

    #[command(flatten)]
    lifecycle: LifecycleOptions,

    #[command(flatten)]
    threads: ThreadOptions,

    #[command(flatten)]
    streams: StreamOptions,

    #[command(flatten)]
    events: EventOptions,

    #[command(flatten)]
    limits: LimitOptions,

    #[command(flatten)]
    admin: AdminOptions,

    #[command(flatten)]
    browsers: BrowserOptions,

    #[command(flatten)]
    listeners: ListenerOptions,

    #[command(flatten)]
    log: LoggingOptions,

    #[command(flatten)]
    traces: TraceOptions,

    /// Where all of this comes from.
    #[arg(skip)]
    pub(super) given: Given,
}

/// How to log, and what.
#[derive(Debug, Clone, clap::Args)]
struct LoggingOptions {
    #[command(flatten)]
    how: words::LogOptions,
    /// Log requests for flags that took this long, with the time of each stage, in milliseconds; 0 for none
    #[arg(
        long,
        env = "BURGEE_SLOW_REQUEST_MS",
        default_value = "250",
        value_name = "MS",
        help_heading = "Logging"
    )]
    slow_request_ms: String,
}

/// The settings of a server, typed.
#[derive(Debug, Clone)]
pub struct ServeConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where everything is stored.
    pub database_url: DatabaseUrl,
    /// A project file to apply first.
    pub project: Option<PathBuf>,
    /// Whether to apply it again when it changes.
    pub watch: bool,
    /// Whether definitions that `check` refuses are stored.
    pub lenient: bool,
    /// Whether to load the demo project.
    pub demo: bool,
    /// Whether to run pending migrations.
    pub migrate: bool,
    /// In front of every route: empty, or a path that begins with a slash and does not end in one.
    pub base_path: String,
    /// Where metrics are served, when not on the main address.
    pub metrics_listen: Option<SocketAddr>,
    /// Whether the live page is served.
    pub console: bool,
    /// Where the last known definitions are kept.
    pub snapshot_dir: Option<PathBuf>,
    /// The pool.
    pub pool: PoolConfig,
    /// How often to ask for changes.
    pub poll_interval: Duration,
    /// The budget of a request.
    pub request_timeout: Duration,
    /// The largest body as received, in bytes.
    pub body_limit: usize,
    /// The largest body after decompression, in bytes.
    pub decompressed_limit: usize,
    /// Requests worked on at once.
    pub max_in_flight: usize,
    /// Open connections of each worker.
    pub max_connections: usize,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// How a stop goes.
    pub lifecycle: LifecycleConfig,
    /// 503 or 504.
    pub overload_status: u16,
    /// Threads of each kind.
    pub budget: Budget,
    /// Whether HTTP workers have evaluators of their own.
    pub evaluators_at_workers: bool,
    /// Expected evaluation time above which a request is large.
    pub large_above: Duration,
    /// How long a queue that does not get shorter may be.
    pub standing_limit: Option<Duration>,
    /// What may wait for one evaluator.
    pub mailbox_capacity: usize,
    /// What may wait for the person loader.
    pub loader_mailbox_capacity: usize,
    /// Memory for the members of static cohorts, in bytes.
    pub cohort_cache_bytes: usize,
    /// How much people may ask at once.
    pub admin: AdminConfig,
    /// How many may listen to changes.
    pub streams: StreamConfig,
    /// Under which address clients reach the server.
    pub public_url: Option<String>,
    /// How events are stored.
    pub events: EventsConfig,
    /// How long a request with events may wait for that.
    pub event_timeout: Duration,
    /// How often an address or a token may ask.
    pub rate_limits: RateLimitConfig,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// What posthog-js is told.
    pub remote_config: RemoteConfigSettings,
    /// Whose files are served to browsers.
    pub static_dir: Option<PathBuf>,
    /// From when on a request is slow.
    pub slow_request: Option<Duration>,
    /// How to log.
    pub log: LogConfig,
    /// Who is told of traces.
    pub traces: Option<TraceConfig>,
    /// Where the server is changed and shown, when not on the main address.
    pub admin_listen: Option<SocketAddr>,
    /// What is shown to those who connect by TLS; `None` for plain HTTP.
    pub tls: Option<TlsFiles>,
    /// How often those files are looked at.
    pub tls_watch: Duration,
    /// Where all of this comes from.
    pub given: Given,
}

/// How to log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// In which form.
    pub format: LogFormat,
    /// A filter in the syntax of `tracing`.
    pub filter: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            format: LogFormat::Auto,
            filter: "info,actix_server=warn,actix_http=error".to_owned(),
        }
    }
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// Text.
    Text,
    /// A JSON object a line.
    Json,
}

impl ServeOptions {
    /// Returns where the settings come from.
    pub fn given(&self) -> &Given {
        &self.given
    }

    /// Types the settings; all bad ones are told together.
    pub fn resolve(&self) -> Result<ServeConfig, ConfigError> {
        let mut faults = Faults::of(&self.given);
        let f = &mut faults;
        let budget = self.threads.budget(f);
        let event_timeout = self.events.timeout(f);
        let config = ServeConfig {
            listen: f.address("listen", &self.listen),
            database_url: f.database_url(&self.database_url),
            project: self.project.clone(),
            watch: f.switch("watch", &self.watch),
            lenient: f.switch("lenient", &self.lenient),
            demo: f.switch("demo", &self.demo),
            migrate: !f.switch("no-migrate", &self.no_migrate),
            base_path: words::base_path(&self.base_path, f),
            metrics_listen: self
                .metrics_listen
                .as_ref()
                .map(|raw| f.address("metrics-listen", raw)),
            console: f.word(
                "console",
                &self.console,
                &[("on", true), ("off", false)],
                true,
            ),
            snapshot_dir: self.snapshot_dir.clone(),
            pool: self.pool(budget.database, event_timeout, f),
            poll_interval: f.seconds("poll-interval-s", &self.poll_interval_s, 1),
            request_timeout: f.millis("request-timeout-ms", &self.request_timeout_ms),
            body_limit: f.number("body-limit-bytes", &self.body_limit_bytes, 1024..=1 << 30),
            decompressed_limit: f.number(
                "decompressed-limit-bytes",
                &self.decompressed_limit_bytes,
                1024..=1 << 32,
            ),
            max_in_flight: f.number("max-in-flight", &self.max_in_flight, 1..=1_000_000),
            max_connections: f.number("max-connections", &self.max_connections, 1..=1_000_000),
            keep_alive: f.seconds("keep-alive-s", &self.keep_alive_s, 0),
            lifecycle: self.lifecycle.resolve(f),
            overload_status: f.word(
                "overload-status",
                &self.overload_status,
                &[("503", 503), ("504", 504)],
                503,
            ),
            budget,
            evaluators_at_workers: self.threads.evaluators_at_workers(f),
            large_above: self.threads.large_above(f),
            standing_limit: self.threads.standing_limit(f),
            mailbox_capacity: self.threads.mailbox_capacity(f),
            loader_mailbox_capacity: self.threads.loader_mailbox_capacity(f),
            cohort_cache_bytes: self.threads.cohort_cache_bytes(f),
            admin: self.admin.resolve(f),
            streams: self.streams.resolve(f),
            public_url: self.streams.public_url(f),
            events: self.events.resolve(f),
            event_timeout,
            rate_limits: self.limits.rates(f),
            trusted_proxies: self.limits.trusted_proxies(f),
            remote_config: self.browsers.remote_config(f),
            static_dir: self.browsers.static_dir.clone(),
            slow_request: self.log.slow_request(f),
            log: self.log.how.resolve(f),
            traces: self.traces.resolve(f),
            admin_listen: self.listeners.admin(f),
            tls: self.listeners.tls(f),
            tls_watch: self.listeners.tls_watch(f),
            given: self.given.clone(),
        };
        if config.watch && config.project.is_none() {
            f.add("watch", "needs --project");
        }
        if config.decompressed_limit < config.body_limit {
            let message = "must not be below --body-limit-bytes";
            f.add("decompressed-limit-bytes", message);
        }
        faults.finish(config)
    }

    fn pool(&self, threads: usize, event_timeout: Duration, f: &mut Faults) -> PoolConfig {
        let before = f.count();
        let pool = PoolConfig {
            max_size: f.number("pool-size", &self.pool_size, 1..=10_000),
            min_idle: f.number("pool-min-idle", &self.pool_min_idle, 0..=10_000),
            acquire_timeout: f.millis("pool-acquire-timeout-ms", &self.pool_acquire_timeout_ms),
            query_timeout: f.millis("query-timeout-ms", &self.query_timeout_ms),
            write_timeout: f.millis("write-timeout-ms", &self.write_timeout_ms),
            // Half, so that who waits is told of a statement that was given up.
            event_timeout: (event_timeout / 2).max(Duration::from_millis(1)),
            idle_timeout: f.seconds("pool-idle-timeout-s", &self.pool_idle_timeout_s, 1),
            max_lifetime: f.seconds("pool-max-lifetime-s", &self.pool_max_lifetime_s, 1),
            threads,
            replica: self.replica.resolve(&self.database_url, f),
        };
        if f.count() == before && pool.min_idle > pool.max_size {
            f.add("pool-min-idle", "must not be above --pool-size");
        }
        pool
    }
}

impl LoggingOptions {
    fn slow_request(&self, f: &mut Faults) -> Option<Duration> {
        match f.number("slow-request-ms", &self.slow_request_ms, 0..=86_400_000) {
            0 => None,
            millis => Some(Duration::from_millis(millis)),
        }
    }
}
