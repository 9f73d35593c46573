//! Comparisons as filters: which operator, and with what.

use super::*;

fn shown(rule: &Rule) -> String {
    match rule {
        Rule::Is(test) => {
            let mut value = String::new();
            test.value.write_json(&mut value);
            format!("{} {value}", test.operator)
        }
        Rule::All(rules) => joined(rules, " & "),
        Rule::Any(rules) => joined(rules, " | "),
        other => format!("{other:?}"),
    }
}

fn joined(rules: &[Rule], between: &str) -> String {
    let all: Vec<String> = rules.iter().map(shown).collect();
    all.join(between)
}

#[test]
fn texts_tell_letters_from_capitals_where_they_have_any() {
    let cases: [(&[&str], Part, bool, &str); 10] = [
        (&[], Part::Whole, false, "Never"),
        (&["5"], Part::Whole, false, r#"exact "5""#),
        (&["5", "7-ß"], Part::Whole, false, r#"regex "^(?:5|7-ß)$""#),
        (&["5", "7.1"], Part::Whole, false, r#"exact ["5","7.1"]"#),
        (&["Aa"], Part::Whole, true, r#"exact "Aa""#),
        (&["a.b"], Part::Whole, false, r#"regex "^a\\.b$""#),
        (&["a", "b|"], Part::Start, false, r#"regex "^(?:a|b\\|)""#),
        (&["@a"], Part::End, false, r#"regex "@a$""#),
        (&["("], Part::Inside, true, r#"regex "(?i)\\(""#),
        (&["ǅ"], Part::Whole, false, r#"regex "^ǅ$""#),
    ];
    for (values, part, any_case, expected) in cases {
        assert_eq!(shown(&texts("k", values, part, any_case)), expected);
    }
}

#[test]
fn versions_leave_builds_aside() {
    let cases = [
        ("=", "1.2.3", r#"semver_gte "1.2.3" & semver_lt "1.2.4-0""#),
        ("=", "v1.2+b", r#"semver_gte "1.2.0" & semver_lt "1.2.1-0""#),
        (
            "=",
            "1.2.3-rc.1",
            r#"semver_gte "1.2.3-rc.1" & semver_lt "1.2.3-rc.1.0""#,
        ),
        ("!=", "2", r#"semver_lt "2.0.0" | semver_gte "2.0.1-0""#),
        ("<", "1.2.3+b", r#"semver_lt "1.2.3""#),
        ("<=", "1.2.3", r#"semver_lt "1.2.4-0""#),
        (">", "1.2.3", r#"semver_gte "1.2.4-0""#),
        (">=", "1.2.3", r#"semver_gte "1.2.3""#),
        (
            "^",
            "1.2.3",
            r#"semver_gte "1.0.0-0" & semver_lt "2.0.0-0""#,
        ),
        (
            "~",
            "1.2.3",
            r#"semver_gte "1.2.0-0" & semver_lt "1.3.0-0""#,
        ),
    ];
    for (operator, version, expected) in cases {
        let rule = super::version("k", operator, version).unwrap();
        assert_eq!(shown(&rule), expected, "{operator} {version}");
    }
    for (operator, version) in [
        ("=", "one"),
        ("=", ""),
        ("=", "1.2.3.4"),
        ("=", "1.2-rc"),
        ("==", "1.2.3"),
    ] {
        let rule = super::version("k", operator, version);
        assert_eq!(rule, None, "{operator} {version}");
    }
}

#[test]
fn networks_are_patterns_of_octets() {
    const ANY: &str = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
    let cases = [
        ("192.168.1.7", r"^192\.168\.1\.7$".to_owned()),
        ("10.1.2.3/32", r"^10\.1\.2\.3$".to_owned()),
        ("10.1.2.0/24", format!(r"^10\.1\.2\.{ANY}$")),
        ("10.1.2.99/22", format!(r"^10\.1\.(?:0|1|2|3)\.{ANY}$")),
        ("0.0.0.0/0", format!(r"^{ANY}\.{ANY}\.{ANY}\.{ANY}$")),
    ];
    for (written, pattern) in cases {
        let expected = Rule::is("k", "regex", text(&pattern));
        assert_eq!(network("k", written), Some(expected), "{written}");
    }
    for written in ["2001:db8::1", "10.0.0", "10.0.0.0/33", "127.invalid", ""] {
        assert_eq!(network("k", written), None, "{written}");
    }
}
