//! Tells those who remember keys when a key may have changed. What keys are is not known here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that differs after every change of a key that this process heard of. Cheap to clone and to read.
#[derive(Debug, Clone, Default)]
pub struct KeysRevision(Arc<AtomicU64>);

impl KeysRevision {
    /// Returns the number. Read it before the database is asked: an answer counts as long as the number stays.
    pub fn current(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn changed(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}
