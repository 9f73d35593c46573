use super::*;
use serde_json::{Value, json};

fn request(body: Value) -> FlagRequest {
    FlagRequest::parse(&body.to_string()).unwrap()
}

fn create(body: Value) -> Result<FlagChange, AdminError> {
    FlagRequest::parse(&body.to_string())?.create(7, 1, &Definitions::default())
}

fn refused(found: Result<FlagChange, AdminError>) -> (Option<String>, &'static str, String) {
    match found.unwrap_err() {
        AdminError::Invalid(invalid) => (invalid.attr, invalid.code, invalid.detail.into_owned()),
        other => panic!("{other:?}"),
    }
}

fn stored(body: Value) -> FlagRecord {
    let change = create(body).unwrap();
    let mut flag = change.row;
    flag.version = 3;
    FlagRecord {
        flag,
        details: FlagDetails {
            tags: change.tags,
            ..FlagDetails::default()
        },
    }
}

fn update(old: &FlagRecord, body: Value) -> Result<FlagChange, AdminError> {
    let definitions = Definitions {
        flags: vec![old.flag.clone()],
        ..Definitions::default()
    };
    request(body).update(old, &definitions)
}

#[test]
fn a_new_flag_has_defaults() {
    let change = create(json!({"key": "a", "filters": {"groups": [{}]}})).unwrap();
    let row = &change.row;
    assert_eq!((row.id, row.project_id, row.key.as_str()), (7, 1, "a"));
    assert!(row.active && !row.archived && !row.deleted && change.is_changed);
    assert_eq!(row.name.as_deref(), Some(""));
    assert_eq!(
        row.filters,
        r#"{"groups":[{"aggregation_group_type_index":null}]}"#
    );
    assert_eq!(change.tags, None);
    let shown = FlagResponse::new(
        stored(json!({"key": "a", "filters": {"groups": [{}]}})),
        None,
    );
    assert_eq!(shown.evaluation_runtime, "all");
    assert_eq!(shown.status, "ACTIVE");
}

#[test]
fn what_breaks_a_rule_names_its_member() {
    let with = |name: &str, value: Value| {
        let mut body = json!({"key": "a", "filters": {"groups": [{}]}});
        body[name] = value;
        body
    };
    let cases = [
        (json!({"filters": {"groups": [{}]}}), "key", "required"),
        (json!({"key": "a"}), "filters", "invalid_input"),
        (with("key", json!("")), "key", "blank"),
        (with("key", json!("a b")), "key", "invalid_key"),
        (with("key", json!("a.b")), "key", "invalid_key"),
        (with("key", json!("ä")), "key", "invalid_key"),
        (with("key", json!("x".repeat(401))), "key", "max_length"),
        (with("key", json!(5)), "key", "invalid"),
        (with("key", Value::Null), "key", "null"),
        (with("active", json!("yes")), "active", "invalid"),
        (with("tags", json!("x")), "tags", "not_a_list"),
        (with("tags", json!([5])), "tags__0", "invalid"),
        (with("filters", json!([])), "filters", "not_a_dict"),
        (with("archived", json!(true)), "archived", "invalid_input"),
        (
            with("evaluation_runtime", json!("edge")),
            "evaluation_runtime",
            "invalid_choice",
        ),
        (
            with("bucketing_identifier", json!("cookie")),
            "bucketing_identifier",
            "invalid_choice",
        ),
        (
            with("has_encrypted_payloads", json!(true)),
            "has_encrypted_payloads",
            "invalid_input",
        ),
        (with("version", json!("1")), "version", "invalid"),
        (
            json!({"key": "a", "filters": {"groups": [{}]}, "bucketing_identifier": "device_id", "ensure_experience_continuity": true}),
            "ensure_experience_continuity",
            "invalid_input",
        ),
    ];
    for (body, attr, code) in cases {
        let found = refused(create(body.clone()));
        assert_eq!((found.0.as_deref(), found.1), (Some(attr), code), "{body}");
    }
}

#[test]
fn a_key_is_unique_among_others() {
    let old = stored(json!({"key": "a", "filters": {"groups": [{}]}}));
    let definitions = Definitions {
        flags: vec![old.flag.clone()],
        ..Definitions::default()
    };
    let body = json!({"key": "a", "filters": {"groups": [{}]}});
    let again = request(body).create(8, 1, &definitions);
    assert_eq!(
        refused(again),
        (
            Some("key".to_owned()),
            "unique",
            "There is already a feature flag with this key.".to_owned()
        )
    );
    assert!(!update(&old, json!({"key": "a"})).unwrap().is_changed);
    // A deleted one does not count, and must find its key free when it comes back.
    let mut deleted = old.clone();
    deleted.flag.id = 9;
    deleted.flag.deleted = true;
    let back = request(json!({"deleted": false})).update(&deleted, &definitions);
    assert_eq!(refused(back).1, "unique");
}

#[test]
fn what_a_change_leaves_out_stays() {
    let old = stored(json!({
        "key": "a", "name": "n", "tags": ["x"], "evaluation_contexts": ["web"], "evaluation_runtime": "server",
        "filters": {"groups": [{"rollout_percentage": 5}]},
    }));
    for (body, is_changed) in [
        (json!({}), false),
        (
            json!({"key": "a", "name": "n", "tags": ["x"], "active": true}),
            false,
        ),
        (json!({"filters": {"payloads": {"true": "1"}}}), false),
        (
            json!({"unknown": 1, "_create_in_folder": "f", "experiment_set": []}),
            false,
        ),
        (json!({"tags": ["y"]}), true),
        (json!({"name": ""}), true),
        (json!({"evaluation_runtime": "all"}), true),
        (json!({"evaluation_tags": []}), true),
        (json!({"filters": {"groups": [{}]}}), true),
    ] {
        let change = update(&old, body.clone()).unwrap();
        assert_eq!(change.is_changed, is_changed, "{body}");
        assert_eq!(
            change.row == old.flag && change.tags.is_none(),
            !is_changed,
            "{body}"
        );
    }
}

#[test]
fn an_older_version_is_a_conflict() {
    let old = stored(json!({"key": "a", "filters": {"groups": [{}]}}));
    assert_eq!(
        update(&old, json!({"version": 2, "name": "x"})),
        Err(AdminError::Conflict)
    );
    for version in [3, 4] {
        assert!(
            update(&old, json!({"version": version, "name": "x"}))
                .unwrap()
                .is_changed
        );
    }
}

#[test]
fn a_flag_is_shown_with_all_its_members() {
    let old = stored(json!({
        "key": "a", "tags": ["x"], "active": false,
        "filters": {"groups": [{"rollout_percentage": 25.5}], "unknown": 1e2},
    }));
    let shown = serde_json::to_value(FlagResponse::new(old, Some(1_000_000))).unwrap();
    assert_eq!(shown["rollout_percentage"], json!(25.5));
    assert_eq!(shown["last_called_at"], "1970-01-01T00:00:01.000000Z");
    assert_eq!(shown["status"], "INACTIVE");
    assert_eq!(shown["filters"]["unknown"], json!(100.0));
    for (name, value) in [
        ("experiment_set", json!([])),
        ("usage_dashboard", Value::Null),
        ("can_edit", json!(true)),
        ("user_access_level", json!("manager")),
        ("has_encrypted_payloads", json!(false)),
        ("created_by", Value::Null),
        ("tags", json!(["x"])),
    ] {
        assert_eq!(shown[name], value, "{name}");
    }
}
