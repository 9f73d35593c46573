//! What is counted of events. Every event that was accepted is written, dropped for a reason, or still pending.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// Why an event is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// Events are switched off.
    Off,
    /// It came to an endpoint whose events change nobody.
    Ai,
    /// It has nothing to do with persons or groups.
    NotWanted,
    /// It says of itself that it has not.
    Personless,
    /// It says that a flag was called, and was counted as that.
    FlagCalled,
    /// It lacks what it needs, or has what cannot be stored.
    Invalid,
    /// It was stored before.
    Repeated,
    /// Its group type would be one too many.
    NoGroupType,
    /// Too much waits already; the client was told to try again.
    Refused,
    /// It waited too long; the client was told to try again.
    Late,
    /// It could not be stored; the client was told to try again, if it still could be.
    Failed,
}

impl Dropped {
    const ALL: [Self; 11] = [
        Self::Off,
        Self::Ai,
        Self::NotWanted,
        Self::Personless,
        Self::FlagCalled,
        Self::Invalid,
        Self::Repeated,
        Self::NoGroupType,
        Self::Refused,
        Self::Late,
        Self::Failed,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Ai => "ai",
            Self::NotWanted => "not_wanted",
            Self::Personless => "personless",
            Self::FlagCalled => "flag_called",
            Self::Invalid => "invalid",
            Self::Repeated => "repeated",
            Self::NoGroupType => "no_group_type",
            Self::Refused => "refused",
            Self::Late => "late",
            Self::Failed => "failed",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

/// Everything counted of events.
#[derive(Debug)]
pub(crate) struct EventMetrics {
    accepted: Counter,
    written: Counter,
    dropped: Family<ReasonLabels, Counter>,
    pending: Gauge,
    pub(super) batch: Histogram,
    pub(super) transaction_time: Histogram,
    pub(super) transactions_failed: Counter,
    pub(super) persons_written: Counter,
    pub(super) persons_merged: Counter,
    pub(super) groups_written: Counter,
    pub(super) ids_forgotten: Counter,
    pub(super) calls_lost: Counter,
}

impl EventMetrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            accepted: Counter::default(),
            written: Counter::default(),
            dropped: Family::default(),
            pending: Gauge::default(),
            batch: Histogram::new(exponential_buckets(1.0, 2.0, 13)),
            transaction_time: Histogram::new(exponential_buckets(0.000_25, 2.0, 15)),
            transactions_failed: Counter::default(),
            persons_written: Counter::default(),
            persons_merged: Counter::default(),
            groups_written: Counter::default(),
            ids_forgotten: Counter::default(),
            calls_lost: Counter::default(),
        };
        metrics.register_all(registry);
        for why in Dropped::ALL {
            let reason = why.name();
            drop(metrics.dropped.get_or_create(&ReasonLabels { reason }));
        }
        metrics
    }

    fn register_all(&self, r: &mut Registry) {
        let mut counter = |name: &str, help: &str, counter: &Counter| {
            r.register(name, help, counter.clone());
        };
        counter(
            "burgee_events_accepted",
            "Events in requests that were understood and named a project",
            &self.accepted,
        );
        counter(
            "burgee_events_written",
            "Events whose changes are stored",
            &self.written,
        );
        counter(
            "burgee_event_transactions_failed",
            "Transactions of events that could not be committed",
            &self.transactions_failed,
        );
        counter(
            "burgee_persons_written",
            "Persons that events inserted or changed",
            &self.persons_written,
        );
        counter(
            "burgee_persons_merged",
            "Persons that events made part of another",
            &self.persons_merged,
        );
        counter(
            "burgee_groups_written",
            "Groups that events inserted or changed",
            &self.groups_written,
        );
        counter(
            "burgee_event_ids_forgotten",
            "Stored events whose repetition would not be noticed any more",
            &self.ids_forgotten,
        );
        counter(
            "burgee_flag_calls_lost",
            "Calls of flags that were not counted, because too much waited to be",
            &self.calls_lost,
        );
        r.register(
            "burgee_events_dropped",
            "Accepted events that are not stored, by reason",
            self.dropped.clone(),
        );
        r.register(
            "burgee_events_pending",
            "Accepted events that wait to be stored",
            self.pending.clone(),
        );
        r.register(
            "burgee_event_batch_size",
            "Events stored by one transaction",
            self.batch.clone(),
        );
        r.register_with_unit(
            "burgee_event_transaction",
            "Time a transaction of events took, the wait for its connection included",
            Unit::Seconds,
            self.transaction_time.clone(),
        );
    }

    /// Counts events as accepted. Each must be counted as something else, or be pending, right after.
    pub(super) fn accept(&self, events: usize) {
        self.accepted.inc_by(count(events));
    }

    /// Counts events as dropped.
    pub(super) fn drop_events(&self, why: Dropped, events: usize) {
        if events > 0 {
            let reason = why.name();
            let counter = self.dropped.get_or_create_owned(&ReasonLabels { reason });
            counter.inc_by(count(events));
        }
    }

    /// Counts events as pending until they are settled.
    pub(super) fn pend(self: &std::sync::Arc<Self>, events: usize) -> Pending {
        self.pending.inc_by(signed(events));
        Pending {
            metrics: std::sync::Arc::clone(self),
            left: events,
        }
    }
}

/// Events that wait to be stored. Those that were not settled when it is dropped have failed.
#[derive(Debug)]
pub(super) struct Pending {
    metrics: std::sync::Arc<EventMetrics>,
    left: usize,
}

impl Pending {
    /// Counts some of them as written.
    pub(super) fn written(&mut self, events: usize) {
        let events = self.take(events);
        self.metrics.written.inc_by(count(events));
    }

    /// Counts some of them as dropped.
    pub(super) fn dropped(&mut self, why: Dropped, events: usize) {
        let events = self.take(events);
        self.metrics.drop_events(why, events);
    }

    /// Counts all that are left as dropped.
    pub(super) fn drop_rest(&mut self, why: Dropped) {
        self.dropped(why, self.left);
    }

    fn take(&mut self, events: usize) -> usize {
        let events = events.min(self.left);
        self.left -= events;
        self.metrics.pending.dec_by(signed(events));
        events
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.drop_rest(Dropped::Failed);
    }
}

fn count(events: usize) -> u64 {
    u64::try_from(events).unwrap_or(u64::MAX)
}

fn signed(events: usize) -> i64 {
    i64::try_from(events).unwrap_or(i64::MAX)
}
