//! Persons, to be read.

use super::visit::{Visit, answer};
use crate::admin::person::{PersonResponse, parse_id};
use crate::credential::{Action, Resource};
use crate::error::AdminError;
use crate::state::AppState;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use burgee_schema::admin::PersonsOf;

/// Lists persons: all, the one with a distinct id, or those whose distinct ids contain a text.
pub(super) async fn list(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, AdminError> {
    let visit = Visit::enter(&state, &request, Resource::Persons, Action::Read).await?;
    let given = |name: &str| {
        let value = visit.parameter(name)?.into_owned();
        (!value.is_empty()).then_some(value)
    };
    let of = match (given("distinct_id"), given("search")) {
        (Some(id), _) => PersonsOf::DistinctId(id),
        (None, Some(part)) => PersonsOf::Search(part),
        (None, None) => PersonsOf::Project,
    };
    let page = visit.page();
    let persons = visit
        .store()
        .persons_page(visit.project, of, page.limit, page.offset);
    let (count, persons) = visit.within(persons).await?;
    Ok(visit.paged(
        count,
        persons.into_iter().map(PersonResponse::from).collect(),
    ))
}

/// Shows one person, by its UUID or its number.
pub(super) async fn show(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, AdminError> {
    let visit = Visit::enter(&state, &request, Resource::Persons, Action::Read).await?;
    let id = parse_id(visit.id_text()).ok_or(AdminError::NOT_FOUND)?;
    let persons = visit.store().persons_by_id(visit.project, vec![id]);
    let person = visit.within(persons).await?.into_iter().next();
    let person = person.ok_or(AdminError::NOT_FOUND)?;
    Ok(answer(StatusCode::OK, &PersonResponse::from(person)))
}
