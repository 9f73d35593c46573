//! OpenFeature's real providers against a started server. What they ask and assert is in `clients/`.

use burgee_integration_tests::clients::ClientProgram;
use burgee_integration_tests::{
    Database, FlagBuilder, Kind, ProjectBuilder, TestServer, burgee_in, filter,
};
use serde_json::{Value, json};
use std::sync::Arc;

on_both_databases!(
    the_python_provider_gets_every_flag_right,
    the_node_provider_gets_every_flag_right,
    the_rust_provider_gets_every_flag_right,
    the_web_provider_sees_changes,
);

/// The flags of the clients.
fn project(beta: u8) -> Value {
    let remote = |key: &str, id: i32, payload: &str| {
        FlagBuilder::new(key)
            .id(id)
            .with("is_remote_configuration", json!(true))
            .filters("payloads", json!({"true": payload}))
    };
    let of_company = |key: &str, id: i32, property: Value| {
        FlagBuilder::new(key)
            .id(id)
            .filters("aggregation_group_type_index", json!(0))
            .when(property)
    };
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
            FlagBuilder::new("staff")
                .id(4)
                .when(filter::person("email", "icontains", "@example.com"))
                .filters("payloads", json!({"true": "{\"desk\": 3}"})),
        )
        .flag(of_company(
            "company",
            5,
            filter::group("plan", "exact", "enterprise"),
        ))
        .flag(of_company(
            "european",
            6,
            filter::group("region", "exact", "eu"),
        ))
        .flag(
            FlagBuilder::new("price-test")
                .id(7)
                .when(filter::person("plan", "exact", "pro"))
                .variants(&[("control", 34), ("low", 33), ("high", 33)]),
        )
        .flag(remote(
            "layout",
            8,
            "{\"columns\": [1, 2.5], \"title\": \"Hi\"}",
        ))
        .flag(remote("title", 9, "\"Hi\""))
        .flag(remote("limit", 10, "7"))
        .flag(remote("ratio", 11, "2.5"))
        .flag(FlagBuilder::new("lost").id(12).when(filter::cohort(404)))
        .flag(FlagBuilder::new("beta").id(13).rollout(beta))
        .person(&["1042"], json!({"plan": "pro"}))
        .group("company", "acme", json!({"plan": "enterprise"}))
        .file()
}

fn url(server: &TestServer) -> String {
    format!("http://{}", server.address())
}

/// Runs a client that needs two servers, of which the second lets few requests through.
#[track_caller]
fn check(kind: Kind, client: ClientProgram, least: usize) {
    let start = |limits: &[&str]| {
        let server = TestServer::on(kind).project(&project(0)).arg("--lenient");
        server.args(limits).start()
    };
    let server = start(&[]);
    let limited = start(&["--rate-limit-token-per-s=1", "--rate-limit-token-burst=1"]);
    let client = client.arg(&url(&server)).arg(&url(&limited));
    client.expect_checks(least, |_| {});
}

fn the_python_provider_gets_every_flag_right(kind: Kind) {
    check(kind, ClientProgram::python("ofrep_python.py"), 27);
}

fn the_node_provider_gets_every_flag_right(kind: Kind) {
    check(kind, ClientProgram::node("ofrep_server.mjs"), 27);
}

fn the_rust_provider_gets_every_flag_right(kind: Kind) {
    check(kind, ClientProgram::rust("ofrep_rust"), 24);
}

fn the_web_provider_sees_changes(kind: Kind) {
    let database = Arc::new(Database::new(kind));
    let server = TestServer::with(&database)
        .env("BURGEE_POLL_INTERVAL_S", "1")
        .project(&project(0))
        .arg("--lenient")
        .start();
    let mut beta = 0;
    let client = ClientProgram::node("ofrep_web.mjs").arg(&url(&server));
    client.expect_checks(21, |line| {
        if line == "change" {
            beta = 100 - beta;
            let file = server.directory().join("changed.json");
            std::fs::write(&file, project(beta).to_string()).unwrap();
            let apply = [
                "apply",
                "-f",
                "changed.json",
                "--lenient",
                "--database-url",
                database.url(),
            ];
            burgee_in(server.directory(), &apply).expect_code(0);
        }
    });
    assert_eq!(beta, 0, "it was switched on, and off again");
}
