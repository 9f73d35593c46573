//! The settings of events.

use super::faults::Faults;
use burgee_actors::{Durability, EventsConfig};
use std::time::Duration;

/// How events are stored, as it was written.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct EventOptions {
    /// Whether events change persons and groups; off answers them all the same, and drops them
    #[arg(
        long,
        env = "BURGEE_EVENTS",
        default_value = "on",
        value_name = "ON",
        help_heading = "Events"
    )]
    events: String,
    /// When an event is answered: sync when the transaction that stores it is committed, batched as soon as it waits for
    /// one; a crash then loses what waits
    #[arg(
        long,
        env = "BURGEE_EVENT_DURABILITY",
        default_value = "sync",
        value_name = "WHEN",
        help_heading = "Events"
    )]
    event_durability: String,
    /// How long a request with events may wait until they are stored, in milliseconds
    #[arg(
        long,
        env = "BURGEE_EVENT_TIMEOUT_MS",
        default_value = "5000",
        value_name = "MS",
        help_heading = "Events"
    )]
    event_timeout_ms: String,
    /// Memory for events that wait to be stored, in bytes; further ones are refused with 503
    #[arg(
        long,
        env = "BURGEE_EVENT_QUEUE_BYTES",
        default_value = "67108864",
        value_name = "BYTES",
        help_heading = "Events"
    )]
    event_queue_bytes: String,
}

impl EventOptions {
    pub(super) fn resolve(&self, f: &mut Faults) -> EventsConfig {
        let words = [("sync", Durability::Sync), ("batched", Durability::Batched)];
        let durability = f.word(
            "event-durability",
            &self.event_durability,
            &words,
            Durability::Sync,
        );
        let is_on = f.word(
            "events",
            &self.events,
            &[("on", true), ("off", false)],
            true,
        );
        EventsConfig {
            durability: if is_on { durability } else { Durability::Off },
            queue_bytes: f.number(
                "event-queue-bytes",
                &self.event_queue_bytes,
                1 << 20..=1 << 40,
            ),
        }
    }

    pub(super) fn timeout(&self, f: &mut Faults) -> Duration {
        f.millis("event-timeout-ms", &self.event_timeout_ms)
    }
}
