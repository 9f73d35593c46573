//! The records of shapes 2 and 4 once more, each as one structure that is written in one go: slow, and easy to proofread.

use super::{Evaluations, Outcome, Shape, compile, envelope, render};
use burgee_evaluation::Evaluation;
use burgee_evaluation::outcome::{FailureCode, FlagValue, NoMatchDetail, Reason};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireAnswer<'a> {
    errors_while_computing_flags: bool,
    flags: BTreeMap<&'a str, WireRecord<'a>>,
    request_id: String,
    evaluated_at: i64,
}

#[derive(Serialize)]
struct WireRecord<'a> {
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
    enabled: bool,
    variant: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    failed: bool,
    reason: WireReason,
    metadata: WireMetadata<'a>,
}

#[derive(Serialize)]
struct WireReason {
    code: &'static str,
    condition_index: Option<usize>,
    description: String,
}

#[derive(Serialize)]
struct WireMetadata<'a> {
    id: i32,
    version: i64,
    description: Option<&'a str>,
    payload: Option<&'a str>,
    has_experiment: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    config_version: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant_key: Option<&'a str>,
}

fn record(answer: Evaluation<'_>, typed: bool) -> WireRecord<'_> {
    let variant = answer.variant();
    let value = match variant {
        _ if answer.failed() => Value::Null,
        Some(variant) => json!(variant),
        None => json!(answer.enabled()),
    };
    WireRecord {
        key: &answer.flag.key,
        value: typed.then_some(value),
        enabled: answer.enabled(),
        variant,
        failed: answer.failed(),
        reason: WireReason {
            code: answer.outcome.reason.code(),
            condition_index: answer.outcome.condition_index,
            description: answer.description().into_owned(),
        },
        metadata: WireMetadata {
            id: answer.flag.id.0,
            version: answer.flag.version.max(0),
            description: None,
            payload: answer.payload(),
            has_experiment: answer.flag.has_experiment,
            config_version: typed.then_some(1),
            variant_key: variant.filter(|_| typed),
        },
    }
}

fn answer(answers: &Evaluations, typed: bool) -> String {
    let envelope = envelope();
    let answer = WireAnswer {
        errors_while_computing_flags: envelope.errors_while_computing,
        flags: answers
            .iter()
            .map(|answer| (&*answer.flag.key, record(answer, typed)))
            .collect(),
        request_id: envelope.request_id.to_string(),
        evaluated_at: envelope.evaluated_at,
    };
    serde_json::to_string(&answer).unwrap()
}

/// A flag without conditions: what it answers is made up as well.
fn any_flag() -> impl Strategy<Value = Value> {
    let variants = vec("\\PC{0,6}|[\"\\\\\n\u{1}é]{0,4}", 0..4);
    let payload = option::of("\\PC{0,12}|[\"\\\\\n\u{7f}]{0,4}");
    let holdout = option::of(any::<i32>());
    (variants, payload, holdout, any::<(i64, bool)>()).prop_map(
        |(variants, payload, holdout, (version, has_experiment))| {
            let payloads: serde_json::Map<String, Value> = variants
                .iter()
                .map(|variant| (variant.clone(), json!(format!("of {variant}"))))
                .chain(payload.map(|payload| ("true".to_owned(), json!(payload))))
                .collect();
            let variants: Vec<Value> = variants
                .iter()
                .map(|key| json!({"key": key, "rollout_percentage": 10}))
                .collect();
            let holdout = holdout.map(|id| json!({"id": id, "exclusion_percentage": 1}));
            json!({"version": version, "has_experiment": has_experiment, "filters": {
                "multivariate": {"variants": variants}, "payloads": payloads, "holdout": holdout}})
        },
    )
}

fn any_reason() -> impl Strategy<Value = Reason> {
    prop::sample::select(vec![
        Reason::SuperConditionValue,
        Reason::HoldoutConditionValue,
        Reason::ConditionMatch,
        Reason::OutOfRolloutBound,
        Reason::NoConditionMatch(NoMatchDetail::Plain),
        Reason::NoConditionMatch(NoMatchDetail::BehavioralCohort),
        Reason::NoConditionMatch(NoMatchDetail::GroupsNotEvaluated),
        Reason::NoGroupType,
        Reason::MissingDependency,
        Reason::Failed(FailureCode::Timeout),
        Reason::Failed(FailureCode::DependencyFailed),
    ])
}

/// Any value with any reason, also where evaluation would never bring them together.
fn any_outcome() -> impl Strategy<Value = Outcome> {
    let value = prop_oneof![
        Just(FlagValue::Off),
        Just(FlagValue::On),
        Just(FlagValue::Holdout),
        (0..5_u32).prop_map(FlagValue::Variant),
    ];
    (value, any_reason(), option::of(0..20_usize)).prop_map(|(value, reason, condition_index)| {
        Outcome {
            value,
            reason,
            condition_index,
        }
    })
}

proptest! {
    #[test]
    fn prepared_records_are_those_that_are_written_in_one_go(
        flags in vec(("\\PC{1,8}|[\"\\\\\ta]{1,4}", any_flag()), 1..6),
        rounds in vec(vec(option::of(any_outcome()), 6), 1..4),
    ) {
        let by_key: BTreeMap<String, Value> = flags.into_iter().collect();
        let stored: Vec<Value> = (1..)
            .zip(by_key)
            .map(|(id, (key, mut flag))| {
                flag["id"] = json!(id);
                flag["key"] = json!(key);
                flag
            })
            .collect();
        let definitions = compile(&json!(stored));
        // What one round has prepared serves the next one.
        for outcomes in rounds {
            let answers = (0..stored.len()).zip(outcomes);
            let answers = answers.filter_map(|(place, outcome)| Some((place, outcome?)));
            let answers = Evaluations::new(&definitions, answers.collect(), false);
            for (shape, typed) in [(Shape::V2, false), (Shape::V4, true)] {
                let written = render(shape, &envelope(), &answers).unwrap();
                prop_assert_eq!(String::from_utf8(written).unwrap(), answer(&answers, typed));
            }
        }
    }
}
