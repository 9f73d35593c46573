//! What became of the spans: told = exported + failed + dropped + waiting.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

/// The counters of the export of traces.
#[derive(Debug, Clone)]
pub(super) struct TraceMetrics {
    /// Taken by the endpoint.
    pub(super) exported: Counter,
    /// Refused by the endpoint, or it was not there.
    pub(super) failed: Counter,
    /// The queue was full.
    pub(super) dropped: Counter,
    /// In the queue.
    pub(super) waiting: Gauge,
}

impl TraceMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let spans = Family::<OutcomeLabel, Counter>::default();
        let waiting = Gauge::default();
        registry.register(
            "burgee_trace_spans",
            "Spans of sampled requests by what became of them: exported, failed, or dropped before a full queue",
            spans.clone(),
        );
        registry.register(
            "burgee_trace_queue_depth",
            "Spans that wait to be exported",
            waiting.clone(),
        );
        let counter = |outcome| spans.get_or_create(&OutcomeLabel { outcome }).clone();
        Self {
            exported: counter("exported"),
            failed: counter("failed"),
            dropped: counter("dropped"),
            waiting,
        }
    }
}
