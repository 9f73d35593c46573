//! How a change in the database, or in a watched file, reaches a running server (project-file.md, Behaviour).

use burgee_integration_tests::deadline::eventually;
use burgee_integration_tests::{Database, FlagBuilder, Kind, ProjectBuilder, TestServer, burgee};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

on_both_databases!(
    what_another_process_applies_is_served,
    every_kind_of_definition_is_refreshed,
    a_project_that_appears_later_is_served,
    a_watched_file_is_applied_again,
);

fn project(rollout: u8) -> ProjectBuilder {
    ProjectBuilder::new().flag(FlagBuilder::new("beta").id(1).rollout(rollout))
}

fn apply(database: &Database, file: &Value, options: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file.json");
    std::fs::write(&path, file.to_string()).unwrap();
    burgee(
        &[
            &["apply", "-f", text(&path), "--database-url", database.url()],
            options,
        ]
        .concat(),
    )
    .expect_code(0);
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn flags(server: &TestServer) -> Value {
    let body = json!({"token": "phc_local_dev", "distinct_id": "u", "groups": {"company": "acme"}});
    server.flags(1, &body)["featureFlags"].clone()
}

fn await_flags(server: &TestServer, expected: &Value) {
    eventually("the change", || (&flags(server) == expected).then_some(()));
}

/// Postgres tells of the change; its polling is set to an hour, so that nothing else can bring it. SQLite is polled.
fn listening(kind: Kind, database: &Arc<Database>) -> TestServer {
    let seconds = match kind {
        Kind::Postgres => "3600",
        Kind::Sqlite => "1",
    };
    TestServer::with(database)
        .env("BURGEE_POLL_INTERVAL_S", seconds)
        .start()
}

fn what_another_process_applies_is_served(kind: Kind) {
    let database = Arc::new(Database::new(kind));
    apply(&database, &project(0).file(), &[]);
    let server = listening(kind, &database);
    assert_eq!(flags(&server), json!({"beta": false}));
    for rollout in [100, 0, 100] {
        apply(&database, &project(rollout).file(), &[]);
        await_flags(&server, &json!({"beta": rollout == 100}));
    }
    apply(
        &database,
        &ProjectBuilder::new()
            .flag(FlagBuilder::new("gamma").id(2))
            .file(),
        &["--prune"],
    );
    await_flags(&server, &json!({"gamma": true}));
}

/// Flags, cohorts, group types and project settings are all part of what a server remembers.
fn every_kind_of_definition_is_refreshed(kind: Kind) {
    use burgee_integration_tests::filter;
    let database = Arc::new(Database::new(kind));
    let with = |domain: &str, types: &[&str], version: u8| {
        let tree = json!({"type": "AND", "values": [filter::person("email", "icontains", domain)]});
        ProjectBuilder::new()
            .with("property_matching_version", json!(version))
            .group_types(types)
            .cohort(json!({"id": 1, "name": "Staff", "filters": {"properties": tree}}))
            .flag(FlagBuilder::new("staff").id(1).when(filter::cohort(1)))
            .flag(
                FlagBuilder::new("company")
                    .id(2)
                    .filters("aggregation_group_type_index", json!(0)),
            )
            .flag(
                FlagBuilder::new("loose")
                    .id(3)
                    .when(filter::person("email", "exact", false)),
            )
            .person(&["u"], json!({"email": "u@acme.test"}))
            .file()
    };
    apply(&database, &with("@globex", &["organization"], 1), &[]);
    let server = listening(kind, &database);
    assert_eq!(
        flags(&server),
        json!({"staff": false, "company": false, "loose": true})
    );
    apply(&database, &with("@acme", &["organization"], 1), &[]);
    await_flags(
        &server,
        &json!({"staff": true, "company": false, "loose": true}),
    );
    apply(&database, &with("@acme", &["organization"], 2), &[]);
    await_flags(
        &server,
        &json!({"staff": true, "company": false, "loose": false}),
    );
    let second = with("@acme", &["organization", "company"], 2)
        .to_string()
        .replace(
            "\"aggregation_group_type_index\":0",
            "\"aggregation_group_type_index\":1",
        );
    apply(&database, &serde_json::from_str(&second).unwrap(), &[]);
    await_flags(
        &server,
        &json!({"staff": true, "company": true, "loose": false}),
    );
}

/// An unknown token is not remembered for ever.
fn a_project_that_appears_later_is_served(kind: Kind) {
    let database = Arc::new(Database::new(kind));
    let server = listening(kind, &database);
    let body = json!({"token": "phc_local_dev", "distinct_id": "u"});
    assert_eq!(server.post("/flags?v=1", &body).status, 401);
    apply(&database, &project(100).file(), &[]);
    eventually("the project", || {
        (server.post("/flags?v=1", &body).status == 200).then_some(())
    });
    await_flags(&server, &json!({"beta": true}));
}

fn a_watched_file_is_applied_again(kind: Kind) {
    let server = TestServer::on(kind)
        .arg("--watch")
        .project(&project(0).file())
        .start();
    assert_eq!(flags(&server), json!({"beta": false}));
    server.replace_project(&project(100).file().to_string());
    await_flags(&server, &json!({"beta": true}));

    // A bad file is told of, and what was right stays.
    let bad = project(0)
        .flag(FlagBuilder::new("broken").with("colour", json!("red")))
        .file();
    server.replace_project(&bad.to_string());
    eventually("the reason", || {
        server.log().contains("colour").then_some(())
    });
    assert_eq!(flags(&server), json!({"beta": true}));
    server.replace_project("{");
    assert_eq!(flags(&server), json!({"beta": true}));

    server.replace_project(&project(0).file().to_string());
    await_flags(&server, &json!({"beta": false}));
    server.stop();
}
