//! `exact` and `is_not` by both rule sets (section 4.3).

use super::*;

macro_rules! rules {
    ($($filter:tt, $property:tt => $default:literal, $explicit:literal;)*) => {
        [$((json!($filter), json!($property), $default, $explicit),)*]
    };
}

#[test]
fn equality_by_default_and_by_explicit_rules() {
    let explicit = Moment {
        matching: MatchingVersion::Explicit,
        ..moment()
    };
    let rules = rules! {
        "pro", "PRO" => true, true;
        5, "5" => true, true;
        5, 5.0 => false, false;
        "5.0", 5.0 => true, true;
        false, "maybe" => true, false;
        false, 0 => true, false;
        false, null => true, false;
        false, "" => true, false;
        false, {} => true, false;
        false, "FALSE" => true, true;
        false, false => true, true;
        false, true => false, false;
        false, "True" => false, false;
        false, [] => false, false;
        false, [true, "TRUE"] => false, false;
        false, [true, "no"] => true, false;
        "false", "banana" => true, false;
        "fAlSe", false => true, true;
        true, 1 => false, false;
        true, "1" => false, false;
        true, "true" => true, true;
        true, " true" => false, false;
        true, [true] => true, false;
        true, [] => true, false;
        "TRUE", true => true, true;
        ["true", "false"], true => false, true;
        ["true", "false"], "pro" => true, false;
        ["true", "false"], "FALSE" => true, true;
        [true, "TRUE"], true => true, true;
        [true, "TRUE"], "no" => false, false;
        [[true], []], true => true, false;
        [[true], [false]], "no" => true, false;
        [true, "pro"], "TRUE" => true, true;
        [true, "pro"], "Pro" => true, true;
        [true, "pro"], "free" => false, false;
        [true, "pro"], null => false, false;
        [], [] => true, true;
        [], true => true, true;
        [], "TRUE" => true, true;
        [], [true] => true, true;
        [], "" => false, false;
        [], 0 => false, false;
        [], null => false, false;
        [], false => false, false;
        "null", null => true, true;
        "NULL", null => true, true;
        ["null"], null => true, true;
        [null], null => true, true;
        ["a"], ["a"] => false, false;
        [["a"]], ["a"] => true, true;
        "[\"a\",1]", ["A", 1] => true, true;
        {"b": 1, "a": 2}, {"a": 2, "b": 1} => true, true;
        ["zeta", "Alpha", "mid", "alpha"], "ALPHA" => true, true;
        ["zeta", "Alpha", "mid", "alpha"], "zet" => false, false;
        [1, 2.0, "3"], 2.0 => true, true;
        [1, 2.0, "3"], 2 => false, false;
        [1, 2.0, "3"], 3 => true, true;
        "Ärger", "äRGER" => true, true;
        ["x", "Ärger"], "ärger" => true, true;
        "ΟΔΟΣ", "οδος" => true, true;
        "ΟΔΟΣ", "οδοσ" => false, false;
        // The Kelvin sign lower-cases to an ordinary k, ß to nothing but itself.
        "\u{212a}", "K" => true, true;
        "k", "\u{212a}" => true, true;
        "straße", "STRASSE" => false, false;
        " pro", "pro" => false, false;
        "", "" => true, true;
        "", null => false, false;
    };
    for (filter, property, by_default, by_explicit) in rules {
        for (moment, expected) in [(&moment(), by_default), (&explicit, by_explicit)] {
            for (operator, expected) in [("exact", expected), ("is_not", !expected)] {
                let found = test(operator, &filter).matches(
                    Some(&property),
                    Completeness::Complete,
                    moment,
                );
                let rules = moment.matching;
                assert_eq!(
                    found,
                    Ok(expected),
                    "{operator} {filter}, {property}, {rules:?}"
                );
            }
        }
    }
}
