//! What posthog-js asks for, in the OpenAPI document.

use super::super::Route;
use crate::error::{ApiError, JsonError};
use crate::openapi::{Fault, Operation, Tag, path, query, schemas};
use crate::remote_config::{RemoteConfig, RemoteConfigSettings};
use crate::routes::faults;
use serde_json::json;
use utoipa::ToSchema;

const TOKEN: &str = "phc_local_dev";
const CACHED: &str = "`public, max-age=300`";

/// There are none.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is described here and written elsewhere")]
struct Surveys {
    /// Always empty.
    surveys: Vec<serde_json::Value>,
}

/// Describes the method of one of the paths.
pub(in crate::routes) fn describe(route: Route) -> Vec<Operation> {
    vec![match route {
        Route::RemoteConfig => config(),
        Route::RemoteConfigScript => script(),
        Route::Surveys => surveys(),
        _ => files(),
    }]
}

fn config() -> Operation {
    let example = RemoteConfig::new(TOKEN, RemoteConfigSettings::default());
    let example = serde_json::to_value(example).unwrap_or_default();
    Operation::get("remote_config", Tag::Browser)
        .about(
            "Remote config of posthog-js",
            "Tells the client that flags are served here, and that all other features are switched off.",
        )
        .parameters([token()])
        .answers::<RemoteConfig<'_>>(200, "The config.", example)
        .with_header(200, "Cache-Control", CACHED)
        .fails::<JsonError>(token_faults())
}

fn script() -> Operation {
    let example = RemoteConfig::new(TOKEN, RemoteConfigSettings::default()).script();
    Operation::get("remote_config_script", Tag::Browser)
        .about(
            "Remote config of posthog-js as a script",
            "The same, as a script that leaves it where the client looks for it.",
        )
        .parameters([token()])
        .answers_text(
            200,
            "The script.",
            "application/javascript",
            &example.unwrap_or_default(),
        )
        .with_header(200, "Cache-Control", CACHED)
        .fails::<JsonError>(token_faults())
}

fn surveys() -> Operation {
    let token = "A project's public token. It is not looked at.";
    Operation::get("surveys", Tag::Browser)
        .about("Surveys", "There are none.")
        .parameters([query("token", schemas::text(), token)])
        .answers::<Surveys>(200, "An empty list.", json!({"surveys": []}))
        .with_header(200, "Cache-Control", CACHED)
        .fails::<JsonError>(faults::of_any())
}

fn files() -> Operation {
    let name = "The name of a file, after a version or not.";
    Operation::get("static_file", Tag::Browser)
        .about(
            "Scripts of posthog-js",
            "Answers with a file of the directory that the server was given for it. Conditional requests and ranges are understood.",
        )
        .parameters([path("path", name, "array.js")])
        .answers_text(200, "The file.", "text/javascript", "!function(){}();")
        .answers_text(206, "A part of the file.", "text/javascript", "!func")
        .answers_nothing(304, "The client has the file.")
        .answers_nothing(412, "The file is another than the client wants.")
        .answers_nothing(416, "There is no such part.")
        .fails::<JsonError>(faults::of_any())
        .fails::<JsonError>([Fault::api("not_found", &ApiError::NotFound)])
}

fn token() -> utoipa::openapi::path::Parameter {
    path("token", "The project's public token.", TOKEN)
}

fn token_faults() -> Vec<Fault> {
    let mut all = faults::of_any();
    all.extend(faults::of_store());
    all.push(Fault::api("unknown_project", &ApiError::NoSuchObject));
    all
}
