//! Requests and answers as the OpenAPI document shows them, where they are read and written piece by piece.

use super::answer::{Entry, EventStream, FlagSet};
use crate::openapi::schemas;
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

/// Asks for flags.
#[derive(Debug, ToSchema)]
#[schema(as = OpenFeatureRequest)]
pub struct Asks {
    /// Whom flags are evaluated for.
    pub context: Context,
}

/// Whom flags are evaluated for. Every member that is not listed is a property of the person that wins over the stored one, for
/// this request only. `groups.TYPE` and `group_properties.TYPE.NAME` are for clients that can only send scalars.
#[derive(Debug, ToSchema)]
#[schema(as = OpenFeatureContext)]
pub struct Context {
    /// The distinct id.
    #[schema(rename = "targetingKey")]
    pub targeting_key: TargetingKey,
    /// The key of each group the person belongs to, by group type; also as a text that is such an object.
    #[schema(nullable = false)]
    pub groups: Option<BTreeMap<String, Value>>,
    /// Properties of groups that win over stored ones, by group type; also as a text that is such an object.
    #[schema(nullable = false)]
    pub group_properties: Option<BTreeMap<String, BTreeMap<String, Value>>>,
    /// The anonymous id that the person had before it logged in.
    #[schema(rename = "$anon_distinct_id")]
    pub anonymous_id: Option<String>,
    /// The device, for flags that are bucketed by it.
    #[schema(rename = "$device_id")]
    pub device_id: Option<String>,
    /// Where the flags are used: `all`, `client` or `server`.
    pub evaluation_runtime: Option<String>,
    /// Evaluate only flags that have one of these contexts, or none.
    pub evaluation_contexts: Option<Vec<String>>,
}

/// Whoever a request is about.
#[derive(Debug)]
pub struct TargetingKey;

impl PartialSchema for TargetingKey {
    fn schema() -> RefOr<Schema> {
        schemas::filled_identifier().into()
    }
}

impl ToSchema for TargetingKey {
    fn name() -> Cow<'static, str> {
        "TargetingKey".into()
    }
}

/// The words by which the protocol says why a flag has its value.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OpenFeatureReason {
    /// The flag is inactive.
    Disabled,
    /// A share decided, or the choice among variants.
    Split,
    /// A condition decided.
    TargetingMatch,
    /// It is so for everybody.
    Static,
    /// Nothing matched.
    Unknown,
}

/// All flags.
#[derive(ToSchema)]
#[schema(as = OpenFeatureFlags)]
#[expect(dead_code, reason = "it is described here and written elsewhere")]
pub(crate) struct All {
    /// One entry a flag, by key.
    flags: Vec<Entry<'static>>,
    /// Which flags these are.
    metadata: FlagSet<'static>,
    /// Where changes are told.
    #[schema(rename = "eventStreams", nullable = false)]
    event_streams: Option<Vec<EventStream>>,
}
