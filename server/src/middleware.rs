//! What every request passes on its way in and out: whether any are taken, the bound on those under way, CORS, crashes, unread bodies, counters
//! and the access line.
//!
//! One function instead of a stack of layers, so that the order can be read off it. It knows no route's business.

mod request_id;
mod unread_body;

pub use request_id::RequestId;

use crate::cors::{self, Origin};
use crate::error::ApiError;
use crate::metrics::InFlight;
use crate::ofrep::OfrepError;
use crate::routes::{self, Route};
use crate::state::Edge;
use crate::trace::{Answered, ServerSpan, SpanNotes, TraceContext};
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::HeaderName;
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, ResponseError};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::Instrument;
use unread_body::UnreadBody;

/// Under which name an answer has its request's id.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// When to try again after there were too many requests under way.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Handles one request; to be used with `actix_web::middleware::from_fn`, as the outermost layer.
pub async fn edge(
    edge: Arc<Edge>,
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse, Error> {
    let started = Instant::now();
    let route = routes::enter(&mut request, &edge.config.base_path);
    let method = request.method().clone();
    let origin = Origin::of(request.headers());
    let id = RequestId::of(request.headers());
    request.extensions_mut().insert(id);
    let caller = TraceContext::of(request.headers());
    let span = edge.tracer.as_ref().and_then(|tracer| tracer.begin(caller));
    let trace = span.as_ref().map(ServerSpan::context).or(caller);
    if let Some(trace) = trace {
        request.extensions_mut().insert(trace);
    }
    let body = UnreadBody::watch(&mut request);

    let mut answer = if let Some(response) =
        cors::preflight(&method, request.headers(), route.is_admin())
    {
        Ok(request.into_response(response))
    } else if edge.lifecycle.is_starting() && !route.is_operations() {
        Ok(request.into_response(told(route, &ApiError::Starting)))
    } else if let Some(_in_flight) = admit(&edge, route) {
        // The one span of a request; inside, only log lines.
        let trace_id = trace.map(tracing::field::display);
        let lines = tracing::debug_span!("request", %method, route = route.label(), request_id = %id.0, trace_id);
        call(&edge, route, request, next).instrument(lines).await
    } else {
        Ok(request.into_response(told(route, &refusal(&edge))))
    };

    let response = match &mut answer {
        Ok(response) => response.response_mut(),
        Err(response) => response,
    };
    origin.allow(response.headers_mut());
    if edge.lifecycle.is_draining() {
        // Whoever keeps this connection would meet a closed one soon.
        let head = response.head_mut();
        head.set_connection_type(ConnectionType::Close);
    }
    response.headers_mut().insert(REQUEST_ID, id.header());
    let status = response.status();
    if let (Some(tracer), Some(span)) = (&edge.tracer, span) {
        let extensions = response.extensions();
        tracer.end(
            span,
            &Answered {
                route: route.label(),
                method: &method,
                status,
                id: id.0,
                notes: extensions.get::<SpanNotes>(),
            },
        );
    }
    if status != StatusCode::REQUEST_TIMEOUT {
        body.drain(edge.config.body.received).await;
    }
    edge.metrics.received(body.bytes_read());
    edge.metrics
        .answered(route, &method, status, started.elapsed());
    log_access(route, &method, status, started.elapsed(), id, trace);
    answer.map_err(|response| InternalError::from_response("no answer", response).into())
}

/// Takes a place among the requests under way; `None` when all are taken.
///
/// It is given back before unread bodies are drained: refused requests must not keep others out.
fn admit(edge: &Edge, route: Route) -> Option<InFlight> {
    let in_flight = edge.metrics.enter();
    let has_room = in_flight.count <= edge.live.load().max_in_flight;
    (has_room || route.is_operations()).then_some(in_flight)
}

/// Calls the handler. What it leaves without a response of its own becomes one here.
async fn call(
    edge: &Edge,
    route: Route,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse, HttpResponse> {
    // Unwind safe: the request is dropped, and what it shared with others is atomic or behind their own guards.
    let answer = AssertUnwindSafe(async move { next.call(request).await });
    match answer.catch_unwind().await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) => Err(error.error_response()),
        Err(_panic) => {
            // The panic hook has written the message; its payload may hold anything.
            edge.metrics.panicked();
            Err(told(route, &ApiError::Internal))
        }
    }
}

fn refusal(edge: &Edge) -> ApiError {
    ApiError::Busy {
        waited: Duration::ZERO,
        retry_after: RETRY_AFTER,
        status: edge.live.load().overload_status,
    }
}

/// Returns an error in the words of the protocol that the route speaks.
fn told(route: Route, error: &ApiError) -> HttpResponse {
    if route.is_ofrep() {
        OfrepError::from(error.clone()).respond(None)
    } else if route == Route::Payload || route.is_admin() {
        // Their clients read every answer as JSON.
        error.clone().as_json().error_response()
    } else {
        error.error_response()
    }
}

/// The one line a request leaves. Never a token, an id of a person, or a property.
fn log_access(
    route: Route,
    method: &Method,
    status: StatusCode,
    took: Duration,
    id: RequestId,
    trace: Option<TraceContext>,
) {
    let trace_id = trace.map(tracing::field::display);
    let route = route.label();
    let status = status.as_u16();
    let duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    if status >= 500 {
        tracing::info!(target: "burgee::access", %method, route, status, duration_us, request_id = %id.0, trace_id, "answered");
    } else {
        tracing::debug!(target: "burgee::access", %method, route, status, duration_us, request_id = %id.0, trace_id, "answered");
    }
}
