//! `burgee import` of products with rules of their own: flagd and Unleash. Each table says what the product itself would answer.

use super::import::{folder, import};
use burgee_integration_tests::http::Request;
use burgee_integration_tests::{Finished, Kind, TestServer, burgee};
use serde_json::{Value, json};

on_both_databases!(flagd_flags_answer_as_before, unleash_flags_answer_as_before);

const FLAGD: [&str; 2] = ["bakery.flagd.json", "counter.flagd.yaml"];
const UNLEASH: [&str; 2] = ["unleash-production.json", "unleash-segments.json"];

/// Compares a whole report, and lets `check` say that the file is one.
fn assert_report(done: &Finished, name: &str) {
    let path = format!("{}/{name}", folder());
    let expected = std::fs::read_to_string(&path).expect("the report");
    assert_eq!(done.stderr, expected, "{path}");
    let file = tempfile::tempdir().expect("a directory");
    let path = file.path().join("imported.json");
    std::fs::write(&path, &done.stdout).expect("written");
    burgee(&["check", "-f", path.to_str().expect("a path")]).expect_code(0);
}

fn ofrep(server: &TestServer, key: &str, context: &Value) -> Value {
    let request = Request::post(&format!("/ofrep/v1/evaluate/flags/{key}"))
        .header("Authorization", "Bearer phc_imported")
        .json(&json!({"context": context}));
    server.send(&request).json()["value"].clone()
}

fn flagd_flags_answer_as_before(kind: Kind) {
    let done = import("flagd", &FLAGD, &["--format", "json"]).expect_code(2);
    assert_report(&done, "flagd.report.txt");
    let server = TestServer::on(kind).project_text(&done.stdout).start();
    const NOTHING: Value = Value::Null;
    let cases = [
        (
            "oven-screen",
            json!({"email": "a@bakery.example.test"}),
            json!(true),
        ),
        (
            "oven-screen",
            json!({"email": "a@BAKERY.example.test"}),
            json!(false),
        ),
        (
            "oven-screen",
            json!({"email": "a@bakery-example.test"}),
            json!(false),
        ),
        ("oven-screen", json!({}), json!(false)),
        ("oven-screen", json!({"version": "2.0.1"}), json!(true)),
        (
            "oven-screen",
            json!({"version": "v2.9.0-rc.1+b7"}),
            json!(true),
        ),
        (
            "oven-screen",
            json!({"version": "3.0.0-rc.1"}),
            json!(false),
        ),
        ("oven-screen", json!({"version": "new"}), json!(false)),
        ("flour", json!({"country": "AT", "age": 5}), json!("Roggen")),
        (
            "flour",
            json!({"country": "at", "age": 18}),
            json!("Weizen"),
        ),
        (
            "flour",
            json!({"country": "FR", "age": 17}),
            json!("Dinkel"),
        ),
        ("flour", json!({"country": "FR"}), json!("Dinkel")),
        ("flour", json!({"age": "18"}), json!("Weizen")),
        ("flour", json!({"age": "old"}), json!("Dinkel")),
        (
            "crumbs",
            json!({"targetingKey": "1042"}),
            json!({"count": 3, "where": ["table"]}),
        ),
        (
            "crumbs",
            json!({}),
            json!({"count": 30, "where": ["table", "floor"]}),
        ),
        ("closed", json!({}), json!(false)),
        ("new-recipes", json!({"country": "FR"}), json!(true)),
        ("shop-window", json!({"country": "FR"}), json!("green")),
        ("loaves", json!({"seats": 2.5}), json!(0)),
        ("loaves", json!({}), json!(0)),
        ("loaves", json!({"seats": 3}), json!(12.5)),
        ("loaves", json!({"seats": "many"}), json!(12.5)),
        ("greeting", json!({"locale": "de-AT"}), json!("Servus")),
        ("greeting", json!({"locale": "DE-AT"}), json!("Hello")),
        (
            "greeting",
            json!({"locale": "", "email": "x@bakery.test"}),
            json!("Servus"),
        ),
        ("greeting", json!({"locale": null}), NOTHING),
        ("greeting", json!({}), NOTHING),
        ("tasting", json!({"tastes": ["rye", "wheat"]}), json!(true)),
        ("tasting", json!({"tastes": ["rye bread"]}), json!(false)),
        (
            "tasting",
            json!({"tastes": "some rye bread", "diet": "vegan"}),
            json!(true),
        ),
        (
            "tasting",
            json!({"tastes": "rye", "diet": "Vegan"}),
            json!(false),
        ),
        ("tasting", json!({"tastes": "Rye"}), json!(false)),
        ("tasting", json!({}), json!(false)),
        ("regulars", json!({"member": true}), json!(true)),
        (
            "regulars",
            json!({"member": "since 2020", "version": "2.0.0"}),
            json!(true),
        ),
        (
            "regulars",
            json!({"member": 1, "version": "1.9.9"}),
            json!(false),
        ),
        (
            "regulars",
            json!({"member": 1, "version": "2.0.0-rc.1"}),
            json!(false),
        ),
        ("regulars", json!({"member": 0}), json!(false)),
        ("regulars", json!({"member": 0.0}), json!(false)),
        ("regulars", json!({"member": ""}), json!(false)),
        ("regulars", json!({"member": []}), json!(false)),
        ("regulars", json!({"member": null}), json!(false)),
        ("regulars", json!({}), json!(false)),
        ("ages", json!({"age": 1}), json!("child")),
        ("ages", json!({"age": "17"}), json!("child")),
        ("ages", json!({"age": 17.5}), json!("other")),
        ("ages", json!({"age": 18}), json!("adult")),
        ("ages", json!({"age": 0}), json!("other")),
        ("ages", json!({}), json!("other")),
    ];
    for (key, context, expected) in cases {
        let mut context = context;
        if context.get("targetingKey").is_none() {
            context["targetingKey"] = json!("ada");
        }
        let value = ofrep(&server, key, &context);
        assert_eq!(value, expected, "{key} for {context}");
    }
    for (key, country, shares) in [
        (
            "new-recipes",
            "AT",
            vec![(json!(true), 25), (json!(false), 75)],
        ),
        (
            "shop-window",
            "AT",
            vec![(json!("red"), 50), (json!("blue"), 50)],
        ),
        (
            "shop-window",
            "DE",
            vec![
                (json!("red"), 20),
                (json!("blue"), 30),
                (json!("green"), 50),
            ],
        ),
    ] {
        let answers = people(|id| {
            ofrep(
                &server,
                key,
                &json!({"targetingKey": id, "country": country}),
            )
        });
        assert_shares(&answers, &shares, key);
    }
}

/// Asks for many people. The hash is fixed, so their answers are.
fn people(ask: impl Fn(&str) -> Value) -> Vec<Value> {
    (0..400).map(|n| ask(&format!("user-{n}"))).collect()
}

/// Compares how often each answer came with its share in percent, give or take 8.
#[track_caller]
fn assert_shares(answers: &[Value], shares: &[(Value, usize)], what: &str) {
    let mut known = 0;
    for (value, share) in shares {
        let count = answers.iter().filter(|answer| *answer == value).count();
        let percent = count * 100 / answers.len();
        assert!(percent.abs_diff(*share) <= 8, "{what}: {value} {percent}");
        known += count;
    }
    assert_eq!(known, answers.len(), "{what}");
}

fn unleash_flags_answer_as_before(kind: Kind) {
    let done = import("unleash", &UNLEASH, &["--format", "json"]).expect_code(2);
    assert_report(&done, "unleash.report.txt");
    let server = TestServer::on(kind).project_text(&done.stdout).start();
    let value = |key: &str, id: &str, properties: &Value| {
        let body =
            json!({"token": "phc_imported", "distinct_id": id, "person_properties": properties});
        let flag = server.flags(2, &body)["flags"][key].clone();
        match flag["variant"].is_null() {
            true => flag["enabled"].clone(),
            false => flag["variant"].clone(),
        }
    };
    const ABSENT: Value = Value::Null;
    let cases = [
        ("open", "x", json!({}), json!(true)),
        ("staff-only", "ada", json!({}), json!(true)),
        ("staff-only", "bob", json!({}), json!(false)),
        ("staff-only", "Bob", json!({}), json!(true)),
        ("staff-only", "17", json!({}), json!(true)),
        ("by-country", "x", json!({"country": "AT"}), json!(true)),
        ("by-country", "x", json!({"country": "at"}), json!(false)),
        ("by-country", "x", json!({"country": "ATX"}), json!(false)),
        ("by-country", "x", json!({}), json!(false)),
        ("texts", "x", json!({"email": "a@ACME.test"}), json!(true)),
        (
            "texts",
            "x",
            json!({"email": "a@acme.test", "plan": "free"}),
            json!(false),
        ),
        (
            "texts",
            "x",
            json!({"email": "a@acme.test", "plan": "Free"}),
            json!(true),
        ),
        (
            "texts",
            "x",
            json!({"email": "Root@other.test", "plan": "free"}),
            json!(true),
        ),
        (
            "texts",
            "x",
            json!({"email": "Root+1@other.test", "plan": "free"}),
            json!(false),
        ),
        (
            "texts",
            "x",
            json!({"email": "root@other.test"}),
            json!(false),
        ),
        ("texts", "x", json!({}), json!(false)),
        ("numbers", "x", json!({"seats": "5"}), json!(true)),
        ("numbers", "x", json!({"seats": "6.0"}), json!(false)),
        ("numbers", "x", json!({"seats": 7.4}), json!(true)),
        ("numbers", "x", json!({"seats": "7.5"}), json!(false)),
        ("numbers", "x", json!({"seats": "five"}), json!(false)),
        ("numbers", "x", json!({"seats": "1"}), json!(true)),
        (
            "numbers",
            "x",
            json!({"seats": "1", "rank": "3"}),
            json!(true),
        ),
        (
            "numbers",
            "x",
            json!({"seats": "1", "rank": "3.5"}),
            json!(false),
        ),
        (
            "numbers",
            "x",
            json!({"seats": "1", "rank": "first"}),
            json!(true),
        ),
        (
            "versions",
            "x",
            json!({"appVersion": "1.2.3"}),
            json!(false),
        ),
        (
            "versions",
            "x",
            json!({"appVersion": "1.10.0"}),
            json!(true),
        ),
        (
            "versions",
            "x",
            json!({"appVersion": "1.5.0"}),
            json!(false),
        ),
        (
            "versions",
            "x",
            json!({"appVersion": "2.0.0-rc.1"}),
            json!(true),
        ),
        (
            "versions",
            "x",
            json!({"appVersion": "2.0.0"}),
            json!(false),
        ),
        ("versions", "x", json!({"appVersion": "one"}), json!(false)),
        ("patterns", "USER123", json!({}), json!(true)),
        ("patterns", "user12", json!({}), json!(false)),
        ("segmented", "x", json!({"country": "CH"}), json!(true)),
        (
            "segmented",
            "x",
            json!({"country": "CH", "seats": "2"}),
            json!(true),
        ),
        (
            "segmented",
            "x",
            json!({"country": "CH", "seats": "3"}),
            json!(false),
        ),
        ("segmented", "x", json!({"country": "DE"}), json!(false)),
        ("since", "x", json!({}), json!(true)),
        (
            "born",
            "x",
            json!({"born": "1999-12-31T23:59:59Z", "appName": "web"}),
            json!(true),
        ),
        (
            "born",
            "x",
            json!({"born": "2000-01-01T00:00:00Z", "appName": "web"}),
            json!(false),
        ),
        (
            "born",
            "x",
            json!({"born": "1999-12-31T23:59:59Z"}),
            json!(false),
        ),
        (
            "office",
            "x",
            json!({"remoteAddress": "10.31.255.255"}),
            json!(true),
        ),
        (
            "office",
            "x",
            json!({"remoteAddress": "10.32.0.0"}),
            json!(false),
        ),
        (
            "office",
            "x",
            json!({"remoteAddress": "192.168.1.7"}),
            json!(true),
        ),
        (
            "office",
            "x",
            json!({"remoteAddress": "192.168.1.77"}),
            json!(false),
        ),
        ("office", "x", json!({}), json!(false)),
        ("abroad", "x", json!({"country": "AT"}), json!(false)),
        ("abroad", "x", json!({"country": "FR"}), json!(true)),
        ("price", "Eve", json!({}), json!("high")),
        ("price", "mallory", json!({}), json!("high")),
        ("companies", "x", json!({"companyId": "acme"}), json!(true)),
        ("companies", "x", json!({}), json!(false)),
        ("stopped", "x", json!({}), ABSENT),
        ("paused", "x", json!({}), json!(false)),
        ("company-half", "x", json!({}), ABSENT),
    ];
    for (key, id, properties, expected) in cases {
        assert_eq!(
            value(key, id, &properties),
            expected,
            "{key} for {id} with {properties}"
        );
    }
    for (key, shares) in [
        ("beta", vec![(json!(true), 30), (json!(false), 70)]),
        ("older", vec![(json!(true), 40), (json!(false), 60)]),
        ("checkout", vec![(json!("narrow"), 50), (json!("wide"), 50)]),
        (
            "price",
            vec![
                (json!("control"), 33),
                (json!("low"), 33),
                (json!("high"), 33),
            ],
        ),
    ] {
        assert_shares(&people(|id| value(key, id, &json!({}))), &shares, key);
    }
    for n in 0..50 {
        let id = format!("user-{n}");
        let is_wide = value("checkout", &id, &json!({})) == "wide";
        assert_eq!(value("wide-only", &id, &json!({})), json!(is_wide), "{id}");
    }
    let body = json!({"token": "phc_imported", "distinct_id": "Eve"});
    let flags = server.flags(2, &body)["flags"].clone();
    let payload = &flags["checkout"]["metadata"]["payload"];
    let expected = match flags["checkout"]["variant"].as_str() {
        Some("wide") => r#"{"columns": 2}"#,
        _ => r#""one column""#,
    };
    assert_eq!(payload, expected);
}

#[test]
fn an_environment_is_chosen_among_several() {
    let state = ["unleash-state.json"];
    let none = import("unleash", &state, &[]).expect_code(2);
    assert_eq!(
        none.stderr.trim(),
        "import: --environment: choose one of development, production"
    );
    assert_eq!(none.stdout, "");
    let other = import("unleash", &state, &["--environment", "staging"]).expect_code(2);
    assert!(
        other.stderr.contains("`staging` is not in the files"),
        "{}",
        other.stderr
    );
    let groups = |environment: &str| {
        let options = [
            "--environment",
            environment,
            "--format",
            "json",
            "--first-id",
            "70",
        ];
        let done = import("unleash", &state, &options).expect_code(0);
        let file: Value = serde_json::from_str(&done.stdout).expect("JSON");
        file["projects"][0]["flags"][0]["filters"]["groups"].clone()
    };
    let everybody = json!([{"properties": [], "rollout_percentage": 100}]);
    assert_eq!(groups("development"), everybody);
    let cooks = json!([{"properties": [{"key": "id", "type": "cohort", "operator": "in", "value": 70}], "rollout_percentage": 100}]);
    assert_eq!(groups("production"), cooks);
    let wrong = import("flagd", &FLAGD, &["--environment", "production"]).expect_code(2);
    assert!(
        wrong.stderr.contains("only Unleash has environments"),
        "{}",
        wrong.stderr
    );
}
