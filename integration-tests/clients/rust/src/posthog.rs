//! Asks a server for flags with PostHog's unmodified SDK for Rust, changes people with it, and checks everything that it sees.
//!
//! Usage: posthog_rust URL. The flags it expects are those of tests/api/posthog_clients.rs. When it prints "change", whoever runs it
//! switches the flag `beta` on or off. Prints a line for each check that fails, then how many passed; exits with 1 if any failed.

#![expect(
    deprecated,
    reason = "applications still call what the SDK would rather have them leave"
)]

mod checks;

use checks::Checks;
use posthog_rs::{
    Client, ClientOptionsBuilder, Error, EvaluateFlagsOptions, Event, FlagValue, PostHogError,
};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Properties = HashMap<String, Value>;

/// What the SDK tells of failures: the surface, and the status where there was one.
type Told = Arc<Mutex<Vec<(&'static str, Option<u16>)>>>;

/// Makes a client that tells its failures; `keep` keeps its events, `secret` makes it evaluate by itself.
async fn client(url: &str, token: &str, keep: bool, secret: Option<&str>) -> (Client, Told) {
    let told = Told::default();
    let listener = Arc::clone(&told);
    let mut options = ClientOptionsBuilder::default();
    options
        .api_key(token.to_owned())
        .host(url)
        .feature_flags_request_timeout_seconds(20)
        .poll_interval_seconds(1)
        .on_error(move |error| {
            let failure = match error {
                PostHogError::Capture(failure) => ("capture", failure.status()),
                PostHogError::FeatureFlags(failure) => ("flags", failure.status()),
                PostHogError::LocalEvaluation(failure) => ("definitions", failure.status()),
                _ => ("another", None),
            };
            listener.lock().unwrap().push(failure);
        });
    if keep {
        options.before_send(|_| None);
    }
    if let Some(secret) = secret {
        options.secret_key(secret).enable_local_evaluation(true);
    }
    let client = posthog_rs::client(options.build().unwrap()).await;
    (client, told)
}

fn heard(told: &Told) -> String {
    format!("{:?}", told.lock().unwrap())
}

fn properties(entries: Value) -> Option<Properties> {
    let entries = entries.as_object().unwrap().clone();
    Some(entries.into_iter().collect())
}

fn acme() -> Option<HashMap<String, String>> {
    Some(HashMap::from([("company".to_owned(), "acme".to_owned())]))
}

fn seats(count: u32) -> Option<HashMap<String, Properties>> {
    let seats = Properties::from([("seats".to_owned(), json!(count))]);
    Some(HashMap::from([("company".to_owned(), seats)]))
}

fn variant(name: &str) -> Option<FlagValue> {
    Some(FlagValue::String(name.to_owned()))
}

const ON: Option<FlagValue> = Some(FlagValue::Boolean(true));
const OFF: Option<FlagValue> = Some(FlagValue::Boolean(false));

fn found<T>(result: Result<Option<T>, Error>) -> Option<T> {
    result.unwrap_or_else(|error| panic!("the SDK reports {error}"))
}

async fn remote(url: &str, checks: &mut Checks) {
    let (flags, told) = client(url, "phc_local_dev", true, None).await;
    let pro = || properties(json!({"plan": "pro"}));
    for (what, key, person, known, expected) in [
        ("off", "beta", "maria", None, OFF),
        ("a property", "pro", "maria", pro(), ON),
        ("without it", "pro", "maria", None, OFF),
        ("a variant", "price-test", "1042", pro(), variant("low")),
        ("another", "price-test", "maria", pro(), variant("high")),
        ("a dependent flag", "needs-pro", "maria", pro(), ON),
        (
            "a cohort",
            "staff",
            "maria",
            properties(json!({"email": "m@example.com"})),
            ON,
        ),
        ("a negated cohort", "outsiders", "maria", None, ON),
        ("an unknown flag", "no-such-flag", "maria", None, None),
    ] {
        let value = flags.get_feature_flag(key, person, None, known, None).await;
        checks.check(what, found(value), expected);
    }
    let group = flags.get_feature_flag("big-company", "maria", acme(), None, seats(40));
    checks.check("a group", found(group.await), ON);
    let group = flags.is_feature_enabled("big-company", "maria", acme(), None, seats(2));
    checks.check("a small group", group.await.unwrap(), false);
    let (all, payloads) = flags
        .get_feature_flags("1042", None, pro(), None)
        .await
        .unwrap();
    checks.check("all flags", all.len(), 9);
    checks.check(
        "a payload",
        payloads.get("price-test").cloned(),
        Some(json!("{\"eur\": 9}")),
    );
    let options = EvaluateFlagsOptions {
        person_properties: pro(),
        flag_keys: Some(vec!["needs-pro".to_owned()]),
        ..EvaluateFlagsOptions::default()
    };
    let some = flags.evaluate_flags("maria", options).await.unwrap();
    let mut keys = some.keys();
    keys.sort();
    checks.check(
        "chosen flags bring what they need",
        keys,
        ["needs-pro", "pro"],
    );
    checks.check("a snapshot", some.get_flag("needs-pro"), ON);
    checks.check("no errors", heard(&told), "[]");
    flags.shutdown().await;
}

async fn local(url: &str, checks: &mut Checks) {
    let (flags, told) = client(url, "phc_local_dev", true, Some("phs_one")).await;
    let options = |known: Value| EvaluateFlagsOptions {
        person_properties: properties(known),
        groups: acme(),
        group_properties: seats(40),
        only_evaluate_locally: true,
        ..EvaluateFlagsOptions::default()
    };
    let known = json!({"plan": "pro", "email": "m@example.com"});
    let here = flags
        .evaluate_flags("1042", options(known.clone()))
        .await
        .unwrap();
    for (key, expected) in [
        ("beta", OFF),
        ("pro", ON),
        ("price-test", variant("low")),
        ("big-company", ON),
        ("staff", ON),
        ("outsiders", OFF),
        ("lost", None),
        // This SDK leaves dependencies to the server.
        ("needs-pro", None),
    ] {
        checks.check(&format!("{key}, here"), here.get_flag(key), expected);
    }
    println!("change");
    wait_for_beta(&flags, &options, true).await;
    checks.check("a change, here", heard(&told), "[]");
    println!("change");
    wait_for_beta(&flags, &options, false).await;
    flags.shutdown().await;
    let (flags, told) = client(url, "phc_local_dev", true, Some("phs_nobody")).await;
    let here = flags.evaluate_flags("1042", options(known)).await.unwrap();
    checks.check("without definitions", here.keys().len(), 0);
    let value = flags.get_feature_flag("pro", "maria", None, None, None);
    checks.check("the server is asked instead", found(value.await), OFF);
    let first = told.lock().unwrap().first().copied();
    checks.check("a wrong secret", first, Some(("definitions", Some(401))));
    flags.shutdown().await;
}

/// Polls are a second apart; whoever runs this gives up some time.
async fn wait_for_beta(
    flags: &Client,
    options: &dyn Fn(Value) -> EvaluateFlagsOptions,
    expected: bool,
) {
    for _ in 0..1_000 {
        let here = flags.evaluate_flags("maria", options(json!({}))).await;
        if here.unwrap().get_flag("beta") == Some(FlagValue::Boolean(expected)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    panic!("beta did not change");
}

/// Everything that changes a person is seen by the next request.
async fn people(url: &str, checks: &mut Checks) {
    let (flags, told) = client(url, "phc_local_dev", false, None).await;
    let is_pro = async |person: &str| {
        flags.flush().await;
        let asked = flags.is_feature_enabled("pro", person, None, None, None);
        asked.await.unwrap()
    };
    checks.check("nobody", is_pro("anna").await, false);
    let mut event = Event::new("$set", "anna");
    event.insert_prop("$set", json!({"plan": "pro"})).unwrap();
    flags.capture(event);
    checks.check("set", is_pro("anna").await, true);
    flags.alias("anna", "anna-phone");
    checks.check("alias", is_pro("anna-phone").await, true);
    let mut event = Event::new("bought", "anna-phone");
    let unset = json!(["plan"]);
    event.insert_prop("$unset", unset).unwrap();
    flags.capture(event);
    checks.check("one person", is_pro("anna").await, false);

    let mut event = Event::new("$identify", "bert");
    event.insert_prop("$anon_distinct_id", "anon-bert").unwrap();
    event.insert_prop("$set", json!({"plan": "pro"})).unwrap();
    let sent = flags.capture_immediate(event).await.unwrap();
    checks.check("an event at once", sent.submitted(), 1);
    checks.check("identify", is_pro("anon-bert").await, true);

    let is_big = async || {
        flags.flush().await;
        let asked = flags.is_feature_enabled("big-company", "bert", acme(), None, None);
        asked.await.unwrap()
    };
    checks.check("an unknown group", is_big().await, false);
    let known = json!({"seats": 40});
    flags.group_identify("company", "acme", known).unwrap();
    checks.check("a group that is told", is_big().await, true);
    flags.shutdown().await;
    checks.check("no failures", heard(&told), "[]");
}

async fn errors(url: &str, checks: &mut Checks) {
    let (flags, told) = client(url, "phc_nobody", false, None).await;
    let options = EvaluateFlagsOptions::default();
    let asked = flags.evaluate_flags("maria", options).await;
    let refused = asked.is_err();
    checks.check("a wrong token", refused, true);
    let sent = flags.capture_immediate(Event::new("bought", "maria")).await;
    let unauthorized = matches!(sent, Err(Error::Unauthorized));
    checks.check("a wrong token, for an event", unauthorized, true);
    // What is awaited is told to whoever awaits it.
    checks.check(
        "what is told of it",
        heard(&told),
        "[(\"flags\", Some(401))]",
    );
    flags.shutdown().await;
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(url) = std::env::args().nth(1) else {
        println!("usage: posthog_rust URL");
        return ExitCode::FAILURE;
    };
    let mut checks = Checks::default();
    remote(&url, &mut checks).await;
    local(&url, &mut checks).await;
    people(&url, &mut checks).await;
    errors(&url, &mut checks).await;
    checks.finish()
}
