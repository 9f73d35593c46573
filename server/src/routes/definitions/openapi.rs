//! The definitions in the OpenAPI document.

use super::super::Route;
use crate::error::{ApiError, JsonError};
use crate::openapi::{Credential, Fault, Operation, Tag, header, path, query, schemas};
use crate::routes::faults;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa::openapi::path::Parameter;

/// What a server needs to evaluate the flags of a project itself.
#[derive(ToSchema)]
#[schema(as = Definitions)]
#[expect(dead_code, reason = "it is described here and written elsewhere")]
struct Definitions {
    /// Every flag that is not deleted, by key; inactive ones too.
    flags: Vec<DefinedFlag>,
    /// The name of each group type, by its index.
    group_type_mapping: BTreeMap<String, String>,
    /// The condition of each cohort that a flag uses, by its id. Static cohorts are not among them: the server has to be asked.
    cohorts: BTreeMap<String, Value>,
}

/// A flag.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is described here and written elsewhere")]
struct DefinedFlag {
    /// Its id.
    id: i64,
    /// Its project.
    team_id: i64,
    /// What it is for.
    name: String,
    /// Its key.
    key: String,
    /// Whether it is on for anybody.
    active: bool,
    /// Always false.
    deleted: bool,
    /// Grows with each change.
    version: i64,
    /// Whether it keeps its value when a person logs in; such flags cannot be evaluated from definitions.
    ensure_experience_continuity: bool,
    /// Whether its payload is all that is of interest.
    is_remote_configuration: bool,
    /// Always false.
    has_encrypted_payloads: bool,
    /// Whether an experiment uses it.
    has_experiment: bool,
    /// Where it is used: `all`, `client` or `server`.
    evaluation_runtime: String,
    /// In which contexts it is used; none is all.
    evaluation_contexts: Vec<Value>,
    /// By what it is bucketed: `distinct_id`, which null stands for, or `device_id`.
    #[schema(required)]
    bucketing_identifier: Option<String>,
    /// Its conditions, variants and payloads. References to other flags have their keys, and in `dependency_chain` all that they
    /// need in turn.
    filters: BTreeMap<String, Value>,
}

/// Describes the method of one of the three paths.
pub(in crate::routes) fn describe(route: Route) -> Vec<Operation> {
    let (id, summary) = match route {
        Route::LocalEvaluation => ("local_evaluation", "Definitions under their older path"),
        Route::ProjectLocalEvaluation => (
            "project_local_evaluation",
            "Definitions under the older path of a project",
        ),
        _ => ("flag_definitions", "Definitions for local evaluation"),
    };
    let tag = "The tag of the definitions that the client has. It is compared whatever `Cache-Control` says.";
    let mut operation = Operation::get(id, Tag::Definitions)
        .about(
            summary,
            "Answers with all that it takes to evaluate the flags of a project elsewhere. The tag depends on the content alone: it \
             is the same on all instances.",
        )
        .secured(&[Credential::Key])
        .parameters(project_parameters())
        .parameters([
            header("If-None-Match", schemas::text(), tag),
            query("send_cohorts", schemas::text(), "Has no effect: cohorts are always sent."),
        ])
        .answers::<Definitions>(200, "The definitions.", example());
    if route == Route::ProjectLocalEvaluation {
        operation = operation.parameters([project_in_path()]);
    }
    let operation = operation.answers_nothing(304, "The client has these definitions.");
    let operation = [200, 304].into_iter().fold(operation, |operation, status| {
        operation
            .with_header(status, "ETag", "The tag of the definitions.")
            .with_header(status, "Cache-Control", "`private, must-revalidate`")
    });
    let operation = operation.fails::<JsonError>(key_faults());
    vec![operation.fails::<JsonError>([
        faults::rate_limited(),
        Fault::api("unexpected", &ApiError::Unexpected),
    ])]
}

/// By what a request with a key names its project.
pub(in crate::routes) fn project_parameters() -> [Parameter; 2] {
    let about = "The public token of the project. Without it, and without a number in the path, the project is the key's.";
    let header_about = "The same, where it is not in the query.";
    [
        query("token", schemas::text(), about),
        header("X-PostHog-Project-Api-Key", schemas::text(), header_about),
    ]
}

/// The part of a path that names a project.
pub(in crate::routes) fn project_in_path() -> Parameter {
    path(
        "project",
        "The project's id; `@current`, or anything else that is no number, stands for the key's project.",
        "@current",
    )
}

/// What every route with a key may answer.
pub(in crate::routes) fn key_faults() -> Vec<Fault> {
    let mut all = faults::of_any();
    let keys = key_errors().into_iter();
    all.extend(keys.map(|(name, error)| Fault::api(name, &error)));
    all
}

/// The same by name, without what any route may answer.
pub(in crate::routes) fn key_errors() -> Vec<(&'static str, ApiError)> {
    let mut all = faults::key_errors("feature_flag:read or feature_flag:write");
    all.push(("unknown_token", ApiError::UnknownToken));
    all.extend(faults::store_errors());
    all
}

fn example() -> Value {
    json!({
        "flags": [{
            "id": 4, "team_id": 1, "name": "Beta search", "key": "beta-search", "active": true, "deleted": false,
            "version": 3, "ensure_experience_continuity": false, "is_remote_configuration": false,
            "has_encrypted_payloads": false, "has_experiment": false, "evaluation_runtime": "all",
            "evaluation_contexts": [], "bucketing_identifier": null,
            "filters": {"groups": [
                {"properties": [{"key": "id", "type": "cohort", "value": 2, "operator": "in"}], "rollout_percentage": 100},
                {"properties": [{
                    "key": "new-nav", "type": "flag", "operator": "flag_evaluates_to", "value": true,
                    "dependency_chain": ["base", "new-nav"],
                }]},
            ]},
        }],
        "group_type_mapping": {"0": "company"},
        "cohorts": {"2": {"type": "AND", "values": [
            {"key": "email", "type": "person", "operator": "ends_with", "value": "@acme.example"},
        ]}},
    })
}
