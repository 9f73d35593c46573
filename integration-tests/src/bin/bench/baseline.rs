//! The baselines: small servers on the same core, the same flags, the same allocator and the same kind of pool.
//!
//! They are what a reasonable person writes first, and they are spared what Burgee does besides: no compressed bodies, no
//! deadlines, no metrics but one, no access log. They keep connections without checking them, and ask one query a request.

mod person;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Bytes;
use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context, Result, anyhow};
use burgee::flags_request::FlagsRequest;
use burgee::flags_response::{Envelope, Shape, render};
use burgee_evaluation::definition::{FlagDefinition, GroupTypes};
use burgee_evaluation::selection::RequestRuntime;
use burgee_evaluation::subject::Read;
use burgee_evaluation::{
    CohortSet, Definitions, Evaluations, MatchingVersion, Moment, Needs, Selection, Selector,
    Stored, evaluate,
};
use chrono::Utc;
use chrono_tz::Tz;
use person::People;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use serde_json::Value;
use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Long enough for a generator that lets connections rest.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// What a baseline is told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The database with the persons
    #[arg(long)]
    database_url: String,
    /// The file with the flags
    #[arg(long)]
    project: PathBuf,
}

/// What the bare server is told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct BareOptions {
    /// The file with the bytes to answer
    #[arg(long)]
    answer: PathBuf,
}

/// How flags are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// In parallel on the default pool, called from the handler.
    Naive,
    /// In sequence in the handler.
    Inline,
}

struct State {
    style: Style,
    projects: HashMap<String, Project>,
    people: People,
}

struct Project {
    id: i64,
    definitions: Arc<Definitions>,
    cohorts: CohortSet,
    /// A selection for each flag alone.
    singles: Vec<Selection>,
}

/// Serves flags until it is killed.
pub(crate) fn serve(options: &Options, style: Style) -> Result<()> {
    let text = std::fs::read_to_string(&options.project)?;
    let projects = projects(&text)?;
    actix_web::rt::System::new().block_on(async {
        let state = web::Data::new(State {
            style,
            projects,
            people: People::connect(&options.database_url).await?,
        });
        let server = HttpServer::new(move || {
            App::new()
                .app_data(state.clone())
                .route("/flags", web::post().to(flags))
                .route("/metrics", web::get().to(metrics))
        });
        let server = server.keep_alive(KEEP_ALIVE).bind("127.0.0.1:0")?;
        announce(&server.addrs())?;
        Ok(server.run().await?)
    })
}

/// Serves the same bytes for everything until it is killed.
pub(crate) fn serve_bare(options: &BareOptions) -> Result<()> {
    let answer = Bytes::from(std::fs::read(&options.answer)?);
    actix_web::rt::System::new().block_on(async {
        let server = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::new(answer.clone()))
                .route("/flags", web::post().to(bare))
                .route("/flags/definitions", web::get().to(bare))
        });
        let server = server.keep_alive(KEEP_ALIVE).bind("127.0.0.1:0")?;
        announce(&server.addrs())?;
        Ok(server.run().await?)
    })
}

/// Says where it listens, in Burgee's words.
fn announce(addresses: &[std::net::SocketAddr]) -> Result<()> {
    let address = addresses.first().context("no address")?;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{{\"message\":\"listening\",\"address\":\"{address}\"}}"
    )?;
    Ok(out.flush()?)
}

async fn bare(answer: web::Data<Bytes>, body: Bytes) -> HttpResponse {
    drop(body);
    json(answer.get_ref().clone())
}

async fn metrics(state: web::Data<State>) -> HttpResponse {
    HttpResponse::Ok().body(state.people.acquire_waits())
}

async fn flags(state: web::Data<State>, body: Bytes) -> HttpResponse {
    match answer(&state, &body).await {
        Ok(answer) => json(answer),
        Err(error) => HttpResponse::InternalServerError().body(format!("{error:#}")),
    }
}

fn json(body: impl actix_web::body::MessageBody + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(body)
}

async fn answer(state: &State, body: &[u8]) -> Result<Vec<u8>> {
    let parsed = FlagsRequest::parse(std::str::from_utf8(body)?);
    let mut request = parsed.map_err(|error| anyhow!("{error:?}"))?;
    let token = request.token.take().context("no token")?;
    let project = state.projects.get(&token).context("an unknown token")?;
    let distinct_id = request.distinct_id.take().context("no distinct id")?;
    let subject = request.into_subject(&distinct_id);
    let selection = project.definitions.select(&all_flags());
    let needs = Needs::of(&project.definitions, &selection, &subject);
    let stored = Stored {
        state: match needs.state {
            true => Read::Done(state.people.look_up(project.id, &distinct_id).await?),
            false => Read::NotNeeded,
        },
        hash_keys: Read::NotNeeded,
    };
    let now = Utc::now();
    let moment = Moment {
        now,
        zone: Tz::UTC,
        matching: MatchingVersion::Default,
    };
    let one = |selection: &Selection| {
        let Project {
            definitions,
            cohorts,
            ..
        } = project;
        evaluate(definitions, cohorts, selection, &subject, &stored, &moment)
    };
    let evaluations = match state.style {
        Style::Inline => one(&selection),
        Style::Naive => in_parallel(project, one),
    };
    let envelope = Envelope {
        errors_while_computing: evaluations.errors_while_computing,
        request_id: Uuid::new_v4(),
        evaluated_at: now.timestamp_millis(),
        config: None,
    };
    Ok(render(Shape::V2, &envelope, &evaluations)?)
}

/// Evaluates each flag as a job of its own. The flags of the benches depend on no others: there is one stage.
fn in_parallel(
    project: &Project,
    one: impl Fn(&Selection) -> Evaluations + Sync + Send,
) -> Evaluations {
    let each: Vec<Evaluations> = project.singles.par_iter().map(one).collect();
    let errors = each.iter().any(|one| one.errors_while_computing);
    let answers = each.iter().flat_map(Evaluations::iter);
    let answers = answers.map(|answer| (answer.place, answer.outcome));
    Evaluations::new(&project.definitions, answers.collect(), errors)
}

fn all_flags() -> Selector {
    Selector {
        runtime: RequestRuntime::All,
        ..Selector::default()
    }
}

/// Reads the project file: token → project.
fn projects(text: &str) -> Result<HashMap<String, Project>> {
    let file: Value = serde_json::from_str(text)?;
    let entries = file.get("projects").and_then(Value::as_array);
    let entries = entries.context("a file without projects")?;
    entries.iter().map(project).collect()
}

fn project(entry: &Value) -> Result<(String, Project)> {
    let token = entry.get("token").and_then(Value::as_str);
    let id = entry.get("id").and_then(Value::as_i64);
    let flags = entry.get("flags").and_then(Value::as_array);
    let flags = flags.context("a project without flags")?;
    let flags: Vec<FlagDefinition> = (flags.iter())
        .map(|flag| Ok(serde_json::from_str(&flag.to_string())?))
        .collect::<Result<_>>()?;
    let mut keys: Vec<String> = flags.iter().map(|flag| flag.key.clone()).collect();
    keys.sort();
    let (definitions, _) = Definitions::compile(flags, Ok(GroupTypes::default()));
    let single = |key: String| {
        definitions.select(&Selector {
            keys: Some(vec![key]),
            ..all_flags()
        })
    };
    let project = Project {
        id: id.context("a project without an id")?,
        singles: keys.into_iter().map(single).collect(),
        cohorts: CohortSet::compile(Vec::new()),
        definitions: definitions.into(),
    };
    Ok((
        token.context("a project without a token")?.to_owned(),
        project,
    ))
}
