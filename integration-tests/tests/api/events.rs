//! Events over HTTP (http-api, chapter 7): what is taken and what is refused, and what a flag request sees afterwards.

use burgee_integration_tests::deadline::eventually;
use burgee_integration_tests::http::{Request, Response};
use burgee_integration_tests::{
    Database, FlagBuilder, Kind, ProjectBuilder, ServerBuilder, TestServer, burgee, filter,
};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::{Value, json};
use std::io::Write as _;
use std::sync::Arc;

on_both_databases!(
    a_change_is_seen_by_the_next_request,
    joined_ids_are_one_person,
    groups_and_their_types_appear,
    memberships_move_with_a_person,
    another_instance_sees_a_change,
    version_1_answers_each_event,
    repeated_events_count_once,
    counters_keep_their_identity,
    calls_of_flags_are_counted,
    events_switched_off_change_nothing,
    what_waits_is_written_at_the_end,
);

pub(crate) const TOKEN: &str = "phc_local_dev";

/// Flags on what events change: `gold` on a property, `acme` on a group's, `member` on a static cohort.
fn project() -> Value {
    ProjectBuilder::new()
        .flag(
            FlagBuilder::new("gold")
                .id(1)
                .when(filter::person("tier", "exact", "gold")),
        )
        .flag(
            FlagBuilder::new("enterprise")
                .id(2)
                .filters("aggregation_group_type_index", json!(0))
                .when(filter::group("plan", "exact", "enterprise")),
        )
        .cohort(json!({"id": 7, "name": "Seven", "is_static": true}))
        .flag(FlagBuilder::new("member").id(3).when(filter::cohort(7)))
        .flag(
            FlagBuilder::new("multi")
                .id(4)
                .variants(&[("control", 50), ("test", 50)]),
        )
        .push(
            "persons",
            json!({"distinct_ids": ["in-seven"], "properties": {}, "static_cohorts": [7]}),
        )
        .file()
}

pub(crate) fn server(kind: Kind) -> TestServer {
    started_with(TestServer::on(kind))
}

/// Lenient: the flag about groups comes before any group type is known.
pub(crate) fn started_with(server: ServerBuilder) -> TestServer {
    server.project(&project()).arg("--lenient").start()
}

pub(crate) fn is_on(server: &TestServer, flag: &str, distinct_id: &str) -> bool {
    let body = json!({"token": TOKEN, "distinct_id": distinct_id, "groups": {"company": "acme"}});
    server.flags(1, &body)["featureFlags"][flag]
        .as_bool()
        .unwrap_or_default()
}

/// Posts a batch of version 0.
pub(crate) fn post(server: &TestServer, events: Value) -> Response {
    server.post("/batch/", &json!({"api_key": TOKEN, "batch": events}))
}

#[track_caller]
fn take(server: &TestServer, events: Value) {
    let answer = post(server, events);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json(), json!({"status": "Ok"}));
}

fn set(distinct_id: &str, properties: Value) -> Value {
    json!({"event": "$set", "distinct_id": distinct_id, "$set": properties})
}

/// Returns the first project as it is stored.
pub(crate) fn exported(database: &Database) -> Value {
    let options = [
        "export",
        "--format",
        "json",
        "--database-url",
        database.url(),
    ];
    let file: Value = serde_json::from_str(&burgee(&options).expect_code(0).stdout).unwrap();
    file["projects"][0].clone()
}

/// Returns the stored person that has an id.
pub(crate) fn person(project: &Value, distinct_id: &str) -> Option<Value> {
    let persons = project["persons"].as_array()?;
    let has = |person: &&Value| {
        let ids = person["distinct_ids"].as_array().unwrap();
        ids.contains(&json!(distinct_id))
    };
    persons.iter().find(has).cloned()
}

/// Returns a figure of `/metrics`, 0 when it is not there yet.
pub(crate) fn figure(server: &TestServer, name: &str) -> u64 {
    let text = server.get("/metrics").text();
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name} ")));
    value.map_or(0, |value| value.parse().unwrap())
}

fn a_change_is_seen_by_the_next_request(kind: Kind) {
    let server = server(kind);
    for (round, path) in [
        "/batch",
        "/batch/",
        "/e",
        "/e/",
        "/i/v0/e/",
        "/capture/",
        "/track",
        "/engage/",
        "//batch/",
    ]
    .iter()
    .enumerate()
    {
        let id = format!("user-{round}");
        assert!(!is_on(&server, "gold", &id), "{path}");
        let body = json!({"api_key": TOKEN, "batch": [set(&id, json!({"tier": "gold"}))]});
        let answer = server.post(path, &body);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert!(is_on(&server, "gold", &id), "{path}");
    }
    // Each value in its turn, and none of them by an event about something else.
    for (event, expected) in [
        (
            json!({"event": "$set", "distinct_id": "u", "properties": {"$set": {"tier": "gold"}}}),
            true,
        ),
        (
            json!({"event": "bought", "distinct_id": "u", "properties": {"tier": "none"}}),
            true,
        ),
        (
            json!({"event": "$set", "distinct_id": "u", "properties": {"$set_once": {"tier": "none"}}}),
            true,
        ),
        (
            json!({"event": "bought", "distinct_id": "u", "properties": {"$set": {"tier": "x"}, "$process_person_profile": false}}),
            true,
        ),
        (
            json!({"event": "$exception", "distinct_id": "u", "properties": {"$set": {"tier": "x"}}}),
            true,
        ),
        (
            json!({"event": "bought", "distinct_id": "u", "$unset": ["tier"]}),
            false,
        ),
        (
            json!({"event": "bought", "distinct_id": "u", "$set": {"tier": "x"}, "properties": {"$set": {"tier": "gold"}}}),
            true,
        ),
    ] {
        take(&server, json!([event.clone()]));
        assert_eq!(is_on(&server, "gold", "u"), expected, "{event}");
    }
}

fn joined_ids_are_one_person(kind: Kind) {
    let server = server(kind);
    take(
        &server,
        json!([
            set("anon", json!({"tier": "gold"})),
            set("ada", json!({"n": 1}))
        ]),
    );
    assert!(!is_on(&server, "gold", "ada"));
    let identify = json!({"event": "$identify", "distinct_id": "ada", "properties": {"$anon_distinct_id": "anon"}});
    take(&server, json!([identify]));
    assert!(is_on(&server, "gold", "ada"));
    assert!(is_on(&server, "gold", "anon"));
    // Python and Rust name the old id first.
    take(
        &server,
        json!([{"event": "$create_alias", "distinct_id": "old", "properties": {"alias": "new", "distinct_id": "old"}}]),
    );
    let project = exported(server.database());
    assert_eq!(
        person(&project, "ada").unwrap(),
        json!({"distinct_ids": ["ada", "anon"], "properties": {"n": 1, "tier": "gold"}, "created_at": person(&project, "ada").unwrap()["created_at"]})
    );
    assert_eq!(
        person(&project, "old").unwrap()["distinct_ids"],
        json!(["old", "new"])
    );
    // Identified persons stay apart, unless it is asked for expressly.
    let merge = |event: &str| json!([{"event": event, "distinct_id": "old", "properties": {"alias": "ada"}}]);
    take(&server, merge("$create_alias"));
    assert!(!is_on(&server, "gold", "old"));
    take(&server, merge("$merge_dangerously"));
    assert!(is_on(&server, "gold", "old"));
    let project = exported(server.database());
    let merged = person(&project, "anon").unwrap();
    assert_eq!(merged["distinct_ids"], json!(["old", "new", "ada", "anon"]));
}

fn groups_and_their_types_appear(kind: Kind) {
    let server = server(kind);
    assert!(!is_on(&server, "enterprise", "u"));
    let identify = |key: Value, set: Value| {
        json!([{"event": "$groupidentify", "distinct_id": "$company_acme",
            "properties": {"$group_type": "company", "$group_key": key, "$group_set": set}}])
    };
    take(
        &server,
        identify(json!("acme"), json!({"plan": "enterprise"})),
    );
    // The type is new, and known here at once.
    assert!(is_on(&server, "enterprise", "u"));
    take(&server, identify(json!(17), json!({"plan": "free"})));
    take(&server, identify(json!("acme"), json!({"seats": 5.0})));
    let project = exported(server.database());
    assert_eq!(project["group_types"], json!(["company"]));
    assert_eq!(
        project["groups"],
        json!([
            {"type": "company", "key": "17", "properties": {"plan": "free"}},
            {"type": "company", "key": "acme", "properties": {"plan": "enterprise", "seats": 5.0}},
        ])
    );
    assert_eq!(person(&project, "$company_acme"), None);
}

fn memberships_move_with_a_person(kind: Kind) {
    let server = server(kind);
    eventually("the cohort in memory", || {
        assert!(!is_on(&server, "member", "ada"));
        (figure(&server, "burgee_cohort_cache_entries") == 1).then_some(())
    });
    take(&server, json!([set("ada", json!({}))]));
    take(
        &server,
        json!([{"event": "$identify", "distinct_id": "ada", "properties": {"$anon_distinct_id": "in-seven"}}]),
    );
    assert!(is_on(&server, "member", "ada"));
    assert!(is_on(&server, "member", "in-seven"));
}

fn another_instance_sees_a_change(kind: Kind) {
    let database = Arc::new(Database::new(kind));
    let one = started_with(TestServer::with(&database));
    let other = TestServer::with(&database)
        .env("BURGEE_POLL_INTERVAL_S", "1")
        .start();
    take(
        &one,
        json!([
            set("ada", json!({"tier": "gold"})),
            {"event": "$groupidentify", "distinct_id": "x", "properties": {"$group_type": "company", "$group_key": "acme", "$group_set": {"plan": "enterprise"}}},
        ]),
    );
    assert!(
        is_on(&other, "gold", "ada"),
        "persons are read at each request"
    );
    eventually("the new group type", || {
        is_on(&other, "enterprise", "ada").then_some(())
    });
    // The same event, sent to another instance after a lost answer.
    let mut event = set("ada", json!({"tier": "none"}));
    event["uuid"] = json!("01a20084-f5f6-7f8d-b88c-968540f758d6");
    take(&other, json!([event.clone()]));
    take(&one, json!([set("ada", json!({"tier": "gold"}))]));
    take(&one, json!([event]));
    assert!(is_on(&other, "gold", "ada"));
}

/// Compresses as a client of version 1 may.
pub(crate) fn packed(encoding: &str, text: &str) -> Vec<u8> {
    match encoding {
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(text.as_bytes()).unwrap();
            encoder.finish().unwrap()
        }
        "deflate" => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(text.as_bytes()).unwrap();
            encoder.finish().unwrap()
        }
        "zstd" => zstd::encode_all(text.as_bytes(), 3).unwrap(),
        "br" => uncompressed_brotli(text.as_bytes()),
        _ => text.as_bytes().to_vec(),
    }
}

/// Brotli that stores instead of compressing (RFC 7932, 9.2): a window of 16 bits, meta-blocks that are uncompressed, and an
/// empty last one.
fn uncompressed_brotli(data: &[u8]) -> Vec<u8> {
    let mut bits: Vec<bool> = vec![false];
    let push = |value: usize, count: usize, bits: &mut Vec<bool>| {
        bits.extend((0..count).map(|bit| value >> bit & 1 == 1));
    };
    for block in data.chunks(1 << 16) {
        push(0, 1, &mut bits); // not the last
        push(0, 2, &mut bits); // a length of four nibbles
        push(block.len() - 1, 16, &mut bits);
        push(1, 1, &mut bits); // uncompressed
        while !bits.len().is_multiple_of(8) {
            bits.push(false);
        }
        for byte in block {
            push(usize::from(*byte), 8, &mut bits);
        }
    }
    push(3, 2, &mut bits); // the last one, and empty
    let byte = |bits: &[bool]| {
        bits.iter()
            .rev()
            .fold(0, |byte, bit| byte << 1 | u8::from(*bit))
    };
    bits.chunks(8).map(byte).collect()
}

fn version_1(encoding: &str, body: &Value) -> Request {
    let request = Request::post("/i/v1/analytics/events")
        .header("Authorization", &format!("Bearer {TOKEN}"))
        .header("Content-Type", "application/json")
        .header("PostHog-Request-Id", "c5224d3f-fcbc-46aa-84c5-529e7b6d5e81");
    let request = match encoding {
        "" => request,
        encoding => request.header("Content-Encoding", encoding),
    };
    request.body(packed(encoding, &body.to_string()))
}

fn version_1_answers_each_event(kind: Kind) {
    let server = server(kind);
    for encoding in ["", "identity", "gzip", "deflate", "br", "zstd"] {
        let id = format!("user-{encoding}");
        let body = json!({"created_at": "2026-11-21T23:50:42Z", "batch": [
            {"event": "$set", "uuid": format!("1-{encoding}"), "distinct_id": id, "options": {}, "properties": {"$set": {"tier": "gold"}}},
            {"event": "e", "uuid": format!("2-{encoding}"), "distinct_id": id, "properties": {}},
            {"event": "e", "uuid": format!("3-{encoding}"), "properties": {}},
            {"uuid": format!("4-{encoding}"), "distinct_id": id},
            {"event": "$set", "uuid": format!("5-{encoding}"), "distinct_id": id, "options": {"process_person_profile": false}, "properties": {"$set": {"tier": "x"}}},
            {"event": "$set", "uuid": format!("6-{encoding}"), "distinct_id": "a\u{0}", "properties": {"$set": {"tier": "x"}}},
        ]});
        let answer = server.send(&version_1(encoding, &body));
        assert_eq!(answer.status, 200, "{encoding}: {}", answer.text());
        assert_eq!(
            answer.header("posthog-request-id"),
            Some("c5224d3f-fcbc-46aa-84c5-529e7b6d5e81")
        );
        let (ok, invalid) = (
            json!({"result": "ok"}),
            json!({"result": "drop", "details": "invalid_event"}),
        );
        let verdicts = [&ok, &ok, &invalid, &invalid, &ok, &invalid];
        let results: serde_json::Map<String, Value> = (1..)
            .zip(verdicts)
            .map(|(n, verdict)| (format!("{n}-{encoding}"), verdict.clone()))
            .collect();
        assert_eq!(answer.json(), json!({"results": results}), "{encoding}");
        assert!(is_on(&server, "gold", &id), "{encoding}");
    }
    let ai = server.send(
        &Request::post("/i/v1/ai/events/")
            .header("Authorization", &format!("Bearer {TOKEN}"))
            .json(&json!({"batch": [{"event": "$set", "uuid": "1", "distinct_id": "ai", "properties": {"$set": {"tier": "gold"}}}]})),
    );
    assert_eq!(
        (ai.status, ai.json()),
        (200, json!({"results": {"1": {"result": "ok"}}}))
    );
    assert!(!is_on(&server, "gold", "ai"));
}

fn repeated_events_count_once(kind: Kind) {
    let server = server(kind);
    let event = |value: &str| {
        let mut event = set("ada", json!({"tier": value}));
        event["uuid"] = json!("ab30d3a9-b362-4ee4-9fac-0914c02601ef");
        event
    };
    take(&server, json!([event("gold")]));
    take(&server, json!([set("ada", json!({"tier": "none"}))]));
    take(&server, json!([event("gold"), event("gold")]));
    assert!(!is_on(&server, "gold", "ada"));
    assert_eq!(
        figure(&server, "burgee_events_dropped_total{reason=\"repeated\"}"),
        2
    );
    // Also after a restart, and also in version 1.
    let database = Arc::clone(server.database());
    server.stop();
    let server = TestServer::with(&database).start();
    take(&server, json!([event("gold")]));
    let again = json!({"batch": [{"event": "$set", "uuid": "AB30D3A9-B362-4EE4-9FAC-0914C02601EF", "distinct_id": "ada", "properties": {"$set": {"tier": "gold"}}}]});
    assert_eq!(server.send(&version_1("", &again)).status, 200);
    assert!(!is_on(&server, "gold", "ada"));
}

/// Sums a counter over its labels.
fn sum(metrics: &str, name: &str) -> u64 {
    let lines = metrics.lines().filter(|line| line.starts_with(name));
    lines
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum()
}

fn counters_keep_their_identity(kind: Kind) {
    let server = server(kind);
    for round in 0..5 {
        take(
            &server,
            json!([
                set(&format!("u-{round}"), json!({"a": round})),
                {"event": "$pageview", "distinct_id": "u"},
                {"event": "e", "distinct_id": "u", "properties": {"$process_person_profile": false}},
                {"event": "$feature_flag_called", "distinct_id": "u", "properties": {"$feature_flag": "gold", "$feature_flag_response": true}},
                {"event": "$groupidentify", "distinct_id": "u", "properties": {}},
                {"event": "$groupidentify", "distinct_id": "u", "properties": {"$group_type": format!("t{round}"), "$group_key": "k"}},
                {"event": "$groupidentify", "distinct_id": "u", "properties": {"$group_type": format!("s{round}"), "$group_key": "k"}},
                {"event": "$set", "distinct_id": "r", "$set": {}, "uuid": "the same"},
            ]),
        );
        let ai = json!({"api_key": TOKEN, "batch": [{"event": "e", "distinct_id": "u"}]});
        assert_eq!(server.post("/i/v0/ai/batch/", &ai).status, 200);
    }
    // Refused requests count nothing.
    assert_eq!(post(&server, json!([{"event": ""}])).status, 400);
    let metrics = server.get("/metrics").text();
    let accepted = sum(&metrics, "burgee_events_accepted_total ");
    let written = sum(&metrics, "burgee_events_written_total ");
    assert_eq!(accepted, 45);
    assert_eq!(sum(&metrics, "burgee_events_pending "), 0);
    assert_eq!(
        accepted,
        written + sum(&metrics, "burgee_events_dropped_total{")
    );
    // Five with properties, five groups of the ten, and one of those with the same number.
    assert_eq!(written, 11);
    for (reason, expected) in [
        ("not_wanted", 5),
        ("personless", 5),
        ("flag_called", 5),
        ("invalid", 5),
        ("no_group_type", 5),
        ("repeated", 4),
        ("ai", 5),
    ] {
        let name = format!("burgee_events_dropped_total{{reason=\"{reason}\"}} ");
        assert_eq!(sum(&metrics, &name), expected, "{reason}");
    }
    assert!(!metrics.contains("u-1"), "no label comes from an event");
}

fn calls_of_flags_are_counted(kind: Kind) {
    let server = server(kind);
    let call = |flag: &str, value: Value| json!({"event": "$feature_flag_called", "distinct_id": "u", "properties": {"$feature_flag": flag, "$feature_flag_response": value}});
    take(
        &server,
        json!([
            call("multi", json!("control")),
            call("multi", json!("control")),
            call("multi", json!("x")),
            call("gold", json!(false)),
            call("nothing", json!(true))
        ]),
    );
    let database = Arc::clone(server.database());
    // What was counted is written at the latest when the server stops.
    server.stop();
    if kind == Kind::Postgres {
        let rows = database
            .query("SELECT flag_key || ' ' || value || ' ' || calls FROM flag_calls ORDER BY 1");
        assert_eq!(
            rows,
            "gold false 1\nmulti \"$other\" 1\nmulti \"control\" 2"
        );
        let recent = database.query("SELECT bool_and(abs(extract(epoch FROM now()) - last_called_at_microseconds / 1000000) < 3600) FROM flag_calls");
        assert_eq!(recent, "t");
    }
    let server = TestServer::with(&database).start();
    take(&server, json!([call("gold", json!(false))]));
    server.stop();
    if kind == Kind::Postgres {
        assert_eq!(
            database.query("SELECT calls FROM flag_calls WHERE flag_key = 'gold'"),
            "2"
        );
    }
}

fn events_switched_off_change_nothing(kind: Kind) {
    let server = started_with(TestServer::on(kind).arg("--events=off"));
    take(&server, json!([set("ada", json!({"tier": "gold"}))]));
    assert!(!is_on(&server, "gold", "ada"));
    assert_eq!(figure(&server, "burgee_events_accepted_total"), 1);
    assert_eq!(
        figure(&server, "burgee_events_dropped_total{reason=\"off\"}"),
        1
    );
    let body = json!({"batch": [{"event": "$set", "uuid": "1", "distinct_id": "ada", "properties": {"$set": {"tier": "gold"}}}]});
    let answer = server.send(&version_1("", &body));
    assert_eq!(answer.json(), json!({"results": {"1": {"result": "ok"}}}));
}

/// With write-behind an answer comes first and the change soon after; a clean stop loses nothing.
fn what_waits_is_written_at_the_end(kind: Kind) {
    let database = Arc::new(Database::new(kind));
    let server = started_with(TestServer::with(&database).arg("--event-durability=batched"));
    take(&server, json!([set("first", json!({"tier": "gold"}))]));
    eventually("the change", || {
        is_on(&server, "gold", "first").then_some(())
    });
    let last: Vec<Value> = (0..1_500)
        .map(|n| set(&format!("u-{n}"), json!({"n": n})))
        .collect();
    take(&server, json!(last));
    server.stop();
    assert_eq!(
        exported(&database)["persons"].as_array().unwrap().len(),
        1_502
    );
}
