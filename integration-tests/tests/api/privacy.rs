//! What is sent stays out of the log, also when everything is logged.

use burgee_integration_tests::http::Request;
use burgee_integration_tests::{FlagBuilder, Kind, ProjectBuilder, TestServer, filter};
use serde_json::json;

on_both_databases!(the_log_knows_nobody);

const SECRETS: [&str; 9] = [
    "phc_private_token",
    "phc_wrong_token",
    "phs_private_secret",
    "phx_private_key",
    "person-4711",
    "anon-4711",
    "ada@private.test",
    "company-4711",
    "gold-4711",
];

fn the_log_knows_nobody(kind: Kind) {
    let [token, wrong, secret, key, id, anon, email, company, tier] = SECRETS;
    let file = ProjectBuilder::new()
        .with("token", json!(token))
        .with("secret_tokens", json!([secret]))
        .with(
            "personal_keys",
            json!([{"label": "dev", "key": key, "scopes": ["*"]}]),
        )
        .group_types(&["company"])
        .flag(FlagBuilder::new("mail").when(filter::person("email", "icontains", "@private")))
        .flag(FlagBuilder::new("sticky").rollout(50).sticky())
        .flag(
            FlagBuilder::new("tier")
                .filters("aggregation_group_type_index", json!(0))
                .when(filter::group("tier", "exact", "x")),
        )
        .person(&[id], json!({"email": email}))
        .group("company", company, json!({"tier": tier}))
        .file();
    let server = TestServer::on(kind)
        .project(&file)
        .env("BURGEE_LOG_LEVEL", "trace")
        .start();
    let body = json!({
        "token": token, "distinct_id": id, "$anon_distinct_id": anon, "person_properties": {"email": email},
        "groups": {"company": company}, "group_properties": {"company": {"tier": tier}},
    });
    server.flags(2, &body);
    server.flags(4, &json!({"api_key": token, "distinct_id": id}));
    let refused = [
        json!({"token": wrong, "distinct_id": id}).to_string(),
        format!(
            "{{\"token\": \"{token}\", \"distinct_id\": [\"{id}\"], \"person_properties\": {{\"email\": \"{email}\"}}}}"
        ),
        format!("{{\"token\": \"{token}\", \"distinct_id\": \"{id}\""),
    ];
    for body in refused {
        let answer = server.send(
            &Request::post("/flags?v=2")
                .header("Content-Type", "application/json")
                .body(body),
        );
        assert!([400, 401].contains(&answer.status), "{}", answer.text());
    }
    for credential in [secret, key] {
        let bearer = format!("Bearer {credential}");
        server.send(
            &Request::get(&format!("/flags/definitions?token={token}"))
                .header("Authorization", &bearer),
        );
    }
    server.get(&format!("/flags?token={token}&distinct_id={id}"));
    server.get(&format!("/nowhere/{token}?email={email}"));
    server.terminate();
    server.expect_clean_exit();
    let log = server.log();
    assert!(log.contains("\"TRACE\""), "everything is logged: {log}");
    for private in SECRETS {
        let line = log.lines().find(|line| line.contains(private));
        assert_eq!(line, None, "{private}");
    }
}
