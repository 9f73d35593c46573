//! Definitions for local evaluation (http-api, chapter 4).

use super::replay::{header, rebuild, recording};
use burgee_integration_tests::deadline::eventually;
use burgee_integration_tests::http::{Request, Response};
use burgee_integration_tests::{
    Database, FlagBuilder, Kind, ProjectBuilder, TestServer, burgee, filter,
};
use serde_json::{Value, json};
use std::io::Read as _;
use std::sync::Arc;

on_both_databases!(
    recorded_requests_are_answered,
    the_document_is_the_documented_one,
    every_path_names_its_project,
    errors_are_the_documented_ones,
    a_revoked_key_is_refused,
);

const PATHS: [&str; 4] = [
    "/flags/definitions",
    "/api/feature_flag/local_evaluation",
    "/api/projects/1/feature_flags/local_evaluation",
    "/api/projects/@current/feature_flags/local_evaluation",
];

/// The keys that the recordings use, and some that may do less or belong elsewhere.
pub(super) fn with_keys(project: ProjectBuilder) -> ProjectBuilder {
    project
        .with("secret_tokens", json!(["phs_local_dev"]))
        .with(
            "personal_keys",
            json!([
                {"label": "all", "key": "phx_local_dev", "scopes": ["*"]},
                {"label": "read", "key": "phx_read", "scopes": ["feature_flag:read"]},
                {"label": "write", "key": "phx_write", "scopes": ["cohort:read", "feature_flag:write"]},
                {"label": "other", "key": "phx_cohorts", "scopes": ["cohort:write"]},
            ]),
        )
}

/// Puts a second project beside the first.
pub(super) fn with_other(mut file: Value) -> Value {
    file["projects"].as_array_mut().unwrap().push(json!({
        "id": 2, "name": "Other", "token": "phc_other", "secret_tokens": ["phs_other"],
        "personal_keys": [{"label": "all", "key": "phx_other", "scopes": ["*"]}],
    }));
    file
}

fn project() -> ProjectBuilder {
    with_keys(ProjectBuilder::new())
        .group_types(&["company", "project"])
        .flag(
            FlagBuilder::new("base")
                .id(1)
                .with("name", json!("The base"))
                .when(filter::cohort(5)),
        )
        .flag(FlagBuilder::new("top").id(2).when(filter::flag(1, true)))
        .flag(FlagBuilder::new("off").id(3).with("active", json!(false)))
        .cohort(json!({"id": 5, "name": "Gold", "filters": {"properties": {"type": "OR", "values": [
            {"type": "AND", "values": [{"key": "tier", "type": "person", "operator": "exact", "value": ["gold"], "negation": false},
                                       {"key": "id", "type": "cohort", "value": 6}]}]}}}))
        .cohort(json!({"id": 6, "name": "Some", "is_static": true}))
}

fn server(kind: Kind) -> TestServer {
    TestServer::on(kind)
        .project(&with_other(project().file()))
        .start()
}

pub(super) fn get(target: &str, key: &str) -> Request {
    Request::get(target).header("Authorization", &format!("Bearer {key}"))
}

#[track_caller]
fn definitions(server: &TestServer, request: &Request) -> Response {
    let answer = server.send(request);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

pub(super) fn tag(answer: &Response) -> String {
    answer.header("etag").expect("a tag").to_owned()
}

fn apply(database: &Database, file: &Value, options: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file.json");
    std::fs::write(&path, file.to_string()).unwrap();
    let path = path.to_str().unwrap();
    let arguments = ["apply", "-f", path, "--database-url", database.url()];
    burgee(&[&arguments, options].concat()).expect_code(0);
}

/// Undoes the content coding, as a client does.
fn unpacked(answer: &Response) -> Vec<u8> {
    let mut body = Vec::new();
    match answer.header("content-encoding") {
        None => return answer.body.clone(),
        Some("gzip") => flate2::read::GzDecoder::new(&*answer.body).read_to_end(&mut body),
        Some("br") => brotli::Decompressor::new(&*answer.body, 4096).read_to_end(&mut body),
        Some("zstd") => zstd::Decoder::new(&*answer.body)
            .unwrap()
            .read_to_end(&mut body),
        Some(other) => panic!("a coding that nobody asked for: {other}"),
    }
    .unwrap();
    body
}

/// The tag in a recording is the recorder's: what an SDK sends is the tag that it was given.
fn with_tag(mut request: Value, tag: &str) -> Value {
    let headers = request["headers"].as_object_mut().unwrap();
    let name = headers
        .keys()
        .find(|name| name.eq_ignore_ascii_case("if-none-match"));
    if let Some(name) = name.cloned() {
        headers.insert(name, json!(tag));
    }
    request
}

fn recorded_requests_are_answered(kind: Kind) {
    let server = server(kind);
    let mut replayed = 0;
    for sdk in ["posthog-python", "posthog-node", "posthog-rs"] {
        let mut known = String::new();
        for request in recording(sdk) {
            if !request["path"]
                .as_str()
                .unwrap()
                .starts_with("/flags/definitions")
            {
                continue;
            }
            let what = format!("{sdk}: {request}");
            let is_conditional = header(&request, "if-none-match").is_some();
            let answer = server.send(&rebuild(&with_tag(request.clone(), &known)));
            assert_eq!(json!(answer.status), request["answered"], "{what}");
            assert_eq!(answer.status == 304, is_conditional, "{what}");
            let cached = answer.header("cache-control");
            assert_eq!(cached, Some("private, must-revalidate"), "{what}");
            if is_conditional {
                assert_eq!(tag(&answer), known, "{what}");
                assert_eq!(
                    answer.header("content-length").unwrap_or("0"),
                    "0",
                    "{what}"
                );
            } else {
                known = tag(&answer);
                assert!(known.starts_with("W/\"") && known.ends_with('"'), "{known}");
                let body: Value = serde_json::from_slice(&unpacked(&answer)).unwrap();
                assert_eq!(body["flags"].as_array().unwrap().len(), 3, "{what}");
                assert!(body["cohorts"].is_object(), "{what}");
                assert!(body["group_type_mapping"].is_object(), "{what}");
            }
            replayed += 1;
        }
    }
    assert_eq!(replayed, 9, "none is left out");
}

fn the_document_is_the_documented_one(kind: Kind) {
    let server = server(kind);
    let answer = definitions(
        &server,
        &get("/flags/definitions?send_cohorts", "phs_local_dev"),
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let flag = |id: i32, key: &str, name: &str, active: bool, properties: Value| {
        json!({
            "id": id, "team_id": 1, "name": name, "key": key, "active": active, "deleted": false, "version": 1,
            "ensure_experience_continuity": false, "is_remote_configuration": false, "has_encrypted_payloads": false,
            "has_experiment": false, "evaluation_runtime": "all", "evaluation_contexts": [], "bucketing_identifier": null,
            "filters": {"groups": [{"properties": properties}]},
        })
    };
    let mut body = answer.json();
    for flag in body["flags"].as_array_mut().unwrap() {
        for group in flag["filters"]["groups"].as_array_mut().unwrap() {
            group.as_object_mut().unwrap().remove("rollout_percentage");
        }
    }
    let expected = json!({
        "flags": [
            flag(1, "base", "The base", true, json!([filter::cohort(5)])),
            flag(3, "off", "", false, json!([])),
            flag(2, "top", "", true, json!([{"key": "base", "type": "flag", "operator": "flag_evaluates_to",
                "value": true, "dependency_chain": ["base"]}])),
        ],
        "group_type_mapping": {"0": "company", "1": "project"},
        "cohorts": {"5": {"type": "OR", "values": [{"type": "AND", "values": [
            {"key": "tier", "type": "person", "operator": "exact", "value": ["gold"], "negation": false},
            {"key": "id", "type": "cohort", "value": 6}]}]}},
    });
    assert_eq!(body, expected);
}

fn every_path_names_its_project(kind: Kind) {
    let server = server(kind);
    let expected = definitions(&server, &get(PATHS[0], "phs_local_dev"));
    let (expected, known) = (expected.json(), tag(&expected));
    for path in PATHS {
        for target in [
            path.to_owned(),
            format!("{path}/"),
            format!("/{path}"),
            format!("{path}?token=phc_local_dev&send_cohorts"),
            format!("{path}/?api_key=phc_local_dev"),
        ] {
            for key in ["phs_local_dev", "phx_local_dev", "phx_read", "phx_write"] {
                let answer = definitions(&server, &get(&target, key));
                assert_eq!(answer.json(), expected, "{target} {key}");
                assert_eq!(tag(&answer), known, "{target} {key}");
            }
        }
    }
    // The token comes before the path, and that before the key.
    let other = |request: &Request| definitions(&server, request).json()["flags"] == json!([]);
    assert!(other(&get("/flags/definitions", "phs_other")));
    let path = "/api/projects/1/feature_flags/local_evaluation?token=phc_other";
    assert!(other(&get(path, "phx_other")));
    let request = get("/flags/definitions", "phx_other");
    assert!(other(
        &request.header("X-PostHog-Project-Api-Key", "phc_other")
    ));
}

fn errors_are_the_documented_ones(kind: Kind) {
    let server = server(kind);
    let error = |code: &str, detail: &str| json!({"type": "authentication_error", "code": code, "detail": detail, "attr": null});
    let no_key = error(
        "not_authenticated",
        "Authentication credentials were not provided.",
    );
    let personal = error("authentication_failed", "Personal API key is invalid.");
    let secret = error("authentication_failed", "Secret API token is invalid.");
    let token = error(
        "authentication_failed",
        "The provided API key is invalid or has expired. Please check your API key and try again.",
    );
    let scope = error(
        "permission_denied",
        "Personal API key lacks required scopes (feature_flag:read or feature_flag:write).",
    );
    let cases = [
        ("", None, 401, &no_key),
        ("", Some("Bearer "), 401, &no_key),
        ("", Some("Basic phs_local_dev"), 401, &no_key),
        ("", Some("Bearer phs_nobody"), 401, &secret),
        ("", Some("Bearer phx_nobody"), 401, &personal),
        ("", Some("Bearer phc_local_dev"), 401, &personal),
        (
            "?token=phc_local_dev",
            Some("Bearer phs_other"),
            401,
            &secret,
        ),
        (
            "?token=phc_local_dev",
            Some("Bearer phx_other"),
            401,
            &personal,
        ),
        (
            "?token=phc_nobody",
            Some("Bearer phs_local_dev"),
            401,
            &token,
        ),
        ("?token=phc_nobody", None, 401, &token),
        ("", Some("Bearer phx_cohorts"), 403, &scope),
    ];
    for path in PATHS {
        for (query, authorization, status, body) in &cases {
            // A tag that fits saves nobody who may not ask.
            let mut request = Request::get(&format!("{path}{query}")).header("If-None-Match", "*");
            if let Some(authorization) = authorization {
                request = request.header("Authorization", authorization);
            }
            let answer = server.send(&request);
            let what = format!("{path}{query} {authorization:?}");
            assert_eq!(answer.status, *status, "{what}");
            assert_eq!(&&answer.json(), body, "{what}");
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
            assert!(
                answer.header("access-control-allow-origin").is_some(),
                "{what}"
            );
        }
    }
    let path = "/api/projects/2/feature_flags/local_evaluation";
    assert_eq!(server.send(&get(path, "phs_local_dev")).json(), secret);
}

fn a_revoked_key_is_refused(kind: Kind) {
    let database = Arc::new(Database::new(kind));
    apply(&database, &project().file(), &[]);
    let server = TestServer::with(&database)
        .env("BURGEE_POLL_INTERVAL_S", "1")
        .start();
    let request = get("/flags/definitions", "phs_local_dev");
    let known = tag(&definitions(&server, &request));
    let request = request.header("If-None-Match", &known);
    assert_eq!(server.send(&request).status, 304);
    let file = project().with("secret_tokens", json!(["phs_next"])).file();
    apply(&database, &file, &["--prune"]);
    eventually("the refusal", || {
        let answer = server.send(&request);
        assert!([304, 401].contains(&answer.status), "{}", answer.status);
        (answer.status == 401).then_some(())
    });
    let next = definitions(&server, &get("/flags/definitions", "phs_next"));
    assert_eq!(tag(&next), known, "keys are no part of the definitions");
}

#[test]
fn methods_are_those_of_the_table() {
    let server = server(Kind::Sqlite);
    let whole = definitions(&server, &get(PATHS[0], "phs_local_dev"));
    for path in PATHS {
        let with = |method: &str| {
            Request::new(method, path).header("Authorization", "Bearer phs_local_dev")
        };
        let head = server.send(&with("HEAD"));
        assert_eq!(head.status, 200, "{path}");
        for name in ["etag", "cache-control", "content-type", "content-length"] {
            assert_eq!(head.header(name), whole.header(name), "{path} {name}");
        }
        let known = with("HEAD").header("If-None-Match", &tag(&whole));
        assert_eq!(server.send(&known).status, 304, "{path}");
        assert_eq!(
            server.send(&Request::new("HEAD", path)).status,
            401,
            "{path}"
        );
        let options = server.send(&Request::new("OPTIONS", path));
        assert_eq!(options.status, 204, "{path}");
        assert_eq!(
            options.header("allow"),
            Some("GET, OPTIONS, HEAD"),
            "{path}"
        );
        let preflight = Request::new("OPTIONS", path)
            .header("Origin", "https://app.example.test")
            .header("Access-Control-Request-Method", "GET")
            .header("Access-Control-Request-Headers", "authorization");
        let preflight = server.send(&preflight);
        assert_eq!(preflight.status, 200, "{path}");
        let allowed = preflight.header("access-control-allow-headers");
        assert_eq!(allowed, Some("authorization"), "{path}");
        assert_eq!(server.send(&with("POST")).status, 405, "{path}");
    }
}

#[test]
fn tags_are_compared_weakly_and_caches_are_not_asked() {
    let server = server(Kind::Sqlite);
    let request = || get("/flags/definitions", "phs_local_dev");
    let known = tag(&definitions(&server, &request()));
    let bare = known.trim_start_matches("W/").trim_matches('"');
    for (sent, status) in [
        (known.clone(), 304),
        (format!("\"{bare}\""), 304),
        (bare.to_owned(), 304),
        (format!("\"x\", {known}"), 304),
        ("*".to_owned(), 304),
        ("W/\"x\"".to_owned(), 200),
    ] {
        let request = request()
            .header("If-None-Match", &sent)
            .header("Cache-Control", "no-cache")
            .header("Pragma", "no-cache");
        let answer = server.send(&request);
        assert_eq!(answer.status, status, "{sent}");
        assert_eq!(tag(&answer), known, "{sent}");
    }
}

#[test]
fn the_answer_is_compressed_as_the_client_likes_it() {
    let many = (1..=200).fold(project(), |project, id| {
        project.flag(FlagBuilder::new(&format!("flag-{id}")).id(100 + id))
    });
    let server = TestServer::on(Kind::Sqlite).project(&many.file()).start();
    let request = || get("/flags/definitions", "phs_local_dev");
    let plain = definitions(&server, &request());
    assert_eq!(plain.header("content-encoding"), None);
    let vary = |answer: &Response| {
        let values = answer
            .headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("vary"));
        values
            .map(|(_, value)| value.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    for (accepted, coding) in [
        ("gzip, deflate", Some("gzip")),
        ("gzip", Some("gzip")),
        ("zstd", Some("zstd")),
        ("gzip, deflate, br, zstd", Some("br")),
        ("deflate", None),
        ("gzip;q=0", None),
    ] {
        let answer = definitions(&server, &request().header("Accept-Encoding", accepted));
        assert_eq!(answer.header("content-encoding"), coding, "{accepted}");
        assert_eq!(unpacked(&answer), plain.body, "{accepted}");
        assert_eq!(tag(&answer), tag(&plain), "{accepted}");
        assert_eq!(vary(&answer), "Accept-Encoding, Origin", "{accepted}");
        if coding.is_some() {
            assert!(answer.body.len() < plain.body.len() / 4, "{accepted}");
        }
    }
    let made = server.get("/metrics").text();
    assert!(
        made.contains("\nburgee_local_definitions_made_total 1\n"),
        "one document for all"
    );
}

#[test]
fn a_project_that_asks_too_often_is_told_so() {
    let file = with_other(project().file());
    let limited = |warn: &str| {
        TestServer::on(Kind::Sqlite)
            .project(&file)
            .arg("--rate-limit-definitions-per-s=1")
            .arg("--rate-limit-definitions-burst=1")
            .arg(&format!("--rate-limit-warn-only={warn}"))
            .start()
    };
    let server = limited("false");
    let mut connection = server.connect();
    let request = get("/flags/definitions", "phs_local_dev");
    let refused = eventually("a refusal", || {
        let answer = connection.exchange(&request);
        (answer.status == 429).then_some(answer)
    });
    let expected = json!({"type": "validation_error", "code": "rate_limit_exceeded", "detail": "Rate limit exceeded", "attr": null});
    assert_eq!(refused.json(), expected);
    assert!(refused.header("retry-after").is_some());
    // Whose key is wrong is told that, and another project may ask.
    assert_eq!(
        server.send(&get("/flags/definitions", "phs_nobody")).status,
        401
    );
    assert_eq!(
        server.send(&get("/flags/definitions", "phs_other")).status,
        200
    );

    let server = limited("true");
    let mut connection = server.connect();
    eventually("a warning", || {
        let answer = connection.exchange(&request);
        assert_eq!(answer.status, 200);
        answer.header("x-posthog-rate-limit-warning").map(drop)
    });
}

/// Some SDKs drop all their flags on a 401: a database that is away must never be told as one.
#[test]
fn a_database_that_is_away_is_no_verdict_on_a_key() {
    let database = Arc::new(Database::private());
    let server = TestServer::with(&database)
        .project(&project().file())
        .env("BURGEE_POOL_ACQUIRE_TIMEOUT_MS", "500")
        .start();
    let request = get("/flags/definitions", "phs_local_dev");
    definitions(&server, &request);
    database.server().stop().unwrap();
    let sentences = [
        "A service dependency is temporarily unavailable. This is likely a temporary issue. Please try again later.",
        "Our database service is currently unavailable. This is likely a temporary issue. Please try again later.",
    ];
    for key in ["phs_nobody", "phx_nobody"] {
        let answer = server.send(&get("/flags/definitions?token=phc_local_dev", key));
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(
            sentences.contains(&answer.text().as_str()),
            "{}",
            answer.text()
        );
        assert_eq!(
            answer.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
    }
    // A key that was checked a moment ago still counts, for a short time.
    eventually("the key to be asked for again", || {
        let answer = server.send(&request);
        assert!([200, 503].contains(&answer.status), "{}", answer.text());
        (answer.status == 503).then_some(())
    });
    database.server().resume().unwrap();
    eventually("the definitions", || {
        let answer = server.send(&request);
        assert!([200, 503].contains(&answer.status), "{}", answer.text());
        (answer.status == 200).then_some(())
    });
}
