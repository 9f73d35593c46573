//! The real Node.js SDK against a started server. What it asks and asserts is in `clients/js/posthog_node.mjs`.

use super::python_sdk::project;
use burgee_integration_tests::clients::ClientProgram;
use burgee_integration_tests::{Kind, TestServer};
use serde_json::json;

on_both_databases!(the_node_sdk_gets_every_flag_right);

fn the_node_sdk_gets_every_flag_right(kind: Kind) {
    let mut file = project();
    file["projects"][0]["secret_tokens"] = json!(["phs_one"]);
    let server = TestServer::on(kind).arg("--lenient").project(&file).start();
    let sdk = ClientProgram::node("posthog_node.mjs");
    let sdk = sdk.arg(&format!("http://{}", server.address()));
    sdk.expect_checks(37, |_| {});
}
