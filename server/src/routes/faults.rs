//! Errors that several routes have in common, for the OpenAPI document.

use crate::body::{BodyError, BodyLimits};
use crate::error::{ApiError, OverloadStatus};
use crate::openapi::Fault;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(1);

/// What every route answers that is not for operations: nothing is there yet, there is too much to do, or something went wrong that
/// must not.
pub(super) fn of_any() -> Vec<Fault> {
    let mut all = vec![Fault::api("internal", &ApiError::Internal)];
    all.extend(refusals().map(|(name, error)| Fault::api(name, &error)));
    all
}

/// Why nobody is let in, by name; that there is too much to do may be said in two ways.
pub(super) fn refusals() -> [(&'static str, ApiError); 3] {
    let busy = |status| ApiError::Busy {
        waited: Duration::ZERO,
        retry_after: SOON,
        status,
    };
    [
        ("starting", ApiError::Starting),
        ("busy", busy(OverloadStatus::ServiceUnavailable)),
        ("busy_try_again", busy(OverloadStatus::GatewayTimeout)),
    ]
}

/// The rate limit of an address, a token or a project.
pub(super) fn rate_limited() -> Fault {
    Fault::api("rate_limited", &limited())
}

pub(super) fn limited() -> ApiError {
    ApiError::RateLimited { retry_after: SOON }
}

/// What may be wrong with a body, whatever is asked for.
pub(super) fn of_bodies() -> Vec<Fault> {
    let bodies = broken_bodies().into_iter();
    let bodies = bodies.map(|(name, error)| Fault::api(name, &ApiError::Body(error)));
    bodies.collect()
}

/// The same by name.
pub(super) fn broken_bodies() -> Vec<(&'static str, BodyError)> {
    let limits = BodyLimits::default();
    vec![
        ("invalid_json", BodyError::InvalidJson),
        ("too_deep", BodyError::TooDeep),
        (
            "broken_gzip",
            BodyError::Gzip("invalid gzip header".to_owned()),
        ),
        (
            "unsupported_content_type",
            BodyError::UnsupportedContentType("application/xml".to_owned()),
        ),
        ("packed_form", BodyError::GzipInForm),
        ("invalid_form", BodyError::InvalidJsonStructure),
        ("incomplete", BodyError::Incomplete),
        ("too_slow", BodyError::TimedOut),
        (
            "too_large",
            BodyError::TooLarge {
                limit: limits.received,
            },
        ),
        (
            "unpacks_too_large",
            BodyError::DecompressedTooLarge {
                limit: limits.decompressed,
                got: limits.decompressed + 1,
            },
        ),
    ]
}

/// What happens when the database does not answer.
pub(super) fn of_store() -> Vec<Fault> {
    let errors = store_errors().into_iter();
    errors
        .map(|(name, error)| Fault::api(name, &error))
        .collect()
}

/// The same by name.
pub(super) fn store_errors() -> [(&'static str, ApiError); 2] {
    [
        ("timed_out", ApiError::TimedOut),
        ("unavailable", ApiError::Unavailable),
    ]
}

/// What may be wrong with a key. `wanted` are the scopes of which one is needed.
pub(super) fn key_errors(wanted: &'static str) -> Vec<(&'static str, ApiError)> {
    vec![
        ("no_credentials", ApiError::NoCredentials),
        ("invalid_personal_key", ApiError::InvalidPersonalKey),
        ("invalid_secret_key", ApiError::InvalidSecretKey),
        ("missing_scope", ApiError::MissingScope { wanted }),
        ("database_unavailable", ApiError::DatabaseUnavailable),
    ]
}
