//! Rate limits of tokens and addresses, for flags and for events (http-api 3.11, 3.12 and chapter 7).

use burgee_integration_tests::deadline::eventually;
use burgee_integration_tests::http::{Request, Response};
use burgee_integration_tests::{FlagBuilder, Kind, ProjectBuilder, ServerBuilder, TestServer};
use serde_json::{Value, json};

fn server() -> ServerBuilder {
    let file = ProjectBuilder::new()
        .flag(FlagBuilder::new("plain").id(1))
        .file();
    TestServer::on(Kind::Sqlite).project(&file)
}

fn body(token: &str) -> Value {
    json!({"token": token, "distinct_id": "u"})
}

fn request(token: &str, forwarded: &str) -> Request {
    Request::post("/flags?v=2")
        .header("X-Forwarded-For", forwarded)
        .json(&body(token))
}

/// Asks until it is refused: however slow the machine, a rate of one a second is passed at some time.
fn until_refused(server: &TestServer, mut next: impl FnMut() -> Request) -> Response {
    let mut connection = server.connect();
    eventually("a refusal", || {
        // A refusal costs no connection.
        let answer = connection.exchange(&next());
        (answer.status == 429).then_some(answer)
    })
}

fn assert_refusal(answer: &Response) {
    let expected = json!({"type": "validation_error", "code": "rate_limit_exceeded", "detail": "Rate limit exceeded", "attr": null});
    assert_eq!(answer.json(), expected);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!(wait >= 1);
    assert_eq!(answer.header("x-posthog-rate-limit-warning"), None);
    assert!(answer.header("access-control-allow-origin").is_some());
}

fn counted(server: &TestServer, limit: &str, outcome: &str) -> bool {
    let start =
        format!("burgee_http_rate_limited_total{{limit=\"{limit}\",outcome=\"{outcome}\"}} ");
    let text = server.get("/metrics").text();
    let mut values = text.lines().filter_map(|line| line.strip_prefix(&start));
    values.next().expect("it is shown from the start") != "0"
}

#[test]
fn a_token_has_its_limit_and_others_have_theirs() {
    let server = server()
        .arg("--rate-limit-token-per-s=1")
        .arg("--rate-limit-token-burst=1")
        .start();
    let refused = until_refused(&server, || request("phc_local_dev", "192.0.2.1"));
    assert_refusal(&refused);
    // The limit comes before the token is looked up, so an unknown one has a limit of its own.
    assert_eq!(server.send(&request("phc_other", "192.0.2.1")).status, 401);
    // What cannot be read without decoding counts for the address, which is the peer's.
    let hidden = || {
        let form =
            Request::post("/flags?v=2").header("Content-Type", "application/x-www-form-urlencoded");
        form.body("data=eyJ0b2tlbiI6ICJwaGNfbG9jYWxfZGV2IiwgImRpc3RpbmN0X2lkIjogInUifQ%3D%3D")
    };
    assert_eq!(server.send(&hidden()).status, 200);
    assert_refusal(&until_refused(&server, hidden));
    assert!(counted(&server, "token", "refused"));
    assert!(!counted(&server, "address", "refused"));
    server.stop();
}

#[test]
fn an_address_is_the_peers_unless_the_proxy_is_trusted() {
    let limits = [
        "--rate-limit-address-per-s=1",
        "--rate-limit-address-burst=1",
    ];
    let trusting = limits
        .iter()
        .fold(server(), |server, limit| server.arg(limit))
        .arg("--trusted-proxies=127.0.0.0/8")
        .start();
    let refused = until_refused(&trusting, || {
        request("phc_local_dev", "203.0.113.1, 10.0.0.1")
    });
    assert_refusal(&refused);
    let other = request("phc_local_dev", "203.0.113.2:4711");
    assert_eq!(trusting.send(&other).status, 200);
    assert!(counted(&trusting, "address", "refused"));
    trusting.stop();

    let suspicious = limits
        .iter()
        .fold(server(), |server, limit| server.arg(limit))
        .start();
    let mut last = 0_u8;
    let refused = until_refused(&suspicious, || {
        last = last.wrapping_add(1);
        request("phc_local_dev", &format!("203.0.113.{last}"))
    });
    assert_refusal(&refused);
    // Operations routes and GET have no limit.
    for path in ["/_readiness", "/metrics", "/flags?v=2"] {
        for _ in 0..3 {
            assert_eq!(suspicious.get(path).status, 200, "{path}");
        }
    }
    suspicious.stop();
}

#[test]
fn warnings_let_through_and_say_so() {
    let server = server()
        .arg("--rate-limit-token-per-s=1")
        .arg("--rate-limit-token-burst=1")
        .arg("--rate-limit-warn-only")
        .start();
    let first = server.send(&request("phc_local_dev", "192.0.2.1"));
    assert_eq!(first.status, 200);
    assert_eq!(first.header("x-posthog-rate-limit-warning"), None);
    let warned = eventually("a warning", || {
        let answer = server.send(&request("phc_local_dev", "192.0.2.1"));
        assert_eq!(answer.status, 200);
        answer
            .header("x-posthog-rate-limit-warning")
            .is_some()
            .then_some(answer)
    });
    assert_eq!(warned.header("x-posthog-rate-limit-warning"), Some("true"));
    assert_eq!(warned.json()["flags"]["plain"]["enabled"], true);
    assert!(counted(&server, "token", "warned"));
    server.stop();
}

/// An event in version 0, whose token stands where it can be seen, and one in version 1.
fn event(path: &str, token: &str) -> Request {
    let event = json!({"event": "bought", "distinct_id": "u", "uuid": "0190c0de-7e57-7abc-8def-0123456789ab", "properties": {}});
    match path.starts_with("/i/v1") {
        true => Request::post(path)
            .header("Authorization", &format!("Bearer {token}"))
            .json(&json!({"created_at": "2026-11-24T12:00:00Z", "batch": [event]})),
        false => Request::post(path).json(&json!({"api_key": token, "batch": [event]})),
    }
}

#[test]
fn events_have_the_same_limits_as_flags_and_are_counted_apart() {
    let server = server()
        .arg("--rate-limit-token-per-s=1")
        .arg("--rate-limit-token-burst=1")
        .start();
    let refused = until_refused(&server, || event("/batch/", "phc_local_dev"));
    assert_eq!(refused.text(), "rate limit exceeded");
    assert_eq!(
        refused.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert!(
        refused
            .header("retry-after")
            .unwrap()
            .parse::<u32>()
            .unwrap()
            >= 1
    );
    let refused = until_refused(&server, || event("/i/v1/analytics/events", "phc_local_dev"));
    let expected = json!({"error": "rate_limit_exceeded", "error_description": "rate limit exceeded", "error_uri": ""});
    assert_eq!(refused.json(), expected);
    assert!(
        refused
            .header("retry-after")
            .unwrap()
            .parse::<u32>()
            .unwrap()
            >= 1
    );
    // Whoever sends too many events is still answered flags, and another token its events.
    let flags = server.send(&request("phc_local_dev", "192.0.2.1"));
    assert_eq!(flags.status, 200);
    assert_eq!(server.send(&event("/e/", "phc_other")).status, 401);
    assert!(counted(&server, "token", "refused"));
    server.stop();
}

#[test]
fn an_address_has_a_limit_on_events() {
    let limits = [
        "--rate-limit-address-per-s=1",
        "--rate-limit-address-burst=1",
    ];
    let started = |more: &str| {
        let server = limits
            .iter()
            .fold(server(), |server, limit| server.arg(limit));
        server.arg(more).start()
    };
    let strict = started("--trusted-proxies=127.0.0.0/8");
    let from =
        |address: &str| event("/capture/", "phc_local_dev").header("X-Forwarded-For", address);
    let refused = until_refused(&strict, || from("203.0.113.1"));
    assert_eq!(refused.text(), "rate limit exceeded");
    assert_eq!(strict.send(&from("203.0.113.2")).status, 200);
    let ofrep = |address: &str| {
        Request::post("/ofrep/v1/evaluate/flags")
            .header("Authorization", "Bearer phc_local_dev")
            .header("X-Forwarded-For", address)
            .json(&json!({"context": {"targetingKey": "u"}}))
    };
    let refused = until_refused(&strict, || ofrep("203.0.113.3"));
    assert!(refused.json()["errorDetails"].is_string());
    assert!(counted(&strict, "address", "refused"));
    strict.stop();
    let mild = started("--rate-limit-warn-only");
    let warned = eventually("a warning", || {
        let answer = mild.send(&event("/batch/", "phc_local_dev"));
        assert_eq!(answer.status, 200);
        answer
            .header("x-posthog-rate-limit-warning")
            .is_some()
            .then_some(answer)
    });
    assert_eq!(warned.json(), json!({"status": "Ok"}));
    mild.stop();
}
