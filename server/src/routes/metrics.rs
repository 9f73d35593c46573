//! `/metrics`: everything that is counted, in the format the scraper prefers.

use crate::error::ApiError;
use crate::metrics::{OPEN_METRICS, PROMETHEUS_TEXT, open_metrics, prometheus_text};
use crate::state::AppState;
use actix_web::http::header::{ACCEPT, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};
use std::sync::Arc;

/// Writes the whole registry.
pub(super) async fn show(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let accepted = request.headers().get(ACCEPT);
    let wants_open_metrics = accepted
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("application/openmetrics-text"));
    let registry = Arc::clone(&state.registry);
    // Not here: some of it is read from the kernel's files.
    let written = web::block(move || {
        if wants_open_metrics {
            (open_metrics(&registry), OPEN_METRICS)
        } else {
            (prometheus_text(&registry), PROMETHEUS_TEXT)
        }
    });
    let (text, content_type) = written.await.map_err(|_panicked| ApiError::Internal)?;
    // Writing into a text in memory does not fail unless a metric's own encoder is wrong.
    let text = text.map_err(|_format| ApiError::Internal)?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, content_type))
        .body(text))
}
