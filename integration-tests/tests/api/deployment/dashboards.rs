//! The dashboards, held against a Burgee under load: every query of every panel must have an answer.

use super::alerts::alerts;
use super::prometheus::Prometheus;
use super::{names_in, repository_file};
use burgee_integration_tests::deadline::{eventually, within};
use burgee_integration_tests::http::Request;
use burgee_integration_tests::{Database, FlagBuilder, Kind, ProjectBuilder, TestServer, filter};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(90);
const TOKEN: &str = "phc_local_dev";
const SECRET: &str = "phs_local_dev";

/// A query of a panel, and where it stands.
pub(super) struct Query {
    place: String,
    pub(super) expression: String,
}

fn dashboards() -> Vec<(String, Value)> {
    let names = names_in("deploy/grafana/dashboards");
    names
        .into_iter()
        .map(|name| {
            let text = repository_file(&format!("deploy/grafana/dashboards/{name}"));
            (name, serde_json::from_str(&text).expect("JSON"))
        })
        .collect()
}

/// Puts in what Grafana would: everything is chosen, and rates look back over a few scrapes.
fn filled_in(expression: &str) -> String {
    let filled = expression
        .replace("$__rate_interval", "10s")
        .replace("$job", ".+")
        .replace("$instance", ".+");
    assert!(!filled.contains('$'), "an unknown variable in {expression}");
    filled
}

/// Returns every query of every panel.
pub(super) fn queries() -> Vec<Query> {
    let mut queries = Vec::new();
    for (name, dashboard) in dashboards() {
        for panel in dashboard["panels"].as_array().expect("panels") {
            if panel["type"] == "row" {
                continue;
            }
            let title = panel["title"].as_str().expect("a title");
            let targets = panel["targets"].as_array().expect("targets");
            assert!(!targets.is_empty(), "{name}, {title}");
            for target in targets {
                queries.push(Query {
                    place: format!("{name}, {title}"),
                    expression: filled_in(target["expr"].as_str().expect("an expression")),
                });
            }
        }
    }
    assert!(queries.len() > 60, "they are found: {}", queries.len());
    queries
}

/// Flags that need each kind of stored thing, and one that fails.
fn project() -> Value {
    let mut file = ProjectBuilder::new()
        .with("secret_tokens", json!([SECRET]))
        .cohort(json!({"id": 7, "name": "Seven", "is_static": true}))
        .flag(FlagBuilder::new("plain").id(1).rollout(50))
        .flag(
            FlagBuilder::new("stored")
                .id(2)
                .when(filter::person("plan", "exact", "pro")),
        )
        .flag(FlagBuilder::new("listed").id(3).when(filter::cohort(7)))
        .flag(FlagBuilder::new("broken").id(4).when(filter::cohort(404)));
    for number in 0..20 {
        file = file.push(
            "persons",
            json!({"distinct_ids": [format!("person-{number}")], "properties": {"plan": "pro"}, "static_cohorts": [7]}),
        );
    }
    file.file()
}

/// Asks for everything once: flags in both protocols, definitions, events, and what is refused.
fn round(server: &TestServer, number: usize) {
    let id = format!("person-{}", number % 20);
    let flags = json!({"token": TOKEN, "distinct_id": id});
    for _ in 0..5 {
        assert_eq!(server.post("/flags?v=2", &flags).status, 200);
    }
    let ofrep = Request::post("/ofrep/v1/evaluate/flags")
        .header("Authorization", &format!("Bearer {TOKEN}"))
        .json(&json!({"context": {"targetingKey": id}}));
    assert_eq!(server.send(&ofrep).status, 200);
    // Only one of them a second is let through.
    for _ in 0..2 {
        let definitions =
            Request::get("/flags/definitions").header("Authorization", &format!("Bearer {SECRET}"));
        let status = server.send(&definitions).status;
        assert!([200, 429].contains(&status), "{status}");
    }
    let event =
        json!({"event": "$set", "distinct_id": id, "properties": {"$set": {"round": number}}});
    let events = json!({"api_key": TOKEN, "batch": [event]});
    assert_eq!(server.post("/batch", &events).status, 200);
    let unknown = json!({"token": "phc_unknown", "distinct_id": id});
    assert_eq!(server.post("/flags?v=2", &unknown).status, 401);
    overload(server, &flags);
}

/// Holds every place for requests with bodies that do not come, so that one more is refused.
fn overload(server: &TestServer, flags: &Value) {
    let head = b"POST /flags HTTP/1.1\r\nHost: burgee.test\r\nContent-Length: 9\r\n\r\n";
    // Bodies that do not come are given up after a while: on a slow machine before the last one was begun.
    eventually("a refusal", || {
        let hold = |_| {
            let mut connection = server.connect();
            connection.write(head);
            connection
        };
        let _held: Vec<_> = (0..MAX_IN_FLIGHT).map(hold).collect();
        (server.post("/flags?v=2", flags).status == 503).then_some(())
    });
    eventually("room again", || {
        (server.post("/flags?v=2", flags).status == 200).then_some(())
    });
}

const MAX_IN_FLIGHT: usize = 16;

fn loaded() -> TestServer {
    TestServer::with(&Arc::new(Database::new(Kind::Postgres)))
        .project(&project())
        .args(&[
            "--lenient",
            "--rate-limit-definitions-per-s=1",
            "--rate-limit-definitions-burst=1",
        ])
        .arg(&format!("--max-in-flight={MAX_IN_FLIGHT}"))
        .start()
}

/// Runs `work` while the server is under load.
fn under_load(server: &TestServer, work: impl FnOnce()) {
    /// Ends the load however the work ends.
    struct Stop<'a>(&'a AtomicBool);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !is_over.load(Ordering::Relaxed) {
                round(server, number);
                number += 1;
                // The load need not be heavy, and others use this machine.
                std::thread::park_timeout(Duration::from_millis(50));
            }
        });
        let _stop = Stop(&is_over);
        work();
    });
}

/// Checks all queries until each is right once; returns those that never were, with the last complaint.
fn failures(mut open: Vec<Query>, check: impl Fn(&str) -> Result<(), String>) -> Vec<String> {
    let end = std::time::Instant::now() + PATIENCE;
    loop {
        let mut failures = Vec::new();
        open.retain(|query| match check(&query.expression) {
            Ok(()) => false,
            Err(why) => {
                failures.push(format!("{}: {why}: {}", query.place, query.expression));
                true
            }
        });
        if open.is_empty() || std::time::Instant::now() > end {
            return failures;
        }
        std::thread::park_timeout(Duration::from_millis(200));
    }
}

#[test]
fn every_query_has_an_answer() {
    let server = loaded();
    let prometheus = Prometheus::scraping(server.address());
    under_load(&server, || {
        let panels = failures(queries(), |expression| prometheus.check(expression));
        assert!(panels.is_empty(), "{}", panels.join("\n"));
        let rules = alerts().into_iter().map(|alert| Query {
            place: alert.name,
            expression: alert.expression,
        });
        let rules = failures(rules.collect(), |expression| {
            prometheus.check_names(expression)
        });
        assert!(rules.is_empty(), "{}", rules.join("\n"));
        annotations_and_variables_exist(&prometheus);
        wrong_queries_are_found_out(&prometheus);
    });
    server.stop();
}

fn annotations_and_variables_exist(prometheus: &Prometheus) {
    for (name, dashboard) in dashboards() {
        for annotation in dashboard["annotations"]["list"].as_array().unwrap() {
            let expression = filled_in(annotation["expr"].as_str().unwrap());
            let checked = prometheus.check_names(&expression);
            assert_eq!(checked, Ok(()), "{name}: {expression}");
        }
        for variable in dashboard["templating"]["list"].as_array().unwrap() {
            let Some(query) = variable["query"]["query"].as_str() else {
                continue;
            };
            // `label_values(SERIES, LABEL)`
            let inside = query
                .strip_prefix("label_values(")
                .and_then(|rest| rest.strip_suffix(')'));
            let (series, label) = inside
                .and_then(|inside| inside.rsplit_once(", "))
                .expect(query);
            let expression = format!("count by ({label}) ({})", filled_in(series));
            assert_eq!(prometheus.check(&expression), Ok(()), "{name}: {query}");
        }
    }
}

/// A metric that is renamed in Burgee is one that the dashboards have wrong.
fn wrong_queries_are_found_out(prometheus: &Prometheus) {
    let all = queries();
    let rename = |from: &str, to: &str| -> String {
        let query = all.iter().find(|query| query.expression.contains(from));
        query.expect(from).expression.replace(from, to)
    };
    for (from, to) in [
        ("burgee_mailbox_depth", "burgee_mailbox_length"),
        ("burgee_http_requests_total", "burgee_http_requests"),
        (
            "burgee_pool_acquire_seconds_bucket",
            "burgee_pool_wait_seconds_bucket",
        ),
    ] {
        let complaint = prometheus.check(&rename(from, to)).expect_err(to);
        assert!(complaint.contains(to), "{complaint}");
    }
    let alert = &alerts()[0];
    let wrong = alert.expression.replace("up{", "burgee_up{");
    assert!(
        prometheus
            .check_names(&wrong)
            .expect_err(&wrong)
            .contains("burgee_up")
    );
    // A name that exists with a label that does not.
    let empty = prometheus.check(r#"burgee_mailbox_depth{actor="nobody"}"#);
    assert_eq!(empty, Err("the result is empty".to_owned()));
    let nothing = prometheus.check(r#"0 * burgee_mailbox_depth / 0"#);
    assert_eq!(nothing, Err("no value is a number".to_owned()));
    within(PATIENCE, "a query that is wrong", || {
        prometheus
            .check("sum(burgee_mailbox_depth")
            .is_err()
            .then_some(())
    });
}

/// Each panel says what it shows, the panels do not overlap, and the dashboards that are linked exist.
#[test]
fn dashboards_are_whole() {
    let all = dashboards();
    let ids: Vec<&str> = all
        .iter()
        .map(|(_, dashboard)| dashboard["uid"].as_str().unwrap())
        .collect();
    for (name, dashboard) in &all {
        let mut taken = std::collections::BTreeSet::new();
        let mut panel_ids = std::collections::BTreeSet::new();
        for panel in dashboard["panels"].as_array().unwrap() {
            assert!(
                panel_ids.insert(panel["id"].as_u64().unwrap()),
                "{name}: {panel}"
            );
            let place = |what: &str| panel["gridPos"][what].as_u64().unwrap();
            for x in place("x")..place("x") + place("w") {
                for y in place("y")..place("y") + place("h") {
                    assert!(
                        x < 24 && taken.insert((x, y)),
                        "{name}: {} at {x}, {y}",
                        panel["title"]
                    );
                }
            }
        }
        for link in dashboard["links"].as_array().unwrap() {
            let uid = link["url"].as_str().unwrap().strip_prefix("/d/").unwrap();
            assert!(ids.contains(&uid), "{name}: {uid}");
        }
    }
    let provider = repository_file("deploy/grafana/provisioning/dashboards/burgee.yml");
    assert!(
        provider.contains("path: /etc/grafana/dashboards"),
        "{provider}"
    );
}
