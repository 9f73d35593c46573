//! `burgee replay`: sends recorded requests for flags to two servers and tells in what their answers differ.

mod read;
mod run;

#[cfg(test)]
mod tests;

pub use read::{Recorded, RecordingError, Requests};
pub use run::{ReplayError, Replayed, replay};

use crate::comparison::{Ignored, Sides};
use crate::peer::PeerUrl;
use burgee_schema::Roots;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

/// What the two are called.
pub(crate) const SIDES: Sides = Sides {
    names: ["a", "b"],
    missing: ["missing_in_a", "missing_in_b"],
};

/// The settings, typed.
#[derive(Debug, Clone)]
pub struct ReplayConfig {
    /// The recordings.
    pub files: Vec<PathBuf>,
    /// The first server.
    pub a: PeerUrl,
    /// The second server.
    pub b: PeerUrl,
    /// Who may vouch for either of them.
    pub roots: Roots,
    /// How many requests are under way at once.
    pub concurrency: usize,
    /// How many are begun each second at most.
    pub rate: Option<NonZeroU32>,
    /// How long an answer may take.
    pub timeout: Duration,
    /// What is no difference.
    pub ignored: Ignored,
    /// Whether the result is printed as JSON.
    pub json: bool,
}
