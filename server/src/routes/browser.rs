//! What posthog-js asks for beside flags: its remote config (sections 5.1 to 5.3), surveys, of which there are none, and the
//! scripts of a directory (section 5.4).

pub(super) mod openapi;

use super::read_only;
use crate::error::ApiError;
use crate::remote_config::RemoteConfig;
use crate::state::AppState;
use actix_files::NamedFile;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use serde_json::json;
use std::time::Instant;

/// How long browsers keep what is not about flags.
const FIVE_MINUTES: HeaderValue = HeaderValue::from_static("public, max-age=300");
const JAVASCRIPT: HeaderValue = HeaderValue::from_static("application/javascript");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Adds the methods of `/array/{token}/config`.
pub(super) fn register_config(resource: Resource) -> Resource {
    read_only(resource, config)
}

/// Adds the methods of `/array/{token}/config.js`.
pub(super) fn register_script(resource: Resource) -> Resource {
    read_only(resource, script)
}

/// Adds the methods of `/api/surveys`.
pub(super) fn register_surveys(resource: Resource) -> Resource {
    read_only(resource, surveys)
}

/// Adds the methods of `/static`.
pub(super) fn register_files(resource: Resource) -> Resource {
    read_only(resource, file)
}

async fn config(
    token: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let config = known(&token, &state).await?;
    let body = serde_json::to_vec(&config).map_err(|error| unwritable(&error))?;
    Ok(answer(JSON).body(body))
}

async fn script(
    token: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let config = known(&token, &state).await?;
    let body = config.script().map_err(|error| unwritable(&error))?;
    Ok(answer(JAVASCRIPT).body(body))
}

/// Returns the remote config of a token that is known: the path is anybody's text.
async fn known<'a>(token: &'a str, state: &AppState) -> Result<RemoteConfig<'a>, ApiError> {
    let deadline = Instant::now() + state.edge.live.load().request_timeout;
    let project = state.system.project(token, deadline).await?;
    project.ok_or(ApiError::NoSuchObject)?;
    Ok(RemoteConfig::new(token, state.edge.config.remote_config))
}

async fn surveys() -> HttpResponse {
    answer(JSON).json(json!({ "surveys": [] }))
}

/// Serves a file of the directory, under its name or behind the client's version; nothing from below or above it.
async fn file(
    request: HttpRequest,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let directory = state.edge.config.static_dir.as_ref();
    let directory = directory.ok_or(ApiError::NotFound)?;
    let name = file_name(&path).ok_or(ApiError::NotFound)?;
    let path = directory.join(name);
    // A disk may be slow.
    let opened = web::block(move || NamedFile::open(path)).await;
    let opened = opened.map_err(|_stopped| ApiError::Internal)?;
    // A folder can be opened as well, but not read.
    let file = opened.ok().filter(|file| file.metadata().is_file());
    let file = file.ok_or(ApiError::NotFound)?;
    let mut response = file.into_response(&request);
    response.headers_mut().insert(CACHE_CONTROL, FIVE_MINUTES);
    Ok(response)
}

/// Returns the name of the file that a path asks for: its last part, after a version at most.
fn file_name(path: &str) -> Option<&str> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let name = match path.split_once('/') {
        Some((version, name)) => is_plain(version).then_some(name)?,
        None => path,
    };
    is_plain(name).then_some(name)
}

/// Returns whether a part of a path can only be the name of something: no hidden file, no way up.
fn is_plain(part: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    !part.is_empty() && !part.starts_with('.') && part.chars().all(is_allowed)
}

fn answer(content: HeaderValue) -> actix_web::HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, content))
        .insert_header((CACHE_CONTROL, FIVE_MINUTES));
    response
}

fn unwritable(error: &serde_json::Error) -> ApiError {
    tracing::error!(%error, "the remote config cannot be written");
    ApiError::Internal
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn a_path_asks_for_one_file() {
        for (path, expected) in [
            ("array.js", Some("array.js")),
            ("array.js/", Some("array.js")),
            ("1.449.2/surveys.js", Some("surveys.js")),
            ("array.full.es5.js.map", Some("array.full.es5.js.map")),
            ("", None),
            ("/", None),
            ("//array.js", None),
            ("a/b/c.js", None),
            ("..", None),
            ("../array.js", None),
            ("1/../array.js", None),
            ("1/..", None),
            (".hidden", None),
            ("a\\b.js", None),
            ("a b.js", None),
            ("a%2fb.js", None),
            ("a\0.js", None),
        ] {
            assert_eq!(file_name(path), expected, "{path:?}");
        }
    }
}
