//! A server that starts while its database is away, from what it kept on disk.

use burgee_integration_tests::deadline::eventually;
use burgee_integration_tests::{
    Database, FlagBuilder, Kind, ProjectBuilder, ServerBuilder, TestServer, filter,
};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::sync::Arc;

fn project() -> Value {
    ProjectBuilder::new()
        .flag(FlagBuilder::new("plain").id(1).variants(&[("wide", 100)]))
        .flag(
            FlagBuilder::new("stored")
                .id(2)
                .when(filter::person("plan", "exact", "pro")),
        )
        .person(&["maria"], json!({"plan": "pro"}))
        .file()
}

fn server(database: &Arc<Database>, disk: &Path) -> ServerBuilder {
    TestServer::with(database)
        .env("BURGEE_SNAPSHOT_DIR", disk.to_str().unwrap())
        .env("BURGEE_POOL_ACQUIRE_TIMEOUT_MS", "500")
        .env("BURGEE_POLL_INTERVAL_S", "1")
}

/// Serves once, so that the snapshot is written.
fn save(database: &Arc<Database>, disk: &Path) {
    let server = server(database, disk).project(&project()).start();
    eventually("the snapshot", || {
        let files = ["project-1.jsonl", "synchronised.json"];
        let all = files.iter().all(|file| disk.join(file).exists());
        all.then_some(())
    });
    server.stop();
}

fn ask(server: &TestServer) -> Value {
    server.flags(
        2,
        &json!({"token": "phc_local_dev", "distinct_id": "maria"}),
    )
}

fn readiness(server: &TestServer) -> String {
    server.get("/_readiness").text()
}

fn age(server: &TestServer) -> f64 {
    let text = server.get("/metrics").text();
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix("burgee_definitions_age_seconds "));
    value.expect("the gauge is there").parse().unwrap()
}

#[test]
fn a_snapshot_serves_until_the_database_is_back() {
    let database = Arc::new(Database::private());
    let disk = tempfile::tempdir().unwrap();
    save(&database, disk.path());
    // As if the server had been gone for an hour.
    let stamp = disk.path().join("synchronised.json");
    let mut written: Value = serde_json::from_str(&fs::read_to_string(&stamp).unwrap()).unwrap();
    let at = written["unix_milliseconds"].as_u64().unwrap();
    written["unix_milliseconds"] = json!(at - 3_600_000);
    fs::write(&stamp, written.to_string()).unwrap();
    database.server().stop().unwrap();

    let server = server(&database, disk.path()).start();
    let text = readiness(&server);
    assert!(
        text.starts_with("ready, but the definitions are stale"),
        "{text}"
    );
    assert!(age(&server) >= 3_600.0);
    let answer = ask(&server);
    assert_eq!(answer["errorsWhileComputingFlags"], true, "{answer}");
    assert_eq!(answer["flags"]["plain"]["variant"], "wide", "{answer}");
    assert_eq!(answer["flags"]["stored"]["failed"], true, "{answer}");
    // An unknown token cannot be looked up: that is no verdict on the token.
    let unknown = json!({"token": "phc_other", "distinct_id": "u"});
    assert_eq!(server.post("/flags?v=2", &unknown).status, 503);

    database.server().resume().unwrap();
    eventually("the database to be used", || {
        (readiness(&server) == "ready").then_some(())
    });
    eventually("stored data", || {
        (ask(&server)["flags"]["stored"]["enabled"] == true).then_some(())
    });
    assert!(age(&server) < 3_600.0);
    assert_eq!(server.post("/flags?v=2", &unknown).status, 401);
    server.stop();
}

/// The database comes back without its tables: they are made, and what was served from disk is gone.
#[test]
fn migrations_run_when_the_database_is_back() {
    let database = Arc::new(Database::private());
    let disk = tempfile::tempdir().unwrap();
    save(&database, disk.path());
    database.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    database.server().stop().unwrap();
    let server = server(&database, disk.path()).start();
    assert_eq!(ask(&server)["flags"]["plain"]["variant"], "wide");
    database.server().resume().unwrap();
    let known = json!({"token": "phc_local_dev", "distinct_id": "u"});
    eventually("the project to be gone", || {
        (server.post("/flags?v=2", &known).status == 401).then_some(())
    });
    eventually("the database to be used", || {
        (readiness(&server) == "ready").then_some(())
    });
    assert_eq!(database.query("SELECT count(*) FROM projects"), "0");
    eventually("its file to be gone", || {
        (!disk.path().join("project-1.jsonl").exists()).then_some(())
    });
    server.stop();
}

/// Files that are damaged or another's do not serve, and the log says why.
#[test]
fn a_bad_snapshot_is_ignored() {
    let database = Arc::new(Database::private());
    let disk = tempfile::tempdir().unwrap();
    save(&database, disk.path());
    let file = disk.path().join("project-1.jsonl");
    let good = fs::read_to_string(&file).unwrap();
    // The header alone is good, so the server starts from it, and finds nothing more.
    fs::write(&file, good.lines().next().unwrap()).unwrap();
    database.server().stop().unwrap();
    let server = server(&database, disk.path()).spawn();
    eventually("the log to say so", || {
        server
            .log()
            .contains("a snapshot cannot be used; it is ignored")
            .then_some(())
    });
    assert_eq!(server.get("/_readiness").status, 503);
    assert_eq!(server.get("/_liveness").status, 200);
    database.server().resume().unwrap();
    eventually("readiness", || {
        (readiness(&server) == "ready").then_some(())
    });
    server.stop();
}

on_both_databases!(a_snapshot_holds_what_is_stored);

fn a_snapshot_holds_what_is_stored(kind: Kind) {
    let database = Arc::new(Database::new(kind));
    let disk = tempfile::tempdir().unwrap();
    save(&database, disk.path());
    let text = fs::read_to_string(disk.path().join("project-1.jsonl")).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["format"], "burgee-snapshot");
    assert_eq!(lines[0]["project"]["token"], "phc_local_dev");
    assert_eq!(
        (&lines[1]["key"], &lines[2]["key"]),
        (&json!("plain"), &json!("stored"))
    );
    assert_eq!(lines.len(), 3);
    assert!(
        !text.contains("maria") && !text.contains("burgee:"),
        "{text}"
    );
}
