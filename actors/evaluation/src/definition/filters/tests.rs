use super::{Aggregation, Format, compact, payload_text, read};
use crate::definition::Faults;
use serde_json::{Value, json, value::RawValue};

fn filters(json: &str) -> super::Filters {
    let raw: Box<RawValue> = serde_json::from_str(json).unwrap();
    let mut faults = Faults::default();
    let format = read(&raw, &mut faults);
    assert_eq!(faults.0, []);
    match format {
        Format::Readable(filters) => filters,
        Format::Unsupported => panic!("unsupported"),
    }
}

fn with_variants(shares: &[f64]) -> super::Filters {
    let variants: Vec<Value> = shares
        .iter()
        .enumerate()
        .map(|(index, share)| json!({"key": index.to_string(), "rollout_percentage": share}))
        .collect();
    filters(&json!({"groups": [{}, {"variant": "0"}, {"variant": "none"}], "multivariate": {"variants": variants}}).to_string())
}

#[test]
fn payloads_keep_their_texts() {
    let cases = [
        (r#""{\"eur\": 9}""#, Some(r#"{"eur": 9}"#)),
        (r#""""#, Some("")),
        (r#""a \u00fc b""#, Some("a ü b")),
        ("null", None),
        ("5.0", Some("5.0")),
        ("1e400", Some("1e400")),
        ("12345678901234567890123", Some("12345678901234567890123")),
        ("true", Some("true")),
        (
            "{ \"b\" : [ 1 ,\n 2.50 ], \"a\": \"x : \\\" y\" }",
            Some(r#"{"b":[1,2.50],"a":"x : \" y"}"#),
        ),
        (r#"{"a": "ends with \\"}"#, Some(r#"{"a":"ends with \\"}"#)),
    ];
    for (json, expected) in cases {
        assert_eq!(payload_text(json).unwrap().as_deref(), expected, "{json}");
        let all = filters(&format!(r#"{{"payloads": {{"true": {json}}}}}"#));
        assert_eq!(
            all.payloads.get("true").map(|text| &**text),
            expected,
            "{json}"
        );
    }
}

#[test]
fn blanks_go_only_between_tokens() {
    assert_eq!(
        compact(" [ \"a b\" , \"\\\\\" , \" \\\" \" ] "),
        r#"["a b","\\"," \" "]"#
    );
}

#[test]
fn holdouts_are_clamped() {
    for (written, expected) in [(-5.0, 0.0), (0.0, 0.0), (12.5, 12.5), (250.0, 100.0)] {
        let json = json!({"holdout": {"id": 7, "exclusion_percentage": written}});
        let holdout = filters(&json.to_string()).holdout.unwrap();
        assert_eq!(&*holdout.variant, "holdout-7");
        assert_eq!(holdout.percentage, expected);
    }
}

#[test]
fn the_aggregation_of_a_condition_has_three_states() {
    let conditions =
        r#"[{}, {"aggregation_group_type_index": null}, {"aggregation_group_type_index": 1}]"#;
    let cases = [
        (
            "null",
            [
                Aggregation::Persons,
                Aggregation::Persons,
                Aggregation::Groups(1),
            ],
        ),
        (
            "0",
            [
                Aggregation::Groups(0),
                Aggregation::Persons,
                Aggregation::Groups(1),
            ],
        ),
    ];
    for (own, expected) in cases {
        let json = format!(r#"{{"aggregation_group_type_index": {own}, "groups": {conditions}}}"#);
        let found: Vec<_> = filters(&json)
            .conditions
            .iter()
            .map(|c| c.aggregation)
            .collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn more_than_one_variant_can_be_reached() {
    let cases: [(&[f64], bool); 8] = [
        (&[], false),
        (&[50.0], false),
        (&[50.0, 50.0], true),
        (&[100.0, 50.0], false),
        (&[0.0, 100.0, 5.0], false),
        (&[0.0, 99.0, 5.0], true),
        (&[0.0, 0.0], false),
        (&[60.0, 60.0, 60.0], true),
    ];
    for (shares, expected) in cases {
        assert_eq!(
            with_variants(shares).variants.more_than_one_reachable(),
            expected,
            "{shares:?}"
        );
    }
}

#[test]
fn a_condition_needs_a_hash_for_its_rollout_or_to_choose() {
    // no pin, a valid pin, a pin that is not declared
    let cases: [(&[f64], [bool; 3]); 6] = [
        (&[], [false, false, false]),
        (&[100.0, 50.0], [false, false, false]),
        (&[0.0, 100.0], [false, false, false]),
        (&[0.0, 0.0], [false, false, false]),
        (&[50.0], [true, false, true]),
        (&[99.9, 0.1], [true, false, true]),
    ];
    for (shares, expected) in cases {
        let filters = with_variants(shares);
        let found: Vec<bool> = filters.conditions.iter().map(|c| c.needs_hash).collect();
        assert_eq!(found, expected, "{shares:?}");
    }
    let partial = filters(
        r#"{"groups": [{"rollout_percentage": 99.9}, {"rollout_percentage": 100}, {"rollout_percentage": 120}]}"#,
    );
    let found: Vec<bool> = partial.conditions.iter().map(|c| c.needs_hash).collect();
    assert_eq!(found, [true, false, false]);
}
