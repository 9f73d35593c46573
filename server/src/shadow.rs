//! `burgee shadow`: a proxy in front of a service that answers flags today and of the Burgee that shall answer them, for moving
//! from one to the other project by project.
//!
//! It keeps nothing and evaluates nothing. Whose turn it is follows from a request's token alone ([`share`]); what is done beside
//! an answer (comparing, copying events, recording) is bounded, happens on a thread of its own and never holds an answer up.

mod admin;
mod aside;
mod compare;
mod flags;
mod headers;
mod lines;
mod metrics;
mod mirror;
mod passage;
mod paths;
mod record;
mod share;
mod startup;
mod taken;
mod token;

#[cfg(test)]
mod tests;

pub(crate) use paths::is_flags_path;
pub use share::{NotAPercentage, Percent, mark, share};
pub use startup::{ShadowError, serve};

use crate::comparison::{Ignored, Sides};
use crate::peer::PeerUrl;
use burgee_schema::Roots;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// One of the two that are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The Burgee that shall answer.
    Burgee,
    /// The service that answers today.
    Upstream,
}

impl Side {
    /// Returns its name in labels, reports and headers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Burgee => "burgee",
            Self::Upstream => "upstream",
        }
    }

    /// Returns the other one.
    pub const fn other(self) -> Self {
        match self {
            Self::Burgee => Self::Upstream,
            Self::Upstream => Self::Burgee,
        }
    }
}

/// The sides as comparisons name them, Burgee first.
pub(crate) const SIDES: Sides = Sides {
    names: [Side::Burgee.name(), Side::Upstream.name()],
    missing: ["missing_in_burgee", "missing_in_upstream"],
};

/// The settings, typed.
#[derive(Debug, Clone)]
pub struct ShadowConfig {
    /// The service that answers today.
    pub upstream: PeerUrl,
    /// The Burgee that shall answer.
    pub burgee: PeerUrl,
    /// Who may vouch for either of them.
    pub roots: Roots,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where metrics, the report and the percentage are.
    pub metrics_listen: SocketAddr,
    /// Taken off every path: empty, or with a slash in front and none behind.
    pub base_path: String,
    /// Which projects Burgee answers at the start.
    pub percent: Percent,
    /// Whether the other side is asked when one fails.
    pub fallback: bool,
    /// How long anything may take.
    pub timeouts: Timeouts,
    /// The largest body that is looked into, in bytes.
    pub body_limit: usize,
    /// Requests for flags worked on at once.
    pub max_in_flight: usize,
    /// Open connections of each HTTP worker.
    pub max_connections: usize,
    /// HTTP workers.
    pub http_workers: usize,
    /// How long a stop may take.
    pub shutdown_timeout: Duration,
    /// Memory for what waits beside answers, in bytes, for each kind of it.
    pub aside_bytes: usize,
    /// Whether and how answers are compared.
    pub compare: Option<CompareConfig>,
    /// Whether and how events are copied.
    pub mirror: Option<MirrorConfig>,
    /// Where requests are recorded.
    pub record: Option<PathBuf>,
    /// How large that file may become, in bytes.
    pub record_limit: u64,
}

/// How long anything may take.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Flags from the upstream.
    pub upstream: Duration,
    /// Flags from Burgee.
    pub burgee: Duration,
    /// A connection.
    pub connect: Duration,
    /// The head of any other answer.
    pub passage: Duration,
    /// Between two pieces of a body.
    pub idle: Duration,
}

impl Timeouts {
    const fn of(&self, side: Side) -> Duration {
        match side {
            Side::Burgee => self.burgee,
            Side::Upstream => self.upstream,
        }
    }
}

/// How answers are compared.
#[derive(Debug, Clone)]
pub struct CompareConfig {
    /// How many of the requests.
    pub percent: Percent,
    /// How many at once.
    pub in_flight: usize,
    /// How many may wait.
    pub queue: usize,
    /// How long the other side may take, and a comparison may wait.
    pub timeout: Duration,
    /// What is no difference.
    pub ignored: Ignored,
    /// Where examples are written.
    pub sample: Option<PathBuf>,
}

/// How events are copied.
#[derive(Debug, Clone, Copy)]
pub struct MirrorConfig {
    /// How many at once.
    pub in_flight: usize,
    /// How many may wait.
    pub queue: usize,
}
