//! The load generator: prepared requests over raw HTTP/1.1, by a schedule ([`open`]) or as fast as answers come
//! ([`closed`]).
//!
//! It shares the cores with what it measures, so it does little per request: bytes are prepared before, answers are
//! skimmed, and events are sorted into histograms when the run is over.

pub(crate) mod closed;
pub(crate) mod open;
pub(crate) mod samples;
pub(crate) mod wire;

use crate::random::Random;
use std::net::SocketAddr;
use std::time::Duration;

/// A connection that is slow to open is a fault of its own.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// A request, ready to send.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// Which of the caller's classes it belongs to.
    pub(crate) class: u8,
    pub(crate) bytes: Vec<u8>,
}

/// The requests of a run, sent in their order and again from the start.
#[derive(Debug)]
pub(crate) struct Traffic {
    requests: Vec<Prepared>,
}

impl Traffic {
    /// Makes `count` requests; at least one.
    pub(crate) fn new(count: usize, mut make: impl FnMut(&mut Random) -> Prepared) -> Self {
        let mut random = Random::new(0x5eed);
        let requests = (0..count.max(1)).map(|_| make(&mut random)).collect();
        Self { requests }
    }

    /// Returns the request of the arrival with this number.
    pub(crate) fn of(&self, arrival: usize) -> Option<&Prepared> {
        self.requests.get(arrival % self.requests.len().max(1))
    }
}

/// Where to send to, and over how many connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) connections: usize,
    /// How long an arrival of the open loop waits for a free connection.
    pub(crate) queue: Duration,
    /// How long it waits for its answer, the time before included.
    pub(crate) patience: Duration,
}

/// Longer than any server should take: for latencies that are to be seen in full.
pub(crate) const ENDLESS: Duration = Duration::from_secs(10);
/// When SDKs give up.
pub(crate) const SDK: Duration = Duration::from_secs(3);

/// Opens a connection for a generator's own runtime.
async fn connect(address: SocketAddr) -> std::io::Result<tokio::net::TcpStream> {
    let stream =
        tokio::time::timeout(CONNECT_LIMIT, tokio::net::TcpStream::connect(address)).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}
