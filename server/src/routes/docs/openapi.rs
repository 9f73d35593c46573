//! The description itself, in the OpenAPI document.

use super::super::Route;
use crate::error::{ApiError, JsonError};
use crate::openapi::{Fault, Operation, Tag, header, path, schemas};
use crate::routes::faults;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A description of an HTTP interface.
#[derive(ToSchema)]
#[schema(as = OpenApiDocument)]
#[expect(dead_code, reason = "it is described here and written elsewhere")]
struct Described {
    /// The version of the format.
    openapi: String,
    /// What is described.
    info: BTreeMap<String, Value>,
    /// What answers.
    paths: BTreeMap<String, Value>,
}

/// Describes the method of one of the paths.
pub(in crate::routes) fn describe(route: Route) -> Vec<Operation> {
    vec![match route {
        Route::OpenApi => document(),
        Route::Docs => page(),
        _ => part(),
    }]
}

fn document() -> Operation {
    let example =
        json!({"openapi": "3.1.0", "info": {"title": "Burgee", "version": "0.1.0"}, "paths": {}});
    let tag = "The tag of the document.";
    Operation::get("openapi_document", Tag::Operations)
        .about(
            "This document",
            "Describes everything that answers here, in OpenAPI 3.1.",
        )
        .parameters([header(
            "If-None-Match",
            schemas::text(),
            "The tag of the document that the client has.",
        )])
        .answers::<Described>(200, "The document.", example)
        .with_header(200, "ETag", tag)
        .answers_nothing(304, "The client has this document.")
        .with_header(304, "ETag", tag)
        .fails::<JsonError>(faults::of_any())
}

fn page() -> Operation {
    Operation::get("docs", Tag::Operations)
        .about(
            "This document as a page",
            "Needs nothing from any other host.",
        )
        .answers_text(200, "The page.", "text/html", "<!doctype html>")
        .fails::<JsonError>(faults::of_any())
}

fn part() -> Operation {
    Operation::get("docs_part", Tag::Operations)
        .about("What the page asks for", "Its program and its style.")
        .parameters([path("part", "The name of the part.", "start.js")])
        .answers_text(
            200,
            "The part.",
            "text/javascript",
            "const page = document.body;",
        )
        .answers_text(200, "The part.", "text/css", "body { margin: 0 }")
        .fails::<JsonError>(faults::of_any())
        .fails::<JsonError>([Fault::api("not_found", &ApiError::NotFound)])
}
