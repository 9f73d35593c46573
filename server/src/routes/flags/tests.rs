use super::*;
use chrono::DateTime;
use std::time::{Duration, Instant};

/// Headers, by name.
type Sent<'a> = &'a [(&'a HeaderName, &'a str)];

fn headers(pairs: Sent<'_>) -> HeaderMap {
    let pairs = pairs.iter().map(|(name, value)| {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        ((*name).clone(), value)
    });
    HeaderMap::from_iter(pairs)
}

#[test]
fn the_runtime_is_found_in_field_and_headers() {
    const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64)";
    let cases: [(Option<&str>, Sent<'_>, RequestRuntime); 11] = [
        (None, &[], RequestRuntime::Unknown),
        (
            Some("Client"),
            &[(&USER_AGENT, "posthog-node/5.70.0")],
            RequestRuntime::Client,
        ),
        (Some("other"), &[], RequestRuntime::All),
        (
            None,
            &[(&USER_AGENT, "posthog-python/7.91.1")],
            RequestRuntime::Server,
        ),
        // Node's own fetch says that it is a browser's.
        (
            None,
            &[
                (&USER_AGENT, "posthog-node/5.70.0"),
                (&SEC_FETCH_MODE, "cors"),
            ],
            RequestRuntime::Server,
        ),
        (None, &[(&USER_AGENT, BROWSER)], RequestRuntime::Client),
        (
            None,
            &[(&USER_AGENT, "Mözilla Mozilla/5.0")],
            RequestRuntime::Client,
        ),
        (
            None,
            &[(&ORIGIN, "https://a.example")],
            RequestRuntime::Client,
        ),
        (
            None,
            &[(&REFERER, "https://a.example/")],
            RequestRuntime::Client,
        ),
        (
            None,
            &[(&SEC_FETCH_SITE, "cross-site")],
            RequestRuntime::Client,
        ),
        (None, &[(&USER_AGENT, "own/1.0")], RequestRuntime::Unknown),
    ];
    for (stated, sent, expected) in cases {
        assert_eq!(
            runtime(stated, &headers(sent)),
            expected,
            "{stated:?} {sent:?}"
        );
    }
}

#[actix_web::test]
async fn a_question_is_put_together_from_query_body_and_headers() {
    let request = actix_web::test::TestRequest::default()
        .insert_header((USER_AGENT, "posthog-rs/0.30.0"))
        .to_http_request();
    let clock = Clock {
        now: DateTime::UNIX_EPOCH,
        started: Instant::now(),
        deadline: Instant::now() + Duration::from_secs(1),
    };
    let body =
        r#"{"distinct_id":7,"flag_keys":["k"],"evaluation_contexts":["c"],"groups":{"company":5}}"#;
    for (query, surveys, overrides, writes) in [
        ("", false, false, true),
        ("only_evaluate_survey_feature_flags=1", true, false, true),
        ("detailed_analysis", false, false, false),
        ("only_use_override_person_properties", false, true, false),
    ] {
        let asked = FlagsRequest::parse(body).unwrap();
        let query = FlagsQuery::parse(query);
        let question = question(&request, &query, asked, clock).unwrap();
        assert_eq!(question.selector.surveys_only, surveys, "{query:?}");
        assert_eq!(question.overrides_only, overrides, "{query:?}");
        assert_eq!(question.write_hash_keys, writes, "{query:?}");
        assert_eq!(question.selector.runtime, RequestRuntime::Server);
        assert_eq!(question.selector.keys, Some(vec!["k".to_owned()]));
        assert_eq!(question.selector.contexts, ["c"]);
        assert_eq!(question.subject.distinct_id, "7");
        assert_eq!(question.subject.groups["company"].as_deref(), Some("5"));
        assert_eq!(
            (question.now, question.deadline),
            (clock.now, clock.deadline)
        );
    }
    let nobody = question(
        &request,
        &FlagsQuery::default(),
        FlagsRequest::default(),
        clock,
    );
    assert_eq!(nobody.unwrap_err(), ApiError::MissingDistinctId);
}
