//! What a span says of a request.

use super::*;
use burgee_evaluation::ProjectId;
use opentelemetry::trace::TraceId;

const CALLER: TraceContext = TraceContext {
    trace: 7,
    span: 9,
    is_sampled: true,
};

fn told(parent: Option<TraceContext>, status: StatusCode, notes: Option<&SpanNotes>) -> SpanData {
    ServerSpan::begin(parent).end(&Answered {
        route: "/flags",
        method: &Method::POST,
        status,
        id: Uuid::from_u128(5),
        notes,
    })
}

fn attributes(span: &SpanData) -> Vec<String> {
    let attributes = span.attributes.iter();
    attributes
        .map(|it| format!("{}={}", it.key, it.value))
        .collect()
}

#[test]
fn a_span_hangs_under_its_caller() {
    let span = told(Some(CALLER), StatusCode::OK, None);
    assert_eq!(span.span_context.trace_id(), TraceId::from(7));
    assert_eq!(span.parent_span_id, SpanId::from(9));
    assert!(span.parent_span_is_remote && span.span_context.is_sampled());
    assert_ne!(span.span_context.span_id(), SpanId::from(9));
}

#[test]
fn without_a_caller_a_trace_begins() {
    let (one, two) = (
        told(None, StatusCode::OK, None),
        told(None, StatusCode::OK, None),
    );
    assert_ne!(one.span_context.trace_id(), two.span_context.trace_id());
    assert_eq!(one.parent_span_id, SpanId::INVALID);
}

#[test]
fn route_status_and_stages_are_told() {
    let mut stages = RequestStages {
        project: Some(ProjectId(3)),
        ..RequestStages::default()
    };
    stages.actors.evaluate = Duration::from_micros(120);
    let span = told(None, StatusCode::OK, Some(&SpanNotes(stages)));
    assert_eq!(span.name, "POST /flags");
    assert_eq!(
        attributes(&span),
        [
            "http.request.method=POST",
            "http.route=/flags",
            "http.response.status_code=200",
            "burgee.request_id=00000000-0000-0000-0000-000000000005",
            "burgee.project_id=3",
            "burgee.stage.evaluate_us=120",
        ]
    );
    assert_eq!(span.status, Status::Unset);
}

#[test]
fn a_fault_of_the_server_is_an_error_and_one_of_the_client_is_none() {
    let fault = told(None, StatusCode::SERVICE_UNAVAILABLE, None);
    assert_eq!(fault.status, Status::error(""));
    assert!(attributes(&fault).contains(&"error.type=503".to_owned()));
    assert_eq!(
        told(None, StatusCode::NOT_FOUND, None).status,
        Status::Unset
    );
}
