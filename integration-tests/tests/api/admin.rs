//! The admin API (http-api 9): who may ask, what is refused, and that changes are served at once, here and elsewhere.

use burgee_integration_tests::deadline::eventually;
use burgee_integration_tests::http::{Request, Response};
use burgee_integration_tests::{Database, FlagBuilder, Kind, ProjectBuilder, TestServer};
use serde_json::{Value, json};
use std::sync::Arc;

/// Project 1 with a key for everything (`phx_all`) and several for less; project 2 with one for everything (`phx_other`).
pub(crate) fn world(project: ProjectBuilder) -> Value {
    let key = |label: &str, scopes: &[&str]| json!({"label": label, "key": format!("phx_{label}"), "scopes": scopes});
    let first = project
        .with("secret_tokens", json!(["phs_local_dev"]))
        .push("personal_keys", key("all", &["*"]))
        .push("personal_keys", key("reader", &["feature_flag:read"]))
        .push("personal_keys", key("writer", &["feature_flag:write"]))
        .push(
            "personal_keys",
            key("cohorts", &["cohort:write", "person:read"]),
        )
        .push("personal_keys", key("nothing", &["group:read"]))
        .file();
    let second = ProjectBuilder::new()
        .with("id", json!(2))
        .with("token", json!("phc_other"))
        .push("personal_keys", key("other", &["*"]))
        .flag(FlagBuilder::new("elsewhere").id(900))
        .cohort(json!({"id": 900, "name": "Elsewhere", "is_static": true}))
        .person(&["stranger"], json!({}))
        .file();
    json!({"projects": [first["projects"][0], second["projects"][0]]})
}

/// A server, asked with one key.
pub(crate) struct Admin<'s> {
    pub(crate) server: &'s TestServer,
    pub(crate) key: &'static str,
}

impl<'s> Admin<'s> {
    pub(crate) fn of(server: &'s TestServer) -> Self {
        Self {
            server,
            key: "phx_all",
        }
    }

    pub(crate) fn with(&self, key: &'static str) -> Self {
        Self {
            server: self.server,
            key,
        }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> Request {
        Request::new(method, path).header("Authorization", &format!("Bearer {}", self.key))
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: &Value) -> Response {
        self.server.send(&self.request(method, path).json(body))
    }

    pub(crate) fn ask(&self, path: &str) -> Response {
        self.server.send(&self.request("GET", path))
    }

    /// Reads something that is there.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        let answer = self.ask(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    /// Creates something.
    #[track_caller]
    pub(crate) fn create(&self, path: &str, body: &Value) -> Value {
        let answer = self.send("POST", path, body);
        assert_eq!(answer.status, 201, "{path} {body}: {}", answer.text());
        answer.json()
    }

    /// Changes something.
    #[track_caller]
    pub(crate) fn patch(&self, path: &str, body: &Value) -> Value {
        let answer = self.send("PATCH", path, body);
        assert_eq!(answer.status, 200, "{path} {body}: {}", answer.text());
        answer.json()
    }

    /// Is refused, with a code and a member to blame.
    #[track_caller]
    pub(crate) fn refused(&self, method: &str, path: &str, body: &Value) -> (u16, String, Value) {
        let answer = self.send(method, path, body);
        assert!(answer.status >= 400, "{path} {body}: {}", answer.text());
        assert_eq!(
            answer.header("content-type"),
            Some("application/json"),
            "{path}"
        );
        assert!(answer.header("access-control-allow-origin").is_some());
        let error = answer.json();
        let members: Vec<&String> = error.as_object().unwrap().keys().collect();
        assert_eq!(members, ["attr", "code", "detail", "type"], "{path}");
        let code = error["code"].as_str().unwrap().to_owned();
        (answer.status, code, error["attr"].clone())
    }
}

pub(crate) const FLAGS: &str = "/api/projects/1/feature_flags/";
pub(crate) const COHORTS: &str = "/api/projects/@current/cohorts/";

pub(crate) fn start(kind: Kind, project: ProjectBuilder) -> TestServer {
    TestServer::on(kind).project(&world(project)).start()
}

fn value(server: &TestServer, flag: &str, person: &str) -> Value {
    let body = json!({"token": "phc_local_dev", "distinct_id": person});
    server.flags(1, &body)["featureFlags"][flag].clone()
}

on_both_databases!(
    terraform_creates_reads_updates_and_deletes,
    keys_open_what_their_scopes_say,
    another_projects_things_do_not_exist,
    people_and_their_project_are_told,
    a_restart_finds_what_was_written,
);

fn terraform_creates_reads_updates_and_deletes(kind: Kind) {
    let server = start(kind, ProjectBuilder::new());
    let admin = Admin::of(&server);
    let written = json!({
        "key": "tf-flag", "name": "From a plan", "active": true, "deleted": false, "ensure_experience_continuity": false,
        "tags": ["b", "a"], "filters": {"groups": [{}]},
    });
    let made = admin.create(FLAGS, &written);
    assert_eq!(value(&server, "tf-flag", "u"), true, "served at once");
    let path = format!("{FLAGS}{}/", made["id"]);
    // No difference between what was written and what is read: members that were sent have their values.
    let read = admin.get(&path);
    assert_eq!(read, made);
    for name in [
        "key",
        "name",
        "active",
        "deleted",
        "ensure_experience_continuity",
        "tags",
    ] {
        assert_eq!(read[name], written[name], "{name}");
    }
    assert_eq!(read["filters"]["groups"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&read["version"], &read["rollout_percentage"]),
        (&json!(1), &Value::Null)
    );
    assert_eq!(read["created_by"]["first_name"], "all");

    let again = admin.patch(&path, &written);
    assert_eq!(
        again["version"], 1,
        "a plan without a difference changes nothing"
    );

    let mut changed = written.clone();
    changed["filters"] =
        json!({"groups": [{"rollout_percentage": 0, "x-note": {"kept": [1, 2.50]}}]});
    let updated = admin.patch(&path, &changed);
    assert_eq!(value(&server, "tf-flag", "u"), false, "served at once");
    assert_eq!(
        (&updated["version"], &updated["rollout_percentage"]),
        (&json!(2), &json!(0))
    );
    assert_eq!(
        updated["filters"]["groups"][0]["x-note"],
        json!({"kept": [1, 2.50]})
    );
    assert_eq!(updated["last_modified_by"]["first_name"], "all");

    let deleted = admin.patch(&path, &json!({"key": "tf-flag", "deleted": true}));
    assert_eq!(
        (&deleted["deleted"], &deleted["status"]),
        (&json!(true), &json!("INACTIVE"))
    );
    assert_eq!(
        value(&server, "tf-flag", "u"),
        Value::Null,
        "hidden at once"
    );
    assert_eq!(admin.get(FLAGS)["count"], 0);
    assert_eq!(admin.ask(&format!("{FLAGS}424242/")).status, 404);

    // Its key is free again, and then it cannot come back under it.
    admin.create(FLAGS, &written);
    let back = admin.refused("PATCH", &path, &json!({"deleted": false}));
    assert_eq!(back, (400, "unique".to_owned(), json!("key")));
    let back = admin.patch(&path, &json!({"deleted": false, "key": "tf-flag-2"}));
    assert_eq!(
        (&back["deleted"], &back["key"]),
        (&json!(false), &json!("tf-flag-2"))
    );
    assert_eq!(value(&server, "tf-flag-2", "u"), false);
    server.stop();
}

fn keys_open_what_their_scopes_say(kind: Kind) {
    let server = start(
        kind,
        ProjectBuilder::new()
            .flag(FlagBuilder::new("beta").id(1))
            .cohort(json!({"id": 5, "name": "Static", "is_static": true})),
    );
    let admin = Admin::of(&server);
    let flag = json!({"key": "new", "filters": {"groups": [{}]}});
    let needs = |key: &'static str, method: &str, path: &str, body: &Value, wanted: &str| {
        let answer = admin.with(key).send(method, path, body);
        let error = answer.json();
        assert_eq!(answer.status, 403, "{path}: {error}");
        let detail = format!("Personal API key lacks required scopes ({wanted}).");
        assert_eq!(
            (&error["detail"], &error["code"]),
            (&json!(detail), &json!("permission_denied"))
        );
    };
    let none = json!({});
    needs("phx_reader", "POST", FLAGS, &flag, "feature_flag:write");
    needs(
        "phx_reader",
        "PATCH",
        "/api/projects/1/feature_flags/1",
        &none,
        "feature_flag:write",
    );
    needs(
        "phx_nothing",
        "GET",
        FLAGS,
        &none,
        "feature_flag:read or feature_flag:write",
    );
    needs(
        "phx_writer",
        "GET",
        COHORTS,
        &none,
        "cohort:read or cohort:write",
    );
    needs("phx_writer", "POST", COHORTS, &none, "cohort:write");
    needs(
        "phx_reader",
        "GET",
        "/api/projects/1/persons",
        &none,
        "person:read or person:write",
    );
    needs(
        "phx_reader",
        "GET",
        "/api/projects/1/groups_types",
        &none,
        "group:read or group:write",
    );
    needs(
        "phx_reader",
        "GET",
        "/api/projects/1",
        &none,
        "project:read or project:write",
    );
    needs(
        "phx_reader",
        "GET",
        "/api/users/@me",
        &none,
        "user:read or user:write",
    );
    needs(
        "phx_reader",
        "GET",
        "/api/projects/1/activity_log",
        &none,
        "activity_log:read or activity_log:write",
    );
    needs(
        "phx_reader",
        "PATCH",
        "/api/projects/1/cohorts/5/add_persons_to_static_cohort",
        &none,
        "cohort:write",
    );

    assert_eq!(admin.with("phx_reader").get(FLAGS)["count"], 1);
    assert_eq!(
        admin
            .with("phx_writer")
            .get("/api/projects/1/feature_flags/1")["key"],
        "beta"
    );
    admin.with("phx_writer").create(FLAGS, &flag);
    assert_eq!(admin.with("phx_cohorts").get(COHORTS)["count"], 1);
    assert_eq!(
        admin.with("phx_cohorts").get("/api/projects/1/persons/")["count"],
        0
    );
    assert_eq!(
        admin
            .with("phx_nothing")
            .get("/api/projects/1/groups_types/"),
        json!([])
    );

    for (key, detail) in [
        ("phx_unknown", "Personal API key is invalid."),
        ("phs_local_dev", "Personal API key is invalid."),
        ("phs_unknown", "Secret API token is invalid."),
        ("", "Authentication credentials were not provided."),
    ] {
        let answer = admin.with(key).ask(FLAGS);
        assert_eq!(
            (answer.status, &answer.json()["detail"]),
            (401, &json!(detail)),
            "{key}"
        );
    }
    server.stop();
}

fn another_projects_things_do_not_exist(kind: Kind) {
    let server = start(
        kind,
        ProjectBuilder::new().flag(FlagBuilder::new("beta").id(1)),
    );
    let admin = Admin::of(&server);
    let stranger = admin
        .with("phx_other")
        .get("/api/projects/2/persons/?distinct_id=stranger");
    let stranger = stranger["results"][0]["uuid"].as_str().unwrap().to_owned();
    let not_found = (404, "not_found".to_owned(), Value::Null);
    for path in [
        "/api/projects/2/feature_flags/",
        "/api/projects/2/feature_flags/900/",
        "/api/projects/77/feature_flags/",
        "/api/projects/x/feature_flags/",
        "/api/projects/1/feature_flags/900/",
        "/api/projects/1/feature_flags/900/activity/",
        "/api/projects/1/feature_flags/beta/",
        "/api/projects/1/cohorts/900/",
        "/api/projects/1/cohorts/900/persons/",
        "/api/projects/1/cohorts/900/activity/",
        "/api/projects/2/cohorts/900/",
        &format!("/api/projects/1/persons/{stranger}/"),
        "/api/projects/2/",
    ] {
        assert_eq!(admin.refused("GET", path, &json!({})), not_found, "{path}");
    }
    for (path, body) in [
        (
            "/api/projects/1/feature_flags/900/",
            json!({"name": "mine"}),
        ),
        (
            "/api/projects/2/feature_flags/900/",
            json!({"name": "mine"}),
        ),
        ("/api/projects/1/cohorts/900/", json!({"name": "mine"})),
        (
            "/api/projects/1/cohorts/900/add_persons_to_static_cohort/",
            json!({"person_ids": [stranger]}),
        ),
    ] {
        assert_eq!(admin.refused("PATCH", path, &body), not_found, "{path}");
    }
    // Another project's cohort and flag are not there to be referred to, and its people are not there to be members.
    let cohort = json!({"key": "c", "filters": {"groups": [{"properties": [{"type": "cohort", "key": "id", "value": 900}]}]}});
    assert_eq!(
        admin.refused("POST", FLAGS, &cohort).1,
        "cohort_does_not_exist"
    );
    let flag = json!({"key": "c", "filters": {"groups": [{"properties": [{"type": "flag", "key": "900", "operator": "flag_evaluates_to", "value": true}]}]}});
    assert_eq!(admin.refused("POST", FLAGS, &flag).1, "invalid_input");
    let made = admin.create(
        COHORTS,
        &json!({"name": "n", "is_static": true, "_create_static_person_ids": [stranger]}),
    );
    assert_eq!(
        (&made["count"], &made["import"]["unknown"]),
        (&json!(0), &json!(1))
    );
    // Ids are unique over all projects, so that references can never change their meaning.
    let made = admin.create(FLAGS, &json!({"key": "later", "filters": {"groups": [{}]}}));
    assert_eq!(made["id"], 901);
    server.stop();
}

fn people_and_their_project_are_told(kind: Kind) {
    let project = ProjectBuilder::new()
        .group_types(&["company", "team"])
        .person(
            &["ada", "anon-1"],
            json!({"email": "ada@example.com", "n": 5}),
        )
        .person(&["bob_100%"], json!({}));
    let server = start(kind, project);
    let admin = Admin::of(&server);
    let me = admin.get("/api/users/@me/");
    assert_eq!(
        (&me["email"], &me["team"]["id"], &me["team"]["api_token"]),
        (&json!(""), &json!(1), &json!("phc_local_dev"))
    );
    assert!(
        me["organization"]["id"]
            .as_str()
            .unwrap()
            .parse::<uuid::Uuid>()
            .is_ok()
    );
    let project = admin.get("/api/projects/@current/");
    assert_eq!(
        (
            &project["id"],
            &project["name"],
            &project["secret_api_token"]
        ),
        (&json!(1), &json!("Test"), &Value::Null)
    );
    assert_eq!(admin.get("/api/projects/1"), project);
    assert_eq!(admin.get("/api/environments/1/"), project);
    let all = admin.get("/api/projects/");
    assert_eq!((&all["count"], &all["results"][0]), (&json!(1), &project));
    let types = admin.get("/api/projects/1/groups_types/");
    assert_eq!(
        types[1],
        json!({"group_type": "team", "group_type_index": 1, "name_singular": null, "name_plural": null})
    );

    let persons = admin.get("/api/projects/1/persons/?distinct_id=anon-1");
    let ada = &persons["results"][0];
    assert_eq!(
        (&persons["count"], &ada["distinct_ids"]),
        (&json!(1), &json!(["ada", "anon-1"]))
    );
    assert_eq!(
        ada["properties"],
        json!({"email": "ada@example.com", "n": 5})
    );
    let uuid = ada["uuid"].as_str().unwrap();
    assert_eq!(&admin.get(&format!("/api/projects/1/persons/{uuid}/")), ada);
    assert_eq!(
        &admin.get(&format!("/api/projects/1/persons/{}/", ada["id"])),
        ada
    );
    for (query, count) in [
        ("", 2),
        ("?distinct_id=ADA", 0),
        ("?search=AD", 1),
        ("?search=a", 1),
        ("?search=b_1", 1),
        ("?search=00%25", 1),
        ("?search=%25", 1),
        ("?search=nobody", 0),
        ("?search=%00", 0),
        ("?limit=1", 2),
    ] {
        assert_eq!(
            admin.get(&format!("/api/projects/1/persons/{query}"))["count"],
            count,
            "{query}"
        );
    }
    assert_eq!(admin.ask("/api/projects/1/persons/nobody").status, 404);
    let log = server.log();
    for private in ["ada@example.com", "phx_all", "anon-1"] {
        assert!(!log.contains(private), "{private} is in the log");
    }
    server.stop();
}

fn a_restart_finds_what_was_written(kind: Kind) {
    let database = Arc::new(Database::new(kind));
    let file = world(ProjectBuilder::new());
    let first = TestServer::with(&database).project(&file).start();
    let flag = Admin::of(&first).create(
        FLAGS,
        &json!({"key": "kept", "tags": ["t"], "filters": {"groups": [{}]}}),
    );
    first.stop();
    // The file is applied again, and leaves what it does not name.
    let second = TestServer::with(&database).project(&file).start();
    let admin = Admin::of(&second);
    assert_eq!(admin.get(&format!("{FLAGS}{}/", flag["id"])), flag);
    assert_eq!(value(&second, "kept", "u"), true);
    second.stop();
}

#[test]
fn a_change_is_served_by_another_process() {
    let database = Arc::new(Database::new(Kind::Postgres));
    let server = || TestServer::with(&database).env("BURGEE_POLL_INTERVAL_S", "3600");
    let first = server().project(&world(ProjectBuilder::new())).start();
    let second = server().start();
    let admin = Admin::of(&first);
    let flag = admin.create(FLAGS, &json!({"key": "beta", "filters": {"groups": [{}]}}));
    let path = format!("{FLAGS}{}", flag["id"]);
    for (active, expected) in [
        (false, Value::Null),
        (true, json!(true)),
        (false, Value::Null),
    ] {
        admin.patch(&path, &json!({"active": active}));
        assert_eq!(value(&first, "beta", "u"), expected, "at once");
        eventually("the change", || {
            (value(&second, "beta", "u") == expected).then_some(())
        });
        // Either may be asked for it.
        let read = admin_of(&second).get(&path);
        assert_eq!(read["active"], active);
    }
    first.stop();
    second.stop();
}

fn admin_of(server: &TestServer) -> Admin<'_> {
    Admin::of(server)
}

on_both_databases!(paths_have_their_methods);

fn paths_have_their_methods(kind: Kind) {
    let server = start(
        kind,
        ProjectBuilder::new()
            .flag(FlagBuilder::new("beta").id(1))
            .cohort(json!({"id": 5, "name": "Static", "is_static": true})),
    );
    let admin = Admin::of(&server);
    for (method, path, allow) in [
        (
            "DELETE",
            "/api/projects/1/feature_flags/1/",
            "GET, PUT, PATCH, HEAD, OPTIONS",
        ),
        (
            "DELETE",
            "/api/environments/1/cohorts/5",
            "GET, PUT, PATCH, HEAD, OPTIONS",
        ),
        (
            "PUT",
            "/api/projects/1/feature_flags",
            "GET, POST, HEAD, OPTIONS",
        ),
        (
            "POST",
            "/api/projects/1/groups_types/",
            "GET, HEAD, OPTIONS",
        ),
        (
            "GET",
            "/api/projects/1/cohorts/5/add_persons_to_static_cohort/",
            "PATCH, OPTIONS",
        ),
    ] {
        let answer = admin.send(method, path, &json!({}));
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, Some(allow)),
            "{path}"
        );
        let expected = json!({"type": "invalid_request", "code": "method_not_allowed", "detail": format!("Method \"{method}\" not allowed."), "attr": null});
        assert_eq!(answer.json(), expected);
    }
    for path in [
        "/api/projects/1/feature_flags/1",
        "/api/environments/@current/feature_flags/1/",
        "//api/projects/1/feature_flags/1/",
    ] {
        assert_eq!(admin.get(path)["key"], "beta", "{path}");
        let head = server.send(&admin.request("HEAD", path));
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        let plain = server.send(&Request::new("OPTIONS", path));
        assert_eq!(
            (plain.status, plain.header("allow")),
            (204, Some("GET, PUT, PATCH, HEAD, OPTIONS"))
        );
    }
    let preflight = Request::new("OPTIONS", FLAGS)
        .header("Origin", "https://console.example")
        .header("Access-Control-Request-Method", "PATCH")
        .header("Access-Control-Request-Headers", "authorization");
    let answer = server.send(&preflight);
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .header("access-control-allow-methods")
            .unwrap()
            .contains("PATCH, PUT, DELETE")
    );
    assert_eq!(
        answer.header("access-control-allow-headers"),
        Some("authorization")
    );
    server.stop();
}
