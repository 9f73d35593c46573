//! When the store is read (sections 5.5 and 5.7).

use crate::{
    Needs,
    testing::{World, flag, flag_with, in_cohort, person, when},
};
use serde_json::{Value, json};

fn state(world: World) -> bool {
    world.needs().state
}

#[test]
fn the_state_is_needed_by_what_the_request_does_not_say() {
    let key = || person("plan", "exact", json!("pro"));
    let on_group = |index: Value, key: &str| json!({"key": key, "type": "group", "group_type_index": index, "value": "x"});
    let rollout = |percentage: f64, filter: Value| json!({"groups": [{"rollout_percentage": percentage, "properties": [filter]}]});
    let overrides = || json!({"plan": null, "$os": "Linux"});
    // the request has: overrides above, a company with a plan, an unusable project
    let cases = [
        ("nothing asked", json!({"groups": [{}]}), false),
        ("no condition", json!({}), false),
        (
            "about groups",
            json!({"aggregation_group_type_index": 0}),
            true,
        ),
        (
            "about groups nobody knows",
            json!({"aggregation_group_type_index": 4}),
            true,
        ),
        (
            "a condition about groups",
            json!({"groups": [{"aggregation_group_type_index": 0}]}),
            false,
        ),
        ("enrolment", json!({"feature_enrollment": true}), true),
        ("no enrolment", json!({"feature_enrollment": false}), false),
        ("a cohort", when(json!([in_cohort(5)])), true),
        ("a cohort, nobody", rollout(0.0, in_cohort(5)), false),
        (
            "a cohort, less than nobody",
            rollout(-1.0, in_cohort(5)),
            false,
        ),
        ("a cohort, hardly anybody", rollout(0.1, in_cohort(5)), true),
        ("a property that is sent", when(json!([key()])), false),
        (
            "a property that is not sent",
            when(json!([person("tier", "is_set", json!(null))])),
            true,
        ),
        (
            "the same for nobody",
            rollout(0.0, person("tier", "is_set", json!(null))),
            false,
        ),
        (
            "the distinct id",
            when(json!([person("distinct_id", "exact", json!("maria"))])),
            false,
        ),
        (
            "a copied property is not sent",
            when(json!([person("$os_name", "exact", json!("x"))])),
            true,
        ),
        (
            "a first-touch property is not sent",
            when(json!([person("$initial_os", "exact", json!("x"))])),
            true,
        ),
        (
            "metadata",
            when(json!([{"key": "created_at", "type": "person_metadata", "operator": "is_set"}])),
            true,
        ),
        (
            "a group property that is sent",
            when(json!([on_group(json!(0), "plan")])),
            false,
        ),
        (
            "a group property that is not sent",
            when(json!([on_group(json!(0), "tier")])),
            true,
        ),
        (
            "the key of the group",
            when(json!([on_group(json!(0), "$group_key")])),
            false,
        ),
        (
            "a property of an unusable group",
            when(json!([on_group(json!(1), "tier")])),
            false,
        ),
        (
            "a property of an unknown group",
            when(json!([on_group(json!(4), "tier")])),
            false,
        ),
        (
            "a group property without a type",
            when(json!([on_group(json!(null), "tier")])),
            false,
        ),
        (
            "a group property by the type of its condition",
            json!({"groups": [{"aggregation_group_type_index": 0, "properties": [on_group(json!(null), "tier")]}]}),
            true,
        ),
        (
            "another flag",
            when(json!([crate::testing::depends(9, json!(true))])),
            false,
        ),
        (
            "a holdout",
            json!({"holdout": {"id": 1, "exclusion_percentage": 50}}),
            false,
        ),
        (
            "an unknown format",
            json!({"version": 2, "aggregation_group_type_index": 0}),
            false,
        ),
    ];
    for (case, filters, expected) in cases {
        let world = World::of(filters)
            .overrides(overrides())
            .groups(json!({"company": "c", "project": null}))
            .group_overrides("company", json!({"plan": 1}));
        assert_eq!(state(world), expected, "{case}");
    }
    let enrolled = World::of(json!({"feature_enrollment": true}))
        .overrides(json!({"$feature_enrollment/f": null}));
    assert!(!state(enrolled));
}

#[test]
fn only_flags_to_be_evaluated_need_anything() {
    let needy = || json!({"groups": [{"rollout_percentage": 50, "properties": [in_cohort(5)]}]});
    let fields = |fields: Value| {
        let mut all = json!({"ensure_experience_continuity": true});
        all.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        all
    };
    let mut world = World::new(vec![
        flag_with(1, "inactive", needy(), fields(json!({"active": false}))),
        flag_with(
            2,
            "server",
            needy(),
            fields(json!({"evaluation_runtime": "server"})),
        ),
        flag(3, "f", json!({"groups": [{}]})),
        flag_with(4, "needy", needy(), fields(json!({}))),
    ]);
    assert_eq!(
        world.needs(),
        Needs {
            state: true,
            hash_keys: true
        }
    );
    world.selector.keys = Some(vec![
        "f".to_owned(),
        "inactive".to_owned(),
        "server".to_owned(),
    ]);
    assert_eq!(world.needs(), Needs::default());
}

#[test]
fn hash_keys_are_needed_by_sticky_flags_that_hash() {
    let sticky = || json!({"ensure_experience_continuity": true});
    let device =
        || json!({"ensure_experience_continuity": true, "bucketing_identifier": "device_id"});
    let full = || json!({"groups": [{}]});
    let partial = || json!({"groups": [{}, {"rollout_percentage": 99.9}]});
    let variants = |shares: &[f64]| {
        let variants: Vec<Value> = shares
            .iter()
            .map(|share| json!({"key": share.to_string(), "rollout_percentage": share}))
            .collect();
        json!({"groups": [{}], "multivariate": {"variants": variants}})
    };
    let group =
        || json!({"aggregation_group_type_index": 0, "groups": [{"rollout_percentage": 50}]});
    let cases = [
        ("full rollout", full(), sticky(), false),
        ("partial rollout", partial(), sticky(), true),
        ("partial rollout, not sticky", partial(), json!({}), false),
        ("partial rollout, by device", partial(), device(), false),
        ("about groups", group(), sticky(), false),
        ("two variants", variants(&[50.0, 51.0]), sticky(), true),
        ("one variant", variants(&[50.0]), sticky(), false),
        (
            "one that starves the other",
            variants(&[100.0, 50.0]),
            sticky(),
            false,
        ),
        (
            "one beside an empty one",
            variants(&[0.0, 100.0]),
            sticky(),
            false,
        ),
    ];
    for (case, filters, fields, expected) in cases {
        let world = World::new(vec![flag_with(1, "f", filters, fields)]);
        assert_eq!(world.needs().hash_keys, expected, "{case}");
    }
}
