//! The payload of a flag in the OpenAPI document.

use super::super::definitions::openapi::{key_errors, project_in_path, project_parameters};
use crate::error::{ApiError, JsonError};
use crate::openapi::{Credential, Fault, Operation, Tag, path};
use crate::routes::faults;
use serde_json::json;
use std::borrow::Cow;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

/// A stored text that is JSON, as a JSON string; null for a flag without one.
struct Payload;

impl PartialSchema for Payload {
    fn schema() -> RefOr<Schema> {
        let payload = ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .description(Some(
                "A text that is JSON; null for a flag without a payload.",
            ));
        Schema::Object(payload.build()).into()
    }
}

impl ToSchema for Payload {
    fn name() -> Cow<'static, str> {
        "Payload".into()
    }
}

/// Describes the method.
pub(in crate::routes) fn describe() -> Vec<Operation> {
    let mut errors = key_errors();
    errors.extend(faults::refusals());
    let json = |(name, error): (&'static str, ApiError)| Fault::api(name, &error.as_json());
    let key = "The flag's key.";
    vec![
        Operation::get("remote_config_payload", Tag::Definitions)
            .about(
                "The payload of a remote configuration flag",
                "Answers with the stored payload as a JSON string. Every answer is JSON, whatever its status.",
            )
            .secured(&[Credential::Key])
            .parameters([project_in_path(), path("key", key, "search-limits")])
            .parameters(project_parameters())
            .answers::<Payload>(200, "The payload.", json!("{\"limit\": 10}"))
            .fails::<JsonError>(errors.into_iter().map(json))
            .fails::<JsonError>([
                Fault::api("wrong_project", &ApiError::WrongProject.as_json()),
                Fault::api("no_such_flag", &ApiError::NoSuchObject.as_json()),
                Fault::api("internal", &ApiError::Internal.as_json()),
            ]),
    ]
}
