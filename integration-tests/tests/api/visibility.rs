//! What those who run the server see: metrics, their own port, slow requests.

use burgee_integration_tests::deadline::eventually;
use burgee_integration_tests::http::{Connection, Request};
use burgee_integration_tests::{FlagBuilder, Kind, ProjectBuilder, TestServer, filter};
use serde_json::{Value, json};

fn project() -> Value {
    ProjectBuilder::new()
        .flag(
            FlagBuilder::new("stored")
                .id(1)
                .when(filter::person("plan", "exact", "pro")),
        )
        .person(&["maria"], json!({"plan": "pro"}))
        .file()
}

fn body() -> Value {
    json!({"token": "phc_local_dev", "distinct_id": "maria"})
}

on_both_databases!(every_queue_has_a_gauge_and_every_wait_a_histogram);

fn every_queue_has_a_gauge_and_every_wait_a_histogram(kind: Kind) {
    let server = TestServer::on(kind).project(&project()).start();
    assert_eq!(server.flags(2, &body())["flags"]["stored"]["enabled"], true);
    let unknown = json!({"token": "phc_unknown", "distinct_id": "u"});
    assert_eq!(server.post("/flags?v=2", &unknown).status, 401);
    let wanted = [
        "burgee_mailbox_depth{",
        "burgee_mailbox_capacity{",
        "burgee_mailbox_oldest_seconds{",
        "burgee_requests_refused_total{reason=\"standing\"} 0",
        "burgee_deadlines_missed_total{stage=\"look_up\"} 0",
        "burgee_events_dropped_total{reason=\"refused\"} 0",
        "burgee_http_rate_limited_total{limit=\"token\",outcome=\"refused\"} 0",
        "burgee_streams_refused_total{limit=\"total\"} 0",
        "burgee_evaluator_wait_seconds_count ",
        "burgee_evaluation_seconds_count ",
        "burgee_loader_wait_seconds_count ",
        "burgee_pool_connections ",
        "burgee_pool_waiting ",
        "burgee_pool_opened_total ",
        "burgee_pool_connect_failures_total ",
        "burgee_pool_acquire_seconds_count ",
        "burgee_pool_hold_seconds_count ",
        "burgee_database_query_seconds_count{kind=\"look_up\"} ",
        "burgee_database_query_seconds_count{kind=\"definitions\"} ",
        "burgee_definitions_age_seconds ",
        "burgee_definition_hits_total ",
        "burgee_unknown_tokens_remembered 1",
        "burgee_runtime_delay_seconds_count{runtime=\"http_worker\",instance=\"0\"} ",
        "burgee_runtime_delay_seconds_count{runtime=\"evaluator_small\",instance=\"0\"} ",
        "burgee_runtime_delay_seconds_count{runtime=\"evaluator_large\",instance=\"0\"} ",
        "burgee_runtime_delay_seconds_count{runtime=\"database\",instance=\"0\"} ",
        "burgee_runtime_busy_seconds_total{runtime=\"http_worker\",instance=\"0\"} ",
        "burgee_runtime_busy_ratio{runtime=\"caches\",instance=\"0\"} ",
        "burgee_panics_total 0",
        "burgee_build_info{version=",
        "process_cpu_seconds_total ",
        "process_resident_memory_bytes ",
        "process_open_fds ",
        "process_start_time_seconds ",
    ];
    let text = eventually("every series", || {
        let text = server.get("/metrics").text();
        let is_there = |start: &&str| text.lines().any(|line| line.starts_with(*start));
        let missing: Vec<_> = wanted.iter().filter(|start| !is_there(start)).collect();
        missing.is_empty().then_some(text)
    });
    // Every sample belongs to a family that is explained, and no label is anybody's input.
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let ends = ["_bucket", "_sum", "_count"];
        let family = ends
            .iter()
            .find_map(|end| name.strip_suffix(end))
            .unwrap_or(name);
        let explained = [name, family]
            .iter()
            .any(|name| text.contains(&format!("# HELP {name} ")));
        assert!(explained, "{line}");
    }
    for input in ["phc_", "maria", "plan"] {
        assert!(!text.contains(input), "{input}");
    }
    server.stop();
}

#[test]
fn metrics_may_have_an_address_of_their_own() {
    let server = TestServer::on(Kind::Sqlite)
        .project(&project())
        .arg("--metrics-listen=127.0.0.1:0")
        .start();
    let line = server.log();
    let line = line
        .lines()
        .find(|line| line.contains("metrics are served"));
    let line: Value = serde_json::from_str(line.expect("the log says where")).unwrap();
    let address = line["address"].as_str().unwrap();
    let get = |path: &str| Connection::open(address).exchange(&Request::get(path));
    let metrics = get("/metrics");
    assert_eq!(metrics.status, 200);
    assert_eq!(
        metrics.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    assert!(metrics.text().contains("burgee_mailbox_depth{"));
    assert_eq!(get("/flags?v=2").status, 404);
    assert_eq!(server.get("/metrics").status, 404);
    assert_eq!(server.get("/_readiness").status, 200);
    server.stop();
}

/// Enough flags that no machine answers within a millisecond for ever.
fn large_project() -> Value {
    let flags = (1..=3_000).map(|id| FlagBuilder::new(&format!("flag-{id}")).id(id).rollout(50));
    flags
        .fold(ProjectBuilder::new(), ProjectBuilder::flag)
        .file()
}

#[test]
fn a_slow_request_leaves_a_line_with_its_stages() {
    let server = TestServer::on(Kind::Sqlite)
        .project(&large_project())
        .arg("--slow-request-ms=1")
        .start();
    let line: Value = eventually("a slow request", || {
        server.flags(2, &body());
        let log = server.log();
        let line = log.lines().find(|line| line.contains("slow request"))?;
        Some(serde_json::from_str(line).unwrap())
    });
    assert_eq!(line["level"], "WARN", "{line}");
    assert_eq!(
        (&line["route"], &line["status"]),
        (&json!("/flags"), &json!(200))
    );
    assert_eq!(line["project"], 1, "{line}");
    assert!(line["request_id"].is_string());
    let number = |name: &str| {
        line[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name}: {line}"))
    };
    let stages = [
        "read_us",
        "decode_us",
        "definitions_us",
        "look_up_us",
        "evaluate_us",
        "render_us",
    ];
    let sum: u64 = stages.iter().map(|stage| number(stage)).sum();
    assert!(number("duration_us") >= 1_000);
    assert!(sum <= number("duration_us"), "{line}");
    assert!(
        number("evaluate_us") > 0 && number("render_us") > 0,
        "{line}"
    );
    let text = line.to_string();
    assert!(!text.contains("phc_") && !text.contains("maria"), "{text}");
    let metrics = server.get("/metrics").text();
    assert!(
        !metrics.contains("burgee_http_slow_requests_total 0"),
        "{metrics}"
    );
    server.stop();
}

#[test]
fn slow_lines_can_be_off() {
    let server = TestServer::on(Kind::Sqlite)
        .project(&large_project())
        .arg("--slow-request-ms=0")
        .start();
    for _ in 0..3 {
        server.flags(2, &body());
    }
    server.terminate();
    server.expect_clean_exit();
    assert!(!server.log().contains("slow request"));
}
