//! What the database knows about persons and groups, and how a request overrides it (evaluation.md, section 5).

use burgee_integration_tests::{FlagBuilder, Kind, ProjectBuilder, TestServer, filter};
use serde_json::{Value, json};

on_both_databases!(
    persons_and_their_overrides,
    groups_and_their_overrides,
    static_cohorts,
    number_texts_survive,
    ids_of_any_form,
);

/// Asks with these members and returns key → value (variant or on/off).
fn values(server: &TestServer, members: Value) -> Value {
    let mut body = json!({"token": "phc_local_dev"});
    for (name, value) in members.as_object().unwrap() {
        body[name] = value.clone();
    }
    server.flags(1, &body)["featureFlags"].clone()
}

fn persons_and_their_overrides(kind: Kind) {
    let file = ProjectBuilder::new()
        .flag(FlagBuilder::new("pro").when(filter::person("plan", "exact", "pro")))
        .flag(FlagBuilder::new("no-mail").when(json!({"type": "person", "key": "email", "operator": "is_not_set"})))
        .flag(FlagBuilder::new("early").when(
            json!({"type": "person_metadata", "key": "created_at", "operator": "is_date_before", "value": "2024-01-01"}),
        ))
        .push("persons", json!({
            "distinct_ids": ["ada", "ada-phone"], "created_at": "2023-05-01T00:00:00Z",
            "properties": {"plan": "PRO", "email": "ada@acme.test"},
        }))
        .file();
    let server = TestServer::on(kind).project(&file).start();
    let cases = [
        (
            json!({"distinct_id": "ada"}),
            json!({"pro": true, "no-mail": false, "early": true}),
        ),
        (
            json!({"distinct_id": "ada-phone"}),
            json!({"pro": true, "no-mail": false, "early": true}),
        ),
        (
            json!({"distinct_id": "stranger"}),
            json!({"pro": false, "no-mail": true, "early": false}),
        ),
        (
            json!({"distinct_id": "ada", "person_properties": {"plan": "free", "email": null}}),
            json!({"pro": false, "no-mail": false, "early": true}),
        ),
        (
            json!({"$distinct_id": "stranger", "$properties": {"plan": "pro"}}),
            json!({"pro": true, "no-mail": true, "early": false}),
        ),
    ];
    for (members, expected) in cases {
        assert_eq!(values(&server, members.clone()), expected, "{members}");
    }
    // Overrides count for their request only.
    assert_eq!(values(&server, json!({"distinct_id": "ada"}))["pro"], true);
    let only_sent = server.post(
        "/flags?v=1&only_use_override_person_properties=true",
        &json!({"token": "phc_local_dev", "distinct_id": "ada", "person_properties": {"email": "x@y.test"}}),
    );
    assert_eq!(only_sent.json()["featureFlags"]["pro"], false);
}

fn groups_and_their_overrides(kind: Kind) {
    let about_companies =
        |flag: FlagBuilder| flag.filters("aggregation_group_type_index", json!(1));
    let file = ProjectBuilder::new()
        .group_types(&["organization", "company"])
        .flag(about_companies(
            FlagBuilder::new("big").when(filter::group("seats", "gte", 40)),
        ))
        .flag(about_companies(
            FlagBuilder::new("acme").when(filter::group("$group_key", "exact", "acme")),
        ))
        .flag(about_companies(
            FlagBuilder::new("by-number").when(filter::group("$group_key", "exact", "77")),
        ))
        .group("company", "acme", json!({"seats": 40}))
        .group("organization", "globex", json!({"seats": 900}))
        .file();
    let server = TestServer::on(kind).project(&file).start();
    let off = json!({"big": false, "acme": false, "by-number": false});
    let cases = [
        (
            json!({"company": "acme"}),
            json!({}),
            json!({"big": true, "acme": true, "by-number": false}),
        ),
        (
            json!({"company": "acme"}),
            json!({"company": {"seats": 3}}),
            json!({"big": false, "acme": true, "by-number": false}),
        ),
        (json!({"company": "globex"}), json!({}), off.clone()),
        (
            json!({"company": "globex"}),
            json!({"company": {"seats": 41}}),
            json!({"big": true, "acme": false, "by-number": false}),
        ),
        (
            json!({"company": 77}),
            json!({}),
            json!({"big": false, "acme": false, "by-number": true}),
        ),
        (json!({"organization": "globex"}), json!({}), off.clone()),
        (json!({"planet": "earth"}), json!({}), off.clone()),
        (json!({"company": ""}), json!({}), off.clone()),
        (json!({}), json!({}), off),
    ];
    for (groups, properties, expected) in cases {
        let members = json!({"distinct_id": "u", "groups": groups, "group_properties": properties});
        assert_eq!(values(&server, members.clone()), expected, "{members}");
    }
    let alone = server.flags(2, &json!({"token": "phc_local_dev", "distinct_id": "u"}));
    assert_eq!(
        alone["flags"]["big"]["reason"],
        json!({"code": "no_group_type", "condition_index": 0, "description": "No group type"})
    );
}

fn static_cohorts(kind: Kind) {
    let file = ProjectBuilder::new()
        .cohort(json!({"id": 7, "name": "Beta users", "is_static": true}))
        .flag(FlagBuilder::new("beta").when(filter::cohort(7)))
        .flag(
            FlagBuilder::new("others")
                .when(json!({"type": "cohort", "key": "id", "operator": "not_in", "value": 7})),
        )
        .push(
            "persons",
            json!({"distinct_ids": ["member", "alias"], "properties": {}, "static_cohorts": [7]}),
        )
        .person(&["outsider"], json!({}))
        .file();
    let server = TestServer::on(kind).project(&file).start();
    for (id, member) in [
        ("member", true),
        ("alias", true),
        ("outsider", false),
        ("stranger", false),
    ] {
        let expected = json!({"beta": member, "others": !member});
        assert_eq!(
            values(&server, json!({"distinct_id": id})),
            expected,
            "{id}"
        );
    }
}

/// `5` and `5.0` are different texts, in both databases.
fn number_texts_survive(kind: Kind) {
    let exactly =
        |key: &str, text: &str| FlagBuilder::new(key).when(filter::person("score", "exact", text));
    // The file is text, so that the numbers reach the server as written.
    let file = ProjectBuilder::new()
        .flag(exactly("five", "5"))
        .flag(exactly("five-point-zero", "5.0"))
        .flag(exactly("big", "1e+16"))
        .person(&["whole"], json!({"score": "#5"}))
        .person(&["fraction"], json!({"score": "#5.0"}))
        .person(&["huge"], json!({"score": "#1e16"}))
        .file()
        .to_string();
    let numbers = file
        .replace("\"#5\"", "5")
        .replace("\"#5.0\"", "5.0")
        .replace("\"#1e16\"", "1e16");
    let server = TestServer::on(kind).project_text(&numbers).start();
    let cases = [
        (
            "whole",
            json!({"five": true, "five-point-zero": false, "big": false}),
        ),
        (
            "fraction",
            json!({"five": false, "five-point-zero": true, "big": false}),
        ),
        (
            "huge",
            json!({"five": false, "five-point-zero": false, "big": true}),
        ),
    ];
    for (id, expected) in cases {
        assert_eq!(
            values(&server, json!({"distinct_id": id})),
            expected,
            "{id}"
        );
    }
}

fn ids_of_any_form(kind: Kind) {
    let long = "x".repeat(200);
    let file = ProjectBuilder::new()
        .flag(FlagBuilder::new("known").when(filter::person("known", "exact", "yes")))
        .flag(FlagBuilder::new("own-id").when(filter::person("distinct_id", "exact", "1.5")))
        .person(&["1042"], json!({"known": "yes"}))
        .person(&["1.5"], json!({"known": "yes"}))
        .person(&[&long], json!({"known": "yes"}))
        .person(&["李雷"], json!({"known": "yes"}))
        .file();
    let server = TestServer::on(kind).project(&file).start();
    let cases = [
        (json!(1042), true),
        (json!("1042"), true),
        (json!(1.5), true),
        (json!("1.50"), false),
        (json!(long.clone()), true),
        (json!(long + "and more"), true),
        (json!("李雷"), true),
        (json!(""), false),
    ];
    for (id, known) in cases {
        assert_eq!(
            values(&server, json!({"distinct_id": id}))["known"],
            known,
            "{id}"
        );
    }
    assert_eq!(values(&server, json!({"distinct_id": 1.5}))["own-id"], true);
}
