//! The proxy of `burgee shadow` in front of two real servers: whose answer is served, what is told of the other one's.

use base64::Engine as _;
use burgee_integration_tests::deadline::eventually;
use burgee_integration_tests::http::{Request, Response};
use burgee_integration_tests::{FlagBuilder, Kind, TestServer};
use serde_json::{Value, json};
use std::io::Write as _;

on_both_databases!(
    the_split_follows_the_token_and_the_report_names_the_flag,
    a_side_that_is_down_is_stood_in_for,
    a_frozen_side_delays_nobody,
    events_reach_both,
);

const PROJECTS: usize = 60;

fn token(n: usize) -> String {
    format!("phc_project_{n}")
}

/// Many projects with the same two flags; `changed` is on for as many percent of people.
fn projects(changed: u8) -> Value {
    let flags = || -> Vec<Value> {
        vec![
            FlagBuilder::new("changed").rollout(changed).into(),
            FlagBuilder::new("same")
                .variants(&[("a", 50), ("b", 50)])
                .filters("payloads", json!({"a": "{\"n\": 1.0}", "b": "2"}))
                .into(),
        ]
    };
    let project = |n: usize| json!({"id": n + 1, "name": format!("Project {n}"), "token": token(n), "flags": flags()});
    json!({"projects": (0..PROJECTS).map(project).collect::<Vec<_>>()})
}

/// The proxy and what is behind it: `upstream` has `changed` on, `burgee` has it off.
pub(crate) struct Stage {
    pub(crate) upstream: TestServer,
    pub(crate) burgee: TestServer,
    pub(crate) proxy: TestServer,
}

impl Stage {
    fn new(kind: Kind, options: &[&str]) -> Self {
        Self::with(kind, &projects(100), &projects(0), options)
    }

    pub(crate) fn with(kind: Kind, upstream: &Value, burgee: &Value, options: &[&str]) -> Self {
        let upstream = TestServer::on(kind).project(upstream).start();
        let burgee = TestServer::on(kind).project(burgee).start();
        let proxy = proxy(upstream.address(), burgee.address(), options);
        Self {
            upstream,
            burgee,
            proxy,
        }
    }

    /// Returns the report once nothing waits to be done beside answers any more.
    fn report(&self) -> Value {
        eventually("everything beside answers", || {
            let report = operators(&self.proxy).get("/report").json();
            let lanes = report["aside"].as_object().unwrap();
            let is_settled = |lane: &Value| {
                let count = |name: &str| lane[name].as_i64().unwrap();
                count("offered") == count("done") + count("dropped")
            };
            lanes.values().all(is_settled).then_some(report)
        })
    }
}

pub(crate) fn proxy(upstream: &str, burgee: &str, options: &[&str]) -> TestServer {
    let (upstream, burgee) = (format!("http://{upstream}"), format!("http://{burgee}"));
    let sides = [
        "--upstream",
        &upstream,
        "--burgee",
        &burgee,
        "--metrics-listen",
        "127.0.0.1:0",
    ];
    // Debug builds on a busy machine are slow; a test that is about waiting sets its own limits.
    let patient = [
        "BURGEE_UPSTREAM_TIMEOUT_MS",
        "BURGEE_BURGEE_TIMEOUT_MS",
        "BURGEE_COMPARE_TIMEOUT_MS",
    ];
    let builder = TestServer::shadow().args(&sides).args(options);
    patient
        .into_iter()
        .fold(builder, |builder, name| builder.env(name, "20000"))
        .spawn()
}

/// Starts a proxy before a URL; it trusts the certificates in a file and no others.
pub(crate) fn proxy_trusting(certificates: &std::path::Path, upstream: &str) -> TestServer {
    let sides = [
        "--upstream",
        upstream,
        "--burgee",
        "http://127.0.0.1:1",
        "--metrics-listen",
        "127.0.0.1:0",
        "--ca",
        certificates.to_str().unwrap(),
    ];
    TestServer::shadow().args(&sides).spawn()
}

/// The address for operators.
pub(crate) struct Operators(String);

pub(crate) fn operators(proxy: &TestServer) -> Operators {
    let log = proxy.log();
    let mut lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let line = lines.find(|line| line["message"] == "metrics are served");
    Operators(
        line.expect("it says where")["address"]
            .as_str()
            .unwrap()
            .to_owned(),
    )
}

impl Operators {
    pub(crate) fn send(&self, request: &Request) -> Response {
        burgee_integration_tests::http::Connection::open(&self.0).exchange(request)
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.send(&Request::get(path))
    }

    /// Returns the sum of all samples of a series with these labels, in the order in which they are written.
    pub(crate) fn metric(&self, name: &str, labels: &str) -> u64 {
        let text = self.get("/metrics").text();
        let lines = text.lines().filter(|line| {
            line.starts_with(&format!("{name}{{")) || line.starts_with(&format!("{name} "))
        });
        let counted = lines.filter(|line| line.contains(labels));
        counted
            .map(|line| {
                line.rsplit(' ')
                    .next()
                    .unwrap()
                    .split('.')
                    .next()
                    .unwrap()
                    .parse::<u64>()
                    .unwrap()
            })
            .sum()
    }

    fn set_percent(&self, percent: &str) {
        let answer = self.send(&Request::new("PUT", "/percent").body(percent));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

fn ask(token: &str, person: &str) -> Request {
    Request::post("/flags/?v=2").json(&json!({"token": token, "distinct_id": person, "person_properties": {"email": "ada@secret.test"}}))
}

fn side(answer: &Response) -> &str {
    answer.header("x-burgee-shadow-side").unwrap_or("neither")
}

fn packed(text: &str) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    gzip.finish().unwrap()
}

/// The same question in the encodings of SDKs.
fn in_every_encoding(token: &str) -> Vec<Request> {
    let body = json!({"api_key": token, "distinct_id": "u"}).to_string();
    let base64 = base64::engine::general_purpose::STANDARD
        .encode(&body)
        .replace('+', "%2B")
        .replace('=', "%3D");
    vec![
        Request::post("/flags?v=4").body(body.clone()),
        Request::post("//decide/?v=3")
            .header("Content-Type", "text/plain")
            .body(packed(&body)),
        Request::post("/flags/?v=2&compression=gzip-js")
            .header("Content-Type", "text/plain")
            .body(packed(&body)),
        Request::post("/flags/?v=2")
            .header("Content-Encoding", "gzip")
            .body(packed(&body)),
        Request::post("/flags/?v=1")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(format!("data={base64}")),
    ]
}

fn the_split_follows_the_token_and_the_report_names_the_flag(kind: Kind) {
    let directory = tempfile::tempdir().unwrap();
    let samples = directory.path().join("samples.jsonl");
    let options = [
        "--percent",
        "37.5",
        "--compare",
        "--sample",
        samples.to_str().unwrap(),
    ];
    let stage = Stage::new(kind, &options);
    let operators = operators(&stage.proxy);
    let mut at_burgee = 0;
    let mut connection = stage.proxy.connect();
    for n in 0..PROJECTS {
        let expected = if burgee::shadow::share(&token(n)) < 37.5 {
            "burgee"
        } else {
            "upstream"
        };
        let answer = connection.exchange(&ask(&token(n), &format!("person-{n}")));
        assert_eq!(
            (answer.status, side(&answer)),
            (200, expected),
            "{n}: {}",
            answer.text()
        );
        assert_eq!(
            answer.json()["flags"]["changed"]["enabled"],
            expected == "upstream",
            "{n}"
        );
        at_burgee += usize::from(expected == "burgee");
    }
    assert!((10..40).contains(&at_burgee), "both are asked: {at_burgee}");
    for n in 0..4 {
        let expected = if burgee::shadow::share(&token(n)) < 37.5 {
            "burgee"
        } else {
            "upstream"
        };
        for request in in_every_encoding(&token(n)) {
            let answer = connection.exchange(&request);
            assert_eq!(
                (answer.status, side(&answer)),
                (200, expected),
                "{request:?}: {}",
                answer.text()
            );
        }
        let by_get = connection.exchange(&Request::get(&format!("/flags?v=2&token={}", token(n))));
        assert_eq!((by_get.status, side(&by_get)), (200, expected));
    }
    let report = stage.report();
    let asked = u64::try_from(PROJECTS + 4 * 5).unwrap();
    let comparison = &report["comparison"];
    let totals =
        ["compared", "equal", "different", "failed"].map(|name| comparison[name].as_u64().unwrap());
    assert_eq!(totals, [asked, 0, asked, 0], "{report}");
    let mut counted = 0;
    for difference in comparison["differences"].as_array().unwrap() {
        assert_eq!(
            (&difference["flag"], &difference["kind"]),
            (&json!("changed"), &json!("enabled")),
            "{report}"
        );
        counted += difference["count"].as_u64().unwrap();
    }
    assert_eq!(counted, asked, "{report}");
    let with_reasons = &comparison["differences"][0]["reason"];
    assert_eq!(
        with_reasons,
        &json!({"burgee": "out_of_rollout_bound", "upstream": "condition_match"}),
        "{report}"
    );
    assert_eq!(
        operators.metric("burgee_shadow_differences_total", "kind=\"enabled\""),
        asked
    );
    assert_eq!(
        operators.metric("burgee_shadow_differences_total", ""),
        asked
    );

    the_percentage_is_changed_by_operators_only(&stage);
    stage.proxy.terminate();
    stage.proxy.expect_clean_exit();
    let log = eventually("the report of the stop", || {
        let log = stage.proxy.log();
        log.contains("compared ").then_some(log)
    });
    assert!(log.contains("changed") && !log.contains("same "), "{log}");
    let written = std::fs::read_to_string(&samples).unwrap();
    assert!(written.lines().count() >= 2, "{written}");
    for line in written.lines() {
        let example: Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            (
                &example["flag"],
                &example["burgee"]["value"],
                &example["upstream"]["value"]
            ),
            (&json!("changed"), &json!(false), &json!(true))
        );
        assert_eq!(example["project"].as_str().unwrap().len(), 8, "{example}");
    }
    for secret in ["phc_", "person-", "secret.test", "distinct_id"] {
        assert!(
            !written.contains(secret) && !log.contains(secret),
            "{secret}\n{written}\n{log}"
        );
    }
}

fn the_percentage_is_changed_by_operators_only(stage: &Stage) {
    let operators = operators(&stage.proxy);
    for (request, status) in [
        (Request::new("PUT", "/percent").body("101"), 400),
        (Request::new("PUT", "/percent").body(""), 400),
        (
            Request::new("PUT", "/percent")
                .body("5")
                .header("Origin", "http://127.0.0.1"),
            403,
        ),
    ] {
        assert_eq!(operators.send(&request).status, status, "{request:?}");
    }
    assert_eq!(operators.get("/percent").json(), json!({"percent": 37.5}));
    for (percent, expected) in [("100", "burgee"), ("0", "upstream")] {
        operators.set_percent(percent);
        for n in 0..PROJECTS {
            let answer = stage.proxy.send(&ask(&token(n), "u"));
            assert_eq!(side(&answer), expected, "{percent} {n}");
        }
        // So does one without a token, which is refused by whoever it is.
        let nobody = stage.proxy.post("/flags?v=2", &json!({"distinct_id": "u"}));
        assert_eq!((nobody.status, side(&nobody)), (401, expected));
    }
    assert_eq!(operators.metric("burgee_shadow_percent", ""), 0);
    assert_eq!(operators.get("/_readiness").status, 200);
    assert_eq!(operators.get("/_liveness").status, 200);
    // What operators see is not what clients see.
    assert_eq!(stage.proxy.get("/report").status, 404);
    assert_eq!(
        stage
            .proxy
            .send(&Request::new("PUT", "/percent").body("100"))
            .status,
        404
    );
}

fn a_side_that_is_down_is_stood_in_for(kind: Kind) {
    let Stage {
        upstream,
        burgee,
        proxy,
    } = Stage::new(kind, &["--percent", "50"]);
    let operators = operators(&proxy);
    let strict = self::proxy(
        upstream.address(),
        burgee.address(),
        &["--percent", "50", "--fallback=false"],
    );
    let is_burgees = |n: &usize| burgee::shadow::share(&token(*n)) < 50.0;
    let (ours, theirs) = (
        (0..PROJECTS).find(is_burgees).unwrap(),
        (0..PROJECTS).find(|n| !is_burgees(n)).unwrap(),
    );
    burgee.stop();
    let answer = proxy.send(&ask(&token(ours), "u"));
    assert_eq!(
        (answer.status, side(&answer)),
        (200, "upstream"),
        "{}",
        answer.text()
    );
    assert_eq!(answer.json()["flags"]["changed"]["enabled"], true);
    assert_eq!(
        operators.metric(
            "burgee_shadow_fallbacks_total",
            "from=\"burgee\",reason=\"connect\",outcome=\"served\""
        ),
        1
    );
    assert_eq!(strict.send(&ask(&token(ours), "u")).status, 502);
    // The other's projects notice nothing.
    assert_eq!(side(&proxy.send(&ask(&token(theirs), "u"))), "upstream");
    upstream.stop();
    let nobody = proxy.send(&ask(&token(theirs), "u"));
    assert_eq!((nobody.status, side(&nobody)), (502, "neither"));
    assert_eq!(
        operators.metric(
            "burgee_shadow_fallbacks_total",
            "from=\"upstream\",reason=\"connect\",outcome=\"failed\""
        ),
        1
    );
    assert_eq!(proxy.get("/anything").status, 502);

    // A project that Burgee does not know yet is answered by the upstream; one that nobody knows is refused.
    let empty = json!({"projects": []});
    let stage = Stage::with(kind, &projects(100), &empty, &["--percent", "100"]);
    let answer = stage.proxy.send(&ask(&token(0), "u"));
    assert_eq!(
        (answer.status, side(&answer)),
        (200, "upstream"),
        "{}",
        answer.text()
    );
    let unknown = stage.proxy.send(&ask("phc_nobody", "u"));
    assert_eq!((unknown.status, side(&unknown)), (401, "burgee"));
    // The upstream goes, and Burgee's refusal does not become the answer to that.
    let down = self::proxy("127.0.0.1:1", stage.burgee.address(), &["--percent", "0"]);
    assert_eq!(down.send(&ask(&token(0), "u")).status, 502);
}

fn a_frozen_side_delays_nobody(kind: Kind) {
    const ASKED: u64 = 40;
    let options = [
        "--compare",
        "--compare-in-flight",
        "2",
        "--compare-queue",
        "4",
        "--burgee-timeout-ms",
        "300",
    ];
    let stage = Stage::new(kind, &options);
    let operators = operators(&stage.proxy);
    stage.burgee.signal("STOP");
    let mut connection = stage.proxy.connect();
    // No comparison can end before the other side goes on, so every answer that comes was not held up by one.
    for n in 0..usize::try_from(ASKED).unwrap() {
        let answer = connection.exchange(&ask(&token(n), "u"));
        assert_eq!(
            (answer.status, side(&answer)),
            (200, "upstream"),
            "{}",
            answer.text()
        );
    }
    let lane = "lane=\"compare\"";
    let of = |series: &str| operators.metric(&format!("burgee_shadow_aside_{series}"), lane);
    assert_eq!([of("offered_total"), of("done_total")], [ASKED, 0]);
    assert!(of("in_flight") <= 2 && of("waiting") <= 4, "bounded");
    assert!(
        operators.metric("burgee_shadow_aside_dropped_total", "reason=\"queue_full\"") >= ASKED - 6
    );
    // When it is its turn, the time it is given is over soon.
    operators.set_percent("100");
    let answer = connection.exchange(&ask(&token(0), "u"));
    assert_eq!((answer.status, side(&answer)), (200, "upstream"));
    assert_eq!(
        operators.metric("burgee_shadow_fallbacks_total", "reason=\"timed_out\""),
        1
    );
    stage.burgee.signal("CONT");
    let report = stage.report();
    let compared = &report["aside"]["compare"];
    assert_eq!(compared["offered"], ASKED + 1, "{report}");
    assert!(compared["done"].as_u64().unwrap() >= 1, "{report}");
    assert_eq!(
        report["comparison"]["compared"], compared["done"],
        "{report}"
    );
    let different = connection.exchange(&ask(&token(0), "u"));
    assert_eq!(side(&different), "burgee", "it answers again");
}

fn events_reach_both(kind: Kind) {
    let vip = FlagBuilder::new("vip").when(burgee_integration_tests::filter::person(
        "plan", "exact", "gold",
    ));
    let file = burgee_integration_tests::ProjectBuilder::new()
        .flag(vip)
        .file();
    let options = [
        "--mirror-events",
        "--mirror-in-flight",
        "1",
        "--mirror-queue",
        "2",
        "--body-limit-bytes",
        "65536",
    ];
    let stage = Stage::with(kind, &file, &file, &options);
    let operators = operators(&stage.proxy);
    let set = |person: &str, pad: usize| {
        let event = json!({"event": "$set", "distinct_id": person, "uuid": uuid::Uuid::new_v4().to_string(), "properties": {"$set": {"plan": "gold"}, "pad": "x".repeat(pad)}});
        json!({"api_key": "phc_local_dev", "batch": [event]})
    };
    let is_vip = |server: &TestServer, person: &str| {
        let flags = server.flags(2, &json!({"token": "phc_local_dev", "distinct_id": person}));
        flags["flags"]["vip"]["enabled"] == true
    };
    let request = Request::post("/batch/")
        .header("Content-Type", "text/plain")
        .body(packed(&set("ada", 0).to_string()));
    let answer = stage.proxy.send(&request);
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({"status": "Ok"}))
    );
    assert!(
        is_vip(&stage.upstream, "ada"),
        "the answer is the upstream's"
    );
    eventually("the copy", || is_vip(&stage.burgee, "ada").then_some(()));
    // What the upstream refuses is not copied.
    let refused = stage.proxy.post(
        "/e/",
        &json!({"event": "$set", "distinct_id": "eve", "token": "phc_nobody"}),
    );
    assert_eq!(refused.status, 401);
    // A body that is too long to be kept passes, and is counted.
    assert_eq!(
        stage.proxy.post("/batch/", &set("long", 100_000)).status,
        200
    );
    assert!(is_vip(&stage.upstream, "long"));
    assert_eq!(
        operators.metric(
            "burgee_shadow_aside_dropped_total",
            "lane=\"mirror\",reason=\"too_large\""
        ),
        1
    );

    stage.burgee.signal("STOP");
    for n in 0..10 {
        let answer = stage.proxy.post("/batch/", &set(&format!("p{n}"), 0));
        assert_eq!(answer.status, 200, "a frozen copy holds nobody up");
    }
    assert!(
        operators.metric(
            "burgee_shadow_aside_dropped_total",
            "lane=\"mirror\",reason=\"queue_full\""
        ) >= 7
    );
    stage.burgee.signal("CONT");
    let report = stage.report();
    let mirrored = &report["aside"]["mirror"];
    assert_eq!(mirrored["offered"], 12, "{report}");
    assert_eq!(
        operators.metric("burgee_shadow_mirrored_total", "outcome=\"accepted\""),
        mirrored["done"].as_u64().unwrap(),
        "{report}"
    );
    assert!(!is_vip(&stage.burgee, "long") && !is_vip(&stage.burgee, "eve"));
}
