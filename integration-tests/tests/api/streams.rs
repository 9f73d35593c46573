//! Streams of changes (http-api 8.4): what is told when, how many may listen, and how they end.

use burgee_integration_tests::deadline::eventually;
use burgee_integration_tests::http::{Connection, Request, Response};
use burgee_integration_tests::{
    Database, FlagBuilder, Kind, ProjectBuilder, ServerBuilder, TestServer, burgee,
};
use serde_json::{Value, json};
use std::sync::Arc;

on_both_databases!(
    a_change_is_told_to_those_who_listen,
    streams_end_when_the_server_stops,
    a_change_of_definitions_is_told_by_their_tag,
    a_stream_ends_with_its_key,
);

const EVENTS: &str = "/ofrep/v1/events?token=phc_local_dev";

fn project(rollout: u8) -> Value {
    let flag = FlagBuilder::new("beta").id(1).rollout(rollout);
    ProjectBuilder::new()
        .with("secret_tokens", json!(["phs_one"]))
        .with(
            "personal_keys",
            json!([
                {"label": "reader", "key": "phx_reader", "scopes": ["feature_flag:read"]},
                {"label": "narrow", "key": "phx_narrow", "scopes": ["cohort:write"]},
            ]),
        )
        .flag(flag)
        .file()
}

/// Postgres tells of a change; SQLite is polled.
fn server(database: &Arc<Database>) -> ServerBuilder {
    TestServer::with(database)
        .env("BURGEE_POLL_INTERVAL_S", "1")
        .project(&project(0))
}

fn apply(database: &Database, file: &Value) {
    apply_with(database, file, &[]);
}

fn apply_with(database: &Database, file: &Value, options: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file.json");
    std::fs::write(&path, file.to_string()).unwrap();
    let path = path.to_str().unwrap();
    let apply = ["apply", "-f", path, "--database-url", database.url()];
    burgee(&[&apply, options].concat()).expect_code(0);
}

/// Somebody who listens.
struct Listener {
    connection: Connection,
    text: String,
}

impl Listener {
    /// Opens a stream, which has to be granted, and reads how it begins.
    #[track_caller]
    fn open(server: &TestServer, request: &Request) -> Self {
        let (connection, answer) = Self::ask(server, request);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("text/event-stream"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("x-accel-buffering"), Some("no"));
        assert!(answer.header("access-control-allow-origin").is_some());
        let mut listener = Self {
            connection,
            text: String::new(),
        };
        let retry = listener.frame().unwrap();
        let pause: u32 = retry.strip_prefix("retry: ").unwrap().parse().unwrap();
        assert!((1_000..5_000).contains(&pause), "{pause}");
        listener
    }

    fn ask(server: &TestServer, request: &Request) -> (Connection, Response) {
        let mut connection = server.connect();
        connection.write(&request.bytes());
        let head = connection.read_head("GET");
        (connection, head)
    }

    /// Reads the next frame; `None` when the stream has ended.
    #[track_caller]
    fn frame(&mut self) -> Option<String> {
        loop {
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let frame = frame.to_owned();
                self.text = rest.to_owned();
                return Some(frame);
            }
            let chunk = self.connection.read_chunk()?;
            self.text.push_str(&String::from_utf8(chunk).unwrap());
        }
    }

    /// Reads the next event: its id and its data.
    #[track_caller]
    fn event(&mut self) -> (String, Value) {
        loop {
            let frame = self.frame().expect("the stream goes on");
            if frame == ":" {
                continue;
            }
            let (id, data) = frame.split_once('\n').unwrap();
            let id = id.strip_prefix("id: ").unwrap().to_owned();
            let data = data.strip_prefix("data: ").unwrap();
            return (id, serde_json::from_str(data).unwrap());
        }
    }
}

fn get(target: &str) -> Request {
    Request::get(target)
}

/// Asks for all flags; returns the whole answer.
fn bulk(server: &TestServer, query: &str) -> Value {
    let request = Request::post(&format!("/ofrep/v1/evaluate/flags{query}"));
    let request = request.header("X-API-Key", "phc_local_dev");
    let answer = server.send(&request.json(&json!({"context": {"targetingKey": "u"}})));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Where the answer says that changes are told.
fn told_of(answer: &Value) -> String {
    let stream = &answer["eventStreams"][0];
    assert_eq!(stream["type"], "sse");
    assert_eq!(stream["inactivityDelaySec"], 120);
    stream["endpoint"]["requestUri"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn a_change_is_told_to_those_who_listen(kind: Kind) {
    let database = Arc::new(Database::new(kind));
    let server = server(&database).start();
    let address = told_of(&bulk(&server, ""));
    let mut by_address = Listener::open(&server, &get(&address));
    let mut plain = Listener::open(&server, &get("/ofrep/v1/events/?token=phc_local_dev"));
    let by_key = get("/ofrep/v1/events").header("Authorization", "Bearer phs_one");
    let mut by_key = Listener::open(&server, &by_key);
    let mut last = String::new();
    for rollout in [100, 50] {
        apply(&database, &project(rollout));
        let events: Vec<_> = [&mut by_address, &mut plain, &mut by_key]
            .into_iter()
            .map(Listener::event)
            .collect();
        let (id, data) = &events[0];
        assert!(events.iter().all(|event| event == &events[0]), "{events:?}");
        assert_eq!(data["type"], "refetchEvaluation");
        let etag = data["etag"].as_str().unwrap();
        assert!(etag.starts_with(&**id), "{etag}");
        // What is fetched now is what was told of, at once.
        let answer = bulk(&server, &format!("?flagConfigEtag={etag}"));
        assert_eq!(answer["metadata"]["version"], id.as_str());
        last.clone_from(id);
    }
    // Nothing has changed: nothing is told. The next event is that of the next change.
    apply(&database, &project(50));
    apply(&database, &project(0));
    let (id, _) = plain.event();
    assert_ne!(id, last);
    assert_eq!(
        id,
        bulk(&server, "")["metadata"]["version"].as_str().unwrap()
    );
    server.stop();
}

const DEFINITIONS: &str = "/flags/definitions";

fn keyed(path: &str, key: &str) -> Request {
    get(path).header("Authorization", &format!("Bearer {key}"))
}

/// The tag of the definitions as they are now.
fn tag(server: &TestServer) -> String {
    let answer = server.send(&keyed(DEFINITIONS, "phs_one"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("etag").unwrap().to_owned()
}

fn a_change_of_definitions_is_told_by_their_tag(kind: Kind) {
    let database = Arc::new(Database::new(kind));
    let server = server(&database).start();
    let path = format!("{DEFINITIONS}/stream");
    let mut by_secret = Listener::open(&server, &keyed(&path, "phs_one"));
    let mut by_person = Listener::open(&server, &keyed(&format!("{path}/"), "phx_reader"));
    let (first, told) = by_secret.event();
    assert_eq!(told, json!({"etag": tag(&server)}), "at once");
    assert_eq!(by_person.event(), (first.clone(), told));
    for rollout in [100, 50] {
        apply(&database, &project(rollout));
        let (id, told) = by_secret.event();
        assert_eq!(by_person.event(), (id.clone(), told.clone()));
        let tag = tag(&server);
        assert_eq!(told, json!({"etag": tag}));
        let poll = keyed(DEFINITIONS, "phs_one").header("If-None-Match", &tag);
        assert_eq!(server.send(&poll).status, 304);
        // Whoever knows it is not told again, and whoever does not is told at once.
        let back = keyed(&path, "phs_one").header("Last-Event-ID", &first);
        assert_eq!(Listener::open(&server, &back).event().0, id);
    }
    let (newest, _) = Listener::open(&server, &keyed(&path, "phs_one")).event();
    let knows = keyed(&path, "phs_one").header("Last-Event-ID", &newest);
    let mut knows = Listener::open(&server, &knows);
    apply(&database, &project(0));
    assert_ne!(knows.event().0, newest);
    for (request, status) in [
        (get(&path), 401),
        (keyed(&path, "phc_local_dev"), 401),
        (keyed(&path, "phs_nobody"), 401),
        (keyed(&format!("{path}?token=phc_nobody"), "phs_one"), 401),
        (keyed(&path, "phx_narrow"), 403),
        (
            keyed(&format!("{path}?token=phc_local_dev"), "phs_one"),
            200,
        ),
    ] {
        let (_, answer) = Listener::ask(&server, &request);
        assert_eq!(answer.status, status, "{request:?}");
    }
}

fn a_stream_ends_with_its_key(kind: Kind) {
    let database = Arc::new(Database::new(kind));
    let server = server(&database).arg("--stream-heartbeat-ms=20").start();
    let path = format!("{DEFINITIONS}/stream");
    let mut by_secret = Listener::open(&server, &keyed(&path, "phs_one"));
    let mut by_person = Listener::open(&server, &keyed(&path, "phx_reader"));
    by_secret.event();
    by_person.event();
    let mut revoked = project(0);
    revoked["projects"][0]["secret_tokens"] = json!(["phs_two"]);
    apply_with(&database, &revoked, &["--prune"]);
    // The other one goes on: its key is as good as before.
    while by_secret.frame().is_some() {}
    apply_with(&database, &project(100), &[]);
    by_person.event();
    let (_, answer) = Listener::ask(&server, &keyed(&path, "phs_gone"));
    assert_eq!(answer.status, 401);
}

#[test]
fn whoever_missed_something_is_told_at_once() {
    let database = Arc::new(Database::new(Kind::Sqlite));
    let server = server(&database).start();
    let old = told_of(&bulk(&server, ""));
    let version = |answer: &Value| answer["metadata"]["version"].as_str().unwrap().to_owned();
    let old_version = version(&bulk(&server, ""));
    apply(&database, &project(100));
    let new_version = eventually("the change", || {
        let now = version(&bulk(&server, ""));
        (now != old_version).then_some(now)
    });
    // Fetched before the change, listening after it.
    let (id, _) = Listener::open(&server, &get(&old)).event();
    assert_eq!(id, new_version);
    // A stream that broke.
    let back = get(EVENTS).header("Last-Event-ID", &old_version);
    assert_eq!(Listener::open(&server, &back).event().0, new_version);
    // One that broke after it was told of the change: the address it came from does not matter any more.
    let mut knows = Listener::open(&server, &get(&old).header("Last-Event-ID", &new_version));
    apply(&database, &project(50));
    assert_ne!(knows.event().0, new_version);
}

#[test]
fn those_who_listen_hear_that_nothing_happened() {
    let database = Arc::new(Database::new(Kind::Sqlite));
    let server = server(&database).arg("--stream-heartbeat-ms=20").start();
    let mut listener = Listener::open(&server, &get(EVENTS));
    for _ in 0..5 {
        assert_eq!(listener.frame().as_deref(), Some(":"));
    }
}

#[test]
fn no_more_listen_than_may() {
    let other = json!({"id": 2, "name": "Other", "token": "phc_other"});
    let third = json!({"id": 3, "name": "Third", "token": "phc_third"});
    let mut file = project(0);
    file["projects"]
        .as_array_mut()
        .unwrap()
        .extend([other, third]);
    let server = TestServer::on(Kind::Sqlite)
        .project(&file)
        .args(&["--max-streams=2", "--max-streams-per-project=1"])
        .start();
    let of = |token: &str| get(&format!("/ofrep/v1/events?token={token}"));
    let first = Listener::open(&server, &of("phc_local_dev"));
    let refused = |token: &str| {
        let answer = server.send(&of(token));
        assert_eq!(answer.status, 503, "{token}");
        assert_eq!(answer.json(), json!({"errorDetails": "busy"}), "{token}");
        assert_eq!(answer.header("retry-after"), Some("30"), "{token}");
    };
    refused("phc_local_dev");
    let second = Listener::open(&server, &of("phc_other"));
    refused("phc_third");
    let counted = |series: &str| {
        let metrics = server.get("/metrics").text();
        let line = metrics.lines().find_map(|line| line.strip_prefix(series));
        line.unwrap_or_else(|| panic!("no {series}"))
            .trim()
            .to_owned()
    };
    assert_eq!(counted("burgee_streams_open "), "2");
    assert_eq!(
        counted("burgee_streams_refused_total{limit=\"project\"} "),
        "1"
    );
    assert_eq!(
        counted("burgee_streams_refused_total{limit=\"total\"} "),
        "1"
    );
    assert_eq!(counted("burgee_streams_cut_off_total "), "0");
    // Whoever hangs up makes room.
    drop(first);
    eventually("a place", || {
        (counted("burgee_streams_open ") == "1").then_some(())
    });
    drop(second);
    let _third = Listener::open(&server, &of("phc_third"));
    let _again = eventually("another place", || {
        let (connection, head) = Listener::ask(&server, &of("phc_local_dev"));
        (head.status == 200).then_some(connection)
    });
}

#[test]
fn without_streams_nobody_is_sent_to_one() {
    let database = Arc::new(Database::new(Kind::Sqlite));
    let server = server(&database).arg("--max-streams=0").start();
    assert_eq!(bulk(&server, "").get("eventStreams"), None);
    assert_eq!(server.send(&get(EVENTS)).status, 503);
}

#[test]
fn a_known_address_is_told_in_whole() {
    let database = Arc::new(Database::new(Kind::Sqlite));
    let server = server(&database)
        .arg("--base-path=/ph")
        .arg("--public-url=https://flags.example.com/edge/")
        .start();
    let answer = bulk(&server, "");
    let url = answer["eventStreams"][0]["url"].as_str().unwrap();
    let version = answer["metadata"]["version"].as_str().unwrap();
    let expected = format!("https://flags.example.com/edge{EVENTS}&since={version}");
    assert_eq!(url, expected);
    assert_eq!(answer["eventStreams"][0].get("endpoint"), None);
    drop(server);
    let database = Arc::new(Database::new(Kind::Sqlite));
    let server = TestServer::with(&database)
        .project(&project(0))
        .arg("--base-path=/ph")
        .start();
    assert!(told_of(&bulk(&server, "")).starts_with(&format!("/ph{EVENTS}&since=")));
}

#[test]
fn strangers_hear_nothing() {
    let database = Arc::new(Database::new(Kind::Sqlite));
    let server = server(&database).start();
    let path = "/ofrep/v1/events";
    for request in [
        get(path),
        get("/ofrep/v1/events?token="),
        get("/ofrep/v1/events?token=phc_nobody"),
        // An address is seen by many: only what is public anyway may stand in it.
        get("/ofrep/v1/events?token=phs_one"),
        get(path).header("Authorization", "Bearer phs_nobody"),
        get(path).header("X-API-Key", "phc_nobody"),
    ] {
        let answer = server.send(&request);
        assert_eq!(answer.status, 401, "{request:?}");
        assert_eq!(
            answer.json(),
            json!({"errorDetails": "unauthorized"}),
            "{request:?}"
        );
    }
    let answer = server.send(&Request::new("HEAD", EVENTS));
    assert_eq!(
        (answer.status, answer.header("allow")),
        (405, Some("GET, OPTIONS"))
    );
}

/// Running requests have an hour to end, and streams would take longer.
fn streams_end_when_the_server_stops(kind: Kind) {
    let database = Arc::new(Database::new(kind));
    let server = server(&database).arg("--shutdown-timeout-s=3600").start();
    let mut listeners = [
        Listener::open(&server, &get(EVENTS)),
        Listener::open(&server, &get(EVENTS)),
    ];
    server.terminate();
    for listener in &mut listeners {
        assert_eq!(listener.frame(), None, "the stream ends as it should");
    }
    server.expect_clean_exit();
}
