//! The event endpoints of version 1 (section 7.2): the token in a header, an answer for each event.

use super::Route;
use super::events::{decode, read};
use super::gate::Gate;
use super::passage::header;
use crate::body::BodyFormat;
use crate::error::CaptureError;
use crate::events::{NumberedEvent, NumberedEvents};
use crate::rate_limit::Traffic;
use crate::state::AppState;
use actix_web::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName,
    RETRY_AFTER,
};
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use burgee_actors::{Dropped, EventAnswer};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Instant;
use utoipa::ToSchema;

/// Names a request over all its repetitions; it is sent back.
const REQUEST_ID: HeaderName = HeaderName::from_static("posthog-request-id");

/// Adds the method of one of the paths.
pub(super) fn register(resource: Resource, route: Route) -> Resource {
    let handler = move |request: HttpRequest, payload: web::Payload, state: web::Data<AppState>| async move {
        let mut gate = Gate::new(&state, Traffic::Events);
        let answered = capture(route, &request, payload, &state, &mut gate).await;
        let mut response = answered.unwrap_or_else(|error| error.json());
        gate.mark(&mut response);
        if let Some(id) = request.headers().get(&REQUEST_ID) {
            response.headers_mut().insert(REQUEST_ID, id.clone());
        }
        response
    };
    resource.route(web::post().to(handler))
}

/// What a client is told about an event.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = EventVerdict)]
struct Verdict {
    /// `ok`; `drop` where it is refused for good; `retry` where it is to be sent again.
    result: &'static str,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    details: Option<&'static str>,
}

const OK: Verdict = Verdict {
    result: "ok",
    details: None,
};
const INVALID: Verdict = Verdict {
    result: "drop",
    details: Some("invalid_event"),
};
const RETRY: Verdict = Verdict {
    result: "retry",
    details: None,
};

/// What became of each event.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventVerdicts)]
pub(super) struct Answer {
    /// By the event's uuid.
    results: BTreeMap<String, Verdict>,
}

async fn capture(
    route: Route,
    request: &HttpRequest,
    payload: web::Payload,
    state: &AppState,
    gate: &mut Gate<'_>,
) -> Result<HttpResponse, CaptureError> {
    let address = gate.of_address(request)?;
    let headers = request.headers();
    let token = token(headers).ok_or(CaptureError::NoToken)?;
    gate.of_token(|| Some(token.as_bytes()), address)?;
    let content_type = header(headers, &CONTENT_TYPE);
    let format = BodyFormat::exact(content_type, header(headers, &CONTENT_ENCODING))?;
    let raw = read(state, request, payload).await?;
    let deadline = Instant::now() + state.edge.config.event_timeout;
    let asked = decode(state, raw, format, deadline, NumberedEvents::parse).await?;
    if asked.0.is_empty() {
        return Err(CaptureError::NoEvents);
    }
    let project = state.system.project(token, deadline).await?;
    let project = project.ok_or(CaptureError::UnknownToken)?;

    let mut results = BTreeMap::new();
    let (mut uuids, mut events) = (Vec::new(), Vec::new());
    for NumberedEvent { uuid, event } in asked.0 {
        match event {
            Some(event) => {
                uuids.push(uuid);
                events.push(event);
            }
            None => drop(results.insert(uuid, INVALID)),
        }
    }
    state.system.drop_events(Dropped::Invalid, results.len());
    let answers = if route == Route::AiEventsV1 {
        state.system.drop_events(Dropped::Ai, events.len());
        vec![EventAnswer::Taken; events.len()]
    } else {
        state.system.take_events(&project, events, deadline).await
    };
    if !answers.is_empty() && answers.iter().all(|answer| *answer == EventAnswer::Retry) {
        return Err(CaptureError::Unavailable);
    }
    let must_retry = answers.contains(&EventAnswer::Retry);
    results.extend(uuids.into_iter().zip(answers.into_iter().map(verdict)));
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, "no-store"));
    if must_retry {
        response.insert_header((RETRY_AFTER, 1));
    }
    Ok(response.json(Answer { results }))
}

const fn verdict(answer: EventAnswer) -> Verdict {
    match answer {
        EventAnswer::Taken => OK,
        EventAnswer::Invalid => INVALID,
        EventAnswer::Retry => RETRY,
    }
}

/// Returns the token of `Authorization: Bearer TOKEN`, if there is anything in it.
fn token(headers: &HeaderMap) -> Option<&str> {
    let token = header(headers, &AUTHORIZATION)?
        .strip_prefix("Bearer ")?
        .trim();
    (!token.is_empty()).then_some(token)
}
