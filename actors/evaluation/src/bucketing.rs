//! Key and identifier to a number in 0…1, and from it to rollout, variant and holdout (section 2).

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
    pub fn rollout(&self, _identifier: &str) -> f64 {
        todo!("{}", self.text)
    }

    /// The variant hash. 0.0 for the empty identifier (section 2.1).
    pub fn variant(&self, _identifier: &str) -> f64 {
        todo!()
    }
}

/// The holdout hash, which knows neither flag nor holdout; the empty identifier is hashed like any other.
pub fn holdout(_identifier: &str) -> f64 {
    todo!()
}

/// Returns whether a hash is inside a percentage: at 100 without looking, else hash ≤ percentage / 100.
///
/// The hash is a closure because it is not computed when the percentage decides alone (100 and above, below 0).
pub fn in_rollout(_percentage: f64, _hash: impl FnOnce() -> f64) -> bool {
    todo!()
}

/// Returns the index of the variant a hash falls on, or `None` when no running sum exceeds it.
pub fn choose_variant(_shares: &[f64], _hash: f64) -> Option<usize> {
    todo!()
}

/// Cuts a distinct id of more than 200 bytes to its first 200 characters (section 2.2).
pub fn cut_identifier(_identifier: &str) -> &str {
    todo!()
}
