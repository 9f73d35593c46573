//! Key and identifier to a number in 0…1, and from it to rollout, variant and holdout (section 2).
//!
//! It knows no flag and no request: which identifier is hashed for what is decided by its callers (section 2.3).

use sha1::digest::core_api::Block;
use sha1::{Digest, Sha1, Sha1Core};

/// What 60 bits of ones become as a double: the division below is exact but for the conversion of its dividend.
const DIVISOR: f64 = 1_152_921_504_606_846_976.0;

/// The longest text that fits two padded blocks. A key, a UUID and the salt rarely need more.
const SHORT: usize = 119;

/// The longest text that fits one padded block.
const ONE_BLOCK: usize = 55;

/// Where SHA-1 starts.
const INITIAL: [u32; 5] = [
    0x6745_2301,
    0xefcd_ab89,
    0x98ba_dcfe,
    0x1032_5476,
    0xc3d2_e1f0,
];

/// A flag key prepared for hashing: the prefix `key.` is kept, so that only the identifier is added per evaluation.
#[derive(Debug, Clone)]
pub struct HashPrefix {
    text: Box<str>,
}

impl HashPrefix {
    /// The prefix of a flag's rollout and variant hashes: its key and a dot.
    pub fn of_flag(key: &str) -> Self {
        Self {
            text: format!("{key}.").into(),
        }
    }

    /// The rollout hash. 0.0 for the empty identifier (section 2.1).
    pub fn rollout(&self, identifier: &str) -> f64 {
        self.hash(identifier, "")
    }

    /// The variant hash. 0.0 for the empty identifier (section 2.1).
    pub fn variant(&self, identifier: &str) -> f64 {
        self.hash(identifier, "variant")
    }

    fn hash(&self, identifier: &str, salt: &str) -> f64 {
        if identifier.is_empty() {
            0.0
        } else {
            hash([&self.text, identifier, salt])
        }
    }
}

/// The holdout hash, which knows neither flag nor holdout; the empty identifier is hashed like any other.
pub fn holdout(identifier: &str) -> f64 {
    hash(["holdout-", identifier, ""])
}

/// Returns whether a hash is inside a percentage: at 100 without looking, else hash ≤ percentage / 100.
///
/// The hash is a closure because it is not computed when the percentage decides alone (100 and above, below 0).
pub fn in_rollout(percentage: f64, hash: impl FnOnce() -> f64) -> bool {
    if percentage >= 100.0 {
        true
    } else if percentage < 0.0 {
        false
    } else {
        hash() <= percentage / 100.0
    }
}

/// Returns the index of the variant a hash falls on, or `None` when no running sum exceeds it.
pub fn choose_variant(shares: &[f64], hash: f64) -> Option<usize> {
    let mut sum = 0.0;
    shares.iter().position(|share| {
        sum += share / 100.0;
        hash < sum
    })
}

/// Cuts a distinct id of more than 200 bytes to its first 200 characters (section 2.2).
pub fn cut_identifier(identifier: &str) -> &str {
    const MOST: usize = 200;
    if identifier.len() <= MOST {
        return identifier;
    }
    identifier
        .char_indices()
        .nth(MOST)
        .and_then(|(end, _)| identifier.get(..end))
        .unwrap_or(identifier)
}

/// The function of section 2.1, on the concatenation of the parts.
fn hash(parts: [&str; 3]) -> f64 {
    let parts = parts.map(str::as_bytes);
    let head = short_digest(parts).unwrap_or_else(|| long_digest(parts));
    #[expect(
        clippy::as_conversions,
        reason = "rounding 60 bits to the nearest double is what the function is defined by"
    )]
    let digits = (head >> 4) as f64;
    digits / DIVISOR
}

/// The first eight bytes of the SHA-1 digest of a text that fits two blocks, padded by hand on the stack; `None` for longer ones.
fn short_digest(parts: [&[u8]; 3]) -> Option<u64> {
    let mut message = [0; 128];
    let mut free = message.as_mut_slice();
    let mut length = 0;
    for part in parts {
        let (taken, rest) = free.split_at_mut_checked(part.len())?;
        taken.copy_from_slice(part);
        length += part.len();
        free = rest;
    }
    if length > SHORT {
        return None;
    }
    *free.first_mut()? = 0x80;

    let (blocks, _) = message.as_chunks_mut::<64>();
    let blocks = blocks.get_mut(..=usize::from(length > ONE_BLOCK))?;
    // The padding ends with the length in bits.
    *blocks.last_mut()?.last_chunk_mut()? = u64::try_from(8 * length).ok()?.to_be_bytes();

    let mut state = INITIAL;
    for block in blocks {
        sha1::compress(&mut state, &[Block::<Sha1Core>::from(*block)]);
    }
    let [first, second, ..] = state;
    Some(u64::from(first) << 32 | u64::from(second))
}

/// The first eight bytes of the SHA-1 digest of a text of any length.
fn long_digest(parts: [&[u8]; 3]) -> u64 {
    let mut hasher = Sha1::new();
    for part in parts {
        hasher.update(part);
    }
    let [a, b, c, d, e, f, g, h, ..] = <[u8; 20]>::from(hasher.finalize());
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests;
