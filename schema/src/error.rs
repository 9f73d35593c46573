//! What can go wrong with a database, by what the caller can do about it.

use std::error::Error;

/// A failed question to the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection became free within the acquire timeout, or the queue before the pool is full. Not retried.
    #[error("no database connection became free in time")]
    PoolExhausted,
    /// No connection can be made: the database is away or refuses.
    #[error("the database is unavailable")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// A statement ran past its timeout.
    #[error("a database statement ran out of time")]
    StatementTimeout,
    /// Any other database error.
    #[error("a database query failed")]
    Query(#[source] Box<dyn Error + Send + Sync>),
    /// The database URL or the pool's settings are wrong.
    #[error("{0}")]
    Config(String),
}
