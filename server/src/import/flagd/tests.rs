//! Flags of flagd, one matter a case.

use crate::import::Source;
use crate::import::tests::imported;
use serde_json::{Value, json};

const SWITCH: &str =
    r#""state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off""#;

fn one(members: &str) -> (Value, Vec<String>) {
    let file = format!(
        r#"{{"flags": {{"f": {{{members}}}}}, "$evaluators": {{"staff": {{"ends_with": [{{"var": "email"}}, "@1.test"]}}, "loop": {{"$ref": "loop"}}}}}}"#
    );
    let (project, notes) = imported(Source::Flagd, &[&file]);
    assert_eq!(project["property_matching_version"], 2);
    (project, notes)
}

fn switch(targeting: &str) -> (Value, Vec<String>) {
    one(&format!(r#"{SWITCH}, "targeting": {targeting}"#))
}

/// Returns the conditions as texts: `key operator value` joined, then the rollout and the variant.
fn conditions(project: &Value) -> Vec<String> {
    let groups = project["flags"][0]["filters"]["groups"].as_array();
    let filter = |p: &Value| {
        format!(
            "{} {} {}",
            p["key"].as_str().unwrap(),
            p["operator"].as_str().unwrap(),
            p["value"]
        )
    };
    let line = |group: &Value| {
        let filters: Vec<String> = group["properties"]
            .as_array()
            .unwrap()
            .iter()
            .map(filter)
            .collect();
        let variant = group
            .get("variant")
            .map_or(String::new(), |v| format!(" {}", v.as_str().unwrap()));
        format!(
            "{} {}%{variant}",
            filters.join(" & "),
            group["rollout_percentage"]
        )
        .trim()
        .to_owned()
    };
    groups.map_or(Vec::new(), |groups| groups.iter().map(line).collect())
}

/// Returns a comparison as the condition under which the switch is on.
fn when(condition: &str) -> String {
    format!(r#"{{"if": [{condition}, "on"]}}"#)
}

#[test]
fn conditions_of_a_switch() {
    let cases: [(&str, &[&str]); 17] = [
        (r#"{"==": [{"var": "n"}, 5]}"#, &["n between [5,5] 100%"]),
        (
            r#"{"!=": [{"var": "n"}, 5]}"#,
            &["n not_between [5,5] 100%"],
        ),
        (
            r#"{"==": ["x-7", {"var": ["id"]}]}"#,
            &["id regex \"^x-7$\" 100%"],
        ),
        (
            r#"{"!=": [{"var": "id"}, "Pro"]}"#,
            &["id not_regex \"^Pro$\" 100%"],
        ),
        (
            r#"{"in": [{"var": "targetingKey"}, ["1", "2"]]}"#,
            &["distinct_id exact [\"1\",\"2\"] 100%"],
        ),
        (
            r#"{"!": {"in": [{"var": "targetingKey"}, ["1", "2"]]}}"#,
            &["distinct_id is_not [\"1\",\"2\"] 100%"],
        ),
        (r#"{">": [{"var": "n"}, 5]}"#, &["n gt 5 100%"]),
        (r#"{">": [-5, {"var": "n"}]}"#, &["n lt -5 100%"]),
        (
            r#"{"<": [1, {"var": "n"}, 1e3]}"#,
            &["n gt 1 & n lt 1000.0 100%"],
        ),
        (
            r#"{"!": [{">": [{"var": "n"}, 5]}]}"#,
            &["n lte 5 100%", "n not_between [\"-inf\",\"inf\"] 100%"],
        ),
        (
            r#"{"starts_with": [{"var": "id"}, "a.b"]}"#,
            &["id regex \"^a\\\\.b\" 100%"],
        ),
        (
            r#"{"$ref": "staff"}"#,
            &["email regex \"@1\\\\.test$\" 100%"],
        ),
        (
            r#"{"or": [{"==": [{"var": "n"}, 7]}, {"and": [{">": [{"var": "n"}, 5]}, {">": [{"var": "m"}, 5]}]}]}"#,
            &["n between [7,7] 100%", "n gt 5 & m gt 5 100%"],
        ),
        ("true", &["100%"]),
        ("false", &[]),
        (r#"{"or": [false, null]}"#, &[]),
        (
            r#"{"if": [{"==": [{"var": "n"}, 5]}, true, false]}"#,
            &["n between [5,5] 100%"],
        ),
    ];
    for (condition, expected) in cases {
        // Ordered by 1 and 5 alone is what also holds for what is no number; the others tell nothing.
        let (project, notes) = switch(&when(condition));
        assert_eq!(conditions(&project), expected, "{condition}");
        let told = notes
            .iter()
            .filter(|note| !note.contains("do not count as 0 or 1"));
        assert_eq!(told.count(), 0, "{condition}: {notes:?}");
    }
    let (project, notes) = switch("{}");
    assert_eq!((conditions(&project).len(), notes.len()), (0, 0));
}

#[test]
fn off_is_taken_out_of_what_comes_after() {
    let (project, notes) = switch(
        r#"{"if": [{"==": [{"var": "n"}, 5]}, "off", {"==": [{"var": "n"}, 7]}, "on", "on"]}"#,
    );
    assert_eq!(
        conditions(&project),
        [
            "n between [7,7] & n not_between [5,5] 100%",
            "n not_between [5,5] 100%"
        ]
    );
    assert_eq!(notes, [""; 0]);
}

#[test]
fn differences_are_told() {
    let cases = [
        (
            r#"{"==": [{"var": "n"}, "5"]}"#,
            "if it is written exactly so",
        ),
        (
            r#"{"===": [{"var": "n"}, 5]}"#,
            "the text of the number counts",
        ),
        (
            r#"{"==": [{"var": "n"}, 0]}"#,
            "blank texts do not count as 1 and 0",
        ),
        (r#"{"==": [{"var": "n"}, true]}"#, "numbers do not"),
        (
            r#"{"==": [{"var": "n"}, null]}"#,
            "the text `null` counts as null",
        ),
        (r#"{"<": [{"var": "n"}, 5]}"#, "do not count as 0 or 1"),
        (r#"{"var": "beta"}"#, "count as what they say"),
        (r#"{"in": ["x", {"var": "ids"}]}"#, "lists in lists"),
        (
            r#"{"starts_with": [{"var": "id"}, "5"]}"#,
            "by their JSON text",
        ),
        (
            r#"{"sem_ver": [{"var": "v"}, "=", "1.2.3"]}"#,
            "leading zeros",
        ),
    ];
    for (condition, difference) in cases {
        let (project, notes) = switch(&when(condition));
        let flags = project["flags"].as_array().unwrap().len();
        assert_eq!((flags, notes.len()), (1, 1), "{condition}: {notes:?}");
        assert!(
            notes[0].starts_with("differs: flag f: ") && notes[0].contains(difference),
            "{condition}: {notes:?}"
        );
    }
}

#[test]
fn what_cannot_be_said_is_left_out_with_its_path() {
    let cases = [
        (
            when(r#"{"==": [{"var": "a"}, {"var": "b"}]}"#),
            "targeting.if[0].==: it compares",
        ),
        (
            when(r#"{"or": [true, {"==": [{"%": [{"var": "a"}, 2]}, 0]}]}"#),
            "targeting.if[0].or[1].==: it compares",
        ),
        (
            when(r#"{"cat": ["a"]}"#),
            "targeting.if[0].cat: it has no counterpart",
        ),
        (
            when(r#"{"==": [{"var": "a.b"}, 1]}"#),
            "inside another value",
        ),
        (
            when(r#"{"==": [{"var": "groups"}, 1]}"#),
            "`groups` is no property here",
        ),
        (
            when(r#"{">": [{"var": "$flagd.timestamp"}, 1]}"#),
            "targeting.if[0].>: `$flagd.timestamp`",
        ),
        (when(r#"{"<": [{"var": "a"}, "b"]}"#), "orders by a text"),
        (
            when(r#"{"in": [{"var": "a"}, "abc"]}"#),
            "inside a constant",
        ),
        (when(r#"{"==": [{"var": ["a", 1]}, 1]}"#), "default"),
        (
            when(r#"{"$ref": "nobody"}"#),
            "targeting.if[0]: there is no evaluator `nobody`",
        ),
        (when(r#"{"$ref": "loop"}"#), "too deep"),
        (
            when(r#"{"sem_ver": [{"var": "v"}, "=", "one"]}"#),
            "targeting.if[0].sem_ver: its operator",
        ),
        (r#"{"if": [true, "up"]}"#.to_owned(), "no variant `up`"),
        (
            r#"{"==": [{"var": "n"}, 7]}"#.to_owned(),
            "no variant `true`",
        ),
        (r#"{"var": "n"}"#.to_owned(), "targeting: `var` computes"),
        (
            r#"{"fractional": [{"var": "email"}, ["on", 1], ["off", 1]]}"#.to_owned(),
            "targeting.fractional: it hashes",
        ),
        (
            r#"{"fractional": [["on", 1], ["off", 1.5]]}"#.to_owned(),
            "targeting.fractional[1]: ",
        ),
        (
            r#"{"fractional": [["on", 0], ["off", 0]]}"#.to_owned(),
            "weights are 0",
        ),
        (
            r#"{"fractional": [["on", 1]]}"#.to_owned(),
            "fewer than two",
        ),
    ];
    for (targeting, reason) in cases {
        let (project, notes) = switch(&targeting);
        assert_eq!(project["flags"], json!([]), "{targeting}");
        assert_eq!(project["cohorts"], json!([]), "{targeting}");
        assert_eq!(notes.len(), 1, "{targeting}: {notes:?}");
        assert!(
            notes[0].starts_with("left out: flag f: ") && notes[0].contains(reason),
            "{targeting}: {notes:?}"
        );
    }
}

#[test]
fn splits() {
    let (project, _) = switch(
        r#"{"if": [{"==": [{"var": "n"}, 5]}, {"fractional": [{"cat": [{"var": "$flagd.flagKey"}, {"var": "targetingKey"}]}, ["on", 1], ["off", 3]]}, "on"]}"#,
    );
    assert_eq!(
        conditions(&project),
        ["n between [5,5] 25%", "n not_between [5,5] 100%"]
    );
    const TEXTS: &str = r#""state": "ENABLED", "variants": {"a": "red", "b": "blue", "c": "green"}, "defaultVariant": "c""#;
    let (project, _) = one(&format!(
        r#"{TEXTS}, "targeting": {{"if": [{{"==": [{{"var": "n"}}, 5]}}, "b", {{"fractional": [["a", 1], ["b"]]}}]}}"#
    ));
    assert_eq!(conditions(&project), ["n between [5,5] 100% blue", "100%"]);
    let shares = json!([{"key": "red", "rollout_percentage": 50}, {"key": "blue", "rollout_percentage": 50}, {"key": "green", "rollout_percentage": 0}]);
    assert_eq!(
        project["flags"][0]["filters"]["multivariate"]["variants"],
        shares
    );
}

#[test]
fn kinds_of_values() {
    let (project, notes) = one(
        r#""state": "DISABLED", "variants": {"s": {"w": 1.0}, "l": {"w": 2}}, "defaultVariant": "l""#,
    );
    assert_eq!(notes, [""; 0]);
    let flag = &project["flags"][0];
    assert_eq!(
        (&flag["active"], &flag["is_remote_configuration"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(
        flag["filters"]["payloads"],
        json!({"s": "{\"w\":1.0}", "l": "{\"w\":2}"})
    );
    assert_eq!(conditions(&project), ["100% l"]);
    let (project, notes) =
        one(r#""state": "ENABLED", "variants": {"on": true}, "defaultVariant": null"#);
    assert_eq!(conditions(&project), [""; 0]);
    assert!(notes[0].contains("no variant is served"), "{notes:?}");
    let (_, notes) = one(r#""state": "ON", "variants": {}"#);
    assert!(
        notes[0].contains("state: neither ENABLED nor DISABLED"),
        "{notes:?}"
    );
}

#[test]
fn a_negation_without_an_operator_becomes_a_cohort() {
    let older = r#"{"!": [{"sem_ver": [{"var": "v"}, "<", "2.0.0"]}]}"#;
    let (project, notes) = switch(&when(older));
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert_eq!(conditions(&project), ["id in 900 100%"]);
    assert_eq!(project["cohorts"][0]["id"], 900);
}

#[test]
fn flags_may_be_a_list() {
    let (project, _) = imported(
        Source::Flagd,
        &[&format!(r#"{{"flags": [{{"key": "g", {SWITCH}}}]}}"#)],
    );
    assert_eq!(project["flags"][0]["key"], "g");
    let (_, notes) = imported(Source::Flagd, &["{}"]);
    assert_eq!(notes, ["left out: value at 1:1: no `flags` in it"]);
}
