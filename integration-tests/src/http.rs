//! HTTP/1.1 over a plain socket: what is sent is exactly what was given, what comes back is taken apart and not judged.

use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

const MAX_HEADERS: usize = 64;

/// A request as bytes to be.
#[derive(Debug, Clone)]
pub struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request {
    /// Begins a request; `target` is the path with its query.
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: None,
        }
    }

    /// Begins a GET.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// Begins a POST.
    pub fn post(target: &str) -> Self {
        Self::new("POST", target)
    }

    /// Adds a header, spelt as given, after those already there.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sets a JSON body with its content type.
    pub fn json(self, body: &Value) -> Self {
        self.header("Content-Type", "application/json")
            .body(body.to_string())
    }

    /// Returns the bytes. `Host` comes first; `Content-Length` comes last, unless a header already says it.
    pub fn bytes(&self) -> Vec<u8> {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nHost: burgee.test\r\n",
            self.method, self.target
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let has = |wanted: &str| {
            self.headers
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case(wanted))
        };
        if let Some(body) = &self.body
            && !has("content-length")
            && !has("transfer-encoding")
        {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default());
        bytes
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names as spelt by the server, in its order.
    pub headers: Vec<(String, String)>,
    /// The body, with transfer coding undone and content coding left.
    pub body: Vec<u8>,
}

impl Response {
    /// Returns the value of a header, the first when there are several.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Returns the body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the body as JSON; fails when it is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {}: {}", self.status, self.text()))
    }
}

/// A connection that is kept open between exchanges.
pub struct Connection {
    stream: TcpStream,
    /// What was read beyond the last answer.
    rest: Vec<u8>,
}

impl Connection {
    /// Connects to `host:port`; every later read or write has a deadline.
    pub fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the server accepts connections");
        stream
            .set_read_timeout(Some(crate::deadline::PATIENCE))
            .expect("a positive time");
        stream
            .set_write_timeout(Some(crate::deadline::PATIENCE))
            .expect("a positive time");
        stream.set_nodelay(true).expect("a TCP socket");
        Self {
            stream,
            rest: Vec::new(),
        }
    }

    /// Sends a request and reads its answer, which may come, and end the connection, before all is sent.
    #[track_caller]
    pub fn exchange(&mut self, request: &Request) -> Response {
        let bytes = request.bytes();
        let mut sending = self.stream.try_clone().expect("a socket has copies");
        std::thread::scope(|scope| {
            scope.spawn(move || sending.write_all(&bytes));
            self.read(&request.method)
        })
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server reads");
    }

    /// Reads one answer to a request with this method.
    #[track_caller]
    pub fn read(&mut self, method: &str) -> Response {
        let (mut response, framing) = self.head(method);
        response.body = match framing {
            Framing::Length(length) => self.take(length),
            Framing::Chunked => self.take_chunks(),
            Framing::UntilClosed => {
                while self.fill() {}
                std::mem::take(&mut self.rest)
            }
        };
        response
    }

    /// Reads the head of an answer to a request with this method, and leaves its body to [`Self::read_chunk`].
    #[track_caller]
    pub fn read_head(&mut self, method: &str) -> Response {
        self.head(method).0
    }

    /// Reads the next chunk of a chunked body; `None` at its end. A connection that is closed before is a failure.
    #[track_caller]
    pub fn read_chunk(&mut self) -> Option<Vec<u8>> {
        let line = self.take_line();
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).expect("a chunk size");
        let chunk = self.take(size);
        assert_eq!(self.take_line(), "", "a chunk ends with its line");
        (size > 0).then_some(chunk)
    }

    /// Says that nothing more will be sent.
    pub fn finish_writing(&self) {
        // The server may have closed first; then there is nothing left to end.
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
    }

    /// Waits until the server closes; returns what it still sent.
    pub fn drain(mut self) -> Vec<u8> {
        while self.fill() {}
        self.rest
    }

    #[track_caller]
    fn head(&mut self, method: &str) -> (Response, Framing) {
        loop {
            if let Some((consumed, response, framing)) = parse_head(&self.rest, method) {
                self.rest.drain(..consumed);
                return (response, framing);
            }
            assert!(self.fill(), "closed before an answer: {:?}", self.rest);
        }
    }

    fn fill(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        let read = self.stream.read(&mut buffer).expect("an answer in time");
        self.rest.extend_from_slice(&buffer[..read]);
        read > 0
    }

    /// Reads so many bytes, after the head of an answer that says how many there are.
    #[track_caller]
    pub fn take(&mut self, length: usize) -> Vec<u8> {
        while self.rest.len() < length {
            assert!(self.fill(), "closed within a body");
        }
        self.rest.drain(..length).collect()
    }

    fn take_line(&mut self) -> String {
        loop {
            if let Some(end) = self.rest.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.take(end + 2);
                return String::from_utf8_lossy(&line[..end]).into_owned();
            }
            assert!(self.fill(), "closed within a line");
        }
    }

    fn take_chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        while let Some(chunk) = self.read_chunk() {
            body.extend(chunk);
        }
        body
    }
}

enum Framing {
    Length(usize),
    Chunked,
    UntilClosed,
}

fn parse_head(bytes: &[u8], method: &str) -> Option<(usize, Response, Framing)> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let consumed = match head.parse(bytes).expect("a well-formed answer") {
        httparse::Status::Complete(consumed) => consumed,
        httparse::Status::Partial => return None,
    };
    let response = Response {
        status: head.code?,
        headers: head
            .headers
            .iter()
            .map(|header| {
                (
                    header.name.to_owned(),
                    String::from_utf8_lossy(header.value).into_owned(),
                )
            })
            .collect(),
        body: Vec::new(),
    };
    let framing = framing(&response, method);
    Some((consumed, response, framing))
}

fn framing(response: &Response, method: &str) -> Framing {
    if method == "HEAD" || response.status < 200 || [204, 304].contains(&response.status) {
        return Framing::Length(0);
    }
    if response
        .header("transfer-encoding")
        .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
    {
        return Framing::Chunked;
    }
    match response.header("content-length") {
        Some(length) => Framing::Length(length.parse().expect("a length")),
        None => Framing::UntilClosed,
    }
}
