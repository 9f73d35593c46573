//! The one span of a sampled request, and what it says: route, status, times. Never a token, an id of a person or a property.

use super::TraceContext;
use crate::slow::RequestStages;
use actix_web::http::{Method, StatusCode};
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use std::borrow::Cow;
use std::time::{Duration, SystemTime};
use uuid::Uuid;

/// Where a request's time went, left with its answer by the handler.
#[derive(Debug)]
pub struct SpanNotes(pub RequestStages);

/// A sampled request that is not answered yet.
#[derive(Debug)]
pub struct ServerSpan {
    context: TraceContext,
    parent: Option<TraceContext>,
    started: SystemTime,
}

/// What is known of a request at its end.
#[derive(Debug)]
pub struct Answered<'a> {
    /// The pattern of its path.
    pub route: &'static str,
    /// Its method.
    pub method: &'a Method,
    /// The status of the answer.
    pub status: StatusCode,
    /// The id that the answer has.
    pub id: Uuid,
    /// What the handler left.
    pub notes: Option<&'a SpanNotes>,
}

impl ServerSpan {
    /// Begins a span under the caller's, or a trace of its own.
    pub(super) fn begin(parent: Option<TraceContext>) -> Self {
        let context = TraceContext {
            trace: parent.map_or_else(|| rand::random::<u128>().max(1), |parent| parent.trace),
            span: rand::random::<u64>().max(1),
            is_sampled: true,
        };
        Self {
            context,
            parent,
            started: SystemTime::now(),
        }
    }

    /// Returns its own place in the trace: the parent of what is asked of others.
    pub fn context(&self) -> TraceContext {
        self.context
    }

    pub(super) fn end(self, answered: &Answered<'_>) -> SpanData {
        let flags = TraceFlags::SAMPLED;
        let (trace, span) = (self.context.trace, self.context.span);
        let state = TraceState::NONE;
        let context = SpanContext::new(trace.into(), span.into(), flags, false, state);
        let parent = self.parent.map_or(SpanId::INVALID, |it| it.span.into());
        SpanData {
            span_context: context,
            parent_span_id: parent,
            parent_span_is_remote: self.parent.is_some(),
            span_kind: SpanKind::Server,
            name: name(answered),
            start_time: self.started,
            end_time: SystemTime::now(),
            attributes: attributes(answered),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: match answered.status.is_server_error() {
                true => Status::error(""),
                false => Status::Unset,
            },
            instrumentation_scope: InstrumentationScope::builder("burgee")
                .with_version(env!("CARGO_PKG_VERSION"))
                .build(),
        }
    }
}

fn name(answered: &Answered<'_>) -> Cow<'static, str> {
    format!("{} {}", method(answered.method), answered.route).into()
}

/// A client may send any word as a method.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}

fn attributes(answered: &Answered<'_>) -> Vec<KeyValue> {
    let mut attributes = Vec::with_capacity(12);
    let status = answered.status.as_u16();
    attributes.extend([
        KeyValue::new("http.request.method", method(answered.method)),
        KeyValue::new("http.route", answered.route),
        KeyValue::new("http.response.status_code", i64::from(status)),
        KeyValue::new("burgee.request_id", answered.id.to_string()),
    ]);
    if answered.status.is_server_error() {
        attributes.push(KeyValue::new("error.type", status.to_string()));
    }
    let Some(SpanNotes(stages)) = answered.notes else {
        return attributes;
    };
    if let Some(project) = stages.project {
        attributes.push(KeyValue::new("burgee.project_id", project.0));
    }
    for (name, took) in [
        ("burgee.stage.read_us", stages.read),
        ("burgee.stage.decode_us", stages.decode),
        ("burgee.stage.definitions_us", stages.definitions),
        ("burgee.stage.look_up_us", stages.actors.look_up),
        ("burgee.stage.evaluate_us", stages.actors.evaluate),
        ("burgee.stage.render_us", stages.render),
    ] {
        if took > Duration::ZERO {
            let micros = i64::try_from(took.as_micros()).unwrap_or(i64::MAX);
            attributes.push(KeyValue::new(name, micros));
        }
    }
    attributes
}

#[cfg(test)]
mod tests;
