//! One blocking HTTP/1.1 request with a deadline, plain or over TLS: for the health check and for the export of traces, which
//! both have a thread to themselves. No redirects, no connection that is kept, and of the answer only its status.

use burgee_schema::Trust;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How much of an answer is read: enough for the status line.
const HEAD: usize = 4096;

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    is_tls: bool,
    authority: String,
    /// Path and query, with a slash in front.
    pub path: String,
}

impl Target {
    /// Reads `http://HOST[:PORT][/PATH]` or the same with https.
    pub fn parse(url: &str) -> io::Result<Self> {
        let plain = url.strip_prefix("http://").map(|rest| (false, rest));
        let tls = || url.strip_prefix("https://").map(|rest| (true, rest));
        let wrong = || {
            io::Error::other("expected a URL such as http://127.0.0.1:8080/_readiness, or https")
        };
        let (is_tls, rest) = plain.or_else(tls).ok_or_else(wrong)?;
        let end = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let is_plain = |text: &str| !text.chars().any(|c| c.is_whitespace() || c.is_control());
        if authority.is_empty() || authority.contains('@') || !is_plain(rest) {
            return Err(wrong());
        }
        Ok(Self {
            is_tls,
            authority: authority.to_owned(),
            path: if path.is_empty() { "/" } else { path }.to_owned(),
        })
    }

    /// Returns settings for TLS to this target, where it wants TLS.
    pub fn client_config(&self, trust: &Trust) -> io::Result<Option<Arc<ClientConfig>>> {
        let config = self.is_tls.then(|| trust.client_config());
        let config = config.transpose().map_err(io::Error::other)?;
        Ok(config.map(Arc::new))
    }

    /// Returns host and port, the usual port where none is written.
    fn host_and_port(&self) -> (&str, u16) {
        let usual = if self.is_tls { 443 } else { 80 };
        match self.authority.rsplit_once(':') {
            Some((host, port)) => match port.parse() {
                Ok(port) => (host, port),
                // An address of IPv6 has colons of its own, and a bracket behind them.
                Err(_) => (&self.authority, usual),
            },
            None => (&self.authority, usual),
        }
    }
}

/// A request to be.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Such as `GET`.
    pub method: &'a str,
    /// Lines between the first and the empty one, each with its line end; `Host`, `Connection` and `Content-Length` are added.
    pub headers: &'a str,
    /// The body; nothing is said of it when it is empty.
    pub body: &'a [u8],
}

/// Asks, and returns the status of the answer. `tls` comes from [`Target::client_config`].
pub fn ask(
    target: &Target,
    tls: Option<&Arc<ClientConfig>>,
    request: Request<'_>,
    timeout: Duration,
) -> io::Result<u16> {
    let deadline = Instant::now() + timeout;
    let (host, port) = target.host_and_port();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut failure = io::Error::other("the host has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, left(deadline)?) {
            Ok(stream) => {
                let stream = Bounded { stream, deadline };
                let Some(config) = tls else {
                    return exchange(stream, target, request);
                };
                let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
                let session = ClientConnection::new(Arc::clone(config), name);
                let session = session.map_err(io::Error::other)?;
                return exchange(StreamOwned::new(session, stream), target, request);
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn left(deadline: Instant) -> io::Result<Duration> {
    deadline
        .checked_duration_since(Instant::now())
        .filter(|left| !left.is_zero())
        .ok_or_else(|| io::Error::from(io::ErrorKind::TimedOut))
}

/// A connection that ends at a moment: a timeout on the socket alone would begin anew with every byte.
struct Bounded {
    stream: TcpStream,
    deadline: Instant,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(left(self.deadline)?))?;
        self.stream.read(buffer)
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(left(self.deadline)?))?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn exchange(
    mut stream: impl Read + Write,
    target: &Target,
    request: Request<'_>,
) -> io::Result<u16> {
    let (method, headers, body) = (request.method, request.headers, request.body);
    let mut head = format!(
        "{method} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}",
        target.path, target.authority
    );
    if !body.is_empty() {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    stream.flush()?;
    let mut answer = Vec::new();
    let mut chunk = [0; 512];
    while !answer.contains(&b'\n') && answer.len() < HEAD {
        let read = stream.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        answer.extend_from_slice(chunk.get(..read).unwrap_or_default());
    }
    status(&answer).ok_or_else(|| io::Error::other("the answer is not HTTP"))
}

fn status(head: &[u8]) -> Option<u16> {
    let text = String::from_utf8_lossy(head);
    let line = text.lines().next()?;
    line.strip_prefix("HTTP/1.")?
        .split(' ')
        .nth(1)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests;
