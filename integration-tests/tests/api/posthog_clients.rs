//! PostHog's real SDKs against a started server whose flags and people change. What they do and assert is in `clients/`.

use burgee_integration_tests::clients::ClientProgram;
use burgee_integration_tests::{
    Database, FlagBuilder, Kind, ProjectBuilder, TestServer, burgee_in, filter,
};
use serde_json::{Value, json};
use std::sync::Arc;

on_both_databases!(
    the_python_sdk_changes_people,
    the_rust_sdk_gets_every_flag_right,
    the_rust_sdk_changes_people_by_version_1,
    the_browser_sdk_sees_changes,
);

/// The flags of the clients.
fn project(beta: u8) -> Value {
    let email =
        json!({"key": "email", "type": "person", "operator": "icontains", "value": "@example.com"});
    ProjectBuilder::new()
        .with("secret_tokens", json!(["phs_one"]))
        .group_types(&["company"])
        .cohort(json!({"id": 1, "name": "Staff", "filters": {"properties": {"type": "AND", "values": [email]}}}))
        .flag(
            FlagBuilder::new("beta")
                .id(1)
                .rollout(beta)
                .filters("payloads", json!({"true": "\"new\""})),
        )
        .flag(
            FlagBuilder::new("pro")
                .id(2)
                .when(filter::person("plan", "exact", "pro")),
        )
        .flag(
            FlagBuilder::new("price-test")
                .id(3)
                .when(filter::person("plan", "exact", "pro"))
                .variants(&[("control", 34), ("low", 33), ("high", 33)])
                .filters("payloads", json!({"low": "{\"eur\": 9}"})),
        )
        .flag(
            FlagBuilder::new("big-company")
                .id(4)
                .filters("aggregation_group_type_index", json!(0))
                .when(filter::group("seats", "gte", 40)),
        )
        .flag(FlagBuilder::new("needs-pro").id(5).when(filter::flag(2, true)))
        .flag(FlagBuilder::new("staff").id(6).when(filter::cohort(1)))
        .flag(FlagBuilder::new("outsiders").id(7).when(
            json!({"type": "cohort", "key": "id", "operator": "not_in", "value": 1}),
        ))
        .flag(FlagBuilder::new("lost").id(8).when(filter::cohort(404)))
        .flag(
            FlagBuilder::new("sticky")
                .id(9)
                .sticky()
                .rollout(50),
        )
        .file()
}

/// Runs a client, and switches `beta` on and off when it says so.
#[track_caller]
fn check(kind: Kind, options: &[&str], client: ClientProgram, least: usize, changes: usize) {
    let database = Arc::new(Database::new(kind));
    let server = TestServer::with(&database)
        .env("BURGEE_POLL_INTERVAL_S", "1")
        .project(&project(0))
        .arg("--lenient")
        .args(options)
        .start();
    let (mut beta, mut changed) = (0, 0);
    let client = client.arg(&format!("http://{}", server.address()));
    client.expect_checks(least, |line| {
        if line == "change" {
            beta = 100 - beta;
            changed += 1;
            let file = server.directory().join("changed.json");
            std::fs::write(&file, project(beta).to_string()).unwrap();
            let url = database.url();
            let apply = [
                "apply",
                "-f",
                "changed.json",
                "--lenient",
                "--database-url",
                url,
            ];
            burgee_in(server.directory(), &apply).expect_code(0);
        }
    });
    assert_eq!(changed, changes);
}

fn the_python_sdk_changes_people(kind: Kind) {
    check(
        kind,
        &[],
        ClientProgram::python("posthog_python_changes.py"),
        60,
        2,
    );
}

fn the_rust_sdk_gets_every_flag_right(kind: Kind) {
    check(kind, &[], ClientProgram::rust("posthog_rust"), 40, 2);
}

fn the_rust_sdk_changes_people_by_version_1(kind: Kind) {
    check(kind, &[], ClientProgram::rust("posthog_rust_v1"), 28, 0);
}

fn the_browser_sdk_sees_changes(kind: Kind) {
    let dist = "/clients/js/node_modules/posthog-js/dist";
    let files = format!("--static-dir={}{dist}", env!("CARGO_MANIFEST_DIR"));
    let client = ClientProgram::node("posthog_web.mjs");
    check(kind, &[&files], client, 26, 1);
}
