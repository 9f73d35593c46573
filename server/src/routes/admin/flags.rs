//! Flags (section 9.1).

use super::visit::{Visit, answer, blocking};
use crate::admin::flag::{FlagRequest, FlagResponse};
use crate::admin::list::FlagListQuery;
use crate::credential::{Action, Resource};
use crate::error::{AdminError, ApiError};
use crate::state::AppState;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use burgee_schema::models::FlagRecord;

/// Lists the flags of a project that are not deleted.
pub(super) async fn list(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, AdminError> {
    let visit = Visit::enter(&state, &request, Resource::Flags, Action::Read).await?;
    let all = visit
        .within(visit.store().flag_records(visit.project))
        .await?;
    let query = FlagListQuery::read(|name| visit.parameter(name));
    let page = visit.page();
    let (count, flags) = blocking(move || {
        let found = query.select(all);
        Ok((found.len(), page.cut(found)))
    })
    .await?;
    let calls = visit
        .within(visit.store().last_calls(visit.project))
        .await?;
    let show = |record: FlagRecord| {
        let last_called_at = calls.get(&record.flag.key).copied();
        FlagResponse::new(record, last_called_at)
    };
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    Ok(visit.paged(count, flags.into_iter().map(show).collect()))
}

/// Creates a flag.
pub(super) async fn create(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, AdminError> {
    let visit = Visit::enter(&state, &request, Resource::Flags, Action::Write).await?;
    let text = visit.text(payload).await?;
    let asked = blocking(move || Ok(FlagRequest::parse(&text)?)).await?;
    let mut transaction = visit.begin().await?;
    let largest = visit.within(transaction.largest_ids()).await?;
    let definitions = visit.definitions(&mut transaction).await?;
    let project = visit.project;
    let id = largest.flag.checked_add(1);
    let id = id.ok_or(AdminError::Other(ApiError::Unexpected))?;
    let change = blocking(move || asked.create(id, project, &definitions)).await?;
    let put = transaction.put_tagged_flag(&change.row, change.tags);
    visit.within(put).await?;
    let record = visit.within(transaction.flag_record(project, id)).await?;
    visit.commit(transaction).await?;
    let record = record.ok_or(AdminError::NOT_FOUND)?;
    Ok(answer(
        StatusCode::CREATED,
        &FlagResponse::new(record, None),
    ))
}

/// Shows one flag, deleted or not.
pub(super) async fn show(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, AdminError> {
    let visit = Visit::enter(&state, &request, Resource::Flags, Action::Read).await?;
    let record = visit.store().flag_record(visit.project, visit.id()?);
    let record = visit.within(record).await?;
    shown(&visit, record).await
}

/// Changes a flag: what the body leaves out stays as it is.
pub(super) async fn update(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, AdminError> {
    let visit = Visit::enter(&state, &request, Resource::Flags, Action::Write).await?;
    let id: i32 = visit.id()?;
    let text = visit.text(payload).await?;
    let asked = blocking(move || Ok(FlagRequest::parse(&text)?)).await?;
    let mut transaction = visit.begin().await?;
    let project = visit.project;
    let old = visit.within(transaction.flag_record(project, id)).await?;
    let old = old.ok_or(AdminError::NOT_FOUND)?;
    let definitions = visit.definitions(&mut transaction).await?;
    let change = blocking(move || asked.update(&old, &definitions)).await?;
    if change.is_changed {
        let put = transaction.put_tagged_flag(&change.row, change.tags);
        visit.within(put).await?;
    }
    let record = visit.within(transaction.flag_record(project, id)).await?;
    if change.is_changed {
        visit.commit(transaction).await?;
    } else {
        visit.within(transaction.roll_back()).await?;
    }
    shown(&visit, record).await
}

async fn shown(visit: &Visit<'_>, record: Option<FlagRecord>) -> Result<HttpResponse, AdminError> {
    let record = record.ok_or(AdminError::NOT_FOUND)?;
    let calls = visit
        .within(visit.store().last_calls(visit.project))
        .await?;
    let last_called_at = calls.get(&record.flag.key).copied();
    Ok(answer(
        StatusCode::OK,
        &FlagResponse::new(record, last_called_at),
    ))
}
