//! Burgee's actors: evaluators, caches, loaders, and the mailboxes that bound them.
//!
//! [`System`] is the one handle that the HTTP edge holds. It knows nothing of HTTP.
//!
//! - [`system`]: a request's way through the actors; `start` starts them.
//! - `admission`, `seat`, `evaluator`, [`cpu_pool`]: who evaluates, where, and who is refused.
//! - `shares`, `service_time`: what a refusal is decided by.
//! - `definitions_cache`, `cohort_cache`, `change_listener`: what is known of projects, published as snapshots.
//! - [`snapshot`], `freshness`, `unknown_tokens`: the same on disk, how old it is, and which tokens nobody has.
//! - `reader`, `person_loader`, `override_writer`, `continuity`: what is stored about people, read and written in batches.
//! - [`events`]: events that change people, stored by group commit; how often flags were called.
//! - `static_members`: which static cohorts a person is in, from memory where it can be.
//! - `mailbox`: bounds and gauges of every queue; [`budget`]: one CPU number → every thread count.
//! - [`metrics`], [`runtimes`], [`stages`]: what is counted, how late event loops are, where a request's time goes.

mod admission;
pub mod budget;
mod change_listener;
mod cohort_cache;
mod continuity;
mod convert;
pub mod cpu_pool;
mod definitions_cache;
pub mod error;
mod evaluator;
pub mod events;
mod freshness;
mod mailbox;
pub mod metrics;
mod override_writer;
mod person_loader;
mod reader;
pub mod runtimes;
mod seat;
mod service_time;
mod shares;
pub mod snapshot;
pub mod stages;
mod start;
mod static_members;
pub mod system;
mod unknown_tokens;

pub use budget::Budget;
pub use error::{EvaluateError, ProjectError};
pub use events::metrics::Dropped;
pub use events::{Durability, Event, EventAnswer, EventsConfig};
pub use metrics::Metrics;
pub use snapshot::Snapshots;
pub use stages::{Stage, StageTimer, Stages};
pub use system::{Config, Database, EvaluateRequest, ProjectSnapshot, Readiness, Source, System};

#[cfg(test)]
mod tests;
