//! Flags of the admin API: rules, lists, versions, and what happens to those that others need.

use super::admin::{Admin, COHORTS, FLAGS, start};
use burgee_integration_tests::{FlagBuilder, Kind, ProjectBuilder, filter};
use serde_json::{Value, json};

on_both_databases!(
    rules_have_their_errors,
    flags_that_depend_on_each_other_are_kept_sound,
    lists_are_filtered_and_come_in_pages,
    versions_keep_two_people_from_undoing_each_other,
    all_members_can_be_written,
    a_payload_is_served_as_it_was_written,
    calls_are_seen,
);

fn of(filters: Value) -> Value {
    json!({"key": "new", "filters": filters})
}

fn one(filter: Value) -> Value {
    of(json!({"groups": [{"properties": [filter]}]}))
}

fn rules_have_their_errors(kind: Kind) {
    let project = ProjectBuilder::new()
        .group_types(&["company"])
        .flag(FlagBuilder::new("taken").id(1))
        .cohort(json!({"id": 5, "name": "Static", "is_static": true}));
    let server = start(kind, project);
    let admin = Admin::of(&server);
    let first = "filters__groups__0__properties__0";
    let cases: Vec<(Value, &str, String)> = vec![
        (json!({}), "required", "key".into()),
        (
            json!({"key": "a b", "filters": {"groups": [{}]}}),
            "invalid_key",
            "key".into(),
        ),
        (
            json!({"key": "taken", "filters": {"groups": [{}]}}),
            "unique",
            "key".into(),
        ),
        (
            json!({"key": "new", "active": 1, "filters": {"groups": [{}]}}),
            "invalid",
            "active".into(),
        ),
        (of(json!({"groups": []})), "invalid_input", "filters".into()),
        (
            of(json!({"groups": [{"rollout_percentage": 100.5}]})),
            "invalid_input",
            "filters__groups__0__rollout_percentage".into(),
        ),
        (
            of(json!({"groups": [{"variant": "x"}]})),
            "invalid_input",
            "filters__groups__0__variant".into(),
        ),
        (
            of(
                json!({"groups": [{}], "multivariate": {"variants": [{"key": "a", "rollout_percentage": 99}]}}),
            ),
            "invalid_input",
            "filters".into(),
        ),
        (
            of(json!({"groups": [{}], "payloads": {"x": "1"}})),
            "invalid_input",
            "filters__payloads__x".into(),
        ),
        (
            of(json!({"groups": [{}], "payloads": {"true": "{"}})),
            "invalid_input",
            "filters__payloads__true".into(),
        ),
        (
            of(json!({"groups": [{}], "holdout": {"id": "x"}})),
            "invalid_input",
            "filters__holdout__id".into(),
        ),
        (
            one(filter::person("a", "like", "b")),
            "invalid_operator",
            format!("{first}__operator"),
        ),
        (
            one(filter::person("a", "regex", "(")),
            "invalid_input",
            format!("{first}__value"),
        ),
        (
            one(filter::person("a", "is_date_after", "soon")),
            "invalid_date",
            format!("{first}__value"),
        ),
        (
            one(filter::group("a", "exact", "b")),
            "invalid_input",
            format!("{first}__type"),
        ),
        (
            one(filter::cohort(77)),
            "cohort_does_not_exist",
            format!("{first}__value"),
        ),
        (
            one(filter::flag(77, true)),
            "invalid_input",
            format!("{first}__key"),
        ),
    ];
    for (body, code, attr) in cases {
        let found = admin.refused("POST", FLAGS, &body);
        assert_eq!(found, (400, code.to_owned(), json!(attr)), "{body}");
    }
    for body in ["", "{", "[]", "nonsense", &"[".repeat(10_000)] {
        let answer = server.send(&admin.request("POST", FLAGS).body(body));
        let error = answer.json();
        assert_eq!(
            (answer.status, &error["code"]),
            (400, &json!("parse_error")),
            "{body:.20}"
        );
        assert!(
            error["detail"]
                .as_str()
                .unwrap()
                .starts_with("JSON parse error - ")
        );
    }
    let large = "x".repeat(3 << 20);
    let answer = server.send(&admin.request("POST", FLAGS).body(large));
    assert_eq!(
        (answer.status, &answer.json()["type"]),
        (413, &json!("server_error"))
    );
    assert_eq!(admin.get(FLAGS)["count"], 1, "nothing of it was stored");
    server.stop();
}

fn flags_that_depend_on_each_other_are_kept_sound(kind: Kind) {
    let server = start(kind, ProjectBuilder::new());
    let admin = Admin::of(&server);
    let a = admin.create(FLAGS, &json!({"key": "a", "filters": {"groups": [{}]}}))["id"].clone();
    let id = i32::try_from(a.as_i64().unwrap()).unwrap();
    let on_a = json!({"groups": [{"properties": [filter::flag(id, true)]}]});
    let b = admin.create(FLAGS, &json!({"key": "b", "filters": on_a}))["id"].clone();
    let on_b = json!({"groups": [{"properties": [filter::flag(i32::try_from(b.as_i64().unwrap()).unwrap(), true)]}]});
    let path = format!("{FLAGS}{a}/");
    let circle = admin.send("PATCH", &path, &json!({"filters": on_b}));
    assert_eq!(circle.status, 400);
    assert!(
        circle.json()["detail"]
            .as_str()
            .unwrap()
            .starts_with("Circular dependencies"),
        "{}",
        circle.text()
    );
    assert_eq!(
        admin.refused("PATCH", &path, &json!({"filters": on_a})).0,
        400
    );
    assert_eq!(
        admin.refused("PATCH", &path, &json!({"deleted": true})).2,
        json!("deleted")
    );
    admin.patch(&format!("{FLAGS}{b}/"), &json!({"deleted": true}));
    admin.patch(&path, &json!({"deleted": true}));

    let cohort = admin.create(COHORTS, &json!({"name": "n", "filters": {"properties": {"type": "AND", "values": [filter::person("a", "exact", "b")]}}}));
    let cohort_path = format!("{COHORTS}{}/", cohort["id"]);
    let use_it = json!({"type": "cohort", "key": "id", "value": cohort["id"]});
    let user = admin.create(
        FLAGS,
        &json!({"key": "user", "filters": {"groups": [{"properties": [use_it]}]}}),
    );
    assert_eq!(
        admin
            .refused("PATCH", &cohort_path, &json!({"deleted": true}))
            .2,
        json!("deleted")
    );
    let behaviour = json!({"filters": {"properties": {"type": "AND", "values": [{"type": "behavioral", "key": "bought", "value": "performed_event"}]}}});
    let refused = admin.refused("PATCH", &cohort_path, &behaviour);
    assert_eq!(
        refused,
        (400, "behavioral_cohort_found".to_owned(), json!("filters"))
    );
    admin.patch(
        &format!("{FLAGS}{}/", user["id"]),
        &json!({"deleted": true}),
    );
    admin.patch(&cohort_path, &behaviour);
    let refused = admin.refused("POST", FLAGS, &one(use_it));
    assert_eq!(refused.1, "behavioral_cohort_found");
    server.stop();
}

fn lists_are_filtered_and_come_in_pages(kind: Kind) {
    let mut project = ProjectBuilder::new();
    for id in 1..=5 {
        project = project.flag(
            FlagBuilder::new(&format!("flag-{id}"))
                .id(id)
                .with("active", json!(id != 3)),
        );
    }
    let server = start(kind, project);
    let admin = Admin::of(&server);
    admin.patch(
        &format!("{FLAGS}4/"),
        &json!({"tags": ["web"], "name": "Fourth", "evaluation_runtime": "client"}),
    );
    admin.create(FLAGS, &json!({"key": "many", "filters": {"groups": [{}], "multivariate": {"variants": [{"key": "a", "rollout_percentage": 100}]}}}));
    let keys = |query: &str| -> Vec<String> {
        let page = admin.get(&format!("{FLAGS}?{query}"));
        let results = page["results"].as_array().unwrap();
        assert_eq!(page["count"], results.len(), "{query}");
        results
            .iter()
            .map(|it| it["key"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(keys("search=FOUR"), ["flag-4"]);
    assert_eq!(keys("search=flag-1"), ["flag-1"]);
    assert_eq!(keys("active=false"), ["flag-3"]);
    assert_eq!(keys("type=multivariant"), ["many"]);
    assert_eq!(keys("tags=%5B%22web%22%5D"), ["flag-4"]);
    assert_eq!(keys("evaluation_runtime=client"), ["flag-4"]);
    assert_eq!(
        keys("ordering=-key&active=true"),
        ["many", "flag-5", "flag-4", "flag-2", "flag-1"]
    );
    let me = admin.get("/api/users/@me/")["id"].clone();
    assert_eq!(keys(&format!("created_by_id={me}")), ["many"]);
    assert_eq!(keys("created_by_id=1"), [""; 0]);

    let mut seen = Vec::new();
    let mut next = format!("{FLAGS}?limit=4&order=key");
    let mut previous = Value::Null;
    loop {
        let page = admin.get(&next);
        assert_eq!(
            (&page["count"], page["previous"].is_null()),
            (&json!(6), previous.is_null())
        );
        seen.extend(
            page["results"]
                .as_array()
                .unwrap()
                .iter()
                .map(|it| it["key"].clone()),
        );
        let Some(address) = page["next"].as_str() else {
            assert_eq!(
                page["previous"],
                "http://burgee.test/api/projects/1/feature_flags/?limit=4&order=key"
            );
            break;
        };
        assert_eq!(
            address,
            "http://burgee.test/api/projects/1/feature_flags/?limit=4&offset=4&order=key"
        );
        previous = json!("the first page");
        next = address
            .strip_prefix("http://burgee.test")
            .unwrap()
            .to_owned();
    }
    assert_eq!(
        seen,
        ["flag-1", "flag-2", "flag-3", "flag-4", "flag-5", "many"]
    );
    server.stop();
}

fn versions_keep_two_people_from_undoing_each_other(kind: Kind) {
    let server = start(kind, ProjectBuilder::new());
    let admin = Admin::of(&server);
    let flag = admin.create(FLAGS, &json!({"key": "a", "filters": {"groups": [{}]}}));
    let path = format!("{FLAGS}{}/", flag["id"]);
    assert_eq!(
        admin.patch(&path, &json!({"version": 1, "name": "mine"}))["version"],
        2
    );
    let answer = admin.send("PATCH", &path, &json!({"version": 1, "name": "yours"}));
    let error = answer.json();
    assert_eq!(
        (answer.status, &error["type"], &error["code"]),
        (409, &json!("server_error"), &json!("error"))
    );
    assert_eq!(admin.get(&path)["name"], "mine");
    assert_eq!(
        admin.patch(&path, &json!({"version": 2, "name": "yours"}))["version"],
        3
    );

    // Many at once: each change counts, and none is lost.
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (admin, path) = (Admin::of(&server), &path);
            scope.spawn(move || admin.patch(path, &json!({"name": format!("n{number}")})));
        }
    });
    assert_eq!(admin.get(&path)["version"], 11);
    server.stop();
}

fn all_members_can_be_written(kind: Kind) {
    let server = start(kind, ProjectBuilder::new());
    let admin = Admin::of(&server);
    let body = json!({
        "key": "all", "name": "n", "active": false, "archived": true, "ensure_experience_continuity": false,
        "tags": ["t"], "evaluation_runtime": "server", "evaluation_contexts": ["web", "app"],
        "bucketing_identifier": "device_id", "is_remote_configuration": true, "has_encrypted_payloads": false,
        "filters": {
            "groups": [{"properties": [filter::person("n", "exact", json!([5, 5.5]))], "rollout_percentage": 33.3, "variant": "a", "description": "d"}],
            "multivariate": {"variants": [{"key": "a", "name": "A", "rollout_percentage": 100}]},
            "payloads": {"a": "{\"x\": 1e2}"}, "aggregation_group_type_index": null, "early_exit": true,
            "holdout": {"id": 3, "exclusion_percentage": 10}, "super_groups": null, "x": {"y": [null, 12345678901234567890_u64]},
        },
        "unknown": {"ignored": true}, "rollout_percentage": 7, "id": 99, "usage_dashboard": 4,
    });
    let made = admin.create(FLAGS, &body);
    for (name, value) in body.as_object().unwrap() {
        match name.as_str() {
            "filters" | "unknown" | "rollout_percentage" | "id" | "usage_dashboard" => {}
            _ => assert_eq!(&made[name], value, "{name}"),
        }
    }
    assert_eq!(made["rollout_percentage"], json!(33.3));
    assert_eq!(made["usage_dashboard"], Value::Null);
    assert_eq!(made["evaluation_tags"], made["evaluation_contexts"]);
    for (name, value) in body["filters"].as_object().unwrap() {
        if name != "groups" {
            assert_eq!(&made["filters"][name], value, "{name}");
        }
    }
    assert!(made.get("unknown").is_none());
    let path = format!("{FLAGS}{}/", made["id"]);
    let put = server.send(
        &admin
            .request("PUT", &path)
            .json(&json!({"bucketing_identifier": null, "evaluation_runtime": "all"})),
    );
    let put = put.json();
    assert_eq!(
        (&put["bucketing_identifier"], &put["evaluation_runtime"]),
        (&Value::Null, &json!("all"))
    );
    let unchanged = admin.patch(&path, &json!({"filters": {"payloads": {}}}));
    assert_eq!(
        unchanged["filters"], made["filters"],
        "filters without groups change nothing"
    );
    server.stop();
}

fn a_payload_is_served_as_it_was_written(kind: Kind) {
    let server = start(kind, ProjectBuilder::new());
    let admin = Admin::of(&server);
    let body = r#"{"key": "p", "filters": {"groups": [{}], "payloads": {"true": {"b": 2.50,  "a": 1e2}}}}"#;
    let answer = server.send(&admin.request("POST", FLAGS).body(body));
    assert_eq!(
        answer.json()["filters"]["payloads"]["true"],
        r#"{"b":2.50,"a":1e2}"#
    );
    let flags = server.flags(2, &json!({"token": "phc_local_dev", "distinct_id": "u"}));
    assert_eq!(
        flags["flags"]["p"]["metadata"]["payload"],
        r#"{"b":2.50,"a":1e2}"#
    );
    assert_eq!(flags["flags"]["p"]["metadata"]["version"], 1);
    server.stop();
}

fn calls_are_seen(kind: Kind) {
    let server = start(
        kind,
        ProjectBuilder::new().flag(FlagBuilder::new("beta").id(1)),
    );
    let admin = Admin::of(&server);
    assert_eq!(
        admin.get(&format!("{FLAGS}1/"))["last_called_at"],
        Value::Null
    );
    let event = json!({"api_key": "phc_local_dev", "event": "$feature_flag_called", "distinct_id": "u",
        "properties": {"$feature_flag": "beta", "$feature_flag_response": true}});
    assert_eq!(server.post("/e/", &event).status, 200);
    let called = burgee_integration_tests::deadline::eventually("the call to be stored", || {
        let flag = admin.get(&format!("{FLAGS}1/"));
        (!flag["last_called_at"].is_null()).then_some(flag)
    });
    assert_eq!(
        admin.get(FLAGS)["results"][0]["last_called_at"],
        called["last_called_at"]
    );
    server.stop();
}
