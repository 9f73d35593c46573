//! Every request with events that the real SDKs were recorded to send, replayed byte for byte, and the persons they make.

use crate::events::{exported, person};
use crate::replay::{header, rebuild, recording};
use burgee_integration_tests::{FlagBuilder, Kind, ProjectBuilder, TestServer};
use serde_json::{Value, json};

on_both_databases!(
    recorded_events_of_python,
    recorded_events_of_node,
    recorded_events_of_rust,
    recorded_events_of_browsers,
    recorded_events_of_browsers_with_other_options,
);

const PATHS: [&str; 4] = ["/batch", "/e", "/i/v0/e", "/i/v1/analytics/events"];

pub(crate) fn is_replayed(request: &Value) -> bool {
    PATHS.contains(&request["path"].as_str().unwrap().trim_end_matches('/'))
}

/// Replays a recording; returns what is stored then, and how many requests there were.
fn replay(kind: Kind, sdk: &str) -> (Value, usize) {
    let project = ProjectBuilder::new().flag(FlagBuilder::new("multi"));
    let server = TestServer::on(kind).project(&project.file()).start();
    let requests: Vec<Value> = recording(sdk).into_iter().filter(is_replayed).collect();
    for request in &requests {
        let what = format!("{sdk}: {}", request["call"]);
        let answer = server.send(&rebuild(request));
        assert_eq!(answer.status, 200, "{what}: {}", answer.text());
        if let Some(origin) = header(request, "origin") {
            let allowed = answer.header("access-control-allow-origin");
            assert_eq!(allowed, Some(origin), "{what}");
        }
        if request["method"] == "OPTIONS" {
            continue;
        }
        assert_eq!(
            answer.header("content-type"),
            Some("application/json"),
            "{what}"
        );
        match header(request, "posthog-request-id") {
            None => assert_eq!(answer.json(), json!({"status": "Ok"}), "{what}"),
            Some(id) => {
                assert_eq!(answer.header("posthog-request-id"), Some(id), "{what}");
                assert_results(&answer.json(), request, &what);
            }
        }
    }
    (exported(server.database()), requests.len())
}

fn assert_results(answer: &Value, request: &Value, what: &str) {
    let events = request["body"]["batch"].as_array().unwrap();
    let ok = |event: &Value| {
        (
            event["uuid"].as_str().unwrap().to_owned(),
            json!({"result": "ok"}),
        )
    };
    let results: serde_json::Map<String, Value> = events.iter().map(ok).collect();
    assert_eq!(answer, &json!({"results": results}), "{what}");
}

/// The distinct ids and properties of each stored person, by first id.
fn persons(project: &Value) -> Vec<(Value, Value)> {
    let empty = Vec::new();
    let persons = project["persons"].as_array().unwrap_or(&empty);
    let mut found: Vec<(Value, Value)> = persons
        .iter()
        .map(|person| (person["distinct_ids"].clone(), person["properties"].clone()))
        .collect();
    found.sort_by_key(|(ids, _)| ids.to_string());
    found
}

fn acme() -> Value {
    json!([{"type": "company", "key": "acme", "properties": {"plan": "enterprise"}}])
}

fn recorded_events_of_python(kind: Kind) {
    let (project, count) = replay(kind, "posthog-python");
    assert_eq!(count, 13);
    // `set`, `set_once`, an event with all three, then `alias("anon-1" is "user-1")`; and version 1.
    let expected = [
        (json!(["u"]), json!({"a": 1, "z": 1})),
        (
            json!(["user-1", "anon-1"]),
            json!({"a": 1, "b": 2, "first": "x", "tier": "gold"}),
        ),
    ];
    assert_eq!(persons(&project), expected);
    assert_eq!(project["groups"], acme());
    assert_eq!(project["group_types"], json!(["company"]));
}

fn recorded_events_of_node(kind: Kind) {
    let (project, count) = replay(kind, "posthog-node");
    assert_eq!(count, 18);
    let expected = [
        (json!(["u"]), json!({"a": 1, "tier": "gold"})),
        (
            json!(["user-1", "anon-1", "anon-9"]),
            json!({"a": 1, "first": "x", "o": 1, "tier": "gold"}),
        ),
    ];
    assert_eq!(persons(&project), expected);
    assert_eq!(project["groups"], acme());
}

fn recorded_events_of_rust(kind: Kind) {
    let (project, count) = replay(kind, "posthog-rs");
    assert_eq!(count, 8);
    // The alias names ids that are one person's already.
    let expected = [(json!(["user-1", "anon-1"]), json!({"tier": "gold"}))];
    assert_eq!(persons(&project), expected);
    assert_eq!(project["groups"], acme());
}

fn recorded_events_of_browsers(kind: Kind) {
    let (project, count) = replay(kind, "posthog-js");
    assert_eq!(count, 8);
    let all = persons(&project);
    assert_eq!(all.len(), 1, "{all:?}");
    let anonymous = "01a20085-1382-7bbc-a636-463e57e75396";
    let user = person(&project, "user-1").unwrap();
    // The anonymous id got a person with its group, the login added an id to it, and the alias another.
    assert_eq!(
        user["distinct_ids"],
        json!([anonymous, "user-1", "alias-1"])
    );
    let properties = &user["properties"];
    for (name, value) in [
        ("tier", json!("gold")),
        ("first", json!("x")),
        ("o", json!(1)),
        ("$initial_referrer", json!("$direct")),
        ("$initial_utm_source", json!(null)),
    ] {
        assert_eq!(properties.get(name), Some(&value), "{name}");
    }
    assert_eq!(properties.get("s"), None, "it was removed again");
    assert_eq!(project["groups"], acme());
}

fn recorded_events_of_browsers_with_other_options(kind: Kind) {
    let (project, count) = replay(kind, "posthog-js-options");
    assert_eq!(count, 15);
    assert_eq!(persons(&project), [], "nobody logged in");
}
