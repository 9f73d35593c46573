//! Every error a client can cause on `/flags`: status, kind and exact words (http-api 3.11 and chapter 2), and what
//! an early answer does to the connection.

use burgee_integration_tests::http::Request;
use burgee_integration_tests::{FlagBuilder, Kind, ProjectBuilder, TestServer};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::Write as _;

on_both_databases!(every_error_has_its_words);

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const NO_DISTINCT_ID: &str =
    "The distinct_id field is missing from the request. Please include a valid identifier.";

fn server(kind: Kind) -> TestServer {
    let file = ProjectBuilder::new().flag(FlagBuilder::new("on")).file();
    TestServer::on(kind).project(&file).start()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn decoding(why: &str) -> String {
    format!("Failed to decode request: {why}. Please check your request format and try again.")
}

fn post(content_type: &str, body: impl Into<Vec<u8>>) -> Request {
    Request::post("/flags?v=2")
        .header("Content-Type", content_type)
        .body(body)
}

/// A request and the text it is refused with, with status 400.
fn bad_requests() -> Vec<(&'static str, Request, String)> {
    let invalid = decoding("invalid JSON");
    let good = json!({"token": "phc_local_dev", "distinct_id": "u"}).to_string();
    let with = |member: &str, value: Value| {
        let mut body = json!({"token": "phc_local_dev", "distinct_id": "u"});
        body[member] = value;
        post(JSON, body.to_string())
    };
    let deep = format!(
        "{{\"token\":\"phc_local_dev\",\"distinct_id\":\"u\",\"x\":{}1{}}}",
        "[".repeat(200),
        "]".repeat(200)
    );
    vec![
        ("empty", post(JSON, ""), invalid.clone()),
        (
            "no body at all",
            Request::post("/flags?v=2").header("Content-Length", "0"),
            invalid.clone(),
        ),
        ("not JSON", post(JSON, "{token"), invalid.clone()),
        ("a list", post(JSON, "[]"), invalid.clone()),
        ("a word", post(JSON, "null"), invalid.clone()),
        (
            "token of a wrong type",
            with("token", json!(5)),
            invalid.clone(),
        ),
        (
            "distinct_id of a wrong type",
            with("distinct_id", json!(true)),
            invalid.clone(),
        ),
        (
            "distinct_id as a list",
            with("distinct_id", json!([1])),
            invalid.clone(),
        ),
        (
            "groups of a wrong type",
            with("groups", json!("acme")),
            invalid.clone(),
        ),
        (
            "flag_keys of a wrong type",
            with("flag_keys", json!("all")),
            invalid.clone(),
        ),
        (
            "person_properties of a wrong type",
            with("person_properties", json!([])),
            invalid.clone(),
        ),
        (
            "too deep",
            post(JSON, deep),
            decoding("JSON nesting too deep"),
        ),
        (
            "unknown compression",
            Request::post("/flags?v=2&compression=lz64").json(&json!({})),
            decoding("Unsupported compression type"),
        ),
        (
            "unknown content type",
            post("application/xml; charset=utf-8", good.clone()),
            decoding("unsupported content type: application/xml"),
        ),
        (
            "a form with gzip",
            Request::post("/flags?v=2&compression=gzip")
                .header("Content-Type", "application/x-www-form-urlencoded")
                .body(gzip(good.as_bytes())),
            decoding("Gzip compression not supported for form-urlencoded data"),
        ),
        (
            "a form that is not base64 of JSON",
            post("application/x-www-form-urlencoded", "data=%21%21%21"),
            decoding("invalid JSON structure"),
        ),
        (
            "no distinct_id",
            post(JSON, r#"{"token": "phc_local_dev"}"#),
            NO_DISTINCT_ID.to_owned(),
        ),
        (
            "distinct_id null",
            post(JSON, r#"{"api_key": "phc_local_dev", "distinct_id": null}"#),
            NO_DISTINCT_ID.to_owned(),
        ),
    ]
}

/// A request and the code and detail of its 401.
fn unauthenticated() -> [(&'static str, Request, Value); 6] {
    let absent = json!({
        "type": "authentication_error", "code": "not_authenticated", "attr": null,
        "detail": "No API token provided. Please include a valid API token in your request.",
    });
    let unknown = json!({
        "type": "authentication_error", "code": "authentication_failed", "attr": null,
        "detail": "The provided API key is invalid or has expired. Please check your API key and try again.",
    });
    [
        (
            "no token",
            post(JSON, r#"{"distinct_id": "u"}"#),
            absent.clone(),
        ),
        (
            "neither token nor distinct_id",
            post(JSON, "{}"),
            absent.clone(),
        ),
        (
            "an empty token",
            post(JSON, r#"{"token": "", "distinct_id": "u"}"#),
            absent,
        ),
        (
            "an unknown token",
            post(JSON, r#"{"token": "phc_nobody", "distinct_id": "u"}"#),
            unknown.clone(),
        ),
        (
            "an unknown token, no distinct_id",
            post(JSON, r#"{"token": "phc_nobody"}"#),
            unknown.clone(),
        ),
        (
            "an unknown token, flags disabled",
            post(JSON, r#"{"$token": "phc_nobody", "disable_flags": true}"#),
            unknown,
        ),
    ]
}

fn every_error_has_its_words(kind: Kind) {
    let server = server(kind);
    for (what, request, text) in bad_requests() {
        let answer = server.send(&request);
        assert_eq!((answer.status, answer.text()), (400, text), "{what}");
        assert_eq!(answer.header("content-type"), Some(TEXT), "{what}");
    }
    for (what, request, body) in unauthenticated() {
        let answer = server.send(&request);
        assert_eq!((answer.status, answer.json()), (401, body), "{what}");
        assert_eq!(answer.header("content-type"), Some(JSON), "{what}");
    }
    let broken = [
        post(JSON, b"\x1f\x8b\x08\0broken".to_vec()),
        Request::post("/flags?v=2&compression=gzip").body("plain"),
        post(JSON, "plain").header("Content-Encoding", "gzip"),
    ];
    for request in broken {
        let answer = server.send(&request);
        let text = answer.text();
        assert_eq!(answer.status, 400, "{text}");
        assert!(
            text.starts_with("Failed to decode request: gzip decompression failed: "),
            "{text}"
        );
        assert!(
            text.ends_with(". Please check your request format and try again."),
            "{text}"
        );
    }
    assert_eq!(
        server.flags(1, &json!({"token": "phc_local_dev", "distinct_id": "u"}))["featureFlags"]["on"],
        true
    );
}

#[test]
fn disabled_flags_need_no_distinct_id() {
    let server = server(Kind::Sqlite);
    let answer = server.flags(2, &json!({"token": "phc_local_dev", "disable_flags": true}));
    assert_eq!(answer["flags"], json!({}));
    assert_eq!(answer["errorsWhileComputingFlags"], false);
}

#[test]
fn names_of_one_member_have_an_order() {
    let server = server(Kind::Sqlite);
    let cases = [
        (
            json!({"token": "phc_local_dev", "api_key": "phc_nobody", "distinct_id": "u"}),
            200,
        ),
        (
            json!({"token": null, "api_key": "phc_local_dev", "distinct_id": "u"}),
            200,
        ),
        (
            json!({"api_key": "phc_nobody", "$token": "phc_local_dev", "distinct_id": "u"}),
            401,
        ),
        (json!({"$token": "phc_local_dev", "$distinct_id": "u"}), 200),
    ];
    for (body, status) in cases {
        assert_eq!(server.post("/flags?v=2", &body).status, status, "{body}");
    }
}

#[test]
fn large_bodies_are_refused() {
    let server = server(Kind::Sqlite);
    let unpacked = server.send(&post("text/plain", gzip(&vec![b' '; 21 * 1024 * 1024])));
    assert_eq!(unpacked.status, 413);
    let text = unpacked.text();
    assert!(
        text.starts_with("Decompressed request body exceeded 20971520 bytes (got "),
        "{text}"
    );
    assert!(text.ends_with(")."), "{text}");
    let plain = server.send(&post(JSON, vec![b' '; 2 * 1024 * 1024 + 1]));
    assert_eq!(plain.status, 413);
    assert_eq!(plain.header("content-type"), Some(TEXT));
    let padded = format!(
        "{}{}",
        json!({"token": "phc_local_dev", "distinct_id": "u"}),
        " ".repeat(2_000_000)
    );
    assert_eq!(
        server.send(&post(JSON, padded)).status,
        200,
        "just below the limit"
    );
}

/// An answer that does not need the body must not cost a client its connection.
#[test]
fn early_answers_keep_the_connection() {
    let server = server(Kind::Sqlite);
    let small = "x".repeat(100);
    let medium = "x".repeat(200_000);
    let cases = [
        (
            "404, small",
            Request::post("/nowhere").body(small.clone()),
            404,
        ),
        (
            "404, 60 kB",
            Request::post("/nowhere").body("x".repeat(60_000)),
            404,
        ),
        (
            "405",
            Request::new("PUT", "/flags").body(small.clone()),
            405,
        ),
        (
            "GET with a body",
            Request::get("/flags").body(small.clone()),
            200,
        ),
        ("400, 200 kB", post("application/xml", medium), 400),
        ("401", post(JSON, "{}"), 401),
    ];
    for (what, request, status) in cases {
        let mut connection = server.connect();
        assert_eq!(connection.exchange(&request).status, status, "{what}");
        assert_eq!(
            connection.exchange(&Request::get("/_liveness")).status,
            200,
            "{what}"
        );
    }
}

/// A rest too large to be read costs the connection, but never the answer.
#[test]
fn early_answers_reach_those_who_send_much() {
    let server = server(Kind::Sqlite);
    for length in [200_000, 2_000_000, 5_000_000] {
        let answer = server.send(&Request::post("/nowhere").body(vec![b'x'; length]));
        assert_eq!(answer.status, 404, "{length}");
        assert_eq!(answer.json()["code"], "not_found", "{length}");
    }
}

/// The head is answered although its body comes late, and what comes late is not taken for a request.
#[test]
fn a_late_body_is_no_request() {
    let server = server(Kind::Sqlite);
    let body = "GET /_liveness HTTP/1.1\r\n\r\n";
    let request = Request::post("/nowhere").body(body).bytes();
    let (head, late) = request.split_at(request.len() - body.len());
    let mut connection = server.connect();
    connection.write(head);
    connection.write(late);
    assert_eq!(connection.read("POST").status, 404);
    connection.write(&Request::new("OPTIONS", "/flags").bytes());
    assert_eq!(
        connection.read("OPTIONS").status,
        204,
        "the next answer is to the next request"
    );
}

#[test]
fn what_is_not_http_is_no_panic() {
    let server = server(Kind::Sqlite);
    let cases: [&[u8]; 5] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"POST /flags HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST /flags HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /%00%ff%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"POST /flags?%%%=&v=%ff&&= HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
    ];
    for bytes in cases {
        let mut connection = server.connect();
        connection.write(bytes);
        connection.finish_writing();
        connection.drain();
        assert_eq!(server.get("/_liveness").status, 200, "{bytes:?}");
    }
    assert!(!server.log().contains("panicked"), "{}", server.log());
}
