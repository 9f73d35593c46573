use super::*;
use serde_json::json;

fn flag(id: i32, key: &str, filter: serde_json::Value) -> FlagRow {
    FlagRow {
        id,
        project_id: 1,
        key: key.to_owned(),
        name: None,
        filters: json!({"groups": [{"properties": [filter]}]}).to_string(),
        active: false,
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

fn on_flag(id: i32) -> serde_json::Value {
    json!({"type": "flag", "key": id.to_string(), "operator": "flag_evaluates_to", "value": true})
}

fn on_cohort(id: i64) -> serde_json::Value {
    json!({"type": "cohort", "key": "id", "value": id})
}

fn on_person() -> serde_json::Value {
    json!({"type": "person", "key": "a", "operator": "exact", "value": "b"})
}

fn cohort(id: i64, leaf: serde_json::Value) -> CohortRow {
    let filters =
        json!({"properties": {"type": "OR", "values": [{"type": "AND", "values": [leaf]}]}});
    CohortRow {
        id,
        project_id: 1,
        name: None,
        deleted: false,
        is_static: false,
        filters: Some(filters.to_string()),
        groups: None,
        cohort_type: None,
        condition_type: None,
    }
}

/// `b` depends on `a`; `c` uses cohort 2, which refers to cohort 1.
fn definitions() -> Definitions {
    Definitions {
        flags: vec![
            flag(1, "a", on_person()),
            flag(2, "b", on_flag(1)),
            flag(3, "c", on_cohort(2)),
        ],
        cohorts: vec![
            cohort(1, on_person()),
            cohort(2, on_cohort(1)),
            cohort(3, on_person()),
        ],
        group_types: Vec::new(),
    }
}

fn detail(found: Result<(), Invalid>) -> String {
    found.unwrap_err().detail.into_owned()
}

#[test]
fn circles_are_refused_even_among_inactive_flags() {
    let all = definitions();
    let message = detail(all.check_flag(&flag(1, "a", on_flag(2))));
    assert!(
        message.starts_with("Circular dependencies are not allowed"),
        "{message}"
    );
    let message = detail(all.check_flag(&flag(1, "a", on_flag(1))));
    assert!(
        message.starts_with("Circular dependencies are not allowed"),
        "{message}"
    );
    let message = detail(all.check_cohort(&cohort(1, on_cohort(2))));
    assert!(
        message.starts_with("Circular dependencies are not allowed"),
        "{message}"
    );
    assert_eq!(all.check_flag(&flag(4, "d", on_flag(2))), Ok(()));
}

#[test]
fn what_others_need_is_not_taken_away() {
    let all = definitions();
    let mut gone = flag(1, "a", on_person());
    gone.deleted = true;
    let refused = all.check_flag(&gone).unwrap_err();
    assert_eq!(refused.attr.as_deref(), Some("deleted"));
    assert!(
        refused.detail.starts_with("This would break flag `b`"),
        "{}",
        refused.detail
    );
    let mut unused = flag(2, "b", on_flag(1));
    unused.deleted = true;
    assert_eq!(all.check_flag(&unused), Ok(()));
    let mut gone = cohort(1, on_person());
    gone.deleted = true;
    assert!(detail(all.check_cohort(&gone)).starts_with("This would break cohort 2"));
}

#[test]
fn faults_that_were_there_are_nobody_elses() {
    let mut all = definitions();
    all.flags.push(flag(9, "broken", on_flag(77)));
    assert_eq!(all.check_flag(&flag(1, "a", on_person())), Ok(()));
    assert_eq!(
        all.check_flag(&flag(9, "broken", on_flag(77))),
        Ok(()),
        "not even its own, so that it can be switched off"
    );
    let new = all.check_flag(&flag(10, "new", on_flag(77))).unwrap_err();
    assert_eq!(
        new.attr.as_deref(),
        Some("filters__groups__0__properties__0__key")
    );
}

#[test]
fn users_are_found_through_other_cohorts() {
    let all = definitions();
    assert_eq!(all.user_of(1), Some("c"));
    assert_eq!(all.user_of(2), Some("c"));
    assert_eq!(all.user_of(3), None);
}

#[test]
fn behaviour_is_found_through_other_cohorts() {
    let mut all = definitions();
    assert!(!all.is_behavioral(2));
    all.cohorts[0] = cohort(
        1,
        json!({"type": "behavioral", "key": "bought", "value": "performed_event"}),
    );
    assert!(all.is_behavioral(1) && all.is_behavioral(2) && !all.is_behavioral(3));
    all.cohorts[0].is_static = true;
    assert!(!all.is_behavioral(2), "a stored list has no conditions");
    all.cohorts[1] = cohort(2, on_cohort(2));
    assert!(!all.is_behavioral(2), "a circle ends");
}
