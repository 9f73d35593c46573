//! Every error that the OpenAPI document names is brought about, and is what the document shows as its example.

use super::openapi::{Document, Draft, Operation, prepare};
use base64::Engine as _;
use burgee_integration_tests::deadline::eventually;
use burgee_integration_tests::http::{Connection, Response};
use burgee_integration_tests::{Database, Kind, TestServer};
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::Arc;

on_both_databases!(every_documented_error_is_reached);

/// Errors that no request brings about, each with where it is tested instead.
const UNREACHABLE: [(&str, &str); 3] = [
    (
        "database",
        "a statement that fails: there is none that a request could make fail",
    ),
    ("internal", "a crash: server/src/routes/tests.rs makes one"),
    (
        "unexpected",
        "definitions that cannot be written: there are none that were compiled before",
    ),
];

/// Errors that need a database that can be taken away, which a file cannot.
const OUTAGES: [&str; 4] = [
    "starting",
    "unavailable",
    "database_unavailable",
    "timed_out",
];

fn every_documented_error_is_reached(kind: Kind) {
    let scripts = tempfile::tempdir().unwrap();
    let database = Arc::new(match kind {
        Kind::Sqlite => Database::new(kind),
        Kind::Postgres => Database::private(),
    });
    let server = prepare(TestServer::with(&database), &scripts).start();
    let document = Document::of(&server);
    let mut reached = Reached::of(&document);
    refused_by_content(&mut reached, &server);
    refused_by_wire(&mut reached, &server);
    server.stop();
    refused_by_limit(&mut reached, &database, &scripts);
    refused_when_busy(&mut reached, &database, &scripts);
    if kind == Kind::Postgres {
        refused_in_outage(&mut reached, &database, &scripts);
    }
    reached.assert_complete(kind);
}

/// Which errors were documented, and which were seen.
struct Reached<'a> {
    operations: Vec<Operation<'a>>,
    seen: BTreeSet<(String, String)>,
    /// Answers that were not as documented.
    wrong: Vec<String>,
}

impl<'a> Reached<'a> {
    fn of(document: &'a Document) -> Self {
        Self {
            operations: document.operations(),
            seen: BTreeSet::new(),
            wrong: Vec::new(),
        }
    }

    /// Brings an error about wherever it is documented.
    #[track_caller]
    fn each(&mut self, fault: &str, mut bring: impl FnMut(&Operation<'_>) -> Response) {
        let mut count = 0;
        for operation in &self.operations {
            if !has(operation, fault) {
                continue;
            }
            let answer = bring(operation);
            match compare(operation, fault, &answer) {
                Ok(()) => drop(self.seen.insert((operation.name.clone(), fault.to_owned()))),
                Err(wrong) => self.wrong.push(wrong),
            }
            count += 1;
        }
        assert!(count > 0, "nothing documents {fault}");
    }

    /// The same by a request that is an operation's example with a change.
    #[track_caller]
    fn by(
        &mut self,
        server: &TestServer,
        fault: &str,
        change: impl Fn(&Operation<'_>, &mut Draft),
    ) {
        self.each(fault, |operation| {
            let mut draft = operation.example();
            change(operation, &mut draft);
            draft.send(server, operation.is_stream())
        });
    }

    fn assert_complete(&self, kind: Kind) {
        assert!(self.wrong.is_empty(), "{:#?}", self.wrong);
        let mut missing = Vec::new();
        for operation in &self.operations {
            for fault in faults(operation) {
                let is_excepted = UNREACHABLE.iter().any(|(name, _)| *name == fault)
                    || kind == Kind::Sqlite && OUTAGES.contains(&fault.as_str());
                let pair = (operation.name.clone(), fault);
                if !is_excepted && !self.seen.contains(&pair) {
                    missing.push(pair);
                }
            }
        }
        assert_eq!(missing, [], "documented, and not reached by any request");
        assert!(self.seen.len() > 200, "{}", self.seen.len());
    }
}

/// The names of an operation's errors.
fn faults(operation: &Operation<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for answer in operation.described["responses"]
        .as_object()
        .unwrap()
        .values()
    {
        for content in answer["content"].as_object().into_iter().flatten() {
            let examples = content.1["examples"].as_object();
            names.extend(examples.into_iter().flatten().map(|(name, _)| name.clone()));
        }
    }
    names
}

fn has(operation: &Operation<'_>, fault: &str) -> bool {
    faults(operation).iter().any(|name| name == fault)
}

/// Says what is wrong where an answer is not the documented example of an error: status, content type and body.
fn compare(operation: &Operation<'_>, fault: &str, answer: &Response) -> Result<(), String> {
    let what = format!(
        "{} {fault}: {} {}",
        operation.name,
        answer.status,
        answer.text()
    );
    let content = operation.documented(answer)?;
    let example = content["examples"].get(fault);
    let example = &example.ok_or_else(|| format!("no such example: {what}"))?["value"];
    let body = serde_json::from_slice(&answer.body).unwrap_or(Value::String(answer.text()));
    if told(&body) != told(example) {
        return Err(format!("{example} was expected: {what}"));
    }
    let headers = &operation.described["responses"][answer.status.to_string()]["headers"];
    if answer.header("retry-after").is_some() && headers.get("Retry-After").is_none() {
        return Err(format!("no Retry-After was expected: {what}"));
    }
    Ok(())
}

/// Returns a body as text without its numbers: limits and times are not the same everywhere.
fn told(body: &Value) -> String {
    let text = body.to_string();
    let parts = text.split(|c: char| c.is_ascii_digit());
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    parts.join("#")
}

/// What is asked for in a body, or in the query of a GET with events.
fn set_json(draft: &mut Draft, text: impl AsRef<[u8]>) {
    if draft.method == "GET" {
        let packed = base64::engine::general_purpose::STANDARD.encode(text);
        draft.set_query("data", &packed);
    } else {
        draft.body = Some(text.as_ref().to_vec());
    }
}

fn set_form(draft: &mut Draft, body: &[u8]) {
    draft.content_type = Some("application/x-www-form-urlencoded".to_owned());
    draft.body = Some(body.to_vec());
}

fn is_events_v1(operation: &Operation<'_>) -> bool {
    operation.path.starts_with("/i/v1/")
}

fn is_events(operation: &Operation<'_>) -> bool {
    operation.described["tags"][0] == "events"
}

fn is_openfeature(operation: &Operation<'_>) -> bool {
    operation.path.starts_with("/ofrep/")
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// What is wrong with a request is said in it.
fn refused_by_content(reached: &mut Reached<'_>, server: &TestServer) {
    refused_by_body(reached, server);
    refused_by_members(reached, server);
    refused_by_key(reached, server);
    refused_by_rules(reached, server);
    reached.by(server, "unknown_project", |_, draft| {
        draft.path = draft.path.replace("phc_local_dev", "phc_nobody");
    });
    reached.by(server, "not_found", |operation, draft| {
        draft.path = operation.path.replace('{', "no-").replace('}', "");
    });
    reached.by(server, "no_such_flag", |_, draft| {
        draft.path = draft.path.replace("search-limits", "nobody");
    });
    reached.by(server, "flag_not_found", |_, draft| {
        draft.bearer("phs_other")
    });
    reached.by(server, "flag_failed", |_, draft| draft.bearer("phc_broken"));
}

fn refused_by_body(reached: &mut Reached<'_>, server: &TestServer) {
    reached.by(server, "invalid_json", |_, draft| set_json(draft, "{"));
    reached.by(server, "too_deep", |_, draft| {
        set_json(draft, "[".repeat(200))
    });
    for fault in ["broken_gzip", "unpackable"] {
        reached.by(server, fault, |_, draft| {
            draft.set_header("Content-Encoding", "gzip");
        });
    }
    reached.by(server, "unsupported_encoding", |_, draft| {
        draft.set_header("Content-Encoding", "lzma");
    });
    reached.by(server, "unsupported_content_type", |_, draft| {
        draft.content_type = Some("application/xml".to_owned());
    });
    reached.by(server, "packed_form", |_, draft| {
        set_form(draft, &gzipped(b"data=e30"))
    });
    reached.by(server, "invalid_form", |_, draft| {
        match draft.method.as_str() {
            "GET" => draft.set_query("data", "***"),
            _ => set_form(draft, b"data=***"),
        }
    });
    reached.by(server, "unsupported_compression", |_, draft| {
        draft.set_query("compression", "lz4");
    });
    reached.by(server, "too_large", |_, draft| {
        set_json(draft, vec![b' '; 2 * 1024 * 1024 + 1]);
    });
    reached.by(server, "unpacks_too_large", |operation, draft| {
        set_json(draft, gzipped(&vec![b' '; 20 * 1024 * 1024 + 1]));
        if is_events_v1(operation) {
            draft.set_header("Content-Encoding", "gzip");
        }
    });
}

fn refused_by_members(reached: &mut Reached<'_>, server: &TestServer) {
    let many = vec!["a"; 10_001];
    reached.by(server, "too_many_entries", |operation, draft| {
        let body = match is_openfeature(operation) {
            true => json!({"context": {"targetingKey": "ada", "evaluation_contexts": many}}),
            false => json!({"token": "phc_local_dev", "distinct_id": "ada", "flag_keys": many}),
        };
        set_json(draft, body.to_string());
    });
    reached.by(server, "missing_distinct_id", |_, draft| {
        set_json(draft, json!({"token": "phc_local_dev"}).to_string());
    });
    for (fault, body) in [
        ("no_context", json!({})),
        ("no_targeting_key", json!({"context": {}})),
        (
            "unusable_member",
            json!({"context": {"targetingKey": "ada", "groups": 3}}),
        ),
        (
            "no_events",
            json!({"api_key": "phc_local_dev", "batch": []}),
        ),
        (
            "no_name",
            json!({"api_key": "phc_local_dev", "distinct_id": "ada"}),
        ),
        (
            "no_distinct_id",
            json!({"api_key": "phc_local_dev", "event": "a"}),
        ),
        (
            "different_tokens",
            json!([{"token": "a", "event": "a", "distinct_id": "a"}, {"token": "b", "event": "b", "distinct_id": "b"}]),
        ),
        (
            "too_many_events",
            json!({"batch": vec![json!({"uuid": "a"}); 20_001]}),
        ),
    ] {
        reached.by(server, fault, |_, draft| set_json(draft, body.to_string()));
    }
}

/// What the rules of the admin API do not allow.
fn refused_by_rules(reached: &mut Reached<'_>, server: &TestServer) {
    reached.by(server, "no_such_object", |_, draft| {
        draft.path = draft.path.replace("@current", "1");
        draft.bearer("phx_other");
    });
    for (fault, body) in [
        ("required", json!({})),
        (
            "unique",
            json!({"key": "pricing-page", "filters": {"groups": [{}]}}),
        ),
        ("invalid_key", json!({"key": "a b"})),
        (
            "invalid_input",
            json!({"key": "a-b", "archived": true, "active": true}),
        ),
        ("blank", json!({"name": " ", "is_static": true})),
        ("conflict", json!({"version": 0})),
    ] {
        reached.by(server, fault, |_, draft| set_json(draft, body.to_string()));
    }
    reached.by(server, "upload_too_large", |_, draft| {
        let name = "a".repeat((1 << 20) + 1);
        draft.content_type = Some("multipart/form-data; boundary=b".to_owned());
        let form = format!(
            "--b\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\n{name}\r\n--b--\r\n"
        );
        draft.body = Some(form.into_bytes());
    });
}

/// Says a token that no project has, or another credential, where this operation looks for one.
fn set_token(operation: &Operation<'_>, draft: &mut Draft, token: Option<&str>) {
    if operation.described["tags"][0] == "admin" {
        return draft.bearer(token.unwrap_or_default());
    }
    let event = json!({"event": "a", "distinct_id": "a", "token": token});
    match (is_events(operation), is_openfeature(operation)) {
        (true, _) if is_events_v1(operation) => match token {
            Some(token) => draft.bearer(token),
            None => draft.credential = None,
        },
        (true, _) => set_json(draft, event.to_string()),
        (_, true) if operation.is_stream() => draft.set_query("token", token.unwrap_or_default()),
        (_, true) => draft.bearer(token.unwrap_or_default()),
        _ if operation.method == "POST" => {
            set_json(
                draft,
                json!({"token": token, "distinct_id": "a"}).to_string(),
            );
        }
        _ if draft.path.contains("phc_local_dev") => {
            let token = token.unwrap_or_default();
            draft.path = draft.path.replace("phc_local_dev", token);
        }
        _ => draft.set_query("token", token.unwrap_or_default()),
    }
}

fn refused_by_key(reached: &mut Reached<'_>, server: &TestServer) {
    reached.by(server, "no_token", |operation, draft| {
        set_token(operation, draft, None)
    });
    reached.by(server, "unknown_token", |operation, draft| {
        set_token(operation, draft, Some("phc_nobody"));
    });
    reached.by(server, "no_credentials", |_, draft| {
        draft.query.retain(|(name, _)| name != "token");
        draft.credential = None;
    });
    for (fault, key) in [
        ("invalid_personal_key", "phx_nobody"),
        ("invalid_secret_key", "phs_nobody"),
        ("missing_scope", "phx_nothing"),
    ] {
        reached.by(server, fault, |_, draft| draft.bearer(key));
    }
    reached.by(server, "wrong_project", |_, draft| {
        draft.path = draft.path.replace("@current", "1");
        draft.bearer("phs_other");
    });
}

/// Begins a request whose body does not come to its end.
fn half_sent(server: &TestServer, operation: &Operation<'_>) -> Connection {
    let mut draft = operation.example();
    let whole = draft.body.take().unwrap();
    draft.set_header("Content-Length", &(whole.len() + 10).to_string());
    let mut bytes = draft.request().bytes();
    bytes.extend_from_slice(&whole);
    let mut connection = server.connect();
    connection.write(&bytes);
    connection
}

/// What is wrong is how the request comes.
fn refused_by_wire(reached: &mut Reached<'_>, server: &TestServer) {
    reached.each("incomplete", |operation| {
        let mut connection = half_sent(server, operation);
        connection.finish_writing();
        connection.read(&operation.method)
    });
    // All at once: each of them waits as long as a body may take.
    let slow = reached.operations.iter().filter(|it| has(it, "too_slow"));
    let mut waiting: Vec<Connection> = slow.map(|it| half_sent(server, it)).collect();
    waiting.reverse();
    reached.each("too_slow", |operation| {
        let mut connection = waiting.pop().expect("one for each");
        connection.read(&operation.method)
    });
}

/// Sends an operation's example until it is answered with a status.
fn until(server: &TestServer, operation: &Operation<'_>, statuses: &[u16]) -> Response {
    eventually(&operation.name, || {
        let answer = operation.example().send(server, operation.is_stream());
        statuses.contains(&answer.status).then_some(answer)
    })
}

fn refused_by_limit(
    reached: &mut Reached<'_>,
    database: &Arc<Database>,
    scripts: &tempfile::TempDir,
) {
    let limits = [
        "--rate-limit-address-per-s=1",
        "--rate-limit-address-burst=1",
    ];
    let definitions = [
        "--rate-limit-definitions-per-s=1",
        "--rate-limit-definitions-burst=1",
    ];
    let server = prepare(TestServer::with(database), scripts)
        .args(&limits)
        .args(&definitions)
        .start();
    reached.each("rate_limited", |operation| {
        until(&server, operation, &[429])
    });
    server.stop();
}

/// One request is let in at a time, and somebody is always in.
fn refused_when_busy(
    reached: &mut Reached<'_>,
    database: &Arc<Database>,
    scripts: &tempfile::TempDir,
) {
    for (fault, status) in [("busy", 503), ("busy_try_again", 504)] {
        let server = prepare(TestServer::with(database), scripts)
            .arg("--max-in-flight=1")
            .arg(&format!("--overload-status={status}"))
            .start();
        let document = Document::of(&server);
        let operations = document.operations();
        let slow = operations
            .iter()
            .find(|it| it.name == "POST /flags")
            .unwrap();
        reached.each(fault, |operation| {
            eventually(&operation.name, || {
                // Another one each time: the one before may have been refused, or not be in yet.
                let _inside = half_sent(&server, slow);
                let answer = operation.example().send(&server, operation.is_stream());
                (answer.status == status).then_some(answer)
            })
        });
        server.stop();
    }
}

/// The database is stopped, and then it stands still.
fn refused_in_outage(
    reached: &mut Reached<'_>,
    database: &Arc<Database>,
    scripts: &tempfile::TempDir,
) {
    let server = prepare(TestServer::with(database), scripts)
        .env("BURGEE_POOL_ACQUIRE_TIMEOUT_MS", "500")
        .start();
    database.server().stop().unwrap();
    reached.by(&server, "unavailable", |operation, draft| {
        set_token(operation, draft, Some("phc_another"));
    });
    reached.by(&server, "database_unavailable", |_, draft| {
        draft.bearer("phx_another")
    });
    drop(server);
    let server = prepare(TestServer::with(database), scripts).spawn();
    reached.each("starting", |operation| until(&server, operation, &[503]));
    drop(server);
    database.server().resume().unwrap();
    let mut server = prepare(TestServer::with(database), scripts);
    for (name, value) in [
        ("BURGEE_POOL_ACQUIRE_TIMEOUT_MS", "600000"),
        ("BURGEE_QUERY_TIMEOUT_MS", "600000"),
        ("BURGEE_REQUEST_TIMEOUT_MS", "500"),
        ("BURGEE_ADMIN_TIMEOUT_MS", "500"),
        ("BURGEE_EVENT_TIMEOUT_MS", "500"),
    ] {
        server = server.env(name, value);
    }
    let server = server.start();
    let frozen = database.server().freeze().unwrap();
    reached.by(&server, "timed_out", |operation, draft| {
        set_token(operation, draft, Some("phc_yet_another"));
    });
    drop(frozen);
    server.stop();
}
