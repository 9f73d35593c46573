//! Burgee's actors: evaluators, caches, loaders, and the mailboxes that bound them.
//!
//! [`System`] is the one handle that the HTTP edge holds. It knows nothing of HTTP.
//!
//! - [`system`]: a request's way through the actors; `start` starts them.
//! - `admission`, `seat`, `evaluator`, [`cpu_pool`]: who evaluates, where, and who is refused.
//! - `shares`, `service_time`, `standing_queue`, `worker_queue`: what a refusal is decided by.
//! - `definitions_cache`, `cohort_cache`, `change_listener`: what is known of projects, published as snapshots.
//! - [`snapshot`], `freshness`, `unknown_tokens`, `keys`: the same on disk, how old it is, which tokens nobody has, and when
//!   keys changed.
//! - [`revision`], `news`: which state of the definitions somebody has, and that there is a newer one.
//! - `local_definitions`: what SDKs are given that evaluate flags themselves.
//! - `reader`, `person_loader`, `override_writer`, `continuity`: what is stored about people, read and written in batches.
//! - [`events`]: events that change people, stored by group commit; how often flags were called.
//! - `static_members`: which static cohorts a person is in, from memory where it can be.
//! - `courier`: the way back to the HTTP worker.
//! - `mailbox`: bounds and gauges of every queue; [`budget`]: one CPU number → every thread count.
//! - [`metrics`], [`runtimes`], [`stages`]: what is counted, how late event loops are, where a request's time goes.

mod admission;
pub mod budget;
mod change_listener;
mod cohort_cache;
mod continuity;
mod convert;
mod courier;
pub mod cpu_pool;
mod definitions_cache;
pub mod error;
mod evaluator;
pub mod events;
mod freshness;
mod keys;
mod local_definitions;
mod mailbox;
pub mod metrics;
mod news;
mod override_writer;
mod person_loader;
mod reader;
pub mod revision;
pub mod runtimes;
mod seat;
mod service_time;
mod shares;
pub mod snapshot;
pub mod stages;
mod standing_queue;
mod start;
mod static_members;
pub mod system;
mod unknown_tokens;
mod worker_queue;

pub use budget::Budget;
pub use error::{EvaluateError, ProjectError};
pub use events::metrics::Dropped;
pub use events::{Durability, Event, EventAnswer, EventsConfig};
pub use keys::KeysRevision;
pub use local_definitions::{Coding, Document, tag_of};
pub use metrics::Metrics;
pub use news::Follow;
pub use revision::Revision;
pub use snapshot::Snapshots;
pub use stages::{Stage, StageTimer, Stages};
pub use system::{
    Config, Database, EvaluateRequest, Preparation, ProjectSnapshot, Readiness, Source, System,
};

#[cfg(test)]
mod tests;
