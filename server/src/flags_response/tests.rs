mod reference;

use super::*;
use crate::remote_config::RemoteConfigSettings;
use burgee_evaluation::definition::{Definitions, FlagDefinition, GroupTypes};
use burgee_evaluation::outcome::{FailureCode, FlagValue, NoMatchDetail, Reason};
use burgee_evaluation::{
    CohortSet, MatchingVersion, Moment, Outcome, Selector, Stored, Subject, evaluate,
};
use serde_json::{Value, json};
use std::sync::Arc;

const ID: &str = "3f0e8a52-5e0b-4f0e-9d39-0f3a2f6f0b11";

fn envelope() -> Envelope<'static> {
    Envelope {
        errors_while_computing: false,
        request_id: ID.parse().unwrap(),
        evaluated_at: 1_795_300_000_000,
        config: None,
    }
}

/// Definitions of four flags, in the order of their keys.
fn definitions() -> Arc<Definitions> {
    compile(&json!([
        {"id": 12, "key": "checkout-v2", "version": 4, "filters": {
            "multivariate": {"variants": [{"key": "wide", "rollout_percentage": 100}]},
            "payloads": {"wide": "{\"columns\": 2}"}}},
        {"id": 13, "key": "dark-mode", "version": 1, "has_experiment": true, "filters": {}},
        {"id": 14, "key": "failed", "has_experiment": true, "filters": {}},
        {"id": 15, "key": "plain", "version": 1, "has_experiment": true, "filters": {"payloads": {"true": "3"}}},
    ]))
}

fn compile(stored: &Value) -> Arc<Definitions> {
    let flags: Vec<FlagDefinition> = serde_json::from_str(&stored.to_string()).unwrap();
    let (definitions, dropped) = Definitions::compile(flags, Ok(GroupTypes::default()));
    assert_eq!(dropped, []);
    Arc::new(definitions)
}

fn outcome(value: FlagValue, reason: Reason, condition_index: Option<usize>) -> Outcome {
    Outcome {
        value,
        reason,
        condition_index,
    }
}

fn four_answers() -> Evaluations {
    let no_match = Reason::NoConditionMatch(NoMatchDetail::Plain);
    let answers = [
        outcome(FlagValue::Variant(0), Reason::ConditionMatch, Some(1)),
        outcome(FlagValue::Off, no_match, Some(0)),
        outcome(FlagValue::Off, Reason::Failed(FailureCode::Timeout), None),
        outcome(FlagValue::On, Reason::ConditionMatch, Some(0)),
    ];
    Evaluations::new(&definitions(), (0..).zip(answers).collect(), true)
}

fn written(shape: Shape, envelope: &Envelope<'_>) -> String {
    String::from_utf8(render(shape, envelope, &four_answers()).unwrap()).unwrap()
}

/// The text of a JSON written over several lines for people: without line breaks and indentation.
fn joined(text: &str) -> String {
    text.lines().map(str::trim_start).collect()
}

#[test]
fn v1_has_values_and_payloads() {
    let expected = joined(
        r#"{"errorsWhileComputingFlags":false,
        "featureFlags":{"checkout-v2":"wide","dark-mode":false,"failed":false,"plain":true},
        "featureFlagPayloads":{"checkout-v2":"{\"columns\": 2}","plain":"3"},
        "requestId":"3f0e8a52-5e0b-4f0e-9d39-0f3a2f6f0b11","evaluatedAt":1795300000000}"#,
    );
    assert_eq!(written(Shape::V1, &envelope()), expected);
}

#[test]
fn v2_has_a_record_a_flag() {
    let expected = joined(
        r#"{"errorsWhileComputingFlags":true,"flags":{
        "checkout-v2":{"key":"checkout-v2","enabled":true,"variant":"wide",
        "reason":{"code":"condition_match","condition_index":1,"description":"Matched condition set 2"},
        "metadata":{"id":12,"version":4,"description":null,"payload":"{\"columns\": 2}","has_experiment":false}},
        "dark-mode":{"key":"dark-mode","enabled":false,"variant":null,
        "reason":{"code":"no_condition_match","condition_index":0,"description":"No matching condition set"},
        "metadata":{"id":13,"version":1,"description":null,"payload":null,"has_experiment":true}},
        "failed":{"key":"failed","enabled":false,"variant":null,"failed":true,
        "reason":{"code":"timeout","condition_index":null,"description":"Timeout: request"},
        "metadata":{"id":14,"version":0,"description":null,"payload":null,"has_experiment":true}},
        "plain":{"key":"plain","enabled":true,"variant":null,
        "reason":{"code":"condition_match","condition_index":0,"description":"Matched condition set 1"},
        "metadata":{"id":15,"version":1,"description":null,"payload":"3","has_experiment":true}}
        },"requestId":"3f0e8a52-5e0b-4f0e-9d39-0f3a2f6f0b11","evaluatedAt":1795300000000}"#,
    );
    let envelope = Envelope {
        errors_while_computing: true,
        ..envelope()
    };
    assert_eq!(written(Shape::V2, &envelope), expected);
}

#[test]
fn v4_adds_typed_values_to_v2() {
    let envelope = envelope();
    let mut typed: Value = serde_json::from_str(&written(Shape::V4, &envelope)).unwrap();
    let plain: Value = serde_json::from_str(&written(Shape::V2, &envelope)).unwrap();
    for (key, value, variant_key) in [
        ("checkout-v2", json!("wide"), Some(json!("wide"))),
        ("dark-mode", json!(false), None),
        ("failed", json!(null), None),
        ("plain", json!(true), None),
    ] {
        let record = typed["flags"][key].as_object_mut().unwrap();
        assert_eq!(record.remove("value"), Some(value), "{key}");
        let metadata = record["metadata"].as_object_mut().unwrap();
        assert_eq!(metadata.remove("config_version"), Some(json!(1)), "{key}");
        assert_eq!(metadata.remove("variant_key"), variant_key, "{key}");
    }
    assert_eq!(typed, plain);
}

#[test]
fn decide_lists_only_what_is_on() {
    let d1 = r#"{"featureFlags":["checkout-v2","plain"],
        "requestId":"3f0e8a52-5e0b-4f0e-9d39-0f3a2f6f0b11","evaluatedAt":1795300000000}"#;
    let d2 = r#"{"featureFlags":{"checkout-v2":"wide","plain":true},
        "requestId":"3f0e8a52-5e0b-4f0e-9d39-0f3a2f6f0b11","evaluatedAt":1795300000000}"#;
    assert_eq!(written(Shape::D1, &envelope()), joined(d1));
    assert_eq!(written(Shape::D2, &envelope()), joined(d2));
}

#[test]
fn config_members_stand_beside_the_flags_in_every_shape() {
    let config = RemoteConfig::new("phc_local_dev", RemoteConfigSettings::default());
    let members = serde_json::to_value(config).unwrap();
    for shape in [Shape::V1, Shape::V2, Shape::V4, Shape::D1, Shape::D2] {
        let with = Envelope {
            config: Some(config),
            ..envelope()
        };
        let mut expected: Value = serde_json::from_str(&written(shape, &envelope())).unwrap();
        let members = members.as_object().unwrap().clone();
        expected.as_object_mut().unwrap().extend(members);
        let written: Value = serde_json::from_str(&written(shape, &with)).unwrap();
        assert_eq!(written, expected, "{shape:?}");
    }
}

#[test]
fn the_minimal_answer_has_no_flags_in_the_shape_asked_for() {
    let rest = r#""requestId":"3f0e8a52-5e0b-4f0e-9d39-0f3a2f6f0b11","evaluatedAt":1795300000000,
        "supportedCompression":["gzip","gzip-js"],"config":{"enable_collect_everything":true},
        "toolbarParams":{},"isAuthenticated":false,"sessionRecording":false}"#;
    for (shape, start) in [
        (
            Shape::V1,
            r#"{"errorsWhileComputingFlags":false,"featureFlags":{},"featureFlagPayloads":{},"#,
        ),
        (
            Shape::V2,
            r#"{"errorsWhileComputingFlags":false,"flags":{},"#,
        ),
        (
            Shape::V4,
            r#"{"errorsWhileComputingFlags":false,"flags":{},"#,
        ),
        (Shape::D1, r#"{"featureFlags":[],"#),
        (Shape::D2, r#"{"featureFlags":{},"#),
    ] {
        let written = render_minimal(shape, &envelope()).unwrap();
        let expected = joined(&format!("{start}{rest}"));
        assert_eq!(String::from_utf8(written).unwrap(), expected, "{shape:?}");
    }
}

/// From stored definitions to the wire: what the records take from the core.
#[test]
fn evaluated_flags_become_records() {
    let stored = json!([
        {"id": 2, "key": "off", "version": 7, "active": true, "has_experiment": true,
         "filters": {"groups": [{"properties": [], "rollout_percentage": 0}]}},
        {"id": 1, "key": "multi", "active": true,
         "filters": {"groups": [{"properties": [], "rollout_percentage": 100, "variant": "b"}],
             "multivariate": {"variants": [
                 {"key": "a", "rollout_percentage": 50}, {"key": "b", "rollout_percentage": 50}]},
             "payloads": {"b": "{\"n\":  1}"}}},
    ]);
    let definitions = compile(&stored);
    let moment = Moment {
        now: chrono::DateTime::UNIX_EPOCH,
        zone: chrono_tz::UTC,
        matching: MatchingVersion::Default,
    };
    let subject = Subject {
        distinct_id: "u".into(),
        ..Subject::default()
    };
    let selection = definitions.select(&Selector::default());
    let evaluations = evaluate(
        &definitions,
        &CohortSet::default(),
        &selection,
        &subject,
        &Stored::NOT_NEEDED,
        &moment,
    );
    let written = render(Shape::V4, &envelope(), &evaluations).unwrap();
    let written: Value = serde_json::from_slice(&written).unwrap();
    let keys: Vec<_> = written["flags"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["multi", "off"]);
    let expected = json!({
        "key": "multi", "value": "b", "enabled": true, "variant": "b",
        "reason": {"code": "condition_match", "condition_index": 0, "description": "Matched condition set 1"},
        "metadata": {"id": 1, "version": 0, "description": null, "payload": "{\"n\":  1}",
            "has_experiment": false, "config_version": 1, "variant_key": "b"},
    });
    assert_eq!(written["flags"]["multi"], expected);
    let expected = json!({
        "key": "off", "value": false, "enabled": false, "variant": null,
        "reason": {"code": "out_of_rollout_bound", "condition_index": 0, "description": "Out of rollout bound"},
        "metadata": {"id": 2, "version": 7, "description": null, "payload": null,
            "has_experiment": true, "config_version": 1},
    });
    assert_eq!(written["flags"]["off"], expected);
}
