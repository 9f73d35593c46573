use super::{FailureCode, NoMatchDetail, Reason};
use crate::testing::World;
use serde_json::json;

#[test]
fn codes_and_descriptions_are_those_of_the_table() {
    let cases = [
        (
            Reason::SuperConditionValue,
            "super_condition_value",
            "Super condition value",
        ),
        (
            Reason::HoldoutConditionValue,
            "holdout_condition_value",
            "Holdout condition value",
        ),
        (
            Reason::OutOfRolloutBound,
            "out_of_rollout_bound",
            "Out of rollout bound",
        ),
        (
            Reason::NoConditionMatch(NoMatchDetail::Plain),
            "no_condition_match",
            "No matching condition set",
        ),
        (Reason::NoGroupType, "no_group_type", "No group type"),
        (
            Reason::FlagDisabled,
            "flag_disabled",
            "Feature flag is disabled",
        ),
        (
            Reason::MissingDependency,
            "missing_dependency",
            "Flag cannot be evaluated due to missing dependency",
        ),
        (
            Reason::Failed(FailureCode::StatementTimeout),
            "timeout_error",
            "Database statement timed out",
        ),
        (
            Reason::Failed(FailureCode::NoMoreConnections),
            "no_more_connections",
            "Database connection pool exhausted",
        ),
        (
            Reason::Failed(FailureCode::DatabaseError),
            "database_error",
            "Database connection error during evaluation",
        ),
        (
            Reason::Failed(FailureCode::DependencyNotFoundCohort),
            "dependency_not_found_cohort",
            "Cohort dependency not found",
        ),
        (
            Reason::Failed(FailureCode::DependencyCycleCohort),
            "dependency_cycle_cohort",
            "Cohort dependency cycle detected",
        ),
    ];
    for (reason, code, description) in cases {
        assert_eq!(reason.code(), code);
        assert_eq!(reason.description(), description);
    }
}

#[test]
fn the_longer_descriptions_are_whole_sentences() {
    assert_eq!(
        Reason::NoConditionMatch(NoMatchDetail::BehavioralCohort).description(),
        "This condition targets a behavioral or realtime cohort. Its membership is not fully evaluated here, so this result can differ from the cohort's member list."
    );
    assert_eq!(
        Reason::NoConditionMatch(NoMatchDetail::GroupsNotEvaluated).description(),
        "No matching condition set (group conditions were not evaluated because no group type was provided)"
    );
}

#[test]
fn a_match_tells_its_condition_counting_from_one() {
    let world = World::of(json!({"groups": [{"rollout_percentage": -1}, {}]}));
    let found = world.evaluations();
    let answer = found.get("f").unwrap();
    assert_eq!(answer.description(), "Matched condition set 2");
}

#[test]
fn codes_are_all_different() {
    let codes = [
        FailureCode::Timeout,
        FailureCode::NoMoreConnections,
        FailureCode::StatementTimeout,
        FailureCode::DatabaseUnavailable,
        FailureCode::DatabaseError,
        FailureCode::HashKeyOverrideError,
        FailureCode::CohortFiltersParsingError,
        FailureCode::DependencyNotFoundCohort,
        FailureCode::DependencyCycleCohort,
        FailureCode::DependencyFailed,
        FailureCode::FlagDataParsingError,
        FailureCode::BatchEvaluationPanicked,
        FailureCode::InternalError,
    ];
    let distinct: std::collections::HashSet<_> = codes.map(FailureCode::code).into();
    assert_eq!(distinct.len(), codes.len());
}
