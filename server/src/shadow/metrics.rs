//! What the proxy counts. Labels come from closed lists: never a flag, a token or a path.

mod lane;

pub(super) use lane::{Dropped, LaneMetrics};

use super::paths::PathKind;
use super::share::Percent;
use super::{SIDES, Side};
use crate::comparison::{Difference, Kind};
use lane::Lanes;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// Upper bounds in seconds, up to where SDKs give up.
const BUCKETS: [f64; 13] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0,
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ServedLabels {
    path: &'static str,
    side: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PathLabel {
    path: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SideLabel {
    side: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FailureLabels {
    side: &'static str,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FallbackLabels {
    from: &'static str,
    reason: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

/// Everything that is counted.
#[derive(Debug, Clone)]
pub(super) struct ShadowMetrics {
    served: Family<ServedLabels, Counter>,
    durations: Family<PathLabel, Histogram, fn() -> Histogram>,
    asked: Family<SideLabel, Histogram, fn() -> Histogram>,
    failures: Family<FailureLabels, Counter>,
    fallbacks: Family<FallbackLabels, Counter>,
    refused: Counter,
    in_flight: Gauge,
    percent: Gauge<f64, AtomicU64>,
    lanes: Lanes,
    comparisons: Family<OutcomeLabel, Counter>,
    differences: Family<KindLabel, Counter>,
    copies: Family<OutcomeLabel, Counter>,
}

impl ShadowMetrics {
    /// Registers all series; their names start with `burgee_shadow_`.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            served: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            asked: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            failures: Family::default(),
            fallbacks: Family::default(),
            refused: Counter::default(),
            in_flight: Gauge::default(),
            percent: Gauge::default(),
            lanes: Lanes::register(registry),
            comparisons: Family::default(),
            differences: Family::default(),
            copies: Family::default(),
        };
        metrics.register_answers(registry);
        metrics.register_comparisons(registry);
        metrics
    }

    fn register_answers(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("burgee_shadow");
        registry.register(
            "requests",
            "Requests by kind of path, side that answered (proxy: neither) and status",
            self.served.clone(),
        );
        registry.register_with_unit(
            "request_duration",
            "Time from a request's head to the head of its answer",
            Unit::Seconds,
            self.durations.clone(),
        );
        registry.register_with_unit(
            "side_duration",
            "Time a side took for flags while a client waited, failures included",
            Unit::Seconds,
            self.asked.clone(),
        );
        registry.register(
            "side_failures",
            "Questions for flags that a side failed while a client waited",
            self.failures.clone(),
        );
        registry.register(
            "fallbacks",
            "Requests for which the other side was asked too, by the side that failed, why, and whether that helped",
            self.fallbacks.clone(),
        );
        registry.register(
            "refused",
            "Requests for flags refused because too many were under way",
            self.refused.clone(),
        );
        registry.register(
            "requests_in_flight",
            "Requests for flags that are not answered yet",
            self.in_flight.clone(),
        );
        registry.register(
            "percent",
            "The percentage of projects that Burgee answers",
            self.percent.clone(),
        );
    }

    fn register_comparisons(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("burgee_shadow");
        registry.register(
            "comparisons",
            "Compared requests: equal, different, or failed for want of two answers",
            self.comparisons.clone(),
        );
        registry.register(
            "differences",
            "Flags that were answered differently, and whole answers, by kind",
            self.differences.clone(),
        );
        registry.register(
            "mirrored",
            "Requests with events copied to Burgee: accepted, refused by it, or failed",
            self.copies.clone(),
        );
    }

    /// Counts an answer; `side` is `None` for one that the proxy made itself.
    pub(super) fn answered(&self, path: PathKind, side: Option<Side>, status: u16, took: Duration) {
        let path = path.label();
        let side = side.map_or("proxy", Side::name);
        let labels = ServedLabels { path, side, status };
        self.served.get_or_create(&labels).inc();
        self.durations
            .get_or_create(&PathLabel { path })
            .observe(took.as_secs_f64());
    }

    /// Counts a question to a side, and what was wrong with its answer.
    pub(super) fn asked(&self, side: Side, fault: Option<&'static str>, took: Duration) {
        let side = side.name();
        self.asked
            .get_or_create(&SideLabel { side })
            .observe(took.as_secs_f64());
        if let Some(reason) = fault {
            let labels = FailureLabels { side, reason };
            self.failures.get_or_create(&labels).inc();
        }
    }

    /// Counts a question to the other side because one failed.
    pub(super) fn fell_back(&self, from: Side, reason: &'static str, has_helped: bool) {
        let outcome = if has_helped { "served" } else { "failed" };
        let labels = FallbackLabels {
            from: from.name(),
            reason,
            outcome,
        };
        self.fallbacks.get_or_create(&labels).inc();
    }

    /// Counts a refusal.
    pub(super) fn refused(&self) {
        self.refused.inc();
    }

    /// Counts a request as under way until the guard is dropped.
    pub(super) fn enter(&self) -> UnderWay {
        self.in_flight.inc();
        UnderWay(self.in_flight.clone())
    }

    /// Tells the percentage.
    pub(super) fn percent(&self, percent: Percent) {
        self.percent.set(percent.value());
    }

    /// Counts what came of a comparison.
    pub(super) fn compared(&self, differences: &[Difference]) {
        let outcome = match differences {
            [] => "equal",
            [whole] if whole.flag.is_none() => "failed",
            _ => "different",
        };
        self.comparisons
            .get_or_create(&OutcomeLabel { outcome })
            .inc();
        for difference in differences {
            let kind = Kind::name(difference.kind, SIDES);
            self.differences.get_or_create(&KindLabel { kind }).inc();
        }
    }

    /// Counts a copied request with events.
    pub(super) fn mirrored(&self, outcome: &'static str) {
        self.copies.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Returns the counters of a lane.
    pub(super) fn lane(&self, lane: &'static str) -> LaneMetrics {
        self.lanes.of(lane)
    }
}

/// Something under way.
#[derive(Debug)]
pub(super) struct UnderWay(Gauge);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.dec();
    }
}
