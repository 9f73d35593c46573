//! The queue before an endpoint that takes nothing.

use super::*;
use actix_web::http::{Method, StatusCode};
use std::net::TcpListener;
use uuid::Uuid;

fn tracer(endpoint: &str, ratio: f64) -> Tracer {
    let config = TraceConfig {
        endpoint: endpoint.to_owned(),
        ratio,
        service_name: "test".to_owned(),
    };
    Tracer::start(&config, &mut Registry::default()).unwrap()
}

fn caller(is_sampled: bool) -> Option<TraceContext> {
    Some(TraceContext {
        trace: 1,
        span: 2,
        is_sampled,
    })
}

fn answered() -> Answered<'static> {
    Answered {
        route: "/flags",
        method: &Method::POST,
        status: StatusCode::OK,
        id: Uuid::nil(),
        notes: None,
    }
}

#[test]
fn the_caller_decides_and_chance_where_there_is_none() {
    let never = tracer("http://127.0.0.1:1/v1/traces", 0.0);
    let always = tracer("http://127.0.0.1:1/v1/traces", 1.0);
    for _ in 0..100 {
        assert!(never.begin(None).is_none() && never.begin(caller(true)).is_some());
        assert!(always.begin(None).is_some() && always.begin(caller(false)).is_none());
    }
}

#[test]
fn a_full_queue_drops_and_counts_and_nobody_waits_for_it() {
    // It takes the connection and never answers.
    let endpoint = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/traces", endpoint.local_addr().unwrap());
    let tracer = tracer(&url, 1.0);
    let told = QUEUE * 3;
    for _ in 0..told {
        let span = tracer.begin(caller(true)).unwrap();
        tracer.end(span, &answered());
    }
    let metrics = &tracer.metrics;
    let dropped = metrics.dropped.get();
    let least = u64::try_from(told - QUEUE - BATCH).unwrap();
    assert!(dropped >= least, "{dropped} of {told}");
    // The endpoint would take far longer.
    tracer.finish(Duration::from_millis(50));
}

#[test]
fn what_cannot_be_sent_is_counted() {
    let tracer = tracer("http://127.0.0.1:1/v1/traces", 1.0);
    for _ in 0..3 {
        let span = tracer.begin(None).unwrap();
        tracer.end(span, &answered());
    }
    tracer.finish(TIMEOUT * 4);
    let metrics = &tracer.metrics;
    assert_eq!((metrics.failed.get(), metrics.exported.get()), (3, 0));
    assert_eq!(metrics.waiting.get(), 0);
}

#[test]
fn an_endpoint_that_is_none_is_refused() {
    let config = TraceConfig {
        endpoint: "collector:4318".to_owned(),
        ratio: 1.0,
        service_name: "test".to_owned(),
    };
    let refused = Tracer::start(&config, &mut Registry::default());
    assert!(matches!(refused, Err(TraceError::Endpoint(_))));
}
