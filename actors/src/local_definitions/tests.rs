use super::*;
use crate::convert;
use burgee_evaluation::CohortSet;
use burgee_schema::models::{CohortRow, FlagRow, GroupTypeRow, ProjectRow};
use serde_json::{Value, json};
use std::io::Read;
use std::time::Duration;
use tokio::time::timeout;

impl LocalDefinitions {
    /// Those of a project without anything, for tests of other things.
    pub(crate) fn none() -> Self {
        Self {
            rows: Mutex::default(),
            document: OnceLock::new(),
            cpu: CpuPool::new(1).unwrap(),
            made: Counter::default(),
        }
    }
}

fn rows(flags: Vec<FlagRow>, cohorts: Vec<CohortRow>) -> DefinitionRows {
    DefinitionRows {
        project: ProjectRow {
            id: 3,
            name: "p".into(),
            token: "t".into(),
            timezone: None,
            property_matching_version: None,
        },
        group_types: Vec::new(),
        flags,
        cohorts,
        sequence: 7,
    }
}

fn flag(id: i32, key: &str, filters: &str) -> FlagRow {
    FlagRow {
        id,
        project_id: 3,
        key: key.into(),
        name: None,
        filters: filters.into(),
        active: true,
        archived: false,
        deleted: false,
        ensure_experience_continuity: false,
        version: 1,
        evaluation_runtime: None,
        evaluation_contexts: None,
        bucketing_identifier: None,
        has_experiment: false,
        is_remote_configuration: false,
    }
}

fn cohort(id: i64, filters: &str) -> CohortRow {
    CohortRow {
        id,
        project_id: 3,
        name: None,
        deleted: false,
        is_static: false,
        filters: Some(filters.into()),
        groups: None,
        cohort_type: None,
        condition_type: None,
    }
}

fn compiled(rows: &DefinitionRows) -> Arc<Definitions> {
    let flags = rows.flags.iter().cloned();
    let flags = flags.filter_map(|row| convert::flag(row).ok()).collect();
    let types = convert::group_types(rows.group_types.clone());
    Arc::new(Definitions::compile(flags, Ok(types)).0)
}

fn written(rows: &DefinitionRows) -> String {
    String::from_utf8(write(rows, &compiled(rows)).unwrap()).unwrap()
}

fn read(rows: &DefinitionRows) -> Value {
    serde_json::from_str(&written(rows)).unwrap()
}

/// The text of the filters of a flag, as they are written.
fn filters(stored: &str) -> String {
    let text = written(&rows(vec![flag(1, "a", stored)], Vec::new()));
    let begin = text.find("\"filters\":").unwrap() + "\"filters\":".len();
    let end = text.find("}],\"group_type_mapping\"").unwrap();
    text[begin..end].to_owned()
}

#[test]
fn an_empty_project_has_all_members() {
    let expected = r#"{"flags":[],"group_type_mapping":{},"cohorts":{}}"#;
    assert_eq!(written(&rows(Vec::new(), Vec::new())), expected);
}

#[test]
fn a_flag_has_every_member() {
    let full = FlagRow {
        name: Some("Größe".into()),
        archived: true,
        ensure_experience_continuity: true,
        version: 9,
        evaluation_runtime: Some("server".into()),
        evaluation_contexts: Some(r#"["web"]"#.into()),
        bucketing_identifier: Some("device_id".into()),
        has_experiment: true,
        is_remote_configuration: true,
        ..flag(2, "b", "{}")
    };
    let mut project = rows(vec![flag(1, "a", "{}"), full], Vec::new());
    project.project.property_matching_version = Some(2);
    project.group_types = vec![GroupTypeRow {
        project_id: 3,
        group_type_index: 1,
        name: "com\"pany".into(),
    }];
    let expected = json!({
        "flags": [
            {"id": 1, "team_id": 3, "name": "", "key": "a", "active": true, "deleted": false, "version": 1,
             "ensure_experience_continuity": false, "is_remote_configuration": false, "has_encrypted_payloads": false,
             "has_experiment": false, "evaluation_runtime": "all", "evaluation_contexts": [],
             "bucketing_identifier": null, "filters": {"groups": []}},
            {"id": 2, "team_id": 3, "name": "Größe", "key": "b", "active": false, "deleted": false, "version": 9,
             "ensure_experience_continuity": true, "is_remote_configuration": true, "has_encrypted_payloads": false,
             "has_experiment": true, "evaluation_runtime": "server", "evaluation_contexts": ["web"],
             "bucketing_identifier": "device_id", "filters": {"groups": []}},
        ],
        "group_type_mapping": {"1": "com\"pany"},
        "cohorts": {},
        "property_matching_version": 2,
    });
    assert_eq!(read(&project), expected);
}

#[test]
fn the_rule_for_booleans_is_the_one_that_evaluates() {
    for (stored, expected) in [
        (None, Value::Null),
        (Some(1), Value::Null),
        (Some(3), Value::Null),
        (Some(2), json!(2)),
    ] {
        let mut project = rows(Vec::new(), Vec::new());
        project.project.property_matching_version = stored;
        assert_eq!(
            read(&project)["property_matching_version"],
            expected,
            "{stored:?}"
        );
    }
}

#[test]
fn filters_keep_their_texts_and_order() {
    for (stored, expected) in [
        ("{}", r#"{"groups":[]}"#),
        (
            r#"{"z": 1e400, "groups": []}"#,
            r#"{"z":1e400,"groups":[]}"#,
        ),
        (
            r#"{"groups": [{"rollout_percentage": 33.30, "x": 5.0}]}"#,
            r#"{"groups":[{"rollout_percentage":33.30,"x":5.0,"properties":[]}]}"#,
        ),
        (
            r#"{"groups": [{"properties": null, "variant": null}, {}]}"#,
            r#"{"groups":[{"variant":null,"properties":[]},{"properties":[]}]}"#,
        ),
        // The last of two counts, as in evaluation.
        (
            r#"{"groups": [{"rollout_percentage": 1}], "groups": [{"rollout_percentage": 2}]}"#,
            r#"{"groups":[{"rollout_percentage":2,"properties":[]}]}"#,
        ),
    ] {
        assert_eq!(filters(stored), expected, "{stored}");
    }
}

#[test]
fn a_property_has_a_key_and_a_value() {
    for (stored, expected) in [
        (
            r#"{"key": "k", "type": "person", "operator": "is_set"}"#,
            r#"{"key":"k","type":"person","operator":"is_set","value":null}"#,
        ),
        (
            r#"{"value": [1, 1.0], "type": "group", "group_type_index": 0, "key": "k"}"#,
            r#"{"value":[1, 1.0],"type":"group","group_type_index":0,"key":"k"}"#,
        ),
        // Names no flag: nothing to follow.
        (
            r#"{"key": "nobody", "type": "flag", "operator": "flag_evaluates_to", "value": true}"#,
            r#"{"key":"nobody","type":"flag","operator":"flag_evaluates_to","value":true,"dependency_chain":[]}"#,
        ),
    ] {
        let whole = |property: &str| format!(r#"{{"groups":[{{"properties":[{property}]}}]}}"#);
        assert_eq!(filters(&whole(stored)), whole(expected), "{stored}");
    }
}

#[test]
fn payloads_are_texts() {
    let stored = r#"{"payloads": {"true": "{\"n\": 1}", "a": {"n": [1, 1.0]}, "b": 2, "c": null}}"#;
    let expected =
        r#"{"payloads":{"true":"{\"n\": 1}","a":"{\"n\":[1,1.0]}","b":"2"},"groups":[]}"#;
    assert_eq!(filters(stored), expected);
}

fn depends(id: i32) -> String {
    format!(
        r#"{{"groups": [{{"properties": [{{"key": "{id}", "type": "flag", "operator": "flag_evaluates_to",
            "value": true, "dependency_chain": ["old"]}}]}}]}}"#
    )
}

#[test]
fn dependencies_name_flags_by_key_and_in_order() {
    let inactive = FlagRow {
        active: false,
        ..flag(6, "inactive", &depends(99))
    };
    let project = rows(
        vec![
            flag(1, "base", "{}"),
            flag(2, "middle", &depends(1)),
            flag(3, "top", &depends(2)),
            flag(4, "self", &depends(4)),
            flag(5, "behind", &depends(4)),
            inactive,
            flag(7, "of-inactive", &depends(6)),
            flag(8, "of-nobody", &depends(99)),
            flag(9, "behind-nobody", &depends(8)),
            flag(10, "unknown-format", r#"{"version": 2}"#),
            flag(11, "of-unknown", &depends(10)),
        ],
        Vec::new(),
    );
    let document = read(&project);
    let property = |key: &str| {
        let flags = document["flags"].as_array().unwrap();
        let flag = flags.iter().find(|flag| flag["key"] == key).unwrap();
        let property = &flag["filters"]["groups"][0]["properties"][0];
        (
            property["key"].clone(),
            property["dependency_chain"].clone(),
        )
    };
    for (key, named, chain) in [
        ("middle", "base", json!(["base"])),
        ("top", "middle", json!(["base", "middle"])),
        ("self", "self", json!([])),
        ("behind", "self", json!([])),
        ("inactive", "99", json!([])),
        ("of-inactive", "inactive", json!(["inactive"])),
        ("of-nobody", "99", json!([])),
        ("behind-nobody", "of-nobody", json!([])),
        ("of-unknown", "unknown-format", json!([])),
    ] {
        assert_eq!(property(key), (json!(named), chain), "{key}");
    }
}

#[test]
fn a_dependency_on_another_subject_is_left_to_the_server() {
    let about = |kind: &str, id: i32| {
        let kind = format!(r#"{{"aggregation_group_type_index": {kind}, "#);
        depends(id).replacen('{', &kind, 1)
    };
    let company = r#"{"aggregation_group_type_index": 0, "groups": [{}]}"#;
    let document = read(&rows(
        vec![
            flag(1, "person", r#"{"groups": [{}]}"#),
            flag(2, "company", company),
            flag(3, "of-person", &depends(1)),
            flag(4, "of-company", &depends(2)),
            flag(5, "company-of-company", &about("0", 2)),
            flag(6, "company-of-person", &about("0", 1)),
        ],
        Vec::new(),
    ));
    for (index, chain) in [
        (2, json!(["person"])),
        (3, json!([])),
        (4, json!(["company"])),
        (5, json!([])),
    ] {
        let flag = &document["flags"][index];
        let property = &flag["filters"]["groups"][0]["properties"][0];
        assert_eq!(property["dependency_chain"], chain, "{}", flag["key"]);
    }
}

#[test]
fn a_long_chain_is_left_to_the_server() {
    let flags = (1..=300).map(|id| match id {
        1 => flag(id, "f-1", "{}"),
        id => flag(id, &format!("f-{id}"), &depends(id - 1)),
    });
    let document = read(&rows(flags.collect(), Vec::new()));
    let lengths = document["flags"]
        .as_array()
        .unwrap()
        .iter()
        .skip(1)
        .map(|flag| {
            let chain = &flag["filters"]["groups"][0]["properties"][0]["dependency_chain"];
            chain.as_array().unwrap().len()
        });
    let expected = (1..300).map(|length| if length <= 256 { length } else { 0 });
    assert!(lengths.eq(expected));
}

#[test]
fn what_evaluation_drops_is_not_listed() {
    let project = rows(
        vec![
            flag(1, "good", "{}"),
            flag(2, "unreadable", r#"{"groups": 7}"#),
            flag(3, "no-json", "{"),
        ],
        Vec::new(),
    );
    let document = read(&project);
    let keys: Vec<_> = document["flags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|flag| &flag["key"])
        .collect();
    assert_eq!(keys, ["good"]);
}

fn in_cohort(id: i64) -> String {
    format!(
        r#"{{"groups": [{{"properties": [{{"key": "id", "type": "cohort", "value": {id}}}]}}]}}"#
    )
}

const PERSON: &str = r#"{"key": "k", "type": "person", "value": 5.0, "negation": true}"#;

fn tree(kind: &str, entries: &str) -> String {
    format!(r#"{{"properties": {{"type": "{kind}", "values": [{entries}]}}}}"#)
}

/// The cohorts that are listed when a flag asks for the first.
fn listed(cohorts: Vec<CohortRow>) -> String {
    let text = written(&rows(vec![flag(1, "a", &in_cohort(1))], cohorts));
    let begin = text.find("\"cohorts\":").unwrap() + "\"cohorts\":".len();
    text[begin..text.len() - 1].to_owned()
}

#[test]
fn cohorts_are_listed_that_an_sdk_decides_as_the_server_does() {
    let leaf = r#"{"key":"k","value":5.0,"negation":true,"type":"person"}"#;
    let one =
        |kind: &str, entries: &str| format!(r#"{{"1":{{"type":"{kind}","values":[{entries}]}}}}"#);
    let nothing = "{}".to_owned();
    let deep = |depth| {
        let mut entry = PERSON.to_owned();
        for _ in 1..depth {
            entry = format!(r#"{{"type": "AND", "values": [{entry}]}}"#);
        }
        tree("AND", &entry)
    };
    for (filters, expected) in [
        (tree("OR", PERSON), one("OR", leaf)),
        (tree("AND", ""), one("AND", "")),
        (
            tree("AND", r#"{"type": "property", "values": []}"#),
            one("AND", r#"{"type":"AND","values":[]}"#),
        ),
        (
            tree(
                "AND",
                r#"{"key": "k", "type": "person", "operator": "is_set"}"#,
            ),
            one(
                "AND",
                r#"{"key":"k","operator":"is_set","type":"person","value":null}"#,
            ),
        ),
        // Nobody here, everybody for an SDK.
        (tree("OR", ""), nothing.clone()),
        (tree("property", PERSON), nothing.clone()),
        (tree("AND", "7"), nothing.clone()),
        (
            tree(
                "AND",
                r#"{"type": "behavioral", "key": "x", "value": "performed_event"}"#,
            ),
            nothing.clone(),
        ),
        (
            tree("AND", r#"{"type": "person", "value": 1}"#),
            nothing.clone(),
        ),
        (
            tree("AND", r#"{"type": "flag", "key": "1", "value": true}"#),
            nothing.clone(),
        ),
        (
            tree("AND", r#"{"type": "cohort", "key": "id", "value": "2"}"#),
            nothing.clone(),
        ),
        (
            tree("AND", r#"{"type": "cohort", "key": "id", "value": 1}"#),
            nothing.clone(),
        ),
        ("7".into(), nothing.clone()),
        ("{".into(), nothing.clone()),
        (r#"{"x": 1}"#.into(), nothing.clone()),
        ("null".into(), nothing.clone()),
        (deep(65), nothing.clone()),
    ] {
        assert_eq!(listed(vec![cohort(1, &filters)]), expected, "{filters}");
    }
    assert_ne!(listed(vec![cohort(1, &deep(64))]), nothing);
}

#[test]
fn references_between_cohorts_are_followed() {
    let refers = |id: i64| {
        tree(
            "AND",
            &format!(r#"{{"type": "cohort", "key": "id", "value": {id}}}"#),
        )
    };
    let fixed = CohortRow {
        is_static: true,
        ..cohort(3, &tree("AND", PERSON))
    };
    let cohorts = vec![
        cohort(1, &refers(2)),
        cohort(2, &refers(3)),
        fixed,
        cohort(4, &tree("AND", PERSON)),
    ];
    let ids = |text: String| {
        let value: Value = serde_json::from_str(&text).unwrap();
        let ids: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        ids.join(" ")
    };
    // The static one and the one nobody asks for are absent.
    assert_eq!(ids(listed(cohorts)), "1 2");
    let circle = vec![
        cohort(1, &refers(2)),
        cohort(2, &refers(5)),
        cohort(5, &refers(2)),
    ];
    assert_eq!(ids(listed(circle)), "");
    let gone = vec![cohort(1, &refers(9))];
    assert_eq!(ids(listed(gone)), "1");
}

#[test]
fn the_older_form_of_cohorts_becomes_the_newer_one() {
    let entries = |entries: &str| format!(r#"{{"1":{{"type":"OR","values":[{entries}]}}}}"#);
    let nothing = "{}".to_owned();
    for (groups, expected) in [
        (
            r#"[{"properties": {"plan": "pro", "n": 5.0}}]"#,
            entries(concat!(
                r#"{"type":"AND","values":[{"key":"plan","value":"pro","operator":"exact","type":"person"},"#,
                r#"{"key":"n","value":5.0,"operator":"exact","type":"person"}]}"#
            )),
        ),
        (
            r#"[{"properties": [{"key": "k", "value": 1}]}, {"properties": [{"key": "k", "value": 2, "type": "event"}]}]"#,
            entries(concat!(
                r#"{"type":"AND","values":[{"key":"k","value":1,"type":"person"}]},"#,
                r#"{"type":"AND","values":[{"key":"k","value":2,"type":"person"}]}"#
            )),
        ),
        (
            r#"[{"properties": {"type": "OR", "values": [{"key": "k", "value": 1, "type": "person"}]}}]"#,
            entries(r#"{"type":"OR","values":[{"key":"k","value":1,"type":"person"}]}"#),
        ),
        ("[]", nothing.clone()),
        ("null", nothing.clone()),
        (
            r#"[{"action_id": 1, "properties": {"a": 1}}]"#,
            nothing.clone(),
        ),
        (r#"[{"properties": []}]"#, nothing.clone()),
        (r#"[{"properties": [{"value": 1}]}]"#, nothing.clone()),
        (
            r#"[{"properties": [{"key": "k", "type": "behavioral"}]}]"#,
            nothing.clone(),
        ),
        (r#"[{"properties": {"values": []}}]"#, nothing),
    ] {
        let old = CohortRow {
            filters: None,
            groups: Some(groups.into()),
            ..cohort(1, "")
        };
        assert_eq!(listed(vec![old]), expected, "{groups}");
    }
}

/// Whatever is listed is something that evaluation can read as well.
#[test]
fn what_is_listed_is_readable() {
    let stored = tree("OR", PERSON);
    let text = listed(vec![cohort(1, &stored)]);
    let value: Value = serde_json::from_str(&text).unwrap();
    let again = format!(r#"{{"properties": {}}}"#, value["1"]);
    let row = cohort(1, &again);
    let set = CohortSet::compile(vec![convert::cohort(row).unwrap()]);
    assert!(format!("{set:?}").contains("failure: None"));
}

fn unpack(coding: Coding, packed: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    match coding {
        Coding::Brotli => brotli::Decompressor::new(packed, 4096)
            .read_to_end(&mut body)
            .unwrap(),
        Coding::Zstd => zstd::Decoder::new(packed)
            .unwrap()
            .read_to_end(&mut body)
            .unwrap(),
        Coding::Gzip => flate2::read::GzDecoder::new(packed)
            .read_to_end(&mut body)
            .unwrap(),
    };
    body
}

#[tokio::test]
async fn a_document_is_made_once_and_so_is_each_compressed_form() {
    let cpu = CpuPool::new(2).unwrap();
    let flags = (1..100).map(|id| flag(id, &format!("f-{id}"), "{}"));
    let rows = rows(flags.collect(), Vec::new());
    let definitions = compiled(&rows);
    let body = write(&rows, &definitions).unwrap();
    let made = Counter::default();
    let local = LocalDefinitions::new(rows, cpu, made.clone());
    // The first who asks goes away as soon as the work has begun.
    let _gone = timeout(Duration::ZERO, local.document(&definitions)).await;
    let asked = (0..10).map(|_| local.document(&definitions));
    let documents = futures_util::future::join_all(asked).await;
    let document = documents[0].clone().unwrap();
    for other in documents {
        assert!(Arc::ptr_eq(&document, &other.unwrap()));
    }
    assert_eq!(made.get(), 1);
    assert_eq!(document.body(), body);
    for coding in Coding::ALL {
        let (first, second) = tokio::join!(document.packed(coding), document.packed(coding));
        let (first, second) = (first.unwrap(), second.unwrap());
        assert_eq!(first.as_ptr(), second.as_ptr(), "{coding:?}");
        assert!(first.len() < body.len() / 4, "{coding:?} {}", first.len());
        assert_eq!(unpack(coding, &first), body, "{coding:?}");
    }
}

#[tokio::test]
async fn equal_rows_have_equal_tags_and_a_small_document_is_not_compressed() {
    let make = async |flags: Vec<FlagRow>| {
        let rows = rows(flags, Vec::new());
        let definitions = compiled(&rows);
        let cpu = CpuPool::new(1).unwrap();
        let local = LocalDefinitions::new(rows, cpu, Counter::default());
        local.document(&definitions).await.unwrap()
    };
    let first = make(vec![flag(1, "a", "{}")]).await;
    let second = make(vec![flag(1, "a", "{}")]).await;
    let other = make(vec![flag(1, "b", "{}")]).await;
    assert_eq!(first.tag(), second.tag());
    assert_eq!(first.tag().len(), 32);
    assert_ne!(first.tag(), other.tag());
    assert_eq!(first.packed(Coding::Gzip).await, None);
}
