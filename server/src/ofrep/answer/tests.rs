use super::*;
use burgee_evaluation::definition::{Definitions, FlagDefinition, GroupTypes};
use burgee_evaluation::outcome::{FailureCode, NoMatchDetail};
use burgee_evaluation::{
    CohortSet, Evaluations, MatchingVersion, Moment, Outcome, Selector, Stored, Subject, evaluate,
};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// Instead of a value: the member is not there.
const LEFT_OUT: &str = "left out";

fn compile(stored: &Json) -> Arc<Definitions> {
    let flags: Vec<FlagDefinition> = serde_json::from_str(&stored.to_string()).unwrap();
    let (definitions, dropped) = Definitions::compile(flags, Ok(GroupTypes::default()));
    assert_eq!(dropped, []);
    Arc::new(definitions)
}

/// Evaluates all flags for one person.
fn evaluated(definitions: &Arc<Definitions>, properties: Json) -> Evaluations {
    let subject = Subject {
        distinct_id: "user-1".to_owned(),
        person_properties: properties.as_object().unwrap().clone(),
        ..Subject::default()
    };
    let moment = Moment {
        now: chrono::DateTime::UNIX_EPOCH,
        zone: chrono_tz::UTC,
        matching: MatchingVersion::Default,
    };
    evaluate(
        definitions,
        &CohortSet::default(),
        &definitions.select(&Selector::default()),
        &subject,
        &Stored::NOT_NEEDED,
        &moment,
    )
}

/// Evaluates one flag for a person on the plan `pro`, and returns its answer.
fn answered(mut flag: Json) -> Json {
    let members = flag.as_object_mut().unwrap();
    for (name, value) in [
        ("id", json!(12)),
        ("key", json!("f")),
        ("active", json!(true)),
    ] {
        members.entry(name).or_insert(value);
    }
    let definitions = compile(&json!([flag]));
    let evaluations = evaluated(&definitions, json!({"plan": "pro"}));
    let flag = definitions.report_one(&Selector::default(), &evaluations, "f");
    serde_json::from_slice(&write_one(&flag.unwrap()).unwrap()).unwrap()
}

/// Asserts value, variant, reason and `metadata.payload` of a flag.
#[track_caller]
fn check(fields: Json, filters: Json, expected: (Json, &str, &str, Json)) {
    let mut flag = fields;
    flag.as_object_mut()
        .unwrap()
        .insert("filters".to_owned(), filters);
    let answer = answered(flag.clone());
    let (value, variant, reason, payload) = expected;
    let found = answer.get("value").cloned().unwrap_or(json!(LEFT_OUT));
    assert_eq!(found, value, "{flag}");
    assert_eq!(answer["variant"], variant, "{flag}");
    assert_eq!(answer["reason"], reason, "{flag}");
    let found = answer["metadata"].get("payload").cloned();
    assert_eq!(found.unwrap_or_default(), payload, "{flag}");
}

fn plan(value: &str) -> Json {
    json!({"key": "plan", "type": "person", "operator": "exact", "value": value})
}

/// A multivariate flag with these variants and conditions.
fn variants(shares: &[(&str, u8)], conditions: Json) -> Json {
    let variants: Vec<Json> = shares
        .iter()
        .map(|(key, share)| json!({"key": key, "rollout_percentage": share}))
        .collect();
    json!({"groups": conditions, "multivariate": {"variants": variants}})
}

#[test]
fn boolean_flags() {
    let (yes, no, none) = (json!(true), json!(false), json!(null));
    let pro = || json!([plan("pro")]);
    let nearly_all = 99.999_99;
    for (conditions, value, reason) in [
        (json!([{}]), &yes, "STATIC"),
        (json!([{"properties": pro()}]), &yes, "TARGETING_MATCH"),
        (json!([{"properties": [plan("free")]}]), &no, "UNKNOWN"),
        (json!([{"rollout_percentage": nearly_all}]), &yes, "SPLIT"),
        (json!([{"rollout_percentage": 0}]), &no, "SPLIT"),
        (
            json!([{"properties": pro(), "rollout_percentage": nearly_all}]),
            &yes,
            "SPLIT",
        ),
        (json!([]), &no, "UNKNOWN"),
    ] {
        let variant = value.to_string();
        let expected = (value.clone(), &*variant, reason, none.clone());
        check(json!({}), json!({"groups": conditions}), expected);
    }
    let off = || (no.clone(), "false", "DISABLED", none.clone());
    check(json!({"active": false}), json!({"groups": [{}]}), off());
    check(json!({"archived": true}), json!({"groups": [{}]}), off());
    let payloads = json!({"groups": [{}], "payloads": {"true": "{\"a\": 1}"}});
    let expected = (yes, "true", "STATIC", json!("{\"a\": 1}"));
    check(json!({}), payloads, expected);
}

#[test]
fn multivariate_flags() {
    let halves = [("a", 50), ("b", 50)];
    let none = || json!(null);
    let left_out = || json!(LEFT_OUT);
    let chosen = answered(json!({"filters": variants(&halves, json!([{}]))}));
    let chosen = chosen["value"].as_str().unwrap();
    assert!(["a", "b"].contains(&chosen), "{chosen}");
    let mut with_payloads = variants(&halves, json!([{}]));
    with_payloads["payloads"] = json!({"a": "1", "b": "1"});
    check(
        json!({}),
        with_payloads,
        (json!(chosen), chosen, "SPLIT", json!("1")),
    );
    let one = [("wide", 100)];
    check(
        json!({}),
        variants(&one, json!([{}])),
        (json!("wide"), "wide", "STATIC", none()),
    );
    check(
        json!({}),
        variants(&halves, json!([{"variant": "b"}])),
        (json!("b"), "b", "TARGETING_MATCH", none()),
    );
    check(
        json!({}),
        variants(&halves, json!([{"properties": [plan("free")]}])),
        (left_out(), "false", "UNKNOWN", none()),
    );
    check(
        json!({"active": false}),
        variants(&one, json!([{}])),
        (left_out(), "false", "DISABLED", none()),
    );
    // Shares that leave this person over.
    check(
        json!({}),
        variants(&[("a", 0)], json!([{}])),
        (left_out(), "true", "STATIC", none()),
    );
}

#[test]
fn remote_configuration() {
    let remote = || json!({"is_remote_configuration": true});
    let with = |payload: &str| json!({"groups": [{}], "payloads": {"true": payload}});
    for (payload, value) in [
        ("{\"a\": [1, 2.0]}", json!({"a": [1, 2.0]})),
        ("\"text\"", json!("text")),
        ("[]", json!([])),
        ("7", json!(7)),
        ("false", json!(false)),
    ] {
        let expected = (value, "true", "STATIC", json!(null));
        check(remote(), with(payload), expected);
    }
    // A payload that is no value leaves the flag a boolean one.
    for payload in ["not json", "null", ""] {
        let expected = (json!(true), "true", "STATIC", json!(payload));
        check(remote(), with(payload), expected);
    }
    let expected = (json!(true), "true", "STATIC", json!(null));
    check(remote(), json!({"groups": [{}]}), expected);
    let missed = json!({"groups": [{"properties": [plan("free")]}], "payloads": {"true": "1"}});
    let expected = (json!(LEFT_OUT), "false", "UNKNOWN", json!(null));
    check(remote(), missed, expected);
    let inactive = json!({"is_remote_configuration": true, "active": false});
    let expected = (json!(LEFT_OUT), "false", "DISABLED", json!(null));
    check(inactive, with("1"), expected);
}

#[test]
fn a_holdout_never_turns_a_boolean_flag_into_a_text() {
    let holdout = json!({"id": 7, "exclusion_percentage": 100});
    check(
        json!({}),
        json!({"groups": [{}], "holdout": holdout}),
        (json!(LEFT_OUT), "holdout-7", "SPLIT", json!(null)),
    );
    let mut multivariate = variants(&[("wide", 100)], json!([{}]));
    multivariate["holdout"] = holdout;
    check(
        json!({}),
        multivariate,
        (json!("holdout-7"), "holdout-7", "SPLIT", json!(null)),
    );
}

#[test]
fn an_enrolment_is_a_match_and_opting_out_is_not() {
    let definitions = compile(
        &json!([{"id": 1, "key": "f", "active": true, "filters": {"feature_enrollment": true,
            "groups": [{"rollout_percentage": 0}], "payloads": {"true": "1"}}}]),
    );
    for (enrolled, value, reason, payload) in [
        ("true", true, "TARGETING_MATCH", json!("1")),
        ("false", false, "UNKNOWN", json!(null)),
    ] {
        let evaluations = evaluated(&definitions, json!({"$feature_enrollment/f": enrolled}));
        let flag = evaluations.get("f").unwrap();
        let answer: Json = serde_json::from_slice(&write_one(&flag).unwrap()).unwrap();
        assert_eq!(answer["value"], value, "{enrolled}");
        assert_eq!(answer["reason"], reason, "{enrolled}");
        let found = answer["metadata"].get("payload").cloned();
        assert_eq!(found.unwrap_or_default(), payload, "{enrolled}");
    }
}

#[test]
fn one_flag_is_written_as_documented() {
    let mut filters = variants(
        &[("wide", 100)],
        json!([{"rollout_percentage": 0}, {"rollout_percentage": 99.999_99}]),
    );
    filters["payloads"] = json!({"wide": "{\"columns\": 2}"});
    let expected = json!({"key": "f", "value": "wide", "variant": "wide", "reason": "SPLIT", "metadata": {
        "flagId": 12, "version": 4, "posthogReason": "condition_match", "conditionIndex": 1,
        "payload": "{\"columns\": 2}"}});
    assert_eq!(
        answered(json!({"version": 4, "filters": filters})),
        expected
    );
}

#[test]
fn all_flags_are_written_with_those_that_failed() {
    let on = json!({"groups": [{}]});
    let definitions = compile(&json!([
        {"id": 1, "key": "b", "active": true, "version": 2, "filters": on},
        {"id": 2, "key": "a", "active": false, "filters": on},
        {"id": 3, "key": "c", "active": true, "filters": on},
        {"id": 4, "key": "d", "active": true, "filters": on},
        {"id": 5, "key": "deleted", "active": true, "deleted": true, "filters": on},
    ]));
    let outcome = |value, reason| Outcome {
        value,
        reason,
        condition_index: None,
    };
    let no_match = Reason::NoConditionMatch(NoMatchDetail::Plain);
    let failed = Reason::Failed(FailureCode::DatabaseUnavailable);
    let answers = vec![
        (1, outcome(FlagValue::On, no_match)),
        (3, outcome(FlagValue::Off, failed)),
    ];
    let evaluations = Evaluations::new(&definitions, answers, true);
    let stream = EventStream {
        r#type: "sse",
        url: None,
        endpoint: Some(Endpoint {
            request_uri: "/x?token=t".to_owned(),
        }),
        inactivity_delay_seconds: 120,
    };
    let mut expected = json!({"flags": [
        {"key": "a", "value": false, "variant": "false", "reason": "DISABLED",
         "metadata": {"flagId": 2, "version": 0, "posthogReason": "flag_disabled"}},
        {"key": "b", "value": true, "variant": "true", "reason": "UNKNOWN",
         "metadata": {"flagId": 1, "version": 2, "posthogReason": "no_condition_match"}},
        {"key": "c", "errorCode": "GENERAL", "errorDetails": "A flag it depends on could not be evaluated"},
        {"key": "d", "errorCode": "GENERAL", "errorDetails": "Database unavailable"},
    ], "metadata": {"project": "1", "version": "8f2c0d"}});
    for with_stream in [false, true] {
        let selector = Selector::default();
        let flags = definitions.report(&selector, &evaluations);
        let set = FlagSet {
            project: "1",
            version: "8f2c0d",
        };
        let stream = with_stream.then_some(&stream);
        let written = write_all(flags, definitions.len(), set, stream).unwrap();
        let written: Json = serde_json::from_slice(&written).unwrap();
        assert_eq!(written, expected);
        expected["eventStreams"] = json!([
            {"type": "sse", "endpoint": {"requestUri": "/x?token=t"}, "inactivityDelaySec": 120}]);
    }
}
