//! Every operator against every kind of property (sections 4.1 and 4.2).

use super::*;

/// The kinds of properties: absent, string, number, bool, null, list, object.
const KINDS: &[Option<&str>] = &[
    None,
    Some(r#""2.5.0""#),
    Some("2.5"),
    Some("true"),
    Some("null"),
    Some(r#"["2.5"]"#),
    Some(r#"{"a":2.5}"#),
];

/// Operator, filter value, the answer for each kind: `y`es, `n`o, `e`rror.
const TABLE: &[(&str, &str, &str)] = &[
    ("exact", r#""2.5""#, "nnynnnn"),
    ("is_not", r#""2.5""#, "yynyyyy"),
    ("exact", r#""2.5.0""#, "nynnnnn"),
    ("is_not", r#""2.5.0""#, "ynyyyyy"),
    ("exact", "true", "nnnynnn"),
    ("is_not", "true", "yyynyyy"),
    ("exact", r#""null""#, "nnnnynn"),
    ("is_not", r#""null""#, "yyyynyy"),
    ("exact", r#""[\"2.5\"]""#, "nnnnnyn"),
    ("exact", r#"{"a":2.5}"#, "nnnnnny"),
    ("is_set", "null", "nyyyyyy"),
    ("is_not_set", "null", "ynnnnnn"),
    ("icontains", r#""2.5""#, "nyynnyy"),
    ("not_icontains", r#""2.5""#, "ynnyynn"),
    ("icontains", r#""U""#, "nnnyynn"),
    ("starts_with", r#""2.5""#, "nyynnnn"),
    ("not_starts_with", r#""2.5""#, "ynnyyyy"),
    ("starts_with", r#""NU""#, "nnnnynn"),
    ("starts_with", r#""[""#, "nnnnnyn"),
    ("ends_with", r#"".5""#, "nnynnnn"),
    ("not_ends_with", r#"".5""#, "yynyyyy"),
    ("ends_with", r#""}""#, "nnnnnny"),
    ("icontains_multi", r#"["5.0", "L"]"#, "nynnynn"),
    ("not_icontains_multi", r#"["5.0", "L"]"#, "ynyynyy"),
    ("regex", r#""^[2n]""#, "nyynynn"),
    ("not_regex", r#""^[2n]""#, "ynnynyy"),
    ("regex", r#""[""#, "neeeeee"),
    ("not_regex", r#""[""#, "yeeeeee"),
    ("gt", "2", "neyeeee"),
    ("gte", "2.5", "neyeeee"),
    ("lt", "2", "neneeee"),
    ("lte", "2.5", "neyeeee"),
    ("gt", r#""two""#, "neeeeee"),
    ("between", "[2, 3]", "nnynnnn"),
    ("not_between", "[2, 3]", "yynyyyy"),
    ("between", "[3, 2]", "eeeeeee"),
    ("not_between", "[3, 2]", "eeeeeee"),
    ("semver_eq", r#""2.5""#, "nyynnnn"),
    ("semver_neq", r#""2.4""#, "nyynnnn"),
    ("semver_gt", r#""2.4""#, "nyynnnn"),
    ("semver_gte", r#""2.5""#, "nyynnnn"),
    ("semver_lt", r#""2.6""#, "nyynnnn"),
    ("semver_lte", r#""2.5""#, "nyynnnn"),
    ("semver_tilde", r#""2.5""#, "nyynnnn"),
    ("semver_caret", r#""2.1""#, "nyynnnn"),
    ("semver_wildcard", r#""2.*""#, "nyynnnn"),
    ("is_date_exact", r#""1970-01-01T00:00:02.5Z""#, "nnynnnn"),
    ("is_date_after", r#""1969-12-31""#, "nnynnnn"),
    ("is_date_before", r#""-1h""#, "nnynnnn"),
    ("in", "5", "eeeeeee"),
    ("not_in", "5", "eeeeeee"),
    ("flag_evaluates_to", "true", "eeeeeee"),
];

fn letter(answer: Result<bool, FilterError>) -> char {
    match answer {
        Ok(true) => 'y',
        Ok(false) => 'n',
        Err(FilterError) => 'e',
    }
}

fn answers(test: &Test, completeness: Completeness) -> String {
    KINDS
        .iter()
        .map(|json| {
            let property = json.map(|json| serde_json::from_str::<Value>(json).unwrap());
            letter(test.matches(property.as_ref(), completeness, &moment()))
        })
        .collect()
}

#[test]
fn every_operator_on_every_kind() {
    for &(operator, filter, expected) in TABLE {
        let test = test(operator, &serde_json::from_str(filter).unwrap());
        assert_eq!(
            answers(&test, Completeness::Complete),
            expected,
            "{operator} {filter}"
        );
        // Absent fails closed in partial mode; what is there is compared as usual.
        let partial = format!("e{}", &expected[1..]);
        assert_eq!(
            answers(&test, Completeness::Partial),
            partial,
            "{operator} {filter}"
        );
    }
    for operator in Operator::all() {
        let name = operator.name();
        assert!(TABLE.iter().any(|(tested, ..)| *tested == name), "{name}");
    }
}

#[test]
fn without_a_filter_value_nothing_matches() {
    for operator in Operator::all() {
        let expected = match operator {
            Operator::IsSet => "nyyyyyy",
            Operator::IsNotSet => "ynnnnnn",
            Operator::In | Operator::NotIn | Operator::FlagEvaluatesTo => "eeeeeee",
            _ => "nnnnnnn",
        };
        for filter in [None, Some(&Value::Null)] {
            let test = Test::compile(*operator, filter);
            assert_eq!(
                answers(&test, Completeness::Complete),
                expected,
                "{}",
                operator.name()
            );
        }
    }
}

#[test]
fn names_are_read_as_they_are_written() {
    for operator in Operator::all() {
        assert_eq!(Operator::from_name(operator.name()), Some(*operator));
        assert_eq!(Operator::from_name(&operator.name().to_uppercase()), None);
    }
    assert_eq!(Operator::all().len(), 35);
    for unknown in ["", "equals", "exact ", "is_cleaned_path_exact", "semver_ne"] {
        assert_eq!(Operator::from_name(unknown), None, "{unknown}");
    }
}
