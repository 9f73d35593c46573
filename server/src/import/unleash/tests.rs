//! Exports of Unleash, one matter a case. What whole exports become is tested over HTTP.

use crate::import::Source;
use crate::import::tests::{imported, options};
use serde_json::{Value, json};

/// Imports a flag with these strategies.
fn strategies(strategies: &str) -> (Value, Vec<String>) {
    let file = format!(
        r#"{{"features": [{{"name": "f"}}], "featureEnvironments": [{{"featureName": "f", "environment": "live", "enabled": true, "variants": []}}],
             "featureStrategies": [{strategies}]}}"#
    );
    imported(Source::Unleash, &[&file])
}

fn strategy(members: &str) -> (Value, Vec<String>) {
    strategies(&format!(r#"{{"featureName": "f", {members}}}"#))
}

fn constraint(members: &str) -> (Value, Vec<String>) {
    strategy(&format!(
        r#""name": "default", "constraints": [{{{members}}}]"#
    ))
}

#[test]
fn constraints_are_filters() {
    let cases = [
        (
            r#""contextName": "c", "operator": "IN", "values": ["1", "2"]"#,
            json!(["c", "exact", ["1", "2"]]),
        ),
        (
            r#""contextName": "userId", "operator": "NOT_IN", "values": ["Ada"]"#,
            json!(["distinct_id", "not_regex", "^Ada$"]),
        ),
        (
            r#""contextName": "c", "operator": "IN", "caseInsensitive": true, "values": ["Ada"]"#,
            json!(["c", "exact", "Ada"]),
        ),
        (
            r#""contextName": "c", "operator": "STR_CONTAINS", "values": ["a", "B"], "inverted": true"#,
            json!(["c", "not_regex", "(?:a|B)"]),
        ),
        (
            r#""contextName": "c", "operator": "NUM_GTE", "value": "5.5""#,
            json!(["c", "gte", 5.5]),
        ),
        (
            r#""contextName": "c", "operator": "NUM_EQ", "value": "5", "inverted": true"#,
            json!(["c", "not_between", [5, 5]]),
        ),
        (
            r#""contextName": "c", "operator": "REGEX", "value": "^a.b$""#,
            json!(["c", "regex", "^a.b$"]),
        ),
        (
            r#""contextName": "c", "operator": "IN_CIDR", "values": ["no", "10.0.0.1"]"#,
            json!(["c", "regex", r"^10\.0\.0\.1$"]),
        ),
    ];
    for (members, expected) in cases {
        let (project, notes) = constraint(members);
        assert_eq!(notes, [""; 0], "{members}");
        let filter = &project["flags"][0]["filters"]["groups"][0]["properties"][0];
        let found = json!([filter["key"], filter["operator"], filter["value"]]);
        assert_eq!(found, expected, "{members}");
    }
}

#[test]
fn what_cannot_be_said_is_left_out_with_its_path() {
    let cases = [
        (
            r#""contextName": "c", "operator": "NEAR", "values": ["x"]"#,
            "featureStrategies[0].constraints[0]: the operator `NEAR`",
        ),
        (
            r#""contextName": "c", "operator": "NUM_EQ", "value": "five""#,
            "constraints[0]: its `value` is no number",
        ),
        (
            r#""contextName": "c", "operator": "SEMVER_EQ", "value": "v1""#,
            "`v1` is no version",
        ),
        (
            r#""contextName": "c", "operator": "DATE_AFTER", "value": "soon""#,
            "`soon` is no date",
        ),
        (
            r#""contextName": "c", "operator": "REGEX", "value": "(""#,
            "filters.groups[0].properties[0]",
        ),
        (
            r#""contextName": "c", "operator": "IN_CIDR", "values": ["2001:db8::/32"]"#,
            "many ways",
        ),
        (
            r#""contextName": "currentTime", "operator": "DATE_AFTER", "value": "2100-01-01T00:00:00Z""#,
            "is to come",
        ),
        (
            r#""contextName": "currentTime", "operator": "IN", "values": ["x"]"#,
            "of `currentTime`",
        ),
    ];
    for (members, reason) in cases {
        let (project, notes) = constraint(members);
        assert_eq!(project["flags"], json!([]), "{members}");
        let told = notes
            .iter()
            .any(|note| note.starts_with("left out: flag f: ") && note.contains(reason));
        assert!(told, "{members}: {notes:?}");
    }
    let cases = [
        (
            r#""name": "flexibleRollout", "parameters": {"rollout": "some"}"#,
            "parameters.rollout: no whole number",
        ),
        (
            r#""name": "flexibleRollout", "parameters": {"rollout": "50", "stickiness": "random"}"#,
            "draws anew",
        ),
        (
            r#""name": "default", "variants": [{"name": "a", "weight": 1, "stickiness": "shop"}, {"name": "b", "weight": 1}]"#,
            "variants hash `shop`",
        ),
        (
            r#""name": "default", "segments": [4]"#,
            "segment 4 is not in the files",
        ),
    ];
    for (members, reason) in cases {
        let (project, notes) = strategy(members);
        assert_eq!(project["flags"], json!([]), "{members}");
        assert!(notes[0].contains(reason), "{members}: {notes:?}");
    }
}

#[test]
fn rollouts_of_all_or_none_hash_nothing() {
    let rollout = |stickiness: &str, rollout: &str| {
        let (project, notes) = strategy(&format!(
            r#""name": "flexibleRollout", "parameters": {{"rollout": "{rollout}", "stickiness": "{stickiness}"}}"#
        ));
        assert_eq!(notes, [""; 0]);
        project["flags"][0]["filters"]["groups"].clone()
    };
    let everybody = json!([{"properties": [], "rollout_percentage": 100}]);
    assert_eq!(rollout("random", "100"), everybody);
    assert_eq!(rollout("default", "100"), everybody);
    assert_eq!(rollout("random", "0"), json!([]));
    let shop = json!([{"properties": [{"key": "shop", "type": "person", "operator": "is_set"}], "rollout_percentage": 100}]);
    assert_eq!(rollout("shop", "100"), shop);
}

#[test]
fn strategies_with_and_without_variants() {
    let (project, notes) = strategies(
        r#"{"featureName": "f", "name": "default", "sortOrder": 2},
           {"featureName": "f", "name": "flexibleRollout", "sortOrder": 1, "parameters": {"rollout": 50},
            "variants": [{"name": "a", "weight": 500, "payload": {"type": "number", "value": "x"}}, {"name": "b", "weight": 500}]}"#,
    );
    assert_eq!(notes.len(), 1, "{notes:?}");
    let filters = &project["flags"][0]["filters"];
    assert_eq!(
        filters["groups"],
        json!([
            {"properties": [], "rollout_percentage": 25, "variant": "a"},
            {"properties": [], "rollout_percentage": 50, "variant": "b"},
            {"properties": [], "rollout_percentage": 100},
        ])
    );
    assert_eq!(filters["payloads"], json!({"a": "\"x\""}));
}

#[test]
fn the_oldest_export_has_all_in_its_features() {
    let (project, notes) = imported(
        Source::Unleash,
        &[
            r#"{"version": 1, "features": [{"name": "f", "enabled": true, "description": "F", "strategies": [{"name": "userWithId", "parameters": {"userIds": "1,2"}}]}]}"#,
        ],
    );
    assert_eq!(notes, [""; 0]);
    let flag = &project["flags"][0];
    assert_eq!(
        (&flag["name"], &flag["active"]),
        (&json!("F"), &json!(true))
    );
    let filter = &flag["filters"]["groups"][0]["properties"][0];
    assert_eq!(filter["value"], json!(["1", "2"]));
    let (_, notes) = imported(Source::Unleash, &["{}"]);
    assert_eq!(
        notes,
        ["left out: value at 1:1: neither `features` nor `segments` in it"]
    );
}

#[test]
fn a_flag_that_needs_one_left_out_is_left_out() {
    let file = r#"{"features": [{"name": "child"}, {"name": "parent"}],
        "featureEnvironments": [{"featureName": "child", "environment": "live", "enabled": true}, {"featureName": "parent", "environment": "live", "enabled": true}],
        "featureStrategies": [{"featureName": "parent", "name": "own"}],
        "dependencies": [{"feature": "child", "dependencies": [{"feature": "parent"}]}]}"#;
    let (project, notes) = imported(Source::Unleash, &[file]);
    assert_eq!(project["flags"], json!([]));
    assert_eq!(
        notes[0],
        "left out: flag child: dependencies: it needs flag parent, which is left out"
    );
    let mut options = options(Source::Unleash);
    options.environment = Some("test".to_owned());
    let tree = crate::project_file::parse("t.json", file).unwrap();
    let problems = crate::import::import(&[tree], &options).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "import: --environment: `test` is not in the files, which have: live"
    );
}
