//! The OpenFeature paths in the OpenAPI document.

use super::Route;
use crate::body::BodyError;
use crate::error::ApiError;
use crate::ofrep::openapi::{All, Asks};
use crate::ofrep::{ContextFault, OfrepError, Record, Told};
use crate::openapi::{Credential, Fault, Operation, Tag, header, path, query, schemas};
use crate::routes::faults;
use serde_json::{Value, json};

const CREDENTIALS: [Credential; 3] = [
    Credential::Key,
    Credential::ProjectToken,
    Credential::ApiKey,
];

/// The flag of the examples.
const KEY: &str = "pricing-page";

/// Describes the method of one of the two paths.
pub(in crate::routes) fn describe(route: Route) -> Vec<Operation> {
    match route {
        Route::OfrepFlag => vec![one()],
        _ => vec![all()],
    }
}

fn one() -> Operation {
    Operation::post("openfeature_evaluate_flag", Tag::OpenFeature)
        .about(
            "Evaluate one flag",
            "Evaluates a flag for a context. A flag without a value leaves it to the client's own code.",
        )
        .secured(&CREDENTIALS)
        .parameters([path("key", "The flag's key; it may have slashes in it.", KEY)])
        .takes::<Asks>(&["application/json"], &request_example())
        .answers::<Record<'_>>(200, "The flag.", flag_example())
        .fails::<Told<'_>>(evaluation_faults(Some(KEY)))
        .fails::<Told<'_>>([
            Fault::ofrep("flag_not_found", &OfrepError::FlagNotFound, Some(KEY)),
            Fault::ofrep(
                "flag_failed",
                &OfrepError::FlagFailed("Cohort dependency not found".into()),
                Some(KEY),
            ),
        ])
}

fn all() -> Operation {
    let tag = "The tag of the flags that the client has, as `ETag` told it.";
    let told = "The tag of the newest definitions that the client was told of; the server waits a little until it has them.";
    Operation::post("openfeature_evaluate_flags", Tag::OpenFeature)
        .about(
            "Evaluate all flags",
            "Evaluates every flag for a context. The answer says nothing that changes from request to request, so that a client \
             that asks again with `If-None-Match` is told when nothing has changed.",
        )
        .secured(&CREDENTIALS)
        .parameters([
            header("If-None-Match", schemas::text(), tag),
            query("flagConfigEtag", schemas::text(), told),
        ])
        .takes::<Asks>(&["application/json"], &request_example())
        .answers::<All>(200, "The flags.", all_example())
        .with_header(200, "ETag", "The tag of these flags.")
        .answers_nothing(304, "The client has these flags.")
        .with_header(304, "ETag", "The tag of these flags.")
        .fails::<Told<'_>>(evaluation_faults(None))
}

fn evaluation_faults(key: Option<&str>) -> Vec<Fault> {
    let mut all = request_faults();
    let api =
        |name, error: BodyError| Fault::ofrep(name, &OfrepError::Api(ApiError::Body(error)), key);
    let bodies = faults::broken_bodies().into_iter();
    all.extend(bodies.map(|(name, error)| api(name, error)));
    all.extend(
        [
            ("no_context", ContextFault::NotAnObject),
            ("no_targeting_key", ContextFault::TargetingKey),
            ("unusable_member", ContextFault::Member("groups")),
            (
                "too_many_entries",
                ContextFault::TooLong("evaluation_contexts"),
            ),
        ]
        .map(|(name, fault)| Fault::ofrep(name, &OfrepError::Context(fault), key)),
    );
    all
}

/// What every path of the protocol may answer.
pub(in crate::routes) fn request_faults() -> Vec<Fault> {
    let mut all = vec![
        ("internal", ApiError::Internal),
        ("rate_limited", faults::limited()),
        ("unknown_token", ApiError::UnknownToken),
    ];
    all.extend(faults::refusals());
    all.extend(faults::store_errors());
    all.extend(faults::key_errors(
        "feature_flag:read or feature_flag:write",
    ));
    let told = |(name, error)| Fault::ofrep(name, &OfrepError::Api(error), None);
    all.into_iter().map(told).collect()
}

fn request_example() -> Value {
    json!({"context": {"targetingKey": "ada", "plan": "enterprise", "groups": {"company": "acme"}}})
}

fn flag_example() -> Value {
    json!({
        "key": KEY,
        "value": "bold",
        "variant": "bold",
        "reason": "TARGETING_MATCH",
        "metadata": {
            "flagId": 3, "version": 1, "posthogReason": "condition_match", "conditionIndex": 0,
            "payload": "{\"columns\": 3, \"highlight\": \"business\"}",
        },
    })
}

fn all_example() -> Value {
    json!({
        "flags": [
            flag_example(),
            {"key": "broken", "errorCode": "GENERAL", "errorDetails": "Cohort dependency not found"},
        ],
        "metadata": {"project": "1", "version": "8f2c0d1e5b7a9c34"},
        "eventStreams": [{
            "type": "sse",
            "endpoint": {"requestUri": "/ofrep/v1/events?token=phc_local_dev&since=8f2c0d1e5b7a9c34"},
            "inactivityDelaySec": 120,
        }],
    })
}
