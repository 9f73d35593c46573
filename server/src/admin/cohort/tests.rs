use super::*;
use serde_json::json;

fn tree(leaf: serde_json::Value) -> serde_json::Value {
    json!({"properties": {"type": "OR", "values": [{"type": "AND", "values": [leaf]}]}})
}

fn person() -> serde_json::Value {
    json!({"type": "person", "key": "tier", "operator": "exact", "value": ["gold"], "negation": false})
}

fn create(body: &serde_json::Value, definitions: &Definitions) -> Result<CohortChange, AdminError> {
    CohortRequest::parse(&body.to_string())?.create(5, 1, definitions)
}

fn refused(found: Result<CohortChange, AdminError>) -> (String, &'static str) {
    match found.unwrap_err() {
        AdminError::Invalid(invalid) => (invalid.attr.unwrap(), invalid.code),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_breaks_a_rule_names_its_member() {
    let first = "filters__properties__values__0__values__0";
    let of = |leaf: serde_json::Value| json!({"name": "n", "filters": tree(leaf)});
    let cases = [
        (
            json!({"filters": tree(person())}),
            "name".to_owned(),
            "required",
        ),
        (
            json!({"name": " ", "filters": tree(person())}),
            "name".to_owned(),
            "blank",
        ),
        (json!({"name": "n"}), "filters".to_owned(), "required"),
        (
            json!({"name": "n", "filters": []}),
            "filters".to_owned(),
            "not_a_dict",
        ),
        (
            json!({"name": "n", "filters": {}}),
            "filters__properties".to_owned(),
            "required",
        ),
        (
            json!({"name": "n", "filters": {"properties": {"values": []}}}),
            "filters__properties__type".to_owned(),
            "required",
        ),
        (
            json!({"name": "n", "filters": {"properties": {"type": "XOR", "values": []}}}),
            "filters__properties__type".to_owned(),
            "invalid_input",
        ),
        (
            json!({"name": "n", "filters": {"properties": {"type": "AND"}}}),
            "filters__properties__values".to_owned(),
            "required",
        ),
        (of(json!(5)), first.to_owned(), "invalid"),
        (
            of(json!({"key": "a"})),
            format!("{first}__type"),
            "required",
        ),
        (
            of(json!({"type": "group", "key": "a", "value": 1})),
            format!("{first}__type"),
            "invalid_input",
        ),
        (
            of(json!({"type": "person", "key": "a", "operator": "like", "value": 1})),
            format!("{first}__operator"),
            "invalid_operator",
        ),
        (
            of(json!({"type": "person", "key": "a", "operator": "regex", "value": "("})),
            format!("{first}__value"),
            "invalid_input",
        ),
        (
            of(json!({"type": "person", "key": "a", "value": 1, "negation": "no"})),
            format!("{first}__negation"),
            "invalid",
        ),
        (
            of(json!({"type": "cohort", "key": "id", "value": 8})),
            format!("{first}__value"),
            "cohort_does_not_exist",
        ),
        (
            json!({"name": "n", "filters": tree(person()), "_create_static_person_ids": [1]}),
            "_create_static_person_ids".to_owned(),
            "invalid_input",
        ),
        (
            json!({"name": "n", "is_static": true, "_create_static_person_ids": [{}]}),
            "_create_static_person_ids__0".to_owned(),
            "invalid",
        ),
        (
            json!({"name": "n", "is_static": "x"}),
            "is_static".to_owned(),
            "invalid",
        ),
    ];
    for (body, attr, code) in cases {
        let found = refused(create(&body, &Definitions::default()));
        assert_eq!((found.0.as_str(), found.1), (attr.as_str(), code), "{body}");
    }
}

#[test]
fn cohorts_that_nobody_uses_may_ask_for_behaviour() {
    let body = json!({"name": "n", "filters": tree(json!({"type": "behavioral", "key": "bought", "value": "performed_event"}))});
    let change = create(&body, &Definitions::default()).unwrap();
    assert!(change.is_changed && !change.row.is_static);
}

#[test]
fn persons_are_named_by_uuid_or_number() {
    let uuid = super::super::person::uuid_of(12).to_string();
    let body = json!({"ids": [uuid, 12, 7, "nobody", 0]}).to_string();
    let read = PersonIds::read(&Members::parse(&body).unwrap(), "ids").unwrap();
    assert_eq!(
        read,
        Some(PersonIds {
            ids: vec![7, 12],
            unknown: 2
        })
    );
}

#[test]
fn an_older_version_is_a_conflict() {
    let row = create(
        &json!({"name": "n", "is_static": true}),
        &Definitions::default(),
    )
    .unwrap()
    .row;
    let old = CohortRecord {
        cohort: row,
        description: None,
        version: 3,
        created_at_microseconds: None,
        created_by: None,
        calculated_at_microseconds: None,
    };
    let update = |body: serde_json::Value| {
        CohortRequest::parse(&body.to_string())
            .unwrap()
            .update(&old, &Definitions::default())
    };
    assert_eq!(update(json!({"version": 2})), Err(AdminError::Conflict));
    assert!(
        !update(json!({"version": 3, "name": "n"}))
            .unwrap()
            .is_changed
    );
    assert!(update(json!({"description": "d"})).unwrap().is_changed);
}

#[test]
fn a_form_is_read_as_json_would_be() {
    let fields = [
        ("name", "n"),
        ("is_static", "True"),
        ("filters", "{\"properties\": 1}"),
        ("version", "4"),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let read = CohortRequest::read(&Members::of_form(fields.to_vec())).unwrap();
    assert_eq!(
        (read.name.as_deref(), read.is_static, read.version),
        (Some("n"), Some(true), Some(4))
    );
    assert!(read.filters.is_some());
}
