//! The OpenFeature Remote Evaluation Protocol (http-api, chapter 8): values, credentials, every error, tags.

use burgee_integration_tests::deadline::eventually;
use burgee_integration_tests::http::{Request, Response};
use burgee_integration_tests::{
    Database, FlagBuilder, Kind, ProjectBuilder, ServerBuilder, TestServer, filter,
};
use serde_json::{Value, json};
use std::sync::Arc;

on_both_databases!(
    flags_have_their_values_and_reasons,
    every_kind_of_key_opens_the_door,
    a_poll_that_changes_nothing_has_no_body,
    every_error_has_its_status_and_code,
);

const ALL: &str = "/ofrep/v1/evaluate/flags";
const ORIGIN: &str = "https://app.example.test";

/// A flag of each kind. `stored` and `company` need what the database holds.
fn project() -> ProjectBuilder {
    ProjectBuilder::new()
        .with("secret_tokens", json!(["phs_one"]))
        .with(
            "personal_keys",
            json!([
                {"label": "reader", "key": "phx_reader", "scopes": ["feature_flag:read"]},
                {"label": "narrow", "key": "phx_narrow", "scopes": ["cohort:write"]},
            ]),
        )
        .group_types(&["company"])
        .flag(FlagBuilder::new("plain").id(1))
        .flag(FlagBuilder::new("off").id(2).rollout(0))
        .flag(
            FlagBuilder::new("inactive")
                .id(3)
                .with("active", json!(false)),
        )
        .flag(
            FlagBuilder::new("stored")
                .id(4)
                .when(filter::person("plan", "exact", "pro"))
                .filters("payloads", json!({"true": "{\"a\": 1}"})),
        )
        .flag(
            FlagBuilder::new("company")
                .id(5)
                .filters("aggregation_group_type_index", json!(0))
                .when(filter::group("seats", "gte", 10)),
        )
        .flag(FlagBuilder::new("multi").id(6).variants(&[("wide", 100)]))
        .flag(
            FlagBuilder::new("config")
                .id(7)
                .with("is_remote_configuration", json!(true))
                .filters("payloads", json!({"true": "{\"columns\": [1, 2.0]}"})),
        )
        .flag(
            FlagBuilder::new("in-browsers")
                .id(8)
                .with("evaluation_runtime", json!("client")),
        )
        .person(&["maria", "7.5"], json!({"plan": "pro"}))
        .group("company", "acme", json!({"seats": 40}))
}

/// The same with a flag that cannot be evaluated, which needs a lenient server.
fn with_a_lost_flag() -> Value {
    let lost = FlagBuilder::new("lost").id(9).when(filter::cohort(404));
    project().flag(lost).file()
}

fn request(path: &str, context: &Value) -> Request {
    Request::post(path)
        .header("Authorization", "Bearer phc_local_dev")
        .json(&json!({ "context": context }))
}

fn one(server: &TestServer, key: &str, context: &Value) -> Response {
    server.send(&request(&format!("{ALL}/{key}"), context))
}

fn all(server: &TestServer, context: &Value) -> Value {
    let answer = server.send(&request(ALL, context));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn flag<'a>(answer: &'a Value, key: &str) -> &'a Value {
    let flags = answer["flags"].as_array().unwrap();
    let found = flags.iter().find(|flag| flag["key"] == key);
    found.unwrap_or_else(|| panic!("no {key} in {answer}"))
}

fn flags_have_their_values_and_reasons(kind: Kind) {
    let server = TestServer::on(kind).project(&project().file()).start();
    let maria = json!({"targetingKey": "maria", "groups": {"company": "acme"}});
    let metadata = |id: i32, reason: &str, index: Option<u32>| {
        let mut metadata = json!({"flagId": id, "version": 1, "posthogReason": reason});
        if let Some(index) = index {
            metadata["conditionIndex"] = json!(index);
        }
        metadata
    };
    let matched = |id| metadata(id, "condition_match", Some(0));
    let mut stored = matched(4);
    stored["payload"] = json!("{\"a\": 1}");
    let expected = [
        json!({"key": "company", "value": true, "variant": "true", "reason": "TARGETING_MATCH", "metadata": matched(5)}),
        json!({"key": "config", "value": {"columns": [1, 2.0]}, "variant": "true", "reason": "STATIC", "metadata": matched(7)}),
        json!({"key": "in-browsers", "value": true, "variant": "true", "reason": "STATIC", "metadata": matched(8)}),
        json!({"key": "inactive", "value": false, "variant": "false", "reason": "DISABLED", "metadata": metadata(3, "flag_disabled", None)}),
        json!({"key": "multi", "value": "wide", "variant": "wide", "reason": "STATIC", "metadata": matched(6)}),
        json!({"key": "off", "value": false, "variant": "false", "reason": "SPLIT", "metadata": metadata(2, "out_of_rollout_bound", Some(0))}),
        json!({"key": "plain", "value": true, "variant": "true", "reason": "STATIC", "metadata": matched(1)}),
        json!({"key": "stored", "value": true, "variant": "true", "reason": "TARGETING_MATCH", "metadata": stored}),
    ];
    for flag in &expected {
        let key = flag["key"].as_str().unwrap();
        let answer = one(&server, key, &maria);
        assert_eq!((answer.status, &answer.json()), (200, flag), "{key}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    let everything = all(&server, &maria);
    assert_eq!(everything["flags"], json!(expected));
    assert_eq!(everything["metadata"]["project"], "1");
    // A person that is known by a number, nobody, and somebody who says so itself.
    for (context, value) in [
        (json!({"targetingKey": 7.5}), true),
        (json!({"targetingKey": "nobody"}), false),
        (json!({"targetingKey": "nobody", "plan": "pro"}), true),
        (json!({"targetingKey": "maria", "plan": "free"}), false),
    ] {
        let answer = all(&server, &context);
        assert_eq!(flag(&answer, "stored")["value"], value, "{context}");
        let reason = if value { "TARGETING_MATCH" } else { "UNKNOWN" };
        assert_eq!(flag(&answer, "stored")["reason"], reason, "{context}");
    }
    // Groups in all the ways in which clients can send them.
    for (context, value) in [
        (json!({"groups": "{\"company\": \"acme\"}"}), true),
        (json!({"$groups": {"company": "acme"}}), true),
        (json!({"groups.company": "acme"}), true),
        (
            json!({"groups.company": "acme", "group_properties.company.seats": 3}),
            false,
        ),
        (
            json!({"groups": {"company": "new"}, "groupProperties": {"company": {"seats": 11}}}),
            true,
        ),
        (json!({"groups": {"company": "new"}}), false),
        (json!({}), false),
    ] {
        let mut asked = context.clone();
        asked["targetingKey"] = json!("nobody");
        let answer = one(&server, "company", &asked).json();
        assert_eq!(answer["value"], value, "{context}");
    }
    server.stop();
}

#[test]
fn what_a_request_is_not_meant_for_is_left_out() {
    let file = project()
        .flag(FlagBuilder::new("elsewhere").with("evaluation_contexts", json!(["b"])))
        .file();
    let server = TestServer::on(Kind::Sqlite).project(&file).start();
    let keys = |context: &Value| -> Vec<String> {
        let answer = all(&server, context);
        let flags = answer["flags"].as_array().unwrap();
        let keys = flags.iter().map(|flag| flag["key"].as_str().unwrap());
        keys.map(str::to_owned).collect()
    };
    let everything = keys(&json!({"targetingKey": "u"}));
    assert!(
        everything.contains(&"in-browsers".to_owned())
            && everything.contains(&"elsewhere".to_owned())
    );
    let narrowed =
        json!({"targetingKey": "u", "evaluation_runtime": "server", "evaluation_contexts": ["a"]});
    let expected: Vec<String> = everything
        .into_iter()
        .filter(|key| key != "in-browsers" && key != "elsewhere")
        .collect();
    assert_eq!(keys(&narrowed), expected);
    for key in ["in-browsers", "elsewhere"] {
        assert_eq!(one(&server, key, &narrowed).status, 404, "{key}");
    }
}

#[test]
fn keys_are_found_however_the_path_is_spelt() {
    let flag = |key: &str| FlagBuilder::new(key);
    let file = ProjectBuilder::new()
        .flag(flag("a b/ü+%"))
        .flag(flag("plain"))
        .file();
    let server = TestServer::on(Kind::Sqlite)
        .project(&file)
        .arg("--base-path=/ph")
        .arg("--lenient")
        .start();
    let context = json!({"targetingKey": "u"});
    for (path, key) in [
        ("plain", "plain"),
        ("plain/", "plain"),
        ("%70lain", "plain"),
        ("a%20b%2F%C3%BC%2B%25", "a b/ü+%"),
        ("a%20b/%C3%BC+%25", "a b/ü+%"),
        ("a%20b/%C3%BC+%25/", "a b/ü+%"),
    ] {
        for base in ["", "/ph", "/"] {
            let answer = server.send(&request(&format!("{base}{ALL}/{path}"), &context));
            assert_eq!(answer.status, 200, "{base} {path}: {}", answer.text());
            assert_eq!(answer.json()["key"], key, "{base} {path}");
        }
    }
    for path in [ALL.to_owned(), format!("{ALL}/"), format!("//ph{ALL}/")] {
        let answer = server.send(&request(&path, &context));
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(
            answer.json()["flags"].as_array().unwrap().len(),
            2,
            "{path}"
        );
    }
    let metrics = server.get("/metrics").text();
    for label in [ALL.to_owned(), format!("{ALL}/{{key}}")] {
        let series = format!(
            "burgee_http_requests_total{{route=\"{label}\",method=\"POST\",status=\"200\"}}"
        );
        assert!(metrics.contains(&series), "{series}");
    }
}

fn every_kind_of_key_opens_the_door(kind: Kind) {
    let mut file = project().file();
    let other = ProjectBuilder::new()
        .with("id", json!(2))
        .with("token", json!("phc_other"))
        .with("secret_tokens", json!(["phs_other"]))
        .flag(FlagBuilder::new("theirs").id(50))
        .file();
    let projects = file["projects"].as_array_mut().unwrap();
    projects.push(other["projects"][0].clone());
    let server = TestServer::on(kind).project(&file).start();
    let body = json!({"context": {"targetingKey": "u"}});
    let ask = |headers: &[(&str, &str)]| {
        let mut request = Request::post(ALL).json(&body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        server.send(&request)
    };
    let bearer = |key: &str| ask(&[("Authorization", &format!("Bearer {key}"))]);
    for (key, project) in [
        ("phc_local_dev", "1"),
        ("phs_one", "1"),
        ("phx_reader", "1"),
        ("phc_other", "2"),
        ("phs_other", "2"),
    ] {
        for answer in [bearer(key), ask(&[("X-API-Key", key)])] {
            assert_eq!(answer.status, 200, "{key}: {}", answer.text());
            assert_eq!(answer.json()["metadata"]["project"], project, "{key}");
        }
    }
    let meant = |token: &str| {
        let meant = ("X-PostHog-Project-Api-Key", token);
        ask(&[("Authorization", "Bearer phx_reader"), meant]).status
    };
    assert_eq!((meant("phc_local_dev"), meant("phc_other")), (200, 401));
    let unauthorized = json!({"errorDetails": "unauthorized"});
    for answer in [
        ask(&[]),
        bearer(""),
        bearer("phc_nobody"),
        bearer("phs_nobody"),
        bearer("phx_nobody"),
        ask(&[("X-API-Key", "nobody")]),
        ask(&[("Authorization", "Basic phc_local_dev")]),
    ] {
        assert_eq!((answer.status, answer.json()), (401, unauthorized.clone()));
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    let narrow = bearer("phx_narrow");
    assert_eq!(
        (narrow.status, narrow.json()),
        (403, json!({"errorDetails": "forbidden"}))
    );
    let wrong = Request::post(&format!("{ALL}/plain")).json(&body);
    let wrong = server.send(&wrong.header("X-API-Key", "phx_nobody"));
    assert_eq!((wrong.status, wrong.json()), (401, unauthorized));
    server.stop();
}

fn a_poll_that_changes_nothing_has_no_body(kind: Kind) {
    let database = Arc::new(Database::new(kind));
    let start = |builder: ServerBuilder| builder.env("BURGEE_POLL_INTERVAL_S", "1").start();
    let server = start(TestServer::with(&database).project(&project().file()));
    let maria = json!({"targetingKey": "maria"});
    let poll = |server: &TestServer, context: &Value, tag: &str| {
        let request = request(ALL, context)
            .header("If-None-Match", tag)
            .header("Cache-Control", "no-cache")
            .header("Origin", ORIGIN);
        server.send(&request)
    };
    let first = server.send(&request(ALL, &maria));
    let tag = first.header("etag").unwrap().to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    for known in [
        tag.clone(),
        format!("W/{tag}"),
        format!("\"x\", {tag}"),
        "*".to_owned(),
    ] {
        let answer = poll(&server, &maria, &known);
        assert_eq!((answer.status, answer.body.len()), (304, 0), "{known}");
        assert_eq!(answer.header("etag"), Some(&*tag), "{known}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN));
        let exposed = answer.header("access-control-expose-headers").unwrap();
        assert!(exposed.contains("ETag"), "{exposed}");
    }
    let again = poll(&server, &maria, "\"other\"");
    assert_eq!(
        (again.status, &again.body),
        (200, &first.body),
        "nothing in it changes"
    );
    let other = poll(&server, &json!({"targetingKey": "nobody"}), &tag);
    assert_eq!(other.status, 200, "other contexts have other tags");
    // Another instance answers with the same tag.
    let second = start(TestServer::with(&database));
    assert_eq!(poll(&second, &maria, &tag).status, 304);
    server.stop();
    // After a change the tag is another one.
    let changed = project().flag(FlagBuilder::new("more").id(20)).file();
    let server = start(TestServer::with(&database).project(&changed));
    let answer = poll(&server, &maria, &tag);
    assert_eq!(answer.status, 200);
    assert_eq!(flag(&answer.json(), "more")["value"], true);
    eventually("the change at the other instance", || {
        (poll(&second, &maria, answer.header("etag").unwrap()).status == 304).then_some(())
    });
}

fn every_error_has_its_status_and_code(kind: Kind) {
    let server = TestServer::on(kind)
        .project(&with_a_lost_flag())
        .arg("--lenient")
        .arg("--body-limit-bytes=4096")
        .start();
    let send = |path: &str, body: &str| {
        let request = Request::post(path).header("Authorization", "Bearer phc_local_dev");
        let request = request.header("Content-Type", "application/json");
        server.send(&request.body(body))
    };
    let deep = format!("{{\"context\": {}1{}}}", "[".repeat(500), "]".repeat(500));
    for (body, code) in [
        ("", "PARSE_ERROR"),
        ("{", "PARSE_ERROR"),
        ("{\"context\": {}} x", "PARSE_ERROR"),
        (&deep, "PARSE_ERROR"),
        ("{}", "INVALID_CONTEXT"),
        ("[]", "INVALID_CONTEXT"),
        ("{\"context\": null}", "INVALID_CONTEXT"),
        ("{\"context\": \"u\"}", "INVALID_CONTEXT"),
        ("{\"context\": {}}", "TARGETING_KEY_MISSING"),
        (
            "{\"context\": {\"targetingKey\": \"\"}}",
            "TARGETING_KEY_MISSING",
        ),
        (
            "{\"context\": {\"targetingKey\": null}}",
            "TARGETING_KEY_MISSING",
        ),
        (
            "{\"context\": {\"targetingKey\": [1]}}",
            "TARGETING_KEY_MISSING",
        ),
        (
            "{\"context\": {\"targetingKey\": \"u\", \"groups\": 5}}",
            "INVALID_CONTEXT",
        ),
        (
            "{\"context\": {\"targetingKey\": \"u\", \"groups\": \"no\"}}",
            "INVALID_CONTEXT",
        ),
        (
            "{\"context\": {\"targetingKey\": \"u\", \"group_properties\": []}}",
            "INVALID_CONTEXT",
        ),
        (
            "{\"context\": {\"targetingKey\": \"u\", \"evaluation_contexts\": 1}}",
            "INVALID_CONTEXT",
        ),
    ] {
        for (path, key) in [
            (ALL.to_owned(), None),
            (format!("{ALL}/plain"), Some("plain")),
        ] {
            let answer = send(&path, body);
            assert_eq!(answer.status, 400, "{path} {body}");
            let told = answer.json();
            assert_eq!(told["errorCode"], code, "{path} {body}");
            assert!(
                told["errorDetails"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty())
            );
            assert_eq!(
                told.get("key").and_then(Value::as_str),
                key,
                "{path} {body}"
            );
            assert_eq!(answer.header("content-type"), Some("application/json"));
        }
    }
    let context = json!({"targetingKey": "u"});
    let missing = one(&server, "nobody", &context);
    let expected = json!({"key": "nobody", "errorCode": "FLAG_NOT_FOUND", "errorDetails": "there is no such flag"});
    assert_eq!((missing.status, missing.json()), (404, expected));
    let lost = one(&server, "lost", &context);
    let expected = json!({"key": "lost", "errorCode": "GENERAL", "errorDetails": "Cohort dependency not found"});
    assert_eq!((lost.status, &lost.json()), (400, &expected));
    assert_eq!(flag(&all(&server, &context), "lost"), &expected);
    let large = send(
        ALL,
        &format!("{{\"context\": {{}}, \"x\": \"{}\"}}", "x".repeat(5_000)),
    );
    assert_eq!(large.status, 413);
    assert!(large.json()["errorDetails"].is_string());
    server.stop();
}

#[test]
fn whoever_asks_too_often_is_told_when_to_come_back() {
    let server = TestServer::on(Kind::Sqlite)
        .project(&project().file())
        .arg("--rate-limit-token-per-s=1")
        .arg("--rate-limit-token-burst=1")
        .start();
    let context = json!({"targetingKey": "u"});
    for path in [ALL.to_owned(), format!("{ALL}/plain")] {
        let refused = eventually("a refusal", || {
            let answer = server.send(&request(&path, &context));
            (answer.status == 429).then_some(answer)
        });
        assert_eq!(refused.json(), json!({"errorDetails": "rate limited"}));
        let wait: u32 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=5).contains(&wait), "{wait}");
    }
}

#[test]
fn flags_that_need_no_database_are_answered_without_it() {
    let database = Arc::new(Database::private());
    let server = TestServer::with(&database)
        .project(&project().file())
        .env("BURGEE_POOL_ACQUIRE_TIMEOUT_MS", "500")
        .start();
    let maria = json!({"targetingKey": "maria"});
    assert_eq!(flag(&all(&server, &maria), "stored")["value"], true);
    database.server().stop().unwrap();
    let answer = eventually("the outage to show", || {
        let answer = all(&server, &maria);
        flag(&answer, "stored")
            .get("errorCode")
            .is_some()
            .then_some(answer)
    });
    assert_eq!(flag(&answer, "stored")["errorCode"], "GENERAL");
    assert!(flag(&answer, "stored")["errorDetails"].is_string());
    assert_eq!(flag(&answer, "plain")["value"], true);
    let failed = one(&server, "stored", &maria);
    assert_eq!(
        (failed.status, &failed.json()["errorCode"]),
        (400, &json!("GENERAL"))
    );
    assert_eq!(one(&server, "plain", &maria).status, 200);
    // A key that cannot be checked is not a wrong key.
    let unchecked = Request::post(ALL).json(&json!({"context": maria}));
    let unchecked = server.send(&unchecked.header("X-API-Key", "phs_one"));
    assert_eq!(unchecked.status, 503);
    assert!(unchecked.json()["errorDetails"].is_string());
}

#[test]
fn browsers_may_ask_and_nothing_but_post_is_answered() {
    let server = TestServer::on(Kind::Sqlite)
        .project(&project().file())
        .start();
    for path in [ALL.to_owned(), format!("{ALL}/plain")] {
        let preflight = Request::new("OPTIONS", &path)
            .header("Origin", ORIGIN)
            .header("Access-Control-Request-Method", "POST")
            .header(
                "Access-Control-Request-Headers",
                "authorization,content-type,if-none-match",
            );
        let answer = server.send(&preflight);
        assert_eq!(answer.status, 200, "{path}");
        let allowed = answer.header("access-control-allow-headers");
        assert_eq!(allowed, Some("authorization,content-type,if-none-match"));
        for method in ["GET", "PUT", "DELETE"] {
            let answer = server.send(&Request::new(method, &path));
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(
                answer.header("allow"),
                Some("POST, OPTIONS"),
                "{method} {path}"
            );
        }
    }
}
