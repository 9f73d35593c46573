use super::*;
use actix_web::body::MessageBody;

const fn decode(error: BodyError) -> CaptureError {
    CaptureError::Body(error)
}

fn body(response: HttpResponse) -> String {
    let bytes = response.into_body().try_into_bytes().unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The error; its status and sentence in version 0, its status and tag in version 1.
#[test]
fn every_error_has_its_answers() {
    let packed = BodyError::Packed {
        encoding: "zstd",
        why: "corrupt".into(),
    };
    let many = BodyError::TooManyEntries {
        member: "batch",
        limit: 10,
    };
    let unpacked = BodyError::DecompressedTooLarge { limit: 10, got: 11 };
    for (error, status, sentence, status_1, tag) in [
        (
            decode(BodyError::Incomplete),
            400,
            "failed to decode request: ",
            400,
            "request_parsing_error",
        ),
        (
            decode(BodyError::UnsupportedCompression),
            400,
            "failed to decode request: ",
            400,
            "request_parsing_error",
        ),
        (
            decode(BodyError::Gzip("corrupt".into())),
            400,
            "failed to decode request: gzip: corrupt",
            400,
            "request_parsing_error",
        ),
        (
            decode(packed),
            400,
            "failed to decode request: zstd: corrupt",
            400,
            "request_parsing_error",
        ),
        (
            decode(BodyError::GzipInForm),
            400,
            "failed to decode request: ",
            400,
            "request_parsing_error",
        ),
        (
            decode(BodyError::InvalidJsonStructure),
            400,
            "failed to parse request: ",
            400,
            "request_parsing_error",
        ),
        (
            decode(BodyError::InvalidJson),
            400,
            "failed to parse request: ",
            400,
            "request_parsing_error",
        ),
        (
            decode(BodyError::TooDeep),
            400,
            "failed to parse request: ",
            400,
            "request_parsing_error",
        ),
        (
            decode(BodyError::UnsupportedContentType("a/b".into())),
            400,
            "failed to decode request: ",
            415,
            "unsupported_content_type",
        ),
        (
            decode(BodyError::UnsupportedEncoding("lz4".into())),
            400,
            "failed to decode request: ",
            415,
            "unsupported_content_type",
        ),
        (
            decode(BodyError::TimedOut),
            408,
            "",
            408,
            "body_read_timeout",
        ),
        (
            decode(BodyError::TooLarge { limit: 10 }),
            413,
            "",
            413,
            "payload_too_large",
        ),
        (decode(unpacked), 413, "", 413, "payload_too_large"),
        (decode(many), 413, "", 413, "payload_too_large"),
        (
            CaptureError::NoEvents,
            400,
            "request holds no event",
            400,
            "request_parsing_error",
        ),
        (
            CaptureError::NoName,
            400,
            "event submitted with an empty event name",
            400,
            "request_parsing_error",
        ),
        (
            CaptureError::NoDistinctId,
            400,
            "event submitted without a distinct_id",
            400,
            "request_parsing_error",
        ),
        (
            CaptureError::NoToken,
            401,
            "event submitted without an api_key",
            401,
            "missing_authorization",
        ),
        (
            CaptureError::DifferentTokens,
            401,
            "batch submitted with inconsistent api_key values",
            401,
            "missing_authorization",
        ),
        (
            CaptureError::UnknownToken,
            401,
            "API key is not valid: ",
            401,
            "missing_authorization",
        ),
        (
            CaptureError::Unavailable,
            503,
            "transient error, please retry",
            503,
            "service_unavailable",
        ),
        (
            CaptureError::RateLimited {
                retry_after: Duration::from_millis(2_001),
            },
            429,
            "rate limit exceeded",
            429,
            "rate_limit_exceeded",
        ),
        (
            CaptureError::TimedOut,
            503,
            "transient error, please retry",
            504,
            "gateway_timeout",
        ),
        (
            CaptureError::Internal,
            500,
            "internal error, please retry",
            500,
            "internal_error",
        ),
    ] {
        let text = error.text();
        assert_eq!(text.status(), status, "{error}");
        let retry = text.headers().contains_key(RETRY_AFTER);
        assert_eq!(retry, [429, 503].contains(&status), "{error}");
        let text = body(text);
        assert!(text.starts_with(sentence), "{error}: {text}");

        let json = error.json();
        assert_eq!(json.status(), status_1, "{error}");
        let retry = json.headers().contains_key(RETRY_AFTER);
        assert_eq!(
            retry,
            [408, 429, 500, 503, 504].contains(&status_1),
            "{error}"
        );
        let json: serde_json::Value = serde_json::from_str(&body(json)).unwrap();
        let expected =
            serde_json::json!({"error": tag, "error_description": text, "error_uri": ""});
        assert_eq!(json, expected, "{error}");
    }
}

#[test]
fn the_wait_is_told_in_whole_seconds() {
    for (millis, seconds) in [(1, "1"), (1_000, "1"), (1_001, "2")] {
        let retry_after = Duration::from_millis(millis);
        let error = CaptureError::RateLimited { retry_after };
        for answer in [error.text(), error.json()] {
            assert_eq!(answer.headers().get(RETRY_AFTER).unwrap(), seconds);
        }
    }
}
