//! The built-in demo project, and the request it invites to.

use crate::flags_request::{Endpoint, FlagsQuery, FlagsRequest};
use crate::flags_response::{Envelope, render};
use burgee_actors::{EvaluateRequest, Stages, System};
use burgee_evaluation::Selector;
use burgee_evaluation::selection::RequestRuntime;
use chrono::Utc;
use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The demo project, as a project file.
pub const PROJECT: &str = include_str!("demo.yaml");
/// Its name in messages.
pub const FILE: &str = "demo.yaml";

/// Its public token.
pub const TOKEN: &str = "phc_local_dev";
/// The request that is shown: a person the demo knows, and a few of its flags.
const QUERY: &str = "v=2";
const BODY: &str = r#"{"token": "phc_local_dev", "distinct_id": "ada", "flag_keys": ["new-checkout", "pricing-page"]}"#;
/// How long the first answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Returns a request to paste into a shell, and the answer it will give.
pub async fn invitation(system: &System, address: SocketAddr) -> Result<String, Box<dyn Error>> {
    let answer = answer(system).await?;
    Ok(format!(
        "\nTry it:\n\n  {}\n\nThe answer (requestId and evaluatedAt will differ):\n\n{}\n",
        request(address),
        String::from_utf8(answer)?
    ))
}

/// Returns the request as a line for a shell.
fn request(address: SocketAddr) -> String {
    format!(
        "curl -s 'http://{address}/flags?{QUERY}' -H 'Content-Type: application/json' -d '{BODY}'"
    )
}

/// Evaluates the request the way the server does.
async fn answer(system: &System) -> Result<Vec<u8>, Box<dyn Error>> {
    let deadline = Instant::now() + PATIENCE;
    let query = FlagsQuery::parse(QUERY);
    let Ok(mut asked) = FlagsRequest::parse(BODY) else {
        return Err("the demo request cannot be read".into());
    };
    let distinct_id = asked.distinct_id.take().ok_or("the demo names nobody")?;
    let project = system
        .project(TOKEN, deadline)
        .await?
        .ok_or("the demo project is missing")?;
    let now = Utc::now();
    let request = EvaluateRequest {
        selector: Selector {
            // What curl's user agent says.
            runtime: RequestRuntime::Server,
            keys: asked.keys.take(),
            ..Selector::default()
        },
        subject: asked.into_subject(&distinct_id),
        overrides_only: false,
        write_hash_keys: false,
        now,
        deadline,
    };
    let evaluations = system
        .evaluate(&project, request, &mut Stages::default())
        .await?;
    let envelope = Envelope {
        errors_while_computing: evaluations.errors_while_computing,
        request_id: Uuid::new_v4(),
        evaluated_at: now.timestamp_millis(),
        config: None,
    };
    Ok(render(
        query.shape(Endpoint::Flags),
        &envelope,
        &evaluations,
    )?)
}

#[cfg(test)]
mod tests;
