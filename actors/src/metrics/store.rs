//! What is measured of the database: the pool's state, read when metrics are asked for, and every wait, as it ends.

use super::seconds;
use burgee_schema::{QueryKind, ReplicaStatus, Store, StoreObserver};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::time::Duration;

/// Registers everything about a store, and begins to measure its waits.
pub(super) fn register(registry: &mut Registry, store: Store) {
    let waits = Waits {
        acquire: seconds(),
        hold: seconds(),
        queries: Family::new_with_constructor(seconds),
    };
    registry.register_with_unit(
        "burgee_pool_acquire",
        "Time callers waited for a database connection, in vain or not",
        Unit::Seconds,
        waits.acquire.clone(),
    );
    registry.register_with_unit(
        "burgee_pool_hold",
        "Time database connections were on loan",
        Unit::Seconds,
        waits.hold.clone(),
    );
    registry.register_with_unit(
        "burgee_database_query",
        "Time the database took to answer, by kind of question",
        Unit::Seconds,
        waits.queries.clone(),
    );
    store.observe(Box::new(waits));
    registry.register_collector(Box::new(PoolCollector(store)));
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueryLabels {
    kind: &'static str,
}

#[derive(Debug)]
struct Waits {
    acquire: Histogram,
    hold: Histogram,
    queries: Family<QueryLabels, Histogram, fn() -> Histogram>,
}

impl StoreObserver for Waits {
    fn acquired(&self, waited: Duration) {
        self.acquire.observe(waited.as_secs_f64());
    }

    fn released(&self, held: Duration) {
        self.hold.observe(held.as_secs_f64());
    }

    fn asked(&self, kind: QueryKind, took: Duration) {
        let labels = QueryLabels { kind: kind.name() };
        self.queries
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }
}

/// Reads the pool's state when metrics are asked for.
#[derive(Debug)]
struct PoolCollector(Store);

impl Collector for PoolCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let status = self.0.pool_status();
        for (name, help, value) in [
            (
                "burgee_pool_connections",
                "Open database connections",
                status.connections,
            ),
            ("burgee_pool_idle", "Idle database connections", status.idle),
            (
                "burgee_pool_waiting",
                "Callers waiting for a database connection",
                status.waiting,
            ),
        ] {
            let gauge = ConstGauge::new(u64::from(value));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        for (name, help, value) in [
            (
                "burgee_pool_opened",
                "Database connections made",
                status.opened,
            ),
            (
                "burgee_pool_connect_failures",
                "Attempts to connect to the database that failed",
                status.failed,
            ),
        ] {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(
                name,
                help,
                None,
                counter.metric_type(),
            )?)?;
        }
        match self.0.replica_status() {
            Some(status) => encode_replica(&mut encoder, &status),
            None => Ok(()),
        }
    }
}

/// Writes what is known of a read replica; how far it is behind only while that is known.
fn encode_replica(
    encoder: &mut DescriptorEncoder<'_>,
    status: &ReplicaStatus,
) -> Result<(), std::fmt::Error> {
    if let Some(behind) = status.behind {
        let gauge = ConstGauge::new(behind.as_secs_f64());
        gauge.encode(encoder.encode_descriptor(
            "burgee_replica_behind",
            "Time that the read replica is behind the primary at most",
            Some(&Unit::Seconds),
            gauge.metric_type(),
        )?)?;
    }
    for (name, help, value) in [
        (
            "burgee_replica_reads",
            "Look-ups and pages of members that the read replica answered",
            status.answered,
        ),
        (
            "burgee_replica_reads_passed_on",
            "Those that went to the primary, because the replica was away or behind, or they asked for what was just written",
            status.passed_on,
        ),
    ] {
        let counter = ConstCounter::new(value);
        counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
    }
    let gauge = ConstGauge::new(u64::from(status.pool.connections));
    gauge.encode(encoder.encode_descriptor(
        "burgee_replica_connections",
        "Open connections to the read replica",
        None,
        gauge.metric_type(),
    )?)
}
