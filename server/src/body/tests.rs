use super::*;
use flate2::Compression as Level;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::io::Write;

const LIMIT: usize = 4096;

fn object(text: &str) -> Result<Value, ParseError> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer.disable_recursion_limit();
    let value = <Value as serde::Deserialize>::deserialize(&mut deserializer)?;
    deserializer.end()?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(ParseError::Shape)
    }
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn base64(data: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(data)
}

/// Query parameter, content type and content encoding; `None` is an absent header.
type Said = (&'static str, Option<&'static str>, Option<&'static str>);

fn decode_as(said: Said, raw: &[u8]) -> Result<Value, BodyError> {
    let (compression, content_type, content_encoding) = said;
    let format = BodyFormat::new(
        Compression::from_parameter(compression),
        content_type,
        content_encoding,
    );
    decode_now(raw, &format, LIMIT, object)
}

const JSON: Said = ("", Some("application/json"), None);
const FORM: Said = ("", Some("application/x-www-form-urlencoded"), None);

#[test]
fn bodies_are_found_in_every_encoding() {
    let plain = br#"{"a":1}"#;
    let packed = gzip(plain);
    let encoded = base64(plain);
    let as_form = format!("data={}", encoded.replace('=', "%3D"));
    let cases: Vec<(&str, Said, Vec<u8>)> = vec![
        ("json", JSON, plain.to_vec()),
        ("no content type", ("", None, None), plain.to_vec()),
        ("empty content type", ("", Some(""), None), plain.to_vec()),
        (
            "charset",
            ("", Some("Application/JSON; charset=utf-8"), None),
            plain.to_vec(),
        ),
        (
            "text",
            ("", Some("text/plain;charset=UTF-8"), None),
            plain.to_vec(),
        ),
        ("white space around", JSON, b" \n{ \"a\" : 1 }\r\n".to_vec()),
        (
            "gzip by parameter",
            ("gzip", Some("text/plain"), None),
            packed.clone(),
        ),
        (
            "gzip-js by parameter",
            ("gzip-js", Some("text/plain"), None),
            packed.clone(),
        ),
        (
            "gzip by header",
            ("", Some("application/json"), Some("GZIP")),
            packed.clone(),
        ),
        (
            "gzip unannounced",
            ("", Some("text/plain"), None),
            packed.clone(),
        ),
        (
            "gzip behind another encoding",
            ("base64", Some("text/plain"), None),
            packed.clone(),
        ),
        (
            "unknown header",
            ("", Some("application/json"), Some("identity")),
            plain.to_vec(),
        ),
        ("base64", JSON, encoded.clone().into()),
        (
            "base64 by parameter",
            ("base64", Some("application/json"), None),
            encoded.clone().into(),
        ),
        (
            "base64 without padding",
            JSON,
            encoded.trim_end_matches('=').into(),
        ),
        (
            "base64 with spaces",
            JSON,
            encoded.replace("Ijo", " I j o").into(),
        ),
        (
            "base64 percent-encoded",
            JSON,
            encoded.replace('=', "%3d").into(),
        ),
        ("form", FORM, as_form.clone().into()),
        ("form without data", FORM, encoded.clone().into()),
        (
            "form with charset",
            (
                "base64",
                Some("application/x-www-form-urlencoded; charset=utf-8"),
                None,
            ),
            as_form.clone().into(),
        ),
        (
            "form with other fields",
            FORM,
            format!("ver=1&{as_form}&x=2").into(),
        ),
        (
            "form, name encoded",
            FORM,
            as_form.replacen('=', "%3D", 1).into(),
        ),
    ];
    for (name, said, raw) in cases {
        assert_eq!(decode_as(said, &raw), Ok(json!({"a": 1})), "{name}");
    }
}

#[test]
fn a_plus_is_a_digit_of_base64() {
    // At this place "~~~" encodes to "fn5+".
    let body = json!({"a": "~~~>>>???"});
    let encoded = base64(body.to_string().as_bytes());
    assert!(encoded.contains('+'), "{encoded}");
    let raw = format!("data={encoded}");
    assert_eq!(decode_as(FORM, raw.as_bytes()), Ok(body.clone()));
    assert_eq!(decode_as(JSON, encoded.as_bytes()), Ok(body));
}

#[test]
fn broken_text_is_replaced_not_refused() {
    let raw = b"{\"a\":\"x\xff\xfey\"}";
    let expected = json!({"a": "x\u{fffd}\u{fffd}y"});
    assert_eq!(decode_as(JSON, raw), Ok(expected.clone()));
    assert_eq!(decode_as(JSON, &gzip(raw)), Ok(expected.clone()));
    assert_eq!(decode_as(FORM, base64(raw).as_bytes()), Ok(expected));
}

#[test]
fn bare_words_are_null() {
    let raw = br#"{"a":NaN,"b":[Infinity,-Infinity],"c":"NaN"}"#;
    let expected = json!({"a": null, "b": [null, null], "c": "NaN"});
    assert_eq!(decode_as(JSON, raw), Ok(expected.clone()));
    assert_eq!(decode_as(JSON, base64(raw).as_bytes()), Ok(expected));
}

#[test]
fn what_cannot_be_decoded_is_told_apart() {
    use BodyError::*;
    let packed = gzip(br#"{"a":1}"#);
    let cases: &[(&str, Said, &[u8], BodyError)] = &[
        ("empty", JSON, b"", InvalidJson),
        ("empty form", FORM, b"", InvalidJson),
        ("not JSON", JSON, b"{\"a\":", InvalidJson),
        ("two values", JSON, b"{} {}", InvalidJson),
        ("an array", JSON, b"[1]", InvalidJson),
        ("a number", JSON, b"12", InvalidJson),
        ("null", JSON, b"null", InvalidJson),
        ("base64 of no JSON", JSON, b"aGVsbG8=", InvalidJson),
        ("base64 of an array", JSON, b"W10=", InvalidJson),
        (
            "unknown compression",
            ("lz64", None, None),
            b"{}",
            UnsupportedCompression,
        ),
        (
            "unknown compression first",
            ("lz64", Some("image/png"), None),
            b"{}",
            UnsupportedCompression,
        ),
        (
            "content type",
            ("", Some("Image/PNG; q=1"), None),
            b"{}",
            UnsupportedContentType("image/png".into()),
        ),
        (
            "gzip form by parameter",
            ("gzip", FORM.1, None),
            b"data=e30=",
            GzipInForm,
        ),
        (
            "gzip form by header",
            ("", FORM.1, Some("gzip")),
            b"data=e30=",
            GzipInForm,
        ),
        ("gzip form unannounced", FORM, &packed, GzipInForm),
        ("form of no base64", FORM, b"data=???", InvalidJsonStructure),
        (
            "form of no JSON",
            FORM,
            b"data=aGVsbG8=",
            InvalidJsonStructure,
        ),
        (
            "form of JSON as it is",
            FORM,
            b"{\"a\":1}",
            InvalidJsonStructure,
        ),
        ("form of an array", FORM, b"data=W10=", InvalidJson),
    ];
    for (name, said, raw, expected) in cases {
        assert_eq!(decode_as(*said, raw).as_ref(), Err(expected), "{name}");
    }
}

#[test]
fn broken_gzip_says_why() {
    let packed = gzip(br#"{"a":"some text that is long enough to be cut"}"#);
    let cut = packed.get(..packed.len() / 2).unwrap();
    for (name, said, raw) in [
        ("announced, not gzip", ("gzip", None, None), &b"{}"[..]),
        ("by header, not gzip", ("", None, Some("gzip")), &b"{}"[..]),
        ("cut off", JSON, cut),
        ("magic only", JSON, &[0x1f, 0x8b]),
    ] {
        let error = decode_as(said, raw);
        assert!(
            matches!(&error, Err(BodyError::Gzip(why)) if !why.is_empty()),
            "{name}: {error:?}"
        );
    }
}

#[test]
fn several_gzip_members_are_one_body() {
    let mut packed = gzip(br#"{"a":"#);
    packed.extend(gzip(b"1}"));
    assert_eq!(decode_as(JSON, &packed), Ok(json!({"a": 1})));
}

#[test]
fn unpacking_stops_just_past_the_limit() {
    let of_length = |length: usize| {
        let filling = "x".repeat(length - r#"{"a":""}"#.len());
        gzip(format!(r#"{{"a":"{filling}"}}"#).as_bytes())
    };
    assert!(decode_as(JSON, &of_length(LIMIT)).is_ok());
    let expected = BodyError::DecompressedTooLarge {
        limit: LIMIT,
        got: LIMIT + 1,
    };
    for length in [LIMIT + 1, 64 * 1024 * 1024] {
        assert_eq!(decode_as(JSON, &of_length(length)).as_ref(), Err(&expected));
    }
}

#[test]
fn depth_is_bounded_in_every_encoding() {
    let nested = |depth: usize| {
        let inside = depth - 1;
        format!(r#"{{"a":{}{}}}"#, "[".repeat(inside), "]".repeat(inside))
    };
    for (depth, allowed) in [(MAX_DEPTH, true), (MAX_DEPTH + 1, false), (2_000, false)] {
        let text = nested(depth);
        for (name, decoded) in [
            ("plain", decode_as(JSON, text.as_bytes())),
            ("gzip", decode_as(JSON, &gzip(text.as_bytes()))),
            (
                "base64",
                decode_as(JSON, base64(text.as_bytes()).as_bytes()),
            ),
            ("form", decode_as(FORM, base64(text.as_bytes()).as_bytes())),
        ] {
            match decoded {
                Ok(_) => assert!(allowed, "{name} {depth}"),
                Err(error) => {
                    assert_eq!(error, BodyError::TooDeep, "{name} {depth}");
                    assert!(!allowed, "{name} {depth}");
                }
            }
        }
    }
    let unclosed = "[".repeat(1_000_000);
    assert_eq!(
        decode_as(JSON, unclosed.as_bytes()),
        Err(BodyError::TooDeep)
    );
}

/// Runs the asynchronous decoder with room for some large bodies.
async fn decode_with(slots: usize, raw: Vec<u8>, wait: Duration) -> Result<Value, DecodeError> {
    let slots = Arc::new(Semaphore::new(slots));
    let format = BodyFormat::new(Compression::Unstated, None, None);
    let deadline = Instant::now() + wait;
    decode(
        raw.into(),
        format,
        8 * 1024 * 1024,
        &slots,
        deadline,
        object,
    )
    .await
}

const LONG: Duration = Duration::from_secs(60);

#[actix_web::test]
async fn small_bodies_need_no_slot_and_large_ones_do() {
    let text = |length: usize| json!({"a": "x".repeat(length)}).to_string().into_bytes();
    let small = text(1000);
    let large = text(INLINE_RECEIVED + 1);
    let bomb = gzip(&text(INLINE_DECOMPRESSED + 1));
    assert!(bomb.len() < INLINE_RECEIVED);
    for (name, raw, needs_slot) in [
        ("small", small, false),
        ("large", large, true),
        ("bomb", bomb, true),
    ] {
        assert!(decode_with(1, raw.clone(), LONG).await.is_ok(), "{name}");
        let without = decode_with(0, raw, Duration::ZERO).await;
        let refused = matches!(without, Err(DecodeError::Busy));
        assert_eq!(refused, needs_slot, "{name}: {:?}", without.err());
    }
}

#[actix_web::test]
async fn the_limit_holds_on_the_blocking_pool_too() {
    let bomb = gzip(&vec![b' '; 8 * 1024 * 1024 + 1]);
    let error = decode_with(1, bomb, LONG).await;
    assert!(
        matches!(
            error,
            Err(DecodeError::Body(BodyError::DecompressedTooLarge {
                limit: 8_388_608,
                ..
            }))
        ),
        "{error:?}"
    );
}

#[actix_web::test]
async fn a_crash_of_the_reader_is_an_error_of_this_body_alone() {
    let slots = Arc::new(Semaphore::new(1));
    let format = BodyFormat::new(Compression::Unstated, None, None);
    let raw = Bytes::from(vec![b' '; INLINE_RECEIVED + 1]);
    let crash: Parse<()> = |_| panic!("on purpose");
    let deadline = Instant::now() + LONG;
    let decoded = decode(raw, format, LIMIT, &slots, deadline, crash).await;
    assert_eq!(decoded, Err(DecodeError::Crashed));
    assert_eq!(slots.available_permits(), 1);
}

async fn read_pieces(
    pieces: &[&'static str],
    declared: Option<usize>,
    limit: usize,
) -> Result<Bytes, BodyError> {
    let limits = BodyLimits {
        received: limit,
        timeout: LONG,
        ..BodyLimits::default()
    };
    let pieces = pieces
        .iter()
        .map(|piece| Ok(Bytes::from_static(piece.as_bytes())));
    read(futures_util::stream::iter(pieces), declared, &limits).await
}

#[actix_web::test]
async fn bodies_are_put_together_up_to_the_limit() {
    let too_large = || Err(BodyError::TooLarge { limit: 6 });
    let cases = [
        (&[][..], None, Ok("")),
        (&["abc"], Some(3), Ok("abc")),
        (&["abc", "def"], Some(6), Ok("abcdef")),
        (&["ab", "cd", "ef"], None, Ok("abcdef")),
        (&["abcdefg"], None, too_large()),
        (&["abc", "defg"], None, too_large()),
        (&["ab", "cd", "efg"], None, too_large()),
        (&[], Some(7), too_large()),
    ];
    for (pieces, declared, expected) in cases {
        let read = read_pieces(pieces, declared, 6).await;
        assert_eq!(read, expected.map(Bytes::from), "{pieces:?}");
    }
}

#[actix_web::test]
async fn a_body_that_does_not_come_is_given_up() {
    let limits = BodyLimits {
        timeout: Duration::from_millis(1),
        ..BodyLimits::default()
    };
    let read = read(futures_util::stream::pending(), Some(10), &limits).await;
    assert_eq!(read, Err(BodyError::TimedOut));
}

#[actix_web::test]
async fn a_body_that_breaks_off_is_incomplete() {
    let pieces = [
        Ok(Bytes::from_static(b"abc")),
        Err(actix_web::error::PayloadError::Incomplete(None)),
    ];
    let read = read(
        futures_util::stream::iter(pieces),
        None,
        &BodyLimits::default(),
    )
    .await;
    assert_eq!(read, Err(BodyError::Incomplete));
}

/// The gzip body of a recorded posthog-js request, which announced itself as `text/plain` and nothing else.
const RECORDED_GZIP: &str = "H4sIAAAAAAAAA5VTy07jMBT9F4slaW23hZAtv8Bs2FiOH8lV/RrboWgQ/z43QkKQmgXKJjmvvM55IzWeTSADSbMSLirphDYv5JZoKBWCqgI0spRJTml/6o6yt909s7zrH2zfyZFbpu6otqxH05TjkgoZ3t5vSTK5xCBSjnhWwawwuYEAFfAm2ViTs8mYfaMhG1XRvmEhTEJHLyG0VWrBhFDFkh0K5lrTsN8zfr+jeLCB9T2j+6+GOZaKyo3kqyLJOgfpDaq+OZfqRYlLVsiExbkN5Y2GxTcpJX2SMIU2GUPFN2hy1eTrxEnqn57DK6HWf7V1KNdGS1ZXsG6Lxywb8KUN27EZ4oty5wZeL025A2HlR/k2DExlbuXUZk7WtflZTILzFfi3GVFUKyCmhC29gkfbEkNuJovz6yfmYMTSXcxIPi7EC+4H4lp9tjseH3ac4KgqePMvhrWff54eVymuFZT51UrLOhq5LoFTftcx1nH2xA/DiQ30tDvQwzN5/w81PGcRGQQAAA==";

/// The form body of a posthog-js that was told not to compress.
const RECORDED_FORM: &str = "data=eyJ0b2tlbiI6InBoY19sb2NhbF9kZXYiLCJkaXN0aW5jdF9pZCI6IjAxYTIwMDg1LTlhNjUtNzQxYy1hZWQ1LWVkZDFhMTM2Y2Q2OCIsImdyb3VwcyI6e30sInBlcnNvbl9wcm9wZXJ0aWVzIjp7IiRpbml0aWFsX3JlZmVycmVyIjoiJGRpcmVjdCIsIiRpbml0aWFsX3JlZmVycmluZ19kb21haW4iOiIkZGlyZWN0In0sInRpbWV6b25lIjoiVVRDIiwiJGRldmljZV9pZCI6IjAxYTIwMDg1LTlhNjUtNzQxYy1hZWQ1LWVkZDFhMTM2Y2Q2OCIsInNlbnRfYXQiOiIyMDI2LTExLTIxVDIzOjUxOjI2LjAxNVoifQ%3D%3D";

#[test]
fn recorded_browser_bodies_are_read() {
    let raw = base64::engine::general_purpose::STANDARD
        .decode(RECORDED_GZIP)
        .unwrap();
    let gzip = decode_as(("", Some("text/plain"), None), &raw).unwrap();
    let said = ("base64", Some("application/x-www-form-urlencoded"), None);
    let form = decode_as(said, RECORDED_FORM.as_bytes()).unwrap();
    for body in [gzip, form] {
        assert_eq!(body["token"], json!("phc_local_dev"));
        assert!(body["distinct_id"].is_string(), "{body}");
        assert!(body["person_properties"].is_object(), "{body}");
    }
}

fn any_said() -> impl Strategy<Value = Said> {
    let compressions = proptest::sample::select(vec!["", "gzip", "base64", "lz64"]);
    let types = proptest::sample::select(vec![None, JSON.1, FORM.1, Some("image/png")]);
    let encodings = proptest::sample::select(vec![None, Some("gzip"), Some("br")]);
    (compressions, types, encodings)
}

proptest! {
    #[test]
    fn no_bytes_crash_the_decoder(said in any_said(), raw in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _any_answer = decode_as(said, &raw);
    }

    #[test]
    fn no_text_crashes_the_decoder(
        said in any_said(),
        text in r#"[\[\]{}":,%=&+ \\a-fNI0-9é-]{0,60}|(NaN|-?Infinity|[\[,"\]]){0,20}"#,
    ) {
        let _any_answer = decode_as(said, text.as_bytes());
    }

    #[test]
    fn every_object_survives_every_encoding(text in ".{0,80}", number in any::<i64>()) {
        let body = json!({"text": text, "number": number, "list": [{"text": text}]});
        let plain = body.to_string().into_bytes();
        let encoded = base64(&plain);
        for (said, raw) in [
            (JSON, plain.clone()),
            (JSON, gzip(&plain)),
            (JSON, encoded.clone().into_bytes()),
            (FORM, format!("data={encoded}").into_bytes()),
        ] {
            prop_assert_eq!(decode_as(said, &raw), Ok(body.clone()));
        }
    }
}
