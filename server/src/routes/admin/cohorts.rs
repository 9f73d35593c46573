//! Cohorts (section 9.3), their stored members apart.

use super::members::{self, Named};
use super::upload;
use super::visit::{Visit, answer, blocking};
use crate::admin::cohort::{CohortRequest, CohortResponse, ImportResponse};
use crate::credential::{Action, Resource};
use crate::error::{AdminError, Invalid};
use crate::state::AppState;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use burgee_schema::models::CohortRecord;

/// Lists the cohorts of a project that are not deleted.
pub(super) async fn list(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, AdminError> {
    let visit = Visit::enter(&state, &request, Resource::Cohorts, Action::Read).await?;
    let all = visit
        .within(visit.store().cohort_records(visit.project))
        .await?;
    let search = visit.parameter("search").map(|text| text.to_lowercase());
    let is_found = |record: &CohortRecord| {
        let name = record.cohort.name.as_deref().unwrap_or_default();
        search
            .as_deref()
            .is_none_or(|part| name.to_lowercase().contains(part))
    };
    let found: Vec<CohortRecord> = all.into_iter().filter(is_found).collect();
    let count = i64::try_from(found.len()).unwrap_or(i64::MAX);
    let page = visit.page().cut(found);
    let stored = page.iter().filter(|it| it.cohort.is_static);
    let stored = stored.map(|it| it.cohort.id).collect();
    let counts = visit.store().member_counts(visit.project, stored);
    let counts = visit.within(counts).await?;
    let show = |record: CohortRecord| {
        let count = counts.get(&record.cohort.id).copied();
        CohortResponse::new(record, count.unwrap_or(0))
    };
    Ok(visit.paged(count, page.into_iter().map(show).collect()))
}

/// Shows one cohort, deleted or not.
pub(super) async fn show(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, AdminError> {
    let visit = Visit::enter(&state, &request, Resource::Cohorts, Action::Read).await?;
    shown(&visit, StatusCode::OK, visit.id()?, None).await
}

/// Creates a cohort; a static one also from a CSV of distinct ids, in a form.
pub(super) async fn create(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, AdminError> {
    let (visit, asked, named) = read(&request, payload, &state).await?;
    let asked = asked_to_create(asked, named.as_ref());
    let named = match named {
        Some(named) => Some(named),
        None => members::of_ids(&visit, &asked.static_person_ids).await?,
    };
    let mut transaction = visit.begin().await?;
    let largest = visit.within(transaction.largest_ids()).await?;
    let definitions = visit.definitions(&mut transaction).await?;
    let (id, project) = (largest.cohort.saturating_add(1), visit.project);
    let change = blocking(move || asked.create(id, project, &definitions)).await?;
    refuse_members(&named, change.row.is_static)?;
    let put = transaction.put_described_cohort(&change.row, change.description);
    visit.within(put).await?;
    let import = members::write(&visit, Some(transaction), id, named).await?;
    shown(&visit, StatusCode::CREATED, id, import).await
}

/// Changes a cohort: what the body leaves out stays as it is. A CSV adds to the stored members.
pub(super) async fn update(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, AdminError> {
    let (visit, asked, named) = read(&request, payload, &state).await?;
    let id: i64 = visit.id()?;
    let mut transaction = visit.begin().await?;
    let project = visit.project;
    let old = visit.within(transaction.cohort_record(project, id)).await?;
    let old = old.ok_or(AdminError::NOT_FOUND)?;
    let definitions = visit.definitions(&mut transaction).await?;
    let change = blocking(move || asked.update(&old, &definitions)).await?;
    refuse_members(&named, change.row.is_static && !change.row.deleted)?;
    if change.is_changed {
        let put = transaction.put_described_cohort(&change.row, change.description);
        visit.within(put).await?;
    }
    if !change.is_changed && named.is_none() {
        visit.within(transaction.roll_back()).await?;
        return shown(&visit, StatusCode::OK, id, None).await;
    }
    let import = members::write(&visit, Some(transaction), id, named).await?;
    shown(&visit, StatusCode::OK, id, import).await
}

/// Reads what is asked, from JSON or from a form with a file.
async fn read<'a>(
    request: &'a HttpRequest,
    payload: web::Payload,
    state: &'a AppState,
) -> Result<(Visit<'a>, CohortRequest, Option<Named>), AdminError> {
    if upload::is_form(request) {
        let visit = Visit::enter_upload(state, request, Resource::Cohorts, Action::Write).await?;
        let (asked, named) = upload::read(&visit, request, payload).await?;
        return Ok((visit, asked, named));
    }
    let visit = Visit::enter(state, request, Resource::Cohorts, Action::Write).await?;
    let text = visit.text(payload).await?;
    let asked = blocking(move || Ok(CohortRequest::parse(&text)?)).await?;
    Ok((visit, asked, None))
}

/// A file of members says by itself that the cohort is static.
fn asked_to_create(mut asked: CohortRequest, named: Option<&Named>) -> CohortRequest {
    if named.is_some() && asked.is_static.is_none() {
        asked.is_static = Some(true);
    }
    asked
}

fn refuse_members(named: &Option<Named>, is_static: bool) -> Result<(), Invalid> {
    if named.is_some() && !is_static {
        let detail = "Only a static cohort has stored members.";
        return Err(Invalid::input("csv", detail));
    }
    Ok(())
}

async fn shown(
    visit: &Visit<'_>,
    status: StatusCode,
    id: i64,
    import: Option<ImportResponse>,
) -> Result<HttpResponse, AdminError> {
    let store = visit.store();
    let record = visit.within(store.cohort_record(visit.project, id)).await?;
    let record = record.ok_or(AdminError::NOT_FOUND)?;
    let counts = visit
        .within(store.member_counts(visit.project, vec![id]))
        .await?;
    let count = counts.get(&id).copied().unwrap_or(0);
    let shown = CohortResponse::new(record, count).importing(import);
    Ok(answer(status, &shown))
}
