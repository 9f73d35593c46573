//! Requests with events, whatever the events say (http-api, 7.1 and 7.2): encodings, refusals, methods.

use crate::events::{TOKEN, figure, is_on, packed, server, started_with};
use base64::Engine as _;
use burgee_integration_tests::http::Request;
use burgee_integration_tests::{Kind, TestServer};
use serde_json::json;

/// A server that takes bodies up to 100,000 bytes, and 200,000 when unpacked.
fn limited_server() -> TestServer {
    let server = TestServer::on(Kind::Sqlite).arg("--body-limit-bytes=100000");
    started_with(server.arg("--decompressed-limit-bytes=200000"))
}

/// Encodings of version 0, none of which needs to be told.
#[test]
fn every_encoding_is_understood() {
    let server = server(Kind::Sqlite);
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let escaped = |text: &str| {
        text.replace('+', "%2B")
            .replace('/', "%2F")
            .replace('=', "%3D")
    };
    let form = "application/x-www-form-urlencoded";
    type Build<'a> = &'a dyn Fn(&str) -> Request;
    let cases: [(&str, Build<'_>); 11] = [
        ("plain", &|text| {
            Request::post("/e/")
                .header("Content-Type", "application/json")
                .body(text)
        }),
        ("no type", &|text| Request::post("/e/").body(text)),
        ("text", &|text| {
            Request::post("/e/")
                .header("Content-Type", "text/plain;charset=UTF-8")
                .body(text)
        }),
        ("gzip, sniffed", &|text| {
            Request::post("/e/")
                .header("Content-Type", "text/plain")
                .body(packed("gzip", text))
        }),
        ("gzip, header", &|text| {
            Request::post("/batch/")
                .header("Content-Encoding", "gzip")
                .body(packed("gzip", text))
        }),
        ("gzip, query", &|text| {
            Request::post("/i/v0/e/?compression=gzip-js").body(packed("gzip", text))
        }),
        ("base64", &|text| {
            Request::post("/capture/").body(base64(text))
        }),
        ("form", &|text| {
            Request::post("/e/?compression=base64")
                .header("Content-Type", form)
                .body(format!("data={}", escaped(&base64(text))))
        }),
        ("form without a name", &|text| {
            Request::post("/e/")
                .header("Content-Type", form)
                .body(base64(text))
        }),
        ("query", &|text| {
            Request::get(&format!("/e/?data={}", escaped(&base64(text))))
        }),
        ("query among others", &|text| {
            Request::get(&format!(
                "/capture?ip=1&data={}&_=17",
                escaped(&base64(text))
            ))
        }),
    ];
    for (round, (what, build)) in cases.iter().enumerate() {
        let id = format!("user-{round}>>>???");
        let event =
            json!({"event": "$set", "token": TOKEN, "distinct_id": id, "$set": {"tier": "gold"}});
        for (shape, body) in [
            ("one", event.clone()),
            ("list", json!([event])),
            ("batch", json!({"batch": [event]})),
        ] {
            let answer = server.send(&build(&body.to_string()));
            assert_eq!(
                (answer.status, answer.text().as_str()),
                (200, r#"{"status":"Ok"}"#),
                "{what}, {shape}"
            );
        }
        assert!(is_on(&server, "gold", &id), "{what}");
    }
}

#[test]
fn requests_that_are_refused() {
    let server = limited_server();
    let json_post = |body: &str| {
        Request::post("/batch/")
            .header("Content-Type", "application/json")
            .body(body)
    };
    let with_token =
        |event: &str| json_post(&format!(r#"{{"api_key":"{TOKEN}","batch":[{event}]}}"#));
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let many = vec!["{}"; 20_001].join(",");
    for (what, request, status, text) in [
        ("nothing", json_post(""), 400, "failed to parse request: "),
        ("no JSON", json_post("{"), 400, "failed to parse request: "),
        ("a number", json_post("7"), 400, "failed to parse request: "),
        (
            "too deep",
            json_post(&deep),
            400,
            "failed to parse request: ",
        ),
        (
            "properties in a list",
            with_token(r#"{"event":"e","distinct_id":"d","properties":[]}"#),
            400,
            "failed to parse request: ",
        ),
        (
            "broken gzip",
            Request::post("/e/?compression=gzip").body("x"),
            400,
            "failed to decode request: gzip",
        ),
        (
            "unknown compression",
            Request::post("/e/?compression=lz64").body("{}"),
            400,
            "failed to decode request: ",
        ),
        (
            "unknown type",
            Request::post("/e/")
                .header("Content-Type", "image/png")
                .body("{}"),
            400,
            "failed to decode request: ",
        ),
        (
            "a form of nothing",
            Request::post("/e/")
                .header("Content-Type", "application/x-www-form-urlencoded")
                .body("data=%%%"),
            400,
            "failed to parse request: ",
        ),
        (
            "a query of nothing",
            Request::get("/e/?ip=1"),
            400,
            "failed to parse request: ",
        ),
        (
            "no events",
            json_post(&format!(r#"{{"api_key":"{TOKEN}","batch":[]}}"#)),
            400,
            "request holds no event",
        ),
        (
            "an empty list",
            json_post("[]"),
            400,
            "request holds no event",
        ),
        (
            "no name",
            with_token(r#"{"distinct_id":"d"}"#),
            400,
            "event submitted with an empty event name",
        ),
        (
            "an empty name",
            with_token(r#"{"event":"","distinct_id":"d"}"#),
            400,
            "event submitted with an empty event name",
        ),
        (
            "no id",
            with_token(r#"{"event":"e"}"#),
            400,
            "event submitted without a distinct_id",
        ),
        (
            "an empty id",
            with_token(r#"{"event":"e","distinct_id":""}"#),
            400,
            "event submitted without a distinct_id",
        ),
        (
            "no token",
            json_post(r#"{"batch":[{"event":"e","distinct_id":"d"}]}"#),
            401,
            "event submitted without an api_key",
        ),
        (
            "two tokens",
            json_post(
                r#"[{"event":"e","distinct_id":"d","token":"a"},{"event":"e","distinct_id":"d","token":"b"}]"#,
            ),
            401,
            "batch submitted with inconsistent api_key values",
        ),
        (
            "an unknown token",
            json_post(r#"{"api_key":"phc_unknown","batch":[{"event":"e","distinct_id":"d"}]}"#),
            401,
            "API key is not valid: ",
        ),
        ("too large", json_post(&" ".repeat(100_001)), 413, ""),
        (
            "too large when unpacked",
            Request::post("/e/").body(packed("gzip", &" ".repeat(200_001))),
            413,
            "",
        ),
        ("too many", with_token(&many), 413, ""),
    ] {
        let answer = server.send(&request.header("Origin", "https://app.example.test"));
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
        assert!(answer.text().starts_with(text), "{what}: {}", answer.text());
        assert_eq!(
            answer.header("content-type"),
            Some("text/plain; charset=utf-8"),
            "{what}"
        );
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some("https://app.example.test"),
            "{what}"
        );
    }
    assert_eq!(figure(&server, "burgee_events_accepted_total"), 0);
}

#[test]
fn requests_of_version_1_that_are_refused() {
    let server = limited_server();
    let good = json!({"batch": [{"event": "e", "uuid": "1", "distinct_id": "d"}]});
    let plain = |token: &str, body: &str| {
        Request::post("/i/v1/analytics/events")
            .header("Authorization", token)
            .body(body)
    };
    let bearer = format!("Bearer {TOKEN}");
    let encoded = |encoding: &str, body: &[u8]| {
        plain(&bearer, "")
            .header("Content-Encoding", encoding)
            .body(body)
    };
    let large = " ".repeat(200_001);
    let body = good.to_string();
    for (what, request, status, tag) in [
        (
            "no header",
            Request::post("/i/v1/analytics/events").body(body.as_str()),
            401,
            "missing_authorization",
        ),
        (
            "an empty token",
            plain("Bearer  ", &body),
            401,
            "missing_authorization",
        ),
        (
            "another scheme",
            plain(TOKEN, &body),
            401,
            "missing_authorization",
        ),
        (
            "an unknown token",
            plain("Bearer phc_unknown", &body),
            401,
            "missing_authorization",
        ),
        ("no JSON", plain(&bearer, "{"), 400, "request_parsing_error"),
        ("a list", plain(&bearer, "[]"), 400, "request_parsing_error"),
        (
            "no events",
            plain(&bearer, r#"{"batch":[]}"#),
            400,
            "request_parsing_error",
        ),
        (
            "no uuid",
            plain(&bearer, r#"{"batch":[{"event":"e","distinct_id":"d"}]}"#),
            400,
            "request_parsing_error",
        ),
        (
            "another type",
            plain(&bearer, &body).header("Content-Type", "image/png"),
            415,
            "unsupported_content_type",
        ),
        (
            "another encoding",
            encoded("lz4", body.as_bytes()),
            415,
            "unsupported_content_type",
        ),
        (
            "no gzip",
            encoded("gzip", body.as_bytes()),
            400,
            "request_parsing_error",
        ),
        (
            "no zlib",
            encoded("deflate", body.as_bytes()),
            400,
            "request_parsing_error",
        ),
        (
            "no brotli",
            encoded("br", b"\xff\xff\xff"),
            400,
            "request_parsing_error",
        ),
        (
            "no zstd",
            encoded("zstd", body.as_bytes()),
            400,
            "request_parsing_error",
        ),
        (
            "too large",
            plain(&bearer, &" ".repeat(100_001)),
            413,
            "payload_too_large",
        ),
        (
            "too large, gzip",
            encoded("gzip", &packed("gzip", &large)),
            413,
            "payload_too_large",
        ),
        (
            "too large, deflate",
            encoded("deflate", &packed("deflate", &large)),
            413,
            "payload_too_large",
        ),
        (
            "too large, zstd",
            encoded("zstd", &packed("zstd", &large)),
            413,
            "payload_too_large",
        ),
    ] {
        let answer = server.send(&request.header("PostHog-Request-Id", "r"));
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
        let error = answer.json();
        assert_eq!(error["error"], tag, "{what}");
        assert!(
            error["error_description"].is_string() && error["error_uri"] == "",
            "{what}"
        );
        assert_eq!(answer.header("retry-after"), None, "{what}");
        assert_eq!(answer.header("posthog-request-id"), Some("r"), "{what}");
    }
}

#[test]
fn methods_beacons_and_what_is_dropped() {
    let server = server(Kind::Sqlite);
    let event =
        json!({"event": "$set", "token": TOKEN, "distinct_id": "u", "$set": {"tier": "gold"}});
    let beacon = server.post("/e/?beacon=1", &event);
    assert_eq!((beacon.status, beacon.body.len()), (204, 0));
    assert!(is_on(&server, "gold", "u"));
    for (path, allow) in [
        ("/batch/", "POST, OPTIONS"),
        ("/e", "GET, POST, OPTIONS"),
        ("/i/v0/e/", "GET, POST, OPTIONS"),
        ("/capture", "GET, POST, OPTIONS"),
        ("/i/v1/analytics/events", "POST, OPTIONS"),
        ("/s/", "POST, OPTIONS"),
    ] {
        let options = server.send(&Request::new("OPTIONS", path));
        assert_eq!(
            (options.status, options.header("allow")),
            (204, Some(allow)),
            "{path}"
        );
        let other = server.send(&Request::new("DELETE", path));
        assert_eq!(
            (other.status, other.header("allow")),
            (405, Some(allow)),
            "{path}"
        );
        let preflight = Request::new("OPTIONS", path)
            .header("Origin", "https://app.example.test")
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "content-type");
        let preflight = server.send(&preflight);
        assert_eq!(preflight.status, 200, "{path}");
        assert_eq!(
            preflight.header("access-control-allow-headers"),
            Some("content-type"),
            "{path}"
        );
    }
    for path in ["/s/", "/s", "/i/v1/logs", "/i/v1/metrics/", "/i/v1/traces"] {
        let dropped = server.send(&Request::post(path).body("anything"));
        assert_eq!(
            (dropped.status, dropped.text().as_str()),
            (200, "{}"),
            "{path}"
        );
    }
}
