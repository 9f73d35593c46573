//! Recordings in both forms.

use super::*;
use crate::peer::Question;
use std::io::Write;

fn written(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn read(text: &str) -> Vec<Result<Recorded, RecordingError>> {
    let file = written(text);
    Requests::new(vec![file.path().to_owned()]).collect()
}

fn question(text: &str) -> Question {
    match read(text).pop() {
        Some(Ok(Recorded::Flags(question))) => question,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn bodies_are_sent_as_they_were() {
    for (entry, body, encoding) in [
        (
            r#"{"path": "/flags/?v=2", "body": "{\"token\": 1}"}"#,
            &b"{\"token\": 1}"[..],
            None,
        ),
        (
            r#"{"path": "/flags/", "query": "v=2", "body": {"token":  1.0}}"#,
            b"{\"token\":  1.0}",
            None,
        ),
        (
            r#"{"path": "/flags/?v=2", "headers": {"Content-Encoding": "gzip"}, "body": {"a": 1}}"#,
            b"{\"a\": 1}",
            None,
        ),
        (
            r#"{"path": "/flags/?v=2", "headers": {"Content-Encoding": "gzip"}, "body_base64": "H4s="}"#,
            &[0x1f, 0x8b],
            Some("gzip"),
        ),
        (
            r#"{"path": "/flags/?v=2", "body": {"a": 1}, "raw_body_base64": "YQ=="}"#,
            b"a",
            None,
        ),
        (r#"{"path": "/flags/?v=2", "body": null}"#, b"", None),
        (r#"{"path": "/flags/?v=2"}"#, b"", None),
    ] {
        let question = question(entry);
        assert_eq!(question.body, body, "{entry}");
        assert_eq!(question.target, "/flags/?v=2", "{entry}");
        assert_eq!(question.method, "POST", "{entry}");
        let found = question
            .headers
            .get("content-encoding")
            .map(|it| it.to_str().unwrap());
        assert_eq!(found, encoding, "{entry}");
    }
}

#[test]
fn headers_of_the_recorded_connection_are_left_out() {
    let entry = r#"{"method": "POST", "path": "/decide", "headers": {"Host": "h", "Content-Length": "9", "User-Agent": "x/1", "Accept-Encoding": "br"}}"#;
    let question = question(entry);
    let names: Vec<&str> = question.headers.keys().map(|name| name.as_str()).collect();
    assert_eq!(
        (question.method.as_str(), names),
        ("POST", vec!["user-agent"])
    );
}

#[test]
fn lines_and_documents_are_told_apart() {
    let entry = r#"{"path": "/flags", "body": {"token": "a"}}"#;
    let other = r#"{"path": "/batch/", "body": "x"}"#;
    let preflight = r#"{"method": "OPTIONS", "path": "/flags/"}"#;
    let lines = format!("{entry}\n\n{other}\n{preflight}\n{entry}");
    let document =
        format!("{{\n \"sdk\": \"x\", \"requests\": [{entry}, {other},{preflight},\n {entry}]}}\n");
    for text in [lines, document] {
        let kinds: Vec<bool> = read(&text)
            .into_iter()
            .map(|read| matches!(read.unwrap(), Recorded::Flags(_)))
            .collect();
        assert_eq!(kinds, [true, false, false, true], "{text}");
    }
    assert!(read("").is_empty());
}

#[test]
fn faults_name_their_place() {
    let fault = |text: &str| {
        let found = read(text).into_iter().find_map(Result::err).expect(text);
        found.to_string()
    };
    let line = r#"{"path": "/flags"}"#;
    assert!(fault(&format!("{line}\n{{\"path\": 5}}\n")).contains("line 2"));
    assert!(fault("nonsense").contains("line 1"));
    assert!(fault(r#"{"path": "/flags", "body_base64": "%"}"#).contains("base64"));
    assert!(fault(r#"{"path": "/flags", "method": "A B"}"#).contains("method"));
    assert!(fault(r#"{"path": "/flags", "headers": {"a": "b\nc"}}"#).contains("header"));
    assert!(fault(&format!("{{\"requests\": [{line}, 5]}}")).contains("request 2"));
    let gone = Requests::new(vec!["/nowhere/at/all".into()])
        .next()
        .unwrap();
    assert!(gone.unwrap_err().to_string().contains("/nowhere/at/all"));
}
