//! The place where a cohort's members are published. The cache alone fills and empties it; readers take no lock.

use super::members::Members;
use arc_swap::ArcSwapOption;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The members of one cohort: all of them, or none when they are not held.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    members: ArcSwapOption<Members>,
    /// Somebody looked since the cache last asked.
    used: AtomicBool,
    /// Somebody has asked for the members, and nobody else needs to.
    asked: AtomicBool,
}

impl Slot {
    /// Returns whether the members are held.
    pub(crate) fn is_held(&self) -> bool {
        self.members.load().is_some()
    }

    /// Returns whether a person is a member; `None` when the members are not held.
    pub(crate) fn contains(&self, person: i64) -> Option<bool> {
        let members = self.members.load();
        let is_member = members.as_ref()?.contains(person);
        // Written only when it changes, so that readers do not take the line from each other.
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
        Some(is_member)
    }

    /// Returns whether the caller is the one who has to ask for the members.
    pub(crate) fn ask(&self) -> bool {
        !self.asked.load(Ordering::Relaxed) && !self.asked.swap(true, Ordering::Relaxed)
    }

    /// Lets somebody ask (again).
    pub(crate) fn may_be_asked(&self) {
        self.asked.store(false, Ordering::Relaxed);
    }

    /// Returns the members.
    pub(super) fn members(&self) -> Option<Arc<Members>> {
        self.members.load_full()
    }

    pub(super) fn publish(&self, members: Members) {
        self.members.store(Some(Arc::new(members)));
    }

    pub(super) fn withdraw(&self) {
        self.members.store(None);
    }

    /// Returns whether somebody looked since the last call.
    pub(super) fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }
}
