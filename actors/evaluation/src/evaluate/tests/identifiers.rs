//! Which identifier is hashed (sections 2.2, 2.3 and 5.7). `new-nav` hashes `maria` to 0.2265, `otto` to 0.1605,
//! `1042` to 0.5708; the holdout hashes are 0.0613, 0.7630 and 0.2193.

use crate::{
    outcome::FailureCode,
    subject::Read,
    testing::{World, flag_with},
};
use serde_json::{Value, json};

const IN: &str = "true condition_match 0";
const OUT: &str = "false out_of_rollout_bound 0";

/// A flag at 30 %, so that maria and otto are in, and 1042 is not.
fn world(fields: Value) -> World {
    World::new(vec![flag_with(
        1,
        "new-nav",
        json!({"groups": [{"rollout_percentage": 30}]}),
        fields,
    )])
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

#[test]
fn rollouts_hash_the_identifier_of_the_table() {
    let plain = json!({});
    let sticky = json!({"ensure_experience_continuity": true});
    let device = json!({"bucketing_identifier": "device_id"});
    let both = json!({"bucketing_identifier": "device_id", "ensure_experience_continuity": true});
    // definition, distinct id, device id, anonymous id, stored hash key
    let cases = [
        ("plain", &plain, ["maria", "1042", "1042", "1042"], IN),
        ("plain", &plain, ["1042", "maria", "maria", "maria"], OUT),
        ("device", &device, ["1042", "maria", "", ""], IN),
        ("device", &device, ["maria", "1042", "maria", "maria"], OUT),
        (
            "sticky: stored",
            &sticky,
            ["1042", "1042", "1042", "maria"],
            IN,
        ),
        (
            "sticky: stored goes first",
            &sticky,
            ["maria", "", "maria", "1042"],
            OUT,
        ),
        (
            "sticky: anonymous",
            &sticky,
            ["1042", "1042", "maria", ""],
            IN,
        ),
        (
            "sticky: anonymous goes before the distinct id",
            &sticky,
            ["maria", "", "1042", ""],
            OUT,
        ),
        (
            "sticky: distinct id",
            &sticky,
            ["maria", "1042", "", ""],
            IN,
        ),
        (
            "a device flag is never sticky",
            &both,
            ["1042", "maria", "1042", "1042"],
            IN,
        ),
        (
            "a device flag is never sticky",
            &both,
            ["maria", "1042", "maria", "maria"],
            OUT,
        ),
    ];
    for (case, fields, [distinct, device, anonymous, stored], expected) in cases {
        let mut world = world(fields.clone());
        world.subject.distinct_id = distinct.to_owned();
        world.subject.device_id = some(device);
        world.subject.anonymous_id = some(anonymous);
        if !stored.is_empty() {
            world = world.hash_keys(&[("new-nav", stored), ("other", "x")]);
        }
        assert_eq!(world.answer_of("new-nav"), expected, "{case}");
    }
}

#[test]
fn only_the_exact_text_means_the_device() {
    for name in [
        json!(null),
        json!("distinct_id"),
        json!("Device_id"),
        json!("device_id "),
    ] {
        let mut world = world(json!({ "bucketing_identifier": name }));
        world.subject.device_id = some("1042");
        assert_eq!(world.answer_of("new-nav"), IN, "{name}");
    }
}

#[test]
fn a_flag_that_is_no_longer_sticky_ignores_stored_hash_keys() {
    let world =
        world(json!({"ensure_experience_continuity": false})).hash_keys(&[("new-nav", "1042")]);
    assert_eq!(world.answer_of("new-nav"), IN);
    let mut group = World::new(vec![flag_with(
        1,
        "new-nav",
        json!({"aggregation_group_type_index": 0, "groups": [{"rollout_percentage": 30, "aggregation_group_type_index": null}]}),
        json!({"ensure_experience_continuity": true}),
    )])
    .hash_keys(&[("new-nav", "1042")]);
    group.subject.anonymous_id = some("1042");
    assert_eq!(
        group.answer_of("new-nav"),
        IN,
        "a group flag is not sticky, also where it is about persons"
    );
}

#[test]
fn hash_keys_that_were_not_read_are_not_there() {
    let mut world = world(json!({"ensure_experience_continuity": true}));
    world.stored.hash_keys = Read::NotNeeded;
    world.subject.anonymous_id = some("1042");
    assert_eq!(world.answer_of("new-nav"), OUT);
}

#[test]
fn conditions_about_groups_hash_the_group_key() {
    for fields in [
        json!({}),
        json!({"bucketing_identifier": "device_id"}),
        json!({"ensure_experience_continuity": true}),
    ] {
        for (key, expected) in [("maria", IN), ("1042", OUT)] {
            let mut world = World::new(vec![flag_with(
                1,
                "new-nav",
                json!({"groups": [{"rollout_percentage": 30, "aggregation_group_type_index": 1}]}),
                fields.clone(),
            )])
            .groups(json!({ "project": key }))
            .hash_keys(&[("new-nav", "otto")]);
            world.subject.device_id = some("otto");
            world.subject.anonymous_id = some("otto");
            assert_eq!(world.answer_of("new-nav"), expected, "{fields} {key}");
        }
    }
}

#[test]
fn identifiers_are_cut_and_the_empty_one_is_inside() {
    // 200 times x hashes to 0.2967
    let mut world = world(json!({"bucketing_identifier": "device_id"}));
    world.subject.device_id = Some("x".repeat(250));
    assert_eq!(world.answer_of("new-nav"), IN);
    let mut plain = self::world(json!({}));
    plain.subject.distinct_id = String::new();
    assert_eq!(plain.answer_of("new-nav"), IN);
}

#[test]
fn holdouts_hash_the_identifier_of_the_flag() {
    let held = "holdout-1 holdout_condition_value -";
    let sticky = json!({"ensure_experience_continuity": true});
    let device = json!({"bucketing_identifier": "device_id"});
    // fields, about groups, distinct id, device id, anonymous id, stored, group key; maria alone is below 10 %
    let cases = [
        (
            "plain",
            json!({}),
            false,
            ["maria", "otto", "otto", "otto", "otto"],
            held,
        ),
        (
            "plain",
            json!({}),
            false,
            ["otto", "maria", "maria", "maria", "maria"],
            OUT,
        ),
        (
            "device",
            device.clone(),
            false,
            ["otto", "maria", "otto", "otto", "otto"],
            held,
        ),
        (
            "device without one",
            device,
            false,
            ["maria", "", "otto", "otto", "otto"],
            held,
        ),
        (
            "sticky",
            sticky.clone(),
            false,
            ["otto", "otto", "maria", "otto", "otto"],
            held,
        ),
        (
            "sticky without one",
            sticky.clone(),
            false,
            ["maria", "", "", "otto", ""],
            held,
        ),
        (
            "sticky, stored keys do not count",
            sticky,
            false,
            ["otto", "", "", "maria", ""],
            OUT,
        ),
        (
            "group",
            json!({}),
            true,
            ["otto", "otto", "otto", "otto", "maria"],
            held,
        ),
        (
            "group",
            json!({}),
            true,
            ["maria", "maria", "maria", "maria", "otto"],
            OUT,
        ),
    ];
    for (case, fields, about_groups, [distinct, device, anonymous, stored, group], expected) in
        cases
    {
        let filters = json!({
            "holdout": {"id": 1, "exclusion_percentage": 10},
            "groups": [{"rollout_percentage": -1, "aggregation_group_type_index": null}],
            "aggregation_group_type_index": about_groups.then_some(0),
        });
        let mut world = World::new(vec![flag_with(1, "new-nav", filters, fields)])
            .groups(json!({ "company": group }));
        world.subject.distinct_id = distinct.to_owned();
        world.subject.device_id = some(device);
        world.subject.anonymous_id = some(anonymous);
        if !stored.is_empty() {
            world = world.hash_keys(&[("new-nav", stored)]);
        }
        assert_eq!(world.answer_of("new-nav"), expected, "{case}");
    }
}

#[test]
fn a_holdout_of_a_group_flag_without_a_key_hashes_the_empty_text() {
    let filters = |percentage: f64| {
        json!({
            "aggregation_group_type_index": 0, "groups": [{}], "holdout": {"id": 1, "exclusion_percentage": percentage},
        })
    };
    let answer = |percentage: f64| World::of(filters(percentage)).answer();
    assert_eq!(answer(92.0), "false no_group_type 0");
    assert_eq!(answer(93.0), "holdout-1 holdout_condition_value -");
}

#[test]
fn a_holdout_follows_the_flag_and_never_a_condition() {
    let filters = json!({
        "groups": [{"aggregation_group_type_index": 0}], "holdout": {"id": 1, "exclusion_percentage": 10},
    });
    let world = World::of(filters).groups(json!({"company": "otto"}));
    assert_eq!(world.answer(), "holdout-1 holdout_condition_value -");
}

#[test]
fn failed_hash_keys_fail_marked_flags_whatever_they_are() {
    let marked = json!({"ensure_experience_continuity": true});
    let device = json!({"ensure_experience_continuity": true, "bucketing_identifier": "device_id"});
    let everybody = json!({"groups": [{}]});
    let group = json!({"groups": [{}], "aggregation_group_type_index": 0});
    let mut world = World::new(vec![
        flag_with(1, "full", everybody.clone(), marked.clone()),
        flag_with(2, "device", everybody.clone(), device),
        flag_with(3, "group", group, marked),
        flag_with(4, "plain", everybody, json!({})),
    ]);
    world.stored.hash_keys = Read::Failed(FailureCode::DatabaseUnavailable);
    for key in ["full", "device", "group"] {
        assert_eq!(
            world.answer_of(key),
            "failed hash_key_override_error",
            "{key}"
        );
    }
    assert_eq!(world.answer_of("plain"), IN);
    assert!(world.evaluations().errors_while_computing);
}
