//! The OpenAPI document: how it is served, that its examples are answered as it says, and what schemathesis finds.

use super::local_definitions::{tag, with_keys, with_other};
use burgee_integration_tests::clients::ClientProgram;
use burgee_integration_tests::http::{Request, Response};
use burgee_integration_tests::{
    FlagBuilder, Kind, ProjectBuilder, ServerBuilder, TestServer, burgee, filter,
};
use serde_json::{Value, json};

on_both_databases!(
    every_example_is_answered_as_documented,
    schemathesis_finds_nothing,
);

/// With which requests schemathesis begins; another number makes others.
const SEED: &str = "20260105";

/// The document of a server.
pub(super) struct Document(Value);

/// A method of a path, and what the document says of it.
pub(super) struct Operation<'a> {
    /// Such as `POST /flags`.
    pub(super) name: String,
    pub(super) method: String,
    pub(super) path: &'a str,
    pub(super) described: &'a Value,
}

/// A request to be: what a test may change before it is sent.
#[derive(Clone)]
pub(super) struct Draft {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) credential: Option<(&'static str, String)>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) content_type: Option<String>,
    pub(super) body: Option<Vec<u8>>,
}

impl Document {
    pub(super) fn of(server: &TestServer) -> Self {
        Self(server.get("/openapi.json").json())
    }

    /// Every operation.
    pub(super) fn operations(&self) -> Vec<Operation<'_>> {
        let mut all = Vec::new();
        for (path, item) in self.0["paths"].as_object().unwrap() {
            for (method, described) in item.as_object().unwrap() {
                let method = method.to_uppercase();
                all.push(Operation {
                    name: format!("{method} {path}"),
                    method,
                    path,
                    described,
                });
            }
        }
        assert!(all.len() > 40, "{}", all.len());
        all
    }
}

impl Operation<'_> {
    /// Returns the request that the document gives as an example.
    pub(super) fn example(&self) -> Draft {
        let mut draft = Draft {
            method: self.method.clone(),
            path: self.path.to_owned(),
            query: Vec::new(),
            credential: None,
            headers: Vec::new(),
            content_type: None,
            body: None,
        };
        for parameter in self.described["parameters"]
            .as_array()
            .into_iter()
            .flatten()
        {
            if parameter["required"] != true {
                continue;
            }
            let name = parameter["name"].as_str().unwrap();
            let value = parameter["example"].as_str().expect(name).to_owned();
            match parameter["in"].as_str().unwrap() {
                "path" => draft.path = draft.path.replace(&format!("{{{name}}}"), &value),
                "query" => draft.query.push((name.to_owned(), value)),
                _ => draft.headers.push((name.to_owned(), value)),
            }
        }
        if let Some(requirement) = self.described["security"].get(0) {
            draft.present(requirement.as_object().unwrap().keys().next().unwrap());
        }
        let content = &self.described["requestBody"]["content"]["application/json"];
        if let Some(example) = content.get("example") {
            draft.content_type = Some("application/json".to_owned());
            draft.body = Some(example.to_string().into_bytes());
        }
        draft
    }

    /// Returns whether its answer is a stream, which does not end.
    pub(super) fn is_stream(&self) -> bool {
        let content = &self.described["responses"]["200"]["content"];
        content.get("text/event-stream").is_some()
    }

    /// Returns what the document says of an answer like this one; `Err` says that it says nothing.
    pub(super) fn documented(&self, answer: &Response) -> Result<&Value, String> {
        let what = format!("{}: {} {}", self.name, answer.status, answer.text());
        let status = answer.status.to_string();
        let documented = self.described["responses"].get(&status);
        let documented = documented.ok_or_else(|| format!("no such status: {what}"))?;
        let Some(content) = documented.get("content") else {
            let is_empty = answer.body.is_empty();
            return is_empty
                .then_some(documented)
                .ok_or_else(|| format!("no body: {what}"));
        };
        let content_type = answer.header("content-type").unwrap_or_default();
        let essence = content_type.split(';').next().unwrap();
        let content = content.get(essence);
        content.ok_or_else(|| format!("no {essence}: {what}"))
    }
}

impl Draft {
    /// Takes the credential that one of the document's schemes asks for.
    fn present(&mut self, scheme: &str) {
        match scheme {
            "key" => self.bearer("phs_local_dev"),
            "personal_key" => self.bearer("phx_local_dev"),
            "project_token" => self.bearer("phc_local_dev"),
            "api_key" => self.credential = Some(("X-API-Key", "phc_local_dev".to_owned())),
            "token_in_query" => self.set_query("token", "phc_local_dev"),
            other => panic!("a scheme that the test does not know: {other}"),
        }
    }

    pub(super) fn bearer(&mut self, key: &str) {
        self.query.retain(|(name, _)| name != "token");
        self.credential = Some(("Authorization", format!("Bearer {key}")));
    }

    pub(super) fn set_query(&mut self, name: &str, value: &str) {
        self.query.retain(|(other, _)| other != name);
        self.query.push((name.to_owned(), value.to_owned()));
    }

    pub(super) fn set_header(&mut self, name: &str, value: &str) {
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    /// Returns the request.
    pub(super) fn request(&self) -> Request {
        let mut target = self.path.clone();
        for (index, (name, value)) in self.query.iter().enumerate() {
            let separator = if index == 0 { '?' } else { '&' };
            target.push_str(&format!("{separator}{name}={value}"));
        }
        let mut request = Request::new(&self.method, &target);
        let credential = self.credential.iter();
        for (name, value) in credential {
            request = request.header(name, value);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(content_type) = &self.content_type {
            request = request.header("Content-Type", content_type);
        }
        match &self.body {
            Some(body) => request.body(body.clone()),
            None => request,
        }
    }

    /// Sends it. Of a stream only the head is read.
    #[track_caller]
    pub(super) fn send(&self, server: &TestServer, is_stream: bool) -> Response {
        let mut connection = server.connect();
        if !is_stream {
            return connection.exchange(&self.request());
        }
        connection.write(&self.request().bytes());
        let mut answer = connection.read_head(&self.method);
        if answer.status != 200 {
            let length = answer.header("content-length").unwrap_or("0");
            answer.body = connection.take(length.parse().unwrap());
        }
        answer
    }
}

/// A project in which every example finds what it asks for, one where nothing is, and one whose flag cannot be evaluated.
pub(super) fn project() -> Value {
    let payload = FlagBuilder::new("search-limits")
        .id(2)
        .with("is_remote_configuration", json!(true))
        .filters("payloads", json!({"true": "{\"limit\": 10}"}));
    let pricing = FlagBuilder::new("pricing-page")
        .id(3)
        .when(filter::person("plan", "exact", "enterprise"))
        .variants(&[("bold", 100)]);
    let keys = json!([
        {"label": "all", "key": "phx_local_dev", "scopes": ["*"]},
        {"label": "nothing", "key": "phx_nothing", "scopes": ["session_recording:read"]},
    ]);
    let project = with_keys(ProjectBuilder::new())
        .with("personal_keys", keys)
        .cohort(json!({"id": 1, "name": "Beta testers", "is_static": true}))
        .group_types(&["company"])
        .flag(payload)
        .flag(pricing)
        .person(&["ada"], json!({"plan": "enterprise"}))
        .group("company", "acme", json!({"seats": 40}));
    let mut file = with_other(project.file());
    let broken = FlagBuilder::new("pricing-page")
        .id(30)
        .when(filter::cohort(404));
    file["projects"].as_array_mut().unwrap().push(json!({
        "id": 3, "name": "Broken", "token": "phc_broken", "flags": [Value::from(broken)],
    }));
    file
}

/// Prepares a server with that project, and a directory of scripts.
pub(super) fn prepare(server: ServerBuilder, scripts: &tempfile::TempDir) -> ServerBuilder {
    std::fs::write(scripts.path().join("array.js"), "!function(){}();").unwrap();
    server
        .project(&project())
        .arg("--lenient")
        .args(&["--static-dir", scripts.path().to_str().unwrap()])
}

fn every_example_is_answered_as_documented(kind: Kind) {
    let scripts = tempfile::tempdir().unwrap();
    let server = prepare(TestServer::on(kind), &scripts).start();
    let document = Document::of(&server);
    for operation in document.operations() {
        let answer = operation.example().send(&server, operation.is_stream());
        let is_good = (200..300).contains(&answer.status);
        assert!(
            is_good,
            "{}: {} {}",
            operation.name,
            answer.status,
            answer.text()
        );
        let content = operation.documented(&answer).unwrap();
        assert!(content.get("example").is_some(), "{}", operation.name);
        for name in header_names(&operation, &answer.status.to_string()) {
            // It is there only where something is to be sent again.
            let may_lack = name == "Retry-After";
            assert!(
                may_lack || answer.header(&name).is_some(),
                "{} {name}",
                operation.name
            );
        }
    }
    server.stop();
}

fn header_names(operation: &Operation<'_>, status: &str) -> Vec<String> {
    let headers = &operation.described["responses"][status]["headers"];
    let headers = headers.as_object().into_iter().flatten();
    headers.map(|(name, _)| name.clone()).collect()
}

fn schemathesis_finds_nothing(kind: Kind) {
    let server = TestServer::on(kind).arg("--demo").start();
    ClientProgram::openapi()
        .arg(&format!("http://{}", server.address()))
        .arg(SEED)
        .expect_checks(150, |_| {});
    let log = server.log();
    assert!(!log.contains("panicked"), "{log}");
    server.stop();
}

#[test]
fn the_document_is_served_with_a_tag_and_printed() {
    let server = TestServer::on(Kind::Sqlite).start();
    let answer = server.get("/openapi.json");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    let tag = tag(&answer);
    for path in ["/openapi.json", "/openapi.json/"] {
        let again = server.send(&Request::get(path).header("If-None-Match", &tag));
        assert_eq!((again.status, again.text().as_str()), (304, ""), "{path}");
        assert_eq!(again.header("etag"), Some(tag.as_str()));
    }
    let head = server.send(&Request::new("HEAD", "/openapi.json"));
    assert_eq!(
        (head.status, head.header("etag")),
        (200, Some(tag.as_str()))
    );
    let printed = burgee(&["openapi"]).expect_code(0).stdout;
    assert_eq!(
        serde_json::from_str::<Value>(&printed).unwrap(),
        answer.json()
    );
}

#[test]
fn the_document_knows_the_base_path() {
    let server = TestServer::on(Kind::Sqlite)
        .args(&["--base-path", "/ph"])
        .start();
    let document = server.get("/ph/openapi.json").json();
    assert_eq!(document["servers"], json!([{"url": "/ph"}]));
}

/// Chromium shows every operation, and its log has no word of anything that the page's policy kept it from.
#[test]
fn the_page_shows_the_document() {
    let server = TestServer::on(Kind::Sqlite).start();
    for path in ["docs", "docs/"] {
        ClientProgram::node("docs_page.mjs")
            .arg(&format!("http://{}/{path}", server.address()))
            .expect_checks(5, |_| {});
    }
}

/// Returns what a page asks for, as `src`, `href` and the document.
fn asked_for(page: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for attribute in ["src=\"", "href=\"", "data-document=\""] {
        let rest = page.split(attribute).skip(1);
        found.extend(rest.filter_map(|rest| rest.split('"').next()));
    }
    found
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let server = TestServer::on(Kind::Sqlite).start();
    for (path, folder) in [("/docs", "/"), ("/docs/", "/docs/")] {
        let page = server.get(path);
        assert_eq!(
            page.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert!(!policy.contains("http"), "{policy}");
        let page = page.text();
        let mut asked = 0;
        for link in asked_for(&page) {
            if link == "data:," {
                continue;
            }
            let target = match link.strip_prefix("../") {
                Some(outside) => format!("/{outside}"),
                None => format!("{folder}{link}"),
            };
            let answer = server.get(&target);
            assert_eq!(answer.status, 200, "{path}: {link}");
            let packed = server.send(&Request::get(&target).header("Accept-Encoding", "gzip"));
            let is_packed = packed.header("content-encoding") == Some("gzip");
            assert!(
                !is_packed || packed.body.len() < answer.body.len(),
                "{target}"
            );
            asked += 1;
        }
        assert_eq!(asked, 5, "{page}");
    }
    assert_eq!(server.get("/docs/../openapi.json").status, 404);
    assert_eq!(server.get("/docs/swagger-ui.css").status, 404);
}
