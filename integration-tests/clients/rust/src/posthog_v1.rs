//! Changes people with PostHog's unmodified SDK for Rust, built to send events in version 1, and checks what the next request for
//! flags sees, and what the SDK tells of each event.
//!
//! Usage: posthog_rust_v1 URL. The flags it expects are those of tests/api/posthog_clients.rs. Prints a line for each check that fails,
//! then how many passed; exits with 1 if any failed.

#![expect(
    deprecated,
    reason = "applications still call what the SDK would rather have them leave"
)]

mod checks;

use checks::Checks;
use posthog_rs::{
    CaptureCompression, CaptureSummary, Client, ClientOptionsBuilder, Error, Event, PostHogError,
};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

/// What the SDK tells of events that did not arrive: the status, where there was one.
type Told = Arc<Mutex<Vec<Option<u16>>>>;

async fn client(url: &str, token: &str, packed: Option<CaptureCompression>) -> (Client, Told) {
    let told = Told::default();
    let listener = Arc::clone(&told);
    let mut options = ClientOptionsBuilder::default();
    options
        .api_key(token.to_owned())
        .host(url)
        .feature_flags_request_timeout_seconds(20)
        .on_error(move |error| {
            if let PostHogError::Capture(failure) = error {
                listener.lock().unwrap().push(failure.status());
            }
        });
    if let Some(packed) = packed {
        options.capture_compression(packed);
    }
    let client = posthog_rs::client(options.build().unwrap()).await;
    (client, told)
}

fn heard(told: &Told) -> String {
    format!("{:?}", told.lock().unwrap())
}

fn event(name: &str, person: &str, properties: &[(&str, Value)]) -> Event {
    let mut event = Event::new(name, person);
    for (key, value) in properties {
        event.insert_prop(*key, value.clone()).unwrap();
    }
    event
}

/// Returns what became of the events, sorted: the verdict and its details.
fn verdicts(summary: &CaptureSummary) -> Vec<String> {
    let mut all: Vec<String> = (summary.event_results().values())
        .map(|told| match &told.details {
            Some(details) => format!("{:?} {details}", told.result),
            None => format!("{:?}", told.result),
        })
        .collect();
    all.sort();
    all
}

async fn is_pro(flags: &Client, person: &str) -> bool {
    flags.flush().await;
    let asked = flags.is_feature_enabled("pro", person, None, None, None);
    asked.await.unwrap()
}

/// Everything that changes a person is seen by the next request.
async fn people(url: &str, checks: &mut Checks) {
    let (flags, told) = client(url, "phc_local_dev", None).await;
    checks.check("nobody", is_pro(&flags, "anna").await, false);
    flags.capture(event("$set", "anna", &[("$set", json!({"plan": "pro"}))]));
    checks.check("set", is_pro(&flags, "anna").await, true);
    flags.capture(event(
        "visited",
        "anna",
        &[("$set_once", json!({"plan": "free"}))],
    ));
    checks.check("set once, too late", is_pro(&flags, "anna").await, true);
    flags.alias("anna", "anna-phone");
    checks.check("alias", is_pro(&flags, "anna-phone").await, true);
    flags.capture(event(
        "bought",
        "anna-phone",
        &[("$unset", json!(["plan"]))],
    ));
    checks.check(
        "unset, by the other id",
        is_pro(&flags, "anna").await,
        false,
    );

    let known = [
        ("$anon_distinct_id", json!("anon-bert")),
        ("$set", json!({"plan": "pro"})),
    ];
    let sent = flags
        .capture_immediate(event("$identify", "bert", &known))
        .await;
    let sent = sent.unwrap();
    checks.check("an event at once", sent.all_persisted(), true);
    checks.check("its verdict", verdicts(&sent), ["Ok"]);
    checks.check("identify", is_pro(&flags, "anon-bert").await, true);

    let quiet = [
        ("$process_person_profile", json!(false)),
        ("$set", json!({"plan": "pro"})),
    ];
    flags.capture(event("visited", "carl", &quiet));
    checks.check("without a profile", is_pro(&flags, "carl").await, false);

    let company = || Some(HashMap::from([("company".to_owned(), "acme".to_owned())]));
    let known = json!({"seats": 40});
    flags.group_identify("company", "acme", known).unwrap();
    flags.flush().await;
    let asked = flags.is_feature_enabled("big-company", "bert", company(), None, None);
    checks.check("a group that is told", asked.await.unwrap(), true);
    flags.shutdown().await;
    checks.check("no failures", heard(&told), "[]");
}

/// Every encoding that the SDK knows.
async fn encodings(url: &str, checks: &mut Checks) {
    for (name, packed) in [
        ("gzip", CaptureCompression::Gzip),
        ("deflate", CaptureCompression::Deflate),
        ("br", CaptureCompression::Br),
        ("zstd", CaptureCompression::Zstd),
    ] {
        let (flags, told) = client(url, "phc_local_dev", Some(packed)).await;
        let known = [("$set", json!({"plan": "pro"}))];
        let sent = flags.capture_immediate(event("$set", name, &known)).await;
        checks.check(name, sent.unwrap().all_persisted(), true);
        checks.check(&format!("{name}, seen"), is_pro(&flags, name).await, true);
        flags.shutdown().await;
        checks.check(&format!("{name}, no failures"), heard(&told), "[]");
    }
}

async fn errors(url: &str, checks: &mut Checks) {
    let (flags, told) = client(url, "phc_local_dev", None).await;
    let known = [("$set", json!({"plan": "pro"}))];
    let two = vec![event("", "dora", &known), event("$set", "emil", &known)];
    let sent = flags.capture_batch_immediate(two, false).await.unwrap();
    checks.check("two events", sent.submitted(), 2);
    checks.check("one is refused", sent.not_persisted(), 1);
    let expected = ["Drop invalid_event", "Ok"];
    checks.check("by its verdict", verdicts(&sent), expected);
    checks.check("it changes nothing", is_pro(&flags, "dora").await, false);
    checks.check("the other does", is_pro(&flags, "emil").await, true);
    flags.shutdown().await;
    checks.check("which is no failure", heard(&told), "[]");

    let (flags, told) = client(url, "phc_nobody", None).await;
    let sent = flags.capture_immediate(Event::new("bought", "maria")).await;
    let unauthorized = matches!(sent, Err(Error::Unauthorized));
    checks.check("a wrong token, at once", unauthorized, true);
    checks.check("which is told to who waits", heard(&told), "[]");
    flags.capture(Event::new("bought", "maria"));
    flags.flush().await;
    flags.shutdown().await;
    checks.check("a wrong token, later", heard(&told), "[Some(401)]");
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(url) = std::env::args().nth(1) else {
        println!("usage: posthog_rust_v1 URL");
        return ExitCode::FAILURE;
    };
    let mut checks = Checks::default();
    people(&url, &mut checks).await;
    encodings(&url, &mut checks).await;
    errors(&url, &mut checks).await;
    checks.finish()
}
