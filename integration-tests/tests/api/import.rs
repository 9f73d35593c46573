//! `burgee import`: files in each product's format, applied, and asked.

use burgee_integration_tests::{Finished, Kind, TestServer, burgee};
use serde_json::{Value, json};

on_both_databases!(posthog_flags_answer_as_before);

/// Returns where the files are.
pub(crate) fn folder() -> String {
    format!("{}/fixtures/import", env!("CARGO_MANIFEST_DIR"))
}

/// Imports files of the folder.
pub(crate) fn import(from: &str, files: &[&str], options: &[&str]) -> Finished {
    let folder = folder();
    let files: Vec<String> = files.iter().map(|f| format!("{folder}/{f}")).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let arguments = ["import", "--from", from, "--token", "phc_imported"];
    burgee(&[&arguments[..], &files, options].concat())
}

/// Returns the values of all flags for somebody.
fn values(server: &TestServer, distinct_id: &str, properties: Value) -> Value {
    let body = json!({"token": "phc_imported", "distinct_id": distinct_id, "person_properties": properties});
    server.flags(2, &body)["flags"]
        .as_object()
        .expect("flags")
        .iter()
        .map(|(key, flag)| {
            let variant = flag["variant"].clone();
            let value = if variant.is_null() {
                flag["enabled"].clone()
            } else {
                variant
            };
            (key.clone(), value)
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

const POSTHOG: [&str; 3] = [
    "posthog-cohorts.json",
    "posthog-flags-1.json",
    "posthog-flags-2.json",
];

fn posthog_flags_answer_as_before(kind: Kind) {
    let done = import(
        "posthog",
        &POSTHOG,
        &["--project-name", "Shop", "--format", "json"],
    )
    .expect_code(2);
    for line in [
        "left out: cohort 52 Frequent buyers: its members come from events (`behavioral`), which are not kept here",
        "left out: flag frequent-buyers: it needs cohort 52, which is left out",
        "skipped: flag gone: it is deleted",
        "4 flags and 1 cohorts imported, 3 left out, 0 notes on different answers",
    ] {
        assert!(
            done.stderr.lines().any(|l| l == line),
            "{line}\n{}",
            done.stderr
        );
    }
    assert!(
        done.stderr
            .contains("left out: flag frequent-buyers-mail: "),
        "{}",
        done.stderr
    );
    let server = TestServer::on(kind).project_text(&done.stdout).start();
    let cases = [
        (json!({"country": "at"}), "gift-wrap", json!(true)),
        (json!({"country": "FR"}), "gift-wrap", json!(false)),
        (json!({"country": "DE"}), "receipts", json!(true)),
        (json!({"country": "FR"}), "receipts", json!(false)),
        (
            json!({"email": "ada@shop.example.test"}),
            "checkout",
            json!("wide"),
        ),
        (
            json!({"$feature_enrollment/early-bird": "true"}),
            "early-bird",
            json!(true),
        ),
        (json!({}), "early-bird", json!(false)),
    ];
    for (properties, key, expected) in cases {
        let answer = values(&server, "ines", properties.clone());
        assert_eq!(answer[key], expected, "{key} for {properties}: {answer}");
    }
}

#[test]
fn lenient_and_output() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.json");
    let path = path.to_str().unwrap();
    let options = ["--lenient", "--format", "json", "--output", path];
    let done = import("posthog", &POSTHOG, &options).expect_code(0);
    assert_eq!(done.stdout, "");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(file["projects"][0]["token"], "phc_imported");
    let whole = import("posthog", &POSTHOG[1..2], &[]).expect_code(2);
    assert!(
        whole.stderr.contains("the pages tell of 7 in all"),
        "{}",
        whole.stderr
    );
    import("posthog", &["nowhere.json"], &[]).expect_code(2);
}
