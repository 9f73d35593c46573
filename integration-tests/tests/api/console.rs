//! The live page (`/console/`): who may see what, how it is told, and what it looks like in a browser. What the browser does and
//! asserts is in `clients/js/console.mjs`.

use burgee_integration_tests::clients::ClientProgram;
use burgee_integration_tests::deadline::eventually;
use burgee_integration_tests::http::{Connection, Request, Response};
use burgee_integration_tests::{
    Database, FlagBuilder, Kind, ProjectBuilder, ServerBuilder, TestServer, burgee,
};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

on_both_databases!(
    figures_are_those_of_metrics,
    a_stream_ends_with_its_key,
    streams_end_when_the_server_stops,
);

const STREAM: &str = "/console/stream";

fn project(keys: Value) -> Value {
    ProjectBuilder::new()
        .with("secret_tokens", json!(["phs_one"]))
        .with("personal_keys", keys)
        .flag(FlagBuilder::new("beta").id(1))
        .file()
}

fn keys() -> Value {
    json!([
        {"label": "watcher", "key": "phx_watcher", "scopes": ["console:read"]},
        {"label": "all", "key": "phx_all", "scopes": ["*"]},
        {"label": "narrow", "key": "phx_narrow", "scopes": ["feature_flag:write"]},
    ])
}

/// Postgres tells of a change; SQLite is polled.
fn server(database: &Arc<Database>) -> ServerBuilder {
    TestServer::with(database)
        .env("BURGEE_POLL_INTERVAL_S", "1")
        .project(&project(keys()))
}

fn sqlite() -> TestServer {
    server(&Arc::new(Database::new(Kind::Sqlite))).start()
}

fn with_key(key: &str) -> Request {
    Request::get(STREAM).header("Authorization", &format!("Bearer {key}"))
}

/// What keeps a browser from doing with it what it is not for.
#[track_caller]
fn assert_secured(answer: &Response, what: &str) {
    let policy = answer.header("content-security-policy").unwrap_or_default();
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(
            policy.split("; ").any(|other| other == part),
            "{what}: {policy}"
        );
    }
    assert!(
        !policy.contains("unsafe") && !policy.contains("http"),
        "{policy}"
    );
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{what}: {name}");
    }
    assert_eq!(answer.header("set-cookie"), None, "{what}");
}

/// Returns the links of a page, as they stand in it.
fn links(page: &str) -> Vec<String> {
    let attributes = page.split([' ', '>', '\n']);
    let quoted = attributes.filter_map(|attribute| {
        let value = attribute
            .strip_prefix("href=\"")
            .or_else(|| attribute.strip_prefix("src=\""))?;
        Some(value.trim_end_matches('"').to_owned())
    });
    quoted.filter(|link| !link.starts_with('#')).collect()
}

#[test]
fn the_page_and_its_files_answer() {
    let database = Arc::new(Database::new(Kind::Sqlite));
    let server = server(&database).arg("--base-path=/ph").start();
    let mut tags = Vec::new();
    // With what a browser puts before a relative link.
    for (path, folder) in [
        ("/console", "/"),
        ("/console/", "/console/"),
        ("//console/", "/console/"),
        ("/ph/console", "/ph/"),
        ("/ph/console/", "/ph/console/"),
    ] {
        let page = server.get(path);
        assert_eq!(page.status, 200, "{path}");
        assert_secured(&page, path);
        assert_eq!(
            page.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        assert_eq!(page.header("cache-control"), Some("no-cache"));
        let tag = page.header("etag").unwrap().to_owned();
        let known = Request::get(path).header("If-None-Match", &tag);
        let again = server.send(&known);
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
        assert_secured(&again, path);
        tags.push(tag);
        let links = links(&page.text());
        assert!(links.len() >= 5, "{links:?}");
        for link in links {
            let file = server.get(&format!("{folder}{link}"));
            assert_eq!(file.status, 200, "{path}: {link}");
            assert_secured(&file, &link);
            let caching = file.header("cache-control").unwrap();
            assert!(caching.contains("immutable"), "{link}: {caching}");
        }
        let head = server.send(&Request::new("HEAD", path));
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        assert_secured(&head, path);
        let wrong = server.send(&Request::post(path));
        let allowed = (wrong.status, wrong.header("allow"));
        assert_eq!(allowed, (405, Some("GET, OPTIONS, HEAD")), "{path}");
    }
    tags.dedup();
    assert_eq!(tags.len(), 1, "one content, one tag: {tags:?}");
}

#[test]
fn files_are_kept_by_their_content() {
    let server = sqlite();
    let tag = server.get("/console/").header("etag").unwrap().to_owned();
    let of = |tag: &str, name: &str| format!("/console/assets/{}/{name}", tag.trim_matches('"'));
    for (name, kind) in [
        ("console.js", "text/javascript; charset=utf-8"),
        ("console.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
        ("uPlot.LICENSE.txt", "text/plain; charset=utf-8"),
    ] {
        let file = server.get(&of(&tag, name));
        assert_eq!(file.header("content-type"), Some(kind), "{name}");
        let known = Request::get(&of(&tag, name)).header("If-None-Match", &tag);
        assert_eq!(server.send(&known).status, 304, "{name}");
        let head = server.send(&Request::new("HEAD", &of(&tag, name)));
        assert_eq!((head.status, head.body.len()), (200, 0), "{name}");
        // As a page of another version asks, while servers are being replaced.
        let other = server.get(&of("0123456789abcdef", name));
        assert_eq!((other.status, &other.body), (200, &file.body), "{name}");
        assert_eq!(other.header("cache-control"), Some("no-cache"), "{name}");
    }
    for path in [
        of(&tag, "nothing.js"),
        of(&tag, "..%2F..%2Fconsole.rs"),
        of(&tag, "index.html"),
    ] {
        let answer = server.get(&path);
        assert_eq!(answer.status, 404, "{path}");
        assert_secured(&answer, &path);
    }
    for path in ["/console/assets", "/console/x", "/console/assets/a/b/c"] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
}

#[test]
fn it_can_be_switched_off() {
    let database = Arc::new(Database::new(Kind::Sqlite));
    let server = server(&database).args(&["--console", "off"]).start();
    for path in [
        "/console",
        "/console/",
        "/console/assets/x/console.js",
        STREAM,
    ] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
    assert_eq!(server.send(&with_key("phx_all")).status, 404);
    assert_eq!(server.get("/metrics").status, 200);
}

/// Who keeps the admin side from clients keeps the page from them, too.
#[test]
fn it_is_where_the_admin_side_is() {
    let database = Arc::new(Database::new(Kind::Sqlite));
    let server = server(&database)
        .args(&["--admin-listen", "127.0.0.1:0"])
        .args(&["--metrics-listen", "127.0.0.1:0"])
        .start();
    let log = server.log();
    let lines: Vec<Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let address = |message: &str| {
        let mut lines = lines.iter().map(|line| line.get("fields").unwrap_or(line));
        let line = lines.find(|line| line["message"] == message).unwrap();
        line["address"].as_str().unwrap().to_owned()
    };
    let metrics = address("metrics are served");
    for elsewhere in [server.address(), &metrics] {
        let ask = |request: &Request| Connection::open(elsewhere).exchange(request);
        assert_eq!(ask(&Request::get("/console/")).status, 404);
        assert_eq!(ask(&with_key("phx_all")).status, 404);
    }
    let admin = address("the admin side is served");
    let page = Connection::open(&admin).exchange(&Request::get("/console/"));
    assert_eq!(page.status, 200);
    let mut watcher = Watcher::at(&admin, &with_key("phx_watcher"));
    assert_eq!(watcher.event().0, "hello");
}

/// While balancers are told, the page goes on and says so.
#[test]
fn draining_is_told() {
    let database = Arc::new(Database::new(Kind::Sqlite));
    let server = server(&database).args(&["--drain-delay-s", "3600"]).start();
    let mut watcher = Watcher::open(&server, "phx_watcher");
    assert_eq!(watcher.event().0, "hello");
    server.terminate();
    let state = loop {
        let (name, sample) = watcher.event();
        assert_eq!(name, "tick");
        if sample["state"]["is"] != json!("ready") {
            break sample["state"].clone();
        }
    };
    let expected = json!({"is": "not_ready", "why": "the server is stopping"});
    assert_eq!(state, expected);
}

#[test]
fn strangers_see_no_figures() {
    let server = sqlite();
    let bearer = |key: &str| Request::get(STREAM).header("Authorization", &format!("Bearer {key}"));
    for (request, status, code) in [
        (Request::get(STREAM), 401, "not_authenticated"),
        (bearer(""), 401, "not_authenticated"),
        (bearer("phx_nobody"), 401, "authentication_failed"),
        (bearer("phs_one"), 401, "authentication_failed"),
        (bearer("phc_local_dev"), 401, "authentication_failed"),
        // An address is seen by many.
        (
            Request::get("/console/stream?key=phx_all"),
            401,
            "not_authenticated",
        ),
        (
            Request::get("/console/stream?token=phx_all"),
            401,
            "not_authenticated",
        ),
        (
            Request::get(STREAM).header("Cookie", "key=phx_all"),
            401,
            "not_authenticated",
        ),
        (
            Request::get(STREAM).header("X-API-Key", "phx_all"),
            401,
            "not_authenticated",
        ),
        (bearer("phx_narrow"), 403, "permission_denied"),
    ] {
        let answer = server.send(&request);
        assert_eq!(answer.status, status, "{request:?}: {}", answer.text());
        assert_eq!(answer.json()["code"], json!(code), "{request:?}");
        assert_eq!(
            answer.header("cache-control"),
            Some("no-store"),
            "{request:?}"
        );
        assert_secured(&answer, &format!("{request:?}"));
    }
    let narrow = server.send(&bearer("phx_narrow")).json();
    assert!(
        narrow["detail"].as_str().unwrap().contains("console:read"),
        "{narrow}"
    );
    let head = server.send(&Request::new("HEAD", STREAM));
    assert_eq!(
        (head.status, head.header("allow")),
        (405, Some("GET, OPTIONS"))
    );
}

/// Somebody who watches.
struct Watcher {
    connection: Connection,
    text: String,
}

impl Watcher {
    #[track_caller]
    fn open(server: &TestServer, key: &str) -> Self {
        Self::at(server.address(), &with_key(key))
    }

    #[track_caller]
    fn at(address: &str, request: &Request) -> Self {
        let (connection, answer) = Self::ask(address, request);
        assert_eq!(answer.status, 200);
        assert_secured(&answer, "the stream");
        assert_eq!(answer.header("content-type"), Some("text/event-stream"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("x-accel-buffering"), Some("no"));
        Self {
            connection,
            text: String::new(),
        }
    }

    fn ask(address: &str, request: &Request) -> (Connection, Response) {
        let mut connection = Connection::open(address);
        connection.write(&request.bytes());
        let head = connection.read_head("GET");
        (connection, head)
    }

    /// Reads the next event, its name and its data; `None` when the stream has ended.
    #[track_caller]
    fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let (name, data) = frame.split_once('\n').expect(frame);
                let name = name.strip_prefix("event: ").expect(frame).to_owned();
                let data = data.strip_prefix("data: ").expect(frame);
                let data = serde_json::from_str(data).expect(frame);
                self.text = rest.to_owned();
                return Some((name, data));
            }
            let chunk = self.connection.read_chunk()?;
            self.text.push_str(&String::from_utf8(chunk).unwrap());
        }
    }

    #[track_caller]
    fn event(&mut self) -> (String, Value) {
        self.next().expect("the stream goes on")
    }

    /// Reads to the end of the stream, and returns what it said last.
    #[track_caller]
    fn end(&mut self) -> Value {
        let mut last = None;
        while let Some((name, data)) = self.next() {
            last = (name == "end").then_some(data);
        }
        last.expect("it says why it ends")
    }
}

/// Adds up the requests that were answered on a route, as `/metrics` counts them.
fn counted(server: &TestServer, route: &str) -> u64 {
    let text = server.get("/metrics").text();
    let label = format!("route=\"{route}\"");
    text.lines()
        .filter(|line| line.starts_with("burgee_http_requests_total{") && line.contains(&label))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}

fn of_route<'a>(sample: &'a Value, route: &str) -> Option<&'a Value> {
    let routes = sample["routes"].as_array().unwrap();
    routes.iter().find(|other| other["route"] == json!(route))
}

fn figures_are_those_of_metrics(kind: Kind) {
    let database = Arc::new(Database::new(kind));
    let server = server(&database).start();
    let mut watcher = Watcher::open(&server, "phx_watcher");
    let (name, hello) = watcher.event();
    assert_eq!(name, "hello");
    assert_eq!(hello["hello"]["version"], json!(env!("CARGO_PKG_VERSION")));
    for pointer in [
        "/hello/plan/http_workers",
        "/hello/plan/database_threads",
        "/hello/started",
    ] {
        assert!(
            hello.pointer(pointer).unwrap().as_i64().unwrap() > 0,
            "{pointer}"
        );
    }
    assert!(!hello["hello"]["instance"].as_str().unwrap().is_empty());
    let body = json!({"token": "phc_local_dev", "distinct_id": "u"});
    for _ in 0..20 {
        server.flags(2, &body);
    }
    let expected = counted(&server, "/flags");
    assert_eq!(expected, 20);
    let mut answered = 0.0;
    let sample = loop {
        let (name, sample) = watcher.event();
        assert_eq!(name, "tick");
        answered += of_route(&sample, "/flags")
            .map(|flags| flags["rate"].as_f64().unwrap() * sample["span"].as_f64().unwrap())
            .unwrap_or_default();
        let total = of_route(&sample, "/flags").and_then(|flags| flags["total"].as_u64());
        if total == Some(expected) {
            break sample;
        }
    };
    // Rates have four digits.
    assert!((answered - 20.0).abs() < 0.1, "{answered}");
    assert_eq!(sample["state"], json!({"is": "ready", "why": null}));
    let mailboxes = sample["mailboxes"].as_array().unwrap();
    let is_bounded = |mailbox: &Value| mailbox["capacity"].as_f64().unwrap() > 0.0;
    assert!(
        mailboxes.len() > 4 && mailboxes.iter().all(is_bounded),
        "{mailboxes:?}"
    );
    for pointer in [
        "/memory/resident",
        "/memory/threads",
        "/pool/connections",
        "/definitions/projects",
    ] {
        assert!(
            sample.pointer(pointer).unwrap().as_f64().unwrap() > 0.0,
            "{pointer}"
        );
    }
    assert!(!sample["loops"].as_array().unwrap().is_empty());
    // Whoever comes later is told what was before.
    let (_, late) = Watcher::open(&server, "phx_all").event();
    let history = late["history"].as_array().unwrap();
    let is_known = history.iter().any(|past| past["at"] == sample["at"]);
    assert!(is_known, "{} samples", history.len());
    let text = late.to_string() + &sample.to_string();
    for secret in ["phx_", "phs_", "phc_", "\"u\"", "beta"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

fn a_stream_ends_with_its_key(kind: Kind) {
    let database = Arc::new(Database::new(kind));
    let server = server(&database).start();
    let mut gone = Watcher::open(&server, "phx_watcher");
    let mut stays = Watcher::open(&server, "phx_all");
    let file = project(json!([{"label": "all", "key": "phx_all", "scopes": ["*"]}]));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file.json");
    std::fs::write(&path, file.to_string()).unwrap();
    let path = path.to_str().unwrap();
    burgee(&[
        "apply",
        "-f",
        path,
        "--prune",
        "--database-url",
        database.url(),
    ])
    .expect_code(0);
    assert_eq!(gone.end(), json!("key"));
    assert_eq!(server.send(&with_key("phx_watcher")).status, 401);
    for _ in 0..3 {
        stays.event();
    }
}

/// Running requests have an hour to end, and streams would take longer.
fn streams_end_when_the_server_stops(kind: Kind) {
    let database = Arc::new(Database::new(kind));
    let server = server(&database).arg("--shutdown-timeout-s=3600").start();
    let mut watchers = ["phx_watcher", "phx_all"].map(|key| Watcher::open(&server, key));
    server.terminate();
    for watcher in &mut watchers {
        assert_eq!(watcher.end(), json!("stopping"));
    }
    server.expect_clean_exit();
}

#[test]
fn only_so_many_may_watch() {
    let server = sqlite();
    let mut watchers: Vec<_> = (0..16)
        .map(|_| Watcher::open(&server, "phx_watcher"))
        .collect();
    let refused = server.send(&with_key("phx_watcher"));
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, Some("30"))
    );
    assert_secured(&refused, "no place");
    let metrics = server.get("/metrics").text();
    assert!(
        metrics.contains("\nburgee_console_watchers 16\n"),
        "{metrics}"
    );
    watchers.pop();
    eventually("a place", || {
        let (_connection, answer) = Watcher::ask(server.address(), &with_key("phx_watcher"));
        (answer.status == 200).then_some(())
    });
}

/// In a browser, with load: pictures of it are left in `target/console`.
#[test]
fn the_page_works_in_a_browser() {
    let database = Arc::new(Database::new(Kind::Sqlite));
    let start = || {
        server(&database)
            .arg("--log-level=warn,burgee=info")
            .start()
    };
    let mut running = Some(start());
    let directory = tempfile::tempdir().unwrap();
    let address = directory.path().join("address");
    let point_at = |server: &TestServer| std::fs::write(&address, server.address()).unwrap();
    point_at(running.as_ref().unwrap());
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/console");
    std::fs::create_dir_all(&pictures).unwrap();
    ClientProgram::node("console.mjs")
        .arg(address.to_str().unwrap())
        .arg(pictures.to_str().unwrap())
        .arg("phx_watcher")
        .expect_checks(50, |line| match line {
            "stop" => running.take().unwrap().stop(),
            "start" => {
                let server = start();
                point_at(&server);
                running = Some(server);
            }
            _ => {}
        });
}
