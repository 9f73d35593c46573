//! Traces: what an OTLP endpoint is told of a request, and what log lines say.

use burgee_integration_tests::deadline::{PATIENCE, eventually};
use burgee_integration_tests::http::Request;
use burgee_integration_tests::{
    FlagBuilder, Kind, ProjectBuilder, ServerBuilder, TestServer, filter,
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value as Any};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// Takes what is exported, as an OTLP collector would.
struct Collector {
    url: String,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let taken = Arc::clone(&bodies);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if let Some(body) = stream.ok().and_then(take) {
                    taken.lock().unwrap().push(body);
                }
            }
        });
        Self { url, bodies }
    }

    fn requests(&self) -> Vec<ExportTraceServiceRequest> {
        let bodies = self.bodies.lock().unwrap();
        let decode = |body: &Vec<u8>| ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
        bodies.iter().map(decode).collect()
    }

    fn spans(&self) -> Vec<Span> {
        let requests = self.requests().into_iter();
        let resources = requests.flat_map(|request| request.resource_spans);
        let scopes = resources.flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }
}

/// Answers one request; returns its body when it is a well-formed export.
fn take(mut stream: TcpStream) -> Option<Vec<u8>> {
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let head = head.to_lowercase();
    assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
    assert!(
        head.contains("content-type: application/x-protobuf"),
        "{head}"
    );
    let length = head
        .split("content-length: ")
        .nth(1)?
        .lines()
        .next()?
        .parse()
        .ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .ok()?;
    Some(body)
}

fn attribute(attributes: &[KeyValue], key: &str) -> Option<Value> {
    let found = attributes.iter().find(|it| it.key == key)?;
    Some(match found.value.clone()?.value? {
        Any::StringValue(text) => json!(text),
        Any::IntValue(number) => json!(number),
        other => panic!("{key}: {other:?}"),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn server() -> ServerBuilder {
    let when = filter::person("plan", "exact", "secret-plan");
    let file = ProjectBuilder::new()
        .flag(FlagBuilder::new("stored").id(1).when(when))
        .person(&["maria"], json!({"plan": "secret-plan"}))
        .file();
    TestServer::on(Kind::Sqlite).project(&file)
}

fn ask(flags: &str) -> Request {
    let body = json!({"token": "phc_local_dev", "distinct_id": "maria", "person_properties": {"city": "secret-city"}});
    let request = Request::post("/flags?v=2").json(&body);
    request.header("traceparent", &format!("00-{TRACE}-{CALLER}-{flags}"))
}

#[test]
fn a_sampled_request_arrives_with_its_trace_and_nothing_about_anybody() {
    let collector = Collector::start();
    let server = server()
        .args(&["--otlp-endpoint", &collector.url, "--otlp-sample-ratio=0"])
        .args(&["--otlp-service-name", "flags-here"])
        .start();
    assert_eq!(server.send(&ask("00")).status, 200);
    assert_eq!(server.get("/_readiness").status, 200);
    let answer = server.send(&ask("01"));
    assert_eq!(answer.json()["flags"]["stored"]["enabled"], true);
    let span = eventually("the span", || collector.spans().into_iter().next());
    assert_eq!(hex(&span.trace_id), TRACE);
    assert_eq!(hex(&span.parent_span_id), CALLER);
    assert_eq!(span.span_id.len(), 8);
    assert_ne!(hex(&span.span_id), CALLER);
    assert_eq!(span.name, "POST /flags");
    assert_eq!(span.kind, 2, "a server's");
    assert!(span.end_time_unix_nano > span.start_time_unix_nano);
    let told = |key| attribute(&span.attributes, key);
    assert_eq!(told("http.route"), Some(json!("/flags")));
    assert_eq!(told("http.request.method"), Some(json!("POST")));
    assert_eq!(told("http.response.status_code"), Some(json!(200)));
    assert_eq!(told("burgee.project_id"), Some(json!(1)));
    assert_eq!(
        told("burgee.request_id"),
        Some(answer.json()["requestId"].clone())
    );
    assert!(told("burgee.stage.evaluate_us").is_some());
    let resource = collector.requests()[0].resource_spans[0]
        .resource
        .clone()
        .unwrap();
    let service = attribute(&resource.attributes, "service.name");
    assert_eq!(service, Some(json!("flags-here")));
    server.stop();
    assert_eq!(collector.spans().len(), 1, "the others were not sampled");
    let bodies = collector.bodies.lock().unwrap();
    let sent = String::from_utf8_lossy(&bodies.concat()).into_owned();
    for private in ["phc_local_dev", "maria", "secret-plan", "secret-city"] {
        assert!(!sent.contains(private), "{private}");
    }
}

#[test]
fn chance_decides_for_those_without_a_caller_and_a_stop_sends_what_waits() {
    let collector = Collector::start();
    let server = server()
        .args(&["--otlp-endpoint", &collector.url, "--otlp-sample-ratio=1"])
        .start();
    assert_eq!(server.get("/nowhere").status, 404);
    assert_eq!(server.send(&ask("00")).status, 200);
    server.stop();
    let spans = collector.spans();
    let lost = spans
        .iter()
        .find(|span| span.name == "GET unmatched")
        .unwrap();
    assert!(lost.parent_span_id.is_empty() && lost.trace_id.len() == 16);
    assert!(
        !spans.iter().any(|span| span.name == "POST /flags"),
        "its caller does not keep it"
    );
}

#[test]
fn what_becomes_of_spans_is_counted_and_a_collector_that_is_away_harms_nobody() {
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let server = server()
        .args(&["--otlp-endpoint", &format!("http://{nobody}")])
        .arg("--otlp-sample-ratio=0")
        .start();
    assert_eq!(server.send(&ask("01")).status, 200);
    eventually("the count", || {
        let text = server.get("/metrics").text();
        text.contains("burgee_trace_spans_total{outcome=\"failed\"} 1\n")
            .then_some(())
    });
    server.stop();
}

#[test]
fn log_lines_have_the_trace() {
    let server = server()
        .args(&["--log-level=info,burgee=debug", "--slow-request-ms=1"])
        .start();
    assert_eq!(server.send(&ask("00")).status, 200);
    let access = server.wait_for_line("the access line", |line| {
        line["target"] == "burgee::access" && line["route"] == "/flags"
    });
    assert_eq!(access["trace_id"], TRACE);
    // A debug build is slow enough, sooner or later.
    let slow = eventually("a slow request", || {
        assert_eq!(server.send(&ask("01")).status, 200);
        let log = server.log();
        let mut lines = log
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.find(|line| line["target"] == "burgee::slow")
    });
    assert_eq!(slow["trace_id"], TRACE);
    let plain =
        Request::post("/flags?v=2").json(&json!({"token": "phc_local_dev", "distinct_id": "u"}));
    let id = "3f0e8a52-5e0b-4f0e-9d39-0f3a2f6f0b11";
    server.send(
        &plain
            .header("traceparent", "00-nonsense")
            .header("X-Request-Id", id),
    );
    let line = server.wait_for_line("its line", |line| line["request_id"] == id);
    assert!(line.get("trace_id").is_none(), "{line}");
}
