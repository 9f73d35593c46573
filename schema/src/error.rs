//! What can go wrong with a database, by what the caller can do about it.

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use std::error::Error;

/// A failed question to the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection became free within the acquire timeout, or the queue before the pool is full. Not retried.
    #[error("no database connection became free in time")]
    PoolExhausted,
    /// No connection can be made, or it was lost: the database is away or refuses.
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

impl From<DieselError> for StoreError {
    /// Sorts by message where the driver keeps the error code to itself. The texts are the databases' own, in English; on
    /// a server that speaks another language some errors are sorted less exactly.
    fn from(error: DieselError) -> Self {
        match &error {
            DieselError::DatabaseError(
                DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand,
                _,
            ) => Self::Unavailable(Box::new(error)),
            DieselError::DatabaseError(DatabaseErrorKind::Unknown, information) => {
                let message = information.message();
                if message.contains("statement timeout") || message == "database is locked" {
                    Self::StatementTimeout
                } else if message.starts_with("terminating connection")
                    || message.starts_with("the database system is")
                {
                    Self::Unavailable(Box::new(error))
                } else {
                    Self::Query(Box::new(error))
                }
            }
            _ => Self::Query(Box::new(error)),
        }
    }
}

impl StoreError {
    /// Whether the transaction lost against another one, and may do better a second time.
    pub(crate) fn is_conflict(&self) -> bool {
        let Self::Query(source) = self else {
            return false;
        };
        match source.downcast_ref::<DieselError>() {
            Some(DieselError::DatabaseError(
                DatabaseErrorKind::SerializationFailure
                | DatabaseErrorKind::UniqueViolation
                | DatabaseErrorKind::ForeignKeyViolation,
                _,
            )) => true,
            Some(DieselError::DatabaseError(DatabaseErrorKind::Unknown, information)) => {
                information.message().contains("deadlock detected")
            }
            _ => false,
        }
    }

    /// Whether a row referred to one that is not there, or not any more.
    pub(crate) fn is_dangling(&self) -> bool {
        let Self::Query(source) = self else {
            return false;
        };
        matches!(
            source.downcast_ref::<DieselError>(),
            Some(DieselError::DatabaseError(
                DatabaseErrorKind::ForeignKeyViolation,
                _
            ))
        )
    }
}

/// Writes an error and its causes on one line, for logs and where only a text can be kept.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
