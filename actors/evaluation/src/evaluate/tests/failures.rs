//! What cannot be computed, and how far it spreads (sections 7.5 and 8).

use crate::{
    outcome::FailureCode,
    testing::{World, depends, flag, flag_with, in_cohort, person, when},
};
use serde_json::{Value, json};

const YES: &str = "true condition_match 0";
const FAILED: &str = "failed dependency_failed";

fn on() -> Value {
    json!({"groups": [{}]})
}

#[test]
fn exactly_the_flags_that_needed_the_store_fail() {
    let plan = || person("plan", "exact", json!("pro"));
    let world = World::new(vec![
        flag(1, "no filters", on()),
        flag(2, "sent", when(json!([plan()]))),
        flag(
            3,
            "not sent",
            when(json!([person("tier", "exact", json!("x"))])),
        ),
        flag(
            4,
            "decided before",
            json!({"groups": [{}, {"properties": [person("tier", "exact", json!("x"))]}]}),
        ),
        flag(5, "cohort", when(json!([in_cohort(5)]))),
        flag(
            6,
            "about groups",
            json!({"aggregation_group_type_index": 0, "groups": [{}]}),
        ),
        flag(
            7,
            "enrolment",
            json!({"feature_enrollment": true, "groups": [{}]}),
        ),
        flag(8, "enrolled", json!({"feature_enrollment": true})),
        flag(
            9,
            "nobody",
            json!({"groups": [{"rollout_percentage": 0, "properties": [in_cohort(5)]}, {}]}),
        ),
        flag(
            10,
            "held out",
            json!({"holdout": {"id": 1, "exclusion_percentage": 100}}),
        ),
        flag(
            11,
            "missing",
            when(json!([in_cohort(5), depends(99, json!(true))])),
        ),
    ])
    .cohorts([json!({"id": 5, "is_static": true})])
    .overrides(json!({"plan": "pro", "$feature_enrollment/enrolled": true}))
    .state_failed(FailureCode::StatementTimeout);
    let failed = "failed timeout_error";
    for (key, expected) in [
        ("no filters", YES),
        ("sent", YES),
        ("not sent", failed),
        ("decided before", failed),
        ("cohort", failed),
        ("about groups", failed),
        ("enrolment", failed),
        ("enrolled", "true super_condition_value 0"),
        ("nobody", "true condition_match 1"),
        ("held out", "holdout-1 holdout_condition_value -"),
        ("missing", "false missing_dependency -"),
    ] {
        assert_eq!(world.answer_of(key), expected, "{key}");
    }
    assert!(world.evaluations().errors_while_computing);
}

#[test]
fn a_failed_store_that_nobody_needed_is_not_noticed() {
    let world = World::of(on()).state_failed(FailureCode::DatabaseUnavailable);
    assert_eq!(world.answer(), YES);
    assert!(!world.evaluations().errors_while_computing);
}

#[test]
fn a_store_that_was_not_read_makes_no_failure() {
    let world = World::of(when(json!([person("tier", "is_not", json!("x"))]))).state_not_read();
    assert_eq!(world.answer(), "false no_condition_match 0");
    assert!(!world.evaluations().errors_while_computing);
    let enrolment = World::of(json!({"feature_enrollment": true, "groups": [{}]})).state_not_read();
    assert_eq!(enrolment.answer(), YES);
}

#[test]
fn an_unknown_format_fails_and_is_off_for_dependents() {
    for version in [json!(2), json!("1"), json!(null), json!(0), json!([1])] {
        let world = World::new(vec![
            flag(1, "new", json!({"version": version, "groups": "unknown"})),
            flag(2, "f", when(json!([depends(1, json!(false))]))),
        ]);
        assert_eq!(
            world.answer_of("new"),
            "failed flag_data_parsing_error",
            "{version}"
        );
        assert_eq!(world.answer(), YES, "{version}");
        assert!(world.evaluations().errors_while_computing);
    }
    for version in [json!(1), json!(1.0)] {
        assert_eq!(
            World::of(json!({"version": version, "groups": [{}]})).answer(),
            YES
        );
    }
}

#[test]
fn failures_know_no_payload_and_leave_neighbours_alone() {
    let world = World::new(vec![
        flag(
            1,
            "bad",
            json!({"groups": [{"properties": [in_cohort(99)]}], "payloads": {"true": "1"}}),
        ),
        flag(2, "f", on()),
    ]);
    assert_eq!(world.answer_of("bad"), "failed dependency_not_found_cohort");
    assert_eq!(world.answer(), YES);
}

/// `f` has the given filters and depends on 2 and 3, which fail, 4, which is on, and 5, which is off.
fn beside_failed(filters: Value) -> String {
    let fails = || when(json!([in_cohort(99)]));
    World::new(vec![
        flag(1, "f", filters),
        flag(2, "x", fails()),
        flag(3, "y", fails()),
        flag(4, "yes", on()),
        flag(5, "no", json!({"groups": []})),
    ])
    .stored_person(json!({"plan": "pro"}), &[])
    .answer()
}

#[test]
fn a_failed_dependency_matters_only_where_it_changes_the_answer() {
    let of = |filters: Value| json!({ "properties": filters });
    let x = |value: Value| depends(2, value);
    let y = |value: Value| depends(3, value);
    let free = || person("plan", "exact", json!("free"));
    let out = |filters: Value| json!({"properties": filters, "rollout_percentage": -1});
    let no = "false no_condition_match 0";
    let cases = [
        ("alone", json!([of(json!([x(json!(true))]))]), FAILED),
        ("alone, off", json!([of(json!([x(json!(false))]))]), FAILED),
        (
            "alone, variant",
            json!([of(json!([x(json!("a"))]))]),
            FAILED,
        ),
        (
            "a value that never matches",
            json!([of(json!([x(json!(5))]))]),
            no,
        ),
        (
            "another filter fails, before",
            json!([of(json!([free(), x(json!(true))]))]),
            no,
        ),
        (
            "another filter fails, after",
            json!([of(json!([x(json!(true)), free()]))]),
            no,
        ),
        (
            "another flag fails the filter",
            json!([of(json!([x(json!(true)), depends(5, json!(true))]))]),
            no,
        ),
        (
            "the rollout fails",
            json!([out(json!([x(json!(true))]))]),
            "false out_of_rollout_bound 0",
        ),
        (
            "a later condition gives the same",
            json!([of(json!([x(json!(true))])), {}]),
            "true condition_match 1",
        ),
        (
            "an earlier condition matches",
            json!([{}, of(json!([x(json!(true))]))]),
            YES,
        ),
        (
            "a later condition fails",
            json!([of(json!([x(json!(true))])), of(json!([free()]))]),
            FAILED,
        ),
        (
            "contraries",
            json!([of(json!([x(json!(true)), x(json!(false))]))]),
            no,
        ),
        (
            "contraries, the other way round",
            json!([of(json!([x(json!(false)), x(json!(true))]))]),
            no,
        ),
        (
            "off and a variant",
            json!([of(json!([x(json!(false)), x(json!("a"))]))]),
            no,
        ),
        (
            "two variants",
            json!([of(json!([x(json!("a")), x(json!("b"))]))]),
            no,
        ),
        (
            "on and a variant can both be",
            json!([of(json!([x(json!(true)), x(json!("a"))]))]),
            FAILED,
        ),
        (
            "the same twice",
            json!([of(json!([x(json!(false)), x(json!(false))]))]),
            FAILED,
        ),
        (
            "contraries of different flags",
            json!([of(json!([x(json!(true)), y(json!(false))]))]),
            FAILED,
        ),
        (
            "contraries, and a later match",
            json!([of(json!([x(json!(true)), x(json!(false))])), {}]),
            "true condition_match 1",
        ),
        (
            "with one that is known",
            json!([of(json!([x(json!(true)), depends(4, json!(true))]))]),
            FAILED,
        ),
        (
            "a cohort error behind it",
            json!([of(json!([x(json!(true)), in_cohort(98)]))]),
            "failed dependency_not_found_cohort",
        ),
    ];
    for (case, groups, expected) in cases {
        assert_eq!(
            beside_failed(json!({ "groups": groups })),
            expected,
            "{case}"
        );
    }
}

#[test]
fn noted_answers_are_compared_with_their_variants() {
    let variants = json!({"variants": [{"key": "a", "rollout_percentage": 0}, {"key": "b", "rollout_percentage": 100}]});
    let flag = |first: Value, second: Value| {
        json!({"multivariate": variants, "groups": [
            {"properties": [depends(2, json!(true))], "variant": first}, {"variant": second},
        ]})
    };
    assert_eq!(
        beside_failed(flag(json!("a"), json!("a"))),
        "a condition_match 1"
    );
    assert_eq!(beside_failed(flag(json!("a"), json!("b"))), FAILED);
    assert_eq!(
        beside_failed(flag(json!(null), json!("b"))),
        "b condition_match 1"
    );
}

#[test]
fn with_early_exit_a_rollout_miss_is_a_possible_answer() {
    let first = json!({"properties": [depends(2, json!(true))], "rollout_percentage": -1});
    let flag = |second: Value| json!({"early_exit": true, "groups": [first, second]});
    assert_eq!(beside_failed(flag(json!({}))), FAILED);
    assert_eq!(
        beside_failed(flag(json!({"rollout_percentage": -1}))),
        "false out_of_rollout_bound 1"
    );
    assert_eq!(
        beside_failed(flag(json!({"properties": [in_cohort(99)]}))),
        "failed dependency_not_found_cohort"
    );
    let nothing = person("plan", "exact", json!("free"));
    assert_eq!(
        beside_failed(flag(json!({ "properties": [nothing] }))),
        "false out_of_rollout_bound 0"
    );
    // an exit that settles: the noted match differs from it
    let on_first = json!({"properties": [depends(2, json!(true))]});
    let exit = json!({"early_exit": true, "groups": [on_first, {"rollout_percentage": -1}]});
    assert_eq!(beside_failed(exit), FAILED);
}

#[test]
fn failures_spread_along_dependencies_only_where_they_matter() {
    let needs = |id: i32| when(json!([depends(id, json!(true))]));
    let world = World::new(vec![
        flag(1, "a", when(json!([in_cohort(99)]))),
        flag(2, "b", needs(1)),
        flag(3, "c", needs(2)),
        flag(
            4,
            "d",
            json!({"groups": [{"properties": [depends(2, json!(true))]}, {}]}),
        ),
        flag(5, "f", needs(4)),
    ]);
    assert_eq!(world.answer_of("b"), FAILED);
    assert_eq!(world.answer_of("c"), FAILED);
    assert_eq!(world.answer_of("d"), "true condition_match 1");
    assert_eq!(world.answer(), YES);
}

#[test]
fn enrolment_and_holdout_do_not_wait_for_dependencies() {
    let condition = json!([{"properties": [depends(2, json!(true))]}]);
    let held_out = json!({"groups": condition, "holdout": {"id": 1, "exclusion_percentage": 100}});
    assert_eq!(
        beside_failed(held_out),
        "holdout-1 holdout_condition_value -"
    );
}

/// `f` with a mapping that could not be loaded.
fn without_mapping(filters: Value, groups: Value) -> (String, bool) {
    let mut world = World::new(vec![flag(1, "f", filters)]).groups(groups);
    world.group_types = Err(FailureCode::DatabaseUnavailable);
    (world.answer(), world.evaluations().errors_while_computing)
}

#[test]
fn a_mapping_that_cannot_be_loaded_skips_conditions_about_groups() {
    let failed = "failed database_unavailable";
    let group =
        |rollout: f64| json!({"aggregation_group_type_index": 0, "rollout_percentage": rollout});
    let flag =
        |early_exit: bool, groups: Value| json!({"early_exit": early_exit, "groups": groups});
    let free = || json!({"properties": [person("plan", "exact", json!("free"))]});
    let one = || json!({"company": "c"});
    let cases = [
        ("about persons", flag(false, json!([{}])), one(), YES),
        (
            "no group mentioned",
            flag(false, json!([group(100.0)])),
            json!({}),
            "false no_group_type 0",
        ),
        (
            "a group mentioned",
            flag(false, json!([group(100.0)])),
            one(),
            failed,
        ),
        (
            "an unusable group mentioned",
            flag(false, json!([group(100.0)])),
            json!({"x": null}),
            failed,
        ),
        (
            "a later condition settles",
            flag(false, json!([group(100.0), {}])),
            one(),
            "true condition_match 1",
        ),
        (
            "a later condition does not",
            flag(false, json!([group(100.0), free()])),
            one(),
            failed,
        ),
        (
            "an earlier condition settled",
            flag(false, json!([{}, group(100.0)])),
            one(),
            YES,
        ),
        (
            "an earlier condition did not",
            flag(false, json!([free(), group(100.0)])),
            one(),
            failed,
        ),
        (
            "it might have stopped",
            flag(true, json!([group(50.0), {}])),
            one(),
            failed,
        ),
        (
            "it could not have stopped",
            flag(true, json!([group(100.0), {}])),
            one(),
            "true condition_match 1",
        ),
        (
            "stopped before",
            flag(true, json!([{"rollout_percentage": -1}, group(50.0)])),
            one(),
            "false out_of_rollout_bound 0",
        ),
        (
            "stopped after",
            flag(true, json!([group(100.0), {"rollout_percentage": -1}])),
            one(),
            "false out_of_rollout_bound 1",
        ),
    ];
    for (case, filters, groups, expected) in cases {
        assert_eq!(
            without_mapping(filters, groups),
            (expected.to_owned(), true),
            "{case}"
        );
    }
}

#[test]
fn hash_keys_and_state_may_fail_together() {
    let mut world = World::new(vec![
        flag_with(
            1,
            "sticky",
            on(),
            json!({"ensure_experience_continuity": true}),
        ),
        flag(2, "f", on()),
        flag(3, "needy", when(json!([in_cohort(5)]))),
    ])
    .state_failed(FailureCode::NoMoreConnections);
    world.stored.hash_keys = crate::subject::Read::Failed(FailureCode::NoMoreConnections);
    assert_eq!(world.answer_of("sticky"), "failed hash_key_override_error");
    assert_eq!(world.answer_of("needy"), "failed no_more_connections");
    assert_eq!(world.answer(), YES);
}
