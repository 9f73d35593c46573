//! What `check` reports about a filter when it is written.

use super::*;

macro_rules! faults {
    ($($operator:tt $filter:tt => $words:literal;)*) => {
        [$((stringify!($operator), json!($filter), $words),)*]
    };
}

#[test]
fn values_an_operator_can_never_use() {
    let faults = faults! {
        regex "[" => "does not compile";
        not_regex "(?<x" => "does not compile";
        gt "five" => "needs a number";
        gte true => "needs a number";
        lt [1] => "needs a number";
        lte {} => "needs a number";
        between [5, 1] => "exactly two numbers";
        not_between "1-5" => "exactly two numbers";
        semver_eq "latest" => "semantic version";
        semver_lt false => "semantic version";
        semver_tilde "1.2.3.4" => "range of semantic versions";
        semver_caret "" => "range of semantic versions";
        semver_wildcard "1.*.3" => "range of semantic versions";
        is_date_before "tomorrow" => "needs a date";
        is_date_after 1746057600 => "needs a date";
        in 5 => "cohort and flag filters only";
        not_in 5 => "cohort and flag filters only";
        flag_evaluates_to true => "cohort and flag filters only";
    };
    for (operator, filter, words) in faults {
        let fault = test(operator, &filter).fault().unwrap_or_default();
        assert!(fault.contains(words), "{operator} {filter}: {fault:?}");
        assert!(fault.starts_with(&format!("`{operator}` ")), "{fault}");
    }
}

#[test]
fn a_missing_value_is_a_fault_where_one_is_needed() {
    for operator in Operator::all() {
        let needs_none = matches!(operator, Operator::IsSet | Operator::IsNotSet);
        for filter in [None, Some(&Value::Null)] {
            let fault = Test::compile(*operator, filter).fault();
            assert_eq!(
                fault.is_none(),
                needs_none,
                "{}: {fault:?}",
                operator.name()
            );
        }
    }
}

#[test]
fn good_values_have_no_fault() {
    let good = faults! {
        exact [] => "";
        is_not {"a": 1} => "";
        is_set null => "";
        icontains 5 => "";
        icontains_multi [] => "";
        regex "(?<=a)b" => "";
        gt "1e3" => "";
        between ["1", 2] => "";
        semver_neq 1.2 => "";
        semver_wildcard "1.*" => "";
        is_date_exact "-7d" => "";
        is_date_before "2025-05-01" => "";
    };
    for (operator, filter, _) in good {
        assert_eq!(test(operator, &filter).fault(), None, "{operator} {filter}");
    }
}
