//! `/flags` and `/decide` (chapter 3): decode, check, evaluate, write.

#[cfg(test)]
mod tests;

use super::Route;
use crate::body::{self, BodyFormat};
use crate::client_address::client_address;
use crate::error::ApiError;
use crate::flags_request::{Endpoint, FlagsQuery, FlagsRequest};
use crate::flags_response::{Envelope, Shape, render, render_minimal};
use crate::middleware::RequestId;
use crate::rate_limit::{Limit, Verdict, peek_token};
use crate::remote_config::RemoteConfig;
use crate::slow::RequestStages;
use crate::state::{AppState, Edge};
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue, ORIGIN, REFERER, USER_AGENT,
};
use actix_web::{HttpRequest, HttpResponse, Resource, ResponseError, web};
use burgee_actors::{EvaluateRequest, ProjectSnapshot, Stage, StageTimer, Stages};
use burgee_evaluation::selection::{RequestRuntime, RuntimeHints};
use burgee_evaluation::{Evaluations, Selector};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// By which a client lowers its own request's time limit, in milliseconds.
const TIMEOUT_HEADER: HeaderName = HeaderName::from_static("x-request-timeout-ms");

/// By which a proxy says that it renamed `/decide`.
const ORIGINAL_ENDPOINT: HeaderName = HeaderName::from_static("x-original-endpoint");

/// Says that a request was let through although it was over a limit (section 3.12).
const RATE_LIMIT_WARNING: HeaderName = HeaderName::from_static("x-posthog-rate-limit-warning");

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
    let started = Instant::now();
    let mut stages = RequestStages::default();
    let mut passage = Passage::default();
    let answered = respond(
        endpoint,
        &request,
        payload,
        &state,
        &mut stages,
        &mut passage,
    );
    let mut response = answered.await.unwrap_or_else(|e| e.error_response());
    if passage.is_over {
        let warning = HeaderValue::from_static("true");
        response.headers_mut().insert(RATE_LIMIT_WARNING, warning);
    }
    let (took, edge) = (started.elapsed(), &state.edge);
    if edge.slow.is_slow(took) {
        edge.metrics.was_slow();
        let id = RequestId::given(&request);
        let route = match endpoint {
            Endpoint::Flags => Route::Flags,
            Endpoint::Decide => Route::Decide,
        };
        edge.slow
            .log(route.label(), response.status(), id, took, &stages);
    }
    response
}

/// Answers. The checks are made in the order of section 3.11.
async fn respond(
    endpoint: Endpoint,
    request: &HttpRequest,
    payload: web::Payload,
    state: &AppState,
    stages: &mut RequestStages,
    passage: &mut Passage,
) -> Result<HttpResponse, ApiError> {
    let endpoint = named_endpoint(endpoint, request.headers());
    let query = FlagsQuery::parse(request.query_string());
    let address = passage.of_address(state, request)?;
    let raw = {
        let _timer = StageTimer::start(&mut stages.read);
        read(state, request, payload).await?
    };
    passage.of_token(state, &raw, address)?;
    let clock = Clock::start(state, request.headers());
    let mut asked = {
        let _timer = StageTimer::start(&mut stages.decode);
        decode(state, request, &query, raw, clock).await?
    };
    let token = asked.token.take().ok_or(ApiError::NoToken)?;
    let project = {
        let _timer = StageTimer::start(&mut stages.definitions);
        state.system.project(&token, clock.deadline).await?
    };
    let project = project.ok_or(ApiError::UnknownToken)?;
    stages.project = Some(project.id);
    let evaluations = if asked.disable_flags {
        Evaluations::default()
    } else {
        let question = question(request, &query, asked, clock)?;
        ask(state, &project, question, clock, &mut stages.actors).await?
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
    let _timer = StageTimer::start(&mut stages.render);
    write(query.shape(endpoint), &envelope, &evaluations)
}

/// A request's way past the rate limits: first that of its address, then that of its token.
#[derive(Default)]
struct Passage {
    /// Whether it was over a limit and let through.
    is_over: bool,
}

impl Passage {
    fn of_address(&mut self, state: &AppState, request: &HttpRequest) -> Result<IpAddr, ApiError> {
        let edge = &state.edge;
        let peer = request.peer_addr().map(|peer| peer.ip());
        let address = client_address(peer, request.headers(), &edge.config.trusted_proxies);
        self.note(edge, Limit::Address, edge.rate_limits.address(address))?;
        Ok(address)
    }

    fn of_token(&mut self, state: &AppState, raw: &[u8], address: IpAddr) -> Result<(), ApiError> {
        let edge = &state.edge;
        if !edge.rate_limits.limits_tokens() {
            return Ok(());
        }
        let verdict = edge.rate_limits.token(peek_token(raw), address);
        self.note(edge, Limit::Token, verdict)
    }

    fn note(&mut self, edge: &Edge, limit: Limit, verdict: Verdict) -> Result<(), ApiError> {
        match verdict {
            Verdict::Within => Ok(()),
            Verdict::Over => {
                edge.metrics.rate_limited(limit, false);
                self.is_over = true;
                Ok(())
            }
            Verdict::Refused { retry_after } => {
                edge.metrics.rate_limited(limit, true);
                Err(ApiError::RateLimited { retry_after })
            }
        }
    }
}

/// When a request's body was complete, and until when an answer is worth something.
#[derive(Clone, Copy)]
struct Clock {
    now: DateTime<Utc>,
    started: Instant,
    deadline: Instant,
}

impl Clock {
    fn start(state: &AppState, headers: &HeaderMap) -> Self {
        let started = Instant::now();
        Self {
            now: Utc::now(),
            started,
            deadline: started + time_limit(state.edge.config.request_timeout, headers),
        }
    }
}

/// Returns the time limit: the server's, or a shorter one that the client asks for.
fn time_limit(limit: Duration, headers: &HeaderMap) -> Duration {
    header(headers, &TIMEOUT_HEADER)
        .and_then(|wanted| wanted.trim().parse().ok())
        .map_or(limit, |millis| limit.min(Duration::from_millis(millis)))
}

fn named_endpoint(endpoint: Endpoint, headers: &HeaderMap) -> Endpoint {
    let original = headers.get(&ORIGINAL_ENDPOINT);
    if original.is_some_and(|name| name.as_bytes().eq_ignore_ascii_case(b"decide")) {
        return Endpoint::Decide;
    }
    endpoint
}

/// Returns a header's value.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    // Texts beyond ASCII are allowed: some user agents have them.
    std::str::from_utf8(headers.get(name)?.as_bytes()).ok()
}

async fn read(
    state: &AppState,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<Bytes, ApiError> {
    let declared = header(request.headers(), &CONTENT_LENGTH).and_then(|text| text.parse().ok());
    let read = body::read(payload, declared, &state.edge.config.body).await;
    read.map_err(|error| {
        state.edge.metrics.body_failed(&error);
        error.into()
    })
}

async fn decode(
    state: &AppState,
    request: &HttpRequest,
    query: &FlagsQuery,
    raw: Bytes,
    clock: Clock,
) -> Result<FlagsRequest, ApiError> {
    let edge = &state.edge;
    let headers = request.headers();
    let format = BodyFormat::new(
        query.compression,
        header(headers, &CONTENT_TYPE),
        header(headers, &CONTENT_ENCODING),
    );
    let limit = edge.config.body.decompressed;
    let slots = &edge.large_bodies;
    let decoded = body::decode(
        raw,
        format,
        limit,
        slots,
        clock.deadline,
        FlagsRequest::parse,
    );
    decoded.await.map_err(|error| {
        if let body::DecodeError::Body(fault) = &error {
            edge.metrics.body_failed(fault);
        }
        if matches!(error, body::DecodeError::Busy) {
            state.system.missed_deadline(Stage::Decode);
        }
        ApiError::decoding(error, clock.started.elapsed(), edge.config.overload_status)
    })
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

async fn ask(
    state: &AppState,
    project: &Arc<ProjectSnapshot>,
    question: EvaluateRequest,
    clock: Clock,
    stages: &mut Stages,
) -> Result<Evaluations, ApiError> {
    let asked = state.system.evaluate(project, question, stages).await;
    asked.map_err(|error| {
        let status = state.edge.config.overload_status;
        ApiError::evaluation(&error, clock.started.elapsed(), status)
    })
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

fn unwritable(error: &serde_json::Error) -> ApiError {
    tracing::error!(%error, "an answer cannot be written");
    ApiError::Internal
}

/// The headers of section 3.12: the answer belongs to this person and this moment.
fn answer(body: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, JSON))
        .insert_header((CACHE_CONTROL, NO_STORE))
        .body(body)
}
