//! The worked examples of evaluation.md 11.2, asked over HTTP. The core runs the same file without a server.

use burgee_integration_tests::{Kind, ProjectBuilder, TestServer};
use serde_json::{Value, json};

on_both_databases!(whole_flags);

fn examples() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/whole_flags.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Writes the examples' definitions as a project file.
fn project(examples: &Value) -> Value {
    let mut types = json!({});
    for group_type in examples["group_types"].as_array().unwrap() {
        types[group_type["index"].to_string()] = group_type["name"].clone();
    }
    let mut project = ProjectBuilder::new().with("group_types", types);
    for list in ["cohorts", "persons"] {
        project = project.with(list, examples[list].clone());
    }
    for flag in examples["flags"].as_array().unwrap() {
        let mut flag = flag.clone();
        // The server counts versions itself.
        flag.as_object_mut().unwrap().remove("version");
        project = project.flag(flag);
    }
    project.file()
}

fn whole_flags(kind: Kind) {
    let examples = examples();
    // One of the flags depends on a flag that does not exist, which only a lenient reader accepts.
    let server = TestServer::on(kind)
        .arg("--lenient")
        .project(&project(&examples))
        .start();
    let requests = examples["requests"].as_array().unwrap();
    assert!(requests.len() >= 5, "the examples are there");
    for request in requests {
        let name = &request["name"];
        let mut body = request["body"].clone();
        body["token"] = json!("phc_local_dev");
        let answer = server.flags(2, &body);
        assert_eq!(
            answer["errorsWhileComputingFlags"], request["errorsWhileComputingFlags"],
            "{name}"
        );
        let records = answer["flags"].as_object().unwrap();
        let expected = request["flags"].as_object().unwrap();
        assert_eq!(
            records.keys().collect::<Vec<_>>(),
            expected.keys().collect::<Vec<_>>(),
            "{name}"
        );
        for (key, expected) in expected {
            assert_record(&records[key], expected, &format!("{name}: {key}"));
        }
        assert_values(&server, &body, expected, name);
    }
}

fn assert_record(record: &Value, expected: &Value, what: &str) {
    let value = if record["variant"].is_null() {
        &record["enabled"]
    } else {
        &record["variant"]
    };
    assert_eq!(value, &expected["value"], "{what}: value");
    assert_eq!(record["reason"]["code"], expected["code"], "{what}: code");
    assert_eq!(
        record["reason"]["condition_index"], expected["condition_index"],
        "{what}: index"
    );
    assert_eq!(
        record["metadata"]["payload"], expected["payload"],
        "{what}: payload"
    );
    if let Some(description) = expected.get("description") {
        assert_eq!(
            &record["reason"]["description"], description,
            "{what}: description"
        );
    }
}

/// The older shape gives the same values.
fn assert_values(
    server: &TestServer,
    body: &Value,
    expected: &serde_json::Map<String, Value>,
    name: &Value,
) {
    let values = &server.flags(1, body)["featureFlags"];
    for (key, expected) in expected {
        assert_eq!(values[key], expected["value"], "{name}: {key} in V1");
    }
}
