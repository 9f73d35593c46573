//! Rules and their alternatives: which filters, and when a cohort.

use super::*;

fn json(values: Vec<Vec<Value>>) -> String {
    let mut out = String::new();
    list(values.into_iter().map(list)).write_json(&mut out);
    out
}

fn a() -> Rule {
    Rule::is("a", "exact", integer(1))
}

fn b() -> Rule {
    Rule::is("b", "gt", integer(2))
}

fn v() -> Rule {
    Rule::is("v", "semver_gt", text("2.0.0"))
}

#[test]
fn alternatives() {
    const A: &str = r#"{"key":"a","type":"person","operator":"exact","value":1}"#;
    const NOT_A: &str = r#"{"key":"a","type":"person","operator":"is_not","value":1}"#;
    const B: &str = r#"{"key":"b","type":"person","operator":"gt","value":2}"#;
    const NOT_B: &str = r#"{"key":"b","type":"person","operator":"lte","value":2}"#;
    const NO_NUMBER: &str =
        r#"{"key":"b","type":"person","operator":"not_between","value":["-inf","inf"]}"#;
    const COHORT: &str = r#"{"key":"id","type":"cohort","operator":"in","value":7}"#;
    let cases = [
        (Rule::Always, "[[]]".to_owned(), 0),
        (Rule::Never, "[]".to_owned(), 0),
        (Rule::All(vec![a(), Rule::Never]), "[]".to_owned(), 0),
        (Rule::Any(vec![b(), Rule::Always]), "[[]]".to_owned(), 0),
        (
            Rule::All(vec![a(), Rule::Always, b()]),
            format!("[[{A},{B}]]"),
            0,
        ),
        (Rule::Any(vec![a(), b()]), format!("[[{A}],[{B}]]"), 0),
        (a().not(), format!("[[{NOT_A}]]"), 0),
        (a().not().not(), format!("[[{A}]]"), 0),
        (
            Rule::All(vec![a(), b()]).not(),
            format!("[[{NOT_A}],[{NOT_B}],[{NO_NUMBER}]]"),
            0,
        ),
        (Rule::All(vec![a(), v()]).not(), format!("[[{COHORT}]]"), 1),
        (
            Rule::Any(vec![a(), a().not()]).not(),
            format!("[[{NOT_A},{A}]]"),
            0,
        ),
        (b().not(), format!("[[{NOT_B}],[{NO_NUMBER}]]"), 0),
        (v().not(), format!("[[{COHORT}]]"), 1),
        // Nobody lacks what he has.
        (
            Rule::All(vec![
                Rule::Any(vec![Rule::is_set("b").not(), Rule::Always]),
                Rule::is_set("b").not(),
                b(),
            ]),
            "[]".to_owned(),
            0,
        ),
        (
            Rule::All(vec![Rule::Any(vec![a(); 5]), Rule::Any(vec![a(); 4])]),
            format!("[[{COHORT}]]"),
            1,
        ),
    ];
    for (rule, expected, cohorts) in cases {
        let mut conditions = Conditions::new(7);
        assert_eq!(
            json(conditions.alternatives(&rule, "f").unwrap()),
            expected,
            "{rule:?}"
        );
        assert_eq!(conditions.count(), cohorts, "{rule:?}");
    }
}

#[test]
fn a_cohort_keeps_negations_at_its_leaves() {
    let mut conditions = Conditions::new(7);
    let rule = Rule::All(vec![a(), v()]).not();
    conditions.alternatives(&rule, "f").unwrap();
    let cohorts = conditions.into_cohorts();
    let mut text = String::new();
    cohorts[0].value.write_json(&mut text);
    assert_eq!(
        text,
        r#"{"id":7,"name":"Imported rule 7 of f","filters":{"properties":{"type":"OR","values":[{"key":"a","type":"person","operator":"exact","value":1,"negation":true},{"key":"v","type":"person","operator":"semver_gt","value":"2.0.0","negation":true}]}}}"#
    );
}

#[test]
fn a_cohort_asks_for_no_flag() {
    let mut conditions = Conditions::new(7);
    let rule = Rule::flag(3, Value::Bool(true)).not();
    let reason = conditions.alternatives(&rule, "f").unwrap_err();
    assert!(reason.contains("other flags"), "{reason}");
    assert_eq!(conditions.count(), 0);
}
