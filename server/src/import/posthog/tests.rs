//! Flags and cohorts of PostHog, one matter a case.

use crate::import::Source;
use crate::import::tests::imported;
use serde_json::json;

fn one(flag: &str) -> (serde_json::Value, Vec<String>) {
    let (project, notes) = imported(Source::Posthog, &[flag]);
    (project["flags"][0].clone(), notes)
}

#[test]
fn members_are_kept_and_renamed() {
    let (flag, notes) = one(
        r#"[{ id: 3, key: a b, name: "A, b", active: true, archived: false, version: 9, tags: [x], team_id: 4, evaluation_tags: [shop],
              evaluation_runtime: server, experiment_set: [5], bucketing_identifier: device_id, rollout_percentage: 20, created_by: null,
              filters: { groups: [{ properties: [], rollout_percentage: 20.5, variant: null }], payloads: { "true": "{\"n\": 5.0}" } } }]"#,
    );
    assert_eq!(notes, [""; 0]);
    assert_eq!(
        flag,
        json!({"key": "a b", "id": 3, "name": "A, b", "active": true, "archived": false, "evaluation_runtime": "server",
            "bucketing_identifier": "device_id", "has_experiment": true, "evaluation_contexts": ["shop"],
            "filters": {"groups": [{"properties": [], "rollout_percentage": 20.5, "variant": null}], "payloads": {"true": "{\"n\": 5.0}"}}})
    );
}

#[test]
fn older_fields_become_newer_ones() {
    const ENROLLED: &str = "super_groups: [{ properties: [{ key: $feature_enrollment/f, type: person, operator: exact, value: [\"true\"] }] }]";
    const HELD: &str =
        "holdout_groups: [{ properties: [], rollout_percentage: 10, variant: holdout-42 }]";
    let cases = [
        (ENROLLED.to_owned(), json!({"feature_enrollment": true})),
        (
            HELD.to_owned(),
            json!({"holdout": {"id": 42, "exclusion_percentage": 10}}),
        ),
        (
            format!("{HELD}, holdout: null"),
            json!({"holdout": {"id": 42, "exclusion_percentage": 10}}),
        ),
        (
            format!("{ENROLLED}, feature_enrollment: false"),
            json!({"feature_enrollment": false}),
        ),
        (
            "super_groups: null, holdout_groups: []".to_owned(),
            json!({}),
        ),
        ("version: 1".to_owned(), json!({"version": 1})),
    ];
    for (filters, expected) in cases {
        let (flag, notes) = one(&format!(
            "[{{ key: f, active: true, filters: {{ {filters} }} }}]"
        ));
        assert_eq!(flag["filters"], expected, "{filters}: {notes:?}");
        assert_eq!(notes, [""; 0], "{filters}");
    }
}

#[test]
fn what_cannot_be_said_is_left_out() {
    let cases = [
        ("filters: { version: 2 }", "version 2"),
        (
            "filters: { super_groups: [{ properties: [{ key: $feature_enrollment/g, type: person, value: true }] }] }",
            "`super_groups`",
        ),
        (
            "filters: { super_groups: [{ properties: [], rollout_percentage: 100 }] }",
            "`super_groups`",
        ),
        (
            "filters: { holdout_groups: [{ properties: [], rollout_percentage: 10, variant: other }] }",
            "`holdout_groups`",
        ),
        (
            "filters: { holdout_groups: [{ variant: holdout-1 }, { variant: holdout-2 }] }",
            "`holdout_groups`",
        ),
        (
            "filters: { groups: [{ properties: [{ key: a, type: event, value: 1 }] }] }",
            "filters.groups[0].properties[0]",
        ),
        (
            "filters: { groups: [{ aggregation_group_type_index: 0 }] }",
            "there is no group type 0",
        ),
        (
            "filters: { multivariate: { variants: [{ key: a, rollout_percentage: 60 }, { key: b, rollout_percentage: 60 }] } }",
            "more than 100",
        ),
        ("has_encrypted_payloads: true, filters: {}", "encrypted"),
        ("name: nothing", "`filters`"),
    ];
    for (members, reason) in cases {
        let (flag, notes) = one(&format!("[{{ key: f, active: true, {members} }}]"));
        assert!(flag.is_null(), "{members}: {flag}");
        assert_eq!(notes.len(), 1, "{members}: {notes:?}");
        assert!(
            notes[0].starts_with("left out: flag f: ") && notes[0].contains(reason),
            "{members}: {notes:?}"
        );
    }
}

#[test]
fn deleted_things_are_skipped() {
    let (project, notes) = imported(
        Source::Posthog,
        &[
            "[{ key: f, deleted: true, filters: {} }, { id: 1, is_static: true, deleted: true, name: c }]",
        ],
    );
    assert_eq!(
        (&project["flags"], &project["cohorts"]),
        (&json!([]), &json!([]))
    );
    assert_eq!(
        notes,
        [
            "skipped: cohort 1 c: it is deleted",
            "skipped: flag f: it is deleted"
        ]
    );
}

#[test]
fn cohorts_by_kind() {
    let (project, notes) = imported(
        Source::Posthog,
        &[r#"[
{ id: 1, name: fixed, is_static: true, filters: { properties: {} }, groups: [] },
{ id: 2, name: computed, is_static: false, count: 5, groups: [],
  filters: { properties: { type: OR, values: [{ type: AND, values: [{ key: tier, type: person, operator: exact, value: [gold], negation: true }] }] } } },
{ id: 3, name: acted, is_static: false, filters: { properties: { type: OR, values: [{ type: AND, values: [{ key: "$pageview", type: behavioral, value: performed_event }] }] } } },
{ id: 4, name: old, is_static: false, filters: {}, groups: [{ properties: [{ key: a, value: b }] }] },
{ id: 5, name: oldest, is_static: false, groups: [{ action_id: 6, days: 3 }] },
{ key: uses-1, active: true, filters: { groups: [{ properties: [{ key: id, type: cohort, value: 1 }] }] } },
{ key: uses-3, active: true, filters: { groups: [{ properties: [{ key: id, type: cohort, value: 3 }] }] } },
]"#],
    );
    let ids: Vec<_> = project["cohorts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["id"].clone())
        .collect();
    assert_eq!(ids, [1, 2, 4]);
    assert_eq!(
        project["cohorts"][0],
        json!({"id": 1, "name": "fixed", "is_static": true})
    );
    assert_eq!(project["flags"][0]["key"], "uses-1");
    let beginnings = [
        "left out: cohort 3 acted: its members come from events (`behavioral`)",
        "left out: cohort 5 oldest: its members come from events (`action_id`)",
        "left out: flag uses-3: it needs cohort 3",
        "differs: cohort 1 fixed: its members are not in the files",
        "differs: flag uses-1: it needs static cohort 1",
    ];
    assert_eq!(notes.len(), beginnings.len(), "{notes:#?}");
    for (note, beginning) in notes.iter().zip(beginnings) {
        assert!(note.starts_with(beginning), "{note}");
    }
}

#[test]
fn every_way_to_hold_pages() {
    const FLAG: &str = r#"{"key": "f", "active": true, "filters": {"groups": [{}]}}"#;
    for (text, count) in [
        (FLAG.to_owned(), 1),
        (format!("[{FLAG}]"), 1),
        (
            format!(r#"{{"count": 1, "next": null, "results": [{FLAG}]}}"#),
            1,
        ),
        (
            format!(r#"[{{"count": 1, "results": [{FLAG}]}}, {{"count": 0, "results": []}}]"#),
            1,
        ),
        (
            format!(
                r#"{{"feature_flags": [{{"results": [{FLAG}]}}], "cohorts": {{"results": []}}}}"#
            ),
            1,
        ),
        ("[]".to_owned(), 0),
    ] {
        let (project, notes) = imported(Source::Posthog, &[&text]);
        assert_eq!(project["flags"].as_array().unwrap().len(), count, "{text}");
        assert_eq!(notes, [""; 0], "{text}");
    }
    let (_, notes) = imported(
        Source::Posthog,
        &[&format!(r#"{{"count": 3, "results": [{FLAG}]}}"#)],
    );
    assert_eq!(
        notes,
        ["left out: flags: the pages tell of 3 in all, and only 1 are in the files"]
    );
    let (_, notes) = imported(Source::Posthog, &[r#"{"detail": "Not found."}"#]);
    assert_eq!(
        notes,
        ["left out: value at 1:1: neither a flag nor a cohort nor a page of them"]
    );
}

#[test]
fn group_types_make_flags_about_groups() {
    const TYPES: &str = r#"[{"group_type": "company", "group_type_index": 1}, {"group_type": "team", "group_type_index": 0}]"#;
    const FLAG: &str =
        "[{ key: f, active: true, filters: { aggregation_group_type_index: 1, groups: [{}] } }]";
    let (project, notes) = imported(Source::Posthog, &[TYPES, FLAG]);
    assert_eq!(project["group_types"], json!(["team", "company"]));
    assert_eq!(
        (project["flags"][0]["key"].as_str(), notes.len()),
        (Some("f"), 0),
        "{notes:?}"
    );
}
