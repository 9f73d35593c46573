//! Projects, their group types, and whose a key is.

use super::visit::{Visit, answer};
use crate::admin::project::{GroupTypeResponse, ProjectResponse, UserResponse};
use crate::credential::{Action, Resource};
use crate::error::AdminError;
use crate::state::AppState;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

/// Lists the projects that a key is for, which is one.
pub(super) async fn list(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, AdminError> {
    let visit = Visit::enter(&state, &request, Resource::Projects, Action::Read).await?;
    let project = ProjectResponse::from(visit.project_row().await?);
    Ok(visit.paged(1, visit.page().cut(vec![project])))
}

/// Shows a project.
pub(super) async fn show(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, AdminError> {
    let visit = Visit::enter(&state, &request, Resource::Projects, Action::Read).await?;
    let project = ProjectResponse::from(visit.project_row().await?);
    Ok(answer(StatusCode::OK, &project))
}

/// Lists the group types of a project, by index.
pub(super) async fn group_types(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, AdminError> {
    let visit = Visit::enter(&state, &request, Resource::Groups, Action::Read).await?;
    let types = visit.store().admin_group_types(visit.project);
    let types = visit.within(types).await?;
    let types: Vec<GroupTypeResponse> = types.into_iter().map(Into::into).collect();
    Ok(answer(StatusCode::OK, &types))
}

/// Shows whose a key is.
pub(super) async fn me(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, AdminError> {
    let visit = Visit::enter(&state, &request, Resource::Users, Action::Read).await?;
    let user = UserResponse::new(visit.author(), visit.project_row().await?);
    Ok(answer(StatusCode::OK, &user))
}
