use super::StaticReach;
use crate::testing::{cohort, flag, in_cohort, person, when};
use crate::{CohortSet, Definitions, Selector, definition::GroupTypes};
use serde_json::{Value, json};

fn tree(id: i64, values: Value) -> Value {
    json!({"id": id, "filters": {"properties": {"type": "OR", "values": values}}})
}

#[test]
fn static_cohorts_are_found_through_other_cohorts() {
    let cohorts = [
        json!({"id": 1, "is_static": true}),
        json!({"id": 2, "is_static": true}),
        json!({"id": 3, "is_static": true, "deleted": true}),
        json!({"id": 4, "is_static": true}),
        tree(
            10,
            json!([in_cohort(2), person("plan", "exact", json!("pro"))]),
        ),
        tree(11, json!([in_cohort(10), in_cohort(1)])),
        tree(12, json!([person("plan", "exact", json!("pro"))])),
        tree(13, json!([in_cohort(3)])),
    ];
    let cases = [
        (
            "plain",
            json!([person("plan", "exact", json!("pro"))]),
            &[][..],
        ),
        ("direct", json!([in_cohort(1)]), &[1]),
        ("one-away", json!([in_cohort(10)]), &[2]),
        ("two-away", json!([in_cohort(11)]), &[1, 2]),
        ("both-ways", json!([in_cohort(11), in_cohort(1)]), &[1, 2]),
        ("none-behind", json!([in_cohort(12)]), &[]),
        ("deleted", json!([in_cohort(13), in_cohort(3)]), &[]),
        ("unknown", json!([in_cohort(99)]), &[]),
    ];
    let flags = (1..)
        .zip(&cases)
        .map(|(id, (key, filters, _))| flag(id, key, when(filters.clone())));
    let (definitions, dropped) = Definitions::compile(flags.collect(), Ok(GroupTypes::default()));
    assert!(dropped.is_empty(), "{dropped:?}");
    let reach = StaticReach::of(
        &definitions,
        &CohortSet::compile(cohorts.map(cohort).into()),
    );
    let ids = |selector: Selector| -> Vec<i64> {
        let places = reach.places(&definitions.select(&selector));
        places
            .iter()
            .map(|&place| reach.cohorts()[place].0)
            .collect()
    };
    for (key, _, expected) in cases {
        let keys = Some(vec![key.to_owned()]);
        let found = ids(Selector {
            keys,
            ..Selector::default()
        });
        assert_eq!(found, expected, "{key}");
    }
    // 4 is reached by no flag.
    assert_eq!(ids(Selector::default()), [1, 2]);
}
