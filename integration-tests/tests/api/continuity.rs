//! Flags that keep their answer across a login (evaluation.md, 5.7), and flags that hash the device (2.3).

use burgee_integration_tests::{
    Database, FlagBuilder, Kind, ProjectBuilder, TestServer, burgee, filter,
};
use serde_json::{Value, json};

on_both_databases!(
    an_answer_survives_the_login,
    nothing_is_stored_without_need,
    a_stored_key_wins,
    devices,
);

/// At 50 %, `new-nav` lets maria in (0.2265) and keeps 1042 out (0.5708): the spec's own numbers.
const IN: &str = "maria";
const OUT: &str = "1042";

fn sticky_project() -> ProjectBuilder {
    ProjectBuilder::new()
        .flag(FlagBuilder::new("new-nav").id(10).rollout(50).sticky())
        .flag(FlagBuilder::new("also-sticky").id(11).sticky())
}

fn is_on(server: &TestServer, members: Value) -> bool {
    let mut body = json!({"token": "phc_local_dev"});
    for (name, value) in members.as_object().unwrap() {
        body[name] = value.clone();
    }
    server.flags(1, &body)["featureFlags"]["new-nav"] == true
}

/// Returns the stored hash keys of the person with this id.
fn stored_keys(database: &Database, distinct_id: &str) -> Value {
    let export = burgee(&[
        "export",
        "--format",
        "json",
        "--database-url",
        database.url(),
    ])
    .expect_code(0);
    let file: Value = serde_json::from_str(&export.stdout).expect("JSON");
    let persons = file["projects"][0]["persons"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let has_id = |person: &&Value| {
        person["distinct_ids"]
            .as_array()
            .unwrap()
            .contains(&json!(distinct_id))
    };
    let person = persons.iter().find(has_id).expect("the person");
    person
        .get("hash_key_overrides")
        .cloned()
        .unwrap_or_else(|| json!({}))
}

fn an_answer_survives_the_login(kind: Kind) {
    let file = sticky_project().person(&[OUT, "phone"], json!({})).file();
    let server = TestServer::on(kind).project(&file).start();
    assert!(is_on(&server, json!({"distinct_id": IN})), "anonymous");
    assert!(
        !is_on(&server, json!({"distinct_id": OUT})),
        "another id, nothing stored yet"
    );
    // The first identified request brings the anonymous id along: it decides, and is stored for every sticky flag.
    assert!(is_on(
        &server,
        json!({"distinct_id": OUT, "$anon_distinct_id": IN})
    ));
    let stored = json!({"new-nav": IN, "also-sticky": IN});
    assert_eq!(stored_keys(server.database(), OUT), stored);
    assert!(is_on(&server, json!({"distinct_id": OUT})), "stored");
    assert!(
        is_on(&server, json!({"distinct_id": "phone"})),
        "the same person"
    );
    // What is stored stays: a later anonymous id changes nothing.
    assert!(is_on(
        &server,
        json!({"distinct_id": OUT, "$anon_distinct_id": OUT})
    ));
    assert_eq!(stored_keys(server.database(), OUT), stored);
}

fn nothing_is_stored_without_need(kind: Kind) {
    let full = ProjectBuilder::new()
        .flag(FlagBuilder::new("new-nav").id(10).sticky())
        .person(&[OUT], json!({}))
        .file();
    let server = TestServer::on(kind).project(&full).start();
    assert!(is_on(
        &server,
        json!({"distinct_id": OUT, "$anon_distinct_id": IN})
    ));
    assert_eq!(
        stored_keys(server.database(), OUT),
        json!({}),
        "full rollout hashes nothing"
    );

    let server = TestServer::on(kind)
        .project(&sticky_project().person(&[OUT], json!({})).file())
        .start();
    let cookieless = json!({"distinct_id": OUT, "$anon_distinct_id": "$posthog_cookieless"});
    assert!(!is_on(&server, cookieless), "as if there were none");
    assert!(is_on(
        &server,
        json!({"distinct_id": "stranger", "$anon_distinct_id": IN})
    ));
    let analysis = json!({"token": "phc_local_dev", "distinct_id": OUT, "$anon_distinct_id": IN});
    let answer = server
        .post("/flags?v=1&detailed_analysis=true", &analysis)
        .json();
    assert_eq!(answer["featureFlags"]["new-nav"], true);
    assert_eq!(
        stored_keys(server.database(), OUT),
        json!({}),
        "nobody to store it for, or writing is off"
    );
}

fn a_stored_key_wins(kind: Kind) {
    let file = sticky_project()
        .push(
            "persons",
            json!({"distinct_ids": [OUT], "hash_key_overrides": {"new-nav": IN}}),
        )
        .push(
            "persons",
            json!({"distinct_ids": ["laptop"], "hash_key_overrides": {"new-nav": OUT}}),
        )
        .file();
    let server = TestServer::on(kind).project(&file).start();
    assert!(is_on(&server, json!({"distinct_id": OUT})));
    assert!(!is_on(&server, json!({"distinct_id": "laptop"})));
    // Both ids have a person with a row: the identified one's wins. The missing flag is stored for both.
    assert!(is_on(
        &server,
        json!({"distinct_id": OUT, "$anon_distinct_id": "laptop"})
    ));
    assert_eq!(
        stored_keys(server.database(), OUT),
        json!({"new-nav": IN, "also-sticky": "laptop"})
    );
    assert_eq!(
        stored_keys(server.database(), "laptop"),
        json!({"new-nav": OUT, "also-sticky": "laptop"})
    );
}

fn devices(kind: Kind) {
    let by_device = |flag: FlagBuilder| flag.with("bucketing_identifier", json!("device_id"));
    let file = ProjectBuilder::new()
        .flag(by_device(FlagBuilder::new("new-nav").rollout(50)))
        .flag(by_device(FlagBuilder::new("everybody")))
        .flag(by_device(FlagBuilder::new("mails").when(filter::person(
            "email",
            "icontains",
            "@acme",
        ))))
        .file();
    let server = TestServer::on(kind).project(&file).start();
    assert!(is_on(
        &server,
        json!({"distinct_id": OUT, "$device_id": IN})
    ));
    assert!(!is_on(
        &server,
        json!({"distinct_id": IN, "device_id": OUT})
    ));
    assert!(is_on(
        &server,
        json!({"distinct_id": OUT, "person_properties": {"$device_id": IN}})
    ));
    let body = json!({"token": "phc_local_dev", "distinct_id": IN, "person_properties": {"email": "a@acme.test"}});
    let answer = server.flags(2, &body);
    let reason = &answer["flags"]["new-nav"]["reason"];
    assert_eq!(
        (&reason["code"], &reason["condition_index"]),
        (&json!("out_of_rollout_bound"), &json!(0))
    );
    assert_eq!(answer["flags"]["everybody"]["enabled"], true);
    assert_eq!(answer["flags"]["mails"]["enabled"], true);
}
