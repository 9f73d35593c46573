//! What a fuzz input means: shared by the fuzz targets and by the test that replays the corpora.

use burgee::body::{BodyError, BodyFormat, BodyLimits, Compression, decode_now};
use burgee::flags_request::{FlagsQuery, FlagsRequest};
use burgee::project_file::{ApplyOptions, check};

/// Reads a request as `/flags` does. Three lines come before the body: the query string, `Content-Type` and
/// `Content-Encoding`; an empty one stands for an absent header.
///
/// Any answer is fine as long as there is one; what was refused for its size must really be too large.
pub(crate) fn body(input: &[u8]) {
    let mut parts = input.splitn(4, |byte| *byte == b'\n');
    let mut line = || String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let (query, content_type, content_encoding) = (line(), line(), line());
    let body = parts.next().unwrap_or_default();
    let query = FlagsQuery::parse(&query);
    let present = |value: String| Some(value).filter(|value| !value.is_empty());
    let (content_type, content_encoding) = (present(content_type), present(content_encoding));
    let format = BodyFormat::new(
        query.compression,
        content_type.as_deref(),
        content_encoding.as_deref(),
    );
    let limit = BodyLimits::default().decompressed;
    match decode_now(body, &format, limit, FlagsRequest::parse) {
        Ok(mut asked) => {
            let distinct_id = asked.distinct_id.take().unwrap_or_default();
            asked.into_subject(&distinct_id);
        }
        Err(BodyError::DecompressedTooLarge { got, .. }) => assert!(got > limit),
        Err(BodyError::UnsupportedCompression) => {
            assert_eq!(query.compression, Compression::Unknown);
        }
        Err(_) => {}
    }
}

/// Reads and checks a project file; the first line is its name, whose ending tells JSON from YAML.
///
/// A file that is fine must also be fine for a lenient reader, with the same plan.
pub(crate) fn project_file(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (file, text) = text.split_once('\n').unwrap_or(("", &text));
    let options = |lenient| ApplyOptions {
        file: file.to_owned(),
        prune: false,
        lenient,
        dry_run: true,
        now: chrono::DateTime::UNIX_EPOCH,
    };
    let strict = check(text, &options(false));
    let lenient = check(text, &options(true));
    if let Ok(strict) = strict {
        let lenient = lenient.expect("a lenient reader takes what a strict one does");
        assert_eq!(strict.lines, lenient.lines);
    }
}
