//! A small world for tests: definitions, one subject, what is stored, and answers as lines that a table can hold.

use crate::{
    CohortId, CohortSet, Definitions, Evaluation, Evaluations, MatchingVersion, Moment, Needs,
    Selector, Stored, Subject,
    cohort::CohortDefinition,
    definition::{DroppedFlag, FlagDefinition, GroupTypes},
    evaluate,
    outcome::FailureCode,
    subject::{Properties, Read, StoredPerson, StoredState},
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::{collections::HashMap, sync::Arc};

/// Everything an evaluation depends on. The store was read, and is empty, unless a test says otherwise.
pub(crate) struct World {
    pub(crate) flags: Vec<FlagDefinition>,
    pub(crate) cohorts: Vec<CohortDefinition>,
    pub(crate) group_types: Result<GroupTypes, FailureCode>,
    pub(crate) subject: Subject,
    pub(crate) stored: Stored,
    pub(crate) selector: Selector,
}

pub(crate) fn now() -> DateTime<Utc> {
    "2026-03-18T12:00:00Z".parse().unwrap()
}

pub(crate) fn moment() -> Moment {
    Moment {
        now: now(),
        zone: chrono_tz::UTC,
        matching: MatchingVersion::Default,
    }
}

/// A flag as JSON, active unless `fields` say otherwise.
pub(crate) fn flag_with(id: i32, key: &str, filters: Value, fields: Value) -> FlagDefinition {
    let mut flag = json!({"id": id, "key": key, "active": true, "filters": filters});
    let object = flag.as_object_mut().unwrap();
    object.extend(fields.as_object().unwrap().clone());
    serde_json::from_str(&flag.to_string()).unwrap()
}

pub(crate) fn flag(id: i32, key: &str, filters: Value) -> FlagDefinition {
    flag_with(id, key, filters, json!({}))
}

pub(crate) fn cohort(cohort: Value) -> CohortDefinition {
    serde_json::from_str(&cohort.to_string()).unwrap()
}

pub(crate) fn object(value: Value) -> Properties {
    value.as_object().unwrap().clone()
}

/// A filter on a person property.
pub(crate) fn person(key: &str, operator: &str, value: Value) -> Value {
    json!({"key": key, "type": "person", "operator": operator, "value": value})
}

/// A filter on another flag.
pub(crate) fn depends(id: i32, value: Value) -> Value {
    json!({"key": id.to_string(), "type": "flag", "operator": "flag_evaluates_to", "value": value})
}

/// A filter on a cohort.
pub(crate) fn in_cohort(id: i64) -> Value {
    json!({"key": "id", "type": "cohort", "value": id})
}

/// One condition that lets everybody in who passes the filters.
pub(crate) fn when(filters: Value) -> Value {
    json!({"groups": [{"properties": filters}]})
}

/// A group type mapping with `company` = 0 and `project` = 1.
pub(crate) fn group_types() -> GroupTypes {
    GroupTypes {
        types: vec![("company".to_owned(), 0), ("project".to_owned(), 1)],
    }
}

impl World {
    pub(crate) fn new(flags: Vec<FlagDefinition>) -> Self {
        Self {
            flags,
            cohorts: Vec::new(),
            group_types: Ok(group_types()),
            subject: Subject {
                distinct_id: "maria".to_owned(),
                ..Subject::default()
            },
            stored: Stored {
                state: Read::Done(StoredState::default()),
                hash_keys: Read::Done(HashMap::new()),
            },
            selector: Selector::default(),
        }
    }

    /// A world of one flag, `f`.
    pub(crate) fn of(filters: Value) -> Self {
        Self::new(vec![flag(1, "f", filters)])
    }

    pub(crate) fn cohorts(mut self, cohorts: impl IntoIterator<Item = Value>) -> Self {
        self.cohorts = cohorts.into_iter().map(cohort).collect();
        self
    }

    /// Stores the person of the request.
    pub(crate) fn stored_person(mut self, properties: Value, static_cohorts: &[i64]) -> Self {
        self.state().person = Some(StoredPerson {
            properties: object(properties),
            created_at: "2026-01-05T08:00:00Z".parse().unwrap(),
            static_cohorts: static_cohorts.iter().copied().map(CohortId).collect(),
        });
        self
    }

    /// Stores a group.
    pub(crate) fn stored_group(mut self, index: u8, properties: Value) -> Self {
        self.state().groups.insert(index, object(properties));
        self
    }

    fn state(&mut self) -> &mut StoredState {
        match &mut self.stored.state {
            Read::Done(state) => state,
            Read::NotNeeded | Read::Failed(_) => panic!("the state was not read"),
        }
    }

    pub(crate) fn overrides(mut self, properties: Value) -> Self {
        self.subject.person_properties = object(properties);
        self
    }

    /// Mentions groups: a text is a key, null an unusable one.
    pub(crate) fn groups(mut self, groups: Value) -> Self {
        let key = |value: Value| value.as_str().map(str::to_owned);
        self.subject.groups = object(groups)
            .into_iter()
            .map(|(name, value)| (name, key(value)))
            .collect();
        self
    }

    pub(crate) fn group_overrides(mut self, name: &str, properties: Value) -> Self {
        self.subject
            .group_properties
            .insert(name.to_owned(), object(properties));
        self
    }

    pub(crate) fn hash_keys(mut self, keys: &[(&str, &str)]) -> Self {
        let owned = |&(flag, key): &(&str, &str)| (flag.to_owned(), key.to_owned());
        self.stored.hash_keys = Read::Done(keys.iter().map(owned).collect());
        self
    }

    pub(crate) fn state_failed(mut self, code: FailureCode) -> Self {
        self.stored.state = Read::Failed(code);
        self
    }

    pub(crate) fn state_not_read(mut self) -> Self {
        self.stored.state = Read::NotNeeded;
        self
    }

    pub(crate) fn compile(&self) -> (Definitions, Vec<DroppedFlag>) {
        Definitions::compile(self.flags.clone(), self.group_types.clone())
    }

    pub(crate) fn needs(&self) -> Needs {
        let (definitions, _) = self.compile();
        let selection = definitions.select(&self.selector);
        Needs::of(&definitions, &selection, &self.subject)
    }

    pub(crate) fn evaluations(&self) -> Evaluations {
        let (definitions, _) = self.compile();
        let cohorts = CohortSet::compile(self.cohorts.clone());
        let selection = definitions.select(&self.selector);
        evaluate(
            &Arc::new(definitions),
            &cohorts,
            &selection,
            &self.subject,
            &self.stored,
            &moment(),
        )
    }

    /// Returns the answer for the flag `f`.
    pub(crate) fn answer(&self) -> String {
        self.answer_of("f")
    }

    /// Returns the answer for a flag, or `absent`.
    pub(crate) fn answer_of(&self, key: &str) -> String {
        self.evaluations()
            .get(key)
            .map_or_else(|| "absent".to_owned(), line)
    }

    /// Returns the keys of the answered flags.
    pub(crate) fn answered(&self) -> Vec<String> {
        self.evaluations()
            .iter()
            .map(|answer| answer.flag.key.to_string())
            .collect()
    }
}

/// Returns an answer as `value code index`; `failed code` for a failed flag.
pub(crate) fn line(answer: Evaluation<'_>) -> String {
    let code = answer.outcome.reason.code();
    if answer.failed() {
        assert!(!answer.enabled(), "a failed flag is off");
        assert_eq!(answer.payload(), None, "a failed flag has no payload");
        assert_eq!(answer.outcome.condition_index, None);
        return format!("failed {code}");
    }
    let value = answer
        .variant()
        .map_or_else(|| answer.enabled().to_string(), str::to_owned);
    let index = answer
        .outcome
        .condition_index
        .map_or_else(|| "-".to_owned(), |index| index.to_string());
    format!("{value} {code} {index}")
}
