use super::faults;
use crate::testing::{cohort, depends, flag, flag_with, group_types, in_cohort, person, when};
use serde_json::{Value, json};

/// Returns the faults of a flag `a` beside a flag `b` (2) and a cohort (5).
fn of_flag(filters: Value) -> Vec<String> {
    let flags = [flag(1, "a", filters), flag(2, "b", json!({"groups": [{}]}))];
    let cohorts = [cohort(json!({"id": 5, "is_static": true}))];
    let found = faults(&flags, &cohorts, &group_types());
    found.iter().map(ToString::to_string).collect()
}

/// Returns the faults of a cohort (1) beside a static one (5).
fn of_cohort(mut fields: Value) -> Vec<String> {
    fields["id"] = json!(1);
    let cohorts = [cohort(fields), cohort(json!({"id": 5, "is_static": true}))];
    let found = faults(&[], &cohorts, &group_types());
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn every_fault_of_a_flag_is_told_with_its_path() {
    let cases: [(Value, &[&str]); 16] = [
        (json!({"groups": [{}]}), &[]),
        (
            when(json!([
                in_cohort(5),
                depends(2, json!(true)),
                person("k", "exact", json!(1))
            ])),
            &[],
        ),
        (
            json!({"early_exit": 1, "groups": [{"rollout_percentage": "5", "properties": [
                {"key": "k", "type": "x"}, {"key": "k", "type": "person", "operator": "foo", "value": 1},
            ]}]}),
            &[
                "flags[0].filters.groups[0].rollout_percentage: expected a number, found a text",
                "flags[0].filters.groups[0].properties[0].type: unknown type \"x\"",
                "flags[0].filters.groups[0].properties[1].operator: unknown operator \"foo\"",
                "flags[0].filters.early_exit: expected true or false, found a number",
            ],
        ),
        (
            json!({"version": 2}),
            &["flags[0].filters.version: unsupported format, expected 1"],
        ),
        (
            json!({"multivariate": {"variants": [
                {"key": "a", "rollout_percentage": 60}, {"key": "b", "rollout_percentage": 40.5},
            ]}}),
            &["flags[0].filters.multivariate.variants: the shares add up to 100.5, more than 100"],
        ),
        (
            // 100 in sum, and a little more as doubles
            json!({"multivariate": {"variants": [
                {"key": "a", "rollout_percentage": 33.4}, {"key": "b", "rollout_percentage": 33.3}, {"key": "c", "rollout_percentage": 33.3},
            ]}}),
            &[],
        ),
        (
            json!({"multivariate": {"variants": [{"key": "a", "rollout_percentage": 6}, {"key": "a", "rollout_percentage": 4}]}}),
            &["flags[0].filters.multivariate.variants[1].key: used twice"],
        ),
        (
            when(json!([depends(9, json!(true))])),
            &["flags[0].filters.groups[0].properties[0].key: there is no flag with this id"],
        ),
        (
            when(
                json!([{"key": "b", "type": "flag", "operator": "flag_evaluates_to", "value": true}]),
            ),
            &[
                "flags[0].filters.groups[0].properties[0].key: never matches: expected the id of a flag",
            ],
        ),
        (
            when(json!([depends(2, json!(5))])),
            &[
                "flags[0].filters.groups[0].properties[0]: never matches: expected `flag_evaluates_to` with true, false or a variant",
            ],
        ),
        (
            when(json!([person("k", "exact", json!(1)), in_cohort(6)])),
            &["flags[0].filters.groups[0].properties[1].value: there is no cohort 6"],
        ),
        (
            when(json!([{"key": "id", "type": "cohort", "value": "5"}])),
            &[
                "flags[0].filters.groups[0].properties[0].value: expected the id of a cohort, an integer",
            ],
        ),
        (
            when(json!([{"key": "id", "type": "cohort", "value": 5, "operator": "exact"}])),
            &[
                "flags[0].filters.groups[0].properties[0].operator: never matches: expected in or not_in",
            ],
        ),
        (
            json!({"aggregation_group_type_index": 4}),
            &["flags[0].filters.aggregation_group_type_index: there is no group type 4"],
        ),
        (
            json!({"groups": [{}, {"aggregation_group_type_index": 3}]}),
            &["flags[0].filters.groups[1].aggregation_group_type_index: there is no group type 3"],
        ),
        (
            when(json!([{"key": "k", "type": "group", "group_type_index": 2, "value": 1}])),
            &[
                "flags[0].filters.groups[0].properties[0].group_type_index: there is no group type 2",
            ],
        ),
    ];
    for (filters, expected) in cases {
        let text = filters.to_string();
        assert_eq!(of_flag(filters), expected, "{text}");
    }
}

#[test]
fn what_an_operator_cannot_use_is_told() {
    for filter in [
        person("k", "regex", json!("[")),
        person("k", "between", json!([5, 1])),
        person("k", "gt", json!("many")),
        person("k", "exact", json!(null)),
        person("k", "in", json!([1])),
    ] {
        let found = of_flag(when(json!([filter])));
        assert_eq!(found.len(), 1, "{filter}");
        assert!(
            found[0].starts_with("flags[0].filters.groups[0].properties[0]: "),
            "{}",
            found[0]
        );
    }
}

#[test]
fn every_fault_of_a_cohort_is_told_with_its_path() {
    let tree = |values: Value| json!({"filters": {"properties": {"type": "OR", "values": values}}});
    let cases: [(Value, &[&str]); 11] = [
        (
            tree(json!([in_cohort(5), person("k", "exact", json!(1))])),
            &[],
        ),
        (
            tree(json!([{"type": "behavioral", "key": "$pageview", "value": "performed_event"}])),
            &[],
        ),
        (json!({}), &[]),
        (
            json!({"filters": {"properties": {}}}),
            &["cohorts[0].filters.properties.type: expected AND or OR"],
        ),
        (
            json!({"filters": {"x": 1}}),
            &["cohorts[0].filters.properties: missing"],
        ),
        (
            tree(json!([in_cohort(7)])),
            &["cohorts[0].filters.properties.values[0].value: there is no cohort 7"],
        ),
        (
            tree(json!([{"key": "id", "type": "cohort", "value": "5"}])),
            &[
                "cohorts[0].filters.properties.values[0].value: expected the id of a cohort, an integer",
            ],
        ),
        (
            tree(json!([{"key": "id", "type": "cohort", "value": 5, "operator": "exact"}])),
            &[
                "cohorts[0].filters.properties.values[0].operator: never matches: expected in or not_in",
            ],
        ),
        (
            tree(json!([{"type": "AND", "values": [person("k", "foo", json!(1))]}])),
            &[
                "cohorts[0].filters.properties.values[0].values[0].operator: unknown operator \"foo\"",
            ],
        ),
        (
            tree(json!([{"type": "XOR", "values": []}])),
            &["cohorts[0].filters.properties.values[0].type: expected AND or OR"],
        ),
        (
            json!({"groups": [{}]}),
            &["cohorts[0].groups[0].properties: missing"],
        ),
    ];
    for (fields, expected) in cases {
        let text = fields.to_string();
        assert_eq!(of_cohort(fields), expected, "{text}");
    }
}

#[test]
fn circles_and_repetitions_are_told_once() {
    let needs = |id: i32| when(json!([depends(id, json!(true))]));
    let flags = [
        flag(1, "a", needs(2)),
        flag(2, "b", needs(1)),
        flag(3, "c", needs(1)),
        flag(3, "c", needs(1)),
        flag_with(4, "d", needs(4), json!({"active": false})),
        flag_with(5, "gone", json!("broken"), json!({"deleted": true})),
    ];
    let refers = |id: i64, to: i64| {
        cohort(
            json!({"id": id, "filters": {"properties": {"type": "AND", "values": [in_cohort(to)]}}}),
        )
    };
    let cohorts = [
        refers(1, 1),
        refers(2, 1),
        cohort(json!({"id": 9, "deleted": true, "filters": 1})),
    ];
    let found: Vec<String> = faults(&flags, &cohorts, &group_types())
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        found,
        [
            "flags[3].key: used twice",
            "flags[3].id: used twice",
            "flags[0].filters: depends on itself: a → b → a",
            "cohorts[0].filters: refers to itself: 1 → 1",
        ]
    );
}
