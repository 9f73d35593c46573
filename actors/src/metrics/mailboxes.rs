//! What is measured of mailboxes: depth against capacity, refusals, and how long the oldest message has waited.

use crate::mailbox::Oldest;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Registry, Unit};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Labels of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct Labels {
    actor: &'static str,
    instance: u32,
}

/// The gauges and counters of one mailbox.
#[derive(Debug, Clone)]
pub(crate) struct MailboxMetrics {
    pub(crate) depth: Gauge,
    pub(crate) refused: Counter,
    pub(crate) oldest: Arc<Oldest>,
}

/// Those of all mailboxes.
#[derive(Debug, Default)]
pub(super) struct Mailboxes {
    depth: Family<Labels, Gauge>,
    capacity: Family<Labels, Gauge>,
    refused: Family<Labels, Counter>,
    waits: Waits,
}

/// Touched when a mailbox is made and when metrics are asked for, never by a message.
#[derive(Debug, Clone, Default)]
struct Waits(Arc<Mutex<BTreeMap<Labels, MailboxMetrics>>>);

impl Mailboxes {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let mailboxes = Self::default();
        registry.register(
            "burgee_mailbox_depth",
            "Messages waiting in a mailbox",
            mailboxes.depth.clone(),
        );
        registry.register(
            "burgee_mailbox_capacity",
            "Messages a mailbox takes before it refuses",
            mailboxes.capacity.clone(),
        );
        registry.register(
            "burgee_mailbox_refused",
            "Messages a full mailbox refused",
            mailboxes.refused.clone(),
        );
        registry.register_collector(Box::new(mailboxes.waits.clone()));
        mailboxes
    }

    /// Returns the metrics of one mailbox, and notes its capacity.
    pub(super) fn of(&self, actor: &'static str, instance: u32, capacity: usize) -> MailboxMetrics {
        let labels = Labels { actor, instance };
        self.capacity
            .get_or_create(&labels)
            .set(i64::try_from(capacity).unwrap_or(i64::MAX));
        let mut waits = self.waits.0.lock().unwrap_or_else(PoisonError::into_inner);
        let metrics = waits
            .entry(labels.clone())
            .or_insert_with(|| MailboxMetrics {
                depth: self.depth.get_or_create(&labels).clone(),
                refused: self.refused.get_or_create(&labels).clone(),
                oldest: Arc::default(),
            });
        metrics.clone()
    }
}

impl Collector for Waits {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let waits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut family = encoder.encode_descriptor(
            "burgee_mailbox_oldest",
            "Time that the oldest message of a mailbox has waited; 0 when none waits",
            Some(&Unit::Seconds),
            MetricType::Gauge,
        )?;
        for (labels, mailbox) in waits.iter() {
            let waited = if mailbox.depth.get() > 0 {
                mailbox.oldest.waited().as_secs_f64()
            } else {
                0.0
            };
            ConstGauge::new(waited).encode(family.encode_family(labels)?)?;
        }
        Ok(())
    }
}
