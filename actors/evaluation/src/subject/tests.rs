use super::person::PersonView;
use crate::{
    outcome::FailureCode,
    property::Completeness,
    subject::StoredPerson,
    testing::{World, flag, object, when},
};
use serde_json::{Value, json};
use std::collections::HashSet;

fn stored(properties: Value) -> StoredPerson {
    StoredPerson {
        properties: object(properties),
        created_at: "2026-01-05T08:00:00.25Z".parse().unwrap(),
        static_cohorts: HashSet::new(),
    }
}

#[test]
fn person_properties_are_merged_in_the_order_of_the_steps() {
    // stored, overrides, key, value
    let cases = [
        (
            json!({"plan": "pro"}),
            json!({}),
            "plan",
            Some(json!("pro")),
        ),
        (
            json!({"plan": "pro"}),
            json!({"plan": "free"}),
            "plan",
            Some(json!("free")),
        ),
        (
            json!({"plan": "pro"}),
            json!({"plan": null}),
            "plan",
            Some(json!(null)),
        ),
        (json!({"plan": null}), json!({}), "plan", Some(json!(null))),
        (json!({}), json!({}), "plan", None),
        (
            json!({"o": {"a": 1, "b": 2}}),
            json!({"o": {"a": 3}}),
            "o",
            Some(json!({"a": 3})),
        ),
        // the distinct id
        (json!({}), json!({}), "distinct_id", Some(json!("maria"))),
        (
            json!({"distinct_id": "stored"}),
            json!({}),
            "distinct_id",
            Some(json!("maria")),
        ),
        (
            json!({}),
            json!({"distinct_id": 7}),
            "distinct_id",
            Some(json!(7)),
        ),
        (
            json!({}),
            json!({"distinct_id": null}),
            "distinct_id",
            Some(json!(null)),
        ),
        // $os and $os_name
        (
            json!({"$os": "Linux"}),
            json!({}),
            "$os_name",
            Some(json!("Linux")),
        ),
        (
            json!({}),
            json!({"$os_name": "Linux"}),
            "$os",
            Some(json!("Linux")),
        ),
        (
            json!({"$os": "a"}),
            json!({"$os_name": "b"}),
            "$os",
            Some(json!("a")),
        ),
        (
            json!({"$os": "a"}),
            json!({"$os_name": "b"}),
            "$os_name",
            Some(json!("b")),
        ),
        (
            json!({}),
            json!({"$os": null}),
            "$os_name",
            Some(json!(null)),
        ),
        // first touch
        (
            json!({}),
            json!({"$browser": "x"}),
            "$initial_browser",
            Some(json!("x")),
        ),
        (
            json!({"utm_source": "s"}),
            json!({}),
            "$initial_utm_source",
            Some(json!("s")),
        ),
        (json!({"_kx": 1}), json!({}), "$initial__kx", Some(json!(1))),
        (
            json!({"$initial_browser": "old"}),
            json!({"$browser": "x"}),
            "$initial_browser",
            Some(json!("old")),
        ),
        (
            json!({"$initial_browser": null}),
            json!({"$browser": "x"}),
            "$initial_browser",
            Some(json!(null)),
        ),
        (
            json!({}),
            json!({"$os": "Linux"}),
            "$initial_os_name",
            Some(json!("Linux")),
        ),
        (
            json!({}),
            json!({"$os_name": "Linux"}),
            "$initial_os",
            Some(json!("Linux")),
        ),
        (
            json!({"$initial_os": "a"}),
            json!({}),
            "$initial_os_name",
            None,
        ),
        (json!({}), json!({"plan": "x"}), "$initial_plan", None),
        (
            json!({}),
            json!({"$utm_source": "x"}),
            "$initial_utm_source",
            None,
        ),
        (json!({}), json!({"browser": "x"}), "$initial_browser", None),
    ];
    for (stored_properties, overrides, key, expected) in cases {
        let person = stored(stored_properties);
        let overrides = object(overrides);
        let view = PersonView::new(
            &overrides,
            "maria",
            Some(&person),
            Completeness::Complete,
            0,
        );
        assert_eq!(view.get(key), expected.as_ref(), "{key} {overrides:?}");
        assert_eq!(view.get(key), expected.as_ref(), "{key} the second time");
    }
}

#[test]
fn every_first_touch_property_is_copied() {
    let names = "$app_build $app_name $app_namespace $app_version $browser $browser_version $device_type $current_url \
        $pathname $os $os_name $os_version $referring_domain $referrer $screen_height $screen_width $viewport_height \
        $viewport_width $raw_user_agent utm_source utm_medium utm_campaign utm_content utm_term gclid gad_source gclsrc \
        dclid gbraid wbraid fbclid msclkid twclid li_fat_id mc_cid igshid ttclid rdt_cid epik qclid sccid irclid _kx";
    for name in names.split_whitespace() {
        let overrides = object(json!({ name: "x" }));
        let view = PersonView::new(&overrides, "maria", None, Completeness::Complete, 0);
        let initial = format!("$initial_{}", name.strip_prefix('$').unwrap_or(name));
        assert_eq!(view.get(&initial), Some(&json!("x")), "{initial}");
    }
}

#[test]
fn metadata_is_the_creation_time_and_nothing_else() {
    let overrides = object(json!({"created_at": "2030-01-01"}));
    let person = stored(json!({"created_at": "2031-01-01", "plan": "pro"}));
    let view = PersonView::new(
        &overrides,
        "maria",
        Some(&person),
        Completeness::Complete,
        0,
    );
    assert_eq!(
        view.metadata("created_at"),
        Some(&json!("2026-01-05T08:00:00.250Z"))
    );
    assert_eq!(view.metadata("plan"), None);
    let nobody = PersonView::new(&overrides, "maria", None, Completeness::Complete, 0);
    assert_eq!(nobody.metadata("created_at"), None);
}

#[test]
fn metadata_filters_compare_the_creation_time() {
    let filter = |key: &str, operator: &str, value: Value| {
        when(json!([{"key": key, "type": "person_metadata", "operator": operator, "value": value}]))
    };
    let cases = [
        (
            "created_at",
            "is_date_after",
            json!("2026-01-05"),
            "true condition_match 0",
        ),
        (
            "created_at",
            "is_date_after",
            json!("2026-01-06"),
            "false no_condition_match 0",
        ),
        (
            "created_at",
            "is_set",
            json!(null),
            "true condition_match 0",
        ),
        ("plan", "is_set", json!(null), "false no_condition_match 0"),
        ("plan", "is_not_set", json!(null), "true condition_match 0"),
    ];
    for (key, operator, value, expected) in cases {
        let world = World::of(filter(key, operator, value.clone()))
            .stored_person(json!({"plan": "pro"}), &[])
            .overrides(json!({"created_at": "2030-01-01"}));
        assert_eq!(world.answer(), expected, "{key} {operator} {value}");
        assert!(world.needs().state, "a request cannot supply it");
    }
    // no person: absent, and certainly so
    let nobody = World::of(filter("created_at", "is_not_set", json!(null)));
    assert_eq!(nobody.answer(), "true condition_match 0");
    let unread = World::of(filter("created_at", "is_not_set", json!(null))).state_not_read();
    assert_eq!(unread.answer(), "false no_condition_match 0");
}

#[test]
fn an_unknown_person_is_complete_and_empty() {
    for (operator, expected) in [
        ("is_not", "true condition_match 0"),
        ("not_icontains", "true condition_match 0"),
        ("is_not_set", "true condition_match 0"),
        ("exact", "false no_condition_match 0"),
    ] {
        let filters =
            json!([{"key": "plan", "type": "person", "operator": operator, "value": "x"}]);
        assert_eq!(
            World::of(when(filters.clone())).answer(),
            expected,
            "{operator}"
        );
        // not read: fails closed, whatever the operator
        let unread = World::of(when(filters)).state_not_read();
        assert_eq!(unread.answer(), "false no_condition_match 0", "{operator}");
    }
}

/// A condition about `about` with a group filter on `plan`, whose own index may be missing.
fn group_filter(about: Value, index: Value, key: &str, operator: &str) -> Value {
    json!({"groups": [{
        "aggregation_group_type_index": about,
        "properties": [{"key": key, "type": "group", "group_type_index": index, "operator": operator, "value": "pro"}],
    }]})
}

#[test]
fn group_properties_are_merged() {
    let world = |key: &str, operator: &str| {
        World::of(group_filter(json!(0), json!(null), key, operator))
            .groups(json!({"company": "pro"}))
            .stored_group(
                0,
                json!({"plan": "pro", "tier": "pro", "$group_key": "stored"}),
            )
            .group_overrides(
                "company",
                json!({"tier": "free", "zone": "pro", "$group_key": "sent", "gone": null}),
            )
            .group_overrides("unknown", json!({"plan": "free"}))
            .answer()
    };
    let yes = "true condition_match 0";
    let no = "false no_condition_match 0";
    assert_eq!(world("plan", "exact"), yes);
    assert_eq!(world("tier", "exact"), no);
    assert_eq!(world("zone", "exact"), yes);
    assert_eq!(world("gone", "is_set"), yes);
    assert_eq!(world("absent", "is_not"), yes);
    assert_eq!(
        world("$group_key", "exact"),
        yes,
        "the key wins over properties of that name"
    );
}

#[test]
fn a_group_that_is_not_stored_has_what_the_request_says() {
    let world = |key: &str, operator: &str| {
        World::of(group_filter(json!(0), json!(null), key, operator))
            .groups(json!({"company": "acme"}))
            .group_overrides("company", json!({"plan": "pro"}))
            .answer()
    };
    assert_eq!(world("plan", "exact"), "true condition_match 0");
    assert_eq!(world("tier", "is_not"), "true condition_match 0");
    assert_eq!(world("$group_key", "is_not"), "true condition_match 0");
}

#[test]
fn without_a_key_a_group_filter_sees_what_the_table_says() {
    let yes = "true condition_match 0";
    let no = "false no_condition_match 0";
    let persons = || json!(null);
    // what is told, the index of the filter, the groups, exact, is_not, is_not_set
    let cases = [
        (
            "known, with overrides",
            json!(0),
            json!({"project": "p"}),
            true,
            [yes, no, no],
        ),
        (
            "known, unusable key, with overrides",
            json!(0),
            json!({"company": null}),
            true,
            [yes, no, no],
        ),
        (
            "known, without overrides",
            json!(0),
            json!({}),
            false,
            [no, yes, yes],
        ),
        (
            "not in the mapping, no group mentioned",
            json!(4),
            json!({}),
            true,
            [no, yes, yes],
        ),
        (
            "not in the mapping, a group mentioned",
            json!(4),
            json!({"project": "p"}),
            true,
            [no, no, no],
        ),
        (
            "not in the mapping, an unknown group mentioned",
            json!(4),
            json!({"x": null}),
            true,
            [no, no, no],
        ),
        (
            "beyond any mapping, a group mentioned",
            json!(300),
            json!({"project": "p"}),
            true,
            [no, no, no],
        ),
        (
            "no index, in a condition about persons",
            json!(null),
            json!({"company": "c"}),
            true,
            [no, yes, yes],
        ),
    ];
    for (case, index, groups, with_overrides, expected) in cases {
        for (operator, expected) in ["exact", "is_not", "is_not_set"].into_iter().zip(expected) {
            let mut world = World::of(group_filter(persons(), index.clone(), "plan", operator))
                .groups(groups.clone());
            if with_overrides {
                world = world.group_overrides("company", json!({"plan": "pro"}));
            }
            assert_eq!(world.answer(), expected, "{case}, {operator}");
        }
    }
}

#[test]
fn a_group_without_a_key_is_complete_also_when_the_store_was_not_read() {
    let world = |groups: Value| {
        World::of(group_filter(json!(null), json!(0), "plan", "is_not"))
            .groups(groups)
            .state_not_read()
            .answer()
    };
    assert_eq!(world(json!({"company": null})), "true condition_match 0");
    assert_eq!(world(json!({"company": "c"})), "false no_condition_match 0");
}

#[test]
fn the_index_of_a_filter_goes_before_that_of_its_condition() {
    let world = |index: Value| {
        World::of(group_filter(json!(0), index, "plan", "exact"))
            .groups(json!({"company": "c", "project": "p"}))
            .stored_group(0, json!({"plan": "pro"}))
            .stored_group(1, json!({"plan": "free"}))
            .answer()
    };
    assert_eq!(world(json!(null)), "true condition_match 0");
    assert_eq!(world(json!(1)), "false no_condition_match 0");
}

#[test]
fn person_and_cohort_filters_work_on_the_person_in_conditions_about_groups() {
    let filters = json!({"aggregation_group_type_index": 0, "groups": [{"properties": [
        {"key": "plan", "type": "person", "value": "pro"}, {"key": "id", "type": "cohort", "value": 5},
    ]}]});
    let world = |plan: &str| {
        World::of(filters.clone())
            .cohorts([
                json!({"id": 5, "filters": {"properties": {"type": "AND", "values": [
                    {"key": "plan", "type": "group", "value": "pro"},
                ]}}}),
            ])
            .groups(json!({"company": "c"}))
            .stored_group(0, json!({"plan": "group's own"}))
            .stored_person(json!({ "plan": plan }), &[])
            .answer()
    };
    assert_eq!(world("pro"), "true condition_match 0");
    assert_eq!(world("free"), "false no_condition_match 0");
}

#[test]
fn a_mapping_that_could_not_be_loaded_hides_group_properties() {
    let mut world = World::new(vec![flag(
        1,
        "f",
        group_filter(json!(null), json!(0), "plan", "is_not"),
    )])
    .groups(json!({"company": "c"}));
    world.group_types = Err(FailureCode::DatabaseError);
    assert_eq!(world.answer(), "false no_condition_match 0");
    world.subject.groups.clear();
    assert_eq!(world.answer(), "true condition_match 0");
}

#[test]
fn a_number_finds_what_the_name_finds() {
    let overrides = object(json!({"plan": "pro", "$os_name": "Linux"}));
    let person = stored(json!({"plan": "free", "utm_source": "ad", "distinct_id": "stored"}));
    let keys = [
        "plan",
        "$os",
        "$initial_utm_source",
        "distinct_id",
        "absent",
        "beyond",
    ];
    for stored in [Some(&person), None] {
        let view = PersonView::new(&overrides, "maria", stored, Completeness::Complete, 5);
        // the second time, it is remembered; the last number is one too many
        for _ in 0..2 {
            for (number, key) in keys.into_iter().enumerate() {
                assert_eq!(view.get_numbered(number, key), view.get(key), "{key}");
            }
        }
    }
}
