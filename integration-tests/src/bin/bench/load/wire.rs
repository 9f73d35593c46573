//! Answers as they come off the wire, skimmed: the status, whether flags failed, where the answer ends.

use anyhow::{Context, Result, ensure};
use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream as StdStream};
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

/// How much of a body is looked at.
const PREFIX: usize = 64;
/// A head beyond this is none of Burgee's.
const HEAD_LIMIT: usize = 16 * 1024;
const FAILED: &[u8] = b"\"errorsWhileComputingFlags\":true";

/// What counts about an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Some flag could not be computed.
    pub(crate) failed: bool,
    /// The server closes the connection.
    pub(crate) closes: bool,
}

/// One answer as it arrives.
#[derive(Debug, Default)]
struct Skimmer {
    start: Vec<u8>,
    head: Option<Head>,
    received: usize,
}

#[derive(Debug, Clone, Copy)]
struct Head {
    status: u16,
    closes: bool,
    /// Its length and the body's.
    head: usize,
    body: usize,
}

impl Skimmer {
    /// Takes bytes; returns the answer when it is complete.
    fn feed(&mut self, bytes: &[u8]) -> io::Result<Option<Answer>> {
        self.received += bytes.len();
        let wanted = match self.head {
            Some(head) => (head.head + PREFIX).saturating_sub(self.start.len()),
            None => HEAD_LIMIT,
        };
        self.start.extend(bytes.iter().take(wanted));
        if self.head.is_none() {
            self.head = parse(&self.start)?;
        }
        let Some(head) = self.head else {
            return match self.start.len() < HEAD_LIMIT {
                true => Ok(None),
                false => Err(broken("the head does not end")),
            };
        };
        if self.received < head.head + head.body {
            return Ok(None);
        }
        let prefix = self.start.get(head.head..).unwrap_or_default();
        let prefix = prefix.get(..PREFIX).unwrap_or(prefix);
        Ok(Some(Answer {
            status: head.status,
            failed: prefix.windows(FAILED.len()).any(|part| part == FAILED),
            closes: head.closes,
        }))
    }
}

fn parse(bytes: &[u8]) -> io::Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let head = match response.parse(bytes) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(broken(&error.to_string())),
    };
    let named = |name: &str| {
        let mut headers = response.headers.iter();
        let found = headers.find(|header| header.name.eq_ignore_ascii_case(name));
        found.and_then(|header| std::str::from_utf8(header.value).ok())
    };
    let status = response.code.unwrap_or_default();
    let body = match named("content-length") {
        Some(length) => length
            .parse()
            .map_err(|_number| broken("a content-length that is none"))?,
        None if matches!(status, 204 | 304) => 0,
        None => return Err(broken("an answer without a length")),
    };
    let closes = named("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    Ok(Some(Head {
        status,
        closes,
        head,
        body,
    }))
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Reads one answer; `None` when the server closed the connection before its first byte.
///
/// `scratch` is shared by all connections of a thread: nothing in it outlives a poll.
pub(crate) async fn read_answer(
    stream: &mut TcpStream,
    scratch: &RefCell<Vec<u8>>,
) -> io::Result<Option<Answer>> {
    let mut skimmer = Skimmer::default();
    loop {
        let read = std::future::poll_fn(|context| {
            let mut scratch = scratch.borrow_mut();
            let mut buffer = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer))?;
            let bytes = buffer.filled();
            Poll::Ready(match bytes.is_empty() {
                true => Ok(None),
                false => skimmer.feed(bytes).map(Some),
            })
        });
        match read.await? {
            Some(Some(answer)) => return Ok(Some(answer)),
            Some(None) => {}
            None if skimmer.received == 0 => return Ok(None),
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// A read buffer for [`read_answer`]: large, so that the answer about 1,000 flags takes few calls.
pub(crate) fn scratch() -> RefCell<Vec<u8>> {
    RefCell::new(vec![0; 256 * 1024])
}

/// Writes a request.
pub(crate) async fn write_request(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Sends one request on a connection of its own; returns status and body. For set-up, not for measuring.
pub(crate) fn exchange(
    address: SocketAddr,
    request: &[u8],
    limit: Duration,
) -> Result<(u16, Vec<u8>)> {
    let (head, mut bytes) = receive(address, request, limit)?;
    let body = bytes.split_off(head.head);
    Ok((head.status, body))
}

/// Does the same, and returns the status and the value of a header instead.
pub(crate) fn exchange_for(
    address: SocketAddr,
    request: &[u8],
    name: &str,
    limit: Duration,
) -> Result<(u16, String)> {
    let (head, bytes) = receive(address, request, limit)?;
    let text = String::from_utf8_lossy(bytes.get(..head.head).unwrap_or_default()).into_owned();
    let fields = text.lines().filter_map(|line| line.split_once(": "));
    let mut values = fields.filter(|(other, _)| other.eq_ignore_ascii_case(name));
    let value = values.next().with_context(|| format!("no {name}"))?;
    Ok((head.status, value.1.to_owned()))
}

/// Returns an answer with its head, and where that ends.
fn receive(address: SocketAddr, request: &[u8], limit: Duration) -> Result<(Head, Vec<u8>)> {
    let mut stream = StdStream::connect_timeout(&address, limit).context("no connection")?;
    stream.set_read_timeout(Some(limit))?;
    stream.write_all(request)?;
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        let read = stream.read(&mut buffer)?;
        ensure!(read > 0, "the connection was closed");
        bytes.extend(buffer.iter().take(read));
        if let Some(head) = parse(&bytes)?
            && bytes.len() >= head.head + head.body
        {
            bytes.truncate(head.head + head.body);
            return Ok((head, bytes));
        }
    }
}

/// Returns the bytes of a GET.
pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n").into_bytes()
}

/// Returns the bytes of a POST of JSON.
pub(crate) fn post(path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: bench\r\nUser-Agent: posthog-node/4.0.0\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
