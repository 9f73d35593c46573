//! Definitions for local evaluation (chapter 4): one document per project and change, to which every poll is an answer.

pub(super) mod openapi;

use super::keyed::Keyed;
use super::read_only;
use crate::conditional::{coding, is_known, token};
use crate::credential::{Action, Resource};
use crate::error::ApiError;
use crate::rate_limit::{Limit, Verdict};
use crate::state::AppState;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, VARY,
};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use burgee_actors::Document;
use burgee_evaluation::ProjectId;
use std::sync::Arc;
use std::time::Instant;
use tokio::time::timeout_at;

const REVALIDATE: HeaderValue = HeaderValue::from_static("private, must-revalidate");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const ACCEPT_ENCODING: HeaderValue = HeaderValue::from_static("Accept-Encoding");

/// Says that a request was let through although it was over a limit (section 3.12).
const RATE_LIMIT_WARNING: HeaderName = HeaderName::from_static("x-posthog-rate-limit-warning");

/// Adds the methods of one of the three paths.
pub(super) fn register(resource: actix_web::Resource) -> actix_web::Resource {
    read_only(resource, show)
}

/// Answers. The checks are made in the order of section 4.1: a revoked key is never told that nothing changed.
async fn show(request: HttpRequest, state: web::Data<AppState>) -> Result<HttpResponse, ApiError> {
    let deadline = Instant::now() + state.edge.live.load().request_timeout;
    let keyed = Keyed::enter(&state, &request, deadline).await?;
    let id = keyed.project_id();
    keyed.key.require(id, Resource::Flags, Action::Read)?;
    let is_over = pass(&state, id)?;
    let project = keyed.project(&state).await?;
    let document = state.system.local_definitions(&project, deadline).await?;
    let document = document.ok_or(ApiError::Unexpected)?;
    let mut answer = if is_known(request.headers(), document.tag()) {
        tagged(HttpResponse::NotModified(), &document).finish()
    } else {
        whole(&request, &document, deadline).await
    };
    if is_over {
        let warning = HeaderValue::from_static("true");
        answer.headers_mut().insert(RATE_LIMIT_WARNING, warning);
    }
    Ok(answer)
}

/// Passes the project's limit; returns whether it was over it and let through.
fn pass(state: &AppState, project: ProjectId) -> Result<bool, ApiError> {
    let edge = &state.edge;
    match edge.live.load().rate_limits.definitions(project) {
        Verdict::Within => Ok(false),
        Verdict::Over => {
            edge.metrics.rate_limited(Limit::Definitions, false);
            Ok(true)
        }
        Verdict::Refused { retry_after } => {
            edge.metrics.rate_limited(Limit::Definitions, true);
            Err(ApiError::RateLimited { retry_after })
        }
    }
}

async fn whole(request: &HttpRequest, document: &Arc<Document>, deadline: Instant) -> HttpResponse {
    let mut response = tagged(HttpResponse::Ok(), document);
    response.insert_header((CONTENT_TYPE, JSON));
    if let Some(coding) = coding(request.headers())
        // Where compressing takes too long, this answer does without.
        && let Ok(Some(packed)) = timeout_at(deadline.into(), document.packed(coding)).await
    {
        let name = HeaderValue::from_static(token(coding));
        return response
            .insert_header((CONTENT_ENCODING, name))
            .body(packed);
    }
    response.body(document.body())
}

fn tagged(mut response: HttpResponseBuilder, document: &Document) -> HttpResponseBuilder {
    response
        .insert_header((ETAG, format!("W/\"{}\"", document.tag())))
        .insert_header((CACHE_CONTROL, REVALIDATE))
        .insert_header((VARY, ACCEPT_ENCODING));
    response
}
