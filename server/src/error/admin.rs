//! The errors of the admin API (section 9.4): always JSON, with the name of the member that is to blame.

#[cfg(test)]
mod tests;

use super::ApiError;
use crate::body::BodyError;
use crate::credential::CredentialError;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use burgee_schema::{StoreError, chain};
use serde::Serialize;
use std::borrow::Cow;
use std::time::Duration;

/// When to try again after too many people asked at once.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What is wrong with what somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Invalid {
    /// The member's name, with `__` between levels; `None` for the whole.
    pub attr: Option<String>,
    /// One word for it.
    pub code: &'static str,
    /// A sentence for it.
    pub detail: Cow<'static, str>,
}

impl Invalid {
    /// Says what is wrong with a member.
    pub fn new(
        attr: impl Into<String>,
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            attr: Some(attr.into()),
            code,
            detail: detail.into(),
        }
    }

    /// Says that a member cannot be as it is, for a reason without a word of its own.
    pub fn input(attr: impl Into<String>, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(attr, "invalid_input", detail)
    }

    /// Says that a body is not JSON.
    pub fn parse(why: impl std::fmt::Display) -> Self {
        Self {
            attr: None,
            code: "parse_error",
            detail: format!("JSON parse error - {why}").into(),
        }
    }
}

/// Why a request to the admin API is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdminError {
    /// What was written breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Somebody else has changed the object since.
    #[error("the object was changed meanwhile")]
    Conflict,
    /// The path does not know the method.
    #[error("method not allowed")]
    MethodNotAllowed {
        /// The method.
        method: String,
        /// The methods it knows.
        allow: &'static str,
    },
    /// An upload is larger than allowed.
    #[error("the upload is larger than {limit} bytes")]
    UploadTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Any other error, told in JSON.
    #[error(transparent)]
    Other(ApiError),
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    code: &'a str,
    detail: &'a str,
    attr: Option<&'a str>,
}

impl AdminError {
    /// Says that there is no such object.
    pub const NOT_FOUND: Self = Self::Other(ApiError::NoSuchObject);

    /// Says that too many people ask at once.
    pub fn busy() -> Self {
        Self::Other(ApiError::Busy {
            waited: Duration::ZERO,
            retry_after: RETRY_AFTER,
            status: super::OverloadStatus::ServiceUnavailable,
        })
    }

    fn answer(&self) -> HttpResponse {
        let body = |status, r#type, code, detail: &str, attr: Option<&str>| {
            HttpResponse::build(status).json(Body {
                r#type,
                code,
                detail,
                attr,
            })
        };
        match self {
            Self::Invalid(invalid) => body(
                StatusCode::BAD_REQUEST,
                "validation_error",
                invalid.code,
                &invalid.detail,
                invalid.attr.as_deref(),
            ),
            Self::Conflict => body(
                StatusCode::CONFLICT,
                "server_error",
                "error",
                "Somebody else has changed this since that version. Please read it again and repeat your change.",
                None,
            ),
            Self::MethodNotAllowed { method, .. } => body(
                StatusCode::METHOD_NOT_ALLOWED,
                "invalid_request",
                "method_not_allowed",
                &format!("Method \"{method}\" not allowed."),
                None,
            ),
            Self::UploadTooLarge { limit } => body(
                StatusCode::PAYLOAD_TOO_LARGE,
                "invalid_request",
                "too_large",
                &format!("The upload is larger than {limit} bytes."),
                None,
            ),
            Self::Other(error) => error.clone().as_json().error_response(),
        }
    }
}

impl ResponseError for AdminError {
    fn status_code(&self) -> StatusCode {
        self.answer().status()
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut answer = self.answer();
        let headers = answer.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Self::MethodNotAllowed { allow, .. } = self {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        answer
    }
}

impl From<CredentialError> for AdminError {
    fn from(error: CredentialError) -> Self {
        Self::Other(error.into())
    }
}

impl From<BodyError> for AdminError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Incomplete => Invalid::parse("the body is incomplete").into(),
            error => Self::Other(error.into()),
        }
    }
}

impl From<StoreError> for AdminError {
    /// The cause is for the log.
    fn from(error: StoreError) -> Self {
        tracing::warn!(error = chain(&error), "a request to the admin API failed");
        Self::Other(match error {
            StoreError::PoolExhausted | StoreError::StatementTimeout => ApiError::TimedOut,
            StoreError::Unavailable(_) => ApiError::DatabaseUnavailable,
            StoreError::Query(_) | StoreError::Config(_) => ApiError::Database,
        })
    }
}
