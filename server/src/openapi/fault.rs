//! An error as the document shows it: read off the answer that the error itself makes.

use crate::error::{AdminError, ApiError, CaptureError};
use crate::ofrep::OfrepError;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use serde_json::Value;

/// An error that an operation may answer with.
pub(crate) struct Fault {
    /// Under which name the document lists it; unique within a status.
    pub(super) name: &'static str,
    /// When it happens.
    pub(super) about: String,
    pub(super) status: u16,
    /// Empty when there is no body.
    pub(super) content_type: String,
    pub(super) body: Value,
    /// Whether it says when to try again.
    pub(super) has_retry_after: bool,
}

impl Fault {
    /// An error of most routes.
    pub(crate) fn api(name: &'static str, error: &ApiError) -> Self {
        Self::of(name, error.to_string(), error.error_response())
    }

    /// An error in the words of OpenFeature; `key` is the flag that was asked for.
    pub(crate) fn ofrep(name: &'static str, error: &OfrepError, key: Option<&str>) -> Self {
        Self::of(name, error.to_string(), error.respond(key))
    }

    /// An error of the admin API.
    pub(crate) fn admin(name: &'static str, error: &AdminError) -> Self {
        Self::of(name, error.to_string(), error.error_response())
    }

    /// An error of the event endpoints of version 0.
    pub(crate) fn events(name: &'static str, error: &CaptureError) -> Self {
        Self::of(name, error.to_string(), error.text())
    }

    /// An error of the event endpoints of version 1.
    pub(crate) fn events_v1(name: &'static str, error: &CaptureError) -> Self {
        Self::of(name, error.to_string(), error.json())
    }

    fn of(name: &'static str, about: String, response: HttpResponse<BoxBody>) -> Self {
        let headers = response.headers();
        let content_type = headers.get(CONTENT_TYPE);
        let content_type = content_type.and_then(|it| it.to_str().ok());
        let content_type = essence(content_type.unwrap_or_default());
        let has_retry_after = headers.contains_key(RETRY_AFTER);
        let status = response.status().as_u16();
        // Bodies of errors are in memory already.
        let bytes = response.into_body().try_into_bytes().unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Self {
            name,
            about,
            status,
            body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
            content_type,
            has_retry_after,
        }
    }
}

/// Returns a content type without its parameters.
fn essence(content_type: &str) -> String {
    let (essence, _) = content_type.split_once(';').unwrap_or((content_type, ""));
    essence.trim().to_owned()
}
