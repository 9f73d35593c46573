use super::super::Definitions;
use super::check;
use crate::project_file::parse;
use burgee_schema::models::{CohortRow, FlagRow, GroupTypeRow};
use serde_json::{Value, json};

fn flag(id: i32, key: &str, filters: &Value) -> FlagRow {
    FlagRow {
        id,
        project_id: 1,
        key: key.to_owned(),
        name: None,
        filters: filters.to_string(),
        active: true,
        archived: false,
        deleted: false,
        ensure_experience_continuity: false,
        version: 1,
        evaluation_runtime: None,
        evaluation_contexts: None,
        bucketing_identifier: None,
        has_experiment: false,
        is_remote_configuration: false,
    }
}

fn cohort(id: i64, kind: &str) -> CohortRow {
    let leaf = json!({"key": "a", "type": kind, "value": "b"});
    let filters = json!({"properties": {"type": "AND", "values": [leaf]}});
    CohortRow {
        id,
        project_id: 1,
        name: None,
        deleted: false,
        is_static: false,
        filters: Some(filters.to_string()),
        groups: None,
        cohort_type: None,
        condition_type: None,
    }
}

/// Flags 1 (without variants) and 2 (with `wide`), cohorts 5 and 6 (which is behavioural), one group type.
fn definitions() -> Definitions {
    let wide = json!({"groups": [{}], "multivariate": {"variants": [{"key": "wide", "rollout_percentage": 100}]}});
    Definitions {
        flags: vec![
            flag(1, "one", &json!({"groups": [{}]})),
            flag(2, "two", &wide),
        ],
        cohorts: vec![cohort(5, "person"), cohort(6, "behavioral")],
        group_types: vec![GroupTypeRow {
            project_id: 1,
            group_type_index: 0,
            name: "company".to_owned(),
        }],
    }
}

fn run(filters: &Value, is_new: bool) -> Result<Value, (String, &'static str, String)> {
    let node = parse("filters.json", &filters.to_string()).unwrap();
    match check(node, is_new, &definitions()) {
        Ok(node) => Ok(serde_json::from_str(&node.to_json()).unwrap()),
        Err(invalid) => Err((
            invalid.attr.unwrap(),
            invalid.code,
            invalid.detail.into_owned(),
        )),
    }
}

/// Filters with one condition set that has one filter.
fn one(filter: Value) -> Value {
    json!({"groups": [{"properties": [filter]}]})
}

fn of_group(filter: Value) -> Value {
    json!({"aggregation_group_type_index": 0, "groups": [{"properties": [filter]}]})
}

#[test]
fn what_breaks_a_rule_is_told_with_its_place() {
    let variants = |shares: &[f64]| {
        let list: Vec<Value> = shares
            .iter()
            .enumerate()
            .map(|(index, share)| json!({"key": format!("v{index}"), "rollout_percentage": share}))
            .collect();
        json!({"groups": [{}], "multivariate": {"variants": list}})
    };
    let with = |name: &str, value: Value| {
        let mut filters = json!({"groups": [{}]});
        filters[name] = value;
        filters
    };
    let first = "filters__groups__0__properties__0";
    let no_sum = "Invalid variant definitions: Variant rollout percentages must sum to 100.";
    let wrong_group =
        "Filters are not valid (group properties must match the condition set's group type)";
    let in_first = |name: &str| format!("{first}__{name}");
    let cases: Vec<(Value, String, &str, &str)> = vec![
        (
            json!({}),
            "filters".into(),
            "invalid_input",
            "Feature flags must have at least one condition set (group).",
        ),
        (
            json!({"groups": []}),
            "filters".into(),
            "invalid_input",
            "Feature flags must have at least one condition set (group).",
        ),
        (
            json!({"groups": {}}),
            "filters__groups".into(),
            "invalid",
            "Expected a list",
        ),
        (
            json!({"groups": [3]}),
            "filters__groups__0".into(),
            "invalid",
            "Expected an object",
        ),
        (
            json!({"groups": [{"rollout_percentage": 101}]}),
            "filters__groups__0__rollout_percentage".into(),
            "invalid_input",
            "Rollout percentages must be between 0 and 100.",
        ),
        (
            json!({"groups": [{"rollout_percentage": -1}]}),
            "filters__groups__0__rollout_percentage".into(),
            "invalid_input",
            "Rollout percentages",
        ),
        (
            json!({"groups": [{"rollout_percentage": "5"}]}),
            "filters__groups__0__rollout_percentage".into(),
            "invalid",
            "Expected a number",
        ),
        (
            json!({"groups": [{"variant": "x"}]}),
            "filters__groups__0__variant".into(),
            "invalid_input",
            "Filters are not valid (variant override does not exist)",
        ),
        (
            json!({"groups": [{"properties": {}}]}),
            "filters__groups__0__properties".into(),
            "invalid",
            "Expected a list",
        ),
        (
            json!({"groups": [{"aggregation_group_type_index": 3}]}),
            "filters__groups__0__aggregation_group_type_index".into(),
            "invalid_input",
            "Group type with index 3 does not exist",
        ),
        (
            with("aggregation_group_type_index", json!("0")),
            "filters__aggregation_group_type_index".into(),
            "invalid",
            "Expected an integer",
        ),
        (
            with("early_exit", json!("yes")),
            "filters__early_exit".into(),
            "invalid",
            "Expected true or false",
        ),
        (
            variants(&[50.0, 49.0]),
            "filters".into(),
            "invalid_input",
            no_sum,
        ),
        (
            variants(&[50.0, 51.0]),
            "filters".into(),
            "invalid_input",
            no_sum,
        ),
        (
            variants(&[101.0]),
            "filters__multivariate__variants__0__rollout_percentage".into(),
            "invalid_input",
            "Rollout percentages",
        ),
        (
            with("multivariate", json!({"variants": [{"key": "a"}]})),
            "filters__multivariate__variants__0__rollout_percentage".into(),
            "required",
            "This field is required.",
        ),
        (
            with(
                "multivariate",
                json!({"variants": [{"rollout_percentage": 100}]}),
            ),
            "filters__multivariate__variants__0__key".into(),
            "required",
            "This field is required.",
        ),
        (
            with(
                "multivariate",
                json!({"variants": [{"key": "", "rollout_percentage": 100}]}),
            ),
            "filters__multivariate__variants__0__key".into(),
            "blank",
            "This field may not be blank.",
        ),
        (
            with(
                "multivariate",
                json!({"variants": [{"key": "a", "rollout_percentage": 50}, {"key": "a", "rollout_percentage": 50}]}),
            ),
            "filters__multivariate__variants__1__key".into(),
            "invalid_input",
            "Invalid variant definitions",
        ),
        (
            with("payloads", json!({"off": "1"})),
            "filters__payloads__off".into(),
            "invalid_input",
            "Payload keys must be 'true' for boolean flags",
        ),
        (
            with("payloads", json!({"true": "{a"})),
            "filters__payloads__true".into(),
            "invalid_input",
            "Payload value is not valid JSON",
        ),
        (
            with("payloads", json!([])),
            "filters__payloads".into(),
            "invalid",
            "Expected an object",
        ),
        (
            one(json!({"key": "a", "operator": "exact", "value": "b"})),
            in_first("type"),
            "required",
            "This field is required.",
        ),
        (
            one(json!({"type": "person", "operator": "exact", "value": "b"})),
            in_first("key"),
            "required",
            "This field is required.",
        ),
        (
            one(json!({"type": "person", "key": "a", "operator": "exact"})),
            in_first("value"),
            "required",
            "This field is required.",
        ),
        (
            one(json!({"type": "event", "key": "a", "value": "b"})),
            in_first("type"),
            "invalid_input",
            "\"event\" is no type",
        ),
        (
            one(json!({"type": "person", "key": "a", "operator": "like", "value": "b"})),
            in_first("operator"),
            "invalid_operator",
            "\"like\" is not an operator.",
        ),
        (
            one(json!({"type": "person", "key": "a", "operator": "in", "value": "b"})),
            in_first("operator"),
            "invalid_operator",
            "Property \"a\"",
        ),
        (
            one(json!({"type": "person", "key": "a", "operator": "regex", "value": "("})),
            in_first("value"),
            "invalid_input",
            "Property \"a\": invalid regex pattern",
        ),
        (
            one(
                json!({"type": "person", "key": "a", "operator": "is_date_before", "value": "soon"}),
            ),
            in_first("value"),
            "invalid_date",
            "Property \"a\"",
        ),
        (
            one(json!({"type": "group", "key": "a", "group_type_index": 0, "value": "b"})),
            in_first("type"),
            "invalid_input",
            wrong_group,
        ),
        (
            of_group(json!({"type": "person", "key": "a", "value": "b"})),
            in_first("type"),
            "invalid_input",
            wrong_group,
        ),
        (
            of_group(json!({"type": "cohort", "key": "id", "value": 5})),
            in_first("type"),
            "invalid_input",
            wrong_group,
        ),
        (
            of_group(json!({"type": "group", "key": "a", "group_type_index": 1, "value": "b"})),
            in_first("group_type_index"),
            "invalid_input",
            wrong_group,
        ),
        (
            one(json!({"type": "cohort", "key": "id", "value": 9})),
            in_first("value"),
            "cohort_does_not_exist",
            "Cohort with id 9 does not exist",
        ),
        (
            one(json!({"type": "cohort", "key": "id", "value": "5"})),
            in_first("value"),
            "invalid",
            "Expected the id of a cohort",
        ),
        (
            one(json!({"type": "cohort", "key": "id", "operator": "exact", "value": 5})),
            in_first("operator"),
            "invalid_operator",
            "Cohorts are compared",
        ),
        (
            one(json!({"type": "cohort", "key": "id", "value": 6})),
            in_first("value"),
            "behavioral_cohort_found",
            "Cohort 6",
        ),
        (
            one(json!({"type": "flag", "key": "1", "operator": "exact", "value": true})),
            in_first("operator"),
            "invalid_operator",
            "Flags are compared",
        ),
        (
            one(
                json!({"type": "flag", "key": "one", "operator": "flag_evaluates_to", "value": true}),
            ),
            in_first("key"),
            "invalid_input",
            "A flag is named by its id",
        ),
        (
            one(
                json!({"type": "flag", "key": "9", "operator": "flag_evaluates_to", "value": true}),
            ),
            in_first("key"),
            "invalid_input",
            "Flag with id 9 does not exist",
        ),
        (
            one(
                json!({"type": "flag", "key": "2", "operator": "flag_evaluates_to", "value": "narrow"}),
            ),
            in_first("value"),
            "invalid_input",
            "Flag with id 2 has no variant \"narrow\"",
        ),
        (
            one(json!({"type": "flag", "key": "2", "operator": "flag_evaluates_to", "value": 1})),
            in_first("value"),
            "invalid",
            "Expected true, false or a variant's key",
        ),
    ];
    for (filters, attr, code, detail) in cases {
        let (found_attr, found_code, found) = run(&filters, true).unwrap_err();
        assert_eq!(
            (found_attr.as_str(), found_code),
            (attr.as_str(), code),
            "{filters}"
        );
        assert!(found.starts_with(detail), "{filters}: {found}");
    }
    let mixed = json!({"groups": [{}], "multivariate": {"variants": [{"key": "a", "rollout_percentage": 100}]}, "payloads": {"true": "1"}});
    let (_, _, detail) = run(&mixed, true).unwrap_err();
    assert_eq!(
        detail,
        "Payload keys must match a variant key for multivariate flags"
    );
}

#[test]
fn what_is_right_is_kept() {
    for filters in [
        json!({"groups": [{"properties": [], "rollout_percentage": null, "variant": null, "description": "x"}]}),
        json!({"groups": [{"rollout_percentage": 33.3}], "multivariate": {"variants": [{"key": "a", "rollout_percentage": 33.3}, {"key": "b", "rollout_percentage": 33.3}, {"key": "c", "rollout_percentage": 33.4}]}}),
        json!({"groups": [{"variant": "a"}], "multivariate": {"variants": [{"key": "a", "name": "A", "rollout_percentage": 100}]}, "payloads": {"a": "{\"x\": 1}"}}),
        json!({"groups": [{}], "multivariate": null, "payloads": null, "holdout": null, "early_exit": false}),
        json!({"groups": [{}], "multivariate": {"variants": []}, "unknown": {"deep": [1, 2.0]}}),
        one(json!({"type": "person", "key": "a", "operator": "is_set"})),
        one(json!({"type": "cohort", "key": "id", "value": 5, "operator": "not_in"})),
        one(json!({"type": "flag", "key": "2", "operator": "flag_evaluates_to", "value": "wide"})),
        of_group(json!({"type": "group", "key": "a", "value": "b", "operator": "exact"})),
        of_group(json!({"type": "group", "key": "a", "group_type_index": 0, "value": "b"})),
    ] {
        let kept = run(&filters, true).unwrap();
        let members = filters.as_object().unwrap();
        for (name, value) in members.iter().filter(|(name, _)| *name != "groups") {
            assert_eq!(&kept[name], value, "{filters}");
        }
        let sets = filters["groups"].as_array().unwrap();
        for (set, kept) in sets.iter().zip(kept["groups"].as_array().unwrap()) {
            for (name, value) in set.as_object().unwrap() {
                assert_eq!(&kept[name], value, "{filters}");
            }
        }
    }
    assert_eq!(
        run(&json!({"groups": []}), false),
        Ok(json!({"groups": []}))
    );
}

#[test]
fn each_condition_set_gets_its_own_group_type() {
    let set = |filters: Value| {
        run(&filters, true).unwrap()["groups"][0]["aggregation_group_type_index"].clone()
    };
    assert_eq!(set(json!({"groups": [{}]})), Value::Null);
    assert_eq!(
        set(json!({"groups": [{}], "aggregation_group_type_index": 0})),
        json!(0)
    );
    let own = json!({"groups": [{"aggregation_group_type_index": null}], "aggregation_group_type_index": 0});
    assert_eq!(set(own), Value::Null);
}

#[test]
fn payloads_become_json_texts() {
    let text = r#"{"groups":[{}],"payloads":{"true":{"b": 2.50, "a": [1e2]}}}"#;
    let kept = check(parse("f.json", text).unwrap(), true, &definitions()).unwrap();
    let kept: Value = serde_json::from_str(&kept.to_json()).unwrap();
    assert_eq!(kept["payloads"]["true"], r#"{"b":2.50,"a":[1e2]}"#);
    for (payload, stored) in [
        (json!("{\"a\":  1}"), json!("{\"a\":  1}")),
        (json!(3), json!("3")),
        (json!(true), json!("true")),
        (Value::Null, Value::Null),
    ] {
        let kept = run(
            &json!({"groups": [{}], "payloads": {"true": payload}}),
            true,
        )
        .unwrap();
        assert_eq!(kept["payloads"]["true"], stored);
    }
}
