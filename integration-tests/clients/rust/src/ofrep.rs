//! Asks a server for flags with OpenFeature's unmodified OFREP provider for Rust and checks every answer.
//!
//! Usage: ofrep_rust URL LIMITED_URL. The flags it expects are those of tests/api/ofrep_clients.rs; the second server lets one
//! request a second through. Prints a line for each check that fails, then how many passed; exits with 1 if any failed.

mod checks;

use checks::Checks;
use open_feature::{
    Client, EvaluationContext, EvaluationError, EvaluationErrorCode, EvaluationReason, OpenFeature,
    StructValue, Value,
};
use open_feature_ofrep::{OfrepOptions, OfrepProvider};
use reqwest::header::{HeaderMap, HeaderValue};
use std::process::ExitCode;

async fn client(url: &str, domain: &str, key: &str) -> Client {
    let value = HeaderValue::from_str(&format!("Bearer {key}")).unwrap();
    let provider = OfrepProvider::new(OfrepOptions {
        base_url: url.to_owned(),
        headers: HeaderMap::from_iter([(reqwest::header::AUTHORIZATION, value)]),
        ..OfrepOptions::default()
    });
    let provider = provider.await.unwrap();
    let mut api = OpenFeature::singleton_mut().await;
    api.set_named_provider(domain, provider).await;
    api.create_named_client(domain)
}

/// This provider sends only what has no members of its own: groups are named flat.
fn maria() -> EvaluationContext {
    EvaluationContext::default()
        .with_targeting_key("1042")
        .with_custom_field("email", "maria@example.com")
        .with_custom_field("groups.company", "acme")
        .with_custom_field("group_properties.company.region", "eu")
}

fn code<T>(result: Result<T, EvaluationError>) -> Option<EvaluationErrorCode> {
    result.err().map(|error| error.code)
}

async fn values(flags: &Client, checks: &mut Checks) {
    let maria = maria();
    let stranger = EvaluationContext::default().with_targeting_key("stranger");
    for (key, context, expected) in [
        ("plain", &maria, true),
        ("off", &maria, false),
        ("inactive", &maria, false),
        ("staff", &maria, true),
        ("company", &maria, true),
        ("european", &maria, true),
        ("staff", &stranger, false),
        ("company", &stranger, false),
    ] {
        let told = flags.get_bool_details(key, Some(context), None).await;
        let told = told.map(|details| (details.value, details.variant, details.reason));
        // Whatever the server says, this provider calls it static.
        let reason = Some(EvaluationReason::Static);
        checks.check(
            key,
            told,
            Ok((expected, Some(expected.to_string()), reason)),
        );
    }
    let price = flags
        .get_string_details("price-test", Some(&maria), None)
        .await;
    let price = price.map(|details| (details.value, details.variant));
    checks.check(
        "a stored person",
        price,
        Ok(("low".to_owned(), Some("low".to_owned()))),
    );
    checks.check(
        "a text",
        flags.get_string_value("title", Some(&maria), None).await,
        Ok("Hi".to_owned()),
    );
    checks.check(
        "an integer",
        flags.get_int_value("limit", Some(&maria), None).await,
        Ok(7),
    );
    checks.check(
        "a float",
        flags.get_float_value("ratio", Some(&maria), None).await,
        Ok(2.5),
    );
    let layout = flags
        .get_struct_details::<Layout>("layout", Some(&maria), None)
        .await;
    let layout = layout.map(|details| details.value.0);
    let columns = Value::Array(vec![Value::Int(1), Value::Float(2.5)]);
    let expected = StructValue::default()
        .with_field("columns", columns)
        .with_field("title", "Hi");
    checks.check("an object", layout, Ok(expected));
}

/// An object as it was received.
struct Layout(StructValue);

impl TryFrom<StructValue> for Layout {
    type Error = String;

    fn try_from(value: StructValue) -> Result<Self, String> {
        Ok(Self(value))
    }
}

async fn errors(flags: &Client, url: &str, checks: &mut Checks) {
    let maria = maria();
    let unknown = flags
        .get_bool_value("no-such-flag", Some(&maria), None)
        .await;
    checks.check(
        "an unknown flag",
        code(unknown),
        Some(EvaluationErrorCode::FlagNotFound),
    );
    let nobody = EvaluationContext::default().with_custom_field("email", "x");
    let nobody = flags.get_bool_value("plain", Some(&nobody), None).await;
    checks.check(
        "nobody",
        code(nobody),
        Some(EvaluationErrorCode::InvalidContext),
    );
    let lost = flags.get_bool_value("lost", Some(&maria), None).await;
    checks.check(
        "a flag that fails",
        code(lost),
        Some(EvaluationErrorCode::InvalidContext),
    );
    let stranger = EvaluationContext::default().with_targeting_key("stranger");
    let unmatched = flags
        .get_string_value("price-test", Some(&stranger), None)
        .await;
    checks.check(
        "no variant",
        code(unmatched),
        Some(EvaluationErrorCode::ParseError),
    );
    let refused = EvaluationErrorCode::General("authentication/authorization error".to_owned());
    for key in ["phc_nobody", "phs_nobody", "phx_narrow"] {
        let flags = client(url, key, key).await;
        let asked = flags.get_bool_value("plain", Some(&maria), None).await;
        checks.check(key, code(asked), Some(refused.clone()));
    }
    for key in ["phs_one", "phx_reader"] {
        let flags = client(url, key, key).await;
        checks.check(
            key,
            flags.get_bool_value("plain", Some(&maria), None).await,
            Ok(true),
        );
    }
}

/// The last one: the pause counts for all of the process.
async fn too_often(url: &str, checks: &mut Checks) {
    let flags = client(url, "limited", "phc_local_dev").await;
    let mut messages = Vec::new();
    for _ in 0..50 {
        let asked = flags.get_bool_value("plain", Some(&maria()), None).await;
        messages.extend(asked.err().and_then(|error| error.message));
    }
    let starts = |text: &str| messages.iter().any(|message| message.starts_with(text));
    checks.check("a limit", starts("Rate limit exceeded. Retry after "), true);
    checks.check("a pause", starts("Rate limit exceeded. Please wait"), true);
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, limited_url] = &arguments[..] else {
        println!("usage: ofrep_rust URL LIMITED_URL");
        return ExitCode::FAILURE;
    };
    let mut checks = Checks::default();
    let flags = client(url, "flags", "phc_local_dev").await;
    values(&flags, &mut checks).await;
    errors(&flags, url, &mut checks).await;
    too_often(limited_url, &mut checks).await;
    checks.finish()
}
