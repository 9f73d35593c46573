//! The history of definitions: who changed what, when, before and after.

use super::visit::Visit;
use crate::admin::activity::{ActivityResponse, kinds};
use crate::credential::{Action, Resource};
use crate::error::AdminError;
use crate::state::AppState;
use actix_web::{HttpRequest, HttpResponse, web};
use burgee_schema::models::{ChangeKind, HistoryOf};

/// Tells what was done to one flag, the newest first.
pub(super) async fn of_flag(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, AdminError> {
    let visit = Visit::enter(&state, &request, Resource::Flags, Action::Read).await?;
    let id: i32 = visit.id()?;
    let flag = visit
        .within(visit.store().flag_record(visit.project, id))
        .await?;
    flag.ok_or(AdminError::NOT_FOUND)?;
    tell(&visit, HistoryOf::Item(vec![ChangeKind::Flag], id.into())).await
}

/// Tells what was done to all flags of a project.
pub(super) async fn of_flags(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, AdminError> {
    let visit = Visit::enter(&state, &request, Resource::Flags, Action::Read).await?;
    tell(&visit, HistoryOf::Kinds(vec![ChangeKind::Flag])).await
}

/// Tells what was done to one cohort.
pub(super) async fn of_cohort(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, AdminError> {
    let visit = Visit::enter(&state, &request, Resource::Cohorts, Action::Read).await?;
    let id: i64 = visit.id()?;
    let cohort = visit
        .within(visit.store().cohort_record(visit.project, id))
        .await?;
    cohort.ok_or(AdminError::NOT_FOUND)?;
    let kinds = vec![ChangeKind::Cohort, ChangeKind::CohortMembers];
    tell(&visit, HistoryOf::Item(kinds, id)).await
}

/// Tells what was done in a project, to everything or to what `scope` (and `item_id`) names.
pub(super) async fn of_project(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, AdminError> {
    let visit = Visit::enter(&state, &request, Resource::Activity, Action::Read).await?;
    let scope = visit.parameter("scope").and_then(|scope| kinds(&scope));
    let item = visit.parameter("item_id").and_then(|id| id.parse().ok());
    let of = match (scope, item) {
        (Some(kinds), Some(item)) => HistoryOf::Item(kinds, item),
        (Some(kinds), None) => HistoryOf::Kinds(kinds),
        (None, _) => HistoryOf::Project,
    };
    tell(&visit, of).await
}

async fn tell(visit: &Visit<'_>, of: HistoryOf) -> Result<HttpResponse, AdminError> {
    let page = visit.page();
    let history = visit
        .store()
        .history(visit.project, of, page.limit, page.offset);
    let (count, entries) = visit.within(history).await?;
    Ok(visit.paged(
        count,
        entries.into_iter().map(ActivityResponse::from).collect(),
    ))
}
