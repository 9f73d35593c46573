//! Recorded requests, one after the other: from lines of JSON as `burgee shadow --record` writes them, or from a document with a
//! list `requests`.

use crate::peer::Question;
use crate::shadow::is_flags_path;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::Method;
use hyper::header::{CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

/// The longest line, and the largest document, in bytes.
const MAX_LINE: u64 = 64 * 1024 * 1024;
const MAX_DOCUMENT: u64 = 1024 * 1024 * 1024;

/// Headers that belong to the connection they were recorded on, or to which encodings an answer may have.
const LEFT_OUT: [&str; 12] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file.
    #[error("{file} cannot be read")]
    Io {
        /// Its name.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// Something in it.
    #[error("{file}, {place}: {why}")]
    Entry {
        /// Its name.
        file: String,
        /// The line or entry.
        place: String,
        /// What is wrong.
        why: String,
    },
}

/// One recorded request.
#[derive(Debug, Clone)]
pub enum Recorded {
    /// Asks for flags.
    Flags(Question),
    /// Asks for something else, which is not replayed.
    Other,
}

/// An entry as it is written. Everything else in it is ignored.
#[derive(Debug, Deserialize)]
struct Entry<'a> {
    #[serde(default = "post")]
    method: String,
    path: String,
    query: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// A text is the body as it was sent; any other JSON is written anew.
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    body_base64: Option<String>,
    raw_body_base64: Option<String>,
}

fn post() -> String {
    "POST".to_owned()
}

/// The requests of several files.
#[derive(Debug)]
pub struct Requests {
    files: std::vec::IntoIter<PathBuf>,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: String,
    entries: Entries,
    /// The number of the entry or line that was read last, from one.
    at: usize,
}

#[derive(Debug)]
enum Entries {
    Lines(BufReader<File>),
    Listed(std::vec::IntoIter<Box<RawValue>>),
}

impl Requests {
    /// Begins to read. Files are opened when it is their turn.
    pub fn new(files: Vec<PathBuf>) -> Self {
        Self {
            files: files.into_iter(),
            open: None,
        }
    }
}

impl Iterator for Requests {
    type Item = Result<Recorded, RecordingError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let open = match &mut self.open {
                Some(open) => open,
                None => match Open::new(&self.files.next()?) {
                    Ok(open) => self.open.insert(open),
                    Err(error) => return Some(Err(error)),
                },
            };
            match open.next() {
                Some(recorded) => return Some(recorded),
                None => self.open = None,
            }
        }
    }
}

impl Open {
    fn new(path: &Path) -> Result<Self, RecordingError> {
        let file = path.display().to_string();
        match Entries::of(path) {
            Ok(entries) => Ok(Self {
                file,
                entries,
                at: 0,
            }),
            Err(source) => Err(RecordingError::Io { file, source }),
        }
    }

    fn next(&mut self) -> Option<Result<Recorded, RecordingError>> {
        let read = loop {
            self.at += 1;
            match &mut self.entries {
                Entries::Listed(list) => break recorded(list.next()?.get()),
                Entries::Lines(file) => match line(file) {
                    Ok(Some(line)) if line.trim().is_empty() => {}
                    Ok(Some(line)) => break recorded(&line),
                    Ok(None) => return None,
                    Err(source) => {
                        let file = self.file.clone();
                        return Some(Err(RecordingError::Io { file, source }));
                    }
                },
            }
        };
        let place = match self.entries {
            Entries::Lines(_) => format!("line {}", self.at),
            Entries::Listed(_) => format!("request {}", self.at),
        };
        Some(read.map_err(|why| RecordingError::Entry {
            file: self.file.clone(),
            place,
            why,
        }))
    }
}

impl Entries {
    /// A document with `requests` is a whole; anything else is lines.
    fn of(path: &Path) -> io::Result<Self> {
        #[derive(Deserialize)]
        struct Document {
            requests: Vec<Box<RawValue>>,
        }
        let mut file = BufReader::new(File::open(path)?);
        let first = line(&mut file)?.unwrap_or_default();
        let is_line = serde_json::from_str::<Entry<'_>>(&first).is_ok();
        file.rewind()?;
        if is_line || first.is_empty() {
            return Ok(Self::Lines(file));
        }
        if file.get_ref().metadata()?.len() > MAX_DOCUMENT {
            return Ok(Self::Lines(file));
        }
        let mut text = String::new();
        file.by_ref().take(MAX_DOCUMENT).read_to_string(&mut text)?;
        match serde_json::from_str::<Document>(&text) {
            Ok(document) => Ok(Self::Listed(document.requests.into_iter())),
            Err(_lines) => {
                file.rewind()?;
                Ok(Self::Lines(file))
            }
        }
    }
}

/// Reads a line with its end; `None` at the end of the file.
fn line(file: &mut BufReader<File>) -> io::Result<Option<String>> {
    let mut line = String::new();
    let read = file.by_ref().take(MAX_LINE).read_line(&mut line)?;
    let is_cut = u64::try_from(read).unwrap_or(u64::MAX) == MAX_LINE;
    match read {
        0 => Ok(None),
        _ if is_cut => Err(io::Error::other("a line is longer than 64 MiB")),
        _ => Ok(Some(line)),
    }
}

fn recorded(text: &str) -> Result<Recorded, String> {
    let entry: Entry<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let target = match entry.query.as_deref() {
        Some(query) if !query.is_empty() => format!("{}?{query}", entry.path),
        _ => entry.path.clone(),
    };
    let method = Method::from_bytes(entry.method.as_bytes());
    let method = method.map_err(|_not_a_method| format!("{:?} is no method", entry.method))?;
    // Only POST evaluates; the others are answered without flags.
    if method != Method::POST || !is_flags_path(&target) {
        return Ok(Recorded::Other);
    }
    let (body, is_as_sent) = body(&entry)?;
    let mut headers = headers(&entry.headers)?;
    if !is_as_sent {
        headers.remove(CONTENT_ENCODING);
    }
    Ok(Recorded::Flags(Question {
        method,
        target,
        headers,
        body,
    }))
}

/// Returns the body, and whether it is as it was sent rather than written anew.
fn body(entry: &Entry<'_>) -> Result<(Bytes, bool), String> {
    let encoded = entry
        .body_base64
        .as_ref()
        .or(entry.raw_body_base64.as_ref());
    if let Some(encoded) = encoded {
        let body = STANDARD.decode(encoded);
        let body = body.map_err(|_broken| "the body is not base64".to_owned())?;
        return Ok((body.into(), true));
    }
    let Some(body) = entry.body else {
        return Ok((Bytes::new(), true));
    };
    match serde_json::from_str(body.get()) {
        Ok(Value::String(text)) => Ok((text.into(), true)),
        Ok(Value::Null) => Ok((Bytes::new(), true)),
        _ => Ok((body.get().to_owned().into(), false)),
    }
}

fn headers(written: &BTreeMap<String, String>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::with_capacity(written.len());
    for (name, value) in written {
        if LEFT_OUT.iter().any(|out| name.eq_ignore_ascii_case(out)) {
            continue;
        }
        let pair = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(value),
        );
        let (Ok(name), Ok(value)) = pair else {
            return Err(format!("the header {name:?} cannot be sent"));
        };
        headers.append(name, value);
    }
    Ok(headers)
}
