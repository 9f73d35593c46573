//! What is counted of streams.

use super::StreamRefusal;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabel {
    limit: &'static str,
}

#[derive(Debug, Default)]
pub(super) struct StreamMetrics {
    open: Gauge,
    refused: Family<LimitLabel, Counter>,
    cut_off: Counter,
}

impl StreamMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "burgee_streams_open",
            "Listeners to changes of definitions",
            metrics.open.clone(),
        );
        registry.register(
            "burgee_streams_refused",
            "Listeners that were not let in, by the limit that was reached",
            metrics.refused.clone(),
        );
        registry.register(
            "burgee_streams_cut_off",
            "Listeners that did not read what they were told",
            metrics.cut_off.clone(),
        );
        for refusal in [
            StreamRefusal::Project,
            StreamRefusal::Total,
            StreamRefusal::Stopping,
        ] {
            drop(metrics.refused.get_or_create(&label(refusal)));
        }
        metrics
    }

    pub(super) fn opened(&self) {
        self.open.inc();
    }

    pub(super) fn closed(&self) {
        self.open.dec();
    }

    pub(super) fn refused(&self, refusal: StreamRefusal) {
        self.refused.get_or_create(&label(refusal)).inc();
    }

    pub(super) fn cut_off(&self) {
        self.cut_off.inc();
    }
}

const fn label(refusal: StreamRefusal) -> LimitLabel {
    let limit = match refusal {
        StreamRefusal::Project => "project",
        StreamRefusal::Total => "total",
        StreamRefusal::Stopping => "stopping",
    };
    LimitLabel { limit }
}
