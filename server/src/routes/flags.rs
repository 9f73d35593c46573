//! `/flags` and `/decide` (chapter 3): decode, check, evaluate, write.

pub(super) mod openapi;
#[cfg(test)]
mod tests;

use super::Route;
use super::passage::{Clock, Passage, header, unwritable};
use crate::error::ApiError;
use crate::flags_request::{Endpoint, FlagsQuery, FlagsRequest};
use crate::flags_response::{Envelope, Shape, render, render_minimal};
use crate::middleware::RequestId;
use crate::rate_limit::peek_token;
use crate::remote_config::RemoteConfig;
use crate::state::AppState;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, ORIGIN, REFERER, USER_AGENT,
};
use actix_web::{HttpRequest, HttpResponse, Resource, ResponseError, web};
use burgee_actors::{EvaluateRequest, StageTimer};
use burgee_evaluation::selection::{RequestRuntime, RuntimeHints};
use burgee_evaluation::{Evaluations, Selector};
use chrono::Utc;

/// By which a proxy says that it renamed `/decide`.
const ORIGINAL_ENDPOINT: HeaderName = HeaderName::from_static("x-original-endpoint");

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Adds the methods of one of the two paths.
pub(super) fn register(resource: Resource, route: Route) -> Resource {
    let endpoint = match route {
        Route::Decide => Endpoint::Decide,
        _ => Endpoint::Flags,
    };
    resource
        .route(
            web::post()
                .to(move |request, payload, state| evaluate(endpoint, request, payload, state)),
        )
        .route(web::get().to(move |request| minimal(endpoint, request)))
        .route(web::head().to(|| async { answer(Vec::new()) }))
}

/// Answers a GET: no flags, no token needed (section 3.10).
async fn minimal(endpoint: Endpoint, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let query = FlagsQuery::parse(request.query_string());
    let envelope = Envelope {
        errors_while_computing: false,
        request_id: RequestId::given(&request).0,
        evaluated_at: Utc::now().timestamp_millis(),
        config: None,
    };
    let shape = query.minimal_shape(named_endpoint(endpoint, request.headers()));
    render_minimal(shape, &envelope)
        .map(answer)
        .map_err(|error| unwritable(&error))
}

/// Evaluates, and tells of a request that was slow or over a limit.
async fn evaluate(
    endpoint: Endpoint,
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> HttpResponse {
    let mut passage = Passage::begin(&state, &request);
    let answered = respond(endpoint, payload, &mut passage).await;
    let response = answered.unwrap_or_else(|error| error.error_response());
    let route = match endpoint {
        Endpoint::Flags => Route::Flags,
        Endpoint::Decide => Route::Decide,
    };
    passage.end(route, response)
}

/// Answers. The checks are made in the order of section 3.11.
async fn respond(
    endpoint: Endpoint,
    payload: web::Payload,
    passage: &mut Passage<'_>,
) -> Result<HttpResponse, ApiError> {
    let (state, request) = (passage.state, passage.request);
    let endpoint = named_endpoint(endpoint, request.headers());
    let query = FlagsQuery::parse(request.query_string());
    let address = passage.of_address()?;
    let raw = passage.read(payload).await?;
    passage.of_token(|| peek_token(&raw), address)?;
    let clock = passage.clock();
    passage.refuse_early(|| peek_token(&raw), clock)?;
    let decoded = passage.decode(raw, query.compression, clock, FlagsRequest::parse);
    let mut asked = decoded.await?;
    let token = asked.token.take().ok_or(ApiError::NoToken)?;
    let project = {
        let _timer = StageTimer::start(&mut passage.stages.definitions);
        state.system.project(&token, clock.deadline).await?
    };
    let project = project.ok_or(ApiError::UnknownToken)?;
    passage.stages.project = Some(project.id);
    let evaluations = if asked.disable_flags {
        Evaluations::default()
    } else {
        let question = question(request, &query, asked, clock)?;
        passage.ask(&project, question, clock).await?
    };
    let settings = state.edge.config.remote_config;
    let envelope = Envelope {
        errors_while_computing: evaluations.errors_while_computing,
        request_id: RequestId::given(request).0,
        evaluated_at: clock.now.timestamp_millis(),
        config: query
            .wants_config(endpoint)
            .then(|| RemoteConfig::new(&token, settings)),
    };
    let _timer = StageTimer::start(&mut passage.stages.render);
    write(query.shape(endpoint), &envelope, &evaluations)
}

fn named_endpoint(endpoint: Endpoint, headers: &HeaderMap) -> Endpoint {
    let original = headers.get(&ORIGINAL_ENDPOINT);
    if original.is_some_and(|name| name.as_bytes().eq_ignore_ascii_case(b"decide")) {
        return Endpoint::Decide;
    }
    endpoint
}

fn question(
    request: &HttpRequest,
    query: &FlagsQuery,
    mut asked: FlagsRequest,
    clock: Clock,
) -> Result<EvaluateRequest, ApiError> {
    let distinct_id = asked.distinct_id.take();
    let distinct_id = distinct_id.ok_or(ApiError::MissingDistinctId)?;
    let selector = Selector {
        surveys_only: query.surveys_only,
        runtime: runtime(asked.runtime.as_deref(), request.headers()),
        contexts: std::mem::take(&mut asked.contexts),
        keys: asked.keys.take(),
    };
    Ok(EvaluateRequest {
        selector,
        subject: asked.into_subject(&distinct_id),
        overrides_only: query.overrides_only,
        write_hash_keys: !query.detailed_analysis && !query.overrides_only,
        now: clock.now,
        deadline: clock.deadline,
    })
}

fn runtime(stated: Option<&str>, headers: &HeaderMap) -> RequestRuntime {
    let browser = [&ORIGIN, &REFERER, &SEC_FETCH_MODE, &SEC_FETCH_SITE];
    let hints = RuntimeHints {
        user_agent: header(headers, &USER_AGENT),
        browser_header: browser.into_iter().any(|name| headers.contains_key(name)),
    };
    RequestRuntime::detect(stated, hints)
}

fn write(
    shape: Shape,
    envelope: &Envelope<'_>,
    evaluations: &Evaluations,
) -> Result<HttpResponse, ApiError> {
    render(shape, envelope, evaluations)
        .map(answer)
        .map_err(|error| unwritable(&error))
}

/// The headers of section 3.12: the answer belongs to this person and this moment.
fn answer(body: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, JSON))
        .insert_header((CACHE_CONTROL, NO_STORE))
        .body(body)
}
