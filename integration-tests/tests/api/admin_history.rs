//! The history of definitions: who, when, what, before and after.

use super::admin::{Admin, COHORTS, FLAGS, start};
use burgee_integration_tests::{FlagBuilder, Kind, ProjectBuilder};
use serde_json::{Value, json};

on_both_databases!(
    a_flags_history_tells_who_changed_what,
    a_projects_history_has_everything,
    the_command_line_is_part_of_it,
);

/// The members that an entry tells, as before and after.
fn changes(entry: &Value) -> Vec<(String, Value, Value)> {
    let changes = entry["detail"]["changes"].as_array().unwrap();
    let line = |it: &Value| {
        let field = it["field"].as_str().unwrap().to_owned();
        (field, it["before"].clone(), it["after"].clone())
    };
    changes.iter().map(line).collect()
}

fn a_flags_history_tells_who_changed_what(kind: Kind) {
    let server = start(kind, ProjectBuilder::new());
    let admin = Admin::of(&server);
    let flag = admin.create(
        FLAGS,
        &json!({"key": "a", "tags": ["x"], "filters": {"groups": [{}]}}),
    );
    let path = format!("{FLAGS}{}/", flag["id"]);
    admin
        .with("phx_writer")
        .patch(&path, &json!({"active": false, "name": "n", "key": "b"}));
    admin.patch(&path, &json!({"name": "n"}));
    admin.patch(&path, &json!({"tags": []}));
    admin.patch(&path, &json!({"deleted": true}));
    let history = admin.get(&format!("{path}activity/"));
    assert_eq!(history["count"], 4, "what changes nothing is no entry");
    let entries = history["results"].as_array().unwrap();
    let words: Vec<&Value> = entries.iter().map(|it| &it["activity"]).collect();
    assert_eq!(words, ["deleted", "updated", "updated", "created"]);
    for entry in entries {
        assert_eq!(
            (&entry["scope"], &entry["item_id"]),
            (&json!("FeatureFlag"), &json!(flag["id"].to_string()))
        );
        assert!(entry["created_at"].as_str().unwrap().ends_with('Z'));
    }
    let users: Vec<&Value> = entries.iter().map(|it| &it["user"]["first_name"]).collect();
    assert_eq!(users, ["all", "all", "writer", "all"]);
    let change = |field: &str, before: Value, after: Value| (field.to_owned(), before, after);
    assert_eq!(
        changes(&entries[0]),
        [change("deleted", json!(false), json!(true))]
    );
    assert_eq!(
        changes(&entries[1]),
        [change("tags", json!(["x"]), json!([]))]
    );
    assert_eq!(
        changes(&entries[2]),
        [
            change("active", json!(true), json!(false)),
            change("key", json!("a"), json!("b")),
            change("name", json!(""), json!("n")),
        ]
    );
    let created = changes(&entries[3]);
    assert!(created.contains(&change("key", Value::Null, json!("a"))));
    assert!(created.contains(&change(
        "filters",
        Value::Null,
        json!({"groups": [{"aggregation_group_type_index": null}]})
    )));
    let page = admin.get(&format!("{path}activity/?limit=1&offset=1"));
    assert_eq!(
        (&page["results"][0], page["next"].is_string()),
        (&entries[1], true)
    );
    server.stop();
}

fn a_projects_history_has_everything(kind: Kind) {
    let server = start(
        kind,
        ProjectBuilder::new().person(&["ada"], json!({"secret": "private"})),
    );
    let admin = Admin::of(&server);
    let before = admin.get("/api/projects/1/activity_log/")["count"]
        .as_i64()
        .unwrap();
    let flag = admin.create(FLAGS, &json!({"key": "a", "filters": {"groups": [{}]}}));
    let cohort = admin.create(COHORTS, &json!({"name": "c", "is_static": true}));
    let person =
        admin.get("/api/projects/1/persons/?distinct_id=ada")["results"][0]["uuid"].clone();
    let path = format!("{COHORTS}{}/", cohort["id"]);
    admin.patch(
        &format!("{path}add_persons_to_static_cohort/"),
        &json!({"person_ids": [person]}),
    );
    admin.patch(&path, &json!({"description": "d"}));
    let all = admin.get("/api/projects/1/activity_log/");
    assert_eq!(all["count"].as_i64().unwrap() - before, 4);
    let entries = &all["results"];
    let names: Vec<(&str, &str)> = (0..4)
        .map(|at| {
            (
                entries[at]["scope"].as_str().unwrap(),
                entries[at]["detail"]["name"].as_str().unwrap(),
            )
        })
        .collect();
    let id = cohort["id"].to_string();
    assert_eq!(
        names,
        [
            ("Cohort", id.as_str()),
            ("Cohort", &id),
            ("Cohort", &id),
            ("FeatureFlag", "a")
        ]
    );
    assert_eq!(
        changes(&entries[1]),
        [("members_added".to_owned(), Value::Null, json!(1))]
    );
    let of =
        |query: &str| admin.get(&format!("/api/projects/1/activity_log/?{query}"))["count"].clone();
    assert_eq!(of("scope=FeatureFlag"), 1);
    assert_eq!(of(&format!("scope=Cohort&item_id={id}")), 3);
    assert_eq!(of("scope=Cohort&item_id=424242"), 0);
    assert_eq!(admin.get(&format!("{path}activity/"))["count"], 3);
    assert_eq!(admin.get(&format!("{FLAGS}activity/"))["count"], 1);
    assert_eq!(
        admin.get(&format!("{FLAGS}{}/activity/", flag["id"]))["count"],
        1
    );
    assert!(
        !all.to_string().contains("private"),
        "properties of persons are not part of it"
    );
    assert_eq!(
        admin
            .with("phx_other")
            .get("/api/projects/2/activity_log/?scope=FeatureFlag")["results"][0]["detail"]["name"],
        "elsewhere"
    );
    server.stop();
}

fn the_command_line_is_part_of_it(kind: Kind) {
    let server = start(
        kind,
        ProjectBuilder::new().flag(FlagBuilder::new("beta").id(1)),
    );
    let admin = Admin::of(&server);
    let history = admin.get(&format!("{FLAGS}1/activity/"));
    let entry = &history["results"][0];
    assert_eq!(
        (&history["count"], &entry["user"], &entry["activity"]),
        (&json!(1), &Value::Null, &json!("created"))
    );
    let flag = admin.get(&format!("{FLAGS}1/"));
    assert_eq!(flag["created_by"], Value::Null);
    assert_eq!(flag["created_at"], entry["created_at"]);
    server.stop();
}
