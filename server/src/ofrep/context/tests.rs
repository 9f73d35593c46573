use super::*;
use serde_json::json;

/// Reads a context and writes what came of it as JSON, members that say nothing left out.
fn told(context: &Value) -> Value {
    let body = json!({ "context": context }).to_string();
    match read(&body).unwrap() {
        Ok(request) => shown(&request),
        Err(fault) => json!([fault.code(), fault.to_string()]),
    }
}

fn shown(request: &FlagsRequest) -> Value {
    let all = json!({
        "id": request.distinct_id,
        "person": request.person_properties,
        "groups": request.groups,
        "group_properties": request.group_properties,
        "runtime": request.runtime,
        "contexts": request.contexts,
        "device": request.device_id,
        "anonymous": request.anonymous_id,
    });
    let says = |value: &Value| match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(items) => !items.is_empty(),
        other => !other.is_null(),
    };
    let all = all.as_object().unwrap().clone();
    all.into_iter().filter(|(_, value)| says(value)).collect()
}

#[test]
fn each_member_becomes_what_the_table_says() {
    let cases = [
        (json!({"targetingKey": "u"}), json!({"id": "u"})),
        (json!({"targetingKey": 12345}), json!({"id": "12345"})),
        (json!({"targetingKey": -1.5}), json!({"id": "-1.5"})),
        (
            json!({"targetingKey": "u", "email": "a@b.c", "age": 3, "tags": ["x"], "none": null}),
            json!({"id": "u", "person": {"email": "a@b.c", "age": 3, "tags": ["x"], "none": null}}),
        ),
        (
            json!({"targetingKey": "u", "groups": {"company": "acme", "team": 7, "odd": true, "empty": ""}}),
            json!({"id": "u", "groups": {"company": "acme", "team": "7", "odd": null, "empty": null}}),
        ),
        (
            json!({"targetingKey": "u", "$groups": {"company": "acme"}}),
            json!({"id": "u", "groups": {"company": "acme"}}),
        ),
        (
            json!({"targetingKey": "u", "groups": null, "$groups": {"company": "acme"}}),
            json!({"id": "u", "groups": {"company": "acme"}}),
        ),
        (
            json!({"targetingKey": "u", "groups": {"company": "a"}, "$groups": {"company": "b"}}),
            json!({"id": "u", "groups": {"company": "a"}}),
        ),
        (
            json!({"targetingKey": "u", "groups": "{\"company\": \"acme\"}"}),
            json!({"id": "u", "groups": {"company": "acme"}}),
        ),
        (
            json!({"targetingKey": "u", "group_properties": {"company": {"plan": "x"}, "none": null}}),
            json!({"id": "u", "group_properties": {"company": {"plan": "x"}}}),
        ),
        (
            json!({"targetingKey": "u", "groupProperties": "{\"company\": {\"seats\": 4}}"}),
            json!({"id": "u", "group_properties": {"company": {"seats": 4}}}),
        ),
        (
            json!({"targetingKey": "u", "$group_properties": {"company": {"plan": "x"}}}),
            json!({"id": "u", "group_properties": {"company": {"plan": "x"}}}),
        ),
        (
            json!({"targetingKey": "u", "evaluation_runtime": "client", "evaluation_contexts": ["a"]}),
            json!({"id": "u", "runtime": "client", "contexts": ["a"]}),
        ),
        (
            json!({"targetingKey": "u", "$device_id": "d", "$anon_distinct_id": "a"}),
            json!({"id": "u", "device": "d", "anonymous": "a"}),
        ),
        (
            json!({"targetingKey": "u", "$device_id": null, "evaluation_runtime": null, "evaluation_contexts": null}),
            json!({"id": "u"}),
        ),
    ];
    for (context, expected) in cases {
        assert_eq!(told(&context), expected, "{context}");
    }
}

#[test]
fn flat_members_name_groups_and_their_properties() {
    let cases = [
        (
            json!({"targetingKey": "u", "groups.company": "acme", "groups.team": 7, "groups.beta": true}),
            json!({"id": "u", "groups": {"company": "acme", "team": "7", "beta": "true"}}),
        ),
        (
            json!({"targetingKey": "u", "group_properties.company.plan": "x", "group_properties.company.a.b": [1]}),
            json!({"id": "u", "group_properties": {"company": {"plan": "x", "a.b": [1]}}}),
        ),
        // What is named in full counts.
        (
            json!({"targetingKey": "u", "groups": {"company": "acme"}, "groups.company": "other", "groups.team": "t"}),
            json!({"id": "u", "groups": {"company": "acme", "team": "t"}}),
        ),
        (
            json!({"targetingKey": "u", "group_properties": {"company": {"plan": "x"}},
                   "group_properties.company.plan": "y", "group_properties.company.seats": 2}),
            json!({"id": "u", "group_properties": {"company": {"plan": "x", "seats": 2}}}),
        ),
        (
            json!({"targetingKey": "u", "groups.company": null}),
            json!({"id": "u"}),
        ),
        (
            json!({"targetingKey": "u", "groups.company": ""}),
            json!({"id": "u", "groups": {"company": null}}),
        ),
        // No type, or no property: an ordinary name.
        (
            json!({"targetingKey": "u", "groups.": 1, "group_properties.company": 2, "groupsx": 3}),
            json!({"id": "u", "person": {"groups.": 1, "group_properties.company": 2, "groupsx": 3}}),
        ),
    ];
    for (context, expected) in cases {
        assert_eq!(told(&context), expected, "{context}");
    }
}

#[test]
fn faults_have_their_codes() {
    let missing = json!([
        "TARGETING_KEY_MISSING",
        "context.targetingKey is required: a text or a number"
    ]);
    let invalid = |what: &str| json!(["INVALID_CONTEXT", what]);
    let member = |name: &str| invalid(&format!("context.{name} cannot be used"));
    let many = vec!["c"; MAX_LIST_ENTRIES + 1];
    let cases = [
        (json!({}), missing.clone()),
        (json!({"targetingKey": ""}), missing.clone()),
        (json!({"targetingKey": null}), missing.clone()),
        (json!({"targetingKey": true}), missing.clone()),
        (json!({"targetingKey": ["u"]}), missing.clone()),
        (json!({"targetingKey": {}}), missing),
        (json!(null), invalid("context must be an object")),
        (json!([]), invalid("context must be an object")),
        (json!("u"), invalid("context must be an object")),
        (
            json!({"targetingKey": "u", "groups": "acme"}),
            member("groups"),
        ),
        (
            json!({"targetingKey": "u", "groups": "[1]"}),
            member("groups"),
        ),
        (
            json!({"targetingKey": "u", "groups": ["acme"]}),
            member("groups"),
        ),
        (json!({"targetingKey": "u", "$groups": 5}), member("groups")),
        (
            json!({"targetingKey": "u", "groups.company": {}}),
            member("groups"),
        ),
        (
            json!({"targetingKey": "u", "group_properties": {"company": "x"}}),
            member("group_properties"),
        ),
        (
            json!({"targetingKey": "u", "groupProperties": 1}),
            member("group_properties"),
        ),
        (
            json!({"targetingKey": "u", "evaluation_runtime": 1}),
            member("evaluation_runtime"),
        ),
        (
            json!({"targetingKey": "u", "evaluation_contexts": "a"}),
            member("evaluation_contexts"),
        ),
        (
            json!({"targetingKey": "u", "evaluation_contexts": [1]}),
            member("evaluation_contexts"),
        ),
        (
            json!({"targetingKey": "u", "evaluation_contexts": many}),
            invalid("context.evaluation_contexts has more than 10000 entries"),
        ),
        (
            json!({"targetingKey": "u", "$device_id": 5}),
            member("$device_id"),
        ),
        (
            json!({"targetingKey": "u", "$anon_distinct_id": {}}),
            member("$anon_distinct_id"),
        ),
    ];
    for (context, expected) in cases {
        assert_eq!(told(&context), expected, "{context}");
    }
}

#[test]
fn bodies_are_json_or_they_are_not() {
    let unusable = |text: &str| read(text).map(|asked| asked.unwrap_err());
    for text in [
        "[]",
        "5",
        " null ",
        "\"x\"",
        "{}",
        r#"{"context":null}"#,
        r#"[{"context":{"targetingKey":"u"}}]"#,
    ] {
        assert_eq!(unusable(text), Ok(ContextFault::NotAnObject), "{text}");
    }
    for text in [
        "",
        "{",
        "no",
        r#"{"context":}"#,
        r#"{"context":{"targetingKey":"u"}} x"#,
    ] {
        assert_eq!(unusable(text), Err(ParseError::Syntax), "{text}");
    }
    let broken = r#"{"context":{"targetingKey":"u","a":"\ud800"}}"#;
    assert_eq!(unusable(broken), Ok(ContextFault::Property));
}

#[test]
fn an_object_in_a_text_cannot_be_nested_without_end() {
    let deep = format!(
        "{{\"company\": {{\"a\": {}1{}}}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let told = told(&json!({"targetingKey": "u", "group_properties": deep}));
    assert_eq!(
        told,
        json!(["INVALID_CONTEXT", "context.group_properties cannot be used"])
    );
}

#[test]
fn digits_stay_as_they_were_sent() {
    let asked = read(r#"{"context":{"targetingKey":1.50,"groups":{"company":1e2}}}"#).unwrap();
    let request = asked.unwrap();
    assert_eq!(request.distinct_id.as_deref(), Some("1.50"));
    assert_eq!(request.groups["company"].as_deref(), Some("1e2"));
}
