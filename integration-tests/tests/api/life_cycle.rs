//! From the first moment to the last: what is answered while a server starts and while it stops, and what is written then.

use crate::events::{TOKEN, exported, figure, person, post};
use burgee_integration_tests::deadline::eventually;
use burgee_integration_tests::http::Request;
use burgee_integration_tests::postgres::Frozen;
use burgee_integration_tests::{
    Database, FlagBuilder, Kind, ProjectBuilder, ServerBuilder, TestServer, burgee,
};
use burgee_schema::{PoolConfig, Store};
use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};
use serde_json::{Value, json};
use std::net::TcpStream;
use std::sync::Arc;

on_both_databases!(
    probes_are_answered_before_the_database,
    a_stop_goes_step_by_step,
    a_second_signal_does_not_wait,
    a_stop_may_come_before_the_start_is_over,
    what_waits_is_written_at_a_stop,
    the_snapshot_is_written_at_a_stop,
);

/// Keeps a database from being written until it is dropped.
enum Hold {
    Lock { _connection: SqliteConnection },
    Frozen { _processes: Frozen },
}

impl Hold {
    fn on(database: &Database, kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => {
                let path = database.url().strip_prefix("sqlite://").unwrap();
                let mut connection = SqliteConnection::establish(path).unwrap();
                let lock = "PRAGMA busy_timeout = 10000; BEGIN IMMEDIATE";
                connection.batch_execute(lock).unwrap();
                Self::Lock {
                    _connection: connection,
                }
            }
            Kind::Postgres => Self::Frozen {
                _processes: database.server().freeze().unwrap(),
            },
        }
    }
}

/// A database that may be held.
fn database(kind: Kind) -> Arc<Database> {
    Arc::new(match kind {
        Kind::Sqlite => Database::new(kind),
        Kind::Postgres => Database::private(),
    })
}

fn server(database: &Arc<Database>) -> ServerBuilder {
    let file = ProjectBuilder::new().flag(FlagBuilder::new("on")).file();
    TestServer::with(database).project(&file)
}

fn ask() -> Request {
    Request::post("/flags?v=1").json(&json!({"token": TOKEN, "distinct_id": "u"}))
}

/// Returns status and sentence.
fn probe(server: &TestServer, path: &str) -> (u16, String) {
    let answer = server.get(path);
    (answer.status, answer.text())
}

fn await_readiness(server: &TestServer, wanted: &str) {
    eventually(wanted, || {
        let (_, text) = probe(server, "/_readiness");
        text.contains(wanted).then_some(())
    });
}

/// A database that is away, or in Sqlite's case in somebody else's hands: everything is answered, and told why.
fn probes_are_answered_before_the_database(kind: Kind) {
    let database = database(kind);
    burgee(&["migrate", "--database-url", database.url()]).expect_code(0);
    let hold = (kind == Kind::Sqlite).then(|| Hold::on(&database, kind));
    if kind == Kind::Postgres {
        database.server().stop().unwrap();
    }
    let server = server(&database)
        .env("BURGEE_WRITE_TIMEOUT_MS", "1000")
        .spawn();
    assert_eq!(probe(&server, "/_liveness"), (200, "alive".to_owned()));
    assert_eq!(probe(&server, "/_startup"), (503, "starting".to_owned()));
    let sentence = match kind {
        Kind::Sqlite => "waiting for the database: a database statement ran out of time",
        Kind::Postgres => "waiting for the database: the database is unavailable",
    };
    await_readiness(&server, sentence);
    assert_eq!(server.get("/_readiness").status, 503);
    for path in ["/metrics", "/", "/livez", "/healthz"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    let ofrep = Request::post("/ofrep/v1/evaluate/flags")
        .header("Authorization", "Bearer phc_local_dev")
        .json(&json!({"context": {"targetingKey": "u"}}));
    let batch = json!({"api_key": TOKEN, "batch": [{"event": "e", "distinct_id": "u"}]});
    let others = [
        ask(),
        ofrep,
        Request::post("/batch/").json(&batch),
        Request::get("/flags/definitions"),
        Request::get("/nowhere"),
    ];
    let mut connection = server.connect();
    for request in &others {
        // One after the other on the same connection: nobody has to come back for having come early.
        let answer = connection.exchange(request);
        assert_eq!(answer.status, 503, "{request:?}: {}", answer.text());
        assert_eq!(answer.header("retry-after"), Some("1"), "{request:?}");
    }

    drop(hold);
    if kind == Kind::Postgres {
        database.server().resume().unwrap();
    }
    eventually("readiness", || {
        (probe(&server, "/_readiness") == (200, "ready".to_owned())).then_some(())
    });
    assert_eq!(probe(&server, "/_startup"), (200, "started".to_owned()));
    let answer = connection.exchange(&ask());
    assert_eq!(answer.json()["featureFlags"], json!({"on": true}));
    server.stop();
}

/// Not ready, but serving; then no listener; then the last answer; then the end.
fn a_stop_goes_step_by_step(kind: Kind) {
    let database = database(kind);
    let server = server(&database)
        .args(&["--drain-delay-s=3", "--event-timeout-ms=60000"])
        .start();
    let mut kept = server.connect();
    let before = kept.exchange(&ask());
    assert_eq!((before.status, before.header("connection")), (200, None));
    // A request that cannot end before the database goes on.
    let hold = Hold::on(&database, kind);
    let event = json!({"event": "$set", "distinct_id": "slow", "$set": {"n": 1}});
    let event = Request::post("/batch/").json(&json!({"api_key": TOKEN, "batch": [event]}));
    let mut slow = server.connect();
    slow.write(&event.bytes());
    eventually("the slow request to be under way", || {
        (figure(&server, "burgee_events_pending") == 1).then_some(())
    });

    server.terminate();
    await_readiness(&server, "the server is stopping");
    assert_eq!(server.get("/_readiness").status, 503);
    assert_eq!(probe(&server, "/_liveness"), (200, "alive".to_owned()));
    let answer = kept.exchange(&ask());
    assert_eq!(
        (answer.status, answer.header("connection")),
        (200, Some("close"))
    );
    assert!(
        kept.drain().is_empty(),
        "the connection is closed behind the answer"
    );
    let answer = server.send(&ask());
    assert_eq!(
        (answer.status, answer.header("connection")),
        (200, Some("close"))
    );

    eventually("the listener to close", || {
        TcpStream::connect(server.address()).is_err().then_some(())
    });
    assert!(server.is_running(), "a request is under way");
    drop(hold);
    let answer = slow.read("POST");
    assert_eq!(answer.status, 200, "{}", answer.text());
    server.expect_clean_exit();
    assert!(
        person(&exported(&database), "slow").is_some(),
        "it is stored"
    );
    assert_in_order(
        &server.log(),
        &[
            "listening",
            "the database can be used",
            "ready",
            "not ready any more; serving on until balancers know",
            "stopping; requests under way end first",
            "no request is under way; writing what waits to be written",
            "stopped",
        ],
    );
}

#[track_caller]
fn assert_in_order(log: &str, messages: &[&str]) {
    let lines: Vec<Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let mut lines = lines.iter();
    for message in messages {
        let is_it = |line: &&Value| line["message"] == **message;
        assert!(
            lines.any(|line| is_it(&line)),
            "{message} in its place in\n{log}"
        );
    }
}

fn a_second_signal_does_not_wait(kind: Kind) {
    let database = database(kind);
    let server = server(&database).arg("--drain-delay-s=3600").start();
    server.terminate();
    await_readiness(&server, "the server is stopping");
    server.terminate();
    let status = server.wait();
    assert_eq!(status.code(), Some(1), "{}", server.log());
    let line = "told to stop a second time";
    assert_eq!(server.log().matches(line).count(), 1, "{}", server.log());
    assert!(!server.log().contains("\"stopped\""));
}

fn a_stop_may_come_before_the_start_is_over(kind: Kind) {
    let database = database(kind);
    burgee(&["migrate", "--database-url", database.url()]).expect_code(0);
    let hold = Hold::on(&database, kind);
    // Nobody was sent here yet, so nobody has to be sent away.
    let server = server(&database).arg("--drain-delay-s=3600").spawn();
    assert_eq!(server.get("/_readiness").status, 503);
    server.terminate();
    server.expect_clean_exit();
    drop(hold);
}

/// Events that wait, and counts that nobody has added up yet.
fn what_waits_is_written_at_a_stop(kind: Kind) {
    let database = database(kind);
    let server = server(&database).arg("--event-durability=batched").start();
    let hold = Hold::on(&database, kind);
    for n in 0..20 {
        let call = json!({"event": "$feature_flag_called", "distinct_id": "u",
            "properties": {"$feature_flag": "on", "$feature_flag_response": true}});
        let set = json!({"event": "$set", "distinct_id": format!("p{n}"), "$set": {"n": n}});
        let answer = post(&server, json!([call, set]));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert!(figure(&server, "burgee_events_pending") > 0);
    server.terminate();
    eventually("all requests to be over", || {
        server.log().contains("writing what waits").then_some(())
    });
    assert!(server.is_running(), "there is something to be written");
    drop(hold);
    server.expect_clean_exit();
    let project = exported(&database);
    let missing: Vec<u32> = (0..20)
        .filter(|n| person(&project, &format!("p{n}")).is_none())
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(calls(&database), 20);
}

/// Returns how often flags were called, as the database knows it.
fn calls(database: &Database) -> i64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = Store::open(database.url(), PoolConfig::default());
        let store = store.await.unwrap();
        let calls = store.flag_calls(1).await.unwrap();
        calls.iter().map(|entry| entry.calls).sum()
    })
}

/// A change is on disk although the server is stopped before it would have been written.
fn the_snapshot_is_written_at_a_stop(kind: Kind) {
    let database = database(kind);
    let disk = tempfile::tempdir().unwrap();
    let server = server(&database)
        .env("BURGEE_SNAPSHOT_DIR", disk.path().to_str().unwrap())
        .env("BURGEE_POLL_INTERVAL_S", "1")
        .start();
    let file = ProjectBuilder::new().flag(FlagBuilder::new("late")).file();
    let path = server.directory().join("late.json");
    std::fs::write(&path, file.to_string()).unwrap();
    let path = path.to_str().unwrap();
    burgee(&["apply", "-f", path, "--database-url", database.url()]).expect_code(0);
    eventually("the change", || {
        let answer = server.send(&ask()).json();
        (answer["featureFlags"]["late"] == true).then_some(())
    });
    server.stop();
    let text = std::fs::read_to_string(disk.path().join("project-1.jsonl")).unwrap();
    assert!(text.contains("\"late\""), "{text}");
    assert!(disk.path().join("synchronised.json").exists());
}
