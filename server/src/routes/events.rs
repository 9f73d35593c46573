//! The event endpoints of version 0 (section 7.1), and those whose content is of no use here (section 5.4).

pub(super) mod openapi;

use super::Route;
use super::gate::{Gate, OverLimit};
use super::passage::header;
use crate::body::{self, BodyFormat};
use crate::error::CaptureError;
use crate::events::EventsRequest;
use crate::flags_request::FlagsQuery;
use crate::rate_limit::{Traffic, peek_token};
use crate::state::AppState;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use burgee_actors::{Dropped, EventAnswer};
use bytes::Bytes;
use std::time::Instant;

/// Adds the methods of one of the paths.
pub(super) fn register(resource: Resource, route: Route) -> Resource {
    let handler = move |request: HttpRequest, payload: web::Payload, state: web::Data<AppState>| async move {
        let mut gate = Gate::new(&state, Traffic::Events);
        let answered = capture(route, &request, payload, &state, &mut gate).await;
        let mut response = answered.unwrap_or_else(|error| error.text());
        gate.mark(&mut response);
        response
    };
    let resource = resource.route(web::post().to(handler));
    if route.takes_events_by_get() {
        resource.route(web::get().to(handler))
    } else {
        resource
    }
}

/// Adds the methods of a path whose content is dropped.
pub(super) fn register_dropped(resource: Resource) -> Resource {
    resource.route(web::post().to(|| async { json("{}") }))
}

async fn capture(
    route: Route,
    request: &HttpRequest,
    payload: web::Payload,
    state: &AppState,
    gate: &mut Gate<'_>,
) -> Result<HttpResponse, CaptureError> {
    let address = gate.of_address(request)?;
    let (raw, format) = if *request.method() == actix_web::http::Method::GET {
        let query = Bytes::copy_from_slice(request.query_string().as_bytes());
        (query, BodyFormat::of_query())
    } else {
        let raw = read(state, request, payload).await?;
        (raw, format(request))
    };
    gate.of_token(|| peek_token(&raw), address)?;
    let deadline = Instant::now() + state.edge.config.event_timeout;
    let asked = decode(state, raw, format, deadline, EventsRequest::parse).await?;
    let project = state.system.project(asked.token()?, deadline).await?;
    let project = project.ok_or(CaptureError::UnknownToken)?;
    let events = asked.events()?;
    if route == Route::AiBatch {
        state.system.drop_events(Dropped::Ai, events.len());
    } else {
        let answers = state.system.take_events(&project, events, deadline).await;
        if answers.contains(&EventAnswer::Retry) {
            // Those that were stored are known by their uuids when all are sent again.
            return Err(CaptureError::Unavailable);
        }
    }
    Ok(taken(request))
}

impl From<OverLimit> for CaptureError {
    fn from(over: OverLimit) -> Self {
        let OverLimit { retry_after } = over;
        Self::RateLimited { retry_after }
    }
}

/// Says that events were taken; a beacon wants no content.
fn taken(request: &HttpRequest) -> HttpResponse {
    let mut parameters = request.query_string().split('&');
    if parameters.any(|parameter| parameter == "beacon=1") {
        return HttpResponse::NoContent()
            .insert_header((CACHE_CONTROL, "no-store"))
            .finish();
    }
    json(r#"{"status":"Ok"}"#)
}

fn json(body: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(body)
}

fn format(request: &HttpRequest) -> BodyFormat {
    let headers = request.headers();
    BodyFormat::new(
        FlagsQuery::parse(request.query_string()).compression,
        header(headers, &CONTENT_TYPE),
        header(headers, &CONTENT_ENCODING),
    )
}

/// Reads a body.
pub(super) async fn read(
    state: &AppState,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<Bytes, CaptureError> {
    let declared = header(request.headers(), &CONTENT_LENGTH).and_then(|text| text.parse().ok());
    let read = body::read(payload, declared, &state.edge.config.body).await;
    Ok(read.inspect_err(|error| state.edge.metrics.body_failed(error))?)
}

/// Decodes a body.
pub(super) async fn decode<T: Send + 'static>(
    state: &AppState,
    raw: Bytes,
    format: BodyFormat,
    deadline: Instant,
    parse: body::Parse<T>,
) -> Result<T, CaptureError> {
    let edge = &state.edge;
    let limit = edge.config.body.decompressed;
    let decoded = body::decode(raw, format, limit, &edge.large_bodies, deadline, parse);
    Ok(decoded.await.inspect_err(|error| {
        if let body::DecodeError::Body(fault) = error {
            edge.metrics.body_failed(fault);
        }
    })?)
}
