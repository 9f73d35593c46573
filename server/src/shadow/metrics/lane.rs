//! The counters of what is done beside answers, a lane each.

use super::UnderWay;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use serde_json::{Value, json};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LaneLabel {
    lane: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DroppedLabels {
    lane: &'static str,
    reason: &'static str,
}

/// Why something was not done beside an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::shadow) enum Dropped {
    /// Too many wait.
    QueueFull,
    /// What waits takes too much memory.
    NoMemory,
    /// It alone is too large.
    TooLarge,
    /// It has waited too long.
    Stale,
    /// The proxy stopped.
    Stopped,
    /// It could not be written, or its work crashed.
    Crashed,
}

impl Dropped {
    const fn label(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::NoMemory => "no_memory",
            Self::TooLarge => "too_large",
            Self::Stale => "stale",
            Self::Stopped => "stopped",
            Self::Crashed => "crashed",
        }
    }
}

/// The series of all lanes.
#[derive(Debug, Clone, Default)]
pub(super) struct Lanes {
    offered: Family<LaneLabel, Counter>,
    done: Family<LaneLabel, Counter>,
    dropped: Family<DroppedLabels, Counter>,
    waiting: Family<LaneLabel, Gauge>,
    waiting_bytes: Family<LaneLabel, Gauge>,
    under_way: Family<LaneLabel, Gauge>,
}

impl Lanes {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let lanes = Self::default();
        let registry = registry.sub_registry_with_prefix("burgee_shadow_aside");
        registry.register(
            "offered",
            "What was to be done beside answers: comparisons, copies of events, lines of files",
            lanes.offered.clone(),
        );
        registry.register("done", "What of it was done", lanes.done.clone());
        registry.register(
            "dropped",
            "What of it was dropped, by reason",
            lanes.dropped.clone(),
        );
        registry.register("waiting", "What of it waits", lanes.waiting.clone());
        registry.register_with_unit(
            "waiting",
            "Memory of what waits",
            Unit::Bytes,
            lanes.waiting_bytes.clone(),
        );
        registry.register(
            "in_flight",
            "What of it is under way",
            lanes.under_way.clone(),
        );
        lanes
    }

    pub(super) fn of(&self, lane: &'static str) -> LaneMetrics {
        let label = LaneLabel { lane };
        LaneMetrics {
            lane,
            offered: self.offered.get_or_create_owned(&label),
            done: self.done.get_or_create_owned(&label),
            dropped: self.dropped.clone(),
            waiting: self.waiting.get_or_create_owned(&label),
            waiting_bytes: self.waiting_bytes.get_or_create_owned(&label),
            under_way: self.under_way.get_or_create_owned(&label),
        }
    }
}

/// The counters of a lane: what was offered is what was done, was dropped, waits or is under way.
#[derive(Debug, Clone)]
pub(in crate::shadow) struct LaneMetrics {
    lane: &'static str,
    offered: Counter,
    done: Counter,
    dropped: Family<DroppedLabels, Counter>,
    waiting: Gauge,
    waiting_bytes: Gauge,
    under_way: Gauge,
}

/// Counts as under way until it is dropped. What is given up at a stop was counted then.
#[derive(Debug)]
pub(in crate::shadow) struct Begun {
    _under_way: UnderWay,
    metrics: LaneMetrics,
}

impl Begun {
    /// Counts it as done.
    pub(in crate::shadow) fn end(self) {
        self.metrics.done();
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.metrics.dropped(Dropped::Crashed);
        }
    }
}

impl LaneMetrics {
    pub(in crate::shadow) fn offered(&self) {
        self.offered.inc();
    }

    pub(in crate::shadow) fn entered(&self, bytes: usize) {
        self.waiting.inc();
        self.waiting_bytes
            .inc_by(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    pub(in crate::shadow) fn left(&self, bytes: usize) {
        self.waiting.dec();
        self.waiting_bytes
            .dec_by(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    pub(in crate::shadow) fn begin(&self) -> Begun {
        self.under_way.inc();
        Begun {
            _under_way: UnderWay(self.under_way.clone()),
            metrics: self.clone(),
        }
    }

    pub(in crate::shadow) fn done(&self) {
        self.done.inc();
    }

    pub(in crate::shadow) fn dropped(&self, reason: Dropped) {
        self.dropped_by(reason).inc();
    }

    /// Counts what still waits or is under way as dropped, because nobody will do it.
    pub(in crate::shadow) fn abandon(&self) {
        let left = self.waiting.get() + self.under_way.get();
        let left = u64::try_from(left).unwrap_or_default();
        self.dropped_by(Dropped::Stopped).inc_by(left);
    }

    /// Returns the counts as reports show them.
    pub(in crate::shadow) fn summary(&self) -> Value {
        let all = [
            Dropped::QueueFull,
            Dropped::NoMemory,
            Dropped::TooLarge,
            Dropped::Stale,
            Dropped::Stopped,
            Dropped::Crashed,
        ];
        let dropped: u64 = all
            .iter()
            .map(|reason| self.dropped_by(*reason).get())
            .sum();
        json!({
            "offered": self.offered.get(),
            "done": self.done.get(),
            "dropped": dropped,
            "waiting": self.waiting.get(),
        })
    }

    fn dropped_by(&self, reason: Dropped) -> Counter {
        self.dropped.get_or_create_owned(&DroppedLabels {
            lane: self.lane,
            reason: reason.label(),
        })
    }
}
