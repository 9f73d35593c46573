//! `/ofrep/v1/events`: tells a web page that its flags may be others now (section 8.4). `/flags/definitions/stream`: tells those who
//! evaluate flags themselves the tag of the newest definitions, so that they need not poll.

pub(super) mod openapi;

use super::keyed::Keyed;
use super::ofrep::project_of;
use super::passage::{Passage, header};
use super::query::parameter;
use crate::credential::{Action, Presented, Resource as Scope};
use crate::error::ApiError;
use crate::ofrep::OfrepError;
use crate::state::AppState;
use crate::streams::Told;
use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::{HttpRequest, HttpResponse, Resource, ResponseError, web};
use burgee_actors::ProjectSnapshot;
use burgee_evaluation::ProjectId;
use std::cell::Cell;
use std::future::ready;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// By which a browser that lost its stream says what it was told last.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// When to try again after there was no place.
const NO_PLACE_RETRY: Duration = Duration::from_secs(30);

/// Adds the method of the path.
pub(super) fn register_events(resource: Resource) -> Resource {
    resource.route(web::get().to(events))
}

/// Adds the method of the path of definitions.
pub(super) fn register_definitions(resource: Resource) -> Resource {
    resource.route(web::get().to(definitions))
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

/// Opens a stream for whoever may read the definitions. It is told the newest tag at once, unless it says that it knows it.
async fn definitions(
    request: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let mut passage = Passage::begin(&state, &request);
    passage.of_address()?;
    let deadline = passage.clock().deadline;
    // Before the key is looked up: what changes meanwhile is looked at again.
    let checked = Cell::new(state.system.keys_revision().current());
    let keyed = Keyed::enter(&state, &request, deadline).await?;
    let id = keyed.project_id();
    keyed.key.require(id, Scope::Flags, Action::Read)?;
    let project = keyed.project(&state).await?;
    let known = header(request.headers(), &LAST_EVENT_ID).map(str::to_owned);
    let reader = Rc::new(Reader {
        state: web::Data::clone(&state),
        headers: request.headers().clone(),
        project: id,
        checked,
    });
    listen(&state, &project, known, move |project| {
        Rc::clone(&reader).tell(project)
    })
}

/// Somebody who listens with a key, for as long as the key is good.
struct Reader {
    state: web::Data<AppState>,
    headers: HeaderMap,
    project: ProjectId,
    /// Which state of all keys this one was found in.
    checked: Cell<u64>,
}

impl Reader {
    /// Returns the tag of a state's definitions; `None` when the key is no longer good, or they cannot be had: whoever comes
    /// back is told then.
    async fn tell(self: Rc<Self>, project: Arc<ProjectSnapshot>) -> Option<Told> {
        let deadline = Instant::now() + self.state.edge.live.load().request_timeout;
        if !self.may_still_read(deadline).await {
            return None;
        }
        let document = self.state.system.local_definitions(&project, deadline);
        let document = document.await.ok()??;
        let tag = document.tag();
        Some(Told {
            id: tag.to_owned(),
            // As the header of the definitions has it.
            data: format!(r#"{{"etag":"W/\"{tag}\""}}"#),
        })
    }

    /// Checks the key again after keys have changed. One that cannot be checked is not called wrong.
    async fn may_still_read(&self, deadline: Instant) -> bool {
        let revision = self.state.system.keys_revision().current();
        if revision == self.checked.get() {
            return true;
        }
        let presented = Presented::bearer(&self.headers);
        let key = self.state.credentials.key(presented, deadline).await;
        let checked = key.and_then(|key| key.require(self.project, Scope::Flags, Action::Read));
        match checked {
            Ok(()) => {
                self.checked.set(revision);
                true
            }
            Err(error) => {
                let is_refusal = ApiError::from(error).status_code().is_client_error();
                !is_refusal
            }
        }
    }
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
            status: edge.live.load().overload_status,
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
