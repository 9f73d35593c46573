//! What the cohort cache counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Gauges and counters of the members of static cohorts.
#[derive(Debug)]
pub(crate) struct MemberMetrics {
    pub(super) bytes: Gauge,
    pub(super) limit: Gauge,
    pub(super) entries: Gauge,
    pub(crate) hits: Counter,
    pub(crate) misses: Counter,
    pub(super) evictions: Counter,
    pub(crate) loads: Counter,
    pub(super) loading: Gauge,
    pub(super) members_loaded: Counter,
    pub(super) pages_failed: Counter,
    pub(super) load_time: Histogram,
}

impl Default for MemberMetrics {
    fn default() -> Self {
        Self {
            bytes: Gauge::default(),
            limit: Gauge::default(),
            entries: Gauge::default(),
            hits: Counter::default(),
            misses: Counter::default(),
            evictions: Counter::default(),
            loads: Counter::default(),
            loading: Gauge::default(),
            members_loaded: Counter::default(),
            pages_failed: Counter::default(),
            // From a millisecond to half an hour.
            load_time: Histogram::new(exponential_buckets(0.001, 2.0, 22)),
        }
    }
}

impl MemberMetrics {
    pub(crate) fn register(&self, r: &mut Registry) {
        r.register(
            "burgee_cohort_cache_bytes",
            "Memory taken by members of static cohorts, those being loaded included",
            self.bytes.clone(),
        );
        r.register(
            "burgee_cohort_cache_limit_bytes",
            "Memory that members of static cohorts may take",
            self.limit.clone(),
        );
        r.register(
            "burgee_cohort_cache_entries",
            "Static cohorts whose members are held",
            self.entries.clone(),
        );
        r.register(
            "burgee_cohort_cache_hits",
            "Look-ups whose memberships were answered from memory",
            self.hits.clone(),
        );
        r.register(
            "burgee_cohort_cache_misses",
            "Look-ups whose memberships were asked of the database",
            self.misses.clone(),
        );
        r.register(
            "burgee_cohort_cache_evictions",
            "Cohorts given up for the memory limit",
            self.evictions.clone(),
        );
        r.register(
            "burgee_cohort_cache_loads",
            "Cohorts whose members were loaded",
            self.loads.clone(),
        );
        r.register(
            "burgee_cohort_cache_loading",
            "Static cohorts that are being loaded or wait for it",
            self.loading.clone(),
        );
        r.register(
            "burgee_cohort_cache_members_loaded",
            "Members read while loading cohorts",
            self.members_loaded.clone(),
        );
        r.register(
            "burgee_cohort_cache_pages_failed",
            "Pages of members that could not be read; they are tried again",
            self.pages_failed.clone(),
        );
        r.register(
            "burgee_cohort_cache_load_seconds",
            "Time from the first page of a cohort to its publication",
            self.load_time.clone(),
        );
    }
}
