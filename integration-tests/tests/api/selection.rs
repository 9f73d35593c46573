//! Which flags a request gets (evaluation.md, section 9).

use burgee_integration_tests::http::Request;
use burgee_integration_tests::{FlagBuilder, Kind, ProjectBuilder, TestServer, filter};
use serde_json::{Value, json};

on_both_databases!(runtimes, contexts, keys_and_modes);

/// Returns the keys of a V2 answer, in order.
fn keys(answer: &Value) -> Vec<String> {
    let flags = answer["flags"].as_object().expect("flags");
    let mut keys: Vec<String> = flags.keys().cloned().collect();
    keys.sort();
    keys
}

/// The stated runtime, a header with its value, and the keys of what is evaluated.
type Case<'a> = (Option<&'a str>, Option<(&'a str, &'a str)>, &'a [&'a str]);

fn runtimes(kind: Kind) {
    let file = ProjectBuilder::new()
        .flag(FlagBuilder::new("any"))
        .flag(FlagBuilder::new("both").with("evaluation_runtime", json!("all")))
        .flag(FlagBuilder::new("client").with("evaluation_runtime", json!("client")))
        .flag(FlagBuilder::new("server").with("evaluation_runtime", json!("server")))
        .file();
    let server = TestServer::on(kind).project(&file).start();
    let everything = ["any", "both", "client", "server"];
    let on_clients = ["any", "both", "client"];
    let on_servers = ["any", "both", "server"];
    let undecided = ["any", "both"];
    let browser = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0.0.0";
    let agent = "User-Agent";
    let cases: [Case<'_>; 17] = [
        (Some("server"), None, &on_servers),
        (Some("CLIENT"), None, &on_clients),
        (Some("all"), None, &everything),
        (Some("edge"), None, &everything),
        (
            Some("client"),
            Some((agent, "posthog-python/7.91.1")),
            &on_clients,
        ),
        (None, Some((agent, "posthog-python/7.91.1")), &on_servers),
        (None, Some((agent, "posthog-node/5.70.0")), &on_servers),
        (None, Some((agent, "posthog-rs/0.30.0")), &on_servers),
        (None, Some((agent, "posthog-js/1.449.2")), &on_clients),
        (None, Some((agent, "posthog-android/3.0.0")), &on_clients),
        (None, Some((agent, "posthog-elsewhere/1")), &undecided),
        (None, Some((agent, browser)), &on_clients),
        (None, Some((agent, "curl/8.5.0")), &on_servers),
        (
            None,
            Some(("Origin", "https://app.example.test")),
            &on_clients,
        ),
        (None, Some(("Sec-Fetch-Mode", "cors")), &on_clients),
        (None, Some((agent, "something")), &undecided),
        (None, None, &undecided),
    ];
    for (stated, header, expected) in cases {
        let mut request = Request::post("/flags?v=2");
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let body =
            json!({"token": "phc_local_dev", "distinct_id": "u", "evaluation_runtime": stated});
        let answer = server.send(&request.json(&body)).json();
        assert_eq!(keys(&answer), expected, "{stated:?} {header:?}");
    }
    // Node's own fetch adds a browser's header: the user agent comes first.
    let node = Request::post("/flags?v=2")
        .header("User-Agent", "posthog-node/5.70.0")
        .header("sec-fetch-mode", "cors")
        .json(&json!({"token": "phc_local_dev", "distinct_id": "u"}));
    assert_eq!(keys(&server.send(&node).json()), on_servers);
}

fn contexts(kind: Kind) {
    let file = ProjectBuilder::new()
        .flag(FlagBuilder::new("everywhere"))
        .flag(FlagBuilder::new("shop").with("evaluation_contexts", json!(["shop", "kiosk"])))
        .flag(FlagBuilder::new("docs").with("evaluation_contexts", json!(["docs"])))
        .file();
    let server = TestServer::on(kind).project(&file).start();
    let cases: [(Value, &[&str]); 7] = [
        (json!({}), &["docs", "everywhere", "shop"]),
        (
            json!({"evaluation_contexts": null}),
            &["docs", "everywhere", "shop"],
        ),
        (
            json!({"evaluation_contexts": []}),
            &["docs", "everywhere", "shop"],
        ),
        (
            json!({"evaluation_contexts": ["kiosk"]}),
            &["everywhere", "shop"],
        ),
        (
            json!({"evaluation_environments": ["docs", "x"]}),
            &["docs", "everywhere"],
        ),
        (json!({"evaluation_contexts": ["Shop"]}), &["everywhere"]),
        (
            json!({"evaluation_contexts": ["docs"], "evaluation_environments": ["shop"]}),
            &["docs", "everywhere"],
        ),
    ];
    for (members, expected) in cases {
        assert_eq!(
            keys(&server.flags(2, &body_with(&members))),
            expected,
            "{members}"
        );
    }
}

fn body_with(members: &Value) -> Value {
    let mut body = json!({"token": "phc_local_dev", "distinct_id": "u"});
    for (name, value) in members.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn keys_and_modes(kind: Kind) {
    let file = ProjectBuilder::new()
        .flag(FlagBuilder::new("base").id(1))
        .flag(FlagBuilder::new("middle").id(2).when(filter::flag(1, true)))
        .flag(FlagBuilder::new("top").id(3).when(filter::flag(2, true)))
        .flag(FlagBuilder::new("survey-targeting-a").id(4))
        .flag(
            FlagBuilder::new("survey-targeting-b")
                .id(5)
                .when(filter::flag(1, true)),
        )
        .flag(FlagBuilder::new("off").id(6).with("active", json!(false)))
        .flag(FlagBuilder::new("gone").id(7).with("archived", json!(true)))
        .file();
    let server = TestServer::on(kind).project(&file).start();
    let all: &[&str] = &[
        "base",
        "middle",
        "survey-targeting-a",
        "survey-targeting-b",
        "top",
    ];
    let cases: [(&str, Value, &[&str]); 11] = [
        ("", json!({}), all),
        (
            "",
            json!({"flag_keys": ["top"]}),
            &["base", "middle", "top"],
        ),
        (
            "",
            json!({"flag_keys_to_evaluate": ["middle"]}),
            &["base", "middle"],
        ),
        ("", json!({"flag_keys": ["base", "nowhere"]}), &["base"]),
        ("", json!({"flag_keys": ["Base"]}), &[]),
        ("", json!({"flag_keys": []}), &[]),
        ("", json!({"flag_keys": ["off", "gone"]}), &[]),
        ("", json!({"flag_keys": null}), all),
        ("", json!({"disable_flags": true}), &[]),
        (
            "&only_evaluate_survey_feature_flags=true",
            json!({}),
            &["survey-targeting-a", "survey-targeting-b"],
        ),
        ("&only_evaluate_survey_feature_flags=off", json!({}), all),
    ];
    for (query, members, expected) in cases {
        let answer = server
            .post(&format!("/flags?v=2{query}"), &body_with(&members))
            .json();
        assert_eq!(keys(&answer), expected, "{query} {members}");
        assert_eq!(
            answer["errorsWhileComputingFlags"], false,
            "{query} {members}"
        );
    }
    // A survey's dependency without the prefix was filtered, so it counts as off.
    let surveys = server.post(
        "/flags?v=2&only_evaluate_survey_feature_flags",
        &body_with(&json!({})),
    );
    assert_eq!(
        surveys.json()["flags"]["survey-targeting-b"]["enabled"],
        false
    );
}
