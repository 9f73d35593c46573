//! What an answer to events promises: it is stored, whatever happens to the process afterwards; and what is answered while it
//! cannot be.

use crate::events::{TOKEN, exported, figure, person, post};
use burgee_integration_tests::deadline::eventually;
use burgee_integration_tests::http::Request;
use burgee_integration_tests::{
    Database, FlagBuilder, Kind, ProjectBuilder, ServerBuilder, TestServer, filter,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

on_both_databases!(what_was_answered_survives_kill_9);

const CLIENTS: usize = 4;
const EVENTS: usize = 25;
/// Requests answered before the process is killed.
const ANSWERED: usize = 40;

fn project() -> Value {
    let gold = filter::person("tier", "exact", "gold");
    ProjectBuilder::new()
        .flag(FlagBuilder::new("gold").when(gold))
        .file()
}

/// A batch in which every event is about a person of its own.
fn batch(client: usize, round: usize) -> Request {
    let event = |n: usize| json!({"event": "$set", "distinct_id": format!("c{client}-r{round}-{n}"), "$set": {"n": n}});
    let events: Vec<Value> = (0..EVENTS).map(event).collect();
    Request::post("/batch/").json(&json!({"api_key": TOKEN, "batch": events}))
}

/// Sends a request; whether it was answered with 200 and all of the answer arrived.
fn is_taken(stream: &mut TcpStream, request: &Request) -> bool {
    let mut answer = Vec::new();
    let mut buffer = [0; 1024];
    if stream.write_all(&request.bytes()).is_err() {
        return false;
    }
    while !answer.ends_with(br#"{"status":"Ok"}"#) {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return false,
            Ok(read) => answer.extend_from_slice(&buffer[..read]),
        }
    }
    answer.starts_with(b"HTTP/1.1 200 ")
}

/// Clients send batch after batch until the process is killed under them; every batch that was answered must be there.
fn what_was_answered_survives_kill_9(kind: Kind) {
    let database = Arc::new(Database::new(kind));
    let server = TestServer::with(&database).project(&project()).start();
    let address = server.address().to_owned();
    let answered = AtomicUsize::new(0);
    let taken: Vec<Vec<usize>> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (address, answered) = (&address, &answered);
                scope.spawn(move || {
                    let mut stream = TcpStream::connect(address).unwrap();
                    let mut taken = Vec::new();
                    for round in 0.. {
                        if !is_taken(&mut stream, &batch(client, round)) {
                            break;
                        }
                        taken.push(round);
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                    taken
                })
            })
            .collect();
        eventually("enough answers", || {
            (answered.load(Ordering::SeqCst) >= ANSWERED).then_some(())
        });
        // Dropping it is SIGKILL, while all clients wait for answers.
        drop(server);
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .collect()
    });

    let project = exported(&database);
    let stored: BTreeSet<&str> = project["persons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|person| person["distinct_ids"][0].as_str().unwrap())
        .collect();
    let mut expected = 0;
    let mut lost = Vec::new();
    for (client, rounds) in taken.iter().enumerate() {
        for round in rounds {
            for n in 0..EVENTS {
                expected += 1;
                let id = format!("c{client}-r{round}-{n}");
                if !stored.contains(id.as_str()) {
                    lost.push(id);
                }
            }
        }
    }
    assert!(expected >= ANSWERED * EVENTS);
    assert!(
        lost.is_empty(),
        "{} of {expected} are lost: {lost:?}",
        lost.len()
    );
}

/// A server on a Postgres of its own that may be stopped.
fn scene(adjust: impl FnOnce(ServerBuilder) -> ServerBuilder) -> (TestServer, Arc<Database>) {
    let database = Arc::new(Database::private());
    let server = TestServer::with(&database)
        .project(&project())
        .env("BURGEE_POOL_ACQUIRE_TIMEOUT_MS", "500");
    (adjust(server).start(), database)
}

fn set(distinct_id: &str, properties: Value) -> Value {
    json!({"event": "$set", "distinct_id": distinct_id, "$set": properties, "uuid": format!("of {distinct_id}")})
}

fn version_1(events: &Value) -> Request {
    Request::post("/i/v1/analytics/events")
        .header("Authorization", &format!("Bearer {TOKEN}"))
        .json(&json!({"batch": events}))
}

#[test]
fn without_a_database_events_are_to_be_sent_again() {
    let (server, database) = scene(|server| server);
    assert_eq!(post(&server, json!([set("before", json!({}))])).status, 200);
    database.server().stop().unwrap();
    let event = set("during", json!({"tier": "gold"}));
    let answer = post(&server, json!([event]));
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (503, "transient error, please retry")
    );
    assert_eq!(answer.header("retry-after"), Some("1"));
    // What changes nothing needs no database.
    assert_eq!(
        post(&server, json!([{"event": "e", "distinct_id": "u"}])).status,
        200
    );
    let event = json!({"event": "$set", "uuid": "of during", "distinct_id": "during", "properties": {"$set": {"tier": "gold"}}});
    let answer = server.send(&version_1(&json!([event])));
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(answer.json()["error"], "service_unavailable");
    assert_eq!(answer.header("retry-after"), Some("1"));
    // With one that changes nothing beside it, each is told its own.
    let other = json!({"event": "e", "uuid": "other", "distinct_id": "u"});
    let answer = server.send(&version_1(&json!([event, other])));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let expected =
        json!({"results": {"of during": {"result": "retry"}, "other": {"result": "ok"}}});
    assert_eq!(answer.json(), expected);
    assert_eq!(answer.header("retry-after"), Some("1"));

    database.server().resume().unwrap();
    eventually("events to be stored", || {
        let answer = post(&server, json!([set("during", json!({"tier": "gold"}))]));
        (answer.status == 200).then_some(())
    });
    let body = json!({"token": TOKEN, "distinct_id": "during"});
    assert_eq!(server.flags(1, &body)["featureFlags"]["gold"], true);
    assert_eq!(figure(&server, "burgee_events_pending"), 0);
    let failed = figure(&server, "burgee_events_dropped_total{reason=\"failed\"}");
    assert!(failed >= 3, "{failed}");
}

#[test]
fn with_write_behind_events_wait_for_the_database() {
    let (server, database) = scene(|server| {
        server
            .arg("--event-durability=batched")
            .arg("--event-queue-bytes=1048576")
    });
    database.server().stop().unwrap();
    assert_eq!(
        post(&server, json!([set("waits", json!({"tier": "gold"}))])).status,
        200
    );
    assert_eq!(figure(&server, "burgee_events_pending"), 1);
    // As much as there is room for, and no more.
    let large = json!({"text": "x".repeat(100_000)});
    let refused = (0..20)
        .map(|n| post(&server, json!([set(&format!("large-{n}"), large.clone())])))
        .find(|answer| answer.status != 200)
        .expect("the room has an end");
    assert_eq!(
        (refused.status, refused.text().as_str()),
        (503, "transient error, please retry")
    );
    let waiting = figure(&server, "burgee_events_pending");
    assert!((5..=11).contains(&waiting), "{waiting}");
    database.server().resume().unwrap();
    eventually("everything to be stored", || {
        (figure(&server, "burgee_events_pending") == 0).then_some(())
    });
    assert_eq!(figure(&server, "burgee_events_written_total"), waiting);
    let project = exported(&database);
    assert_eq!(
        person(&project, "waits").unwrap()["properties"],
        json!({"tier": "gold"})
    );
}
