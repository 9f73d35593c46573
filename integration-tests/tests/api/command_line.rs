//! The commands: exit codes, and what matters of their output.

use burgee_integration_tests::deadline::eventually;
use burgee_integration_tests::http::Request;
use burgee_integration_tests::{
    Database, Finished, FlagBuilder, Kind, ProjectBuilder, TestServer, burgee, burgee_in, filter,
};
use serde_json::{Value, json};
use std::path::PathBuf;

on_both_databases!(
    apply_tells_what_it_does,
    a_bad_file_changes_nothing,
    export_and_apply_are_inverse,
    migrations_run_once,
    keys_are_made_and_shown_once,
    a_stopping_server_answers_what_it_took,
);

/// A directory with a project file in it.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn on(database: &Database, args: &[&str]) -> Finished {
    burgee(&[args, &["--database-url", database.url()]].concat())
}

fn apply(database: &Database, file: &Value, options: &[&str]) -> Finished {
    let files = Files::new();
    let path = files.write("file.json", &file.to_string());
    on(
        database,
        &[&["apply", "-f", path.to_str().unwrap()], options].concat(),
    )
}

fn export(database: &Database, format: &str) -> String {
    on(database, &["export", "--format", format])
        .expect_code(0)
        .stdout
}

/// One of everything that a project can hold.
fn rich_project() -> Value {
    let tree = json!({"type": "OR", "values": [filter::cohort(7), filter::person("email", "icontains", "@acme.test")]});
    let mut project = ProjectBuilder::new()
        .with("timezone", json!("Europe/Vienna"))
        .with("property_matching_version", json!(2))
        .with("secret_tokens", json!(["phs_local_dev"]))
        .with("personal_keys", json!([{"label": "dev", "key": "phx_local_dev", "scopes": ["*"]}]))
        .group_types(&["organization", "company"])
        .cohort(json!({"id": 7, "name": "Beta users", "is_static": true}))
        .cohort(json!({"id": 8, "name": "Staff", "filters": {"properties": tree}}))
        .flag(
            FlagBuilder::new("new-checkout")
                .id(3)
                .with("name", json!("New checkout: \"quoted\", ünïcode, and a\nline"))
                .with("evaluation_runtime", json!("server"))
                .with("evaluation_contexts", json!(["shop"]))
                .sticky()
                .condition(json!({"properties": [filter::person("seats", "gte", 5)], "rollout_percentage": 33.3}))
                .variants(&[("a", 50), ("b", 50)])
                .filters("payloads", json!({"a": "{\"n\": 1.0}"})),
        )
        .flag(FlagBuilder::new("yes").id(4).with("active", json!(false)))
        .flag(FlagBuilder::new("1e3").id(5).when(filter::flag(4, false)).when(filter::cohort(8)))
        .group("company", "acme", json!({"seats": 40, "rate": 5.0}));
    project = project.push(
        "persons",
        json!({
            "distinct_ids": ["user-1", "anon-1", "007", "null"], "created_at": "2023-05-01T10:20:30.123456Z",
            "properties": {"email": "ada@acme.test", "whole": 5, "fraction": 5.0, "none": null, "list": [1, "a", {"x": true}]},
            "static_cohorts": [7], "hash_key_overrides": {"new-checkout": "anon-1"},
        }),
    );
    project.file()
}

fn apply_tells_what_it_does(kind: Kind) {
    let database = Database::new(kind);
    let file = rich_project();
    let dry = apply(&database, &file, &["--dry-run"]).expect_code(0);
    assert!(dry.stdout.contains("created"), "{}", dry.stdout);
    assert_eq!(
        serde_json::from_str::<Value>(&export(&database, "json")).unwrap()["projects"],
        json!([]),
        "a dry run"
    );

    let first = apply(&database, &file, &[]).expect_code(0);
    for word in ["created", "new-checkout", "Beta users", "user-1", "acme"] {
        assert!(first.stdout.contains(word), "{word} in {}", first.stdout);
    }
    assert!(
        !first.stdout.contains("phs_local_dev") && !first.stdout.contains("phx_local_dev"),
        "{}",
        first.stdout
    );
    let second = apply(&database, &file, &[]).expect_code(0);
    assert!(second.stdout.contains("unchanged"), "{}", second.stdout);
    let total = second.stdout.lines().last().unwrap();
    assert!(
        total.contains("0 created") && total.contains("0 changed"),
        "{total}"
    );

    let smaller = ProjectBuilder::new()
        .flag(FlagBuilder::new("yes").id(4).with("active", json!(false)))
        .file();
    let kept = apply(&database, &smaller, &[]).expect_code(0);
    assert!(!kept.stdout.contains("removed  "), "{}", kept.stdout);
    assert!(
        export(&database, "json").contains("new-checkout"),
        "without --prune nothing goes"
    );
    let pruned = apply(&database, &smaller, &["--prune"]).expect_code(0);
    assert!(pruned.stdout.contains("removed"), "{}", pruned.stdout);
    let left: Value = serde_json::from_str(&export(&database, "json")).unwrap();
    assert_eq!(
        left["projects"][0]["flags"].as_array().unwrap().len(),
        1,
        "{left}"
    );
    assert_eq!(
        left["projects"][0]
            .get("persons")
            .and_then(Value::as_array)
            .map_or(0, Vec::len),
        0,
        "{left}"
    );
}

fn a_bad_file_changes_nothing(kind: Kind) {
    let database = Database::new(kind);
    apply(
        &database,
        &ProjectBuilder::new()
            .flag(FlagBuilder::new("kept").id(1))
            .file(),
        &[],
    )
    .expect_code(0);
    let before = export(&database, "json");
    let bad = ProjectBuilder::new()
        .flag(FlagBuilder::new("fine").id(2))
        .flag(
            FlagBuilder::new("a")
                .id(3)
                .when(filter::person("x", "sounds_like", "y")),
        )
        .flag(
            FlagBuilder::new("b")
                .id(4)
                .when(filter::person("x", "regex", "[")),
        )
        .flag(
            FlagBuilder::new("c")
                .id(5)
                .variants(&[("one", 70), ("two", 70)]),
        )
        .flag(FlagBuilder::new("d").id(6).when(filter::flag(999, true)))
        .flag(FlagBuilder::new("e").id(7).when(filter::cohort(404)))
        .flag(FlagBuilder::new("f").id(8).with("colour", json!("red")))
        .file();
    let refused = apply(&database, &bad, &[]).expect_code(2);
    let told = refused.stdout + &refused.stderr;
    // Every problem, not only the first, each with its place.
    for word in [
        "file.json",
        "sounds_like",
        "flags[2].filters.groups[0].properties[0]",
        "140",
        "flags[4].filters.groups[0].properties[0].key",
        "404",
        "colour",
    ] {
        assert!(told.contains(word), "{word} in {told}");
    }
    assert_eq!(export(&database, "json"), before);
    assert_eq!(apply(&database, &json!({"projects": 5}), &[]).code, Some(2));
    assert_eq!(
        on(&database, &["apply", "-f", "/nowhere/file.yaml"]).code,
        Some(2)
    );
    assert_eq!(export(&database, "json"), before);
}

fn export_and_apply_are_inverse(kind: Kind) {
    let database = Database::new(kind);
    apply(&database, &rich_project(), &[]).expect_code(0);
    for format in ["yaml", "json"] {
        let exported = export(&database, format);
        for secret in ["phs_local_dev", "phx_local_dev"] {
            assert!(!exported.contains(secret), "{exported}");
        }
        let files = Files::new();
        let path = files.write("all", &exported);
        burgee(&["check", "-f", path.to_str().unwrap()]).expect_code(0);
        let copy = Database::new(kind);
        on(&copy, &["apply", "-f", path.to_str().unwrap()]).expect_code(0);
        assert_eq!(export(&copy, format), exported, "{format}");
        let again = on(&copy, &["apply", "-f", path.to_str().unwrap()]).expect_code(0);
        let total = again.stdout.lines().last().unwrap().to_owned();
        assert!(
            total.contains("0 created") && total.contains("0 changed"),
            "{format}: {total}"
        );
    }
}

fn migrations_run_once(kind: Kind) {
    let database = Database::new(kind);
    let pending = on(&database, &["migrate", "--status"]).expect_code(1);
    assert!(pending.stdout.contains("pending"), "{}", pending.stdout);
    assert_eq!(
        on(&database, &["export"]).code,
        Some(1),
        "nothing to read before the first migration"
    );
    let ran = on(&database, &["migrate"]).expect_code(0);
    assert!(!ran.stdout.is_empty());
    let status = on(&database, &["migrate", "--status"]).expect_code(0);
    assert!(!status.stdout.contains("pending"), "{}", status.stdout);
    on(&database, &["migrate"]).expect_code(0);
    let exported = on(&database, &["export", "--format", "json"]).expect_code(0);
    assert_eq!(
        serde_json::from_str::<Value>(&exported.stdout).unwrap()["projects"],
        json!([])
    );
}

fn keys_are_made_and_shown_once(kind: Kind) {
    let database = Database::new(kind);
    apply(&database, &ProjectBuilder::new().file(), &[]).expect_code(0);
    let secret = on(
        &database,
        &["token", "new", "--project", "1", "--kind", "secret"],
    )
    .expect_code(0);
    let personal = on(
        &database,
        &[
            "token",
            "new",
            "--project",
            "1",
            "--kind",
            "personal",
            "--scopes",
            "feature_flag:read",
        ],
    );
    let personal = personal.expect_code(0);
    let exported = export(&database, "json");
    for (made, prefix) in [(&secret, "phs_"), (&personal, "phx_")] {
        let key = made.stdout.trim();
        assert!(
            key.starts_with(prefix) && key.len() >= prefix.len() + 32,
            "{key}"
        );
        assert!(!exported.contains(key), "only its fingerprint is stored");
    }
    assert_ne!(
        on(
            &database,
            &["token", "new", "--project", "404", "--kind", "secret"]
        )
        .code,
        Some(0)
    );
    assert_eq!(
        on(
            &database,
            &["token", "new", "--project", "1", "--kind", "golden"]
        )
        .code,
        Some(2)
    );
}

/// SIGTERM under traffic: what was begun is answered, and the exit code is 0.
fn a_stopping_server_answers_what_it_took(kind: Kind) {
    let file = ProjectBuilder::new().flag(FlagBuilder::new("on")).file();
    let server = TestServer::on(kind).project(&file).start();
    let request = Request::post("/flags?v=1");
    let request = request.json(&json!({"token": "phc_local_dev", "distinct_id": "u"}));
    // A request whose body is still to come when the signal does. The server says when it waits for it.
    let bytes = request.clone().header("Expect", "100-continue").bytes();
    let body = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap()
        + 4;
    let mut slow = server.connect();
    slow.write(&bytes[..body]);
    assert_eq!(slow.read("POST").status, 100);
    let mut quick = server.connect();
    assert_eq!(quick.exchange(&request).status, 200);
    server.terminate();
    eventually("the listener to close", || {
        std::net::TcpStream::connect(server.address())
            .is_err()
            .then_some(())
    });
    slow.write(&bytes[body..]);
    let answer = slow.read("POST");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["featureFlags"], json!({"on": true}));
    drop((slow, quick));
    server.expect_clean_exit();
}

#[test]
fn all_bad_settings_are_told_together() {
    let directory = tempfile::tempdir().unwrap();
    let args = [
        "serve",
        "--listen",
        "nowhere",
        "--database-url",
        "mysql://db",
        "--pool-size",
        "many",
        "--poll-interval-s=-1",
        "--log-format=loud",
        "--request-timeout-ms",
        "soon",
    ];
    let refused = burgee_in(directory.path(), &args).expect_code(2);
    for option in [
        "--listen",
        "--database-url",
        "--pool-size",
        "--poll-interval-s",
        "--log-format",
        "--request-timeout-ms",
    ] {
        assert!(
            refused.stderr.contains(option),
            "{option} in {}",
            refused.stderr
        );
    }
    assert_eq!(
        std::fs::read_dir(directory.path()).unwrap().count(),
        0,
        "nothing was begun"
    );
}

#[test]
fn a_bad_project_file_keeps_the_server_from_starting() {
    let files = Files::new();
    let path = files.write(
        "bad.yaml",
        "projects:\n  - name: X\n    token: t\n    flgas: []\n",
    );
    let args = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--project",
        path.to_str().unwrap(),
    ];
    let refused = burgee_in(files.0.path(), &args).expect_code(2);
    let told = refused.stdout + &refused.stderr;
    // The file, the line and the nearest name.
    for word in ["bad.yaml", "4", "flgas", "flags"] {
        assert!(told.contains(word), "{word} in {told}");
    }
}

#[test]
fn a_pending_migration_may_be_refused() {
    let directory = tempfile::tempdir().unwrap();
    let refused = burgee_in(
        directory.path(),
        &["serve", "--listen", "127.0.0.1:0", "--no-migrate"],
    );
    assert_ne!(refused.code, Some(0));
    assert!(refused.stderr.contains("migrat"), "{}", refused.stderr);
}

#[test]
fn health_is_an_exit_code() {
    let server = TestServer::on(Kind::Sqlite).start();
    let url = |path: &str| format!("http://{}{path}", server.address());
    burgee(&["healthcheck", "--url", &url("/_readiness")]).expect_code(0);
    burgee(&["healthcheck", "--url", &url("/nowhere")]).expect_code(1);
    let address = url("/_readiness");
    server.stop();
    burgee(&["healthcheck", "--url", &address]).expect_code(1);
}

#[test]
fn every_command_explains_itself() {
    for command in [
        "serve",
        "apply",
        "export",
        "check",
        "doctor",
        "migrate",
        "healthcheck",
        "token",
    ] {
        let help = burgee(&[command, "--help"]).expect_code(0).stdout;
        assert!(help.contains("Usage: burgee"), "{help}");
        assert!(
            help.contains(&format!("burgee {command}")),
            "an example in {help}"
        );
    }
    let help = burgee(&["serve", "--help"]).expect_code(0).stdout;
    for variable in [
        "BURGEE_LISTEN",
        "BURGEE_DATABASE_URL",
        "BURGEE_POLL_INTERVAL_S",
    ] {
        assert!(help.contains(variable), "{variable} in {help}");
    }
    assert_eq!(burgee(&["fly"]).code, Some(2));
}

#[test]
fn a_finished_check_says_so() {
    let files = Files::new();
    let good = files.write("good.json", &rich_project().to_string());
    burgee(&["check", "-f", good.to_str().unwrap()]).expect_code(0);
    let bad = files.write("bad.json", "{\"projects\": [{\"flags\": 5}]}");
    burgee(&["check", "-f", bad.to_str().unwrap()]).expect_code(2);
    burgee(&["check", "-f", "/nowhere.yaml"]).expect_code(2);
}
