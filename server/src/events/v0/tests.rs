use super::EventsRequest;
use crate::body::ParseError;
use crate::error::CaptureError;
use burgee_actors::Event;

#[track_caller]
fn parse(text: &str) -> EventsRequest {
    EventsRequest::parse(text).unwrap()
}

/// The body; its token, or what is wrong with it.
#[test]
fn the_token_is_one_and_the_same() {
    use CaptureError::{DifferentTokens, NoEvents, NoToken};
    for (text, expected) in [
        (
            r#"{"api_key":"t","batch":[{"event":"e","distinct_id":"d"}]}"#,
            Ok("t"),
        ),
        (r#"{"token":"t","batch":[{}]}"#, Ok("t")),
        (r#"{"$token":"t","batch":[{}]}"#, Ok("t")),
        (
            r#"{"api_key":"t","batch":[{"properties":{"token":"t"}}]}"#,
            Ok("t"),
        ),
        // What an application calls a token is not one, when there is another.
        (
            r#"{"api_key":"t","batch":[{"properties":{"token":"x"}}]}"#,
            Ok("t"),
        ),
        (
            r#"{"api_key":"t","batch":[{"token":"u"},{}]}"#,
            Err(DifferentTokens),
        ),
        (
            r#"{"batch":[{"token":"t"},{"api_key":"t"},{"$token":"t"},{"properties":{"token":"t"}}]}"#,
            Ok("t"),
        ),
        (r#"{"batch":[{"token":"t"},{}]}"#, Err(NoToken)),
        (
            r#"{"batch":[{"token":"t"},{"token":"u"},{}]}"#,
            Err(DifferentTokens),
        ),
        (r#"[{"token":"t"},{"token":"t"}]"#, Ok("t")),
        (
            r#"[{"token":"t"},{"properties":{"token":"u"}}]"#,
            Err(DifferentTokens),
        ),
        (r#" [{"event":"e"}]"#, Err(NoToken)),
        (r#"{"event":"e","api_key":"t"}"#, Ok("t")),
        (r#"{"event":"e","properties":{"token":"t"}}"#, Ok("t")),
        (
            r#"{"event":"e","api_key":"","token":null,"$token":7}"#,
            Err(NoToken),
        ),
        (r#"{}"#, Err(NoToken)),
        (r#"[]"#, Err(NoEvents)),
        (r#"{"api_key":"t","batch":[]}"#, Err(NoEvents)),
    ] {
        assert_eq!(parse(text).token(), expected, "{text}");
    }
}

#[test]
fn every_event_needs_a_name_and_an_id() {
    for (text, expected) in [
        (r#"[{"event":"e","distinct_id":"d"}]"#, None),
        (
            r#"[{"event":"","distinct_id":"d"}]"#,
            Some(CaptureError::NoName),
        ),
        (
            r#"[{"event":7,"distinct_id":"d"}]"#,
            Some(CaptureError::NoName),
        ),
        (r#"[{"distinct_id":"d"}]"#, Some(CaptureError::NoName)),
        (
            r#"[{"event":"e","distinct_id":"d"},{"event":"e"}]"#,
            Some(CaptureError::NoDistinctId),
        ),
        (
            r#"[{"event":"e","distinct_id":null,"properties":{"distinct_id":""}}]"#,
            Some(CaptureError::NoDistinctId),
        ),
    ] {
        assert_eq!(parse(text).events().err(), expected, "{text}");
    }
}

#[test]
fn what_is_not_a_request() {
    for (text, expected) in [
        ("", ParseError::Syntax),
        ("{", ParseError::Syntax),
        (r#"{"event":"e"} x"#, ParseError::Syntax),
        ("7", ParseError::Shape),
        ("null", ParseError::Shape),
        ("[7]", ParseError::Shape),
        ("[[]]", ParseError::Shape),
        (r#"{"batch":{}}"#, ParseError::Shape),
        (r#"[{"event":"e","properties":[]}]"#, ParseError::Shape),
    ] {
        assert_eq!(EventsRequest::parse(text), Err(expected), "{text}");
    }
}

#[test]
fn too_many_events_are_told_apart() {
    let list = |count: usize| format!("[{}]", vec!["{}"; count].join(","));
    assert!(EventsRequest::parse(&list(20_000)).is_ok());
    let expected = ParseError::TooManyEntries {
        member: "batch",
        limit: 20_000,
    };
    assert_eq!(EventsRequest::parse(&list(20_001)), Err(expected));
}

#[test]
fn half_a_character_does_not_spoil_a_request() {
    let text =
        r#"{"api_key":"t","event":"$set","distinct_id":"d\ud83d","$set":{"\ude00":"\ud83d"}}"#;
    let events: Vec<Event> = parse(text).events().unwrap();
    assert_eq!(events[0].distinct_id, "d\u{fffd}");
    let set = vec![("\u{fffd}".to_owned(), r#""\ufffd""#.to_owned())];
    assert_eq!(events[0].beside.set, Some(set));
}
