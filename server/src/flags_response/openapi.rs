//! The shapes of section 3.7 as the OpenAPI document shows them. Answers are written piece by piece, not from these types; that
//! they are the same is checked from outside.

use crate::openapi::schemas::named;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AnyOfBuilder, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A variant, or whether the flag is on.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum FlagValue {
    /// The variant.
    Variant(String),
    /// Whether it is on.
    Enabled(bool),
}

/// Why a flag has its value.
#[derive(Debug, ToSchema)]
#[schema(as = FlagReason)]
pub struct FlagReason {
    /// A stable word, such as `condition_match`; for a flag that could not be evaluated, what went wrong.
    pub code: String,
    /// Which condition set decided, counted from 0.
    #[schema(required, minimum = 0)]
    pub condition_index: Option<i64>,
    /// A sentence for people.
    pub description: String,
}

/// What is known of a flag besides its value.
#[derive(Debug, ToSchema)]
#[schema(as = FlagMetadata)]
pub struct FlagMetadata {
    /// The flag's id.
    #[schema(minimum = 0)]
    pub id: i64,
    /// Grows with each change of the flag.
    #[schema(minimum = 0)]
    pub version: i64,
    /// Always null.
    #[schema(required)]
    pub description: Option<String>,
    /// The payload that belongs to the value: a text that is JSON.
    #[schema(required)]
    pub payload: Option<String>,
    /// Whether an experiment uses the flag.
    pub has_experiment: bool,
    /// The version of the record, in version 4.
    #[schema(nullable = false)]
    pub config_version: Option<i64>,
    /// The variant, in version 4, where the flag has one.
    #[schema(nullable = false)]
    pub variant_key: Option<String>,
}

/// A flag's value for the person.
#[derive(Debug, ToSchema)]
#[schema(as = FlagRecord)]
pub struct FlagRecord {
    /// The flag's key.
    pub key: String,
    /// Whether it is on.
    pub enabled: bool,
    /// The variant of a flag that has variants and is on.
    #[schema(required)]
    pub variant: Option<String>,
    /// True where the flag could not be evaluated; absent otherwise.
    #[schema(nullable = false)]
    pub failed: Option<bool>,
    /// Why.
    pub reason: FlagReason,
    /// The rest.
    pub metadata: FlagMetadata,
}

/// A flag's value for the person, in version 4.
#[derive(Debug, ToSchema)]
#[schema(as = TypedFlagRecord)]
pub struct TypedFlagRecord {
    /// The flag's key.
    pub key: String,
    /// The variant, or whether the flag is on; null where it could not be evaluated.
    #[schema(required)]
    pub value: Option<FlagValue>,
    /// Whether it is on.
    pub enabled: bool,
    /// The variant of a flag that has variants and is on.
    #[schema(required)]
    pub variant: Option<String>,
    /// True where the flag could not be evaluated; absent otherwise.
    #[schema(nullable = false)]
    pub failed: Option<bool>,
    /// Why.
    pub reason: FlagReason,
    /// The rest.
    pub metadata: FlagMetadata,
}

/// Version 2: a record a flag.
#[derive(Debug, ToSchema)]
#[schema(as = FlagsAnswerV2, rename_all = "camelCase")]
pub struct AnswerV2 {
    /// Whether a flag could not be evaluated.
    pub errors_while_computing_flags: bool,
    /// The flags, by key.
    pub flags: BTreeMap<String, FlagRecord>,
    /// The id of the request, from `X-Request-Id` if that is a UUID.
    #[schema(format = "uuid")]
    pub request_id: String,
    /// When, in milliseconds since 1970.
    pub evaluated_at: i64,
}

/// Version 4: a record a flag, with a typed value.
#[derive(Debug, ToSchema)]
#[schema(as = FlagsAnswerV4, rename_all = "camelCase")]
pub struct AnswerV4 {
    /// Whether a flag could not be evaluated.
    pub errors_while_computing_flags: bool,
    /// The flags, by key.
    pub flags: BTreeMap<String, TypedFlagRecord>,
    /// The id of the request, from `X-Request-Id` if that is a UUID.
    #[schema(format = "uuid")]
    pub request_id: String,
    /// When, in milliseconds since 1970.
    pub evaluated_at: i64,
}

/// Version 1: values and payloads.
#[derive(Debug, ToSchema)]
#[schema(as = FlagsAnswerV1, rename_all = "camelCase")]
pub struct AnswerV1 {
    /// Whether a flag could not be evaluated.
    pub errors_while_computing_flags: bool,
    /// The variant, or whether the flag is on, by key.
    pub feature_flags: BTreeMap<String, FlagValue>,
    /// Payloads by key: texts that are JSON.
    pub feature_flag_payloads: BTreeMap<String, String>,
    /// The id of the request, from `X-Request-Id` if that is a UUID.
    #[schema(format = "uuid")]
    pub request_id: String,
    /// When, in milliseconds since 1970.
    pub evaluated_at: i64,
}

/// `/decide` in version 2: the values of the flags that are on.
#[derive(Debug, ToSchema)]
#[schema(as = DecideAnswerV2, rename_all = "camelCase")]
pub struct DecideV2 {
    /// The variant, or true, by key.
    pub feature_flags: BTreeMap<String, FlagValue>,
    /// The id of the request, from `X-Request-Id` if that is a UUID.
    #[schema(format = "uuid")]
    pub request_id: String,
    /// When, in milliseconds since 1970.
    pub evaluated_at: i64,
}

/// `/decide` in version 1: the keys of the flags that are on.
#[derive(Debug, ToSchema)]
#[schema(as = DecideAnswerV1, rename_all = "camelCase")]
pub struct DecideV1 {
    /// The keys.
    pub feature_flags: Vec<String>,
    /// The id of the request, from `X-Request-Id` if that is a UUID.
    #[schema(format = "uuid")]
    pub request_id: String,
    /// When, in milliseconds since 1970.
    pub evaluated_at: i64,
}

/// An answer of `/flags`, in the shape that the version asks for.
#[derive(Debug)]
pub struct FlagsAnswer;

/// An answer of `/decide`, in the shape that the version asks for.
#[derive(Debug)]
pub struct DecideAnswer;

macro_rules! any_of {
    ($name:ident, $about:literal, [$($shape:ident),+]) => {
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let any = AnyOfBuilder::new().description(Some($about));
                $(let any = any.item(named(&$shape::name()));)+
                Schema::AnyOf(any.build()).into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                $(
                    $shape::schemas(schemas);
                    schemas.push(($shape::name().into_owned(), $shape::schema()));
                )+
            }
        }
    };
}

any_of!(
    FlagsAnswer,
    "The flags, in the shape of the version that was asked for. With `config=true` the members of the remote config stand \
     beside them.",
    [AnswerV2, AnswerV4, AnswerV1]
);
any_of!(
    DecideAnswer,
    "The flags, in the shape of the version that was asked for. The members of the remote config stand beside them unless \
     `config=false`.",
    [DecideV1, DecideV2, AnswerV1, AnswerV2]
);
