//! `/ofrep/v1/events`: tells a web page that its flags may be others now (section 8.4).

use super::ofrep::project_of;
use super::passage::{Passage, header};
use super::query::parameter;
use crate::credential::Presented;
use crate::error::ApiError;
use crate::ofrep::OfrepError;
use crate::state::AppState;
use crate::streams::Told;
use actix_web::http::header::HeaderName;
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use burgee_actors::ProjectSnapshot;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

/// By which a browser that lost its stream says what it was told last.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// When to try again after there was no place.
const NO_PLACE_RETRY: Duration = Duration::from_secs(30);

/// Adds the method of the path.
pub(super) fn register_events(resource: Resource) -> Resource {
    resource.route(web::get().to(events))
}

async fn events(request: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    let mut passage = Passage::begin(&state, &request);
    let opened = open_events(&mut passage).await;
    opened.unwrap_or_else(|error| OfrepError::from(error).respond(None))
}

/// Opens a stream for whoever has the project's token in the address, where browsers have to put it, or in a header.
async fn open_events(passage: &mut Passage<'_>) -> Result<HttpResponse, ApiError> {
    let (state, request) = (passage.state, passage.request);
    let address = passage.of_address()?;
    let query = request.query_string();
    let token = parameter(query, "token").filter(|token| !token.is_empty());
    let presented = Presented::bearer_or_api_key(request.headers());
    let limited_by = || match (&token, presented) {
        (Some(token), _) => Some(token.as_bytes()),
        (None, presented) => presented.map(Presented::as_bytes),
    };
    passage.of_token(limited_by, address)?;
    let deadline = passage.clock().deadline;
    let project = match (&token, presented) {
        (Some(token), _) => state.system.project(token, deadline).await?,
        (None, Some(presented)) => Some(project_of(state, request, presented, deadline).await?),
        (None, None) => return Err(ApiError::NoCredentials),
    };
    let project = project.ok_or(ApiError::UnknownToken)?;
    let known = header(request.headers(), &LAST_EVENT_ID).map(str::to_owned);
    let known = known.or_else(|| Some(parameter(query, "since")?.into_owned()));
    // Whoever does not say what it knows knows what there is.
    let known = known.unwrap_or_else(|| refetch(&project).id);
    listen(state, &project, Some(known), |project| {
        ready(Some(refetch(&project)))
    })
}

/// Takes a place and opens the stream.
fn listen<F>(
    state: &AppState,
    project: &ProjectSnapshot,
    known: Option<String>,
    tell: impl Fn(Arc<ProjectSnapshot>) -> F + 'static,
) -> Result<HttpResponse, ApiError>
where
    F: Future<Output = Option<Told>> + 'static,
{
    let edge = &state.edge;
    let place = edge.streams.enter(project.id).map_err(|refusal| {
        tracing::debug!(project = project.id.0, %refusal, "no stream is opened");
        ApiError::Busy {
            waited: Duration::ZERO,
            retry_after: NO_PLACE_RETRY,
            status: edge.config.overload_status,
        }
    })?;
    let follow = state.system.follow(project.id);
    let follow = follow.ok_or(ApiError::UnknownToken)?;
    Ok(place.listen(follow, known, tell))
}

fn refetch(project: &ProjectSnapshot) -> Told {
    let revision = project.revision;
    Told {
        id: revision.content.to_string(),
        data: format!(r#"{{"type":"refetchEvaluation","etag":"{revision}"}}"#),
    }
}
