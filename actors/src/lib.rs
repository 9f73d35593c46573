//! Burgee's actors: evaluators, caches, loaders, and the mailboxes that bound them.
//!
//! [`System`] is the one handle that the HTTP edge holds. It knows nothing of HTTP.

pub mod error;
pub mod system;

pub use error::{EvaluateError, ProjectError};
pub use system::{EvaluateRequest, ProjectSnapshot, Readiness, System};
