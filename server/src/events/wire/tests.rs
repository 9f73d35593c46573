use super::{Object, WireEvent};
use burgee_actors::Event;
use serde::Deserialize;

#[track_caller]
fn read(text: &str) -> Event {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let event: Object<WireEvent<'_>> = Object::deserialize(&mut deserializer).unwrap();
    event.0.read().unwrap()
}

/// The members of an event; its distinct id.
#[test]
fn the_distinct_id_is_looked_for_in_this_order() {
    let long = "é".repeat(300);
    let cut = "é".repeat(200);
    let members = format!(r#""distinct_id":"{long}""#);
    for (members, expected) in [
        (
            r#""distinct_id":"a","$distinct_id":"b","properties":{"distinct_id":"c"}"#,
            "a",
        ),
        (
            r#""$distinct_id":"b","properties":{"distinct_id":"c"}"#,
            "b",
        ),
        (
            r#""properties":{"$distinct_id":"d","distinct_id":"c"}"#,
            "c",
        ),
        (r#""properties":{"$distinct_id":"d"}"#, "d"),
        (
            r#""distinct_id":null,"properties":{"distinct_id":"c"}"#,
            "c",
        ),
        (r#""distinct_id":"","$distinct_id":"b""#, "b"),
        (r#""distinct_id":12"#, "12"),
        (r#""distinct_id":5.0"#, "5.0"),
        (r#""distinct_id":true"#, "true"),
        (r#""distinct_id":{"a": 1}"#, r#"{"a": 1}"#),
        (members.as_str(), cut.as_str()),
    ] {
        let event = read(&format!(r#"{{"event":"e",{members}}}"#));
        assert_eq!(event.distinct_id, expected, "{members}");
    }
}

/// A value of `$set`; the properties it stands for.
#[test]
fn values_stay_the_texts_they_were() {
    let nested = format!("{}{}", "[".repeat(120), "]".repeat(120));
    for (value, expected) in [
        ("5.0", "5.0"),
        ("5", "5"),
        ("1e2", "1e2"),
        ("-0", "-0"),
        ("null", "null"),
        (r#""a\u00e9""#, r#""a\u00e9""#),
        (r#"{"b": [1,  2]}"#, r#"{"b": [1,  2]}"#),
        (nested.as_str(), nested.as_str()),
        // Numbers that nobody could read again.
        ("1e999", "null"),
        (r#"{"b":[-1e999]}"#, "null"),
    ] {
        let event = read(&format!(
            r#"{{"event":"e","distinct_id":"d","$set":{{"a":{value}}}}}"#
        ));
        let set = vec![("a".to_owned(), expected.to_owned())];
        assert_eq!(event.beside.set, Some(set), "{value}");
    }
}

#[test]
fn only_objects_hold_properties() {
    for value in ["null", "7", r#""a""#, "[]", "true"] {
        let event = read(&format!(
            r#"{{"event":"e","distinct_id":"d","$set":{value},"properties":{{"$set_once":{value},"$group_set":{value}}}}}"#
        ));
        assert_eq!(event.beside.set, None, "{value}");
        assert_eq!(event.inside.set_once, None, "{value}");
        assert_eq!(event.group.set, None, "{value}");
    }
}

/// `$unset`; the names it stands for.
#[test]
fn names_to_remove_are_a_list_or_those_of_an_object() {
    for (value, expected) in [
        (r#"["a","b"]"#, Some(vec!["a", "b"])),
        (r#"["a",7,null]"#, Some(vec!["a"])),
        (r#"{"a":"","b":null}"#, Some(vec!["a", "b"])),
        ("[]", Some(vec![])),
        ("{}", Some(vec![])),
        ("7", None),
        ("null", None),
    ] {
        let event = read(&format!(
            r#"{{"event":"e","distinct_id":"d","properties":{{"$unset":{value}}}}}"#
        ));
        let expected = expected.map(|names| names.into_iter().map(str::to_owned).collect());
        assert_eq!(event.inside.unset, expected, "{value}");
    }
}

/// The members of the properties; `$anon_distinct_id`, `alias`, `$group_type`, `$group_key`, `$feature_flag`, its value.
#[test]
fn members_that_are_texts() {
    type Expected<'a> = [Option<&'a str>; 6];
    let cases: [(&str, Expected<'_>); 4] = [
        ("", [None; 6]),
        (
            r#""$anon_distinct_id":"x","alias":7,"$group_type":"t","$group_key":5.0,"$feature_flag":"f","$feature_flag_response":"v""#,
            [
                Some("x"),
                Some("7"),
                Some("t"),
                Some("5.0"),
                Some("f"),
                Some(r#""v""#),
            ],
        ),
        (
            r#""$anon_distinct_id":null,"alias":{},"$group_type":7,"$group_key":true,"$feature_flag":"","$feature_flag_response":true"#,
            [None, None, None, None, None, Some("true")],
        ),
        (r#""$feature_flag_response":null"#, [None; 6]),
    ];
    for (members, expected) in cases {
        let event = read(&format!(
            r#"{{"event":"e","distinct_id":"d","properties":{{{members}}}}}"#
        ));
        let found = [
            event.anonymous_id.as_deref(),
            event.alias.as_deref(),
            event.group.group_type.as_deref(),
            event.group.key.as_deref(),
            event.flag.as_deref(),
            event.flag_value.as_deref(),
        ];
        assert_eq!(found, expected, "{members}");
    }
}
