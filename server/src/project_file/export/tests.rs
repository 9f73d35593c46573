//! Files to a database and back, on SQLite.

use super::*;
use crate::project_file::node::{Name, Node};
use crate::project_file::{Action, ApplyError, ApplyOptions, Report, apply};
use burgee_schema::PoolConfig;
use proptest::prelude::*;
use std::time::Duration;

/// An empty database that goes away when dropped.
struct Database {
    store: Store,
    _directory: tempfile::TempDir,
}

async fn database() -> Database {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("test.db").display());
    let config = PoolConfig {
        max_size: 2,
        min_idle: 0,
        acquire_timeout: Duration::from_secs(30),
        query_timeout: Duration::from_secs(30),
        ..PoolConfig::default()
    };
    let store = Store::open(&url, config).await.unwrap();
    store.migrate().await.unwrap();
    Database {
        store,
        _directory: directory,
    }
}

fn options() -> ApplyOptions {
    ApplyOptions {
        file: "f".to_owned(),
        prune: false,
        lenient: false,
        dry_run: false,
        now: "2026-03-18T12:00:00.123456789Z".parse().unwrap(),
    }
}

fn problems(result: Result<Report, ApplyError>) -> Vec<String> {
    match result {
        Err(ApplyError::Problems(problems)) => problems.lines().collect(),
        other => panic!("expected problems, found {other:?}"),
    }
}

type Result<T, E> = std::result::Result<T, E>;

async fn exported(store: &Store, format: Format) -> String {
    let mut out = Vec::new();
    export(store, None, format, &mut out).await.unwrap();
    String::from_utf8(out).unwrap()
}

/// Holds for every file: applied again it changes nothing; its export applied to an empty database exports the same.
async fn round_trip(file: &str) -> String {
    let first = database().await;
    apply(&first.store, file, &options()).await.unwrap();
    let yaml = exported(&first.store, Format::Yaml).await;
    let json = exported(&first.store, Format::Json).await;
    let sequence = first.store.latest_sequence().await.unwrap();
    for text in [file, &yaml, &json] {
        for prune in [false, true] {
            if prune && text == file {
                continue;
            }
            let options = ApplyOptions { prune, ..options() };
            let again = apply(&first.store, text, &options).await.unwrap();
            let unchanged = again.lines.iter().all(|l| l.action == Action::Unchanged);
            assert!(unchanged, "{text}\n{again:?}");
        }
    }
    assert_eq!(first.store.latest_sequence().await.unwrap(), sequence);
    for text in [&yaml, &json] {
        let second = database().await;
        apply(&second.store, text, &options()).await.unwrap();
        assert_eq!(exported(&second.store, Format::Yaml).await, yaml);
        assert_eq!(exported(&second.store, Format::Json).await, json);
    }
    yaml
}

const RICH: &str = r#"
projects:
- id: 3
  name: "Rich: a project"
  token: t
  secret_tokens: [phs_b, phs_a]
  personal_keys:
  - { label: z, key: phx_z, scopes: ["feature_flag:read", "cohort:write"] }
  - { label: a, key: phx_a, scopes: ["*"] }
  group_types: { 1: company, 0: organization }
  timezone: Europe/Berlin
  property_matching_version: 2
  flags:
  - key: "zeta flag: 2"
    id: 11
    team_id: 3
    version: 9
    name: Zeta
    active: true
    archived: true
    ensure_experience_continuity: true
    has_experiment: true
    is_remote_configuration: true
    evaluation_runtime: server
    evaluation_contexts: [web, "null"]
    bucketing_identifier: device_id
    filters:
      groups:
      - properties:
        - { key: n, type: person, operator: exact, value: 5.0 }
        - { key: id, type: cohort, value: 8 }
        - { key: "12", type: flag, operator: flag_evaluates_to, value: "a" }
        rollout_percentage: 33.30
        description: kept
      payloads: { "true": "{\"eur\": 9}", a: { x: [1, 1.0, null] } }
  - key: alpha
    id: 12
    active: true
    filters: { groups: [], multivariate: { variants: [{ key: a, rollout_percentage: 100 }] }, holdout: { id: 1, exclusion_percentage: 5 } }
  cohorts:
  - { id: 8, name: Staff, cohort_type: realtime, condition_type: x, filters: { properties: { type: OR, values: [{ key: email, type: person, operator: icontains, value: "@acme" }] } } }
  - { id: 7, is_static: true }
  - { id: 9, name: Old, groups: [{ properties: { plan: pro } }] }
  persons:
  - { distinct_ids: [z, 42, "a b"], created_at: "2020-02-03T04:05:06.7+01:00", properties: { n: 5.0, m: 5, big: 123456789012345678901234567890, "": null }, static_cohorts: [7], hash_key_overrides: { zeta: q, alpha: r } }
  - { distinct_ids: [b] }
  groups:
  - { type: organization, key: z }
  - { type: company, key: 7, properties: { seats: 40 } }
- id: 1
  token: empty
"#;

#[tokio::test]
async fn a_rich_file_comes_back() {
    let yaml = round_trip(RICH).await;
    let expected = r#"projects:
  - id: 1
    name: Project 1
    token: empty
    secret_tokens: []
    personal_keys: []
    group_types: []
    flags: []
    cohorts: []
    persons: []
    groups: []
  - id: 3
    name: "Rich: a project"
    token: t
    secret_tokens:
      - "sha256:3ba5a551a1d3adfa22ab34d68081f717a3dda339adf125207372ef5718500e90"
      - "sha256:8d19892e715b62f2595b354bf1ba2fea62ee8c05d090936edc78903a26514347"
"#;
    assert!(yaml.starts_with(expected), "{yaml}");
    for kept in [
        "    group_types: [organization, company]\n    timezone: Europe/Berlin\n    property_matching_version: 2\n",
        "value: 5.0",
        "rollout_percentage: 33.30",
        "\"true\": \"{\\\"eur\\\": 9}\"",
        "[1, 1.0, null]",
        "distinct_ids: [z, \"42\", a b]",
        "created_at: \"2020-02-03T03:05:06.700Z\"",
        "created_at: \"2026-03-18T12:00:00.123456Z\"",
        "big: 123456789012345678901234567890",
        "hash_key_overrides: { alpha: r, zeta: q }",
        "description: kept",
    ] {
        assert!(yaml.contains(kept), "{kept}\n{yaml}");
    }
    assert!(!yaml.contains("phs_") && !yaml.contains("phx_"));
    assert!(!yaml.contains("version: 9"));
}

#[tokio::test]
async fn one_project_alone() {
    let database = database().await;
    apply(&database.store, RICH, &options()).await.unwrap();
    let mut out = Vec::new();
    export(&database.store, Some(1), Format::Json, &mut out)
        .await
        .unwrap();
    let text = String::from_utf8(out).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["projects"].as_array().unwrap().len(), 1);
    assert_eq!(value["projects"][0]["token"], "empty");
    let missing = export(&database.store, Some(9), Format::Json, &mut Vec::new()).await;
    assert!(matches!(missing, Err(ExportError::UnknownProject(9))));
}

#[tokio::test]
async fn nothing_at_all() {
    let database = database().await;
    assert_eq!(
        exported(&database.store, Format::Yaml).await,
        "projects: []\n"
    );
    assert_eq!(
        exported(&database.store, Format::Json).await,
        "{\"projects\": []}\n"
    );
    let report = apply(&database.store, "projects: []\n", &options())
        .await
        .unwrap();
    assert!(report.lines.is_empty());
}

#[tokio::test]
async fn an_export_waits_for_no_writer() {
    let database = database().await;
    apply(&database.store, RICH, &options()).await.unwrap();
    let before = exported(&database.store, Format::Yaml).await;
    let mut writer = database.store.begin_write().await.unwrap();
    writer.delete_flag(3, 11).await.unwrap();
    let meanwhile = exported(&database.store, Format::Yaml).await;
    let dry = ApplyOptions {
        dry_run: true,
        ..options()
    };
    apply(&database.store, RICH, &dry).await.unwrap();
    writer.commit().await.unwrap();
    let after = exported(&database.store, Format::Yaml).await;
    assert_eq!(before, meanwhile);
    assert_ne!(before, after);
}

#[tokio::test]
async fn a_bad_file_and_a_dry_run_write_nothing() {
    let database = database().await;
    let bad = RICH.replace("operator: icontains", "operator: contains");
    let found = problems(apply(&database.store, &bad, &options()).await);
    assert_eq!(found.len(), 1, "{found:?}");
    let dry = ApplyOptions {
        dry_run: true,
        ..options()
    };
    let report = apply(&database.store, RICH, &dry).await.unwrap();
    assert_eq!(report.totals().changed + report.totals().unchanged, 0);
    assert!(report.totals().created > 10);
    assert_eq!(database.store.latest_sequence().await.unwrap(), 0);
    assert!(database.store.projects().await.unwrap().is_empty());
}

#[tokio::test]
async fn lenient_stores_what_check_refuses() {
    let database = database().await;
    let bad = RICH.replace("operator: icontains", "operator: contains");
    let lenient = ApplyOptions {
        lenient: true,
        ..options()
    };
    let report = apply(&database.store, &bad, &lenient).await.unwrap();
    assert_eq!(report.warnings.len(), 1, "{report:?}");
    let yaml = exported(&database.store, Format::Yaml).await;
    assert!(yaml.contains("operator: contains"));
}

#[tokio::test]
async fn ids_of_deleted_definitions_stay_taken() {
    let database = database().await;
    apply(&database.store, RICH, &options()).await.unwrap();
    let prune = ApplyOptions {
        prune: true,
        ..options()
    };
    apply(&database.store, "projects: [{ id: 3 }]", &prune)
        .await
        .unwrap();
    let other = "projects: [{ id: 1, flags: [{ id: 11, key: x, active: true, filters: {} }], cohorts: [{ id: 7, is_static: true }] }]";
    assert_eq!(
        problems(apply(&database.store, other, &options()).await),
        [
            "f:1:35: projects[0].flags[0].id: the id 11 belongs to a flag of project 3",
            "f:1:93: projects[0].cohorts[0].id: the id 7 belongs to a cohort of project 3",
        ]
    );
    // The project itself may have them back.
    let report = apply(&database.store, RICH, &options()).await.unwrap();
    assert_eq!(report.totals().removed, 0);
    let again = apply(&database.store, RICH, &options()).await.unwrap();
    assert!(again.totals().is_unchanged());
}

#[tokio::test]
async fn many_persons_go_page_by_page() {
    let mut file = String::from("projects:\n- token: t\n  persons:\n");
    for i in 0..1203 {
        file.push_str(&format!(
            "  - {{ distinct_ids: [\"u{i}\"], properties: {{ n: {i} }} }}\n"
        ));
    }
    let yaml = round_trip(&file).await;
    assert_eq!(yaml.matches("distinct_ids: ").count(), 1203);
    assert!(yaml.find("[u7]").unwrap() < yaml.find("[u1202]").unwrap());
}

/// Texts that YAML could take for something else, and any others.
fn texts() -> impl Strategy<Value = String> {
    let tricky = [
        "",
        "null",
        "~",
        "true",
        "No",
        "5",
        "5.0",
        "1e3",
        ".5",
        " a",
        "a ",
        "a: b",
        "a #b",
        "- a",
        "? a",
        "[a",
        "{a",
        "a,b",
        "'a",
        "\"",
        "\\",
        "a\nb",
        "a\tb",
        "\r",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "é",
        "🦉",
        "<<",
        "%a",
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "@a",
        "`a",
        "2020-01-01",
        "=",
        "---",
        "...",
        "a  b",
        "0x1F",
    ];
    prop_oneof![
        prop::sample::select(tricky.to_vec()).prop_map(str::to_owned),
        "\\PC{0,10}",
        "[a-z]{1,8}",
    ]
}

fn node(value: Value) -> Node {
    Node {
        place: Default::default(),
        value,
    }
}

fn map(members: Vec<(String, Value)>) -> Value {
    let mut named: Vec<(Name, Node)> = Vec::new();
    for (text, value) in members {
        if !named.iter().any(|(name, _)| name.text == text) {
            let place = Default::default();
            named.push((Name { place, text }, node(value)));
        }
    }
    Value::Map(named)
}

fn values() -> impl Strategy<Value = Value> {
    let numbers = [
        "0",
        "-0",
        "5",
        "5.0",
        "1e5",
        "-1.50E-7",
        "12345678901234567890123",
        "0.1",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        prop::sample::select(numbers.to_vec()).prop_map(|n| Value::Number(n.into())),
        texts().prop_map(Value::Text),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(list),
            prop::collection::vec((texts(), inner), 0..5).prop_map(map),
        ]
    })
}

fn objects() -> impl Strategy<Value = Value> {
    prop::collection::vec((texts(), values()), 0..5).prop_map(map)
}

fn flags() -> impl Strategy<Value = Value> {
    let flag = (
        texts(),
        any::<[bool; 5]>(),
        prop::option::of(texts()),
        objects(),
        values(),
    );
    prop::collection::vec(flag, 0..4).prop_map(|flags| {
        list(
            flags
                .into_iter()
                .enumerate()
                .map(|(i, (text, bits, name, payloads, value))| {
                    let mut members = vec![
                        ("key", Value::Text(format!("{i}{text}"))),
                        ("active", Value::Bool(bits[0])),
                        ("archived", Value::Bool(bits[1])),
                        ("has_experiment", Value::Bool(bits[2])),
                        ("ensure_experience_continuity", Value::Bool(bits[3])),
                        ("is_remote_configuration", Value::Bool(bits[4])),
                        ("name", name.map_or(Value::Null, Value::Text)),
                    ];
                    let filter = object(vec![
                        ("key", Value::Text(text)),
                        ("type", Value::Text("person".to_owned())),
                        ("operator", Value::Text("exact".to_owned())),
                        ("value", list([value])),
                    ]);
                    let condition = object(vec![("properties", list([filter]))]);
                    let filters = vec![("payloads", payloads), ("groups", list([condition]))];
                    members.push(("filters", object(filters)));
                    object(members)
                }),
        )
    })
}

fn persons() -> impl Strategy<Value = Value> {
    let ids = prop::collection::vec(texts(), 1..3);
    let overrides = prop::collection::vec((texts(), texts()), 0..3);
    let person = (
        ids,
        objects(),
        any::<bool>(),
        overrides,
        0_u32..2_000_000_000,
    );
    prop::collection::vec(person, 0..5).prop_map(|persons| {
        list(persons.into_iter().enumerate().map(
            |(i, (ids, properties, member, overrides, at))| {
                let ids = ids
                    .iter()
                    .enumerate()
                    .map(|(j, id)| Value::Text(format!("{i}.{j}.{id}")));
                let overrides = overrides.into_iter().map(|(k, v)| (k, Value::Text(v)));
                let at = chrono::DateTime::from_timestamp(i64::from(at), at % 1_000_000 * 1000);
                object(vec![
                    ("distinct_ids", list(ids)),
                    ("properties", properties),
                    ("created_at", text(&at.unwrap().to_rfc3339())),
                    ("static_cohorts", list(member.then(|| number(7)))),
                    ("hash_key_overrides", map(overrides.collect())),
                ])
            },
        ))
    })
}

fn groups() -> impl Strategy<Value = Value> {
    prop::collection::vec((texts(), objects()), 0..4).prop_map(|groups| {
        list(
            groups
                .into_iter()
                .enumerate()
                .map(|(i, (key, properties))| {
                    object(vec![
                        ("type", text(if i % 2 == 0 { "company" } else { "5" })),
                        ("key", Value::Text(format!("{i}{key}"))),
                        ("properties", properties),
                    ])
                }),
        )
    })
}

fn files() -> impl Strategy<Value = String> {
    (texts(), flags(), persons(), groups(), any::<bool>()).prop_map(
        |(name, flags, persons, groups, sparse)| {
            let second = if sparse { "3" } else { "1" };
            let types = vec![
                ("0".to_owned(), text("company")),
                (second.to_owned(), text("5")),
            ];
            let cohort = object(vec![("id", number(7)), ("is_static", Value::Bool(true))]);
            let project = object(vec![
                ("name", Value::Text(name)),
                ("token", text("t")),
                ("group_types", map(types)),
                ("cohorts", list([cohort])),
                ("flags", flags),
                ("persons", persons),
                ("groups", groups),
            ]);
            let mut json = String::new();
            object(vec![("projects", list([project]))]).write_json(&mut json);
            json
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_file_comes_back(file in files()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(round_trip(&file));
    }
}
