//! The answer's shape in every version (http-api 3.7), and the members that `config` adds (3.9).

use burgee_integration_tests::http::{Request, Response};
use burgee_integration_tests::{FlagBuilder, Kind, ProjectBuilder, TestServer, filter};
use serde_json::{Value, json};

on_both_databases!(every_version_has_its_shape, failed_flags_in_every_shape);

fn project() -> Value {
    ProjectBuilder::new()
        .flag(
            FlagBuilder::new("checkout-v2")
                .id(12)
                .when(filter::person("plan", "exact", "enterprise"))
                .condition(json!({"variant": "wide"}))
                .variants(&[("narrow", 100), ("wide", 0)])
                .filters("payloads", json!({"wide": "{\"columns\": 2}"})),
        )
        .flag(
            FlagBuilder::new("dark-mode")
                .id(13)
                .with("has_experiment", json!(true))
                .when(filter::person("plan", "exact", "enterprise")),
        )
        .flag(
            FlagBuilder::new("banner")
                .id(14)
                .filters("payloads", json!({"true": "\"hello\""})),
        )
        .flag(
            FlagBuilder::new("retired")
                .id(15)
                .with("active", json!(false)),
        )
        .file()
}

/// The members that name the request and its moment: checked for their form, then taken out.
fn settle(mut answer: Value) -> Value {
    let members = answer.as_object_mut().expect("an object");
    let id = members.remove("requestId").expect("a requestId");
    assert!(is_uuid(id.as_str().unwrap()), "{id}");
    let at = members.remove("evaluatedAt").expect("an evaluatedAt");
    assert!(at.as_i64().unwrap() > 1_700_000_000_000, "{at}");
    answer
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12]
        && text
            .chars()
            .all(|c| c == '-' || c.is_ascii_digit() || ('a'..='f').contains(&c))
}

fn v2_records() -> Value {
    json!({
        "checkout-v2": {
            "key": "checkout-v2", "enabled": true, "variant": "wide",
            "reason": {"code": "condition_match", "condition_index": 1, "description": "Matched condition set 2"},
            "metadata": {"id": 12, "version": 1, "description": null, "payload": "{\"columns\": 2}", "has_experiment": false},
        },
        "dark-mode": {
            "key": "dark-mode", "enabled": false, "variant": null,
            "reason": {"code": "no_condition_match", "condition_index": 0, "description": "No matching condition set"},
            "metadata": {"id": 13, "version": 1, "description": null, "payload": null, "has_experiment": true},
        },
        "banner": {
            "key": "banner", "enabled": true, "variant": null,
            "reason": {"code": "condition_match", "condition_index": 0, "description": "Matched condition set 1"},
            "metadata": {"id": 14, "version": 1, "description": null, "payload": "\"hello\"", "has_experiment": false},
        },
    })
}

/// The V2 record with the members that version 4 adds.
fn v4_records() -> Value {
    let mut records = v2_records();
    for record in records.as_object_mut().unwrap().values_mut() {
        let variant = record["variant"].clone();
        record["value"] = if variant.is_null() {
            record["enabled"].clone()
        } else {
            variant.clone()
        };
        record["metadata"]["config_version"] = json!(1);
        if !variant.is_null() {
            record["metadata"]["variant_key"] = variant;
        }
    }
    records
}

fn every_version_has_its_shape(kind: Kind) {
    let server = TestServer::on(kind).project(&project()).start();
    let v1 = json!({
        "errorsWhileComputingFlags": false,
        "featureFlags": {"checkout-v2": "wide", "dark-mode": false, "banner": true},
        "featureFlagPayloads": {"checkout-v2": "{\"columns\": 2}", "banner": "\"hello\""},
    });
    let v2 = json!({"errorsWhileComputingFlags": false, "flags": v2_records()});
    let v4 = json!({"errorsWhileComputingFlags": false, "flags": v4_records()});
    let d1 = json!({"featureFlags": ["banner", "checkout-v2"]});
    let d2 = json!({"featureFlags": {"checkout-v2": "wide", "banner": true}});
    let cases = [
        ("/flags?v=1", &v1),
        ("/flags?v=0", &v1),
        ("/flags?v=two", &v1),
        ("/flags?config=false", &v1),
        ("/flags?v=2", &v2),
        ("/flags?version=3", &v2),
        ("/flags?v=4", &v4),
        ("/flags?v=99", &v4),
        ("/decide?v=1&config=false", &d1),
        ("/decide?config=no", &d1),
        ("/decide?v=2&config=0", &d2),
        ("/decide?v=3&config=off", &v1),
        ("/decide?v=4&config=false", &v2),
    ];
    let body = json!({"token": "phc_local_dev", "distinct_id": "maria"});
    for (path, expected) in cases {
        let answer = server.post(path, &body);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_eq!(
            answer.header("content-type"),
            Some("application/json"),
            "{path}"
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        let mut answer = settle(answer.json());
        if let Some(Value::Array(keys)) = answer.get_mut("featureFlags") {
            keys.sort_by_key(Value::to_string);
        }
        assert_eq!(&answer, expected, "{path}");
    }
}

fn failed_flags_in_every_shape(kind: Kind) {
    let file = ProjectBuilder::new()
        .flag(FlagBuilder::new("lost").id(1).when(filter::cohort(404)))
        .flag(FlagBuilder::new("fine").id(2))
        .file();
    let server = TestServer::on(kind).arg("--lenient").project(&file).start();
    let body = json!({"token": "phc_local_dev", "distinct_id": "maria"});

    let v2 = server.flags(2, &body);
    assert_eq!(v2["errorsWhileComputingFlags"], true);
    assert_eq!(v2["flags"]["fine"]["enabled"], true);
    let lost = &v2["flags"]["lost"];
    assert_eq!(
        (&lost["failed"], &lost["enabled"], &lost["variant"]),
        (&json!(true), &json!(false), &json!(null))
    );
    assert_eq!(
        lost["reason"],
        json!({"code": "dependency_not_found_cohort", "condition_index": null, "description": "Cohort dependency not found"})
    );
    assert_eq!(lost["metadata"]["payload"], json!(null));

    let v4 = server.flags(4, &body);
    assert_eq!(v4["flags"]["lost"]["value"], json!(null));
    assert_eq!(v4["flags"]["lost"]["failed"], json!(true));
    let v1 = server.flags(1, &body);
    assert_eq!(v1["featureFlags"], json!({"lost": false, "fine": true}));
    assert_eq!(v1["errorsWhileComputingFlags"], true);
    let d2 = server.post("/decide?v=2&config=false", &body).json();
    assert_eq!(settle(d2), json!({"featureFlags": {"fine": true}}));
}

#[test]
fn config_members_stand_beside_the_flags() {
    let server = TestServer::on(Kind::Sqlite).project(&project()).start();
    let body = json!({"token": "phc_local_dev", "distinct_id": "maria"});
    // Neither `v` nor `config`: as if both had been asked for. `/decide` implies `config`.
    for path in [
        "/flags",
        "/flags?v=2&config=true",
        "/flags?v=2&config",
        "/decide?v=4",
    ] {
        let answer = server.post(path, &body).json();
        assert_eq!(answer["flags"], v2_records(), "{path}");
        assert_config(&answer, path);
    }
    let plain = server.post("/flags?v=2", &body).json();
    assert_eq!(plain.get("supportedCompression"), None);
}

fn assert_config(answer: &Value, path: &str) {
    let expected = [
        ("hasFeatureFlags", json!(true)),
        ("supportedCompression", json!(["gzip", "gzip-js"])),
        ("analytics", json!({"endpoint": "/i/v0/e/"})),
        ("autocapture_opt_out", json!(true)),
        ("sessionRecording", json!(false)),
        ("capturePerformance", json!(false)),
        ("defaultIdentifiedOnly", json!(true)),
        ("siteApps", json!([])),
        ("logs", json!({"captureConsoleLogs": false})),
        ("config", json!({"enable_collect_everything": true})),
    ];
    for (member, value) in expected {
        assert_eq!(answer.get(member), Some(&value), "{path}: {member}");
    }
    assert_eq!(
        answer.get("surveys"),
        None,
        "any value makes clients load a script"
    );
    assert_eq!(
        answer.get("quotaLimited"),
        None,
        "its presence means limited"
    );
}

#[test]
fn the_request_id_is_the_clients_if_it_is_one() {
    let server = TestServer::on(Kind::Sqlite).project(&project()).start();
    let body = json!({"token": "phc_local_dev", "distinct_id": "maria"});
    let ask = |id: &str| -> Response {
        server.send(
            &Request::post("/flags?v=2")
                .header("X-Request-Id", id)
                .json(&body),
        )
    };
    let id = "0190c0de-7e57-4abc-8def-0123456789ab";
    assert_eq!(ask(id).json()["requestId"], id);
    assert_eq!(ask(&id.to_uppercase()).json()["requestId"], id);
    let other = ask("not-a-uuid").json()["requestId"].clone();
    assert!(is_uuid(other.as_str().unwrap()));
}

#[test]
fn a_proxy_may_rename_decide() {
    let server = TestServer::on(Kind::Sqlite).project(&project()).start();
    let body = json!({"token": "phc_local_dev", "distinct_id": "maria"});
    let renamed = Request::post("/flags?v=2&config=false").header("X-Original-Endpoint", "decide");
    let answer = settle(server.send(&renamed.json(&body)).json());
    assert_eq!(
        answer,
        json!({"featureFlags": {"checkout-v2": "wide", "banner": true}})
    );
}
