//! `burgee healthcheck`: one plain HTTP request, for the health checks of containers that have no curl.

use super::{CliError, FAILED};
use crate::config::HealthcheckArgs;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// How much of an answer is read: enough for the status line.
const HEAD: usize = 4096;

pub(super) fn run(args: &HealthcheckArgs, out: &mut impl Write) -> Result<u8, CliError> {
    let timeout = Duration::from_millis(args.timeout_ms.max(1));
    let (line, code) = match ask(&args.url, timeout) {
        Ok(status) if (200..300).contains(&status) => (format!("healthy: {status}"), 0),
        Ok(status) => (format!("unhealthy: {status}"), FAILED),
        Err(error) => (format!("unhealthy: {error}"), FAILED),
    };
    writeln!(out, "{line}")?;
    Ok(code)
}

fn ask(url: &str, timeout: Duration) -> io::Result<u16> {
    let deadline = Instant::now() + timeout;
    let (authority, path) = split(url)?;
    let address = match authority.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => authority.to_owned(),
        _ => format!("{authority}:80"),
    };
    let mut failure = io::Error::other("the host has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, left(deadline)?) {
            Ok(stream) => return exchange(stream, authority, path, deadline),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Splits `http://HOST[:PORT][/PATH]` into authority and path.
fn split(url: &str) -> io::Result<(&str, &str)> {
    let rest = url
        .strip_prefix("http://")
        .ok_or_else(|| io::Error::other("expected a URL that begins with http://"))?;
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let plain = |text: &str| !text.chars().any(|c| c.is_whitespace() || c.is_control());
    if authority.is_empty() || !plain(rest) {
        return Err(io::Error::other(
            "expected a URL such as http://127.0.0.1:8080/_readiness",
        ));
    }
    Ok((authority, if path.is_empty() { "/" } else { path }))
}

fn left(deadline: Instant) -> io::Result<Duration> {
    deadline
        .checked_duration_since(Instant::now())
        .filter(|left| !left.is_zero())
        .ok_or_else(|| io::Error::from(io::ErrorKind::TimedOut))
}

fn exchange(
    mut stream: TcpStream,
    authority: &str,
    path: &str,
    deadline: Instant,
) -> io::Result<u16> {
    stream.set_write_timeout(Some(left(deadline)?))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut head = Vec::new();
    let mut chunk = [0; 512];
    // Read piece by piece: a timeout on the socket alone would begin anew with every byte.
    while !head.contains(&b'\n') && head.len() < HEAD {
        stream.set_read_timeout(Some(left(deadline)?))?;
        let read = stream.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        head.extend_from_slice(chunk.get(..read).unwrap_or_default());
    }
    status(&head).ok_or_else(|| io::Error::other("the answer is not HTTP"))
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
