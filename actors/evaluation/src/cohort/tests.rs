use crate::testing::{World, in_cohort, person, when};
use serde_json::{Value, json};

const MEMBER: &str = "true condition_match 0";
const OTHER: &str = "false no_condition_match 0";
const NOT_FOUND: &str = "failed dependency_not_found_cohort";
const CYCLE: &str = "failed dependency_cycle_cohort";
const UNREADABLE: &str = "failed cohort_filters_parsing_error";

/// Cohort 6 is static and has maria; 7 is static and has not.
fn world(cohorts: impl IntoIterator<Item = Value>) -> World {
    let statics = [
        json!({"id": 6, "is_static": true}),
        json!({"id": 7, "is_static": true}),
    ];
    World::of(when(json!([in_cohort(5)])))
        .cohorts(cohorts.into_iter().chain(statics))
        .stored_person(json!({"plan": "pro", "seats": 5}), &[6])
}

fn tree(id: i64, kind: &str, values: Value) -> Value {
    json!({"id": id, "filters": {"properties": {"type": kind, "values": values}}})
}

/// Returns whether maria is in cohort 5 with this tree.
fn answer(kind: &str, values: Value) -> String {
    world([tree(5, kind, values)]).answer()
}

fn leaf(value: &str, negation: bool) -> Value {
    json!({"key": "plan", "type": "person", "value": value, "negation": negation})
}

fn other(id: i64, operator: &str, negation: bool) -> Value {
    json!({"key": "id", "type": "cohort", "value": id, "operator": operator, "negation": negation})
}

#[test]
fn the_filter_takes_an_integer_and_two_operators() {
    let cases = [
        (json!(6), json!(null), MEMBER),
        (json!(6), json!("in"), MEMBER),
        (json!(6), json!("not_in"), OTHER),
        (json!(7), json!("in"), OTHER),
        (json!(7), json!("not_in"), MEMBER),
        (json!(6), json!("exact"), OTHER),
        (json!(7), json!("is_not"), OTHER),
        (json!("6"), json!("in"), UNREADABLE),
        (json!(6.0), json!("in"), UNREADABLE),
        (json!([6]), json!("in"), UNREADABLE),
        (json!(null), json!("in"), UNREADABLE),
        (json!("6"), json!("exact"), UNREADABLE),
        (json!(99), json!("not_in"), NOT_FOUND),
    ];
    for (value, operator, expected) in cases {
        let filter = json!({"key": "id", "type": "cohort", "value": value, "operator": operator, "negation": true});
        let mut world = world([]);
        world.flags = World::of(when(json!([filter.clone()]))).flags;
        assert_eq!(world.answer(), expected, "{filter}");
    }
}

#[test]
fn static_cohorts_have_stored_members_and_no_filters() {
    let odd = |id: i64| json!({"id": id, "is_static": true, "filters": "not read", "groups": 5});
    let mut world = world([odd(5)]);
    assert_eq!(world.answer(), OTHER);
    world = world.stored_person(json!({}), &[5]);
    assert_eq!(world.answer(), MEMBER);
    // no person: not a member
    let nobody = World::of(when(json!([other(6, "not_in", false)]))).cohorts([odd(6)]);
    assert_eq!(nobody.answer(), MEMBER);
}

#[test]
fn trees_are_any_and_all_with_negation() {
    let behavioral = |negation: bool| json!({"type": "behavioral", "key": "e", "value": "performed_event", "negation": negation});
    let cases = [
        ("AND", json!([]), MEMBER),
        ("OR", json!([]), OTHER),
        (
            "AND",
            json!([leaf("pro", false), leaf("free", false)]),
            OTHER,
        ),
        (
            "OR",
            json!([leaf("pro", false), leaf("free", false)]),
            MEMBER,
        ),
        ("AND", json!([leaf("free", true)]), MEMBER),
        ("AND", json!([leaf("pro", true)]), OTHER),
        // absent: the plain leaf is false, the negated one true
        (
            "AND",
            json!([{"key": "tier", "type": "person", "value": "x", "negation": true}]),
            MEMBER,
        ),
        // an error is a non-match before negation
        (
            "AND",
            json!([{"key": "plan", "type": "person", "operator": "gt", "value": 5}]),
            OTHER,
        ),
        (
            "AND",
            json!([{"key": "plan", "type": "person", "operator": "gt", "value": 5, "negation": true}]),
            MEMBER,
        ),
        (
            "AND",
            json!([{"key": "plan", "type": "person", "operator": "regex", "value": "[", "negation": true}]),
            MEMBER,
        ),
        (
            "AND",
            json!([{"key": "1", "type": "flag", "operator": "flag_evaluates_to", "value": true, "negation": true}]),
            MEMBER,
        ),
        (
            "AND",
            json!([{"key": "plan", "type": "person", "operator": "is_not", "value": null, "negation": true}]),
            MEMBER,
        ),
        // group leaves read the person
        (
            "AND",
            json!([{"key": "plan", "type": "group", "group_type_index": 0, "value": "pro"}]),
            MEMBER,
        ),
        (
            "AND",
            json!([{"key": "created_at", "type": "person_metadata", "operator": "is_set"}]),
            MEMBER,
        ),
        // cohort leaves, negation on top of not_in
        ("AND", json!([other(6, "in", false)]), MEMBER),
        ("AND", json!([other(6, "in", true)]), OTHER),
        ("AND", json!([other(6, "not_in", false)]), OTHER),
        ("AND", json!([other(6, "not_in", true)]), MEMBER),
        ("OR", json!([other(7, "in", true)]), MEMBER),
        ("OR", json!([other(6, "exact", false)]), OTHER),
        ("OR", json!([other(6, "exact", true)]), MEMBER),
        // nested
        (
            "OR",
            json!([{"type": "AND", "values": [leaf("pro", false), other(6, "in", false)]}]),
            MEMBER,
        ),
        (
            "AND",
            json!([{"type": "OR", "values": [leaf("free", false), other(7, "in", false)]}]),
            OTHER,
        ),
        (
            "OR",
            json!([{"type": "property", "values": [leaf("pro", false)]}]),
            MEMBER,
        ),
        (
            "OR",
            json!([{"type": "property", "values": [leaf("pro", false), leaf("free", false)]}]),
            OTHER,
        ),
        // what is not supported is false, whatever its negation says
        ("OR", json!([behavioral(false), leaf("pro", false)]), MEMBER),
        ("AND", json!([behavioral(false), leaf("pro", false)]), OTHER),
        ("AND", json!([behavioral(true)]), OTHER),
        (
            "AND",
            json!([{"type": "lifecycle", "negation": true}]),
            OTHER,
        ),
        (
            "AND",
            json!([{"key": "plan", "type": "event", "value": "pro", "negation": true}]),
            OTHER,
        ),
        (
            "AND",
            json!([{"key": "plan", "value": "pro", "negation": true}]),
            OTHER,
        ),
        (
            "AND",
            json!([{"type": "person", "value": "pro", "negation": true}]),
            OTHER,
        ),
        (
            "AND",
            json!([{"key": "plan", "type": "person", "operator": "foo", "value": "pro", "negation": true}]),
            OTHER,
        ),
        ("AND", json!(["text"]), OTHER),
        ("OR", json!([null, {}, leaf("pro", false)]), MEMBER),
    ];
    for (kind, values, expected) in cases {
        let text = values.to_string();
        assert_eq!(answer(kind, values), expected, "{kind} {text}");
    }
}

#[test]
fn cohorts_see_the_overrides_of_the_request() {
    let cohorts = [tree(5, "AND", json!([leaf("free", false)]))];
    assert_eq!(
        world(cohorts).overrides(json!({"plan": "free"})).answer(),
        MEMBER
    );
}

#[test]
fn cohorts_take_properties_as_complete_also_when_the_store_was_not_read() {
    let absent = json!({"key": "tier", "type": "person", "operator": "is_not", "value": "x"});
    let world = world([tree(5, "AND", json!([absent]))]).state_not_read();
    assert_eq!(world.answer(), MEMBER);
}

#[test]
fn unreadable_trees_fail_the_flag() {
    let properties = |properties: Value| json!({"id": 5, "filters": {"properties": properties}});
    let cases = [
        properties(json!({})),
        properties(json!(null)),
        properties(json!([])),
        properties(json!({"type": "and", "values": []})),
        properties(json!({"type": "property", "values": []})),
        properties(json!({"values": []})),
        properties(json!({"type": "AND"})),
        properties(json!({"type": "AND", "values": {}})),
        properties(
            json!({"type": "OR", "values": [leaf("pro", false), {"type": "XOR", "values": []}]}),
        ),
        properties(
            json!({"type": "OR", "values": [leaf("pro", false), {"type": "AND", "values": 1}]}),
        ),
        properties(
            json!({"type": "OR", "values": [{"key": "id", "type": "cohort", "value": "6"}]}),
        ),
        properties(json!({"type": "OR", "values": [{"key": "id", "type": "cohort"}]})),
        json!({"id": 5, "filters": {"other": 1}}),
        json!({"id": 5, "filters": []}),
        json!({"id": 5, "filters": "x"}),
        json!({"id": 5, "groups": {}}),
    ];
    for cohort in cases {
        let text = cohort.to_string();
        assert_eq!(world([cohort]).answer(), UNREADABLE, "{text}");
    }
}

#[test]
fn no_tree_at_all_has_no_members() {
    for cohort in [
        json!({"id": 5}),
        json!({"id": 5, "filters": null}),
        json!({"id": 5, "filters": {}}),
        json!({"id": 5, "filters": {}, "groups": []}),
        json!({"id": 5, "groups": null}),
    ] {
        assert_eq!(world([cohort]).answer(), OTHER);
    }
}

#[test]
fn legacy_groups_are_an_or_of_entries() {
    let untyped = |value: &str| json!({"key": "plan", "value": value});
    let cases = [
        (json!([{"properties": [untyped("pro")]}]), MEMBER),
        (json!([{"properties": [untyped("free")]}]), OTHER),
        (
            json!([{"properties": [untyped("free")]}, {"properties": [untyped("pro")]}]),
            MEMBER,
        ),
        (
            json!([{"properties": [untyped("pro"), untyped("free")]}]),
            OTHER,
        ),
        (
            json!([{"properties": [{"key": "plan", "type": null, "value": "pro"}]}]),
            MEMBER,
        ),
        (
            json!([{"properties": [{"key": "plan", "type": "event", "value": "pro"}]}]),
            MEMBER,
        ),
        (
            json!([{"properties": [{"key": "plan", "type": "person", "value": "free", "negation": true}]}]),
            MEMBER,
        ),
        (
            json!([{"properties": [{"key": "plan", "type": "behavioral", "value": "pro"}]}]),
            OTHER,
        ),
        (
            json!([{"properties": [{"key": "id", "type": "cohort", "value": 6}]}]),
            MEMBER,
        ),
        (
            json!([{"properties": {"type": "OR", "values": [leaf("free", false), leaf("pro", false)]}}]),
            MEMBER,
        ),
        (
            json!([{"properties": {"type": "AND", "values": [leaf("free", false), leaf("pro", false)]}}]),
            OTHER,
        ),
        (json!([{"properties": {"plan": "pro", "seats": 5}}]), MEMBER),
        (json!([{"properties": {"plan": "pro", "seats": 6}}]), OTHER),
        (json!([{"properties": {"plan": "PRO"}}]), MEMBER),
        // unreadable or unsupported entries are false, and do not fail the cohort
        (json!([{"properties": []}]), OTHER),
        (json!([{"properties": {}}]), OTHER),
        (json!([{"properties": null}]), OTHER),
        (json!([{}]), OTHER),
        (json!(["x", {"properties": [untyped("pro")]}]), MEMBER),
        (
            json!([{"action_id": 5, "properties": [untyped("pro")]}]),
            OTHER,
        ),
        (json!([{"event_id": "$pageview", "days": 7}]), OTHER),
        (
            json!([{"action_id": null, "event_id": null, "properties": [untyped("pro")]}]),
            MEMBER,
        ),
        (json!([{"properties": {"type": "OR"}}]), OTHER),
        (
            json!([{"properties": {"values": [leaf("pro", false)]}}]),
            OTHER,
        ),
        (
            json!([{"properties": {"type": "XOR", "values": [leaf("pro", false)]}}]),
            OTHER,
        ),
        (
            json!([{"properties": ["x"]}, {"properties": [untyped("pro")]}]),
            MEMBER,
        ),
        (
            json!([{"properties": {"type": "OR", "values": [other(99, "in", false), {"type": "X", "values": []}]}}]),
            OTHER,
        ),
        (
            // a reference to itself would be a circle, but an unreadable entry refers to nothing
            json!([{"properties": {"type": "OR", "values": [other(5, "in", false), {"type": "X", "values": []}]}}]),
            OTHER,
        ),
        (
            json!([{"properties": [{"key": "id", "type": "cohort", "value": "6"}]}]),
            OTHER,
        ),
        (
            json!([{"properties": [{"key": "id", "type": "cohort", "value": 99}]}]),
            NOT_FOUND,
        ),
    ];
    for (groups, expected) in cases {
        let text = groups.to_string();
        for filters in [json!(null), json!({})] {
            let cohort = json!({"id": 5, "filters": filters, "groups": groups});
            assert_eq!(world([cohort]).answer(), expected, "{text}");
        }
    }
    // filters go first
    let both = json!({
        "id": 5, "groups": [{"properties": [untyped("pro")]}],
        "filters": {"properties": {"type": "OR", "values": []}},
    });
    assert_eq!(world([both]).answer(), OTHER);
}

#[test]
fn references_are_followed_to_any_depth_and_may_fail() {
    let refers = |id: i64, to: i64| {
        tree(
            id,
            "OR",
            json!([leaf("pro", false), other(to, "in", false)]),
        )
    };
    let unreadable = |id: i64| json!({"id": id, "filters": {"properties": {}}});
    let cases: [(&str, Vec<Value>, &str); 11] = [
        (
            "a chain",
            vec![refers(5, 1), tree(1, "AND", json!([other(6, "in", false)]))],
            MEMBER,
        ),
        ("missing itself", vec![], NOT_FOUND),
        (
            "deleted",
            vec![json!({"id": 5, "deleted": true, "is_static": true})],
            NOT_FOUND,
        ),
        (
            "missing behind an OR that is true",
            vec![refers(5, 99)],
            NOT_FOUND,
        ),
        (
            "missing further down",
            vec![refers(5, 1), refers(1, 99)],
            NOT_FOUND,
        ),
        (
            "a reference to a deleted one",
            vec![refers(5, 1), json!({"id": 1, "deleted": true})],
            NOT_FOUND,
        ),
        ("itself", vec![refers(5, 5)], CYCLE),
        (
            "a circle further down",
            vec![refers(5, 1), refers(1, 2), refers(2, 1)],
            CYCLE,
        ),
        (
            "unreadable further down",
            vec![refers(5, 1), unreadable(1)],
            UNREADABLE,
        ),
        (
            "missing goes before a circle",
            vec![tree(
                5,
                "OR",
                json!([other(5, "in", false), other(99, "in", false)]),
            )],
            NOT_FOUND,
        ),
        (
            "a circle that is not reached",
            vec![tree(5, "AND", json!([other(6, "in", false)])), refers(1, 1)],
            MEMBER,
        ),
    ];
    for (case, cohorts, expected) in cases {
        assert_eq!(world(cohorts).answer(), expected, "{case}");
    }
}

#[test]
fn errors_occur_only_when_the_cohort_is_reached_and_fail_the_whole_flag() {
    let missing = in_cohort(99);
    let cases = [
        (
            "behind a filter that fails",
            json!({"groups": [{"properties": [missing, person("plan", "exact", json!("free"))]}, {}]}),
            "true condition_match 1",
        ),
        (
            "after a match",
            json!({"groups": [{}, {"properties": [missing]}]}),
            "true condition_match 0",
        ),
        (
            "before a match",
            json!({"groups": [{"properties": [missing]}, {}]}),
            NOT_FOUND,
        ),
        (
            "behind a cohort that decides",
            json!({"groups": [{"properties": [in_cohort(7), missing]}, {}]}),
            "true condition_match 1",
        ),
        (
            "for a rollout of nobody",
            json!({"groups": [{"properties": [missing], "rollout_percentage": -1}, {}]}),
            NOT_FOUND,
        ),
        (
            "skipped for want of a group",
            json!({"groups": [{"aggregation_group_type_index": 0, "properties": [missing]}, {}]}),
            "true condition_match 1",
        ),
    ];
    for (case, filters, expected) in cases {
        let mut world = world([]);
        world.flags = World::of(filters).flags;
        assert_eq!(world.answer(), expected, "{case}");
    }
}

#[test]
fn the_longer_description_is_for_cohorts_that_decided() {
    let behavioral = json!({"type": "behavioral", "key": "e", "value": "performed_event"});
    let cohorts = || {
        [
            tree(1, "AND", json!([behavioral])),
            tree(2, "AND", json!([other(1, "in", false)])),
            tree(3, "AND", json!([leaf("free", false)])),
            tree(4, "OR", json!([behavioral, leaf("pro", false)])),
            json!({"id": 8, "groups": [{"action_id": 3}]}),
        ]
    };
    let long = "This condition targets a behavioral or realtime cohort.";
    let groups = "No matching condition set (group conditions";
    let plain = "No matching condition set";
    let group_condition = json!({"aggregation_group_type_index": 0});
    let of = |filters: Value| json!({ "properties": filters });
    let cases = [
        ("it decided", json!([of(json!([in_cohort(1)]))]), long),
        (
            "one it refers to decided",
            json!([of(json!([in_cohort(2)]))]),
            long,
        ),
        ("a legacy one", json!([of(json!([in_cohort(8)]))]), long),
        (
            "negatively",
            json!([of(json!([other(4, "not_in", false)]))]),
            long,
        ),
        (
            "no such criterion",
            json!([of(json!([in_cohort(3)]))]),
            plain,
        ),
        (
            "another cohort decided",
            json!([of(json!([in_cohort(3), in_cohort(1)]))]),
            plain,
        ),
        (
            "another filter decided",
            json!([of(json!([in_cohort(1), leaf("free", false)]))]),
            plain,
        ),
        (
            "in an earlier condition",
            json!([of(json!([in_cohort(1)])), of(json!([in_cohort(3)]))]),
            long,
        ),
        (
            "rather than for want of a group",
            json!([group_condition, of(json!([in_cohort(1)]))]),
            long,
        ),
        (
            "for want of a group, before",
            json!([group_condition, of(json!([in_cohort(3)]))]),
            groups,
        ),
        (
            "for want of a group, after",
            json!([of(json!([in_cohort(3)])), group_condition]),
            groups,
        ),
    ];
    for (case, conditions, expected) in cases {
        let mut world = world(cohorts());
        world.flags = World::of(json!({ "groups": conditions })).flags;
        let found = world.evaluations();
        let found = found.get("f").unwrap();
        assert_eq!(found.outcome.reason.code(), "no_condition_match", "{case}");
        let description = found.description();
        let matches = if expected == plain {
            description == plain
        } else {
            description.starts_with(expected)
        };
        assert!(matches, "{case}: {description}");
    }
}

#[test]
fn trees_nest_to_the_permitted_depth() {
    let nested = |depth: usize| {
        let inner = (1..depth).fold(
            leaf("pro", false),
            |entry, _| json!({"type": "AND", "values": [entry]}),
        );
        world([tree(5, "AND", json!([inner]))]).answer()
    };
    assert_eq!(nested(1), MEMBER);
    assert_eq!(nested(64), MEMBER);
    assert_eq!(nested(65), UNREADABLE);
    assert_eq!(nested(100), UNREADABLE);
}
