use super::*;
use actix_web::body::MessageBody;

const RETRY: Duration = Duration::from_millis(1_200);

fn every_error() -> Vec<ApiError> {
    let busy = |status| ApiError::Busy {
        waited: Duration::from_millis(37),
        retry_after: RETRY,
        status,
    };
    let mut all: Vec<ApiError> = every_body_error().into_iter().map(ApiError::Body).collect();
    all.extend([
        ApiError::NoToken,
        ApiError::UnknownToken,
        ApiError::NoCredentials,
        ApiError::InvalidPersonalKey,
        ApiError::InvalidSecretKey,
        ApiError::MissingScope {
            wanted: "feature_flag:read or feature_flag:write",
        },
        ApiError::MissingDistinctId,
        ApiError::RateLimited { retry_after: RETRY },
        busy(OverloadStatus::ServiceUnavailable),
        busy(OverloadStatus::GatewayTimeout),
        ApiError::Starting,
        ApiError::TimedOut,
        ApiError::Unavailable,
        ApiError::DatabaseUnavailable,
        ApiError::Database,
        ApiError::WrongProject,
        ApiError::NoSuchObject,
        ApiError::Unexpected,
        ApiError::Unavailable.as_json(),
        busy(OverloadStatus::ServiceUnavailable).as_json(),
        ApiError::UnknownToken.as_json(),
        ApiError::NotFound,
        ApiError::MethodNotAllowed { allow: "GET" },
        ApiError::Internal,
    ]);
    all
}

fn every_body_error() -> Vec<BodyError> {
    vec![
        BodyError::TooLarge { limit: 10 },
        BodyError::TimedOut,
        BodyError::Incomplete,
        BodyError::UnsupportedCompression,
        BodyError::Gzip("corrupt".into()),
        BodyError::DecompressedTooLarge { limit: 10, got: 11 },
        BodyError::UnsupportedContentType("image/png".into()),
        BodyError::GzipInForm,
        BodyError::InvalidJsonStructure,
        BodyError::InvalidJson,
        BodyError::TooDeep,
        BodyError::TooManyEntries {
            member: "flag_keys",
            limit: 10,
        },
    ]
}

/// Status, content type, `Retry-After`, `Allow` and body, a line each error.
fn line(error: &ApiError) -> String {
    let response = error.error_response();
    assert_eq!(response.status(), error.status_code());
    let cached = response.headers().get(CACHE_CONTROL);
    assert_eq!(cached.unwrap(), "no-store");
    let mut line = response.status().as_u16().to_string();
    for name in [CONTENT_TYPE, RETRY_AFTER, ALLOW] {
        if let Some(value) = response.headers().get(&name) {
            line += &format!(" {name}={}", value.to_str().unwrap());
        }
    }
    let body = response.into_body().try_into_bytes().unwrap();
    line += &format!(" | {}", String::from_utf8(body.to_vec()).unwrap());
    line.trim_end().to_owned()
}

#[test]
fn every_error_has_its_status_and_text() {
    let lines: Vec<String> = every_error().iter().map(line).collect();
    assert_eq!(lines.join("\n"), include_str!("answers.txt").trim_end());
}

#[test]
fn failures_of_the_actors_are_mapped() {
    let waited = Duration::from_millis(5);
    let status = OverloadStatus::GatewayTimeout;
    let evaluation = |error| ApiError::evaluation(&error, waited, status);
    let busy = ApiError::Busy {
        waited,
        retry_after: RETRY,
        status,
    };
    assert_eq!(evaluation(EvaluateError::Busy { retry_after: RETRY }), busy);
    let timed_out = EvaluateError::TimedOut { budget: waited };
    assert_eq!(evaluation(timed_out), ApiError::TimedOut);
    assert_eq!(
        ApiError::from(ProjectError::Unavailable),
        ApiError::Unavailable
    );
    assert_eq!(ApiError::from(ProjectError::TimedOut), ApiError::TimedOut);
}

#[test]
fn failures_of_decoding_are_mapped() {
    let waited = Duration::from_millis(5);
    let status = OverloadStatus::ServiceUnavailable;
    let decoding = |error| ApiError::decoding(error, waited, status);
    let body = decoding(BodyError::TooDeep.into());
    assert_eq!(body, ApiError::Body(BodyError::TooDeep));
    assert!(matches!(decoding(DecodeError::Busy), ApiError::Busy { .. }));
    assert_eq!(decoding(DecodeError::Crashed), ApiError::Internal);
}

#[test]
fn the_client_is_never_told_to_retry_at_once() {
    for (millis, expected) in [
        (0, "1"),
        (1, "1"),
        (1_000, "1"),
        (1_001, "2"),
        (60_000, "60"),
    ] {
        let retry_after = Duration::from_millis(millis);
        let response = ApiError::RateLimited { retry_after }.error_response();
        let told = response.headers().get(RETRY_AFTER).unwrap();
        assert_eq!(told, expected, "{millis}");
    }
}

#[test]
fn kinds_of_body_failures_are_distinct() {
    let kinds: Vec<_> = every_body_error().iter().map(BodyError::kind).collect();
    let distinct: std::collections::BTreeSet<_> = kinds.iter().collect();
    assert_eq!(distinct.len(), kinds.len(), "{kinds:?}");
}
