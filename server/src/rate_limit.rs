//! How often one address, or one token, may ask for flags (section 3.11) and send events (chapter 7), and one project ask for
//! definitions (section 4.4). Off unless a rate is set.
//!
//! Keys are hashes in tables of a fixed size: a flood of distinct addresses or tokens takes no memory, and can only make
//! the limits of others milder, never stricter.

mod peek;
mod table;

#[cfg(test)]
mod tests;

pub use peek::peek_token;

use burgee_evaluation::ProjectId;
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::{Quota, RateLimiter};
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;
use table::Table;

/// A rate, and how much may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests a second, in the long run.
    pub per_second: NonZeroU32,
    /// Requests that may come at once after a pause.
    pub burst: NonZeroU32,
}

/// Which limits there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RateLimitConfig {
    /// For each project token.
    pub token: Option<Rate>,
    /// For each client address.
    pub address: Option<Rate>,
    /// For the definitions of each project.
    pub definitions: Option<Rate>,
    /// Whether requests over a limit are let through, with a header.
    pub warn_only: bool,
}

/// Which of the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// That of addresses.
    Address,
    /// That of tokens.
    Token,
    /// That of definitions.
    Definitions,
}

/// What is counted by itself, at the same rate: events that pile up somewhere keep nobody from getting flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Traffic {
    /// Requests for flags, in whichever protocol.
    Flags,
    /// Requests with events.
    Events,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is within its limit, or there is none.
    Within,
    /// It is over the limit, and let through all the same.
    Over,
    /// It is refused.
    Refused {
        /// When the next one will be let through.
        retry_after: Duration,
    },
}

impl Limit {
    /// Every limit.
    pub const ALL: [Self; 3] = [Self::Address, Self::Token, Self::Definitions];

    /// Returns its name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Token => "token",
            Self::Definitions => "definitions",
        }
    }
}

/// The limits, shared by all HTTP workers.
pub struct RateLimits<C: Clock = MonotonicClock> {
    address: Option<Limiter<C>>,
    token: Option<Limiter<C>>,
    definitions: Option<Limiter<C>>,
    warn_only: bool,
    /// Keyed anew in each process: nobody can look for keys that collide.
    hasher: RandomState,
}

type Limiter<C> = RateLimiter<u64, Table, C, NoOpMiddleware<<C as Clock>::Instant>>;

impl RateLimits {
    /// Builds the limits that are asked for; one that is not takes no memory.
    pub fn new(config: &RateLimitConfig) -> Self {
        Self::with_clock(config, &MonotonicClock)
    }
}

impl<C: Clock + Clone> RateLimits<C> {
    fn with_clock(config: &RateLimitConfig, clock: &C) -> Self {
        let limiter = |rate: Rate| {
            let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
            RateLimiter::new(quota, Table::default(), clock.clone())
        };
        Self {
            address: config.address.map(limiter),
            token: config.token.map(limiter),
            definitions: config.definitions.map(limiter),
            warn_only: config.warn_only,
            hasher: RandomState::new(),
        }
    }

    /// Returns whether tokens are limited, so that looking for one is worth the while.
    pub fn limits_tokens(&self) -> bool {
        self.token.is_some()
    }

    /// Counts a request against its address.
    pub fn address(&self, traffic: Traffic, address: IpAddr) -> Verdict {
        let key = (traffic, Limit::Address.name(), network(address));
        self.check(self.address.as_ref(), key)
    }

    /// Counts a request against its token, or against its address where no token can be read.
    pub fn token(&self, traffic: Traffic, token: Option<&[u8]>, address: IpAddr) -> Verdict {
        let limiter = self.token.as_ref();
        match token {
            Some(token) => self.check(limiter, (traffic, Limit::Token.name(), token)),
            None => self.check(limiter, (traffic, Limit::Address.name(), network(address))),
        }
    }

    /// Counts a request for a project's definitions.
    pub fn definitions(&self, project: ProjectId) -> Verdict {
        self.check(self.definitions.as_ref(), project)
    }

    fn check(&self, limiter: Option<&Limiter<C>>, key: impl Hash) -> Verdict {
        let Some(limiter) = limiter else {
            return Verdict::Within;
        };
        match limiter.check_key(&self.hasher.hash_one(key)) {
            Ok(()) => Verdict::Within,
            Err(_) if self.warn_only => Verdict::Over,
            Err(not_until) => Verdict::Refused {
                retry_after: not_until.wait_time_from(limiter.clock().now()),
            },
        }
    }
}

impl<C: Clock> fmt::Debug for RateLimits<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimits")
            .field("address", &self.address.is_some())
            .field("token", &self.token.is_some())
            .field("definitions", &self.definitions.is_some())
            .field("warn_only", &self.warn_only)
            .finish_non_exhaustive()
    }
}

/// Whoever has one address of IPv6 has the other 2^64 of its network as well.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => {
            let mut segments = six.segments();
            if let Some(host) = segments.get_mut(4..) {
                host.fill(0);
            }
            IpAddr::V6(segments.into())
        }
    }
}
