//! `burgee replay` on what the real SDKs were recorded to send, and on what the proxy records.

use crate::shadow::{Stage, operators};
use burgee_integration_tests::{Finished, FlagBuilder, Kind, ProjectBuilder, TestServer, burgee};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;

on_both_databases!(
    equal_servers_do_not_differ_and_one_flag_is_named,
    what_the_proxy_records_is_replayed,
);

/// What the recordings ask for; `multi` gives as many percent of people its first variant.
fn project(first: u8) -> Value {
    let multi = FlagBuilder::new("multi").variants(&[("first", first), ("second", 100 - first)]);
    ProjectBuilder::new()
        .group_types(&["organization", "company"])
        .flag(multi.filters("payloads", json!({"first": "{\"a\": 1}", "second": "2"})))
        .flag(FlagBuilder::new("simple"))
        .flag(FlagBuilder::new("bool-on"))
        .flag(FlagBuilder::new("off").rollout(0))
        .flag(FlagBuilder::new("survey-targeting-1"))
        .file()
}

fn recordings() -> Vec<String> {
    let folder = format!("{}/fixtures/sdk-traffic", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
        .collect();
    files.sort();
    files
}

fn replay(files: &[String], a: &TestServer, b: &TestServer, options: &[&str]) -> Finished {
    let (a, b) = (
        format!("http://{}", a.address()),
        format!("http://{}/", b.address()),
    );
    let files = files.iter().map(String::as_str);
    let arguments: Vec<&str> = ["replay"]
        .into_iter()
        .chain(files)
        .chain(["--a", &a, "--b", &b])
        .chain(options.iter().copied())
        .collect();
    burgee(&arguments)
}

fn equal_servers_do_not_differ_and_one_flag_is_named(kind: Kind) {
    let one = TestServer::on(kind).project(&project(100)).start();
    let same = TestServer::on(kind).project(&project(100)).start();
    let other = TestServer::on(kind).project(&project(0)).start();
    let files = recordings();
    let equal = replay(&files, &one, &same, &["--json"]).expect_code(0);
    let equal: Value = serde_json::from_str(&equal.stdout).unwrap();
    let asked = equal["compared"].as_u64().unwrap();
    assert!(asked >= 40 && equal["equal"] == asked, "{equal}");
    assert!(equal["skipped"].as_u64().unwrap() > 40, "{equal}");
    assert_eq!(equal["differences"], json!([]));

    let different = replay(
        &files,
        &one,
        &other,
        &["--json", "--concurrency", "3", "--rate", "500"],
    )
    .expect_code(1);
    let different: Value = serde_json::from_str(&different.stdout).unwrap();
    assert_eq!(different["compared"], asked, "{different}");
    let differences = different["differences"].as_array().unwrap();
    let [difference] = &differences[..] else {
        panic!("{different}")
    };
    assert_eq!(
        (&difference["flag"], &difference["kind"]),
        (&json!("multi"), &json!("variant"))
    );
    assert_eq!(difference["count"], different["different"]);
    assert!(difference["count"].as_u64().unwrap() > 10, "{different}");
    let text = replay(&files, &one, &other, &[]).expect_code(1).stdout;
    assert!(
        text.contains("multi") && !text.contains("simple") && !text.contains("bool-on"),
        "{text}"
    );
    replay(&files, &one, &other, &["--ignore-flags", "multi"]).expect_code(0);
    // Everybody keeps the variant; only its payload is another.
    let told = replay(&files, &one, &same, &["--ignore", "nonsense"]).expect_code(2);
    assert!(told.stderr.contains("nonsense"), "{}", told.stderr);

    other.stop();
    let away = TestServer::on(kind).project(&project(0)).start();
    let address = format!("http://{}", away.address());
    away.stop();
    let silent = burgee(&[
        "replay", &files[0], &files[4], &files[5], "--a", &address, "--b", &address,
    ]);
    assert!(
        silent
            .expect_code(2)
            .stderr
            .contains("--a answered no request")
    );
    burgee(&["replay", "/nowhere", "--a", &address, "--b", &address]).expect_code(2);
}

fn what_the_proxy_records_is_replayed(kind: Kind) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("requests.jsonl");
    std::fs::write(&file, "").unwrap();
    let options = ["--record", file.to_str().unwrap()];
    let stage = Stage::with(kind, &project(100), &project(0), &options);
    let mut asked = 0;
    for sdk in ["posthog-python", "posthog-js", "posthog-node", "posthog-rs"] {
        for request in crate::replay::recording(sdk) {
            let answer = stage.proxy.send(
                &crate::replay::rebuild(&request).header("Authorization", "Bearer phx_secret"),
            );
            let path = request["path"].as_str().unwrap();
            if path.starts_with("/flags/")
                && !path.contains("definitions")
                && request["method"] == "POST"
            {
                assert_eq!(answer.status, 200, "{request}: {}", answer.text());
                asked += 1;
            }
        }
    }
    assert!(asked > 20, "{asked}");
    assert_eq!(
        operators(&stage.proxy).metric("burgee_shadow_aside_offered_total", "lane=\"record\""),
        asked
    );
    stage.proxy.terminate();
    stage.proxy.expect_clean_exit();
    assert!(stage.proxy.log().contains("requests are recorded"));
    let written = std::fs::read_to_string(&file).unwrap();
    assert_eq!(u64::try_from(written.lines().count()).unwrap(), asked);
    assert!(
        !written.contains("phx_secret"),
        "credentials are not recorded"
    );
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let files = [file.to_str().unwrap().to_owned()];
    let told = replay(&files, &stage.upstream, &stage.burgee, &["--json"]).expect_code(1);
    let told: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(
        (&told["compared"], &told["failed"]),
        (&json!(asked), &json!(0)),
        "{told}"
    );
    assert_eq!(told["differences"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!(told["differences"][0]["flag"], "multi", "{told}");
}
