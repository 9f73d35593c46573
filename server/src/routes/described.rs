//! Where the OpenAPI document finds what each route says of itself. A route that nobody describes does not compile.

use super::{
    AdminRoute, Route, admin, browser, definitions, docs, events, flags, health, ofrep, payload,
    streams,
};
use crate::openapi::Operation;

/// Routes that are not described, each with its reason.
pub(crate) const UNDESCRIBED: [(Route, &str); 3] = [
    (
        Route::Console,
        "a page for people, which changes as they need it",
    ),
    (Route::ConsoleAsset, "what that page is made of"),
    (
        Route::ConsoleStream,
        "what that page shows, in a form that changes with it",
    ),
];

/// Returns every route that the OpenAPI document has to describe. Whatever has an enumeration of its own is added
/// here, and the document and its tests follow.
pub(crate) fn described() -> impl Iterator<Item = Route> {
    let undescribed = |route: &Route| UNDESCRIBED.iter().any(|(it, _)| it == route);
    let admin = AdminRoute::ALL.into_iter().map(Route::Admin);
    Route::ALL
        .into_iter()
        .filter(move |route| !undescribed(route))
        .chain(admin)
}

/// Returns what the methods of a route take and answer, for the OpenAPI document. `OPTIONS` and `HEAD` are left out: they answer
/// everywhere in the same way.
pub(crate) fn describe(route: Route) -> Vec<Operation> {
    match route {
        Route::Flags | Route::Decide => flags::openapi::describe(route),
        Route::OfrepFlags | Route::OfrepFlag => ofrep::openapi::describe(route),
        Route::OfrepEvents | Route::DefinitionsStream => streams::openapi::describe(route),
        Route::Definitions | Route::LocalEvaluation | Route::ProjectLocalEvaluation => {
            definitions::openapi::describe(route)
        }
        Route::Payload => payload::openapi::describe(),
        Route::RemoteConfig | Route::RemoteConfigScript | Route::Surveys | Route::Static => {
            browser::openapi::describe(route)
        }
        Route::Batch
        | Route::Events
        | Route::EventsV0
        | Route::Capture
        | Route::Track
        | Route::Engage
        | Route::AiBatch
        | Route::EventsV1
        | Route::AiEventsV1
        | Route::Recordings
        | Route::ClientLogs
        | Route::ClientMetrics
        | Route::ClientTraces => events::openapi::describe(route),
        Route::Liveness
        | Route::Readiness
        | Route::Startup
        | Route::Healthz
        | Route::Livez
        | Route::Readyz
        | Route::Metrics
        | Route::Index => health::openapi::describe(route),
        Route::OpenApi | Route::Docs | Route::DocsPart => docs::openapi::describe(route),
        Route::Admin(route) => admin::openapi::describe(route),
        Route::Console | Route::ConsoleAsset | Route::ConsoleStream | Route::Unmatched => {
            Vec::new()
        }
    }
}
