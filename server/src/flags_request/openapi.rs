//! A request as the OpenAPI document shows it.

use super::{FlagsRequest, Members};
use crate::openapi::schemas::{identifier, named, saying};
use serde_json::Value;
use std::borrow::Cow;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AllOfBuilder, AnyOfBuilder, ObjectBuilder, Schema};
use utoipa::{PartialSchema, ToSchema};

impl PartialSchema for FlagsRequest {
    /// The members, and somebody to evaluate for, or the wish to evaluate nothing.
    fn schema() -> RefOr<Schema> {
        let whom = ["distinct_id", "$distinct_id"].map(identified_by);
        let whom = whom
            .into_iter()
            .fold(AnyOfBuilder::new(), AnyOfBuilder::item);
        let whom = whom.item(saying("disable_flags", Value::Bool(true)));
        let all = AllOfBuilder::new()
            .item(named(&Members::name()))
            .item(whom)
            .description(Some("Asks for flags."));
        Schema::AllOf(all.build()).into()
    }
}

impl ToSchema for FlagsRequest {
    fn name() -> Cow<'static, str> {
        "FlagsRequest".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Members::schemas(schemas);
        schemas.push((Members::name().into_owned(), Members::schema()));
    }
}

fn identified_by(member: &str) -> RefOr<Schema> {
    let object = ObjectBuilder::new().property(member, identifier());
    Schema::Object(object.required(member).build()).into()
}
