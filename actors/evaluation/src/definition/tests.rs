use super::{Definitions, FlagDefinition, GroupTypes, Runtime};
use crate::testing::{World, depends, flag, flag_with, person, when};
use serde_json::{Value, json};

/// Returns why a flag with these filters is dropped, or nothing.
fn reason(filters: Value) -> String {
    let (definitions, dropped) = World::of(filters).compile();
    assert_eq!(definitions.flag("f").is_some(), dropped.is_empty());
    dropped.into_iter().map(|flag| flag.reason).collect()
}

fn condition(condition: Value) -> Value {
    json!({ "groups": [condition] })
}

fn filter(filter: Value) -> Value {
    condition(json!({ "properties": [filter] }))
}

#[test]
fn filters_of_the_wrong_type_drop_the_flag() {
    let person = |fields: Value| {
        let mut filter = json!({"key": "k", "type": "person", "value": 1});
        filter
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        filter
    };
    let cases = [
        (
            json!({"groups": null}),
            "groups: expected a list, found null",
        ),
        (
            json!({"groups": {}}),
            "groups: expected a list, found an object",
        ),
        (
            json!({"groups": [7]}),
            "groups[0]: expected an object, found a number",
        ),
        (
            condition(json!({"properties": {}})),
            "groups[0].properties: expected a list, found an object",
        ),
        (
            condition(json!({"rollout_percentage": "50"})),
            "groups[0].rollout_percentage: expected a number, found a text",
        ),
        (
            condition(json!({"variant": 1})),
            "groups[0].variant: expected a text, found a number",
        ),
        (
            condition(json!({"aggregation_group_type_index": "0"})),
            "groups[0].aggregation_group_type_index: expected an integer, found a text",
        ),
        (
            json!({"aggregation_group_type_index": 1.5}),
            "aggregation_group_type_index: expected an integer, found a number with a fraction",
        ),
        (
            json!({"feature_enrollment": "true"}),
            "feature_enrollment: expected true or false, found a text",
        ),
        (
            json!({"early_exit": 1}),
            "early_exit: expected true or false, found a number",
        ),
        (
            json!({"multivariate": []}),
            "multivariate: expected an object, found a list",
        ),
        (
            json!({"multivariate": {}}),
            "multivariate.variants: missing, expected a list",
        ),
        (
            json!({"multivariate": {"variants": [{"rollout_percentage": 1}]}}),
            "multivariate.variants[0].key: missing, expected a text",
        ),
        (
            json!({"multivariate": {"variants": [{"key": "a"}]}}),
            "multivariate.variants[0].rollout_percentage: missing, expected a number",
        ),
        (
            json!({"multivariate": {"variants": [{"key": "a", "rollout_percentage": "5"}]}}),
            "multivariate.variants[0].rollout_percentage: expected a number, found a text",
        ),
        (
            json!({"holdout": 4}),
            "holdout: expected an object, found a number",
        ),
        (
            json!({"holdout": {"exclusion_percentage": 5}}),
            "holdout.id: missing, expected an integer",
        ),
        (
            json!({"holdout": {"id": 1}}),
            "holdout.exclusion_percentage: missing, expected a number",
        ),
        (
            json!({"holdout": {"id": 1, "exclusion_percentage": null}}),
            "holdout.exclusion_percentage: expected a number, found null",
        ),
        (
            filter(json!("x")),
            "groups[0].properties[0]: expected an object, found a text",
        ),
        (
            filter(json!({"key": "k"})),
            "groups[0].properties[0].type: missing, expected a text",
        ),
        (
            filter(json!({"key": "k", "type": null})),
            "groups[0].properties[0].type: expected a text, found null",
        ),
        (
            filter(json!({"key": "k", "type": "event"})),
            "groups[0].properties[0].type: unknown type \"event\"",
        ),
        (
            filter(json!({"type": "person"})),
            "groups[0].properties[0].key: missing, expected a text",
        ),
        (
            filter(json!({"key": 5, "type": "person"})),
            "groups[0].properties[0].key: expected a text, found a number",
        ),
        (
            filter(person(json!({"operator": "foo"}))),
            "groups[0].properties[0].operator: unknown operator \"foo\"",
        ),
        (
            filter(person(json!({"operator": "EXACT"}))),
            "groups[0].properties[0].operator: unknown operator \"EXACT\"",
        ),
        (
            filter(person(json!({"operator": true}))),
            "groups[0].properties[0].operator: expected a text, found true or false",
        ),
        (
            filter(person(json!({"group_type_index": "0"}))),
            "groups[0].properties[0].group_type_index: expected an integer, found a text",
        ),
        (
            filter(json!({"key": "id", "type": "cohort", "value": 1, "operator": "foo"})),
            "groups[0].properties[0].operator: unknown operator \"foo\"",
        ),
    ];
    for (filters, expected) in cases {
        let text = filters.to_string();
        assert_eq!(reason(filters), expected, "{text}");
    }
}

#[test]
fn filters_that_are_no_object_drop_the_flag() {
    for filters in [json!(null), json!([]), json!("x"), json!(1)] {
        assert!(reason(filters).starts_with("expected an object"));
    }
    assert!(reason(json!({"payloads": []})).starts_with("payloads: expected an object"));
}

#[test]
fn nulls_unknown_fields_and_foreign_negations_are_fine() {
    let cases = [
        json!({}),
        json!({"groups": []}),
        json!({
            "multivariate": null, "payloads": null, "aggregation_group_type_index": null,
            "feature_enrollment": null, "holdout": null, "early_exit": null, "super_groups": 7, "holdout_groups": "x",
        }),
        json!({"multivariate": {"variants": []}}),
        condition(json!({
            "properties": null, "rollout_percentage": null, "variant": null,
            "aggregation_group_type_index": null, "description": 1, "sort_key": 2,
        })),
        filter(json!({
            "key": "k", "type": "person", "operator": null, "value": null,
            "group_type_index": null, "negation": "not read here",
        })),
        filter(json!({"key": "k", "type": "person_metadata"})),
        filter(json!({"key": "k", "type": "group"})),
        filter(json!({"key": "k", "type": "flag"})),
        filter(json!({"key": "id", "type": "cohort", "value": "text"})),
        json!({"version": 1}),
        json!({"version": 2, "groups": "another format"}),
    ];
    for filters in cases {
        let text = filters.to_string();
        assert_eq!(reason(filters), "", "{text}");
    }
}

#[test]
fn an_unreadable_flag_leaves_its_neighbours_alone() {
    let (definitions, dropped) = World::new(vec![
        flag(1, "bad", json!({"groups": 1})),
        flag(2, "good", json!({"groups": [{}]})),
    ])
    .compile();
    assert_eq!(dropped.len(), 1);
    assert_eq!(dropped[0].key, "bad");
    assert!(definitions.flag("good").is_some());
}

#[test]
fn flags_are_sorted_by_key_and_deleted_ones_do_not_exist() {
    let (definitions, dropped) = World::new(vec![
        flag(1, "b", json!({})),
        flag_with(2, "c", json!("broken"), json!({"deleted": true})),
        flag(3, "a", json!({})),
        flag_with(4, "B", json!({}), json!({"active": false})),
    ])
    .compile();
    let keys: Vec<&str> = definitions.flags.iter().map(|flag| &*flag.key).collect();
    assert_eq!(keys, ["B", "a", "b"]);
    assert_eq!(dropped, []);
}

#[test]
fn repeated_keys_and_ids_are_dropped() {
    let (definitions, dropped) = World::new(vec![
        flag(2, "a", json!({})),
        flag(1, "a", json!({})),
        flag(1, "b", json!({})),
    ])
    .compile();
    assert_eq!(definitions.flag("a").unwrap().id.0, 1);
    let reasons: Vec<_> = dropped
        .iter()
        .map(|d| (d.id.0, d.reason.as_str()))
        .collect();
    assert_eq!(
        reasons,
        [(2, "its key is used twice"), (1, "its id is used twice")]
    );
}

#[test]
fn flag_fields_have_their_defaults() {
    let read = |text: &str| serde_json::from_str::<FlagDefinition>(text);
    let (definitions, _) = Definitions::compile(
        vec![read(r#"{"id": 1, "key": "k", "filters": {}, "unknown": []}"#).unwrap()],
        Ok(GroupTypes::default()),
    );
    let flag = definitions.flag("k").unwrap();
    assert_eq!(flag.version, 0);
    assert!(!flag.active && !flag.continuity && !flag.by_device && !flag.has_experiment);
    assert_eq!(flag.runtime, Runtime::All);
    assert!(flag.contexts.is_empty());
    for wrong in [
        r#"{"id": "1", "key": "k", "filters": {}}"#,
        r#"{"id": 4000000000, "key": "k", "filters": {}}"#,
        r#"{"key": "k", "filters": {}}"#,
        r#"{"id": 1, "filters": {}}"#,
        r#"{"id": 1, "key": "k"}"#,
        r#"{"id": 1, "key": "k", "filters": {}, "active": "true"}"#,
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn runtimes_are_read_in_any_case() {
    let cases = [
        (None, Runtime::All),
        (Some("all"), Runtime::All),
        (Some("SERVER"), Runtime::Server),
        (Some("Client"), Runtime::Client),
        (Some("edge"), Runtime::All),
        (Some(""), Runtime::All),
    ];
    for (name, expected) in cases {
        assert_eq!(Runtime::of(name), expected, "{name:?}");
    }
}

#[test]
fn contexts_have_an_older_name() {
    let world = World::new(vec![flag_with(
        1,
        "f",
        json!({}),
        json!({"evaluation_tags": ["x"]}),
    )]);
    let (definitions, _) = world.compile();
    assert_eq!(*definitions.flag("f").unwrap().contexts, ["x".into()]);
}

#[test]
fn sticky_keys_are_marked_flags_whatever_else_they_are() {
    let sticky = json!({"ensure_experience_continuity": true});
    let with = |fields: Value| {
        let mut all = sticky.clone();
        all.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        all
    };
    let (definitions, _) = World::new(vec![
        flag_with(1, "plain", json!({}), sticky.clone()),
        flag_with(
            2,
            "device",
            json!({}),
            with(json!({"bucketing_identifier": "device_id"})),
        ),
        flag_with(
            3,
            "group",
            json!({"aggregation_group_type_index": 0}),
            sticky.clone(),
        ),
        flag_with(4, "inactive", json!({}), with(json!({"active": false}))),
        flag_with(5, "archived", json!({}), with(json!({"archived": true}))),
        flag_with(6, "deleted", json!({}), with(json!({"deleted": true}))),
        flag_with(
            7,
            "null",
            json!({}),
            json!({"ensure_experience_continuity": null}),
        ),
        flag(8, "other", json!({})),
    ])
    .compile();
    let keys: Vec<&str> = definitions.sticky_keys().iter().map(|key| &**key).collect();
    assert_eq!(keys, ["device", "group", "plain"]);
}

#[test]
fn only_active_flags_have_edges() {
    let (definitions, _) = World::new(vec![
        flag(1, "a", when(json!([depends(2, json!(true))]))),
        flag_with(
            2,
            "b",
            when(json!([depends(1, json!(true))])),
            json!({"active": false}),
        ),
        flag(
            3,
            "c",
            when(json!([
                depends(1, json!(true)),
                person("k", "exact", json!(1))
            ])),
        ),
    ])
    .compile();
    assert_eq!(definitions.order.ready, [1, 0, 2]);
}

#[test]
fn a_chain_names_what_a_flag_needs_in_order() {
    let flags = vec![
        flag(1, "z", when(json!([]))),
        flag(2, "a", when(json!([depends(1, json!(true))]))),
        flag(
            3,
            "m",
            when(json!([depends(2, json!(true)), depends(1, json!(true))])),
        ),
        flag(4, "circle", when(json!([depends(4, json!(true))]))),
        flag(5, "missing", when(json!([depends(99, json!(true))]))),
        flag(6, "format", json!({"version": 2})),
        flag(7, "behind", when(json!([depends(6, json!(true))]))),
    ];
    let (definitions, _) = Definitions::compile(flags, Ok(GroupTypes::default()));
    for (key, chain) in [
        ("z", Some(vec!["z"])),
        ("a", Some(vec!["z", "a"])),
        ("m", Some(vec!["z", "a", "m"])),
        ("circle", None),
        ("missing", None),
        ("format", None),
        ("behind", None),
        ("nobody", None),
    ] {
        assert_eq!(definitions.dependency_chain(key), chain, "{key}");
    }
}

#[test]
fn a_subject_is_shared_by_condition_and_chain() {
    let about = |kind: Value, own: Value, properties: Value| {
        let mut condition = json!({"properties": properties});
        if own != json!("the flag's") {
            condition["aggregation_group_type_index"] = own;
        }
        json!({"aggregation_group_type_index": kind, "groups": [condition]})
    };
    let plain = || json!("the flag's");
    let flags = vec![
        flag(1, "person", about(json!(null), plain(), json!([]))),
        flag(2, "company", about(json!(0), plain(), json!([]))),
        flag(3, "team", about(json!(1), json!(1), json!([]))),
        flag(4, "mixed", about(json!(null), json!(0), json!([]))),
        flag(
            5,
            "of-company",
            about(json!(0), plain(), json!([depends(2, json!(true))])),
        ),
        flag(
            6,
            "of-mixed",
            about(json!(null), plain(), json!([depends(4, json!(true))])),
        ),
        flag(7, "empty", json!({"groups": []})),
    ];
    let (definitions, dropped) = Definitions::compile(flags, Ok(GroupTypes::default()));
    assert!(dropped.is_empty(), "{dropped:?}");
    for (key, other, shared) in [
        ("person", "person", true),
        ("person", "empty", true),
        ("person", "company", false),
        ("person", "mixed", false),
        ("person", "of-mixed", false),
        ("company", "company", true),
        ("company", "of-company", true),
        ("company", "team", false),
        ("company", "person", false),
        ("company", "empty", false),
        // Its condition is about groups, and it is not.
        ("mixed", "person", false),
        ("mixed", "company", false),
        ("empty", "person", false),
        ("person", "nobody", false),
    ] {
        assert_eq!(
            definitions.shares_subject(key, 0, other),
            shared,
            "{key} {other}"
        );
    }
}
