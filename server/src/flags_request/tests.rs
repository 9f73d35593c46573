use super::*;
use serde_json::json;

fn parse(text: &str) -> FlagsRequest {
    FlagsRequest::parse(text).unwrap_or_else(|error| panic!("{error:?}: {text}"))
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|&text| text.to_owned()).collect()
}

fn properties(value: Value) -> Properties {
    match value {
        Value::Object(properties) => properties,
        other => panic!("{other}"),
    }
}

#[test]
fn every_member_is_read_under_every_name() {
    let groups = HashMap::from([("company".to_owned(), Some("acme".to_owned()))]);
    let group_properties = HashMap::from([("company".to_owned(), properties(json!({"a": 1})))]);
    let cases: &[(&str, &dyn Fn(FlagsRequest) -> bool)] = &[
        (r#"{"token":"t"}"#, &|r| r.token.as_deref() == Some("t")),
        (r#"{"api_key":"t"}"#, &|r| r.token.as_deref() == Some("t")),
        (r#"{"$token":"t"}"#, &|r| r.token.as_deref() == Some("t")),
        (r#"{"distinct_id":"u"}"#, &|r| {
            r.distinct_id.as_deref() == Some("u")
        }),
        (r#"{"$distinct_id":"u"}"#, &|r| {
            r.distinct_id.as_deref() == Some("u")
        }),
        (r#"{"groups":{"company":"acme"}}"#, &|r| r.groups == groups),
        (r#"{"$groups":{"company":"acme"}}"#, &|r| r.groups == groups),
        (r#"{"person_properties":{"a":1}}"#, &|r| {
            r.person_properties == properties(json!({"a": 1}))
        }),
        (r#"{"$properties":{"a":1}}"#, &|r| {
            r.person_properties == properties(json!({"a": 1}))
        }),
        (r#"{"group_properties":{"company":{"a":1}}}"#, &|r| {
            r.group_properties == group_properties
        }),
        (r#"{"$group_properties":{"company":{"a":1}}}"#, &|r| {
            r.group_properties == group_properties
        }),
        (r#"{"$anon_distinct_id":"a"}"#, &|r| {
            r.anonymous_id.as_deref() == Some("a")
        }),
        (r#"{"anon_distinct_id":"a"}"#, &|r| {
            r.anonymous_id.as_deref() == Some("a")
        }),
        (r#"{"$device_id":"d"}"#, &|r| {
            r.device_id.as_deref() == Some("d")
        }),
        (r#"{"device_id":"d"}"#, &|r| {
            r.device_id.as_deref() == Some("d")
        }),
        (r#"{"flag_keys":["k"]}"#, &|r| r.keys == Some(texts(&["k"]))),
        (r#"{"flag_keys_to_evaluate":["k"]}"#, &|r| {
            r.keys == Some(texts(&["k"]))
        }),
        (r#"{"flag_keys":[]}"#, &|r| r.keys == Some(Vec::new())),
        (r#"{"disable_flags":true}"#, &|r| r.disable_flags),
        (r#"{"geoip_disable":true,"disable_geoip":false}"#, &|r| {
            r == FlagsRequest::default()
        }),
        (r#"{"evaluation_runtime":"Server"}"#, &|r| {
            r.runtime.as_deref() == Some("Server")
        }),
        (r#"{"evaluation_contexts":["c"]}"#, &|r| r.contexts == ["c"]),
        (r#"{"evaluation_environments":["c"]}"#, &|r| {
            r.contexts == ["c"]
        }),
    ];
    for (text, holds) in cases {
        assert!(holds(parse(text)), "{text}");
    }
}

#[test]
fn the_first_name_that_is_not_null_wins() {
    for (text, expected) in [
        (r#"{"$token":"3","api_key":"2","token":"1"}"#, Some("1")),
        (r#"{"$token":"3","api_key":"2","token":null}"#, Some("2")),
        (r#"{"$token":"3","api_key":null}"#, Some("3")),
        (r#"{"token":"","api_key":"2"}"#, None),
        (r#"{"token":null}"#, None),
        ("{}", None),
    ] {
        assert_eq!(parse(text).token.as_deref(), expected, "{text}");
    }
}

#[test]
fn null_counts_as_absent_everywhere() {
    let names = [
        "token",
        "api_key",
        "$token",
        "distinct_id",
        "$distinct_id",
        "groups",
        "$groups",
        "person_properties",
        "$properties",
        "group_properties",
        "$group_properties",
        "$anon_distinct_id",
        "anon_distinct_id",
        "$device_id",
        "device_id",
        "flag_keys",
        "flag_keys_to_evaluate",
        "disable_flags",
        "geoip_disable",
        "disable_geoip",
        "evaluation_runtime",
        "evaluation_contexts",
        "evaluation_environments",
        "timezone",
        "sent_at",
    ];
    for name in names {
        let text = json!({name: null}).to_string();
        assert_eq!(parse(&text), FlagsRequest::default(), "{text}");
    }
}

#[test]
fn a_wrong_type_makes_the_whole_request_wrong() {
    for text in [
        r#"{"token":1}"#,
        r#"{"api_key":{}}"#,
        r#"{"token":"t","$token":1}"#,
        r#"{"distinct_id":true}"#,
        r#"{"distinct_id":[1]}"#,
        r#"{"distinct_id":{}}"#,
        r#"{"groups":[]}"#,
        r#"{"groups":"company"}"#,
        r#"{"person_properties":[]}"#,
        r#"{"$properties":1}"#,
        r#"{"group_properties":[]}"#,
        r#"{"group_properties":{"company":1}}"#,
        r#"{"$anon_distinct_id":1}"#,
        r#"{"$device_id":1}"#,
        r#"{"flag_keys":"k"}"#,
        r#"{"flag_keys":[1]}"#,
        r#"{"flag_keys":[null]}"#,
        r#"{"disable_flags":"true"}"#,
        r#"{"geoip_disable":1}"#,
        r#"{"evaluation_runtime":1}"#,
        r#"{"evaluation_contexts":{}}"#,
        "[]",
        r#" ["t","u"]"#,
        "1",
        r#""t""#,
        "null",
    ] {
        assert_eq!(FlagsRequest::parse(text), Err(ParseError::Shape), "{text}");
    }
    for text in ["", "{", "{}}", "{} 1", "{'token':'t'}", r#"{"token":"t",}"#] {
        assert_eq!(FlagsRequest::parse(text), Err(ParseError::Syntax), "{text}");
    }
}

#[test]
fn what_is_not_known_is_ignored() {
    let text = r#"{"token":"t","x":{"y":[1,{"z":null}]},"timezone":5,"sent_at":false,"ip_address":[],
        "cookieless_hash_extra":1,"override_flags_definitions":{"flags":[1]}}"#;
    let expected = FlagsRequest {
        token: Some("t".into()),
        ..FlagsRequest::default()
    };
    assert_eq!(parse(text), expected);
}

#[test]
fn numbers_as_ids_keep_their_digits() {
    for digits in [
        "42",
        "-7",
        "1.5",
        "1.50",
        "1E2",
        "0.1e-7",
        "12345678901234567890123",
        "1e999",
        "-0",
    ] {
        let text = format!(r#"{{"distinct_id": {digits} ,"groups":{{"company":{digits}}}}}"#);
        let request = parse(&text);
        assert_eq!(request.distinct_id.as_deref(), Some(digits));
        assert_eq!(request.groups["company"].as_deref(), Some(digits));
    }
}

#[test]
fn text_ids_are_unescaped_and_otherwise_kept() {
    for (json, expected) in [
        (r#""""#, ""),
        (r#"" a ""#, " a "),
        (r#""a\"\u00e9\n""#, "a\"é\n"),
        (r#""42""#, "42"),
    ] {
        let request = parse(&format!(r#"{{"distinct_id":{json}}}"#));
        assert_eq!(request.distinct_id.as_deref(), Some(expected), "{json}");
    }
}

#[test]
fn unusable_group_keys_are_still_mentioned() {
    for key in [r#""""#, "null", "true", "[]", r#"{"a":1}"#] {
        let request = parse(&format!(r#"{{"groups":{{"company":{key}}}}}"#));
        assert_eq!(
            request.groups,
            HashMap::from([("company".into(), None)]),
            "{key}"
        );
    }
}

#[test]
fn null_group_properties_are_none() {
    let request = parse(r#"{"group_properties":{"company":null,"project":{}}}"#);
    let expected = HashMap::from([("project".to_owned(), Properties::new())]);
    assert_eq!(request.group_properties, expected);
}

#[test]
fn lists_are_bounded() {
    let list = |length: usize| vec!["k"; length];
    for (name, member) in [
        ("flag_keys", "flag_keys"),
        ("flag_keys_to_evaluate", "flag_keys"),
        ("evaluation_contexts", "evaluation_contexts"),
        ("evaluation_environments", "evaluation_contexts"),
    ] {
        let fits = json!({name: list(MAX_LIST_ENTRIES)}).to_string();
        assert!(FlagsRequest::parse(&fits).is_ok(), "{name}");
        let too_long = json!({name: list(MAX_LIST_ENTRIES + 1)}).to_string();
        let limit = MAX_LIST_ENTRIES;
        let expected = ParseError::TooManyEntries { member, limit };
        assert_eq!(FlagsRequest::parse(&too_long), Err(expected), "{name}");
    }
}

#[test]
fn device_and_anonymous_ids_fall_back_to_person_properties() {
    let cases = [
        ("{}", None, None),
        (
            r#"{"$device_id":"d","$anon_distinct_id":"a"}"#,
            Some("d"),
            Some("a"),
        ),
        (
            r#"{"$device_id":"","$anon_distinct_id":""}"#,
            None,
            Some(""),
        ),
        (
            r#"{"$device_id":"","person_properties":{"$device_id":"p","$anon_distinct_id":"q"}}"#,
            Some("p"),
            Some("q"),
        ),
        (
            r#"{"$device_id":"d","$anon_distinct_id":"a","person_properties":{"$device_id":"p","$anon_distinct_id":"q"}}"#,
            Some("d"),
            Some("a"),
        ),
        (
            r#"{"person_properties":{"$device_id":"","$anon_distinct_id":""}}"#,
            None,
            Some(""),
        ),
        (
            r#"{"person_properties":{"$device_id":5,"$anon_distinct_id":5}}"#,
            None,
            None,
        ),
        (r#"{"$anon_distinct_id":"$posthog_cookieless"}"#, None, None),
        (
            r#"{"person_properties":{"$anon_distinct_id":"$posthog_cookieless"}}"#,
            None,
            None,
        ),
        (
            r#"{"$anon_distinct_id":"$posthog_cookieless","person_properties":{"$anon_distinct_id":"q"}}"#,
            None,
            Some("q"),
        ),
    ];
    for (text, device, anonymous) in cases {
        let subject = parse(text).into_subject("u");
        assert_eq!(subject.device_id.as_deref(), device, "{text}");
        assert_eq!(subject.anonymous_id.as_deref(), anonymous, "{text}");
    }
}

#[test]
fn long_distinct_ids_are_cut() {
    let subject = parse("{}").into_subject(&"é".repeat(250));
    assert_eq!(subject.distinct_id, "é".repeat(200));
    let subject = parse("{}").into_subject(&"é".repeat(99));
    assert_eq!(subject.distinct_id, "é".repeat(99));
}

#[test]
fn recorded_server_bodies_are_read() {
    let python = r#"{"distinct_id": "user-1", "groups": {}, "person_properties": {}, "group_properties": {},
        "geoip_disable": true, "device_id": null, "flag_keys_to_evaluate": ["multi"],
        "sent_at": "2026-11-21T23:50:38.760485+00:00", "api_key": "phc_local_dev"}"#;
    let node = r#"{"token":"phc_local_dev","distinct_id":"user-1","groups":{},"person_properties":{},
        "group_properties":{},"geoip_disable":true,"flag_keys_to_evaluate":["multi"],"evaluation_runtime":"server"}"#;
    let rust = r#"{"api_key":"phc_local_dev","distinct_id":"user-1","groups":{"company":"acme"},
        "group_properties":{"company":{"plan":"enterprise"}},"person_properties":{"email":"a@example.com"}}"#;
    for text in [python, node, rust] {
        let request = parse(text);
        assert_eq!(request.token.as_deref(), Some("phc_local_dev"), "{text}");
        assert_eq!(request.distinct_id.as_deref(), Some("user-1"), "{text}");
    }
    assert_eq!(parse(python).keys, Some(texts(&["multi"])));
    assert_eq!(parse(node).runtime.as_deref(), Some("server"));
    assert_eq!(parse(rust).groups["company"].as_deref(), Some("acme"));
}
