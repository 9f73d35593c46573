//! The payload of a remote configuration flag (http-api, chapter 6).

use super::local_definitions::{get, with_keys, with_other};
use super::replay::{rebuild, recording};
use burgee_integration_tests::http::{Request, Response};
use burgee_integration_tests::{Database, FlagBuilder, Kind, ProjectBuilder, TestServer};
use serde_json::{Value, json};
use std::sync::Arc;

on_both_databases!(payloads_are_answered);

fn remote(key: &str, payloads: Value) -> FlagBuilder {
    FlagBuilder::new(key)
        .with("is_remote_configuration", json!(true))
        .filters("payloads", payloads)
}

fn file() -> Value {
    let project = with_keys(ProjectBuilder::new())
        .flag(remote("rc-flag", json!({"true": "{\"limit\": 10}"})))
        .flag(remote("object", json!({"true": {"limit": [1, 2.0]}})))
        .flag(remote("none", json!({})))
        .flag(remote("a b", json!({"true": "3"})).with("active", json!(false)))
        .flag(FlagBuilder::new("plain").filters("payloads", json!({"true": "1"})));
    with_other(project.file())
}

fn path(project: &str, key: &str) -> String {
    format!("/api/projects/{project}/feature_flags/{key}/remote_config")
}

fn payloads_are_answered(kind: Kind) {
    let server = TestServer::on(kind).project(&file()).start();
    let mut replayed = 0;
    for sdk in ["posthog-python", "posthog-node"] {
        for request in recording(sdk) {
            if request["path"]
                .as_str()
                .unwrap()
                .ends_with("/remote_config")
            {
                let answer = server.send(&rebuild(&request));
                assert_eq!(answer.status, 200, "{request}");
                assert_eq!(answer.header("content-type"), Some("application/json"));
                assert_eq!(answer.text(), r#""{\"limit\": 10}""#);
                replayed += 1;
            }
        }
    }
    assert_eq!(replayed, 2, "none is left out");
    for (key, body) in [
        ("rc-flag", r#""{\"limit\": 10}""#),
        ("object", r#""{\"limit\":[1,2.0]}""#),
        ("none", "null"),
        ("a%20b", r#""3""#),
    ] {
        for project in ["1", "@current"] {
            for target in [path(project, key), path(project, key) + "/"] {
                let answer = server.send(&get(&target, "phx_read"));
                assert_eq!(
                    (answer.status, answer.text().as_str()),
                    (200, body),
                    "{target}"
                );
            }
        }
    }
    for key in ["plain", "nobody"] {
        let answer = server.send(&get(&path("1", key), "phs_local_dev"));
        let expected = json!({"type": "invalid_request", "code": "not_found", "detail": "Not found.", "attr": null});
        assert_eq!((answer.status, answer.json()), (404, expected), "{key}");
    }
}

#[test]
fn who_may_not_ask_is_told_in_json() {
    let server = TestServer::on(Kind::Sqlite).project(&file()).start();
    let asked = |target: &str, key: &str| -> (u16, String) {
        let answer: Response = server.send(&get(target, key));
        (
            answer.status,
            answer.json()["code"].as_str().unwrap().to_owned(),
        )
    };
    let here = path("@current", "rc-flag");
    let elsewhere = path("2", "rc-flag");
    let with_token = format!("{here}?token=phc_other");
    let unknown = format!("{here}?token=phc_nobody");
    for (target, key, status, code) in [
        (&here, "phs_nobody", 401, "authentication_failed"),
        (&here, "phx_nobody", 401, "authentication_failed"),
        (&here, "phx_cohorts", 403, "permission_denied"),
        (&here, "phs_other", 404, "not_found"),
        (&elsewhere, "phs_local_dev", 403, "permission_denied"),
        (&elsewhere, "phx_local_dev", 403, "permission_denied"),
        (&with_token, "phs_local_dev", 403, "permission_denied"),
        (&unknown, "phs_local_dev", 401, "authentication_failed"),
    ] {
        assert_eq!(
            asked(target, key),
            (status, code.to_owned()),
            "{target} {key}"
        );
    }
    let answer = server.send(&Request::get(&here));
    assert_eq!(answer.status, 401);
    assert_eq!(answer.json()["code"], "not_authenticated");
}

#[test]
fn a_database_that_is_away_is_told_in_json() {
    let database = Arc::new(Database::private());
    let server = TestServer::with(&database)
        .project(&file())
        .env("BURGEE_POOL_ACQUIRE_TIMEOUT_MS", "500")
        .start();
    database.server().stop().unwrap();
    let answer = server.send(&get(&path("1", "rc-flag"), "phs_local_dev"));
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["type"], "server_error");
}
