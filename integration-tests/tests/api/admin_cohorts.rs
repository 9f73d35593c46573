//! Cohorts of the admin API, their stored members, and files of distinct ids.

use super::admin::{Admin, COHORTS, FLAGS, start};
use burgee_integration_tests::http::{Request, Response};
use burgee_integration_tests::{Kind, ProjectBuilder, TestServer, filter};
use serde_json::{Value, json};

on_both_databases!(
    cohorts_live_as_flags_do,
    members_come_and_go,
    a_file_of_distinct_ids_makes_a_cohort,
    a_large_file_is_taken_as_a_stream,
    broken_forms_are_refused,
);

const BOUNDARY: &str = "----burgee";

/// A form with fields and one file.
fn form(
    admin: &Admin<'_>,
    method: &str,
    path: &str,
    fields: &[(&str, &str)],
    csv: &[u8],
) -> Request {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend(
            format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            )
            .bytes(),
        );
    }
    body.extend(format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"csv\"; filename=\"ids.csv\"\r\nContent-Type: text/csv\r\n\r\n").bytes());
    body.extend(csv);
    body.extend(format!("\r\n--{BOUNDARY}--\r\n").bytes());
    admin
        .request(method, path)
        .header(
            "Content-Type",
            &format!("multipart/form-data; boundary={BOUNDARY}"),
        )
        .body(body)
}

#[track_caller]
fn ok(answer: &Response, status: u16) -> Value {
    assert_eq!(answer.status, status, "{}", answer.text());
    answer.json()
}

fn people(count: usize) -> ProjectBuilder {
    (0..count).fold(ProjectBuilder::new(), |project, number| {
        project.person(
            &[&format!("user-{number}"), &format!("also-{number}")],
            json!({"tier": "gold"}),
        )
    })
}

/// A flag that is on for the members of a cohort.
fn flag_on(admin: &Admin<'_>, cohort: &Value) {
    let on = json!({"type": "cohort", "key": "id", "value": cohort["id"]});
    admin.create(
        FLAGS,
        &json!({"key": "for-members", "filters": {"groups": [{"properties": [on]}]}}),
    );
}

fn is_on(server: &TestServer, person: &str) -> bool {
    let body = json!({"token": "phc_local_dev", "distinct_id": person});
    server.flags(1, &body)["featureFlags"]["for-members"] == json!(true)
}

fn uuid_of(admin: &Admin<'_>, id: &str) -> Value {
    admin.get(&format!("/api/projects/1/persons/?distinct_id={id}"))["results"][0]["uuid"].clone()
}

fn cohorts_live_as_flags_do(kind: Kind) {
    let server = start(kind, people(1));
    let admin = Admin::of(&server);
    let tree = |value: &str| {
        json!({"properties": {"type": "OR", "values": [{"type": "AND", "values": [
        {"key": "tier", "type": "person", "operator": "exact", "value": [value], "negation": false, "x-note": 1}]}]}})
    };
    let made = admin.create(
        COHORTS,
        &json!({"name": "Gold", "description": "d", "filters": tree("gold")}),
    );
    assert_eq!(
        (&made["version"], &made["count"], &made["is_static"]),
        (&json!(1), &Value::Null, &json!(false))
    );
    assert_eq!(made["filters"], tree("gold"));
    assert_eq!(made["created_by"]["first_name"], "all");
    assert_eq!(
        (&made["groups"], &made["is_calculating"]),
        (&json!([]), &json!(false))
    );
    flag_on(&admin, &made);
    assert!(is_on(&server, "user-0"));
    let path = format!("{COHORTS}{}/", made["id"]);
    assert_eq!(admin.get(&path), made);
    let changed = admin.patch(&path, &json!({"filters": tree("silver"), "version": 1}));
    assert_eq!(
        (&changed["version"], &changed["name"]),
        (&json!(2), &json!("Gold"))
    );
    assert!(!is_on(&server, "user-0"), "served at once");
    assert_eq!(
        admin
            .refused("PATCH", &path, &json!({"version": 1, "name": "x"}))
            .0,
        409
    );
    assert_eq!(admin.refused("DELETE", &path, &json!({})).0, 405);
    assert_eq!(admin.get(&format!("{COHORTS}?search=GOL"))["count"], 1);
    assert_eq!(admin.get(&format!("{COHORTS}?search=x"))["count"], 0);
    for (body, code, attr) in [
        (json!({"filters": tree("x")}), "required", "name"),
        (json!({"name": "n"}), "required", "filters"),
        (
            json!({"name": "n", "filters": {"properties": {"type": "AND", "values": [{"type": "cohort", "key": "id", "value": 77}]}}}),
            "cohort_does_not_exist",
            "filters__properties__values__0__value",
        ),
        (
            json!({"name": "n", "filters": {"properties": {"type": "AND", "values": [filter::person("a", "regex", "(")]}}}),
            "invalid_input",
            "filters__properties__values__0__value",
        ),
    ] {
        assert_eq!(
            admin.refused("POST", COHORTS, &body),
            (400, code.to_owned(), json!(attr)),
            "{body}"
        );
    }
    let itself = json!({"properties": {"type": "AND", "values": [{"type": "cohort", "key": "id", "value": made["id"]}]}});
    assert_eq!(
        admin.refused("PATCH", &path, &json!({"filters": itself})).0,
        400
    );
    let unused = admin.create(COHORTS, &json!({"name": "Unused", "is_static": true}));
    let unused = format!("{COHORTS}{}/", unused["id"]);
    assert_eq!(
        admin.patch(&unused, &json!({"deleted": true}))["deleted"],
        true
    );
    assert_eq!(admin.get(COHORTS)["count"], 1);
    assert_eq!(
        admin.patch(&unused, &json!({"deleted": false}))["deleted"],
        false
    );
    server.stop();
}

fn members_come_and_go(kind: Kind) {
    let server = start(kind, people(3));
    let admin = Admin::of(&server);
    let ids: Vec<Value> = (0..3)
        .map(|number| uuid_of(&admin, &format!("user-{number}")))
        .collect();
    let made = admin.create(COHORTS, &json!({"name": "s", "is_static": true, "_create_static_person_ids": [ids[0], "00000000-0000-4000-8000-000000000000"]}));
    assert_eq!(made["count"], 1);
    assert_eq!(
        made["import"],
        json!({"received": 2, "added": 1, "unknown": 1})
    );
    flag_on(&admin, &made);
    assert!(is_on(&server, "user-0") && is_on(&server, "also-0") && !is_on(&server, "user-1"));
    let path = format!("{COHORTS}{}/", made["id"]);
    let add = format!("{path}add_persons_to_static_cohort/");
    let added = admin.patch(&add, &json!({"person_ids": [ids[0], ids[1], 424242]}));
    assert_eq!(added, json!({"success": true, "changed": 1, "unknown": 1}));
    assert!(is_on(&server, "user-1"), "served at once");
    let remove = format!("{path}remove_person_from_static_cohort/");
    assert_eq!(
        admin.patch(&remove, &json!({"person_id": ids[0]}))["changed"],
        1
    );
    assert_eq!(
        admin.patch(&remove, &json!({"person_id": ids[0]}))["changed"],
        0
    );
    assert!(!is_on(&server, "user-0"), "served at once");
    let members = admin.get(&format!("{path}persons/?limit=1"));
    assert_eq!(
        (&members["count"], &members["results"][0]["uuid"]),
        (&json!(1), &ids[1])
    );
    assert_eq!(
        admin
            .refused("PATCH", &remove, &json!({"person_id": "nobody"}))
            .0,
        404
    );
    assert_eq!(
        admin.refused("PATCH", &remove, &json!({})).2,
        json!("person_id")
    );
    assert_eq!(
        admin.refused("PATCH", &add, &json!({})).2,
        json!("person_ids")
    );
    assert_eq!(
        admin
            .refused("PATCH", &add, &json!({"person_ids": vec![1; 10_001]}))
            .1,
        "max_length"
    );
    let tree =
        json!({"properties": {"type": "AND", "values": [filter::person("a", "exact", "b")]}});
    let dynamic = admin.create(COHORTS, &json!({"name": "d", "filters": tree}));
    let path = format!("{COHORTS}{}/add_persons_to_static_cohort/", dynamic["id"]);
    assert_eq!(
        admin
            .refused("PATCH", &path, &json!({"person_ids": [ids[0]]}))
            .0,
        400
    );
    server.stop();
}

fn a_file_of_distinct_ids_makes_a_cohort(kind: Kind) {
    let server = start(kind, people(3));
    let admin = Admin::of(&server);
    let csv = b"email,distinct_id\r\na@b,user-0\r\nc@d,\"also-0\"\r\ne@f,nobody\r\n\r\n";
    let fields = [
        ("name", "Uploaded"),
        ("is_static", "true"),
        ("description", "d"),
    ];
    let made = ok(
        &server.send(&form(&admin, "POST", COHORTS, &fields, csv)),
        201,
    );
    assert_eq!(
        (&made["name"], &made["description"], &made["count"]),
        (&json!("Uploaded"), &json!("d"), &json!(1))
    );
    assert_eq!(
        made["import"],
        json!({"received": 3, "added": 1, "unknown": 1})
    );
    flag_on(&admin, &made);
    let path = format!("{COHORTS}{}/", made["id"]);
    let more = ok(
        &server.send(&form(
            &admin,
            "PATCH",
            &path,
            &[],
            b"user-0\nuser-1\nuser-2",
        )),
        200,
    );
    assert_eq!(
        (&more["count"], &more["import"]),
        (&json!(3), &json!({"received": 3, "added": 2, "unknown": 0}))
    );
    assert!(is_on(&server, "user-2"), "served at once");
    assert!(!more["last_calculation"].is_null());
    let tree =
        json!({"properties": {"type": "AND", "values": [filter::person("a", "exact", "b")]}});
    let dynamic = admin.create(COHORTS, &json!({"name": "dynamic", "filters": tree}));
    let path = format!("{COHORTS}{}/", dynamic["id"]);
    let refused = server.send(&form(&admin, "PATCH", &path, &[], b"user-0"));
    assert_eq!(
        (refused.status, &refused.json()["attr"]),
        (400, &json!("csv"))
    );
    let unnamed = server.send(&form(&admin, "POST", COHORTS, &[], b"user-0"));
    assert_eq!(
        (unnamed.status, &unnamed.json()["attr"]),
        (400, &json!("name"))
    );
    server.stop();
}

fn a_large_file_is_taken_as_a_stream(kind: Kind) {
    let known = 1_500;
    let server = start(kind, people(known));
    let admin = Admin::of(&server);
    let mut csv = Vec::new();
    for line in 0..200_000 {
        // A known one now and then, all over the file; the second half of them under their other ids.
        let id = match line % 100 {
            0 if line / 100 < known => format!("user-{}\n", line / 100),
            _ => format!("unknown-{line}-{}\n", "x".repeat(line % 40)),
        };
        csv.extend(id.bytes());
    }
    let fields = [("name", "Large"), ("is_static", "true")];
    let made = ok(
        &server.send(&form(&admin, "POST", COHORTS, &fields, &csv)),
        201,
    );
    assert_eq!(
        made["import"],
        json!({"received": 200_000, "added": known, "unknown": 200_000 - known})
    );
    assert_eq!(made["count"], known);
    flag_on(&admin, &made);
    assert!(is_on(&server, "also-1499") && !is_on(&server, "unknown-1-x"));
    server.stop();
}

fn broken_forms_are_refused(kind: Kind) {
    let server = TestServer::on(kind)
        .project(&super::admin::world(people(1)))
        .arg("--admin-upload-limit-bytes=2048")
        .start();
    let admin = Admin::of(&server);
    let fields = [("name", "n"), ("is_static", "true")];
    let large = server.send(&form(&admin, "POST", COHORTS, &fields, &[b'\n'; 3_000]));
    assert_eq!(
        (large.status, &large.json()["code"]),
        (413, &json!("too_large"))
    );
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    for (kind, body) in [
        (kind.as_str(), "nonsense".to_owned()),
        (
            kind.as_str(),
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"csv\"\r\n\r\nuser-0"),
        ),
        ("multipart/form-data", "x".to_owned()),
    ] {
        let answer = server.send(
            &admin
                .request("POST", COHORTS)
                .header("Content-Type", kind)
                .body(body),
        );
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (400, &json!("parse_error")),
            "{}",
            answer.text()
        );
    }
    assert_eq!(admin.get(COHORTS)["count"], 0, "nothing of it was stored");
    assert_eq!(
        server
            .send(&form(
                &admin.with("phx_reader"),
                "POST",
                COHORTS,
                &fields,
                b"user-0"
            ))
            .status,
        403
    );
    server.stop();
}
