//! Every path there is, on one screen (chapter 1).
//!
//! All answer with and without a trailing slash, behind repeated leading slashes, and under the base path; none redirects.

mod admin;
mod browser;
mod console;
mod definitions;
mod described;
mod docs;
mod events;
mod events_v1;
mod faults;
mod flags;
mod gate;
mod health;
mod index;
mod keyed;
mod metrics;
mod ofrep;
mod passage;
mod payload;
mod query;
mod streams;

pub use admin::AdminRoute;
#[cfg(test)]
pub(crate) use described::UNDESCRIBED;
pub(crate) use described::{describe, described};

use crate::error::ApiError;
use crate::middleware;
use crate::state::{AppState, Edge};
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::Uri;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use actix_web::http::uri::PathAndQuery;
use actix_web::middleware::from_fn;
use actix_web::{App, Error, HttpResponse, Resource, web};
use std::sync::Arc;

/// A path with a meaning. Also the label under which requests are counted and logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `/flags`
    Flags,
    /// `/decide`, its older name
    Decide,
    /// `/ofrep/v1/evaluate/flags`
    OfrepFlags,
    /// `/ofrep/v1/evaluate/flags/{key}`
    OfrepFlag,
    /// `/ofrep/v1/events`
    OfrepEvents,
    /// `/flags/definitions`
    Definitions,
    /// `/flags/definitions/stream`
    DefinitionsStream,
    /// Its older path
    LocalEvaluation,
    /// Its older path with the project in it
    ProjectLocalEvaluation,
    /// The payload of a remote configuration flag
    Payload,
    /// `/array/{token}/config`
    RemoteConfig,
    /// The same as a script
    RemoteConfigScript,
    /// `/api/surveys`
    Surveys,
    /// `/static`
    Static,
    /// `/batch`, events of most SDKs
    Batch,
    /// `/e`, events of browsers
    Events,
    /// `/i/v0/e`, the same
    EventsV0,
    /// `/capture`, an older name
    Capture,
    /// `/track`, an older name
    Track,
    /// `/engage`, an older name
    Engage,
    /// `/i/v0/ai/batch`, events that are dropped
    AiBatch,
    /// `/i/v1/analytics/events`
    EventsV1,
    /// `/i/v1/ai/events`, events that are dropped
    AiEventsV1,
    /// `/s`, recordings, which are dropped
    Recordings,
    /// `/i/v1/logs`, which are dropped
    ClientLogs,
    /// `/i/v1/metrics`, which are dropped
    ClientMetrics,
    /// `/i/v1/traces`, which are dropped
    ClientTraces,
    /// `/_liveness`
    Liveness,
    /// `/_readiness`
    Readiness,
    /// `/_startup`
    Startup,
    /// `/healthz`, liveness
    Healthz,
    /// `/livez`, liveness
    Livez,
    /// `/readyz`, readiness
    Readyz,
    /// `/metrics`
    Metrics,
    /// `/console`, the live page
    Console,
    /// Its files
    ConsoleAsset,
    /// What it shows
    ConsoleStream,
    /// `/`
    Index,
    /// `/openapi.json`
    OpenApi,
    /// `/docs`
    Docs,
    /// What the page at `/docs` asks for
    DocsPart,
    /// A path of the admin API
    Admin(AdminRoute),
    /// Any other path.
    Unmatched,
}

impl Route {
    /// Every route with a path, but for those of the admin API.
    pub const ALL: [Self; 41] = [
        Self::Flags,
        Self::Decide,
        Self::OfrepFlags,
        Self::OfrepFlag,
        Self::OfrepEvents,
        Self::Definitions,
        Self::DefinitionsStream,
        Self::LocalEvaluation,
        Self::ProjectLocalEvaluation,
        Self::Payload,
        Self::RemoteConfig,
        Self::RemoteConfigScript,
        Self::Surveys,
        Self::Static,
        Self::Batch,
        Self::Events,
        Self::EventsV0,
        Self::Capture,
        Self::Track,
        Self::Engage,
        Self::AiBatch,
        Self::EventsV1,
        Self::AiEventsV1,
        Self::Recordings,
        Self::ClientLogs,
        Self::ClientMetrics,
        Self::ClientTraces,
        Self::Liveness,
        Self::Readiness,
        Self::Startup,
        Self::Healthz,
        Self::Livez,
        Self::Readyz,
        Self::Metrics,
        Self::Console,
        Self::ConsoleAsset,
        Self::ConsoleStream,
        Self::Index,
        Self::OpenApi,
        Self::Docs,
        Self::DocsPart,
    ];

    /// Returns the path, without a trailing slash; for unmatched paths, a word that is none.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Flags => "/flags",
            Self::Decide => "/decide",
            Self::OfrepFlags => "/ofrep/v1/evaluate/flags",
            Self::OfrepFlag => "/ofrep/v1/evaluate/flags/{key}",
            Self::OfrepEvents => "/ofrep/v1/events",
            Self::Definitions => "/flags/definitions",
            Self::DefinitionsStream => "/flags/definitions/stream",
            Self::LocalEvaluation => "/api/feature_flag/local_evaluation",
            Self::ProjectLocalEvaluation => {
                "/api/projects/{project}/feature_flags/local_evaluation"
            }
            Self::Payload => "/api/projects/{project}/feature_flags/{key}/remote_config",
            Self::RemoteConfig => "/array/{token}/config",
            Self::RemoteConfigScript => "/array/{token}/config.js",
            Self::Surveys => "/api/surveys",
            Self::Static => "/static/{path:.*}",
            Self::Batch => "/batch",
            Self::Events => "/e",
            Self::EventsV0 => "/i/v0/e",
            Self::Capture => "/capture",
            Self::Track => "/track",
            Self::Engage => "/engage",
            Self::AiBatch => "/i/v0/ai/batch",
            Self::EventsV1 => "/i/v1/analytics/events",
            Self::AiEventsV1 => "/i/v1/ai/events",
            Self::Recordings => "/s",
            Self::ClientLogs => "/i/v1/logs",
            Self::ClientMetrics => "/i/v1/metrics",
            Self::ClientTraces => "/i/v1/traces",
            Self::Liveness => "/_liveness",
            Self::Readiness => "/_readiness",
            Self::Startup => "/_startup",
            Self::Healthz => "/healthz",
            Self::Livez => "/livez",
            Self::Readyz => "/readyz",
            Self::Metrics => "/metrics",
            Self::Console => "/console",
            Self::ConsoleAsset => "/console/assets/{tag}/{file}",
            Self::ConsoleStream => "/console/stream",
            Self::Index => "/",
            Self::OpenApi => "/openapi.json",
            Self::Docs => "/docs",
            Self::DocsPart => "/docs/{part}",
            Self::Admin(route) => route.label(),
            Self::Unmatched => "unmatched",
        }
    }

    /// Returns the path as the OpenAPI document spells it.
    pub const fn template(self) -> &'static str {
        match self {
            Self::Static => "/static/{path}",
            _ => self.label(),
        }
    }

    /// Returns the methods it answers, as `Allow` lists them.
    pub const fn methods(self) -> &'static str {
        match self {
            Self::Flags | Self::Decide => "GET, POST, OPTIONS, HEAD",
            Self::OfrepFlags | Self::OfrepFlag => "POST, OPTIONS",
            Self::Admin(route) => route.methods(),
            // To ask for the head of something without an end is of no use.
            Self::OfrepEvents | Self::DefinitionsStream | Self::ConsoleStream => "GET, OPTIONS",
            _ if self.takes_events_by_get() => "GET, POST, OPTIONS",
            _ if self.takes_events() => "POST, OPTIONS",
            _ => "GET, OPTIONS, HEAD",
        }
    }

    /// Returns whether it speaks the OpenFeature protocol, whose clients expect errors in JSON.
    pub const fn is_ofrep(self) -> bool {
        matches!(self, Self::OfrepFlags | Self::OfrepFlag | Self::OfrepEvents)
    }

    /// Returns whether it is for people and their scripts.
    pub const fn is_admin(self) -> bool {
        matches!(self, Self::Admin(_))
    }

    /// Returns whether older browser clients send events in the query of a GET.
    const fn takes_events_by_get(self) -> bool {
        matches!(self, Self::Events | Self::EventsV0 | Self::Capture)
    }

    /// Returns whether SDKs send events, or what else they record, in a POST.
    const fn takes_events(self) -> bool {
        matches!(
            self,
            Self::Batch
                | Self::Track
                | Self::Engage
                | Self::AiBatch
                | Self::EventsV1
                | Self::AiEventsV1
                | Self::Recordings
                | Self::ClientLogs
                | Self::ClientMetrics
                | Self::ClientTraces
        )
    }

    /// Returns whether it is for those who run the server, and has to answer when nothing else does.
    pub const fn is_operations(self) -> bool {
        matches!(
            self,
            Self::Liveness
                | Self::Readiness
                | Self::Startup
                | Self::Healthz
                | Self::Livez
                | Self::Readyz
                | Self::Metrics
                | Self::Console
                | Self::ConsoleAsset
                | Self::ConsoleStream
                | Self::Index
        )
    }

    /// Returns the route of a path that has neither base path nor repeated leading slashes.
    fn of(path: &str) -> Self {
        let path = match path.strip_suffix('/') {
            Some("") | None => path,
            Some(shorter) => shorter,
        };
        let mut all = Self::ALL.into_iter();
        let found = all.find(|route| is_path_of(path, route.label()));
        // A key may have slashes in it.
        found.unwrap_or_else(|| match path.strip_prefix(Self::OfrepFlags.label()) {
            Some(key) if key.starts_with('/') => Self::OfrepFlag,
            _ => AdminRoute::of(path).map_or(Self::Unmatched, Self::Admin),
        })
    }
}

/// Returns whether a path fits a pattern: each part the same, or in braces and then any that is not empty; `{path:.*}` at the end
/// fits any number of parts.
fn is_path_of(path: &str, pattern: &str) -> bool {
    if path == pattern {
        return true;
    }
    if !pattern.contains('{') {
        return false;
    }
    let (mut parts, mut patterns) = (path.split('/'), pattern.split('/'));
    loop {
        match (parts.next(), patterns.next()) {
            (None, None) => return true,
            (Some(_), Some("{path:.*}")) => return true,
            (Some(part), Some(pattern)) if part == pattern => {}
            (Some(part), Some(pattern)) if !part.is_empty() && pattern.starts_with('{') => {}
            _ => return false,
        }
    }
}

/// Which of its addresses a server answers on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that clients know: everything that has no address of its own.
    Main,
    /// `--admin-listen`: what changes and shows the server.
    Admin,
    /// `--metrics-listen`: metrics, and nothing else.
    Metrics,
}

/// Builds the application of one HTTP worker: shared state, middleware, and the routes of this side.
pub fn app(
    state: AppState,
    side: Side,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let edge: Arc<Edge> = Arc::clone(&state.edge);
    let routes = Arc::clone(&state.edge);
    App::new()
        .app_data(web::Data::new(state))
        .wrap(from_fn(move |request, next| {
            middleware::edge(Arc::clone(&edge), request, next)
        }))
        .configure(move |config| configure_side(config, side, &routes))
        .default_service(web::to(not_found))
}

fn configure_side(config: &mut web::ServiceConfig, side: Side, edge: &Edge) {
    let elsewhere = &edge.config;
    let people = if elsewhere.admin_elsewhere {
        Side::Admin
    } else {
        Side::Main
    };
    let metrics = if elsewhere.metrics_elsewhere {
        Side::Metrics
    } else {
        people
    };
    if side == Side::Main {
        configure_flags(config);
        configure_events(config);
    }
    if side != Side::Metrics {
        configure_health(config);
    }
    if side == people {
        configure_admin(config, edge.console.is_on());
    }
    if side == metrics {
        configure_metrics(config);
    }
}

/// Registers every route, and what answers all other paths.
pub fn configure(config: &mut web::ServiceConfig) {
    configure_flags(config);
    configure_health(config);
    configure_events(config);
    configure_metrics(config);
    configure_admin(config, true);
    config.default_service(web::to(not_found));
}

fn configure_metrics(config: &mut web::ServiceConfig) {
    both(config, Route::Metrics, |it| read_only(it, metrics::show));
}

/// Registers what changes the server, and what shows it to people: served on `--admin-listen` alone where that is given. Whatever
/// needs a personal key that may write belongs here.
fn configure_admin(config: &mut web::ServiceConfig, has_console: bool) {
    admin::configure(config);
    if has_console {
        both(config, Route::Console, console::register_page);
        both(config, Route::ConsoleAsset, console::register_asset);
        both(config, Route::ConsoleStream, console::register_stream);
    }
}

fn configure_flags(config: &mut web::ServiceConfig) {
    both(config, Route::Flags, |it| flags::register(it, Route::Flags));
    both(config, Route::Decide, |it| {
        flags::register(it, Route::Decide)
    });
    both(config, Route::OfrepFlags, ofrep::register_all);
    // A key may be anything, slashes included; with a slash behind it as well.
    let one = web::resource(format!("{}/{{key:.+}}", Route::OfrepFlags.label()));
    config.service(fallbacks(ofrep::register_one(one), Route::OfrepFlag));
    both(config, Route::OfrepEvents, streams::register_events);
    both(
        config,
        Route::DefinitionsStream,
        streams::register_definitions,
    );
    for route in [
        Route::Definitions,
        Route::LocalEvaluation,
        Route::ProjectLocalEvaluation,
    ] {
        both(config, route, definitions::register);
    }
    both(config, Route::Payload, payload::register);
    both(config, Route::RemoteConfig, browser::register_config);
    both(config, Route::RemoteConfigScript, browser::register_script);
    both(config, Route::Surveys, browser::register_surveys);
    both(config, Route::Static, browser::register_files);
}

fn configure_health(config: &mut web::ServiceConfig) {
    for route in [Route::Liveness, Route::Healthz, Route::Livez] {
        both(config, route, |it| read_only(it, health::liveness));
    }
    for route in [Route::Readiness, Route::Readyz] {
        both(config, route, |it| read_only(it, health::readiness));
    }
    both(config, Route::Startup, |it| read_only(it, health::startup));
    both(config, Route::Index, |it| read_only(it, index::show));
    both(config, Route::OpenApi, docs::register_document);
    both(config, Route::Docs, docs::register_page);
    both(config, Route::DocsPart, docs::register_part);
}

fn configure_events(config: &mut web::ServiceConfig) {
    for route in [
        Route::Batch,
        Route::Events,
        Route::EventsV0,
        Route::Capture,
        Route::Track,
        Route::Engage,
        Route::AiBatch,
    ] {
        both(config, route, |it| events::register(it, route));
    }
    for route in [Route::EventsV1, Route::AiEventsV1] {
        both(config, route, |it| events_v1::register(it, route));
    }
    for route in [
        Route::Recordings,
        Route::ClientLogs,
        Route::ClientMetrics,
        Route::ClientTraces,
    ] {
        both(config, route, events::register_dropped);
    }
}

/// Registers a route twice, without and with a trailing slash: two plain texts are matched faster than one pattern.
fn both(config: &mut web::ServiceConfig, route: Route, build: impl Fn(Resource) -> Resource) {
    let label = route.label();
    let paths = [label.to_owned(), format!("{label}/")];
    let count = if matches!(route, Route::Index | Route::Static) {
        1
    } else {
        2
    };
    for path in paths.into_iter().take(count) {
        let resource = build(web::resource(path));
        config.service(fallbacks(resource, route));
    }
}

/// Adds the answers to a plain `OPTIONS` and to methods that a route does not know.
fn fallbacks(resource: Resource, route: Route) -> Resource {
    let allow = route.methods();
    resource
        .route(
            web::method(actix_web::http::Method::OPTIONS).to(move || async move {
                HttpResponse::NoContent()
                    .insert_header((ALLOW, allow))
                    .finish()
            }),
        )
        .default_service(web::to(move || async move {
            Err::<HttpResponse, _>(ApiError::MethodNotAllowed { allow })
        }))
}

/// Answers GET and HEAD with the same handler; the server leaves the body of a HEAD out.
fn read_only<F, A>(resource: Resource, handler: F) -> Resource
where
    F: actix_web::Handler<A> + Clone,
    A: actix_web::FromRequest + 'static,
    F::Output: actix_web::Responder + 'static,
{
    resource
        .route(web::get().to(handler.clone()))
        .route(web::head().to(handler))
}

async fn not_found() -> Result<HttpResponse, ApiError> {
    Err(ApiError::NotFound)
}

/// Returns a text answer that no cache keeps.
fn plain(mut response: actix_web::HttpResponseBuilder, text: impl Into<String>) -> HttpResponse {
    response
        .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(text.into())
}

/// Finds a request's route, and takes a (normal) base path and repeated leading slashes off its path before the router sees it.
pub fn enter(request: &mut ServiceRequest, base_path: &str) -> Route {
    let path = request.path();
    let inner = inner_path(path, base_path);
    let route = Route::of(inner);
    if inner.len() != path.len()
        && let Some(uri) = with_path(request.uri(), inner)
    {
        request.match_info_mut().get_mut().update(&uri);
        request.head_mut().uri = uri;
    }
    route
}

/// Returns a base path as [`enter`] takes it: empty, or with one slash in front and none behind.
pub fn normal_base_path(base_path: &str) -> String {
    match base_path.trim_matches('/') {
        "" => String::new(),
        inner => format!("/{inner}"),
    }
}

/// Returns a path as the routes know it: one leading slash, no base path.
fn inner_path<'a>(path: &'a str, base_path: &str) -> &'a str {
    let path = one_leading_slash(path);
    match path.strip_prefix(base_path) {
        Some("") => "/",
        Some(inner) if inner.starts_with('/') => one_leading_slash(inner),
        _ => path,
    }
}

fn one_leading_slash(path: &str) -> &str {
    let slashes = path.bytes().take_while(|byte| *byte == b'/').count();
    path.get(slashes.saturating_sub(1)..).unwrap_or(path)
}

fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let path_and_query = match uri.query() {
        Some(query) => PathAndQuery::try_from(format!("{path}?{query}")),
        None => PathAndQuery::try_from(path),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path_and_query.ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests;
