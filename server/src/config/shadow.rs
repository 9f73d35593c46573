//! The settings of `burgee shadow`.

use super::LogConfig;
use super::faults::{ConfigError, Faults};
use super::words::{self, LogOptions};
use crate::comparison::Ignored;
use crate::peer::PeerUrl;
use crate::shadow::{CompareConfig, MirrorConfig, Percent, ShadowConfig, Timeouts};
use std::path::PathBuf;

/// The settings as they were written.
#[derive(Debug, Clone, clap::Args)]
pub struct ShadowOptions {
    /// The service that answers today: https://HOST[:PORT][/PATH]
    #[arg(long, env = "BURGEE_UPSTREAM", value_name = "URL")]
    upstream: String,
    /// The Burgee that shall answer: http://HOST[:PORT][/PATH]
    #[arg(long, env = "BURGEE_BURGEE", value_name = "URL")]
    burgee: String,
    /// Believe certificates from these authorities, PEM, instead of those that the system trusts
    #[arg(long, env = "BURGEE_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Address and port to listen on
    #[arg(
        long,
        env = "BURGEE_LISTEN",
        default_value = "127.0.0.1:8081",
        value_name = "ADDRESS"
    )]
    listen: String,
    /// Address and port of /metrics, /report, /percent and the health checks
    #[arg(
        long,
        env = "BURGEE_METRICS_LISTEN",
        default_value = "127.0.0.1:9091",
        value_name = "ADDRESS"
    )]
    metrics_listen: String,
    /// A path in front of every path that clients ask for, such as /ph; it is taken off
    #[arg(
        long,
        env = "BURGEE_BASE_PATH",
        default_value = "",
        value_name = "PATH"
    )]
    base_path: String,
    /// Projects whose share is below this are answered by Burgee: 0 for none, 100 for all, decimals allowed
    #[arg(
        long,
        env = "BURGEE_PERCENT",
        default_value = "0",
        value_name = "PERCENT"
    )]
    percent: String,
    /// Ask the other side when the one whose turn it is fails: no connection, no answer in time, 5xx, or a token that Burgee does not know
    #[arg(long, env = "BURGEE_FALLBACK", default_value = "true", default_missing_value = "true", num_args = 0..=1, require_equals = true, value_name = "BOOL")]
    fallback: String,
    /// How long the upstream may take to answer a request for flags, in milliseconds
    #[arg(
        long,
        env = "BURGEE_UPSTREAM_TIMEOUT_MS",
        default_value = "1800",
        value_name = "MS",
        help_heading = "Limits"
    )]
    upstream_timeout_ms: String,
    /// How long Burgee may take to answer a request for flags, in milliseconds
    #[arg(
        long,
        env = "BURGEE_BURGEE_TIMEOUT_MS",
        default_value = "1000",
        value_name = "MS",
        help_heading = "Limits"
    )]
    burgee_timeout_ms: String,
    /// How long a connection to either may take to be made, in milliseconds
    #[arg(
        long,
        env = "BURGEE_CONNECT_TIMEOUT_MS",
        default_value = "500",
        value_name = "MS",
        help_heading = "Limits"
    )]
    connect_timeout_ms: String,
    /// How long the upstream may take to begin its answer to any other request, in milliseconds
    #[arg(
        long,
        env = "BURGEE_PASSAGE_TIMEOUT_MS",
        default_value = "30000",
        value_name = "MS",
        help_heading = "Limits"
    )]
    passage_timeout_ms: String,
    /// How long a body may rest between two of its pieces, in seconds
    #[arg(
        long,
        env = "BURGEE_IDLE_TIMEOUT_S",
        default_value = "300",
        value_name = "S",
        help_heading = "Limits"
    )]
    idle_timeout_s: String,
    /// The largest body of a request for flags or with events that is looked into; longer ones go to the upstream as they are
    #[arg(
        long,
        env = "BURGEE_BODY_LIMIT_BYTES",
        default_value = "2097152",
        value_name = "BYTES",
        help_heading = "Limits"
    )]
    body_limit_bytes: String,
    /// How many requests for flags may wait for an answer at once; further ones are refused
    #[arg(
        long,
        env = "BURGEE_MAX_IN_FLIGHT",
        default_value = "1024",
        value_name = "N",
        help_heading = "Limits"
    )]
    max_in_flight: String,
    /// How many connections each HTTP worker holds open
    #[arg(
        long,
        env = "BURGEE_MAX_CONNECTIONS",
        default_value = "8192",
        value_name = "N",
        help_heading = "Limits"
    )]
    max_connections: String,
    /// HTTP workers; auto for one a CPU
    #[arg(
        long,
        env = "BURGEE_HTTP_WORKERS",
        default_value = "auto",
        value_name = "N",
        help_heading = "Limits"
    )]
    http_workers: String,
    /// How long running requests, comparisons and copies may take to end at a stop, in seconds
    #[arg(
        long,
        env = "BURGEE_SHUTDOWN_TIMEOUT_S",
        default_value = "10",
        value_name = "S",
        help_heading = "Limits"
    )]
    shutdown_timeout_s: String,
    /// Ask the other side too, after the answer was given, and count what differs
    #[arg(long, env = "BURGEE_COMPARE", default_value = "false", default_missing_value = "true", num_args = 0..=1, require_equals = true, value_name = "BOOL", help_heading = "Comparison")]
    compare: String,
    /// How many of the requests are compared, in percent
    #[arg(
        long,
        env = "BURGEE_COMPARE_PERCENT",
        default_value = "100",
        value_name = "PERCENT",
        help_heading = "Comparison"
    )]
    compare_percent: String,
    /// How many comparisons may be under way at once
    #[arg(
        long,
        env = "BURGEE_COMPARE_IN_FLIGHT",
        default_value = "8",
        value_name = "N",
        help_heading = "Comparison"
    )]
    compare_in_flight: String,
    /// How many may wait for that; further ones are dropped and counted
    #[arg(
        long,
        env = "BURGEE_COMPARE_QUEUE",
        default_value = "256",
        value_name = "N",
        help_heading = "Comparison"
    )]
    compare_queue: String,
    /// How long the other side may take, and a comparison may wait before it is dropped, in milliseconds
    #[arg(
        long,
        env = "BURGEE_COMPARE_TIMEOUT_MS",
        default_value = "2000",
        value_name = "MS",
        help_heading = "Comparison"
    )]
    compare_timeout_ms: String,
    /// What is not counted as a difference, separated by commas: reason, condition, payload, missing-off (off on one side and missing on the other)
    #[arg(
        long,
        env = "BURGEE_IGNORE",
        default_value = "",
        value_name = "WORDS",
        help_heading = "Comparison"
    )]
    ignore: String,
    /// Flags that are not compared, separated by commas
    #[arg(
        long,
        env = "BURGEE_IGNORE_FLAGS",
        default_value = "",
        value_name = "KEYS",
        help_heading = "Comparison"
    )]
    ignore_flags: String,
    /// Write examples of differences to this file, a JSON object a line, without anything of a person; without it they are logged
    #[arg(
        long,
        env = "BURGEE_SAMPLE",
        value_name = "FILE",
        help_heading = "Comparison"
    )]
    sample: Option<PathBuf>,
    /// Send what the upstream accepted on the paths of events to Burgee as well, so that it knows persons and groups
    #[arg(long, env = "BURGEE_MIRROR_EVENTS", default_value = "false", default_missing_value = "true", num_args = 0..=1, require_equals = true, value_name = "BOOL", help_heading = "Events")]
    mirror_events: String,
    /// How many copies may be under way at once
    #[arg(
        long,
        env = "BURGEE_MIRROR_IN_FLIGHT",
        default_value = "8",
        value_name = "N",
        help_heading = "Events"
    )]
    mirror_in_flight: String,
    /// How many may wait for that; further ones are dropped and counted
    #[arg(
        long,
        env = "BURGEE_MIRROR_QUEUE",
        default_value = "4096",
        value_name = "N",
        help_heading = "Events"
    )]
    mirror_queue: String,
    /// Memory for what waits to be compared, and as much again for what waits to be copied, in bytes
    #[arg(
        long,
        env = "BURGEE_ASIDE_BYTES",
        default_value = "67108864",
        value_name = "BYTES",
        help_heading = "Limits"
    )]
    aside_bytes: String,
    /// Append the requests for flags to this file for `burgee replay`. It then holds personal data
    #[arg(
        long,
        env = "BURGEE_RECORD",
        value_name = "FILE",
        help_heading = "Recording"
    )]
    record: Option<PathBuf>,
    /// How large that file may become; what comes after is not recorded
    #[arg(
        long,
        env = "BURGEE_RECORD_LIMIT_BYTES",
        default_value = "1073741824",
        value_name = "BYTES",
        help_heading = "Recording"
    )]
    record_limit_bytes: String,
    #[command(flatten)]
    log: LogOptions,
}

impl ShadowOptions {
    /// Types the settings; all bad ones are told together.
    pub fn resolve(&self) -> Result<(ShadowConfig, LogConfig), ConfigError> {
        let mut faults = Faults::default();
        let f = &mut faults;
        let most = 1_000_000;
        let config = ShadowConfig {
            upstream: url("upstream", &self.upstream, f),
            burgee: url("burgee", &self.burgee, f),
            roots: words::roots(self.ca.as_ref()),
            listen: f.address("listen", &self.listen),
            metrics_listen: f.address("metrics-listen", &self.metrics_listen),
            base_path: words::base_path(&self.base_path, f),
            percent: percent("percent", &self.percent, f),
            fallback: f.switch("fallback", &self.fallback),
            timeouts: self.timeouts(f),
            body_limit: f.number("body-limit-bytes", &self.body_limit_bytes, 1024..=1 << 30),
            max_in_flight: f.number("max-in-flight", &self.max_in_flight, 1..=most),
            max_connections: f.number("max-connections", &self.max_connections, 1..=most),
            http_workers: f.auto("http-workers", &self.http_workers, words::cpus()),
            shutdown_timeout: f.seconds("shutdown-timeout-s", &self.shutdown_timeout_s, 0),
            aside_bytes: f.number("aside-bytes", &self.aside_bytes, 1024..=1 << 40),
            compare: self.compare(f),
            mirror: self.mirror(f),
            record: self.record.clone(),
            record_limit: f.number("record-limit-bytes", &self.record_limit_bytes, 1..=1 << 50),
        };
        let log = self.log.resolve(f);
        faults.finish((config, log))
    }

    fn timeouts(&self, f: &mut Faults) -> Timeouts {
        Timeouts {
            upstream: f.millis("upstream-timeout-ms", &self.upstream_timeout_ms),
            burgee: f.millis("burgee-timeout-ms", &self.burgee_timeout_ms),
            connect: f.millis("connect-timeout-ms", &self.connect_timeout_ms),
            passage: f.millis("passage-timeout-ms", &self.passage_timeout_ms),
            idle: f.seconds("idle-timeout-s", &self.idle_timeout_s, 1),
        }
    }

    fn compare(&self, f: &mut Faults) -> Option<CompareConfig> {
        let compare = CompareConfig {
            percent: percent("compare-percent", &self.compare_percent, f),
            in_flight: f.number("compare-in-flight", &self.compare_in_flight, 1..=10_000),
            queue: f.number("compare-queue", &self.compare_queue, 1..=1_000_000),
            timeout: f.millis("compare-timeout-ms", &self.compare_timeout_ms),
            ignored: ignored(&self.ignore, &self.ignore_flags, f),
            sample: self.sample.clone(),
        };
        f.switch("compare", &self.compare).then_some(compare)
    }

    fn mirror(&self, f: &mut Faults) -> Option<MirrorConfig> {
        let mirror = MirrorConfig {
            in_flight: f.number("mirror-in-flight", &self.mirror_in_flight, 1..=10_000),
            queue: f.number("mirror-queue", &self.mirror_queue, 1..=1_000_000),
        };
        f.switch("mirror-events", &self.mirror_events)
            .then_some(mirror)
    }
}

fn percent(option: &str, raw: &str, f: &mut Faults) -> Percent {
    raw.parse().unwrap_or_else(|wrong| {
        f.add(option, format!("{wrong}, found {raw:?}"));
        Percent::NONE
    })
}

/// Reads the URL of a server.
pub(super) fn url(option: &str, raw: &str, f: &mut Faults) -> PeerUrl {
    raw.parse().unwrap_or_else(|wrong| {
        // The text is not repeated: it may hold a password.
        f.add(option, wrong);
        PeerUrl::nowhere()
    })
}

/// Reads what is not compared.
pub(super) fn ignored(words: &str, flags: &str, f: &mut Faults) -> Ignored {
    let mut ignored = Ignored::default();
    for word in words::listed(words) {
        match word {
            "reason" => ignored.reason = true,
            "condition" => ignored.condition = true,
            "payload" => ignored.payload = true,
            "missing-off" => ignored.missing_off = true,
            _ => f.add(
                "ignore",
                format!("expected reason, condition, payload or missing-off, found {word:?}"),
            ),
        }
    }
    ignored.flags = words::listed(flags).map(str::to_owned).collect();
    ignored
}
