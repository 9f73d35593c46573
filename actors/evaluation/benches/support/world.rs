//! Projects and a person to measure with: always the same ones, and nothing random.

#![allow(dead_code, reason = "not every bench needs all of it")]

use burgee_evaluation::cohort::CohortDefinition;
use burgee_evaluation::definition::{FlagDefinition, GroupTypes};
use burgee_evaluation::subject::{Properties, Read, StoredPerson, StoredState};
use burgee_evaluation::{
    CohortId, CohortSet, Definitions, Evaluations, MatchingVersion, Moment, Selection, Selector,
    Stored, Subject, evaluate,
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// Everything one evaluation needs.
pub(crate) struct World {
    pub(crate) definitions: Arc<Definitions>,
    pub(crate) cohorts: CohortSet,
    pub(crate) selection: Selection,
    pub(crate) subject: Subject,
    pub(crate) stored: Stored,
    pub(crate) moment: Moment,
}

impl World {
    /// Compiles a project, and asks for all of its flags.
    pub(crate) fn new(flags: Vec<FlagDefinition>, cohorts: Vec<CohortDefinition>) -> Self {
        let (definitions, dropped) = Definitions::compile(flags, Ok(GroupTypes::default()));
        assert_eq!(dropped, [], "every flag can be read");
        Self {
            selection: definitions.select(&Selector::default()),
            definitions: Arc::new(definitions),
            cohorts: CohortSet::compile(cohorts),
            subject: subject(),
            stored: stored(),
            moment: moment(),
        }
    }

    pub(crate) fn evaluate(&self) -> Evaluations {
        evaluate(
            &self.definitions,
            &self.cohorts,
            &self.selection,
            &self.subject,
            &self.stored,
            &self.moment,
        )
    }
}

pub(crate) fn moment() -> Moment {
    Moment {
        now: now(),
        zone: chrono_tz::UTC,
        matching: MatchingVersion::Default,
    }
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_773_835_200, 0).expect("it is a time")
}

/// The properties that an application sends with a request.
pub(crate) fn properties() -> Value {
    json!({
        "email": "maria.lindqvist@corp.example.com",
        "plan": "enterprise",
        "country": "SE",
        "app_version": "4.12.3",
        "seats": 42,
        "signed_up_at": "2025-03-01T12:30:00Z",
        "is_staff": false,
        "$os": "Mac OS X",
        "$browser": "Firefox",
        "utm_source": "newsletter",
    })
}

fn object(value: Value) -> Properties {
    match value {
        Value::Object(object) => object,
        _ => Properties::new(),
    }
}

fn subject() -> Subject {
    Subject {
        distinct_id: "0197b6a2-4c1e-7d3f-9a52-6f1d2c3b4a59".to_owned(),
        person_properties: object(properties()),
        ..Subject::default()
    }
}

fn stored() -> Stored {
    Stored {
        state: Read::Done(StoredState {
            person: Some(StoredPerson {
                properties: object(json!({"plan": "free", "referrer": "search", "visits": 17})),
                created_at: now(),
                static_cohorts: [CohortId(7)].into(),
            }),
            groups: HashMap::new(),
        }),
        hash_keys: Read::NotNeeded,
    }
}

/// A flag of an id and `filters`.
pub(crate) fn flag(id: usize, filters: &Value) -> FlagDefinition {
    let key = format!("flag-{id:05}-of-the-product");
    let flag = json!({"id": id, "key": key, "active": true, "version": 3, "filters": filters});
    // by way of the text: `filters` are kept as they are written
    serde_json::from_str(&flag.to_string()).expect("it is a flag")
}

/// Flags as projects have them: rollouts, variants with payloads, filters on the person, a pattern, a version, a cohort.
pub(crate) fn mixed(count: usize) -> Vec<FlagDefinition> {
    let kind = |id: usize| match id % 10 {
        0..=2 => json!({"groups": [{"rollout_percentage": 35}]}),
        3 => {
            json!({"groups": [{"rollout_percentage": 100}], "payloads": {"true": "{\"limit\": 10}"}})
        }
        4 | 5 => json!({
            "groups": [{"rollout_percentage": 100}],
            "multivariate": {"variants": [
                {"key": "control", "rollout_percentage": 50},
                {"key": "wide", "rollout_percentage": 25},
                {"key": "narrow", "rollout_percentage": 25},
            ]},
            "payloads": {"wide": "{\"columns\": 3}"},
        }),
        6 => json!({"groups": [
            {"properties": [person("email", "icontains", json!("@example.org"))]},
            {"properties": [person("plan", "exact", json!(["team", "enterprise"]))], "rollout_percentage": 50},
        ]}),
        7 => json!({"groups": [
            {"properties": [person("country", "exact", json!(["DE", "AT", "CH"])), person("seats", "gt", json!(10))]},
            {"properties": [person("app_version", "semver_gte", json!("4.2.0"))], "rollout_percentage": 20},
        ]}),
        8 => json!({"groups": [
            {"properties": [person("email", "regex", json!(r"^[a-z.]+@corp\.(example|test)\.com$"))], "rollout_percentage": 80},
        ]}),
        _ => json!({"groups": [
            {"properties": [{"key": "id", "type": "cohort", "value": 1 + (id / 10) % 5}], "rollout_percentage": 60},
        ]}),
    };
    (1..=count).map(|id| flag(id, &kind(id))).collect()
}

/// Flags that differ in nothing but their keys, to see how costs grow with their number.
pub(crate) fn plain(count: usize) -> Vec<FlagDefinition> {
    let filters = json!({"groups": [
        {"properties": [person("plan", "exact", json!("enterprise"))], "rollout_percentage": 50},
    ]});
    (1..=count).map(|id| flag(id, &filters)).collect()
}

/// Flags each of which depends on the one before it.
pub(crate) fn chain(count: usize) -> Vec<FlagDefinition> {
    let filters = |id: usize| match id {
        1 => json!({"groups": [{"rollout_percentage": 100}]}),
        _ => json!({"groups": [{"properties": [depends(id - 1)], "rollout_percentage": 100}]}),
    };
    (1..=count).map(|id| flag(id, &filters(id))).collect()
}

/// Flags all of which depend on the first one.
pub(crate) fn wide(count: usize) -> Vec<FlagDefinition> {
    let filters = |id: usize| match id {
        1 => json!({"groups": [{"rollout_percentage": 100}]}),
        _ => json!({"groups": [{"properties": [depends(1)], "rollout_percentage": 100}]}),
    };
    (1..=count).map(|id| flag(id, &filters(id))).collect()
}

/// Five cohorts: three of filters, one of two others, one stored.
pub(crate) fn cohorts() -> Vec<CohortDefinition> {
    let group = |kind: &str, values: Value| json!({"properties": {"type": kind, "values": values}});
    let trees = [
        group("AND", json!([person("plan", "exact", json!("enterprise"))])),
        group(
            "OR",
            json!([
                {"type": "AND", "values": [person("country", "exact", json!("DE")), person("seats", "gt", json!(100))]},
                {"type": "AND", "values": [person("country", "exact", json!("SE")), person("email", "icontains", json!("corp"))]},
            ]),
        ),
        group(
            "AND",
            json!([person("signed_up_at", "is_date_before", json!("-30d"))]),
        ),
        group("OR", json!([in_cohort(1), in_cohort(2)])),
    ];
    let dynamic = (1..)
        .zip(trees)
        .map(|(id, filters)| cohort(&json!({"id": id, "filters": filters})));
    dynamic
        .chain([cohort(&json!({"id": 5, "is_static": true}))])
        .collect()
}

/// Cohorts each of which wants the one before it, and one property.
pub(crate) fn cohort_chain(count: usize) -> Vec<CohortDefinition> {
    let leaf = || person("plan", "exact", json!("enterprise"));
    let values = |id: usize| match id {
        1 => json!([leaf()]),
        _ => json!([leaf(), in_cohort(id - 1)]),
    };
    (1..=count)
        .map(|id| cohort(&json!({"id": id, "filters": {"properties": {"type": "AND", "values": values(id)}}})))
        .collect()
}

/// One flag for the members of a cohort.
pub(crate) fn for_members(cohort: usize) -> Vec<FlagDefinition> {
    vec![flag(
        1,
        &json!({"groups": [{"properties": [in_cohort(cohort)]}]}),
    )]
}

fn cohort(cohort: &Value) -> CohortDefinition {
    serde_json::from_str(&cohort.to_string()).expect("it is a cohort")
}

fn person(key: &str, operator: &str, value: Value) -> Value {
    json!({"key": key, "type": "person", "operator": operator, "value": value})
}

fn in_cohort(id: usize) -> Value {
    json!({"key": "id", "type": "cohort", "value": id})
}

fn depends(id: usize) -> Value {
    json!({"key": id.to_string(), "type": "flag", "operator": "flag_evaluates_to", "value": true})
}
