//! A request's way to the evaluators, the same for every protocol: rate limits, body, time limit, question, and what is told
//! of it afterwards. It knows neither what a body says nor what an answer looks like.

#[cfg(test)]
mod tests;

use super::Route;
use super::gate::{Gate, OverLimit};
use crate::body::{self, BodyFormat, Compression, Parse};
use crate::error::ApiError;
use crate::middleware::RequestId;
use crate::rate_limit::Traffic;
use crate::slow::RequestStages;
use crate::state::AppState;
use crate::trace::{SpanNotes, TraceContext};
use actix_web::http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName,
};
use actix_web::{HttpRequest, HttpResponse, web};
use burgee_actors::{EvaluateError, EvaluateRequest, ProjectSnapshot, Stage, StageTimer};
use burgee_evaluation::Evaluations;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// By which a client lowers its own request's time limit, in milliseconds.
const TIMEOUT_HEADER: HeaderName = HeaderName::from_static("x-request-timeout-ms");

/// One request under way.
pub(super) struct Passage<'a> {
    pub(super) state: &'a AppState,
    pub(super) request: &'a HttpRequest,
    /// Where its time went.
    pub(super) stages: RequestStages,
    began: Instant,
    gate: Gate<'a>,
}

impl<'a> Passage<'a> {
    pub(super) fn begin(state: &'a AppState, request: &'a HttpRequest) -> Self {
        Self {
            state,
            request,
            stages: RequestStages::default(),
            began: Instant::now(),
            gate: Gate::new(state, Traffic::Flags),
        }
    }

    /// Passes the limit on addresses.
    pub(super) fn of_address(&mut self) -> Result<IpAddr, ApiError> {
        self.gate.of_address(self.request).map_err(over_limit)
    }

    /// Passes the limit on tokens. The token is looked for only where there is such a limit.
    pub(super) fn of_token<'t>(
        &mut self,
        token: impl FnOnce() -> Option<&'t [u8]>,
        address: IpAddr,
    ) -> Result<(), ApiError> {
        self.gate.of_token(token, address).map_err(over_limit)
    }

    /// Takes the whole body off the wire.
    pub(super) async fn read(&mut self, payload: web::Payload) -> Result<Bytes, ApiError> {
        let _timer = StageTimer::start(&mut self.stages.read);
        let edge = &self.state.edge;
        let declared = header(self.request.headers(), &CONTENT_LENGTH);
        let declared = declared.and_then(|text| text.parse().ok());
        let read = body::read(payload, declared, &edge.config.body).await;
        read.map_err(|error| {
            edge.metrics.body_failed(&error);
            error.into()
        })
    }

    /// Starts the clock of the time limit; to be called when the body is there.
    pub(super) fn clock(&self) -> Clock {
        let started = Instant::now();
        let limit = self.state.edge.live.load().request_timeout;
        Clock {
            now: Utc::now(),
            started,
            deadline: started + time_limit(limit, self.request.headers()),
        }
    }

    /// Decodes the body and reads its text.
    pub(super) async fn decode<T: Send + 'static>(
        &mut self,
        raw: Bytes,
        compression: Compression,
        clock: Clock,
        parse: Parse<T>,
    ) -> Result<T, ApiError> {
        let _timer = StageTimer::start(&mut self.stages.decode);
        let edge = &self.state.edge;
        let headers = self.request.headers();
        let format = BodyFormat::new(
            compression,
            header(headers, &CONTENT_TYPE),
            header(headers, &CONTENT_ENCODING),
        );
        let limit = edge.config.body.decompressed;
        let slots = &edge.large_bodies;
        let decoded = body::decode(raw, format, limit, slots, clock.deadline, parse);
        decoded.await.map_err(|error| {
            if let body::DecodeError::Body(fault) = &error {
                edge.metrics.body_failed(fault);
            }
            if matches!(error, body::DecodeError::Busy) {
                self.state.system.missed_deadline(Stage::Decode);
            }
            let status = edge.live.load().overload_status;
            ApiError::decoding(error, clock.started.elapsed(), status)
        })
    }

    /// Evaluates.
    pub(super) async fn ask(
        &mut self,
        project: &Arc<ProjectSnapshot>,
        question: EvaluateRequest,
        clock: Clock,
    ) -> Result<Evaluations, ApiError> {
        let system = &self.state.system;
        let asked = system.evaluate(project, question, &mut self.stages.actors);
        let asked = asked.await;
        asked.map_err(|error| self.refusal(&error, clock))
    }

    /// Refuses what would only add to a queue that is too long, before it is decoded. The token is looked for only then.
    pub(super) fn refuse_early<'t>(
        &self,
        token: impl FnOnce() -> Option<&'t [u8]>,
        clock: Clock,
    ) -> Result<(), ApiError> {
        let early = self.state.system.refuse_early(token);
        early.map_err(|error| self.refusal(&error, clock))
    }

    fn refusal(&self, error: &EvaluateError, clock: Clock) -> ApiError {
        let status = self.state.edge.live.load().overload_status;
        ApiError::evaluation(error, clock.started.elapsed(), status)
    }

    /// Marks the answer of a request that was over a limit, and tells of one that was slow.
    pub(super) fn end(self, route: Route, mut response: HttpResponse) -> HttpResponse {
        self.gate.mark(&mut response);
        let (took, edge) = (self.began.elapsed(), &self.state.edge);
        if edge.slow.is_slow(took) {
            edge.metrics.was_slow();
            let ids = (
                RequestId::given(self.request),
                TraceContext::given(self.request),
            );
            edge.slow
                .log(route.label(), response.status(), ids, took, &self.stages);
        }
        if edge.tracer.is_some() {
            let notes = SpanNotes(self.stages);
            response.extensions_mut().insert(notes);
        }
        response
    }
}

fn over_limit(over: OverLimit) -> ApiError {
    let OverLimit { retry_after } = over;
    ApiError::RateLimited { retry_after }
}

/// When a request's body was complete, and until when an answer is worth something.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    pub(super) now: DateTime<Utc>,
    pub(super) started: Instant,
    pub(super) deadline: Instant,
}

/// Returns the time limit: the server's, or a shorter one that the client asks for.
fn time_limit(limit: Duration, headers: &HeaderMap) -> Duration {
    header(headers, &TIMEOUT_HEADER)
        .and_then(|wanted| wanted.trim().parse().ok())
        .map_or(limit, |millis| limit.min(Duration::from_millis(millis)))
}

/// Returns a header as text. Texts beyond ASCII are allowed: some user agents have them.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    std::str::from_utf8(headers.get(name)?.as_bytes()).ok()
}

/// Tells the log that an answer could not be written, which nothing in memory gives cause for.
pub(super) fn unwritable(error: &serde_json::Error) -> ApiError {
    tracing::error!(%error, "an answer cannot be written");
    ApiError::Internal
}
