//! Postgres goes away, or stands still, while flags are served (evaluation.md, section 8; http-api 3.11).

use burgee_integration_tests::deadline::eventually;
use burgee_integration_tests::{
    Database, FlagBuilder, ProjectBuilder, ServerBuilder, TestServer, filter,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// A server on a Postgres of this test's own.
struct Scene {
    server: TestServer,
    database: Arc<Database>,
}

/// `plain` needs nothing that is stored, `stored` a person's property, `company` a group, the sticky ones hash keys.
fn project() -> Value {
    ProjectBuilder::new()
        .group_types(&["company"])
        .flag(FlagBuilder::new("plain").id(1).variants(&[("wide", 100)]))
        .flag(
            FlagBuilder::new("stored")
                .id(2)
                .when(filter::person("plan", "exact", "pro")),
        )
        .flag(FlagBuilder::new("sticky").id(3).rollout(50).sticky())
        .flag(FlagBuilder::new("sticky-for-all").id(5).sticky())
        .flag(
            FlagBuilder::new("company")
                .id(4)
                .filters("aggregation_group_type_index", json!(0))
                .when(filter::group("seats", "gte", 10)),
        )
        .person(&["maria"], json!({"plan": "pro"}))
        .group("company", "acme", json!({"seats": 40}))
        .file()
}

impl Scene {
    fn new(adjust: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let database = Arc::new(Database::private());
        let server = TestServer::with(&database)
            .project(&project())
            .env("BURGEE_POOL_ACQUIRE_TIMEOUT_MS", "500");
        let server = adjust(server).start();
        let scene = Self { server, database };
        scene.await_health();
        scene
    }

    fn stop_database(&self) {
        self.database.server().stop().unwrap();
    }

    fn start_database(&self) {
        self.database.server().resume().unwrap();
    }

    fn ask(&self, members: Value) -> Value {
        let mut body = json!({"token": "phc_local_dev", "distinct_id": "maria", "groups": {"company": "acme"}});
        for (name, value) in members.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.server.flags(2, &body)
    }

    fn await_health(&self) {
        eventually("all flags to be well", || {
            let answer = self.ask(json!({}));
            (answer["errorsWhileComputingFlags"] == false
                && answer["flags"]["stored"]["enabled"] == true
                && answer["flags"]["company"]["enabled"] == true)
                .then_some(())
        });
    }
}

/// The code of a failed flag must be one that says what happened to the database.
fn assert_failed(record: &Value, what: &str) {
    assert_eq!(record["failed"], true, "{what}: {record}");
    assert_eq!(
        (&record["enabled"], &record["variant"]),
        (&json!(false), &json!(null)),
        "{what}"
    );
    assert_eq!(record["metadata"]["payload"], json!(null), "{what}");
    assert_eq!(record["reason"]["condition_index"], json!(null), "{what}");
    let code = record["reason"]["code"].as_str().unwrap();
    let known = [
        "timeout",
        "timeout_error",
        "no_more_connections",
        "database_unavailable",
        "database_error",
    ];
    assert!(
        known.contains(&code) || code.starts_with("timeout:"),
        "{what}: {code}"
    );
}

fn assert_partial(answer: &Value) {
    assert_eq!(answer["errorsWhileComputingFlags"], true);
    let flags = &answer["flags"];
    assert_eq!(flags["plain"]["variant"], "wide", "{answer}");
    assert_eq!(flags["plain"].get("failed"), None, "{answer}");
    assert_failed(&flags["stored"], "stored");
    assert_failed(&flags["company"], "company");
    // Hash keys that cannot be read fail every flag that is marked for continuity (8.3).
    for key in ["sticky", "sticky-for-all"] {
        assert_eq!(flags[key]["failed"], true, "{answer}");
        let code = &flags[key]["reason"]["code"];
        assert_eq!(code, "hash_key_override_error", "{answer}");
    }
}

/// What needs no stored data is right whatever happens to the database, and nobody notices.
fn assert_untroubled(scene: &Scene) {
    let told = json!({"flag_keys": ["plain"]});
    let answer = scene.ask(told);
    assert_eq!(answer["errorsWhileComputingFlags"], false, "{answer}");
    assert_eq!(answer["flags"]["plain"]["variant"], "wide");
    let told = json!({"flag_keys": ["stored"], "person_properties": {"plan": "free"}});
    let answer = scene.ask(told);
    assert_eq!(answer["errorsWhileComputingFlags"], false, "{answer}");
    assert_eq!(answer["flags"]["stored"]["enabled"], false);
    assert_eq!(answer["flags"]["stored"].get("failed"), None);
}

#[test]
fn a_stopped_database_fails_only_what_needs_it() {
    let scene = Scene::new(|server| server);
    scene.stop_database();
    for _ in 0..3 {
        assert_partial(&scene.ask(json!({})));
        assert_untroubled(&scene);
    }
    // An unknown token cannot be looked up: that is no verdict on the token.
    let unknown = scene.server.post(
        "/flags?v=2",
        &json!({"token": "phc_other", "distinct_id": "u"}),
    );
    assert_eq!(unknown.status, 503, "{}", unknown.text());
    assert_eq!(
        unknown.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    let text = unknown.text();
    let sentences = [
        "A service dependency is temporarily unavailable. This is likely a temporary issue. Please try again later.",
        "Our database service is currently unavailable. This is likely a temporary issue. Please try again later.",
    ];
    assert!(sentences.contains(&text.as_str()), "{text}");
    scene.start_database();
    scene.await_health();
    let unknown = scene.server.post(
        "/flags?v=2",
        &json!({"token": "phc_other", "distinct_id": "u"}),
    );
    assert_eq!(unknown.status, 401);
    scene.server.stop();
}

/// Changes are heard of again after the listener's connection was lost.
#[test]
fn changes_arrive_after_an_outage() {
    use burgee_integration_tests::burgee;
    let scene = Scene::new(|server| server.env("BURGEE_POLL_INTERVAL_S", "1"));
    scene.stop_database();
    assert_partial(&scene.ask(json!({})));
    scene.start_database();
    let file = ProjectBuilder::new()
        .flag(FlagBuilder::new("plain").id(1).rollout(0))
        .file();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file.json");
    std::fs::write(&path, file.to_string()).unwrap();
    let url = scene.server.database().url();
    burgee(&["apply", "-f", path.to_str().unwrap(), "--database-url", url]).expect_code(0);
    eventually("the change", || {
        let answer = scene.ask(json!({"flag_keys": ["plain"]}));
        (answer["flags"]["plain"]["enabled"] == false).then_some(())
    });
}

/// A database that accepts and never answers costs a request no more than its own time limits.
#[test]
fn a_frozen_database_is_not_waited_for() {
    let patience = [
        ("BURGEE_POOL_ACQUIRE_TIMEOUT_MS", "50"),
        ("BURGEE_QUERY_TIMEOUT_MS", "200"),
        ("BURGEE_REQUEST_TIMEOUT_MS", "10000"),
    ];
    let scene = Scene::new(|server| {
        patience
            .iter()
            .fold(server, |server, (name, value)| server.env(name, value))
    });
    let frozen = scene.database.server().freeze().unwrap();
    for _ in 0..3 {
        assert_partial(&scene.ask(json!({})));
        assert_untroubled(&scene);
    }
    drop(frozen);
    scene.await_health();
    scene.server.stop();
}

/// Where the database's own time limits are far away, the request's deadline ends the waiting: with the same partial answer.
#[test]
fn the_requests_deadline_is_kept() {
    let patience = [
        ("BURGEE_POOL_ACQUIRE_TIMEOUT_MS", "600000"),
        ("BURGEE_QUERY_TIMEOUT_MS", "600000"),
        ("BURGEE_REQUEST_TIMEOUT_MS", "1500"),
    ];
    let scene = Scene::new(|server| {
        patience
            .iter()
            .fold(server, |server, (name, value)| server.env(name, value))
    });
    let frozen = scene.database.server().freeze().unwrap();
    assert_partial(&scene.ask(json!({})));
    assert_untroubled(&scene);
    let unknown = scene.server.post(
        "/flags?v=2",
        &json!({"token": "phc_other", "distinct_id": "u"}),
    );
    assert_eq!(unknown.status, 503, "{}", unknown.text());
    drop(frozen);
    scene.await_health();
    scene.server.stop();
}

/// SIGTERM is obeyed with the database away.
#[test]
fn a_server_without_its_database_stops_cleanly() {
    let scene = Scene::new(|server| server);
    scene.stop_database();
    assert_partial(&scene.ask(json!({})));
    scene.server.stop();
}
