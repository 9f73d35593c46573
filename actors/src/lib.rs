//! Burgee's actors: evaluators, caches, loaders, and the mailboxes that bound them.
//!
//! [`System`] is the one handle that the HTTP edge holds. It knows nothing of HTTP.
//!
//! - [`system`]: a request's way through the actors; `start` starts them.
//! - `admission`, `seat`, `evaluator`, [`cpu_pool`]: who evaluates, where, and who is refused.
//! - `shares`, `service_time`: what a refusal is decided by.
//! - `definitions_cache`, `cohort_cache`, `change_listener`: what is known of projects, published as snapshots.
//! - `reader`, `person_loader`, `override_writer`, `continuity`: what is stored about people, read and written in batches.
//! - `static_members`: which static cohorts a person is in, from memory where it can be.
//! - `mailbox`: bounds and gauges of every queue; [`budget`]: one CPU number → every thread count.

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
mod mailbox;
pub mod metrics;
mod override_writer;
mod person_loader;
mod reader;
mod seat;
mod service_time;
mod shares;
mod start;
mod static_members;
pub mod system;

pub use budget::Budget;
pub use error::{EvaluateError, ProjectError};
pub use metrics::Metrics;
pub use system::{Config, EvaluateRequest, ProjectSnapshot, Readiness, System};

#[cfg(test)]
mod tests;
