//! What holds for every project, tried on random ones, broken ones among them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use burgee_evaluation::{
    CohortId, CohortSet, Definitions, Evaluations, Join, MatchingVersion, Moment, Needs, Selector,
    Stored, Subject,
    cohort::CohortDefinition,
    definition::{FlagDefinition, GroupTypes, faults},
    evaluate, evaluate_split,
    outcome::FailureCode,
    selection::RequestRuntime,
    subject::{Read, StoredPerson, StoredState},
};
use proptest::{collection::vec, option, prelude::*};
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How many flags and cohorts a project has at most; ids are drawn from a little more, so that some are missing.
const MOST: i64 = 8;

fn any_json() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z.$*\\[(]{0,5}".prop_map(Value::from),
        Just(json!("1.2.3")),
        Just(json!("-7d")),
        Just(json!("pro")),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            vec(("[a-z_]{1,5}", inner), 0..3)
                .prop_map(|fields| fields.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
    .boxed()
}

/// Mostly a sensible value, sometimes any.
fn mostly(sensible: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Value> {
    prop_oneof![12 => sensible, 1 => any_json()].boxed()
}

fn operator() -> impl Strategy<Value = Value> {
    let names = [
        "exact",
        "is_not",
        "is_set",
        "is_not_set",
        "icontains",
        "not_icontains",
        "regex",
        "not_regex",
        "gt",
        "lte",
        "between",
        "not_between",
        "semver_gt",
        "semver_tilde",
        "is_date_before",
        "in",
        "not_in",
        "flag_evaluates_to",
    ];
    prop::sample::select(names.to_vec()).prop_map(Value::from)
}

fn property_name() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        "plan",
        "seats",
        "$os",
        "$initial_os",
        "distinct_id",
        "$group_key",
    ])
    .prop_map(Value::from)
}

fn object(fields: Vec<(&'static str, Option<Value>)>) -> Value {
    let fields = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(fields.collect())
}

fn property_filter() -> BoxedStrategy<Value> {
    let types =
        prop::sample::select(vec!["person", "person_metadata", "group"]).prop_map(Value::from);
    let on_property = (
        mostly(property_name()),
        mostly(types),
        option::of(mostly(operator())),
        option::of(any_json()),
        option::of((0..3_i64).prop_map(Value::from)),
        option::of(any::<bool>().prop_map(Value::from)),
    )
        .prop_map(|(key, kind, operator, value, index, negation)| {
            object(vec![
                ("key", Some(key)),
                ("type", Some(kind)),
                ("operator", operator),
                ("value", value),
                ("group_type_index", index),
                ("negation", negation),
            ])
        });
    let on_flag = (1..MOST + 2, prop_oneof![Just(json!(true)), Just(json!(false)), Just(json!("a")), any_json()])
        .prop_map(|(id, value)| {
            json!({"key": id.to_string(), "type": "flag", "operator": "flag_evaluates_to", "value": value})
        });
    let on_cohort = (1..MOST + 2, option::of(prop::sample::select(vec!["in", "not_in", "exact"])), any::<bool>())
        .prop_map(|(id, operator, negation)| {
            json!({"key": "id", "type": "cohort", "value": id, "operator": operator, "negation": negation})
        });
    prop_oneof![4 => on_property, 2 => on_flag, 1 => on_cohort].boxed()
}

fn percentage() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(0)),
        Just(json!(100)),
        (-10.0..120.0).prop_map(Value::from)
    ]
}

fn condition() -> BoxedStrategy<Value> {
    (
        option::of(vec(mostly(property_filter()), 0..3).prop_map(Value::from)),
        option::of(mostly(percentage())),
        option::of(prop::sample::select(vec!["a", "b", "c"]).prop_map(Value::from)),
        option::of(prop_oneof![
            Just(json!(null)),
            (0..3_i64).prop_map(Value::from)
        ]),
    )
        .prop_map(|(properties, rollout, variant, index)| {
            object(vec![
                ("properties", properties),
                ("rollout_percentage", rollout),
                ("variant", variant),
                ("aggregation_group_type_index", index),
            ])
        })
        .boxed()
}

fn filters() -> BoxedStrategy<Value> {
    let variants = (percentage(), percentage()).prop_map(|(a, b)| {
        json!({"variants": [{"key": "a", "rollout_percentage": a}, {"key": "b", "rollout_percentage": b}]})
    });
    let holdout = percentage().prop_map(|share| json!({"id": 1, "exclusion_percentage": share}));
    (
        option::of(mostly(vec(condition(), 0..4).prop_map(Value::from))),
        option::of(mostly(variants)),
        option::of(any_json().prop_map(|payload| json!({ "true": payload }))),
        option::weighted(0.2, (0..3_i64).prop_map(Value::from)),
        option::weighted(0.2, any::<bool>().prop_map(Value::from)),
        option::weighted(0.2, mostly(holdout)),
        option::weighted(0.3, any::<bool>().prop_map(Value::from)),
        option::weighted(0.05, any_json()),
    )
        .prop_map(
            |(groups, variants, payloads, index, enrollment, holdout, early_exit, version)| {
                object(vec![
                    ("groups", groups),
                    ("multivariate", variants),
                    ("payloads", payloads),
                    ("aggregation_group_type_index", index),
                    ("feature_enrollment", enrollment),
                    ("holdout", holdout),
                    ("early_exit", early_exit),
                    ("version", version),
                ])
            },
        )
        .boxed()
}

fn flag() -> impl Strategy<Value = Value> {
    (
        mostly(filters()),
        prop::bool::weighted(0.85),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.1),
        any::<bool>(),
        prop::sample::select(vec![
            json!(null),
            json!("server"),
            json!("client"),
            json!("all"),
        ]),
        prop::sample::select(vec![
            json!(null),
            json!([]),
            json!(["app"]),
            json!(["site"]),
        ]),
        prop::sample::select(vec![json!(null), json!("device_id")]),
    )
        .prop_map(
            |(filters, active, archived, deleted, sticky, runtime, contexts, bucketing)| {
                json!({
                    "filters": filters, "active": active, "archived": archived, "deleted": deleted,
                    "ensure_experience_continuity": sticky, "evaluation_runtime": runtime,
                    "evaluation_contexts": contexts, "bucketing_identifier": bucketing,
                })
            },
        )
}

fn cohort() -> impl Strategy<Value = Value> {
    let kind = || prop::sample::select(vec!["AND", "OR", "property", "XOR"]);
    let entry = mostly(property_filter()).prop_recursive(3, 8, 3, move |inner| {
        (kind(), vec(inner, 0..3))
            .prop_map(|(kind, values)| json!({"type": kind, "values": values}))
    });
    (
        any::<bool>(),
        mostly(entry.clone().boxed()),
        option::of(vec(entry, 0..3)),
        prop::bool::weighted(0.1),
    )
        .prop_map(|(is_static, tree, groups, deleted)| {
            json!({
                "is_static": is_static, "deleted": deleted, "filters": {"properties": tree},
                "groups": groups.map(|filters| json!([{ "properties": filters }])),
            })
        })
}

/// Numbers definitions from 1 and gives them keys.
fn numbered<T: serde::de::DeserializeOwned>(definitions: Vec<Value>) -> Vec<T> {
    let number = |(index, mut definition): (usize, Value)| {
        definition["id"] = json!(index + 1);
        definition["key"] = json!(format!("flag-{}", index + 1));
        serde_json::from_str(&definition.to_string()).unwrap()
    };
    definitions.into_iter().enumerate().map(number).collect()
}

#[derive(Debug, Clone)]
struct Project {
    flags: Vec<FlagDefinition>,
    cohorts: Vec<CohortDefinition>,
}

fn project() -> impl Strategy<Value = Project> {
    let most = usize::try_from(MOST).unwrap();
    (vec(flag(), 1..=most), vec(cohort(), 0..=most)).prop_map(|(flags, cohorts)| Project {
        flags: numbered(flags),
        cohorts: numbered(cohorts),
    })
}

#[derive(Debug, Clone)]
struct Request {
    subject: Subject,
    stored: Stored,
    selector: Selector,
    group_types: Result<GroupTypes, FailureCode>,
}

fn properties() -> impl Strategy<Value = Map<String, Value>> {
    vec((property_name(), any_json()), 0..4).prop_map(|fields| {
        let name = |name: Value| name.as_str().unwrap().to_owned();
        fields
            .into_iter()
            .map(|(key, value)| (name(key), value))
            .collect()
    })
}

fn subject() -> impl Strategy<Value = Subject> {
    (
        "[a-z]{0,6}",
        option::of("[a-z]{0,6}"),
        option::of("[a-z]{1,6}"),
        properties(),
        option::of(option::of("[a-z]{0,6}")),
        properties(),
    )
        .prop_map(
            |(distinct_id, device_id, anonymous_id, person_properties, group, overrides)| Subject {
                distinct_id,
                device_id,
                anonymous_id,
                person_properties,
                groups: group
                    .map(|key| ("company".to_owned(), key))
                    .into_iter()
                    .collect(),
                group_properties: HashMap::from([("company".to_owned(), overrides)]),
            },
        )
}

fn stored() -> impl Strategy<Value = Stored> {
    let state = (option::of(properties()), properties()).prop_map(|(person, group)| {
        Read::Done(StoredState {
            person: person.map(|properties| StoredPerson {
                properties,
                created_at: "2026-01-05T08:00:00Z".parse().unwrap(),
                static_cohorts: HashSet::from([CohortId(1), CohortId(3)]),
            }),
            groups: HashMap::from([(0, group)]),
        })
    });
    let failed = || Just(FailureCode::DatabaseUnavailable);
    let state =
        prop_oneof![4 => state, 1 => Just(Read::NotNeeded), 1 => failed().prop_map(Read::Failed)];
    let keys = "[a-z]{1,6}".prop_map(|key| Read::Done(HashMap::from([("flag-1".to_owned(), key)])));
    let keys =
        prop_oneof![4 => keys, 1 => Just(Read::NotNeeded), 1 => failed().prop_map(Read::Failed)];
    (state, keys).prop_map(|(state, hash_keys)| Stored { state, hash_keys })
}

fn selector() -> impl Strategy<Value = Selector> {
    use RequestRuntime::{All, Client, Server, Unknown};
    (
        prop::sample::select(vec![All, Client, Server, Unknown]),
        prop::sample::select(vec![vec![], vec!["app".to_owned()]]),
        option::of(vec((1..MOST + 2).prop_map(|id| format!("flag-{id}")), 0..3)),
        prop::bool::weighted(0.05),
    )
        .prop_map(|(runtime, contexts, keys, surveys_only)| Selector {
            surveys_only,
            runtime,
            contexts,
            keys,
        })
}

fn request() -> impl Strategy<Value = Request> {
    let types = GroupTypes {
        types: vec![("company".to_owned(), 0), ("project".to_owned(), 1)],
    };
    let types = prop_oneof![5 => Just(Ok(types)), 1 => Just(Err(FailureCode::DatabaseError))];
    (subject(), stored(), selector(), types).prop_map(|(subject, stored, selector, group_types)| {
        Request {
            subject,
            stored,
            selector,
            group_types,
        }
    })
}

/// Does the right half first, as a thread might that is quicker.
struct RightFirst;

impl Join for RightFirst {
    fn join<A: Send, B: Send>(
        &self,
        left: impl FnOnce() -> A + Send,
        right: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        let right = right();
        (left(), right)
    }
}

fn run(project: &Project, request: &Request) -> (Arc<Definitions>, Evaluations) {
    let (definitions, _) = Definitions::compile(project.flags.clone(), request.group_types.clone());
    let definitions = Arc::new(definitions);
    let cohorts = CohortSet::compile(project.cohorts.clone());
    let selection = definitions.select(&request.selector);
    let _needs = Needs::of(&definitions, &selection, &request.subject);
    let moment = Moment {
        now: "2026-03-18T12:00:00Z".parse().unwrap(),
        zone: chrono_tz::Europe::Berlin,
        matching: MatchingVersion::Default,
    };
    let found = evaluate(
        &definitions,
        &cohorts,
        &selection,
        &request.subject,
        &request.stored,
        &moment,
    );
    let split = evaluate_split(
        &definitions,
        &cohorts,
        &selection,
        &request.subject,
        &request.stored,
        &moment,
        &RightFirst,
        1,
    );
    assert_eq!(seen(&found), seen(&split), "in parts");
    let failed = [&found, &split].map(|answer| answer.errors_while_computing);
    assert_eq!(failed[0], failed[1], "in parts");
    (definitions, found)
}

/// What can be seen of an answer.
fn seen(found: &Evaluations) -> Vec<String> {
    let line = |flag: burgee_evaluation::Evaluation<'_>| {
        format!(
            "{} {:?} {:?} {}",
            flag.flag.key,
            flag.outcome,
            flag.payload(),
            flag.description()
        )
    };
    found.iter().map(line).collect()
}

/// Returns whether a request must not get an answer for a flag, told from its definition alone.
fn must_omit(flag: &FlagDefinition, selector: &Selector) -> bool {
    let runtime = flag.evaluation_runtime.as_deref().unwrap_or("all");
    let wrong_runtime = match selector.runtime {
        RequestRuntime::All => false,
        RequestRuntime::Server => runtime == "client",
        RequestRuntime::Client => runtime == "server",
        RequestRuntime::Unknown => runtime != "all",
    };
    let contexts = flag.evaluation_contexts.clone().unwrap_or_default();
    let wrong_contexts = !selector.contexts.is_empty()
        && !contexts.is_empty()
        && !contexts
            .iter()
            .any(|context| selector.contexts.contains(context));
    !flag.active
        || flag.archived
        || flag.deleted
        || selector.surveys_only
        || wrong_runtime
        || wrong_contexts
}

/// Returns the ids that a flag's filters name as flags, however they are shaped.
fn dependencies(flag: &FlagDefinition) -> Vec<i32> {
    let filters: Value = serde_json::from_str(flag.filters.get()).unwrap();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    list(&filters["groups"])
        .iter()
        .flat_map(|condition| list(&condition["properties"]))
        .filter(|filter| filter["type"] == "flag")
        .filter_map(|filter| filter["key"].as_str()?.parse().ok())
        .collect()
}

/// Returns the ids of the readable flags from which a walk along dependencies never ends.
fn cyclic(flags: &[FlagDefinition], definitions: &Definitions) -> HashSet<i32> {
    let readable = |flag: &&FlagDefinition| !flag.deleted && definitions.flag(&flag.key).is_some();
    let edges: HashMap<i32, Vec<i32>> = flags
        .iter()
        .filter(readable)
        .map(|flag| {
            let filters: Value = serde_json::from_str(flag.filters.get()).unwrap();
            let known_format = filters
                .get("version")
                .is_none_or(|version| version.as_f64() == Some(1.0));
            let has_edges = flag.active && !flag.archived && known_format;
            (
                flag.id.0,
                if has_edges {
                    dependencies(flag)
                } else {
                    Vec::new()
                },
            )
        })
        .collect();
    // a walk of as many steps as there are flags has met one of them twice
    let mut walking: HashSet<i32> = edges.keys().copied().collect();
    for _ in 0..=flags.len() {
        walking = edges
            .iter()
            .filter(|(_, targets)| targets.iter().any(|target| walking.contains(target)))
            .map(|(id, _)| *id)
            .collect();
    }
    walking
}

fn with_rollout(project: &Project, percentage: f64) -> Project {
    let mut project = project.clone();
    for flag in &mut project.flags {
        let mut filters: Value = serde_json::from_str(flag.filters.get()).unwrap();
        if let Some(condition) = filters["groups"].get_mut(0).and_then(Value::as_object_mut) {
            condition.insert("rollout_percentage".to_owned(), json!(percentage));
        }
        flag.filters = serde_json::value::to_raw_value(&filters).unwrap();
    }
    project
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_panics_and_nothing_is_answered_that_must_be_omitted(project in project(), request in request()) {
        let (definitions, found) = run(&project, &request);
        let cyclic = cyclic(&project.flags, &definitions);
        let answered: HashSet<&str> = found.iter().map(|flag| &*flag.flag.key).collect();
        prop_assert_eq!(answered.len(), found.len(), "each flag is answered once");
        for flag in &project.flags {
            let key = flag.key.as_str();
            let omit = must_omit(flag, &request.selector)
                || definitions.flag(key).is_none()
                || cyclic.contains(&flag.id.0);
            prop_assert!(!(omit && answered.contains(key)), "{} must be omitted", key);
            if request.selector.keys.is_none() {
                prop_assert!(omit || answered.contains(key), "{} must be answered", key);
            }
        }
        if found.iter().any(|flag| flag.failed()) {
            prop_assert!(found.errors_while_computing);
        }
        let _faults = faults(&project.flags, &project.cohorts, &GroupTypes::default());
        let _texts = seen(&found);
    }

    #[test]
    fn the_order_of_the_definitions_does_not_matter(project in project(), request in request(), turn in 0..8_usize) {
        let (_, found) = run(&project, &request);
        let mut turned = project.clone();
        let steps = turn % turned.flags.len();
        turned.flags.rotate_left(steps);
        turned.flags.reverse();
        turned.cohorts.reverse();
        let (_, again) = run(&turned, &request);
        prop_assert_eq!(seen(&found), seen(&again));
        prop_assert_eq!(found.errors_while_computing, again.errors_while_computing);
    }

    #[test]
    fn raising_a_percentage_never_turns_anybody_off(
        filters in filters(),
        request in request(),
        low in 0.0..100.0_f64,
        more in 0.0..50.0_f64,
    ) {
        let flags = numbered(vec![json!({"filters": filters, "active": true})]);
        let project = Project { flags, cohorts: Vec::new() };
        // nothing to read: which flags fail for want of the store is another matter
        let request = Request {
            stored: Stored::NOT_NEEDED,
            selector: Selector::default(),
            ..request
        };
        let enabled = |percentage| {
            let (_, found) = run(&with_rollout(&project, percentage), &request);
            found.iter().next().is_some_and(|flag| flag.enabled())
        };
        prop_assert!(!enabled(low) || enabled(low + more));
    }

    #[test]
    fn a_selection_by_keys_answers_like_one_of_all(project in project(), request in request()) {
        let (_, some) = run(&project, &request);
        let mut request = request;
        request.selector.keys = None;
        let (_, all) = run(&project, &request);
        let all: HashSet<String> = seen(&all).into_iter().collect();
        for line in seen(&some) {
            prop_assert!(all.contains(&line), "{} differs from the answer among all", line);
        }
    }
}
