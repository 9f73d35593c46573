use super::*;
use crate::body::BodyError;
use crate::error::OverloadStatus;
use actix_web::body::to_bytes;
use serde_json::{Value, json};
use std::time::Duration;

#[actix_web::test]
async fn every_error_is_json_with_details() {
    let second = Duration::from_secs(1);
    let body = |error| OfrepError::from(ApiError::Body(error));
    let cases: [(OfrepError, u16, Value); 14] = [
        (
            ContextFault::TargetingKey.into(),
            400,
            json!({"key": "f", "errorCode": "TARGETING_KEY_MISSING", "errorDetails": "context.targetingKey is required: a text or a number"}),
        ),
        (
            ContextFault::Member("groups").into(),
            400,
            json!({"key": "f", "errorCode": "INVALID_CONTEXT", "errorDetails": "context.groups cannot be used"}),
        ),
        (
            OfrepError::FlagNotFound,
            404,
            json!({"key": "f", "errorCode": "FLAG_NOT_FOUND", "errorDetails": "there is no such flag"}),
        ),
        (
            OfrepError::FlagFailed("Database unavailable".into()),
            400,
            json!({"key": "f", "errorCode": "GENERAL", "errorDetails": "Database unavailable"}),
        ),
        (
            body(BodyError::InvalidJson),
            400,
            json!({"key": "f", "errorCode": "PARSE_ERROR", "errorDetails": "the body cannot be used: not the expected JSON"}),
        ),
        (
            body(BodyError::TooDeep),
            400,
            json!({"key": "f", "errorCode": "PARSE_ERROR", "errorDetails": "the body cannot be used: nested too deep"}),
        ),
        (
            body(BodyError::TooLarge { limit: 9 }),
            413,
            json!({"errorDetails": "the body cannot be used: the body is longer than 9 bytes"}),
        ),
        (
            body(BodyError::TimedOut),
            408,
            json!({"errorDetails": "the body cannot be used: the body did not arrive in time"}),
        ),
        (
            ApiError::NoCredentials.into(),
            401,
            json!({"errorDetails": "unauthorized"}),
        ),
        (
            ApiError::InvalidSecretKey.into(),
            401,
            json!({"errorDetails": "unauthorized"}),
        ),
        (
            ApiError::RateLimited {
                retry_after: second,
            }
            .into(),
            429,
            json!({"errorDetails": "rate limited"}),
        ),
        (
            ApiError::Busy {
                waited: second,
                retry_after: second,
                status: OverloadStatus::default(),
            }
            .into(),
            503,
            json!({"errorDetails": "busy"}),
        ),
        (
            ApiError::Unavailable.into(),
            503,
            json!({"errorDetails": "a dependency is unavailable"}),
        ),
        (
            ApiError::Internal.into(),
            500,
            json!({"errorDetails": "internal error"}),
        ),
    ];
    for (error, status, expected) in cases {
        for key in [Some("f"), None] {
            let response = error.respond(key);
            assert_eq!(response.status().as_u16(), status, "{error:?}");
            let headers = response.headers().clone();
            assert_eq!(
                headers.get(CONTENT_TYPE).unwrap(),
                "application/json",
                "{error:?}"
            );
            assert_eq!(headers.get(CACHE_CONTROL).unwrap(), "no-store", "{error:?}");
            let waits =
                matches!(status, 429) || matches!(error, OfrepError::Api(ApiError::Busy { .. }));
            assert_eq!(headers.contains_key("retry-after"), waits, "{error:?}");
            let body = to_bytes(response.into_body()).await.unwrap();
            let mut expected = expected.clone();
            if key.is_none() {
                expected.as_object_mut().unwrap().remove("key");
            }
            assert_eq!(
                serde_json::from_slice::<Value>(&body).unwrap(),
                expected,
                "{error:?}"
            );
        }
    }
}

#[actix_web::test]
async fn a_key_is_repeated_as_it_is() {
    let response = OfrepError::FlagNotFound.respond(Some("a \"b\"/ü"));
    let body = to_bytes(response.into_body()).await.unwrap();
    let told: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(told["key"], "a \"b\"/ü");
}
