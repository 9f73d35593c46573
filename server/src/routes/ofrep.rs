//! `/ofrep/v1/evaluate/flags` (chapter 8): the same questions as `/flags`, asked in the words of OpenFeature.

pub(super) mod openapi;
#[cfg(test)]
mod tests;

use super::Route;
use super::passage::{Clock, Passage, unwritable};
use super::query::{self, parameter};
use crate::body::{Compression, percent};
use crate::conditional::is_known;
use crate::credential::{Action, Caller, Presented, Resource as Scope};
use crate::error::ApiError;
use crate::flags_request::FlagsRequest;
use crate::ofrep::{self, Endpoint, EventStream, FlagSet, OfrepError};
use crate::state::AppState;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use burgee_actors::{EvaluateRequest, ProjectSnapshot, Revision, StageTimer, tag_of};
use burgee_evaluation::selection::{RequestRuntime, RuntimeHints};
use burgee_evaluation::{Evaluations, Selector};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// By which a key with several projects would say which one it means; ours have one, and it has to be that.
const PROJECT_TOKEN: HeaderName = HeaderName::from_static("x-posthog-project-api-key");

/// The query parameter by which a client says which definitions it was told of.
const TOLD_OF: &str = "flagConfigEtag";

/// How long such a request waits, at most, for definitions that another instance already has.
const CATCH_UP: Duration = Duration::from_secs(1);

/// For how long a page may be hidden before it gives up its stream, in seconds.
const INACTIVITY_SECONDS: u32 = 120;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Adds the method of the path of one flag.
pub(super) fn register_one(resource: Resource) -> Resource {
    resource.route(web::post().to(one))
}

/// Adds the method of the path of all flags.
pub(super) fn register_all(resource: Resource) -> Resource {
    resource.route(web::post().to(all))
}

async fn one(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> HttpResponse {
    let key = key_of(request.uri().path());
    let mut passage = Passage::begin(&state, &request);
    let answered = evaluate_one(&key, payload, &mut passage).await;
    let response = answered.unwrap_or_else(|error| error.respond(Some(&key)));
    passage.end(Route::OfrepFlag, response)
}

async fn all(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> HttpResponse {
    let mut passage = Passage::begin(&state, &request);
    let answered = evaluate_all(payload, &mut passage).await;
    let response = answered.unwrap_or_else(|error| error.respond(None));
    passage.end(Route::OfrepFlags, response)
}

async fn evaluate_one(
    key: &str,
    payload: web::Payload,
    passage: &mut Passage<'_>,
) -> Result<HttpResponse, OfrepError> {
    let (project, asked, clock) = understand(payload, passage).await?;
    let definitions = &project.definitions;
    let keys = Some(vec![key.to_owned()]);
    let (selector, question) = question(asked?, keys, clock);
    let evaluations = if definitions.flag(key).is_some() {
        passage.ask(&project, question, clock).await?
    } else {
        Evaluations::default()
    };
    let _timer = StageTimer::start(&mut passage.stages.render);
    let flag = definitions
        .report_one(&selector, &evaluations, key)
        .ok_or(OfrepError::FlagNotFound)?;
    if flag.failed() {
        return Err(OfrepError::FlagFailed(flag.description()));
    }
    let body = ofrep::write_one(&flag).map_err(|error| unwritable(&error))?;
    Ok(answer().body(body))
}

async fn evaluate_all(
    payload: web::Payload,
    passage: &mut Passage<'_>,
) -> Result<HttpResponse, OfrepError> {
    let (project, asked, clock) = understand(payload, passage).await?;
    let (selector, question) = question(asked?, None, clock);
    let project = caught_up(project, passage, clock).await;
    let definitions = &project.definitions;
    let evaluations = passage.ask(&project, question, clock).await?;
    let _timer = StageTimer::start(&mut passage.stages.render);
    let set = FlagSet {
        project: &project.id.0.to_string(),
        version: &project.revision.content.to_string(),
    };
    let stream = event_stream(passage.state, &project);
    let flags = definitions.report(&selector, &evaluations);
    let body = ofrep::write_all(flags, definitions.len(), set, stream.as_ref())
        .map_err(|error| unwritable(&error))?;
    let tag = tag_of(&body);
    let quoted = format!("\"{tag}\"");
    if is_known(passage.request.headers(), &tag) {
        return Ok(HttpResponse::NotModified()
            .insert_header((ETAG, quoted))
            .insert_header((CACHE_CONTROL, NO_STORE))
            .finish());
    }
    Ok(answer().insert_header((ETAG, quoted)).body(body))
}

/// Finds out who asks and what for. The body is read only for somebody who may ask.
async fn understand(
    payload: web::Payload,
    passage: &mut Passage<'_>,
) -> Result<(Arc<ProjectSnapshot>, ofrep::Asked, Clock), ApiError> {
    let address = passage.of_address()?;
    let presented = Presented::bearer_or_api_key(passage.request.headers());
    let presented = presented.ok_or(ApiError::NoCredentials)?;
    passage.of_token(|| Some(presented.as_bytes()), address)?;
    let project = {
        let deadline = passage.clock().deadline;
        let _timer = StageTimer::start(&mut passage.stages.definitions);
        project_of(passage.state, passage.request, presented, deadline).await?
    };
    passage.stages.project = Some(project.id);
    let raw = passage.read(payload).await?;
    let clock = passage.clock();
    let asked = passage.decode(raw, Compression::Unstated, clock, ofrep::context::read);
    let asked = asked.await?;
    Ok((project, asked, clock))
}

/// Returns the project of whoever asks.
pub(super) async fn project_of(
    state: &AppState,
    request: &HttpRequest,
    presented: Presented<'_>,
    deadline: Instant,
) -> Result<Arc<ProjectSnapshot>, ApiError> {
    let system = &state.system;
    let caller = state.credentials.caller(system, Some(presented), deadline);
    let key = match caller.await? {
        Caller::Token(project) => return Ok(project),
        Caller::Key(key) => key,
    };
    key.require(key.project(), Scope::Flags, Action::Read)?;
    let project = system.project_by_id(key.project(), deadline).await?;
    let project = project.ok_or_else(|| key.unknown())?;
    let meant = request.headers().get(PROJECT_TOKEN);
    if meant.is_some_and(|token| token.as_bytes() != project.token.as_bytes()) {
        return Err(key.unknown().into());
    }
    Ok(project)
}

/// Returns the project as the instance has it that told the client to ask again, if that is soon enough.
async fn caught_up(
    project: Arc<ProjectSnapshot>,
    passage: &Passage<'_>,
    clock: Clock,
) -> Arc<ProjectSnapshot> {
    let query = passage.request.query_string();
    let Some(asked) = parameter(query, TOLD_OF).and_then(|told| told.parse::<Revision>().ok())
    else {
        return project;
    };
    // Half of the time is left for the evaluation.
    let left = clock.deadline.saturating_duration_since(clock.started);
    let deadline = clock.started + CATCH_UP.min(left / 2);
    passage.state.system.reached(project, asked, deadline).await
}

/// Returns the question, and what it asks for.
fn question(
    mut asked: FlagsRequest,
    keys: Option<Vec<String>>,
    clock: Clock,
) -> (Selector, EvaluateRequest) {
    // Nothing is read from headers: providers run anywhere.
    let stated = asked.runtime.as_deref().unwrap_or("all");
    let selector = Selector {
        surveys_only: false,
        runtime: RequestRuntime::detect(Some(stated), RuntimeHints::default()),
        contexts: std::mem::take(&mut asked.contexts),
        keys,
    };
    let distinct_id = asked.distinct_id.take().unwrap_or_default();
    let question = EvaluateRequest {
        selector: selector.clone(),
        subject: asked.into_subject(&distinct_id),
        overrides_only: false,
        write_hash_keys: true,
        now: clock.now,
        deadline: clock.deadline,
    };
    (selector, question)
}

/// Returns the flag's key from a path. Some clients encode it and some do not.
fn key_of(path: &str) -> Cow<'_, str> {
    let key = path.strip_prefix(Route::OfrepFlags.label());
    let key = key.and_then(|key| key.strip_prefix('/')).unwrap_or(path);
    let key = key.strip_suffix('/').unwrap_or(key);
    match percent::decode(key.as_bytes()) {
        Cow::Borrowed(_) => key.into(),
        Cow::Owned(decoded) => match String::from_utf8(decoded) {
            Ok(key) => key.into(),
            Err(broken) => String::from_utf8_lossy(broken.as_bytes())
                .into_owned()
                .into(),
        },
    }
}

/// Returns where this project's changes are told, if they are. It says from which state on: whoever comes late misses none.
fn event_stream(state: &AppState, project: &ProjectSnapshot) -> Option<EventStream> {
    if !state.edge.streams.are_on() {
        return None;
    }
    let config = &state.edge.config;
    let base = config.public_url.as_deref().unwrap_or(&config.base_path);
    let address = format!(
        "{base}{}?token={}&since={}",
        Route::OfrepEvents.label(),
        query::encode(&project.token),
        project.revision.content,
    );
    let (url, endpoint) = match config.public_url {
        Some(_) => (Some(address), None),
        None => {
            let request_uri = address;
            (None, Some(Endpoint { request_uri }))
        }
    };
    Some(EventStream {
        r#type: "sse",
        url,
        endpoint,
        inactivity_delay_seconds: INACTIVITY_SECONDS,
    })
}

fn answer() -> actix_web::HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, JSON))
        .insert_header((CACHE_CONTROL, NO_STORE));
    response
}
