//! The steps of section 3, in order.

use crate::testing::{World, depends, flag, person};
use serde_json::{Value, json};

/// maria's plan is pro. `new-nav` hashes her to 0.2265, and 0.7540 with one blank behind her name.
fn world(filters: Value) -> World {
    World::new(vec![flag(1, "new-nav", filters)]).stored_person(json!({"plan": "pro"}), &[])
}

fn answer(filters: Value) -> String {
    world(filters).answer_of("new-nav")
}

fn ab(a: f64, b: f64) -> Value {
    json!({"variants": [{"key": "a", "rollout_percentage": a}, {"key": "b", "rollout_percentage": b}]})
}

fn plan(value: &str) -> Value {
    person("plan", "exact", json!(value))
}

#[test]
fn a_missing_dependency_comes_before_everything() {
    let filters = json!({
        "groups": [{}, {"properties": [depends(999, json!(true))]}],
        "feature_enrollment": true, "holdout": {"id": 1, "exclusion_percentage": 100}, "payloads": {"true": "1"},
    });
    let world = world(filters).overrides(json!({"$feature_enrollment/new-nav": true}));
    assert_eq!(world.answer_of("new-nav"), "false missing_dependency -");
    let found = world.evaluations();
    assert_eq!(found.iter().next().unwrap().payload(), None);
    assert!(!found.errors_while_computing);
}

#[test]
fn enrolment_is_the_persons_own_choice() {
    let filters = |enrollment: Value| {
        json!({
            "feature_enrollment": enrollment, "groups": [{"rollout_percentage": 0}],
            "multivariate": ab(50.0, 50.0), "holdout": {"id": 1, "exclusion_percentage": 100},
            "payloads": {"true": "\"p\"", "a": "\"a\""},
        })
    };
    let on = "true super_condition_value 0";
    let off = "false super_condition_value 0";
    for (value, expected) in [
        (json!(true), on),
        (json!("true"), on),
        (json!("TRUE"), off),
        (json!(false), off),
        (json!("false"), off),
        (json!(null), off),
        (json!(1), off),
        (json!({}), off),
    ] {
        for stored in [true, false] {
            let properties = json!({"$feature_enrollment/new-nav": value});
            let world = world(filters(json!(true)));
            let world = if stored {
                world.stored_person(properties, &[])
            } else {
                world.overrides(properties)
            };
            assert_eq!(world.answer_of("new-nav"), expected, "{value}");
            assert_eq!(
                world.evaluations().iter().next().unwrap().payload(),
                Some("\"p\""),
                "also when opted out"
            );
        }
    }
    let held_out = "holdout-1 holdout_condition_value -";
    assert_eq!(answer(filters(json!(true))), held_out, "absent: goes on");
    for enrollment in [json!(false), json!(null)] {
        let world =
            world(filters(enrollment)).overrides(json!({"$feature_enrollment/new-nav": true}));
        assert_eq!(world.answer_of("new-nav"), held_out, "only true matters");
    }
}

#[test]
fn enrolment_of_a_group_flag_reads_the_person() {
    let filters =
        json!({"feature_enrollment": true, "aggregation_group_type_index": 0, "groups": [{}]});
    let world = world(filters).overrides(json!({"$feature_enrollment/new-nav": true}));
    assert_eq!(world.answer_of("new-nav"), "true super_condition_value 0");
}

#[test]
fn holdouts_keep_a_share_out_of_everything() {
    // holdout-maria hashes to 0.0613
    let filters = |percentage: f64| {
        json!({
            "holdout": {"id": 2, "exclusion_percentage": percentage}, "groups": [{}],
            "payloads": {"holdout-2": {"kept": true}, "true": "1"},
        })
    };
    for (percentage, expected) in [
        (0.0, "true condition_match 0"),
        (6.0, "true condition_match 0"),
        (6.2, "holdout-2 holdout_condition_value -"),
        (100.0, "holdout-2 holdout_condition_value -"),
        (400.0, "holdout-2 holdout_condition_value -"),
        (-1.0, "true condition_match 0"),
    ] {
        assert_eq!(answer(filters(percentage)), expected, "{percentage}");
    }
    let found = world(filters(10.0)).evaluations();
    assert!(found.iter().next().unwrap().enabled());
    assert_eq!(
        found.iter().next().unwrap().payload(),
        Some(r#"{"kept":true}"#)
    );
}

#[test]
fn conditions_are_taken_in_order() {
    let cases = [
        (json!([]), "false no_group_type -"),
        (json!([{}]), "true condition_match 0"),
        (
            json!([{"properties": null, "rollout_percentage": null}]),
            "true condition_match 0",
        ),
        (
            json!([{"rollout_percentage": 100}]),
            "true condition_match 0",
        ),
        (
            json!([{"rollout_percentage": 250}]),
            "true condition_match 0",
        ),
        (
            json!([{"rollout_percentage": -3}]),
            "false out_of_rollout_bound 0",
        ),
        (
            json!([{"rollout_percentage": 22.6}]),
            "false out_of_rollout_bound 0",
        ),
        (
            json!([{"rollout_percentage": 22.7}]),
            "true condition_match 0",
        ),
        (
            json!([{"properties": [plan("pro")]}]),
            "true condition_match 0",
        ),
        (
            json!([{"properties": [plan("free")]}]),
            "false no_condition_match 0",
        ),
        (
            json!([{"properties": [plan("pro"), plan("free")]}]),
            "false no_condition_match 0",
        ),
        (
            json!([{"properties": [plan("free")], "rollout_percentage": 0}]),
            "false no_condition_match 0",
        ),
        (
            json!([{"properties": [person("plan", "regex", json!("["))]}]),
            "false no_condition_match 0",
        ),
        (
            json!([{"properties": [plan("free")]}, {}]),
            "true condition_match 1",
        ),
        (json!([{}, {"variant": "a"}]), "true condition_match 0"),
    ];
    for (groups, expected) in cases {
        let text = groups.to_string();
        assert_eq!(answer(json!({ "groups": groups })), expected, "{text}");
    }
}

#[test]
fn the_best_reason_wins_and_among_equals_the_last() {
    let no_group = || json!({"aggregation_group_type_index": 0});
    let no_match = || json!({"properties": [plan("free")]});
    let out = || json!({"rollout_percentage": 0});
    let cases = [
        (json!([no_group()]), "false no_group_type 0"),
        (json!([no_group(), no_group()]), "false no_group_type 1"),
        (
            json!([no_match(), no_group()]),
            "false no_condition_match 0",
        ),
        (
            json!([no_group(), no_match()]),
            "false no_condition_match 1",
        ),
        (
            json!([no_match(), no_match(), no_group()]),
            "false no_condition_match 1",
        ),
        (
            json!([out(), no_match(), no_group()]),
            "false out_of_rollout_bound 0",
        ),
        (json!([no_match(), out()]), "false out_of_rollout_bound 1"),
        (
            json!([out(), out(), no_match()]),
            "false out_of_rollout_bound 1",
        ),
    ];
    for (groups, expected) in cases {
        let text = groups.to_string();
        assert_eq!(answer(json!({ "groups": groups })), expected, "{text}");
    }
}

#[test]
fn conditions_about_groups_need_a_usable_key() {
    let about = |own: Value, condition: Value| {
        json!({
            "aggregation_group_type_index": own,
            "groups": [{"aggregation_group_type_index": condition}],
        })
    };
    let missing = |own: Value| json!({"aggregation_group_type_index": own, "groups": [{}]});
    let yes = "true condition_match 0";
    let skipped = "false no_group_type 0";
    let cases = [
        (
            "the flag's own type",
            missing(json!(0)),
            json!({"company": "c"}),
            yes,
        ),
        ("no group", missing(json!(0)), json!({}), skipped),
        (
            "another group",
            missing(json!(0)),
            json!({"project": "p"}),
            skipped,
        ),
        (
            "an unusable key",
            missing(json!(0)),
            json!({"company": null}),
            skipped,
        ),
        (
            "an empty key",
            missing(json!(0)),
            json!({"company": ""}),
            skipped,
        ),
        (
            "case matters",
            missing(json!(0)),
            json!({"Company": "c"}),
            skipped,
        ),
        (
            "not in the mapping",
            missing(json!(4)),
            json!({"company": "c"}),
            skipped,
        ),
        (
            "null means persons",
            about(json!(0), json!(null)),
            json!({}),
            yes,
        ),
        (
            "the condition's own type",
            about(json!(null), json!(1)),
            json!({"project": "p"}),
            yes,
        ),
        (
            "the condition's own type, not there",
            about(json!(null), json!(1)),
            json!({"company": "c"}),
            skipped,
        ),
    ];
    for (case, filters, groups, expected) in cases {
        assert_eq!(
            world(filters).groups(groups).answer_of("new-nav"),
            expected,
            "{case}"
        );
    }
    // an empty mapping that was loaded is no error
    let mut world = world(missing(json!(0))).groups(json!({"company": "c"}));
    world.group_types = Ok(crate::definition::GroupTypes::default());
    assert_eq!(world.answer_of("new-nav"), skipped);
    assert!(!world.evaluations().errors_while_computing);
}

#[test]
fn early_exit_looks_at_rollout_misses_only() {
    let flag =
        |early_exit: Value, first: Value| json!({"early_exit": early_exit, "groups": [first, {}]});
    let out = || json!({"rollout_percentage": 0});
    let stopped = "false out_of_rollout_bound 0";
    let next = "true condition_match 1";
    let cases = [
        (flag(json!(true), out()), stopped),
        (
            flag(
                json!(true),
                json!({"properties": [plan("pro")], "rollout_percentage": 0}),
            ),
            stopped,
        ),
        (flag(json!(false), out()), next),
        (flag(json!(null), out()), next),
        (
            flag(
                json!(true),
                json!({"properties": [plan("free")], "rollout_percentage": 0}),
            ),
            next,
        ),
        (
            flag(
                json!(true),
                json!({"aggregation_group_type_index": 0, "rollout_percentage": 0}),
            ),
            next,
        ),
    ];
    for (filters, expected) in cases {
        let text = filters.to_string();
        assert_eq!(answer(filters), expected, "{text}");
    }
}

#[test]
fn early_exit_does_not_look_at_withheld_devices() {
    let filters = json!({"early_exit": true, "groups": [{"rollout_percentage": 99}, {}]});
    let mut world = world(filters);
    world.flags[0].bucketing_identifier = Some("device_id".to_owned());
    assert_eq!(world.answer_of("new-nav"), "true condition_match 1");
}

#[test]
fn variants_are_pinned_or_hashed() {
    // new-nav + maria + variant decides between a and b as the shares say; computed with the hash itself
    let hash = crate::bucketing::HashPrefix::of_flag("new-nav").variant("maria") * 100.0;
    let flag = |variant: Value, multivariate: Value| json!({"groups": [{"variant": variant}], "multivariate": multivariate});
    let cases = [
        (
            flag(json!(null), ab(hash + 1.0, 0.0)),
            "a condition_match 0",
        ),
        (
            flag(json!(null), ab(hash - 1.0, 2.0)),
            "b condition_match 0",
        ),
        (
            flag(json!(null), ab(hash - 2.0, 1.0)),
            "true condition_match 0",
        ),
        (flag(json!(null), ab(0.0, 100.0)), "b condition_match 0"),
        (flag(json!(null), ab(0.0, 0.0)), "true condition_match 0"),
        (flag(json!("b"), ab(100.0, 0.0)), "b condition_match 0"),
        (flag(json!("B"), ab(100.0, 0.0)), "a condition_match 0"),
        (flag(json!("c"), ab(100.0, 0.0)), "a condition_match 0"),
        (flag(json!("a"), json!(null)), "true condition_match 0"),
        (
            flag(json!(null), json!({"variants": []})),
            "true condition_match 0",
        ),
    ];
    for (filters, expected) in cases {
        let text = filters.to_string();
        assert_eq!(answer(filters), expected, "{text}");
    }
}

#[test]
fn payloads_belong_to_the_answer() {
    let payloads = json!({"true": "{\"on\": 1}", "a": [1, 2.0], "b": null});
    let flag = |groups: Value, multivariate: Value| json!({"groups": groups, "multivariate": multivariate, "payloads": payloads});
    let cases = [
        ("on", flag(json!([{}]), json!(null)), Some("{\"on\": 1}")),
        (
            "a variant",
            flag(json!([{}]), ab(100.0, 0.0)),
            Some("[1,2.0]"),
        ),
        (
            "a variant without one: no fallback",
            flag(json!([{"variant": "b"}]), ab(100.0, 0.0)),
            None,
        ),
        (
            "on, though there are variants",
            flag(json!([{}]), ab(0.0, 0.0)),
            Some("{\"on\": 1}"),
        ),
        (
            "off",
            flag(json!([{"rollout_percentage": -1}]), json!(null)),
            None,
        ),
        ("off without conditions", flag(json!([]), json!(null)), None),
    ];
    for (case, filters, expected) in cases {
        assert_eq!(
            world(filters)
                .evaluations()
                .iter()
                .next()
                .unwrap()
                .payload(),
            expected,
            "{case}"
        );
    }
}

#[test]
fn answers_carry_what_the_record_needs() {
    let mut world = world(json!({"groups": [{}]}));
    world.flags[0].version = Some(7);
    world.flags[0].has_experiment = Some(true);
    let found = world.evaluations();
    let flag = found.iter().next().unwrap().flag;
    assert_eq!((flag.id.0, flag.version, flag.has_experiment), (1, 7, true));
}

#[test]
fn device_flags_without_a_device_answer_only_what_needs_no_hash() {
    let withheld = "false out_of_rollout_bound 0";
    let rollout = |percentage: f64| json!({"groups": [{"rollout_percentage": percentage}]});
    let variants = |variant: Value, multivariate: Value| json!({"groups": [{"variant": variant}], "multivariate": multivariate});
    let cases = [
        (rollout(99.9), withheld),
        (rollout(100.0), "true condition_match 0"),
        (rollout(120.0), "true condition_match 0"),
        (rollout(0.0), withheld),
        (variants(json!(null), ab(50.0, 50.0)), withheld),
        (variants(json!("c"), ab(50.0, 50.0)), withheld),
        (variants(json!("b"), ab(50.0, 50.0)), "b condition_match 0"),
        (
            variants(json!(null), ab(100.0, 50.0)),
            "a condition_match 0",
        ),
        (variants(json!(null), ab(0.0, 100.0)), "b condition_match 0"),
        (
            variants(json!(null), ab(0.0, 0.0)),
            "true condition_match 0",
        ),
        (variants(json!(null), ab(99.0, 1.0)), withheld),
        (variants(json!(null), json!(null)), "true condition_match 0"),
        // without looking at the filters
        (
            json!({"groups": [{"properties": [plan("free")], "rollout_percentage": 50}]}),
            withheld,
        ),
        (
            json!({"groups": [{"properties": [crate::testing::in_cohort(99)], "rollout_percentage": 50}]}),
            withheld,
        ),
        (
            json!({"groups": [{"properties": [plan("free")]}]}),
            "false no_condition_match 0",
        ),
        // a condition about groups is not concerned
        (
            json!({"groups": [{"aggregation_group_type_index": 0, "rollout_percentage": 99.9}]}),
            "true condition_match 0",
        ),
    ];
    for (filters, expected) in cases {
        let text = filters.to_string();
        for device in [None, Some(String::new())] {
            let mut world = world(filters.clone()).groups(json!({"company": "globex"}));
            world.flags[0].bucketing_identifier = Some("device_id".to_owned());
            world.subject.device_id = device;
            assert_eq!(world.answer_of("new-nav"), expected, "{text}");
        }
    }
}

#[test]
fn answers_come_in_the_order_of_their_keys() {
    let needs = |id: i32| crate::testing::when(json!([depends(id, json!(true))]));
    let world = World::new(vec![
        flag(1, "c", json!({"groups": [{}]})),
        flag(2, "b", needs(1)),
        flag(3, "a", needs(2)),
        flag(4, "B", needs(3)),
    ]);
    assert_eq!(world.answered(), ["B", "a", "b", "c"]);
}
