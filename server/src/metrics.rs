//! What the HTTP edge counts, and how `/metrics` writes it. Labels come from closed lists, never from a request.

pub(crate) mod cgroup;
mod process;
mod text;

pub use process::count_panics;
pub use text::{OPEN_METRICS, PROMETHEUS_TEXT, open_metrics, prometheus_text};

use crate::body::BodyError;
use crate::rate_limit::Limit;
use crate::routes::Route;
use actix_web::http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::time::Duration;

/// Upper bounds in seconds: fine where a healthy answer lies, coarse up to the point where clients give up.
const DURATION_BUCKETS: [f64; 14] = [
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabel {
    route: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabels {
    limit: &'static str,
    outcome: &'static str,
}

/// The counters of the HTTP edge.
#[derive(Debug)]
pub struct Metrics {
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabel, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    request_bytes: Counter,
    decode_failures: Family<KindLabel, Counter>,
    panics: Counter,
    rate_limited: Family<LimitLabels, Counter>,
    slow: Counter,
}

impl Metrics {
    /// Registers all series; their names start with `burgee_http_`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS)),
            in_flight: Gauge::default(),
            request_bytes: Counter::default(),
            decode_failures: Family::default(),
            panics: Counter::default(),
            rate_limited: Family::default(),
            slow: Counter::default(),
        };
        process::register(registry);
        registry.register(
            "burgee_http_requests",
            "Requests by route pattern, method and status",
            metrics.requests.clone(),
        );
        registry.register_with_unit(
            "burgee_http_request_duration",
            "Time from a request's head to its answer",
            Unit::Seconds,
            metrics.durations.clone(),
        );
        registry.register(
            "burgee_http_requests_in_flight",
            "Requests that are not answered yet",
            metrics.in_flight.clone(),
        );
        registry.register_with_unit(
            "burgee_http_request_body",
            "Body bytes taken off the wire",
            Unit::Bytes,
            metrics.request_bytes.clone(),
        );
        registry.register(
            "burgee_http_body_failures",
            "Bodies that could not be read or decoded",
            metrics.decode_failures.clone(),
        );
        registry.register(
            "burgee_http_panics",
            "Requests whose handler crashed",
            metrics.panics.clone(),
        );
        registry.register(
            "burgee_http_rate_limited",
            "Requests over a rate limit, by limit, refused or only warned",
            metrics.rate_limited.clone(),
        );
        registry.register(
            "burgee_http_slow_requests",
            "Requests for flags that took longer than is called slow",
            metrics.slow.clone(),
        );
        // A series that begins with its first event hides that one from `rate`.
        for limit in Limit::ALL {
            for is_refused in [true, false] {
                drop(
                    metrics
                        .rate_limited
                        .get_or_create(&labels(limit, is_refused)),
                );
            }
        }
        metrics
    }

    /// Counts a request that is answered.
    pub fn answered(&self, route: Route, method: &Method, status: StatusCode, took: Duration) {
        let route = route.label();
        let labels = RequestLabels {
            route,
            method: method_class(method),
            status: status.as_u16(),
        };
        self.requests.get_or_create(&labels).inc();
        self.durations
            .get_or_create(&RouteLabel { route })
            .observe(took.as_secs_f64());
    }

    /// Counts a request as under way until the guard is dropped, and tells how many there are with it.
    pub fn enter(&self) -> InFlight {
        let before = self.in_flight.inc();
        InFlight {
            gauge: self.in_flight.clone(),
            count: usize::try_from(before).unwrap_or_default() + 1,
        }
    }

    /// Counts body bytes.
    pub fn received(&self, bytes: u64) {
        self.request_bytes.inc_by(bytes);
    }

    /// Counts a body that cannot be used.
    pub fn body_failed(&self, error: &BodyError) {
        let kind = error.kind();
        self.decode_failures
            .get_or_create(&KindLabel { kind })
            .inc();
    }

    /// Counts a request over a limit.
    pub fn rate_limited(&self, limit: Limit, is_refused: bool) {
        let labels = labels(limit, is_refused);
        self.rate_limited.get_or_create(&labels).inc();
    }

    /// Counts a slow request.
    pub fn was_slow(&self) {
        self.slow.inc();
    }

    /// Counts a crash.
    pub fn panicked(&self) {
        self.panics.inc();
    }
}

const fn labels(limit: Limit, is_refused: bool) -> LimitLabels {
    LimitLabels {
        limit: limit.name(),
        outcome: if is_refused { "refused" } else { "warned" },
    }
}

/// A request under way.
#[derive(Debug)]
pub struct InFlight {
    gauge: Gauge,
    /// How many were under way when this one entered, itself included.
    pub count: usize,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}

/// A client may send any word as a method; only the known ones become a label.
fn method_class(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
