//! Whole flags from shared data: the worked examples, which HTTP tests run as well.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use burgee_evaluation::{
    CohortId, CohortSet, Definitions, Evaluation, MatchingVersion, Moment, Needs, Selector, Stored,
    Subject,
    cohort::CohortDefinition,
    definition::{FlagDefinition, GroupTypes},
    evaluate,
    subject::{Properties, Read, StoredPerson, StoredState},
    text_form,
};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

#[derive(Deserialize)]
struct Examples {
    now: DateTime<Utc>,
    group_types: Vec<GroupType>,
    cohorts: Vec<CohortDefinition>,
    flags: Vec<FlagDefinition>,
    persons: Vec<Person>,
    requests: Vec<Request>,
}

#[derive(Deserialize)]
struct GroupType {
    name: String,
    index: u8,
}

#[derive(Deserialize)]
struct Person {
    distinct_ids: Vec<String>,
    properties: Properties,
    created_at: DateTime<Utc>,
    static_cohorts: Vec<CohortId>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    name: String,
    body: Body,
    flags: BTreeMap<String, Answer>,
    errors_while_computing_flags: bool,
}

#[derive(Deserialize)]
struct Body {
    distinct_id: Value,
    #[serde(default)]
    groups: HashMap<String, Value>,
    #[serde(default)]
    person_properties: Properties,
    flag_keys: Option<Vec<String>>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Answer {
    value: Value,
    code: String,
    condition_index: Option<usize>,
    #[serde(default)]
    payload: Option<String>,
    /// Compared only if the example tells it.
    description: Option<String>,
}

fn examples() -> Examples {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../integration-tests/fixtures/whole_flags.json"
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

impl Body {
    fn subject(&self) -> Subject {
        Subject {
            distinct_id: text_form(&self.distinct_id).into_owned(),
            person_properties: self.person_properties.clone(),
            groups: self
                .groups
                .iter()
                .map(|(name, key)| (name.clone(), Some(text_form(key).into_owned())))
                .collect(),
            ..Subject::default()
        }
    }
}

/// Reads what is needed, and nothing else.
fn stored(needs: Needs, persons: &[Person], distinct_id: &str) -> Stored {
    if !needs.state {
        return Stored::NOT_NEEDED;
    }
    let known = |person: &&Person| person.distinct_ids.iter().any(|id| id == distinct_id);
    let person = persons.iter().find(known).map(|person| StoredPerson {
        properties: person.properties.clone(),
        created_at: person.created_at,
        static_cohorts: person.static_cohorts.iter().copied().collect(),
    });
    Stored {
        state: Read::Done(StoredState {
            person,
            groups: HashMap::new(),
        }),
        hash_keys: Read::NotNeeded,
    }
}

fn answer(evaluation: Evaluation<'_>, expected: Option<&Answer>) -> Answer {
    let value = evaluation
        .variant()
        .map_or(Value::Bool(evaluation.enabled()), Value::from);
    let told = expected.is_some_and(|expected| expected.description.is_some());
    Answer {
        value,
        code: evaluation.outcome.reason.code().to_owned(),
        condition_index: evaluation.outcome.condition_index,
        payload: evaluation.payload().map(str::to_owned),
        description: told.then(|| evaluation.description().into_owned()),
    }
}

#[test]
fn worked_examples() {
    let examples = examples();
    let types = GroupTypes {
        types: examples
            .group_types
            .into_iter()
            .map(|group_type| (group_type.name, group_type.index))
            .collect(),
    };
    let (definitions, dropped) = Definitions::compile(examples.flags, Ok(types));
    assert_eq!(dropped, []);
    let definitions = Arc::new(definitions);
    let cohorts = CohortSet::compile(examples.cohorts);
    let moment = Moment {
        now: examples.now,
        zone: chrono_tz::UTC,
        matching: MatchingVersion::Default,
    };
    assert!(!examples.requests.is_empty());
    for request in examples.requests {
        let subject = request.body.subject();
        let selection = definitions.select(&Selector {
            keys: request.body.flag_keys,
            ..Selector::default()
        });
        let needs = Needs::of(&definitions, &selection, &subject);
        let stored = stored(needs, &examples.persons, &subject.distinct_id);
        let found = evaluate(
            &definitions,
            &cohorts,
            &selection,
            &subject,
            &stored,
            &moment,
        );
        let answers: BTreeMap<String, Answer> = found
            .iter()
            .map(|flag| {
                let key = flag.flag.key.to_string();
                let answer = answer(flag, request.flags.get(&key));
                (key, answer)
            })
            .collect();
        assert_eq!(answers, request.flags, "{}", request.name);
        assert_eq!(
            found.errors_while_computing, request.errors_while_computing_flags,
            "{}",
            request.name
        );
    }
}
