//! The stored members of static cohorts.

use super::visit::{Visit, answer, blocking};
use crate::admin::cohort::{
    AddPersonsRequest, ImportResponse, MembersResponse, PersonIds, RemovePersonRequest,
};
use crate::admin::person::PersonResponse;
use crate::credential::{Action, Resource};
use crate::error::{AdminError, Invalid};
use crate::state::AppState;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use burgee_schema::WriteTransaction;
use burgee_schema::admin::PersonsOf;
use burgee_schema::models::CohortRecord;

/// How many members one transaction adds: few enough that events, which wait for their turn to write, hardly notice.
const MEMBERS_AT_ONCE: usize = 10_000;

/// Persons that exist, to become members; and what was named beside them.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// Who they are.
    pub(super) persons: Vec<i64>,
    /// How many names there were.
    pub(super) received: u64,
    /// How many of them are nobody's.
    pub(super) unknown: u64,
}

/// Lists the members of a static cohort.
pub(super) async fn list(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, AdminError> {
    let visit = Visit::enter(&state, &request, Resource::Cohorts, Action::Read).await?;
    let id: i64 = visit.id()?;
    let record = visit
        .within(visit.store().cohort_record(visit.project, id))
        .await?;
    known(record)?;
    let (page, of) = (visit.page(), PersonsOf::Cohort(id));
    let persons = visit
        .store()
        .persons_page(visit.project, of, page.limit, page.offset);
    let (count, persons) = visit.within(persons).await?;
    Ok(visit.paged(
        count,
        persons.into_iter().map(PersonResponse::from).collect(),
    ))
}

/// Makes persons members of a static cohort.
pub(super) async fn add(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, AdminError> {
    let visit = Visit::enter(&state, &request, Resource::Cohorts, Action::Write).await?;
    let id: i64 = visit.id()?;
    let text = visit.text(payload).await?;
    let asked = blocking(move || Ok(AddPersonsRequest::parse(&text)?)).await?;
    let record = visit
        .within(visit.store().cohort_record(visit.project, id))
        .await?;
    stored(known(record)?, "person_ids")?;
    let named = of_ids(&visit, &asked.person_ids).await?;
    let import = write(&visit, None, id, named).await?.unwrap_or_default();
    let done = MembersResponse {
        success: true,
        changed: import.added,
        unknown: import.unknown,
    };
    Ok(answer(StatusCode::OK, &done))
}

/// Ends the membership of a person in a static cohort.
pub(super) async fn remove(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, AdminError> {
    let visit = Visit::enter(&state, &request, Resource::Cohorts, Action::Write).await?;
    let id: i64 = visit.id()?;
    let text = visit.text(payload).await?;
    let asked = RemovePersonRequest::parse(&text)?;
    let record = visit
        .within(visit.store().cohort_record(visit.project, id))
        .await?;
    stored(known(record)?, "person_id")?;
    let person = asked.person_id.ok_or(AdminError::NOT_FOUND)?;
    let existing = visit.store().existing_persons(visit.project, vec![person]);
    if visit.within(existing).await?.is_empty() {
        return Err(AdminError::NOT_FOUND);
    }
    let mut transaction = visit.begin().await?;
    let removed = transaction.remove_members(visit.project, id, vec![person]);
    let removed = visit.within(removed).await?;
    visit.commit(transaction).await?;
    let done = MembersResponse {
        success: true,
        changed: u64::try_from(removed).unwrap_or(u64::MAX),
        unknown: 0,
    };
    Ok(answer(StatusCode::OK, &done))
}

fn known(record: Option<CohortRecord>) -> Result<CohortRecord, AdminError> {
    let record = record.filter(|record| !record.cohort.deleted);
    record.ok_or(AdminError::NOT_FOUND)
}

fn stored(record: CohortRecord, attr: &str) -> Result<(), Invalid> {
    match record.cohort.is_static {
        true => Ok(()),
        false => Err(Invalid::input(
            attr,
            "Only a static cohort has stored members.",
        )),
    }
}

/// Finds out which of some persons exist; `None` when none are named.
pub(super) async fn of_ids(
    visit: &Visit<'_>,
    named: &PersonIds,
) -> Result<Option<Named>, AdminError> {
    if *named == PersonIds::default() {
        return Ok(None);
    }
    let existing = visit
        .store()
        .existing_persons(visit.project, named.ids.clone());
    let persons = visit.within(existing).await?;
    let unknown = named.unknown + named.ids.len().saturating_sub(persons.len());
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    Ok(Some(Named {
        persons,
        received: count(named.ids.len() + named.unknown),
        unknown: count(unknown),
    }))
}

/// Makes persons members, in transactions of a bounded size; the first is one that has begun, with what it holds already.
pub(super) async fn write(
    visit: &Visit<'_>,
    mut begun: Option<WriteTransaction>,
    cohort: i64,
    named: Option<Named>,
) -> Result<Option<ImportResponse>, AdminError> {
    let Some(mut named) = named else {
        if let Some(transaction) = begun {
            visit.commit(transaction).await?;
        }
        return Ok(None);
    };
    named.persons.sort_unstable();
    named.persons.dedup();
    let mut added = 0;
    let mut chunks = named.persons.chunks(MEMBERS_AT_ONCE).peekable();
    while begun.is_some() || chunks.peek().is_some() {
        let mut transaction = match begun.take() {
            Some(transaction) => transaction,
            None => visit.begin().await?,
        };
        if let Some(chunk) = chunks.next() {
            let adding = transaction.add_members(visit.project, cohort, chunk.to_vec());
            added += visit.within(adding).await?;
        }
        visit.commit(transaction).await?;
    }
    Ok(Some(ImportResponse {
        received: named.received,
        added: u64::try_from(added).unwrap_or(u64::MAX),
        unknown: named.unknown,
    }))
}
