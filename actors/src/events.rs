//! Events that change people (HTTP specification, chapter 7): decided, stored by group commit, counted.
//!
//! - [`event`]: an event, as the edge read it; `decide`: what it changes, without I/O.
//! - `intake`: an event's way to the writer and its answer; `writer`: one transaction for all that wait.
//! - `calls`: how often flags were called, in memory and added up in the database.
//! - `metrics`: *accepted = written + dropped by reason + pending*.

mod calls;
mod decide;
pub mod event;
mod intake;
pub(crate) mod metrics;
mod writer;

pub(crate) use calls::CallCounter;
pub use decide::FORBIDDEN_IDS;
pub use event::{Event, GroupMembers, PropertyMembers};
pub use intake::EventAnswer;
pub(crate) use intake::Intake;
pub(crate) use writer::{Caches, EventWriter};

use std::time::Duration;

/// How events are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventsConfig {
    /// When an event is answered.
    pub durability: Durability,
    /// Memory for events that wait to be stored, in bytes; further ones are refused.
    pub queue_bytes: usize,
}

impl Default for EventsConfig {
    /// Answered when they are stored; 64 MiB.
    fn default() -> Self {
        Self {
            durability: Durability::Sync,
            queue_bytes: 64 << 20,
        }
    }
}

/// When an event is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// When the transaction that stores it has been committed.
    Sync,
    /// When it waits to be stored; what waits is lost when the process dies.
    Batched,
    /// At once, and it is dropped.
    Off,
}

/// Messages that may wait for the writer; memory bounds them before in most cases.
pub(crate) const WRITER_CAPACITY: usize = 4_096;
/// Messages that may wait to be counted.
pub(crate) const CALLS_CAPACITY: usize = 1_024;
/// How often what was counted is added up in the database.
const CALLS_FLUSHED_EACH: Duration = Duration::from_secs(10);
