//! Methods, paths and headers that do not depend on what is evaluated (http-api, chapters 1, 3.1, 3.10, 3.13 and 10).

use burgee_integration_tests::http::{Request, Response};
use burgee_integration_tests::{FlagBuilder, Kind, ProjectBuilder, TestServer};
use serde_json::{Value, json};

on_both_databases!(operations_answer);

const ALLOWED: &str = "GET, POST, OPTIONS, HEAD";
const ORIGIN: &str = "https://app.example.test";

fn server(kind: Kind) -> TestServer {
    let file = ProjectBuilder::new().flag(FlagBuilder::new("on")).file();
    TestServer::on(kind).project(&file).start()
}

fn good() -> Value {
    json!({"token": "phc_local_dev", "distinct_id": "u"})
}

fn assert_cors(answer: &Response, what: &str) {
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some(ORIGIN),
        "{what}"
    );
    assert_eq!(
        answer.header("access-control-allow-credentials"),
        Some("true"),
        "{what}"
    );
    let exposed = answer.header("access-control-expose-headers");
    assert_eq!(exposed, Some("ETag, Retry-After"), "{what}");
    let vary = answer.header("vary").unwrap_or_default().to_lowercase();
    assert!(vary.contains("origin"), "{what}: {vary}");
}

fn operations_answer(kind: Kind) {
    let server = server(kind);
    for path in [
        "/_liveness",
        "/_readiness",
        "/_startup",
        "/healthz",
        "/livez",
        "/readyz",
        "/",
    ] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    assert_eq!(server.get("/_readiness").text(), "ready");
    assert_eq!(server.get("/_startup").text(), "started");
    server.flags(2, &good());
    let metrics = server.get("/metrics");
    assert_eq!(metrics.status, 200);
    let text = metrics.text();
    assert!(
        text.lines().any(|line| line.starts_with("# TYPE ")),
        "{text}"
    );
    assert!(!text.contains("phc_local_dev"), "{text}");
}

#[test]
fn get_is_answered_without_a_token() {
    let server = server(Kind::Sqlite);
    for (path, flags) in [
        ("/flags", "featureFlags"),
        ("/flags?v=2", "flags"),
        ("/flags?v=4", "flags"),
    ] {
        let answer = server.get(path);
        assert_eq!(answer.status, 200, "{path}");
        let answer = answer.json();
        let expected = [
            (flags, json!({})),
            ("errorsWhileComputingFlags", json!(false)),
            ("supportedCompression", json!(["gzip", "gzip-js"])),
            ("config", json!({"enable_collect_everything": true})),
            ("toolbarParams", json!({})),
            ("isAuthenticated", json!(false)),
            ("sessionRecording", json!(false)),
        ];
        for (member, value) in expected {
            assert_eq!(answer.get(member), Some(&value), "{path}: {member}");
        }
        assert!(
            answer["requestId"].is_string() && answer["evaluatedAt"].is_i64(),
            "{path}"
        );
    }
}

#[test]
fn head_options_and_the_rest() {
    let server = server(Kind::Sqlite);
    for path in ["/flags", "/decide/"] {
        let head = server.send(&Request::new("HEAD", path));
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        assert_eq!(
            head.header("content-type"),
            Some("application/json"),
            "{path}"
        );
        let options = server.send(&Request::new("OPTIONS", path));
        assert_eq!(
            (options.status, options.header("allow")),
            (204, Some(ALLOWED)),
            "{path}"
        );
        for method in ["PUT", "PATCH", "DELETE"] {
            let other = server.send(&Request::new(method, path));
            assert_eq!(
                (other.status, other.header("allow")),
                (405, Some(ALLOWED)),
                "{method} {path}"
            );
            assert_eq!(other.text(), "", "{method} {path}");
        }
    }
}

#[test]
fn browsers_may_read_every_answer() {
    let server = server(Kind::Sqlite);
    let json = |path: &str, body: Value| Request::post(path).json(&body);
    let cases = [
        ("an answer", json("/flags?v=2", good()), 200),
        ("the minimal answer", Request::get("/flags"), 200),
        ("bad JSON", Request::post("/flags?v=2").body("{"), 400),
        ("no token", json("/flags?v=2", json!({})), 401),
        ("unknown path", Request::get("/nowhere"), 404),
        ("unknown method", Request::new("PUT", "/flags"), 405),
        (
            "too large",
            Request::post("/flags").body(vec![b' '; 2 * 1024 * 1024 + 1]),
            413,
        ),
    ];
    for (what, request, status) in cases {
        let answer = server.send(&request.header("Origin", ORIGIN));
        assert_eq!(answer.status, status, "{what}");
        assert_cors(&answer, what);
    }
    let preflight = Request::new("OPTIONS", "/flags/?v=2")
        .header("Origin", ORIGIN)
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "content-type,x-custom");
    let answer = server.send(&preflight);
    assert!([200, 204].contains(&answer.status), "{}", answer.status);
    assert_cors(&answer, "preflight");
    assert_eq!(answer.header("access-control-allow-methods"), Some(ALLOWED));
    assert_eq!(
        answer.header("access-control-allow-headers"),
        Some("content-type,x-custom")
    );
    assert!(answer.header("access-control-max-age").is_some());
}

#[test]
fn slashes_make_no_difference() {
    let server = server(Kind::Sqlite);
    for path in [
        "/flags", "/flags/", "//flags/", "///flags", "/decide/", "//decide",
    ] {
        let answer = server.post(&format!("{path}?v=4"), &good());
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }
    for path in ["/_readiness/", "//metrics", "/healthz/"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
}

#[test]
fn a_path_may_stand_in_front() {
    let file = ProjectBuilder::new().flag(FlagBuilder::new("on")).file();
    let server = TestServer::on(Kind::Sqlite)
        .env("BURGEE_BASE_PATH", "/ph")
        .project(&file)
        .start();
    for path in ["/ph/flags/?v=2", "/flags?v=2", "//ph//flags?v=2"] {
        assert_eq!(server.post(path, &good()).status, 200, "{path}");
    }
    assert_eq!(server.get("/ph/_readiness").status, 200);
    assert_eq!(server.get("/phlags").status, 404);
}

#[test]
fn unknown_paths_say_so() {
    let server = server(Kind::Sqlite);
    let expected = json!({"type": "invalid_request", "code": "not_found", "detail": "Endpoint not found.", "attr": null});
    for path in [
        "/nowhere",
        "/flags/nowhere/else",
        "/flag",
        "/FLAGS",
        "/_readiness/x",
    ] {
        let answer = server.get(path);
        assert_eq!(
            (answer.status, answer.json()),
            (404, expected.clone()),
            "{path}"
        );
    }
}

#[test]
fn every_encoding_of_a_body_is_understood() {
    use base64::Engine as _;
    use std::io::Write as _;
    let server = server(Kind::Sqlite);
    let text = good().to_string();
    let base64 = base64::engine::general_purpose::STANDARD.encode(&text);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let form = "application/x-www-form-urlencoded";
    let percent = base64
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    let cases: [(&str, &str, Vec<u8>); 12] = [
        ("", "application/json", text.clone().into()),
        ("", "application/json; charset=utf-8", text.clone().into()),
        ("", "Text/Plain;charset=UTF-8", text.clone().into()),
        ("", "text/plain", gzip.clone()),
        ("&compression=gzip-js", "text/plain", gzip.clone()),
        ("&compression=gzip", "application/json", gzip),
        ("&compression=", "application/json", text.into()),
        ("&compression=base64", "text/plain", base64.clone().into()),
        ("", "text/plain", base64.trim_end_matches('=').into()),
        ("&compression=base64", form, format!("data={percent}").into()),
        ("", form, base64.into()),
        ("", "application/json", br#"{"token":"phc_local_dev","distinct_id":"u","person_properties":{"x":NaN,"y":-Infinity}}"#.to_vec()),
    ];
    for (query, content_type, body) in cases {
        let request =
            Request::post(&format!("/flags?v=1{query}")).header("Content-Type", content_type);
        let answer = server.send(&request.body(body));
        assert_eq!(
            answer.status,
            200,
            "{query} {content_type}: {}",
            answer.text()
        );
        assert_eq!(
            answer.json()["featureFlags"],
            json!({"on": true}),
            "{query} {content_type}"
        );
    }
    let untyped = server.send(&Request::post("/flags?v=1").body(good().to_string()));
    assert_eq!(untyped.json()["featureFlags"], json!({"on": true}));
}
