//! Section 4 as tables: a line a case, `operator filter value, property => answer`.

mod comparisons;
mod dates;
mod equality;
mod faults;
mod random;
mod table;
mod texts;
mod versions;

use super::*;
use crate::MatchingVersion;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::json;

/// One line of a table. An error is told apart from a plain no, though flag conditions do not.
struct Case {
    operator: &'static str,
    filter: Value,
    property: Option<Value>,
    answer: Result<bool, FilterError>,
}

macro_rules! property {
    (absent) => {
        None
    };
    ($value:tt) => {
        Some(serde_json::json!($value))
    };
}

macro_rules! answer {
    (yes) => {
        Ok(true)
    };
    (no) => {
        Ok(false)
    };
    (error) => {
        Err(crate::property::FilterError)
    };
}

macro_rules! cases {
    ($($operator:tt $filter:tt, $property:tt => $answer:ident;)*) => {
        [$($crate::property::tests::Case {
            operator: stringify!($operator),
            filter: serde_json::json!($filter),
            property: property!($property),
            answer: answer!($answer),
        },)*]
    };
}

use {answer, cases, property};

/// The moment of section 11: noon of 2026-03-18 in UTC, default rules.
fn moment() -> Moment {
    Moment {
        now: utc("2026-03-18T12:00:00Z"),
        zone: Tz::UTC,
        matching: MatchingVersion::Default,
    }
}

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn test(operator: &str, filter: &Value) -> Test {
    Test::compile(Operator::from_name(operator).unwrap(), Some(filter))
}

/// Runs a table and tells every line that fails.
fn check(moment: &Moment, cases: impl IntoIterator<Item = Case>) {
    let wrong: Vec<String> = cases
        .into_iter()
        .filter_map(|case| {
            let test = test(case.operator, &case.filter);
            let found = test.matches(case.property.as_ref(), Completeness::Complete, moment);
            (found != case.answer).then(|| {
                let Case {
                    operator,
                    filter,
                    property,
                    answer,
                } = case;
                format!("{operator} {filter}, {property:?}: {found:?}, not {answer:?}")
            })
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn worked_examples() {
    check(
        &moment(),
        cases! {
            exact "Pro", "pRO" => yes;
            exact 12, "12" => yes;
            exact "12", 12.0 => no;
            exact ["true", "other"], true => yes;
            exact [], "" => no;
            is_not "pro", absent => yes;
            is_not null, "free" => no;
            icontains "Ö", "ökonom" => no;
            icontains_multi ["@a.test", "@b.test"], "eve@B.test" => yes;
            regex "^a", "Abc" => no;
            not_regex "[", "abc" => error;
            not_regex "[", absent => yes;
            gt "9", "10" => yes;
            lt 5, true => error;
            not_between [1, 5], null => yes;
            not_between [5, 1], "3" => error;
            semver_gt "1.9", "1.10.0-rc1" => yes;
            semver_neq "1.0", "n/a" => no;
            semver_tilde "2", "2.1.0" => no;
            semver_wildcard "3.*", "3.4.0-beta" => no;
            is_date_after "2025-04-30", 1746057600 => yes;
            is_date_exact "2025-05-01", "2025-05-01T02:00:00+02:00" => yes;
            is_date_before "-3d", "2026-03-10" => yes;
            is_set "ignored", null => yes;
        },
    );
}
