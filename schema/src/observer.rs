//! How the store tells what its waits were like. It knows no metrics library: whoever watches brings an observer.

use std::fmt::Debug;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// What a question to the database is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueryKind {
    /// Whether the database is there.
    Ping,
    /// Which projects there are, and whose a token is.
    Projects,
    /// Everything about one project.
    Definitions,
    /// Persons, groups and hash keys.
    LookUp,
    /// Members of static cohorts.
    Members,
    /// Storing hash keys.
    HashKeys,
    /// Storing events.
    Events,
    /// Storing how often flags were called.
    FlagCalls,
    /// What changed.
    Changes,
    /// Secret tokens and personal keys.
    Keys,
    /// How far a read replica is.
    Replica,
    /// What people ask for through the admin API.
    Admin,
}

impl QueryKind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Ping,
        Self::Projects,
        Self::Definitions,
        Self::LookUp,
        Self::Members,
        Self::HashKeys,
        Self::Events,
        Self::FlagCalls,
        Self::Changes,
        Self::Keys,
        Self::Replica,
        Self::Admin,
    ];

    /// Returns its name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Projects => "projects",
            Self::Definitions => "definitions",
            Self::LookUp => "look_up",
            Self::Members => "members",
            Self::HashKeys => "hash_keys",
            Self::Events => "events",
            Self::FlagCalls => "flag_calls",
            Self::Changes => "changes",
            Self::Keys => "keys",
            Self::Replica => "replica",
            Self::Admin => "admin",
        }
    }
}

/// Is told about each wait. Its functions are called on the database's threads and must not block.
pub trait StoreObserver: Debug + Send + Sync {
    /// A caller waited this long for a connection, and got one or not.
    fn acquired(&self, waited: Duration);
    /// A connection was on loan this long.
    fn released(&self, held: Duration);
    /// A question took this long, without the wait for its connection; it may have failed.
    fn asked(&self, kind: QueryKind, took: Duration);
}

/// Where the observer is put, at most once. While there is none, no clock is read.
#[derive(Debug, Default)]
pub(crate) struct Observers(OnceLock<Box<dyn StoreObserver>>);

impl Observers {
    /// Sets the observer; a second one is dropped.
    pub(crate) fn set(&self, observer: Box<dyn StoreObserver>) {
        let _second = self.0.set(observer);
    }

    fn get(&self) -> Option<&dyn StoreObserver> {
        self.0.get().map(|observer| &**observer)
    }

    /// Begins a measurement that `tell` ends.
    pub(crate) fn began(&self) -> Option<Instant> {
        self.get().map(|_| Instant::now())
    }

    /// Ends a measurement.
    pub(crate) fn tell(
        &self,
        began: Option<Instant>,
        what: impl FnOnce(&dyn StoreObserver, Duration),
    ) {
        if let (Some(observer), Some(began)) = (self.get(), began) {
            what(observer, began.elapsed());
        }
    }
}
