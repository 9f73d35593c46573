//! The payload of one remote configuration flag (chapter 6). SDKs read its body as JSON at every status.

pub(super) mod openapi;

use super::keyed::Keyed;
use super::read_only;
use crate::credential::{Action, Resource};
use crate::error::ApiError;
use crate::state::AppState;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use std::time::Instant;

/// Adds the methods.
pub(super) fn register(resource: actix_web::Resource) -> actix_web::Resource {
    read_only(resource, show)
}

async fn show(
    request: HttpRequest,
    state: web::Data<AppState>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (_project, key) = path.into_inner();
    find(&request, &state, &key)
        .await
        .map_err(ApiError::as_json)
}

async fn find(
    request: &HttpRequest,
    state: &AppState,
    key: &str,
) -> Result<HttpResponse, ApiError> {
    let deadline = Instant::now() + state.edge.live.load().request_timeout;
    let keyed = Keyed::enter(state, request, deadline).await?;
    let id = keyed.project_id();
    if keyed.key.project() != id {
        return Err(ApiError::WrongProject);
    }
    keyed.key.require(id, Resource::Flags, Action::Read)?;
    let project = keyed.project(state).await?;
    let flag = project.definitions.flag(key);
    let flag = flag.filter(|flag| flag.is_remote_configuration);
    let flag = flag.ok_or(ApiError::NoSuchObject)?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(flag.payload_on()))
}
