//! A token's share, a number from 0 up to 100 that is its own for ever, and whose turn follows from it.
//!
//! The share is the first 13 hexadecimal digits (52 bits) of the SHA-1 of `burgee-shadow.` and the token, divided by 2^52, times 100.
//! So a project that Burgee answers at some percentage is answered by it at every higher one, and by every proxy alike.

use super::Side;
use sha1::{Digest, Sha1};
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

/// 2^52, and 2^20.
const WHOLE: f64 = 4_503_599_627_370_496.0;
const LOW: f64 = 1_048_576.0;

/// A percentage from 0 to 100, decimals allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Percent(f64);

/// The text is no percentage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a number from 0 to 100")]
pub struct NotAPercentage;

impl Percent {
    /// Nobody.
    pub const NONE: Self = Self(0.0);
    /// Everybody.
    pub const ALL: Self = Self(100.0);

    /// Returns whether a share, below 100, is in it.
    pub fn contains(self, share: f64) -> bool {
        share < self.0
    }

    /// Returns the number.
    pub fn value(self) -> f64 {
        self.0
    }
}

impl FromStr for Percent {
    type Err = NotAPercentage;

    fn from_str(text: &str) -> Result<Self, NotAPercentage> {
        let number: f64 = text.trim().parse().map_err(|_no_number| NotAPercentage)?;
        if (0.0..=100.0).contains(&number) {
            // A zero has no sign here.
            Ok(Self(number.abs()))
        } else {
            Err(NotAPercentage)
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Returns a token's share: 0 ≤ share < 100.
pub fn share(token: &str) -> f64 {
    let [a, b, c, d, e, f, g, ..] = digest(token);
    let high = f64::from(u32::from_be_bytes([a, b, c, d]));
    let low = f64::from(u32::from_be_bytes([0, e, f, g]) >> 4);
    (high * LOW + low) / WHOLE * 100.0
}

/// Returns what stands for a token in reports: the first 8 hexadecimal digits of the same hash.
pub fn mark(token: &str) -> String {
    let [a, b, c, d, ..] = digest(token);
    format!("{:08x}", u32::from_be_bytes([a, b, c, d]))
}

fn digest(token: &str) -> [u8; 20] {
    let hash = Sha1::new().chain_update("burgee-shadow.");
    hash.chain_update(token).finalize().into()
}

/// The percentage that counts now; it may be changed while requests are split by it.
#[derive(Debug)]
pub(super) struct Split(AtomicU64);

impl Split {
    pub(super) fn new(percent: Percent) -> Self {
        Self(AtomicU64::new(percent.0.to_bits()))
    }

    pub(super) fn percent(&self) -> Percent {
        Percent(f64::from_bits(self.0.load(Ordering::Relaxed)))
    }

    pub(super) fn set(&self, percent: Percent) {
        self.0.store(percent.0.to_bits(), Ordering::Relaxed);
    }

    /// Returns whose turn a request is. One without a token is the upstream's, unless everything is Burgee's.
    pub(super) fn turn(&self, token: Option<&str>) -> Side {
        let percent = self.percent();
        let is_in = match token {
            Some(token) => percent.contains(share(token)),
            None => percent == Percent::ALL,
        };
        if is_in { Side::Burgee } else { Side::Upstream }
    }
}
