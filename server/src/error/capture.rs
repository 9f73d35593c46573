//! The errors of the event endpoints, which have sentences and shapes of their own (sections 7.1 and 7.2).

#[cfg(test)]
mod tests;

use crate::body::{BodyError, DecodeError};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use burgee_actors::ProjectError;
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// When to try again, in seconds.
const RETRY_SECONDS: u64 = 1;

/// Why a request with events is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaptureError {
    /// The body could not be read or decoded.
    #[error("the body cannot be used: {0}")]
    Body(#[from] BodyError),
    /// It holds nothing.
    #[error("no events")]
    NoEvents,
    /// An event has no name.
    #[error("an event without a name")]
    NoName,
    /// An event has no distinct id.
    #[error("an event without a distinct id")]
    NoDistinctId,
    /// No token, or an empty one.
    #[error("no token")]
    NoToken,
    /// Several tokens.
    #[error("different tokens")]
    DifferentTokens,
    /// No project has this token.
    #[error("unknown token")]
    UnknownToken,
    /// Too many requests from one address or for one token.
    #[error("rate limited")]
    RateLimited {
        /// When to try again.
        retry_after: Duration,
    },
    /// It cannot be taken now.
    #[error("unavailable")]
    Unavailable,
    /// It took too long to find out whose it is.
    #[error("timed out")]
    TimedOut,
    /// Anything else.
    #[error("internal error")]
    Internal,
}

impl From<DecodeError> for CaptureError {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Body(error) => Self::Body(error),
            DecodeError::Busy => Self::Unavailable,
            DecodeError::Crashed => Self::Internal,
        }
    }
}

impl From<ProjectError> for CaptureError {
    fn from(error: ProjectError) -> Self {
        match error {
            ProjectError::Unavailable => Self::Unavailable,
            ProjectError::TimedOut => Self::TimedOut,
        }
    }
}

impl CaptureError {
    /// Returns the answer in version 0: a sentence.
    pub fn text(&self) -> HttpResponse {
        let (status, text) = self.sentence();
        let mut response = HttpResponse::build(status);
        response
            .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
            .insert_header((CACHE_CONTROL, "no-store"));
        if status == StatusCode::SERVICE_UNAVAILABLE || status == StatusCode::TOO_MANY_REQUESTS {
            response.insert_header((RETRY_AFTER, self.retry_seconds()));
        }
        response.body(text)
    }

    /// Returns the answer in version 1: JSON with a tag.
    pub fn json(&self) -> HttpResponse {
        let (status, error) = self.tag();
        let mut response = HttpResponse::build(status);
        response.insert_header((CACHE_CONTROL, "no-store"));
        let others = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
        if status.is_server_error() || others.contains(&status) {
            response.insert_header((RETRY_AFTER, self.retry_seconds()));
        }
        response.json(Tagged {
            error,
            error_description: self.sentence().1,
            error_uri: "",
        })
    }

    /// Returns when to try again, in whole seconds: zero would invite a storm.
    fn retry_seconds(&self) -> u64 {
        match self {
            Self::RateLimited { retry_after } => {
                let seconds = retry_after.as_millis().div_ceil(1000).max(1);
                u64::try_from(seconds).unwrap_or(u64::MAX)
            }
            _ => RETRY_SECONDS,
        }
    }

    fn sentence(&self) -> (StatusCode, String) {
        let (status, text) = match self {
            Self::Body(error) => return body(error),
            Self::NoEvents => (StatusCode::BAD_REQUEST, "request holds no event"),
            Self::NoName => (
                StatusCode::BAD_REQUEST,
                "event submitted with an empty event name",
            ),
            Self::NoDistinctId => (
                StatusCode::BAD_REQUEST,
                "event submitted without a distinct_id",
            ),
            Self::NoToken => (
                StatusCode::UNAUTHORIZED,
                "event submitted without an api_key",
            ),
            Self::DifferentTokens => (
                StatusCode::UNAUTHORIZED,
                "batch submitted with inconsistent api_key values",
            ),
            Self::UnknownToken => (
                StatusCode::UNAUTHORIZED,
                "API key is not valid: no project has it",
            ),
            Self::RateLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, "rate limit exceeded"),
            Self::Unavailable | Self::TimedOut => (
                StatusCode::SERVICE_UNAVAILABLE,
                "transient error, please retry",
            ),
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal error, please retry",
            ),
        };
        (status, text.to_owned())
    }

    const fn tag(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Body(BodyError::TimedOut) => (StatusCode::REQUEST_TIMEOUT, "body_read_timeout"),
            Self::Body(
                BodyError::TooLarge { .. }
                | BodyError::DecompressedTooLarge { .. }
                | BodyError::TooManyEntries { .. },
            ) => (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large"),
            Self::Body(
                BodyError::UnsupportedContentType(_) | BodyError::UnsupportedEncoding(_),
            ) => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_content_type",
            ),
            Self::Body(_) | Self::NoEvents | Self::NoName | Self::NoDistinctId => {
                (StatusCode::BAD_REQUEST, "request_parsing_error")
            }
            // The protocol has one word for all that is wrong with a token.
            Self::NoToken | Self::DifferentTokens | Self::UnknownToken => {
                (StatusCode::UNAUTHORIZED, "missing_authorization")
            }
            Self::RateLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "service_unavailable"),
            Self::TimedOut => (StatusCode::GATEWAY_TIMEOUT, "gateway_timeout"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal_error"),
        }
    }
}

/// Why a request with events is refused, in version 1.
#[derive(Serialize, ToSchema)]
#[schema(as = EventsError)]
pub(crate) struct Tagged {
    /// A stable word for the error.
    error: &'static str,
    /// A sentence for people.
    error_description: String,
    /// Always empty.
    error_uri: &'static str,
}

fn body(error: &BodyError) -> (StatusCode, String) {
    let (status, what) = match error {
        BodyError::TooLarge { .. }
        | BodyError::DecompressedTooLarge { .. }
        | BodyError::TooManyEntries { .. } => (StatusCode::PAYLOAD_TOO_LARGE, ""),
        BodyError::TimedOut => (StatusCode::REQUEST_TIMEOUT, ""),
        BodyError::InvalidJson | BodyError::InvalidJsonStructure | BodyError::TooDeep => {
            (StatusCode::BAD_REQUEST, "failed to parse request: ")
        }
        _ => (StatusCode::BAD_REQUEST, "failed to decode request: "),
    };
    (status, format!("{what}{error}"))
}
