//! The real Python SDK against a started server. What it asks and asserts is in `clients/posthog_python.py`.

use burgee_integration_tests::{FlagBuilder, Kind, ProjectBuilder, TestServer, filter};
use serde_json::{Value, json};
use std::process::Command;

on_both_databases!(the_python_sdk_gets_every_flag_right);

/// The flags of `clients/posthog_python.py`.
pub(super) fn project() -> Value {
    ProjectBuilder::new()
        .group_types(&["company"])
        .flag(FlagBuilder::new("simple").id(1))
        .flag(FlagBuilder::new("off").id(2).rollout(0))
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
        .flag(
            FlagBuilder::new("needs-simple")
                .id(5)
                .when(filter::flag(1, true)),
        )
        .flag(
            FlagBuilder::new("in-browsers")
                .id(6)
                .with("evaluation_runtime", json!("client")),
        )
        .flag(FlagBuilder::new("lost").id(7).when(filter::cohort(404)))
        .person(&["1042"], json!({"plan": "pro"}))
        .group("company", "acme", json!({"seats": 40}))
        .file()
}

fn the_python_sdk_gets_every_flag_right(kind: Kind) {
    let server = TestServer::on(kind)
        .arg("--lenient")
        .project(&project())
        .start();
    let clients = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");
    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/.venv/bin/python");
    assert!(
        std::path::Path::new(python).exists(),
        "./integration-tests/run installs the SDK into {python}"
    );
    let output = Command::new(python)
        .arg(format!("{clients}/posthog_python.py"))
        .arg(format!("http://{}", server.address()))
        .env_clear()
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("python starts");
    let told = format!(
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{told}");
    assert!(told.contains("18 checks passed"), "{told}");
}
