//! Every answer has an id, whoever gave it and whatever became of the request.

use burgee_integration_tests::http::{Request, Response};
use burgee_integration_tests::{FlagBuilder, Kind, ProjectBuilder, TestServer};
use serde_json::{Value, json};

const ID: &str = "3f0e8a52-5e0b-4f0e-9d39-0f3a2f6f0b11";

fn server() -> TestServer {
    let file = ProjectBuilder::new()
        .flag(FlagBuilder::new("plain").id(1))
        .file();
    TestServer::on(Kind::Sqlite).project(&file).start()
}

fn id(answer: &Response) -> String {
    let id = answer.header("x-request-id").unwrap_or_default();
    assert_eq!(
        uuid::Uuid::parse_str(id).map(|id| id.to_string()),
        Ok(id.to_owned()),
        "{answer:?}"
    );
    id.to_owned()
}

#[test]
fn answers_of_every_kind_have_one() {
    let server = server();
    let body = json!({"token": "phc_local_dev", "distinct_id": "u"});
    let unknown = json!({"token": "phc_other", "distinct_id": "u"});
    let cases: Vec<(u16, Request)> = vec![
        (200, Request::post("/flags?v=2").json(&body)),
        (401, Request::post("/flags?v=2").json(&unknown)),
        (400, Request::post("/flags?v=2").body("{")),
        (404, Request::get("/nowhere")),
        (405, Request::new("DELETE", "/flags")),
        (401, Request::get("/flags/definitions")),
        (200, Request::get("/_readiness")),
        (200, Request::get("/metrics")),
        (
            200,
            Request::post("/batch").json(
                &json!({"api_key": "phc_local_dev", "batch": [{"event": "x", "distinct_id": "u"}]}),
            ),
        ),
        (
            401,
            Request::post("/ofrep/v1/evaluate/flags").json(&json!({})),
        ),
        (
            200,
            Request::new("OPTIONS", "/flags")
                .header("Origin", "https://a.example")
                .header("Access-Control-Request-Method", "POST"),
        ),
        (413, Request::post("/flags").body(vec![b'x'; 3 << 20])),
    ];
    for (status, request) in cases {
        let made = server.send(&request);
        assert_eq!(made.status, status, "{request:?}");
        let made = id(&made);
        let given = server.send(&request.clone().header("X-Request-Id", &ID.to_uppercase()));
        assert_eq!(id(&given), ID, "{status}");
        assert_ne!(made, ID);
    }
}

#[test]
fn a_refusal_under_load_has_one() {
    let server = TestServer::on(Kind::Sqlite)
        .arg("--max-in-flight=1")
        .start();
    // Its body never comes to an end, so it stays under way.
    let mut slow = server.connect();
    slow.write(b"POST /flags HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{");
    let refused = burgee_integration_tests::deadline::eventually("a refusal", || {
        let answer = server.post("/flags?v=2", &json!({"token": "t", "distinct_id": "u"}));
        (answer.status == 503).then_some(answer)
    });
    id(&refused);
}

#[test]
fn the_body_has_the_same_and_nonsense_is_replaced() {
    let server = server();
    let body = json!({"token": "phc_local_dev", "distinct_id": "u"});
    let ask = |given: &str| -> (String, Value) {
        let request = Request::post("/flags?v=2").json(&body);
        let answer = server.send(&request.header("X-Request-Id", given));
        (id(&answer), answer.json()["requestId"].clone())
    };
    assert_eq!(ask(ID), (ID.to_owned(), json!(ID)));
    for nonsense in [
        "",
        "abc",
        &"a".repeat(4000),
        "<script>",
        "3f0e8a52-5e0b-4f0e-9d39-0f3a2f6f0b1",
    ] {
        let (header, inside) = ask(nonsense);
        assert_ne!(header, nonsense);
        assert_eq!(inside, json!(header), "{nonsense}");
    }
}
