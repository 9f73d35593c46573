//! A form with a CSV of distinct ids, taken off the wire piece by piece: what is held is a batch of ids, and the numbers of
//! the persons they belong to.

use super::members::Named;
use super::visit::Visit;
use crate::admin::Members;
use crate::admin::cohort::CohortRequest;
use crate::admin::csv::{CsvReader, Id};
use crate::error::{AdminError, ApiError, Invalid};
use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, web};
use futures_util::StreamExt;
use std::time::Duration;
use tokio::time::{timeout, timeout_at};

/// How many ids one question to the database carries.
const IDS_AT_ONCE: usize = 5_000;
/// How many other fields a form may have, and how large each may be, in bytes.
const MAX_FIELDS: usize = 50;
const MAX_FIELD: usize = 1 << 20;
/// How long the next piece may take to arrive.
const PATIENCE: Duration = Duration::from_secs(15);

/// Returns whether a request is a form with files.
pub(super) fn is_form(request: &HttpRequest) -> bool {
    let kind = request.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.trim_start()
        .to_ascii_lowercase()
        .starts_with("multipart/form-data")
}

/// Reads a form: what it says of the cohort, and whom its file names, if there is one.
pub(super) async fn read(
    visit: &Visit<'_>,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<(CohortRequest, Option<Named>), AdminError> {
    let mut form = Multipart::new(request.headers(), payload);
    let mut fields = Vec::new();
    let mut named = None;
    let mut room = visit.upload_limit();
    while let Some(field) = next(visit, form.next()).await? {
        let disposition = field.content_disposition();
        let name = disposition
            .and_then(|it| it.get_name())
            .unwrap_or_default()
            .to_owned();
        if name == "csv" {
            named = Some(read_csv(visit, field, &mut room).await?);
        } else if fields.len() < MAX_FIELDS {
            let text = read_text(visit, field, &mut room).await?;
            fields.push((name, text));
        } else {
            return Err(Invalid::parse("the form has too many fields").into());
        }
    }
    let asked = CohortRequest::read(&Members::of_form(fields))?;
    Ok((asked, named))
}

async fn read_text(
    visit: &Visit<'_>,
    mut field: Field,
    room: &mut usize,
) -> Result<String, AdminError> {
    let mut bytes = Vec::new();
    while let Some(piece) = next(visit, field.next()).await? {
        take(visit, room, piece.len())?;
        if bytes.len() + piece.len() > MAX_FIELD {
            return Err(AdminError::UploadTooLarge { limit: MAX_FIELD });
        }
        bytes.extend_from_slice(&piece);
    }
    let text = String::from_utf8(bytes);
    text.map_err(|error| Invalid::parse(error.utf8_error()).into())
}

async fn read_csv(
    visit: &Visit<'_>,
    mut field: Field,
    room: &mut usize,
) -> Result<Named, AdminError> {
    let mut reader = CsvReader::new();
    let mut ids = Vec::new();
    let mut named = Named::default();
    while let Some(piece) = next(visit, field.next()).await? {
        take(visit, room, piece.len())?;
        reader.read(&piece, &mut ids);
        if ids.len() >= IDS_AT_ONCE {
            find(visit, &mut ids, &mut named).await?;
        }
    }
    reader.finish(&mut ids);
    find(visit, &mut ids, &mut named).await?;
    Ok(named)
}

/// Takes bytes out of what an upload may have.
fn take(visit: &Visit<'_>, room: &mut usize, bytes: usize) -> Result<(), AdminError> {
    let limit = visit.upload_limit();
    let left = room.checked_sub(bytes);
    *room = left.ok_or(AdminError::UploadTooLarge { limit })?;
    Ok(())
}

/// Finds out whose ids these are.
async fn find(visit: &Visit<'_>, ids: &mut Vec<Id>, named: &mut Named) -> Result<(), AdminError> {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let all = ids.len();
    let known: Vec<String> = ids
        .drain(..)
        .filter_map(|id| match id {
            Id::Known(id) => Some(id),
            Id::Impossible => None,
        })
        .collect();
    for batch in known.chunks(IDS_AT_ONCE) {
        let owners = visit.store().owners_of(visit.project, batch.to_vec());
        let owners = visit.within(owners).await?;
        named.unknown += count(batch.len().saturating_sub(owners.len()));
        named
            .persons
            .extend(owners.into_iter().map(|(_, person)| person));
    }
    named.unknown += count(all - known.len());
    named.received += count(all);
    Ok(())
}

/// Waits for the next piece of a form.
async fn next<T>(
    visit: &Visit<'_>,
    piece: impl Future<Output = Option<Result<T, MultipartError>>>,
) -> Result<Option<T>, AdminError> {
    let waiting = timeout(PATIENCE, piece);
    match timeout_at(visit.deadline.into(), waiting).await {
        Ok(Ok(None)) => Ok(None),
        Ok(Ok(Some(Ok(piece)))) => Ok(Some(piece)),
        Ok(Ok(Some(Err(error)))) => Err(Invalid {
            attr: None,
            code: "parse_error",
            detail: format!("Multipart form parse error - {error}").into(),
        }
        .into()),
        Ok(Err(_)) | Err(_) => Err(AdminError::Other(ApiError::Body(
            crate::body::BodyError::TimedOut,
        ))),
    }
}
