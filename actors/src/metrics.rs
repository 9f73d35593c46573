//! What the actors count. One struct, built at start and handed down; no global registry. No label comes from input.

mod mailboxes;
mod store;

use crate::cohort_cache::MemberMetrics;
use crate::events::metrics::EventMetrics;
use crate::freshness::Freshness;
use crate::mailbox::WhyRefused;
use crate::metrics::mailboxes::Mailboxes;
use crate::runtimes::RuntimeMetrics;
use crate::stages::Stage;
use burgee_evaluation::Evaluations;
use burgee_evaluation::outcome::{FailureCode, Reason};
use burgee_schema::Store;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::sync::Arc;

pub(crate) use mailboxes::MailboxMetrics;

/// Labels of a lane.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LaneLabels {
    lane: &'static str,
}

/// Labels of failed flags.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FailureLabels {
    code: &'static str,
}

/// Labels of missed deadlines.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabels {
    stage: &'static str,
}

/// Labels of refused requests.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    reason: &'static str,
}

/// Counts a batch as in flight until it is dropped.
#[derive(Debug)]
pub(crate) struct BatchInFlight(Gauge);

impl BatchInFlight {
    /// Counts one more in a lane.
    pub(crate) fn begin(lane: &Gauge) -> Self {
        lane.inc();
        Self(lane.clone())
    }
}

impl Drop for BatchInFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Everything the actors count.
#[derive(Debug)]
pub struct Metrics {
    mailboxes: Mailboxes,
    requests_refused: Family<RefusalLabels, Counter>,
    batches_in_flight: Family<LaneLabels, Gauge>,
    pub(crate) http_wait: Histogram,
    pub(crate) answers_waiting: Gauge,
    pub(crate) evaluators_replaced: Counter,
    pub(crate) evaluator_wait: Histogram,
    pub(crate) evaluation_time: Histogram,
    pub(crate) evaluations_split: Counter,
    pub(crate) evaluations_late: Counter,
    pub(crate) evaluations_abandoned: Counter,
    pub(crate) panics: Counter,
    flags_evaluated: Counter,
    flags_failed: Family<FailureLabels, Counter>,
    pub(crate) flags_dropped: Counter,
    pub(crate) loader_batch: Histogram,
    pub(crate) loader_wait: Histogram,
    pub(crate) loader_query_time: Histogram,
    pub(crate) lookups_late: Counter,
    lookups_failed: Family<FailureLabels, Counter>,
    pub(crate) hash_key_batch: Histogram,
    pub(crate) projects_cached: Gauge,
    pub(crate) cohorts_cached: Gauge,
    pub(crate) members: MemberMetrics,
    pub(crate) events: Arc<EventMetrics>,
    pub(crate) definition_loads: Counter,
    pub(crate) definition_loads_failed: Counter,
    pub(crate) definition_hits: Counter,
    pub(crate) local_definitions_made: Counter,
    pub(crate) unknown_tokens: Counter,
    pub(crate) unknown_token_hits: Counter,
    pub(crate) unknown_tokens_remembered: Gauge,
    pub(crate) snapshot_writes: Counter,
    pub(crate) snapshot_failures: Counter,
    pub(crate) freshness: Arc<Freshness>,
    pub(crate) runtimes: RuntimeMetrics,
    deadlines_missed: Family<StageLabels, Counter>,
}

fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.000_005, 2.0, 20))
}

fn sizes() -> Histogram {
    Histogram::new(exponential_buckets(1.0, 2.0, 11))
}

impl Metrics {
    /// Builds the metrics and registers them, and the pool's gauges beside them.
    pub fn register(registry: &mut Registry, store: Store) -> Self {
        let metrics = Self {
            mailboxes: Mailboxes::register(registry),
            requests_refused: Family::default(),
            batches_in_flight: Family::default(),
            http_wait: seconds(),
            answers_waiting: Gauge::default(),
            evaluators_replaced: Counter::default(),
            evaluator_wait: seconds(),
            evaluation_time: seconds(),
            evaluations_split: Counter::default(),
            evaluations_late: Counter::default(),
            evaluations_abandoned: Counter::default(),
            panics: Counter::default(),
            flags_evaluated: Counter::default(),
            flags_failed: Family::default(),
            flags_dropped: Counter::default(),
            loader_batch: sizes(),
            loader_wait: seconds(),
            loader_query_time: seconds(),
            lookups_late: Counter::default(),
            lookups_failed: Family::default(),
            hash_key_batch: sizes(),
            projects_cached: Gauge::default(),
            cohorts_cached: Gauge::default(),
            members: MemberMetrics::default(),
            events: Arc::new(EventMetrics::register(registry)),
            definition_loads: Counter::default(),
            definition_loads_failed: Counter::default(),
            definition_hits: Counter::default(),
            local_definitions_made: Counter::default(),
            unknown_tokens: Counter::default(),
            unknown_token_hits: Counter::default(),
            unknown_tokens_remembered: Gauge::default(),
            snapshot_writes: Counter::default(),
            snapshot_failures: Counter::default(),
            freshness: Arc::default(),
            runtimes: RuntimeMetrics::register(registry),
            deadlines_missed: Family::default(),
        };
        metrics.register_all(registry);
        metrics.begin_at_zero();
        metrics.members.register(registry);
        registry.register_collector(Box::new(AgeCollector(Arc::clone(&metrics.freshness))));
        store::register(registry, store);
        metrics
    }

    fn register_all(&self, r: &mut Registry) {
        r.register(
            "burgee_requests_refused",
            "Requests that were refused instead of evaluated, by reason",
            self.requests_refused.clone(),
        );
        r.register(
            "burgee_batches_in_flight",
            "Evaluations under way, by lane: small ones on evaluators' threads, large ones handed to the CPU pool",
            self.batches_in_flight.clone(),
        );
        r.register(
            "burgee_http_wait_seconds",
            "Time that what is ready on an HTTP worker waits for its turn, by probes",
            self.http_wait.clone(),
        );
        r.register(
            "burgee_answers_waiting",
            "Answers of other threads that an HTTP worker has not handed out yet",
            self.answers_waiting.clone(),
        );
        r.register(
            "burgee_evaluators_replaced",
            "Evaluators that died and were replaced",
            self.evaluators_replaced.clone(),
        );
        r.register(
            "burgee_evaluator_wait_seconds",
            "Time requests waited in an evaluator's mailbox",
            self.evaluator_wait.clone(),
        );
        r.register(
            "burgee_evaluation_seconds",
            "Time spent evaluating a request",
            self.evaluation_time.clone(),
        );
        r.register(
            "burgee_evaluations_split",
            "Requests whose large stages were evaluated by several idle threads",
            self.evaluations_split.clone(),
        );
        r.register(
            "burgee_evaluations_late",
            "Requests dropped by an evaluator because their deadline had passed",
            self.evaluations_late.clone(),
        );
        r.register(
            "burgee_evaluations_abandoned",
            "Requests dropped by an evaluator because their caller had gone",
            self.evaluations_abandoned.clone(),
        );
        r.register(
            "burgee_evaluation_panics",
            "Evaluations that panicked",
            self.panics.clone(),
        );
        r.register(
            "burgee_flags_evaluated",
            "Flags answered",
            self.flags_evaluated.clone(),
        );
        r.register(
            "burgee_flags_failed",
            "Flags that could not be computed, by code",
            self.flags_failed.clone(),
        );
        r.register(
            "burgee_flags_dropped",
            "Unreadable flags dropped when definitions were loaded",
            self.flags_dropped.clone(),
        );
        r.register(
            "burgee_loader_batch_size",
            "Look-ups answered by one batch",
            self.loader_batch.clone(),
        );
        r.register(
            "burgee_loader_wait_seconds",
            "Time look-ups waited for their batch",
            self.loader_wait.clone(),
        );
        r.register(
            "burgee_loader_query_seconds",
            "Time the database took for a batch",
            self.loader_query_time.clone(),
        );
        r.register(
            "burgee_lookups_late",
            "Look-ups dropped because nobody waited any more",
            self.lookups_late.clone(),
        );
        r.register(
            "burgee_lookups_failed",
            "Look-ups that failed, by code",
            self.lookups_failed.clone(),
        );
        r.register(
            "burgee_hash_key_batch_size",
            "Hash-key writes stored by one transaction",
            self.hash_key_batch.clone(),
        );
        r.register(
            "burgee_projects_cached",
            "Projects whose definitions are held",
            self.projects_cached.clone(),
        );
        r.register(
            "burgee_cohorts_cached",
            "Projects whose cohorts are held",
            self.cohorts_cached.clone(),
        );
        r.register(
            "burgee_definition_loads",
            "Definitions loaded from the database",
            self.definition_loads.clone(),
        );
        r.register(
            "burgee_definition_loads_failed",
            "Attempts to load definitions that failed",
            self.definition_loads_failed.clone(),
        );
        r.register(
            "burgee_unknown_tokens",
            "Requests with a token that no project has",
            self.unknown_tokens.clone(),
        );
        r.register(
            "burgee_definition_hits",
            "Requests whose definitions were in memory",
            self.definition_hits.clone(),
        );
        r.register(
            "burgee_local_definitions_made",
            "Documents for local evaluation that were written, at most one for each change",
            self.local_definitions_made.clone(),
        );
        r.register(
            "burgee_unknown_token_hits",
            "Requests with a token that was known to have no project, so that the database was not asked",
            self.unknown_token_hits.clone(),
        );
        r.register(
            "burgee_unknown_tokens_remembered",
            "Tokens known to have no project",
            self.unknown_tokens_remembered.clone(),
        );
        r.register(
            "burgee_snapshot_writes",
            "Projects written to the snapshot on disk",
            self.snapshot_writes.clone(),
        );
        r.register(
            "burgee_snapshot_failures",
            "Attempts to write to the snapshot on disk that failed",
            self.snapshot_failures.clone(),
        );
        r.register(
            "burgee_deadlines_missed",
            "Requests, or parts of them, that ran out of time, by stage",
            self.deadlines_missed.clone(),
        );
    }

    /// Shows what has not happened yet as 0: a series that begins with its first event hides that one from `rate`.
    fn begin_at_zero(&self) {
        for why in WhyRefused::ALL {
            let reason = why.name();
            drop(
                self.requests_refused
                    .get_or_create(&RefusalLabels { reason }),
            );
        }
        for stage in Stage::ALL {
            let stage = stage.name();
            drop(self.deadlines_missed.get_or_create(&StageLabels { stage }));
        }
    }

    /// Returns the metrics of one mailbox, and notes its capacity.
    pub(crate) fn mailbox(
        &self,
        actor: &'static str,
        instance: u32,
        capacity: usize,
    ) -> MailboxMetrics {
        self.mailboxes.of(actor, instance, capacity)
    }

    /// Counts a request, or a part of one, that ran out of time.
    pub(crate) fn deadline_missed(&self, stage: Stage) {
        let labels = StageLabels {
            stage: stage.name(),
        };
        self.deadlines_missed.get_or_create(&labels).inc();
    }

    pub(crate) fn count_refusal(&self, why: WhyRefused) {
        let reason = why.name();
        let labels = RefusalLabels { reason };
        self.requests_refused.get_or_create(&labels).inc();
    }

    /// Returns the gauge of a lane's evaluations under way.
    pub(crate) fn lane(&self, lane: &'static str) -> Gauge {
        let labels = LaneLabels { lane };
        self.batches_in_flight.get_or_create(&labels).clone()
    }

    pub(crate) fn count_outcomes(&self, evaluations: &Evaluations) {
        self.flags_evaluated
            .inc_by(u64::try_from(evaluations.len()).unwrap_or(u64::MAX));
        if !evaluations.errors_while_computing {
            return;
        }
        for evaluation in evaluations.iter() {
            if let Reason::Failed(code) = evaluation.outcome.reason {
                self.flags_failed
                    .get_or_create(&FailureLabels { code: code.code() })
                    .inc();
            }
        }
    }

    pub(crate) fn count_failed_lookups(&self, code: FailureCode, lookups: usize) {
        let failed = self
            .lookups_failed
            .get_or_create(&FailureLabels { code: code.code() })
            .clone();
        failed.inc_by(u64::try_from(lookups).unwrap_or(u64::MAX));
    }
}

/// Tells the age of the definitions when metrics are asked for; nothing while there are none.
#[derive(Debug)]
struct AgeCollector(Arc<Freshness>);

impl Collector for AgeCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(age) = self.0.age() else {
            return Ok(());
        };
        let gauge = ConstGauge::new(age.as_secs_f64());
        gauge.encode(encoder.encode_descriptor(
            "burgee_definitions_age",
            "Time since the definitions were last known to be current",
            Some(&Unit::Seconds),
            gauge.metric_type(),
        )?)
    }
}
