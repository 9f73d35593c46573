//! The errors a client may see, and the one place where a status is chosen (section 3.11 and chapter 2).
//!
//! The client gets a stable, calm sentence; causes are for the log, where they stop.

mod admin;
mod capture;
#[cfg(test)]
mod tests;

pub use admin::{AdminError, Invalid};
pub use capture::CaptureError;
pub(crate) use capture::Tagged;

use crate::body::{BodyError, DecodeError};
use crate::credential::CredentialError;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use burgee_actors::{EvaluateError, ProjectError};
use serde::Serialize;
use std::borrow::Cow;
use std::time::Duration;
use utoipa::ToSchema;

/// When to try again after there was no room to decode a large body.
const DECODER_RETRY: Duration = Duration::from_secs(1);

/// When to try again while the server starts.
const START_RETRY: Duration = Duration::from_secs(1);

/// With what status work is refused when there is too much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OverloadStatus {
    /// 503: clients do not try again.
    #[default]
    ServiceUnavailable,
    /// 504: clients and proxies try once more, perhaps elsewhere.
    GatewayTimeout,
}

/// Why a request is answered with an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// The body could not be read or decoded.
    #[error("the body cannot be used: {0}")]
    Body(#[from] BodyError),
    /// `/flags` without a token, or an empty one.
    #[error("no token")]
    NoToken,
    /// No project has this token.
    #[error("unknown token")]
    UnknownToken,
    /// `Authorization` is missing where it is needed.
    #[error("no credentials")]
    NoCredentials,
    /// No such personal key, or one of another organization.
    #[error("invalid personal key")]
    InvalidPersonalKey,
    /// No such secret key, or one of another project.
    #[error("invalid secret key")]
    InvalidSecretKey,
    /// A personal key that may not do this.
    #[error("the key lacks a scope")]
    MissingScope {
        /// One of these would do, as a sentence names them.
        wanted: &'static str,
    },
    /// `distinct_id` is missing and needed.
    #[error("no distinct id")]
    MissingDistinctId,
    /// Too many requests from one address or for one token.
    #[error("rate limited")]
    RateLimited {
        /// When to try again.
        retry_after: Duration,
    },
    /// No room for more work.
    #[error("busy")]
    Busy {
        /// How long the request had waited.
        waited: Duration,
        /// When to try again.
        retry_after: Duration,
        /// With what status to say so.
        status: OverloadStatus,
    },
    /// The server has nothing to answer from yet.
    #[error("starting")]
    Starting,
    /// The request ran out of time.
    #[error("timed out")]
    TimedOut,
    /// Definitions, cache or store cannot be reached.
    #[error("a dependency is unavailable")]
    Unavailable,
    /// The database refused the connection.
    #[error("the database is unavailable")]
    DatabaseUnavailable,
    /// A database query failed.
    #[error("a database query failed")]
    Database,
    /// A key that is another project's, where that is told.
    #[error("the key belongs to another project")]
    WrongProject,
    /// No such flag, or whatever else a known path asks for.
    #[error("no such object")]
    NoSuchObject,
    /// Something that must not happen, on a route that answers in JSON.
    #[error("unexpected")]
    Unexpected,
    /// Another error, its sentence in JSON.
    #[error(transparent)]
    AsJson(Box<Self>),
    /// No such path.
    #[error("not found")]
    NotFound,
    /// The path does not know the method.
    #[error("method not allowed")]
    MethodNotAllowed {
        /// The methods it knows.
        allow: &'static str,
    },
    /// Anything else.
    #[error("internal error")]
    Internal,
}

impl ApiError {
    /// Maps a failed decoding; `waited` is how long the request had been at it.
    pub fn decoding(error: DecodeError, waited: Duration, status: OverloadStatus) -> Self {
        match error {
            DecodeError::Body(error) => Self::Body(error),
            DecodeError::Busy => Self::Busy {
                waited,
                retry_after: DECODER_RETRY,
                status,
            },
            DecodeError::Crashed => Self::Internal,
        }
    }

    /// Maps a failed evaluation; `waited` is how long the request had been at it.
    pub fn evaluation(error: &EvaluateError, waited: Duration, status: OverloadStatus) -> Self {
        match error {
            EvaluateError::Busy { retry_after } => Self::Busy {
                waited,
                retry_after: *retry_after,
                status,
            },
            EvaluateError::TimedOut { .. } => Self::TimedOut,
        }
    }

    /// Returns the same error for a client that reads every answer as JSON.
    pub fn as_json(self) -> Self {
        Self::AsJson(Box::new(self))
    }

    fn content(&self) -> (StatusCode, Content) {
        match self {
            Self::Body(error) => body_content(error),
            Self::NoToken => unauthorized(
                "not_authenticated",
                "No API token provided. Please include a valid API token in your request.",
            ),
            Self::UnknownToken => unauthorized(
                "authentication_failed",
                "The provided API key is invalid or has expired. Please check your API key and try again.",
            ),
            Self::NoCredentials => unauthorized(
                "not_authenticated",
                "Authentication credentials were not provided.",
            ),
            Self::InvalidPersonalKey => {
                unauthorized("authentication_failed", "Personal API key is invalid.")
            }
            Self::InvalidSecretKey => {
                unauthorized("authentication_failed", "Secret API token is invalid.")
            }
            Self::MissingScope { wanted } => (
                StatusCode::FORBIDDEN,
                json(
                    "authentication_error",
                    "permission_denied",
                    format!("Personal API key lacks required scopes ({wanted})."),
                ),
            ),
            Self::MissingDistinctId => (
                StatusCode::BAD_REQUEST,
                text(
                    "The distinct_id field is missing from the request. Please include a valid identifier.",
                ),
            ),
            Self::RateLimited { .. } => (
                StatusCode::TOO_MANY_REQUESTS,
                json(
                    "validation_error",
                    "rate_limit_exceeded",
                    "Rate limit exceeded",
                ),
            ),
            Self::Busy { waited, status, .. } => (overload_status(*status), busy(*waited)),
            Self::WrongProject => (
                StatusCode::FORBIDDEN,
                json(
                    "authentication_error",
                    "permission_denied",
                    "The credential belongs to another project.",
                ),
            ),
            Self::NoSuchObject => (
                StatusCode::NOT_FOUND,
                json("invalid_request", "not_found", "Not found."),
            ),
            Self::AsJson(error) => in_json(error.content()),
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                json("invalid_request", "not_found", "Endpoint not found."),
            ),
            Self::MethodNotAllowed { .. } => (StatusCode::METHOD_NOT_ALLOWED, Content::Empty),
            Self::Starting
            | Self::TimedOut
            | Self::Unavailable
            | Self::DatabaseUnavailable
            | Self::Database
            | Self::Unexpected
            | Self::Internal => self.failure(),
        }
    }

    fn failure(&self) -> (StatusCode, Content) {
        match self {
            Self::Starting => (
                StatusCode::SERVICE_UNAVAILABLE,
                text("The server is starting. Please try again in a moment."),
            ),
            Self::TimedOut => (
                StatusCode::SERVICE_UNAVAILABLE,
                text(
                    "The request timed out. This could be due to high load or network issues. Please try again later.",
                ),
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                text(
                    "A service dependency is temporarily unavailable. This is likely a temporary issue. Please try again later.",
                ),
            ),
            Self::DatabaseUnavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                text(
                    "Our database service is currently unavailable. This is likely a temporary issue. Please try again later.",
                ),
            ),
            Self::Database => (
                StatusCode::INTERNAL_SERVER_ERROR,
                text(
                    "A database error occurred. Please try again later or contact support if the problem persists.",
                ),
            ),
            Self::Unexpected => (
                StatusCode::INTERNAL_SERVER_ERROR,
                json(
                    "server_error",
                    "unexpected_error",
                    "An unexpected error occurred",
                ),
            ),
            _ => (
                StatusCode::INTERNAL_SERVER_ERROR,
                text(
                    "An internal server error occurred. Please try again later or contact support if the problem persists.",
                ),
            ),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::Busy { retry_after, .. } => {
                Some(*retry_after)
            }
            Self::Starting => Some(START_RETRY),
            Self::AsJson(error) => error.retry_after(),
            _ => None,
        }
    }
}

impl From<ProjectError> for ApiError {
    fn from(error: ProjectError) -> Self {
        match error {
            ProjectError::Unavailable => Self::Unavailable,
            ProjectError::TimedOut => Self::TimedOut,
        }
    }
}

impl From<CredentialError> for ApiError {
    /// What could not be checked is never told as a wrong key: some clients drop all their flags on that.
    fn from(error: CredentialError) -> Self {
        match error {
            CredentialError::Missing => Self::NoCredentials,
            CredentialError::UnknownSecret => Self::InvalidSecretKey,
            CredentialError::UnknownPersonal => Self::InvalidPersonalKey,
            CredentialError::MissingScope { wanted } => Self::MissingScope { wanted },
            CredentialError::DatabaseUnavailable => Self::DatabaseUnavailable,
            CredentialError::NotChecked => Self::Unavailable,
            CredentialError::TimedOut => Self::TimedOut,
        }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.content().0
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let (status, content) = self.content();
        let mut response = content.into_response(status);
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Self::MethodNotAllowed { allow } = self {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if let Some(delay) = self.retry_after() {
            // Whole seconds are all the header can say; zero would invite a storm.
            let seconds = delay.as_millis().div_ceil(1000).max(1);
            let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

enum Content {
    Empty,
    Text(Cow<'static, str>),
    Json(JsonError),
}

/// Why a request is answered with an error.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
pub(crate) struct JsonError {
    /// The kind of error.
    r#type: &'static str,
    /// A stable word for the error.
    code: &'static str,
    /// A sentence for people.
    #[schema(value_type = String)]
    detail: Cow<'static, str>,
    /// The member of the request that is wrong, if it is one.
    #[schema(required)]
    attr: Option<&'static str>,
}

impl Content {
    fn into_response(self, status: StatusCode) -> HttpResponse<BoxBody> {
        let mut response = HttpResponse::build(status);
        match self {
            Self::Empty => response.finish(),
            Self::Text(text) => response
                .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
                .body(text.into_owned()),
            Self::Json(error) => response.json(error),
        }
    }
}

fn text(sentence: &'static str) -> Content {
    Content::Text(sentence.into())
}

fn json(r#type: &'static str, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Content {
    Content::Json(JsonError {
        r#type,
        code,
        detail: detail.into(),
        attr: None,
    })
}

/// Puts a sentence into a JSON error; what has a JSON body keeps it.
fn in_json((status, content): (StatusCode, Content)) -> (StatusCode, Content) {
    match content {
        Content::Text(sentence) => (status, json("server_error", "error", sentence)),
        content => (status, content),
    }
}

fn unauthorized(code: &'static str, detail: &'static str) -> (StatusCode, Content) {
    (
        StatusCode::UNAUTHORIZED,
        json("authentication_error", code, detail),
    )
}

fn busy(waited: Duration) -> Content {
    let waited = waited.as_millis();
    Content::Text(format!("Evaluation pool busy, timed out after {waited}ms. Please retry.").into())
}

const fn overload_status(status: OverloadStatus) -> StatusCode {
    match status {
        OverloadStatus::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        OverloadStatus::GatewayTimeout => StatusCode::GATEWAY_TIMEOUT,
    }
}

fn body_content(error: &BodyError) -> (StatusCode, Content) {
    let fault: Cow<'_, str> = match error {
        BodyError::TooLarge { limit } => {
            let sentence = format!("The request body is larger than {limit} bytes.");
            return (
                StatusCode::PAYLOAD_TOO_LARGE,
                Content::Text(sentence.into()),
            );
        }
        BodyError::DecompressedTooLarge { limit, got } => {
            let sentence = format!("Decompressed request body exceeded {limit} bytes (got {got}).");
            return (
                StatusCode::PAYLOAD_TOO_LARGE,
                Content::Text(sentence.into()),
            );
        }
        BodyError::TimedOut => {
            return (
                StatusCode::REQUEST_TIMEOUT,
                text("The request body did not arrive in time. Please try again."),
            );
        }
        BodyError::Incomplete => "the body is incomplete".into(),
        BodyError::UnsupportedCompression => "Unsupported compression type".into(),
        BodyError::Gzip(why) => format!("gzip decompression failed: {why}").into(),
        BodyError::Packed { encoding, why } => {
            format!("{encoding} decompression failed: {why}").into()
        }
        BodyError::UnsupportedEncoding(name) => {
            format!("unsupported content encoding: {name}").into()
        }
        BodyError::UnsupportedContentType(essence) => {
            format!("unsupported content type: {essence}").into()
        }
        BodyError::GzipInForm => "Gzip compression not supported for form-urlencoded data".into(),
        BodyError::InvalidJsonStructure => "invalid JSON structure".into(),
        BodyError::InvalidJson => "invalid JSON".into(),
        BodyError::TooDeep => "JSON nesting too deep".into(),
        BodyError::TooManyEntries { member, limit } => {
            format!("{member} has more than {limit} entries").into()
        }
    };
    let sentence = format!(
        "Failed to decode request: {fault}. Please check your request format and try again."
    );
    (StatusCode::BAD_REQUEST, Content::Text(sentence.into()))
}
