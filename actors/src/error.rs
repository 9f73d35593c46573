//! What can go wrong on the way to an answer; the HTTP edge maps each to a status, once.

use std::time::Duration;

/// A token could not be resolved to a project.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProjectError {
    /// The definitions were never loaded and cannot be loaded now.
    #[error("the definitions cannot be loaded")]
    Unavailable,
    /// Loading them took longer than the request may take.
    #[error("loading the definitions ran out of time")]
    TimedOut,
}

/// A request that got no evaluation at all. Failures of single flags are outcomes, not errors.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EvaluateError {
    /// No evaluator has room, or the expected wait is longer than the request's deadline.
    #[error("the evaluators are busy")]
    Busy {
        /// When it may be worth trying again.
        retry_after: Duration,
    },
    /// The request's deadline passed.
    #[error("the evaluation ran out of time")]
    TimedOut {
        /// The budget it had.
        budget: Duration,
    },
}
