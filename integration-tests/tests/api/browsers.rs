//! What posthog-js asks for beside flags: remote config, surveys, scripts (http-api, chapter 5).

use super::replay::{rebuild, recording};
use burgee_integration_tests::http::Request;
use burgee_integration_tests::{Kind, ProjectBuilder, TestServer};
use serde_json::{Value, json};

on_both_databases!(recorded_requests_are_answered);

const CACHED: Option<&str> = Some("public, max-age=300");

fn server(kind: Kind) -> TestServer {
    TestServer::on(kind)
        .project(&ProjectBuilder::new().file())
        .start()
}

/// The members of section 5.2.
fn expected() -> Value {
    json!({
        "token": "phc_local_dev", "hasFeatureFlags": true, "supportedCompression": ["gzip", "gzip-js"],
        "analytics": {"endpoint": "/i/v0/e/"}, "autocapture_opt_out": true, "sessionRecording": false, "heatmaps": false,
        "capturePerformance": false, "captureDeadClicks": false, "autocaptureExceptions": false,
        "errorTracking": {"autocaptureExceptions": false, "suppressionRules": []}, "elementsChainAsString": true,
        "defaultIdentifiedOnly": true, "flagsPersistenceDefault": false, "isAuthenticated": false, "toolbarParams": {},
        "siteApps": [], "productTours": false, "conversations": false, "logs": {"captureConsoleLogs": false},
        "config": {"enable_collect_everything": true},
    })
}

/// Takes the config out of the script, which is nothing but assignments.
fn config_in(script: &str) -> Value {
    let (_, rest) = script
        .split_once("[\"phc_local_dev\"]={config:")
        .expect(script);
    let config = rest.strip_suffix(",siteApps:[]}})();\n").expect(script);
    serde_json::from_str(config).unwrap()
}

fn recorded_requests_are_answered(kind: Kind) {
    let server = server(kind);
    let mut replayed = 0;
    for sdk in ["posthog-js", "posthog-js-options"] {
        for request in recording(sdk) {
            let path = request["path"].as_str().unwrap();
            if !path.starts_with("/array/") && !path.starts_with("/static/") {
                continue;
            }
            let answer = server.send(&rebuild(&request));
            let what = format!("{sdk}: {path}");
            assert_eq!(json!(answer.status), request["answered"], "{what}");
            let origin = answer.header("access-control-allow-origin");
            assert_eq!(origin, Some("https://app.example.test"), "{what}");
            if path.ends_with("/config") {
                assert_eq!(answer.json(), expected(), "{what}");
                assert_eq!(
                    answer.header("content-type"),
                    Some("application/json"),
                    "{what}"
                );
            } else if path.ends_with("/config.js") {
                assert_eq!(config_in(&answer.text()), expected(), "{what}");
                let content = answer.header("content-type");
                assert_eq!(content, Some("application/javascript"), "{what}");
            }
            if answer.status == 200 {
                assert_eq!(answer.header("cache-control"), CACHED, "{what}");
            }
            replayed += 1;
        }
    }
    assert_eq!(replayed, 9, "none is left out");
}

#[test]
fn paths_answer_with_and_without_a_slash() {
    let server = server(Kind::Sqlite);
    for path in [
        "/array/phc_local_dev/config",
        "/array/phc_local_dev/config.js",
    ] {
        let plain = server.get(path);
        let slashed = server.get(&format!("{path}/"));
        assert_eq!((plain.status, slashed.status), (200, 200), "{path}");
        assert_eq!(plain.body, slashed.body, "{path}");
        assert_eq!(
            server.send(&Request::new("HEAD", path)).status,
            200,
            "{path}"
        );
        assert_eq!(server.send(&Request::post(path)).status, 405, "{path}");
    }
    for path in [
        "/api/surveys",
        "/api/surveys/?token=phc_local_dev",
        "/api/surveys?token=x",
    ] {
        let answer = server.get(path);
        assert_eq!(
            (answer.status, answer.json()),
            (200, json!({"surveys": []})),
            "{path}"
        );
    }
}

/// The path is anybody's text: an unknown token is not repeated.
#[test]
fn an_unknown_token_has_no_config() {
    let server = server(Kind::Sqlite);
    for token in ["phc_nobody", "%3Cscript%3E", "%22%3Balert(1)%2F%2F"] {
        for name in ["config", "config.js"] {
            let answer = server.get(&format!("/array/{token}/{name}"));
            assert_eq!(answer.status, 404, "{token}");
            assert_eq!(answer.json()["detail"], "Not found.", "{token}");
            assert!(!answer.text().contains("script"), "{token}");
            assert!(answer.header("access-control-allow-origin").is_some());
        }
    }
}

#[test]
fn a_strange_token_cannot_break_out_of_the_script() {
    let token = "</script><b>\"\\";
    let file = ProjectBuilder::new().with("token", json!(token)).file();
    let server = TestServer::on(Kind::Sqlite).project(&file).start();
    let answer = server.get("/array/%3C%2Fscript%3E%3Cb%3E%22%5C/config.js");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let script = answer.text();
    assert!(!script.contains('<'), "{script}");
    assert!(
        script.contains(r#"["\u003c/script>\u003cb>\"\\"]={config:"#),
        "{script}"
    );
}

#[test]
fn autocapture_is_the_operators_choice() {
    let server = TestServer::on(Kind::Sqlite)
        .project(&ProjectBuilder::new().file())
        .arg("--autocapture-opt-out=false")
        .start();
    let config = server.get("/array/phc_local_dev/config").json();
    assert_eq!(config["autocapture_opt_out"], json!(false));
    assert_eq!(config.get("surveys"), None);
    let body = json!({"token": "phc_local_dev", "distinct_id": "u"});
    let flags = server.post("/flags?v=2&config=true", &body).json();
    assert_eq!(flags["autocapture_opt_out"], json!(false));
}

#[test]
fn scripts_come_from_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let dist = directory.path().join("dist");
    std::fs::create_dir_all(dist.join("lib")).unwrap();
    for (name, text) in [
        ("dist/array.js", "one()"),
        ("dist/surveys.js", "two()"),
        ("dist/.hidden.js", "no"),
        ("dist/lib/inner.js", "no"),
        ("secret.js", "no"),
    ] {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let server = TestServer::on(Kind::Sqlite)
        .arg(&format!("--static-dir={}", dist.display()))
        .start();
    for (path, text) in [
        ("/static/array.js", "one()"),
        ("/static/1.449.2/surveys.js", "two()"),
        ("/static/surveys.js?v=1.449.2", "two()"),
    ] {
        let answer = server.get(path);
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, text),
            "{path}"
        );
        let content = answer.header("content-type").unwrap();
        assert!(content.contains("javascript"), "{content}");
        assert_eq!(answer.header("cache-control"), CACHED, "{path}");
        assert!(answer.header("access-control-allow-origin").is_some());
        let tag = answer.header("etag").unwrap();
        let again = Request::get(path).header("If-None-Match", tag);
        assert_eq!(server.send(&again).status, 304, "{path}");
    }
    for path in [
        "/static/",
        "/static/nothing.js",
        "/static/lib",
        "/static/.hidden.js",
        "/static/../secret.js",
        "/static/%2e%2e/secret.js",
        "/static/..%2fsecret.js",
        "/static/1/../../secret.js",
        "/static/a/b/array.js",
    ] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
}
