//! Long chains and deep nesting on a stack that has no room for recursion.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use burgee_evaluation::{
    CohortSet, Definitions, Evaluations, MatchingVersion, Moment, Selector, Stored, Subject,
    cohort::CohortDefinition,
    definition::{FlagDefinition, GroupTypes, faults},
    evaluate,
    outcome::FlagValue,
    subject::{Read, StoredState},
};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

const STACK_BYTES: usize = 256 * 1024;

/// Runs a test on a small stack; what it panics with is passed on.
fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(test)
        .unwrap();
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn flag(id: usize, filters: &Value) -> FlagDefinition {
    let flag = json!({"id": id, "key": format!("f{id:05}"), "active": true, "filters": filters});
    serde_json::from_str(&flag.to_string()).unwrap()
}

fn needs(id: usize) -> Value {
    json!({"groups": [{"properties": [
        {"key": id.to_string(), "type": "flag", "operator": "flag_evaluates_to", "value": true},
    ]}]})
}

fn in_cohort(id: usize) -> Value {
    json!({"key": "id", "type": "cohort", "value": id})
}

fn cohort(id: usize, values: &Value) -> CohortDefinition {
    let cohort = json!({"id": id, "filters": {"properties": {"type": "AND", "values": values}}});
    serde_json::from_str(&cohort.to_string()).unwrap()
}

fn answer(
    flags: Vec<FlagDefinition>,
    cohorts: Vec<CohortDefinition>,
    selector: &Selector,
) -> Evaluations {
    let (definitions, dropped) = Definitions::compile(flags, Ok(GroupTypes::default()));
    let definitions = Arc::new(definitions);
    assert_eq!(dropped, []);
    let cohorts = CohortSet::compile(cohorts);
    let subject = Subject {
        distinct_id: "maria".to_owned(),
        person_properties: json!({"plan": "pro"}).as_object().unwrap().clone(),
        ..Subject::default()
    };
    let stored = Stored {
        state: Read::Done(StoredState::default()),
        hash_keys: Read::Done(HashMap::new()),
    };
    let moment = Moment {
        now: "2026-03-18T12:00:00Z".parse().unwrap(),
        zone: chrono_tz::UTC,
        matching: MatchingVersion::Default,
    };
    evaluate(
        &definitions,
        &cohorts,
        &definitions.select(selector),
        &subject,
        &stored,
        &moment,
    )
}

/// Flag 1 is on, each other one wants the one before.
fn chain(length: usize) -> Vec<FlagDefinition> {
    let first = flag(1, &json!({"groups": [{}]}));
    std::iter::once(first)
        .chain((2..=length).map(|id| flag(id, &needs(id - 1))))
        .collect()
}

#[test]
fn ten_thousand_chained_flags() {
    on_a_small_stack(|| {
        const LENGTH: usize = 10_000;
        let all = answer(chain(LENGTH), vec![], &Selector::default());
        assert_eq!(all.len(), LENGTH);
        assert!(all.iter().all(|flag| flag.outcome.value == FlagValue::On));
        let last = Selector {
            keys: Some(vec![format!("f{LENGTH:05}")]),
            ..Selector::default()
        };
        assert_eq!(answer(chain(LENGTH), vec![], &last).len(), LENGTH);
    });
}

#[test]
fn ten_thousand_flags_in_one_circle() {
    on_a_small_stack(|| {
        let mut flags = chain(10_000);
        flags[0] = flag(1, &needs(10_000));
        let found = faults(&flags, &[], &GroupTypes::default());
        assert_eq!(found.len(), 1);
        let all = answer(flags, vec![], &Selector::default());
        assert!(all.is_empty() && all.errors_while_computing);
    });
}

#[test]
fn a_thousand_cohorts_that_refer_to_each_other() {
    on_a_small_stack(|| {
        let plan = json!([{"key": "plan", "type": "person", "value": "pro"}]);
        let cohorts = std::iter::once(cohort(1, &plan))
            .chain((2..=1000).map(|id| cohort(id, &json!([in_cohort(id - 1)]))))
            .collect();
        let flags = vec![flag(
            1,
            &json!({"groups": [{"properties": [in_cohort(1000)]}]}),
        )];
        let all = answer(flags, cohorts, &Selector::default());
        assert_eq!(all.iter().next().unwrap().outcome.value, FlagValue::On);
    });
}

#[test]
fn a_cohort_of_sixty_four_trees_inside_each_other() {
    on_a_small_stack(|| {
        let leaf = json!({"key": "plan", "type": "person", "value": "pro"});
        let nested = |depth: usize| {
            (1..depth).fold(
                leaf.clone(),
                |entry, _| json!({"type": "OR", "values": [entry]}),
            )
        };
        let flags = || {
            vec![flag(
                1,
                &json!({"groups": [{"properties": [in_cohort(1)]}]}),
            )]
        };
        let all = answer(
            flags(),
            vec![cohort(1, &json!([nested(64)]))],
            &Selector::default(),
        );
        assert_eq!(all.iter().next().unwrap().outcome.value, FlagValue::On);
        let all = answer(
            flags(),
            vec![cohort(1, &json!([nested(65)]))],
            &Selector::default(),
        );
        assert!(all.iter().next().unwrap().failed());
    });
}

#[test]
fn text_that_is_nested_beyond_all_measure() {
    on_a_small_stack(|| {
        const DEPTH: usize = 20_000;
        let tree = format!(
            "{}{}",
            r#"{"type": "AND", "values": ["#.repeat(DEPTH),
            "]}".repeat(DEPTH)
        );
        let cohort = format!(r#"{{"id": 1, "filters": {{"properties": {tree}}}}}"#);
        let filters = format!(
            r#"{{"id": 2, "key": "deep", "active": true, "filters": {{"groups": {0}{1}}}}}"#,
            "[".repeat(DEPTH),
            "]".repeat(DEPTH)
        );
        let payload = format!(
            r#"{{"id": 3, "key": "payload", "active": true, "filters": {{"groups": [{{}}], "payloads": {{"true": {0}{1}}}}}}}"#,
            "[".repeat(DEPTH),
            "]".repeat(DEPTH)
        );
        let read = |text: &str| serde_json::from_str::<FlagDefinition>(text).unwrap();
        let flags = vec![
            flag(1, &json!({"groups": [{"properties": [in_cohort(1)]}]})),
            read(&filters),
            read(&payload),
        ];
        let (_, dropped) = Definitions::compile(flags.clone(), Ok(GroupTypes::default()));
        assert_eq!(dropped.len(), 1, "{dropped:?}");
        let readable = vec![flags[0].clone(), flags[2].clone()];
        let all = answer(
            readable,
            vec![serde_json::from_str(&cohort).unwrap()],
            &Selector::default(),
        );
        assert!(all.iter().next().unwrap().failed());
        assert_eq!(
            all.iter().nth(1).unwrap().payload().map(str::len),
            Some(2 * DEPTH)
        );
    });
}
