//! `/flags` and `/decide` in the OpenAPI document.

use super::Route;
use crate::body::BodyError;
use crate::error::{ApiError, JsonError};
use crate::flags_request::{FlagsRequest, MAX_LIST_ENTRIES};
use crate::flags_response::openapi::{DecideAnswer, FlagsAnswer};
use crate::openapi::{Fault, Operation, Tag, header, query, schemas};
use crate::routes::faults;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::path::Parameter;
use utoipa::openapi::schema::ObjectBuilder;

/// Describes both methods of one of the two paths.
pub(in crate::routes) fn describe(route: Route) -> Vec<Operation> {
    match route {
        Route::Decide => vec![
            evaluate::<DecideAnswer>("decide", "`/flags` under its older name", older_example()),
            minimal::<DecideAnswer>("decide_nothing"),
        ],
        _ => vec![
            evaluate::<FlagsAnswer>("evaluate_flags", "Evaluate flags", example()),
            minimal::<FlagsAnswer>("evaluate_no_flags"),
        ],
    }
}

fn evaluate<A: ToSchema>(id: &str, summary: &str, answer: Value) -> Operation {
    let form = ObjectBuilder::new().property("data", schemas::packed_json());
    Operation::post(id, Tag::Flags)
        .about(
            summary,
            "Evaluates the flags of a project for a person and its groups, by what the request says about them and what is \
             stored. A flag that could not be evaluated is marked, and the others are answered all the same.",
        )
        .parameters(parameters())
        .parameters([
            query(
                "compression",
                schemas::words(&["gzip", "gzip-js", "base64"]),
                "How the body is packed. Gzip is also known by `Content-Encoding` and by its first bytes.",
            ),
            header(
                "X-Request-Id",
                schemas::uuid(),
                "The id that the answer has; without one it is made up.",
            ),
            header(
                "X-Request-Timeout-Ms",
                schemas::whole(1),
                "How long an answer is worth something, in milliseconds, where that is less than the server's own limit.",
            ),
        ])
        .takes::<FlagsRequest>(&["application/json", "text/plain"], &request_example())
        .takes_also(
            "application/x-www-form-urlencoded",
            form.required("data"),
            json!({"data": "eyJ0b2tlbiI6ICJwaGNfbG9jYWxfZGV2IiwgImRpc3RpbmN0X2lkIjogImFkYSJ9"}),
        )
        .body_about(
            "JSON, also packed with gzip or as base64, whatever the content type says; in a form, `data` is base64 of JSON.",
        )
        .answers::<A>(200, "The flags.", answer)
        .fails::<JsonError>(evaluation_faults())
}

fn minimal<A: ToSchema>(id: &str) -> Operation {
    Operation::get(id, Tag::Flags)
        .about(
            "Answer without flags",
            "Tells that flags are served here. Nothing is evaluated, and no token is needed.",
        )
        .parameters(parameters())
        .answers::<A>(
            200,
            "No flags, in the shape that the version asks for.",
            minimal_example(),
        )
        .fails::<JsonError>(faults::of_any())
}

fn parameters() -> Vec<Parameter> {
    let switch = |name, about| query(name, schemas::boolean(), about);
    vec![
        query(
            "v",
            ObjectBuilder::new().schema_type(utoipa::openapi::schema::Type::Integer),
            "The version of the answer. What is no number counts as 1.",
        ),
        switch(
            "config",
            "Whether the members of the remote config are answered too.",
        ),
        switch(
            "only_evaluate_survey_feature_flags",
            "Whether only flags whose key begins with `survey-targeting-` are evaluated.",
        ),
        switch(
            "only_use_override_person_properties",
            "Whether stored properties of the person are left out.",
        ),
    ]
}

/// Every error of an evaluation, in the order of section 3.11.
fn evaluation_faults() -> Vec<Fault> {
    let mut all = faults::of_any();
    all.push(faults::rate_limited());
    all.extend(faults::of_bodies());
    all.extend([
        Fault::api(
            "unsupported_compression",
            &ApiError::Body(BodyError::UnsupportedCompression),
        ),
        Fault::api(
            "too_many_entries",
            &ApiError::Body(BodyError::TooManyEntries {
                member: "flag_keys",
                limit: MAX_LIST_ENTRIES,
            }),
        ),
        Fault::api("no_token", &ApiError::NoToken),
        Fault::api("unknown_token", &ApiError::UnknownToken),
        Fault::api("missing_distinct_id", &ApiError::MissingDistinctId),
    ]);
    all.extend(faults::of_store());
    all
}

fn request_example() -> Value {
    json!({
        "token": "phc_local_dev",
        "distinct_id": "ada",
        "groups": {"company": "acme"},
        "person_properties": {"plan": "enterprise"},
        "group_properties": {"company": {"seats": 40}},
    })
}

fn example() -> Value {
    json!({
        "errorsWhileComputingFlags": false,
        "flags": {"pricing-page": {
            "key": "pricing-page",
            "enabled": true,
            "variant": "bold",
            "reason": {"code": "condition_match", "condition_index": 0, "description": "Matched condition set 1"},
            "metadata": {
                "id": 3, "version": 1, "description": null, "has_experiment": true,
                "payload": "{\"columns\": 3, \"highlight\": \"business\"}",
            },
        }},
        "requestId": "3f0e8a52-5e0b-4f0e-9d39-0f3a2f6f0b11",
        "evaluatedAt": 1_795_300_000_000_i64,
    })
}

fn older_example() -> Value {
    json!({
        "featureFlags": {"dark-mode": true, "pricing-page": "bold"},
        "requestId": "3f0e8a52-5e0b-4f0e-9d39-0f3a2f6f0b11",
        "evaluatedAt": 1_795_300_000_000_i64,
    })
}

fn minimal_example() -> Value {
    json!({
        "errorsWhileComputingFlags": false,
        "flags": {},
        "requestId": "3f0e8a52-5e0b-4f0e-9d39-0f3a2f6f0b11",
        "evaluatedAt": 1_795_300_000_000_i64,
        "supportedCompression": ["gzip", "gzip-js"],
        "config": {"enable_collect_everything": true},
        "toolbarParams": {},
        "isAuthenticated": false,
        "sessionRecording": false,
    })
}
