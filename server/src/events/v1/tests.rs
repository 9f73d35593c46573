use super::NumberedEvents;
use crate::body::ParseError;

#[test]
fn options_go_before_properties() {
    for (event, expected) in [
        (r#""options":{},"properties":{}"#, true),
        (
            r#""options":{"process_person_profile":false},"properties":{}"#,
            false,
        ),
        (
            r#""options":{"process_person_profile":true},"properties":{"$process_person_profile":false}"#,
            true,
        ),
        (
            r#""options":{},"properties":{"$process_person_profile":false}"#,
            false,
        ),
        (r#""properties":{"$process_person_profile":null}"#, true),
        (r#""properties":{"$process_person_profile":"false"}"#, true),
    ] {
        let text = format!(r#"{{"batch":[{{"event":"e","uuid":"u","distinct_id":"d",{event}}}]}}"#);
        let events = NumberedEvents::parse(&text).unwrap().0;
        assert_eq!(
            events[0].event.as_ref().unwrap().has_profile,
            expected,
            "{event}"
        );
    }
}

#[test]
fn each_event_has_its_number() {
    let text = r#"{"created_at":"…","batch":[{"event":"e","uuid":"1","distinct_id":"d"},{"uuid":"2"},{"event":"e","uuid":"3"}]}"#;
    let events = NumberedEvents::parse(text).unwrap().0;
    let found: Vec<(&str, bool)> = events
        .iter()
        .map(|event| (event.uuid.as_str(), event.event.is_some()))
        .collect();
    assert_eq!(found, [("1", true), ("2", false), ("3", false)]);
}

#[test]
fn what_is_not_a_request() {
    for (text, expected) in [
        ("", ParseError::Syntax),
        ("[]", ParseError::Shape),
        ("{}", ParseError::Shape),
        (r#"{"batch":null}"#, ParseError::Shape),
        (r#"{"batch":[7]}"#, ParseError::Shape),
        (
            r#"{"batch":[{"event":"e","distinct_id":"d"}]}"#,
            ParseError::Shape,
        ),
        (
            r#"{"batch":[{"event":"e","distinct_id":"d","uuid":7}]}"#,
            ParseError::Shape,
        ),
    ] {
        assert_eq!(NumberedEvents::parse(text), Err(expected), "{text}");
    }
    assert_eq!(
        NumberedEvents::parse(r#"{"batch":[]}"#),
        Ok(NumberedEvents::default())
    );
}
