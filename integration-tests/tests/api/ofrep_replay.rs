//! Every request that OpenFeature's providers were recorded to send, replayed byte for byte.

use super::replay::{header, rebuild, recording};
use burgee_integration_tests::{FlagBuilder, Kind, ProjectBuilder, TestServer, filter};
use serde_json::{Value, json};

on_both_databases!(recorded_requests_are_answered);

const PROVIDERS: [&str; 4] = [
    "openfeature-ofrep-python",
    "openfeature-ofrep-js-server",
    "openfeature-ofrep-js-web",
    "openfeature-ofrep-rust",
];

/// The flags that the recordings ask for.
fn project() -> Value {
    ProjectBuilder::new()
        .group_types(&["company"])
        .flag(FlagBuilder::new("email-flag").id(1).when(filter::person(
            "email",
            "icontains",
            "@example.com",
        )))
        .flag(
            FlagBuilder::new("multi")
                .id(2)
                .variants(&[("first", 50), ("second", 50)]),
        )
        .flag(
            FlagBuilder::new("company-flag")
                .id(3)
                .filters("aggregation_group_type_index", json!(0))
                .when(filter::group("plan", "exact", "enterprise")),
        )
        .flag(
            FlagBuilder::new("rc-flag")
                .id(4)
                .with("is_remote_configuration", json!(true))
                .filters("payloads", json!({"true": "{\"a\": 1}"})),
        )
        .flag(FlagBuilder::new("bool-on").id(5))
        .file()
}

fn recorded_requests_are_answered(kind: Kind) {
    let server = TestServer::on(kind).project(&project()).start();
    let mut replayed = 0;
    for provider in PROVIDERS {
        for request in recording(provider) {
            let what = format!("{provider}: {} {}", request["call"], request["path"]);
            let sent = rebuild(&request);
            let answer = server.send(&sent);
            let has_key = request["body"]["context"].get("targetingKey").is_some();
            // The recorded outages and tags were those of another server.
            let expected = match (
                has_key,
                request["path"].as_str().unwrap().ends_with("/nope"),
            ) {
                (false, _) => 400,
                (true, true) => 404,
                (true, false) => 200,
            };
            assert_eq!(answer.status, expected, "{what}: {}", answer.text());
            replayed += 1;
            let told = answer.json();
            match (expected, told.get("flags")) {
                (200, Some(flags)) => {
                    assert_eq!(flags.as_array().unwrap().len(), 5, "{what}");
                    for flag in flags.as_array().unwrap() {
                        assert_flag(flag, &request, &what);
                    }
                    assert_polled(&server, &request, answer.header("etag").unwrap(), &what);
                }
                (200, None) => assert_flag(&told, &request, &what),
                _ => {
                    let code = if expected == 404 {
                        "FLAG_NOT_FOUND"
                    } else {
                        "TARGETING_KEY_MISSING"
                    };
                    assert_eq!(told["errorCode"], code, "{what}");
                    assert!(told["errorDetails"].is_string(), "{what}");
                }
            }
        }
    }
    assert_eq!(replayed, 24, "none is left out");
}

/// The same request, with our tag where another one was recorded.
fn assert_polled(server: &TestServer, request: &Value, tag: &str, what: &str) {
    let mut again = request.clone();
    let headers = again["headers"].as_object_mut().unwrap();
    headers.insert("If-None-Match".to_owned(), json!(tag));
    let answer = server.send(&rebuild(&again));
    assert_eq!((answer.status, answer.body.len()), (304, 0), "{what}");
    assert_eq!(
        header(&again, "if-none-match"),
        answer.header("etag"),
        "{what}"
    );
}

/// What each provider needs of a flag, and the value that follows from the recorded context.
fn assert_flag(flag: &Value, request: &Value, what: &str) {
    const WORDS: [&str; 5] = ["STATIC", "TARGETING_MATCH", "SPLIT", "DISABLED", "UNKNOWN"];
    assert!(flag["variant"].is_string(), "{what}: {flag}");
    assert!(
        WORDS.contains(&flag["reason"].as_str().unwrap()),
        "{what}: {flag}"
    );
    for value in flag["metadata"].as_object().unwrap().values() {
        assert!(
            value.is_string() || value.is_number() || value.is_boolean(),
            "{what}: {flag}"
        );
    }
    let context = &request["body"]["context"];
    let value = &flag["value"];
    match flag["key"].as_str().unwrap() {
        "email-flag" => assert_eq!(value, context.get("email").is_some(), "{what}"),
        "company-flag" => assert_eq!(value, context.get("groups").is_some(), "{what}"),
        "bool-on" => assert_eq!(value, true, "{what}"),
        "rc-flag" => assert_eq!(value, &json!({"a": 1}), "{what}"),
        "multi" => assert!(
            ["first", "second"].contains(&value.as_str().unwrap()),
            "{what}"
        ),
        other => panic!("{what}: {other}"),
    }
}
