//! Errors as OFREP tells them (sections 8.3 and 8.4): always JSON, with `errorDetails`. The statuses of what is not the
//! protocol's own are those of [`ApiError`].

#[cfg(test)]
mod tests;

use super::ContextFault;
use crate::error::ApiError;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use std::borrow::Cow;
use utoipa::ToSchema;

/// Why a request is answered with an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OfrepError {
    /// What may happen to any request.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The context cannot be used.
    #[error(transparent)]
    Context(#[from] ContextFault),
    /// No such flag, or none for this request.
    #[error("there is no such flag")]
    FlagNotFound,
    /// The flag could not be evaluated.
    #[error("{0}")]
    FlagFailed(Cow<'static, str>),
}

/// Why a request in the words of OpenFeature is answered with an error.
#[derive(Serialize, ToSchema)]
#[schema(as = OpenFeatureError)]
pub(crate) struct Told<'a> {
    /// The flag that was asked for, where one was and the error has a code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    key: Option<&'a str>,
    /// The protocol's word for the error, where it has one.
    #[serde(rename = "errorCode", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    code: Option<&'static str>,
    /// A sentence for people.
    #[serde(rename = "errorDetails")]
    #[schema(value_type = String)]
    details: Cow<'static, str>,
}

impl OfrepError {
    /// Returns the answer; `key` is the flag that was asked for, if it was one.
    pub fn respond(&self, key: Option<&str>) -> HttpResponse<BoxBody> {
        let mut response = match self {
            // With its headers: when to try again.
            Self::Api(error) => error.error_response().drop_body(),
            Self::Context(_) | Self::FlagFailed(_) => {
                HttpResponse::new(StatusCode::BAD_REQUEST).drop_body()
            }
            Self::FlagNotFound => HttpResponse::new(StatusCode::NOT_FOUND).drop_body(),
        };
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let status = response.status();
        let code = self.code(status);
        let told = Told {
            key: key.filter(|_| code.is_some()),
            code,
            details: self.details(status),
        };
        // A struct of texts has nothing that could not be written.
        let body = serde_json::to_vec(&told).unwrap_or_default();
        response.set_body(BoxBody::new(body))
    }

    /// Returns the protocol's word, for the statuses under which it has any.
    fn code(&self, status: StatusCode) -> Option<&'static str> {
        match self {
            Self::Context(fault) => Some(fault.code()),
            Self::FlagFailed(_) => Some("GENERAL"),
            Self::FlagNotFound => Some("FLAG_NOT_FOUND"),
            Self::Api(_) => (status == StatusCode::BAD_REQUEST).then_some("PARSE_ERROR"),
        }
    }

    fn details(&self, status: StatusCode) -> Cow<'static, str> {
        match (self, status) {
            (_, StatusCode::UNAUTHORIZED) => "unauthorized".into(),
            (_, StatusCode::FORBIDDEN) => "forbidden".into(),
            _ => self.to_string().into(),
        }
    }
}
