//! Flags that depend on flags (section 7).

use crate::testing::{World, depends, flag, flag_with, when};
use serde_json::{Value, json};

const YES: &str = "true condition_match 0";
const NO: &str = "false no_condition_match 0";
const MISSING: &str = "false missing_dependency -";

fn on() -> Value {
    json!({"groups": [{}]})
}

fn variant(key: &str) -> Value {
    json!({"groups": [{"variant": key}], "multivariate": {"variants": [{"key": key, "rollout_percentage": 0}]}})
}

#[test]
fn values_are_matched_as_the_table_says() {
    let off = || json!({"groups": []});
    let holdout = || json!({"holdout": {"id": 3, "exclusion_percentage": 100}});
    // the dependency, then what matches it
    let cases = [
        (
            "on",
            on(),
            [(json!(true), YES), (json!(false), NO), (json!("true"), NO)],
        ),
        (
            "off",
            off(),
            [(json!(true), NO), (json!(false), YES), (json!("false"), NO)],
        ),
        (
            "a variant",
            variant("a"),
            [(json!(true), YES), (json!(false), NO), (json!("a"), YES)],
        ),
        (
            "a variant",
            variant("a"),
            [(json!("A"), NO), (json!("b"), NO), (json!(""), NO)],
        ),
        (
            "a variant called true",
            variant("true"),
            [(json!("true"), YES), (json!(true), YES), (json!(false), NO)],
        ),
        (
            "a holdout",
            holdout(),
            [
                (json!("holdout-3"), YES),
                (json!(true), YES),
                (json!("holdout"), NO),
            ],
        ),
        (
            "never",
            on(),
            [(json!(null), NO), (json!(1), NO), (json!([true]), NO)],
        ),
    ];
    for (case, dependency, values) in cases {
        for (value, expected) in values {
            let world = World::new(vec![
                flag(1, "f", when(json!([depends(2, value.clone())]))),
                flag(2, "z", dependency.clone()),
            ]);
            assert_eq!(world.answer(), expected, "{case} {value}");
        }
    }
}

#[test]
fn odd_keys_and_operators_never_match() {
    let filter = |key: &str, operator: &str| json!({"key": key, "type": "flag", "operator": operator, "value": true});
    let cases = [
        (filter("2", "flag_evaluates_to"), YES),
        (filter("z", "flag_evaluates_to"), NO),
        (filter("", "flag_evaluates_to"), NO),
        (filter(" 2", "flag_evaluates_to"), NO),
        (filter("2.0", "flag_evaluates_to"), NO),
        (filter("-", "flag_evaluates_to"), NO),
        (filter("2", "exact"), NO),
        (filter("2", "is_set"), NO),
        (json!({"key": "2", "type": "flag", "value": true}), NO),
        (
            json!({"key": "2", "type": "flag", "operator": "flag_evaluates_to"}),
            NO,
        ),
        // an integer that no flag has
        (filter("99", "flag_evaluates_to"), MISSING),
        (filter("-2", "flag_evaluates_to"), MISSING),
        (filter("99999999999", "flag_evaluates_to"), MISSING),
        (filter("99", "exact"), MISSING),
    ];
    for (filter, expected) in cases {
        let world = World::new(vec![
            flag(1, "f", when(json!([filter]))),
            flag(2, "z", on()),
        ]);
        assert_eq!(world.answer(), expected, "{filter}");
    }
}

#[test]
fn missing_flags_are_missing_for_everything_behind_them() {
    let needs = |id: i32| when(json!([depends(id, json!(false))]));
    let world = World::new(vec![
        flag(
            1,
            "direct",
            json!({"groups": [{}, {"properties": [depends(9, json!(true))]}]}),
        ),
        flag(2, "behind", needs(1)),
        flag(3, "further behind", needs(2)),
        flag_with(4, "inactive", needs(9), json!({"active": false})),
        flag(5, "behind an inactive one", needs(4)),
        flag_with(6, "gone", on(), json!({"deleted": true})),
        flag(7, "behind a deleted one", needs(6)),
        flag(8, "unreadable", json!({"groups": 5})),
        flag(10, "behind an unreadable one", needs(8)),
        flag_with(
            11,
            "server",
            needs(9),
            json!({"evaluation_runtime": "server"}),
        ),
        flag(12, "behind a filtered one", needs(11)),
    ]);
    for (key, expected) in [
        ("direct", MISSING),
        ("behind", MISSING),
        ("further behind", MISSING),
        ("inactive", "absent"),
        ("behind an inactive one", YES),
        ("behind a deleted one", MISSING),
        ("unreadable", "absent"),
        ("behind an unreadable one", MISSING),
        ("behind a filtered one", MISSING),
    ] {
        assert_eq!(world.answer_of(key), expected, "{key}");
    }
    assert!(!world.evaluations().errors_while_computing);
}

#[test]
fn filtered_flags_are_off() {
    let fields = json!({"evaluation_contexts": ["app"]});
    let mut world = World::new(vec![
        flag_with(1, "app only", on(), fields),
        flag_with(
            2,
            "server only",
            on(),
            json!({"evaluation_runtime": "server"}),
        ),
        flag(
            3,
            "f",
            when(json!([depends(1, json!(false)), depends(2, json!(false))])),
        ),
    ]);
    world.selector.contexts = vec!["site".to_owned()];
    assert_eq!(world.answered(), ["f"]);
    assert_eq!(world.answer(), YES);
}

#[test]
fn circles_and_what_is_behind_them_are_left_out() {
    let needs = |id: i32| when(json!([depends(id, json!(false))]));
    let mut world = World::new(vec![
        flag(1, "a", needs(2)),
        flag(2, "b", needs(1)),
        flag(3, "behind", needs(1)),
        flag(4, "itself", needs(4)),
        flag(5, "f", on()),
        flag(6, "healthy", needs(5)),
    ]);
    assert_eq!(world.answered(), ["f", "healthy"]);
    assert!(world.evaluations().errors_while_computing);
    world.selector.keys = Some(vec!["healthy".to_owned()]);
    assert_eq!(world.answered(), ["f", "healthy"]);
    assert!(
        world.evaluations().errors_while_computing,
        "the marker is global"
    );
    world.selector.keys = Some(vec!["behind".to_owned()]);
    assert_eq!(world.answered(), [""; 0]);
    assert!(world.evaluations().errors_while_computing);
    // an inactive flag breaks the circle
    world.selector.keys = None;
    world.flags[0].active = false;
    world.flags[3].active = false;
    assert_eq!(world.answered(), ["b", "behind", "f", "healthy"]);
    assert!(!world.evaluations().errors_while_computing);
}

#[test]
fn a_missing_flag_inside_a_circle_is_still_left_out() {
    let world = World::new(vec![
        flag(
            1,
            "a",
            when(json!([depends(2, json!(true)), depends(9, json!(true))])),
        ),
        flag(2, "b", when(json!([depends(1, json!(true))]))),
    ]);
    assert_eq!(world.answered(), [""; 0]);
    assert!(world.evaluations().errors_while_computing);
}

#[test]
fn a_condition_may_depend_on_many_flags() {
    let world = World::new(vec![
        flag(
            1,
            "f",
            when(json!([
                depends(2, json!(true)),
                depends(3, json!("a")),
                depends(2, json!(true))
            ])),
        ),
        flag(2, "x", on()),
        flag(3, "y", variant("a")),
    ]);
    assert_eq!(world.answer(), YES);
}
