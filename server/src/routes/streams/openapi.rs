//! The streams in the OpenAPI document.

use super::super::Route;
use super::super::definitions::openapi::{key_faults, project_parameters};
use super::super::ofrep::openapi::request_faults;
use crate::error::JsonError;
use crate::ofrep::Told;
use crate::openapi::{Credential, Operation, Tag, header, query, schemas};
use crate::routes::faults;

const TYPE: &str = "text/event-stream";

/// Describes the method of one of the two paths.
pub(in crate::routes) fn describe(route: Route) -> Vec<Operation> {
    vec![match route {
        Route::OfrepEvents => events(),
        _ => definitions(),
    }]
}

fn events() -> Operation {
    let since = "The state that the client knows; it is told at once when there is a newer one.";
    Operation::get("openfeature_events", Tag::OpenFeature)
        .about(
            "Hear of changes",
            "Server-sent events: one each time the flags of the project may have changed, and comments to keep the connection. A \
             client that reads too slowly is cut off.",
        )
        .secured(&[
            Credential::TokenInQuery,
            Credential::Key,
            Credential::ProjectToken,
            Credential::ApiKey,
        ])
        .parameters([
            query("since", schemas::text(), since),
            header("Last-Event-ID", schemas::text(), "The same, from a browser that lost its stream."),
        ])
        .answers_text(
            200,
            "The stream.",
            TYPE,
            "id: 8f2c0d1e5b7a9c34\ndata: {\"type\":\"refetchEvaluation\",\"etag\":\"8f2c0d1e5b7a9c34.7\"}\n\n",
        )
        .fails::<Told<'_>>(request_faults())
}

fn definitions() -> Operation {
    let known = "The tag that the client was told last.";
    Operation::get("flag_definitions_stream", Tag::Definitions)
        .about(
            "Hear of new definitions",
            "Server-sent events: the tag of the definitions at once, unless the client says that it knows it, and each time that it \
             changes. The stream ends when the key is no longer good.",
        )
        .secured(&[Credential::Key])
        .parameters(project_parameters())
        .parameters([header("Last-Event-ID", schemas::text(), known)])
        .answers_text(200, "The stream.", TYPE, "id: 5d1f\ndata: {\"etag\":\"W/\\\"5d1f\\\"\"}\n\n")
        .fails::<JsonError>(key_faults())
        .fails::<JsonError>([faults::rate_limited()])
}
