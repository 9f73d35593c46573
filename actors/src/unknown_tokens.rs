//! Tokens that no project has, remembered for a while: a flood of them costs no query each.
//!
//! Only a hash of each is kept, so that neither their number nor their length can take much memory. When there are too
//! many the oldest goes, one at a time.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

/// How long, and how many.
const REMEMBERED_FOR: Duration = Duration::from_secs(30);
const MOST: usize = 10_000;

/// The memory. The hash has a key of its own in each process: nobody can look for two tokens that collide.
#[derive(Debug, Default)]
pub(crate) struct UnknownTokens {
    hasher: RandomState,
    until: HashMap<u64, Instant>,
    /// Oldest first. An entry whose end differs from the one in `until` was renewed or forgotten.
    order: VecDeque<(Instant, u64)>,
}

impl UnknownTokens {
    /// Remembers a token from now on.
    pub(crate) fn remember(&mut self, token: &str, now: Instant) {
        let hash = self.hasher.hash_one(token);
        let until = now + REMEMBERED_FOR;
        self.until.insert(hash, until);
        self.order.push_back((until, hash));
        while let Some(&(end, oldest)) = self.order.front() {
            let is_current = self.until.get(&oldest) == Some(&end);
            if is_current && end > now && self.order.len() <= MOST {
                break;
            }
            self.order.pop_front();
            if is_current {
                self.until.remove(&oldest);
            }
        }
    }

    /// Returns whether a token is known to have no project.
    pub(crate) fn knows(&self, token: &str, now: Instant) -> bool {
        let until = self.until.get(&self.hasher.hash_one(token));
        until.is_some_and(|until| *until > now)
    }

    /// A project has this token now.
    pub(crate) fn forget(&mut self, token: &str) {
        self.until.remove(&self.hasher.hash_one(token));
    }

    /// Returns how many are remembered.
    pub(crate) fn len(&self) -> usize {
        self.until.len()
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST, REMEMBERED_FOR, UnknownTokens};
    use std::time::{Duration, Instant};

    #[test]
    fn a_token_is_remembered_for_its_time() {
        let (mut unknown, now) = (UnknownTokens::default(), Instant::now());
        unknown.remember("a", now);
        assert!(unknown.knows("a", now));
        assert!(!unknown.knows("b", now));
        let last = now + REMEMBERED_FOR - Duration::from_millis(1);
        assert!(unknown.knows("a", last));
        assert!(!unknown.knows("a", now + REMEMBERED_FOR));
        unknown.forget("a");
        assert!(!unknown.knows("a", now));
    }

    #[test]
    fn too_many_push_out_the_oldest_alone() {
        let (mut unknown, now) = (UnknownTokens::default(), Instant::now());
        for n in 0..MOST + 5 {
            unknown.remember(&n.to_string(), now);
        }
        assert_eq!(unknown.len(), MOST);
        for (n, expected) in [(0, false), (4, false), (5, true), (MOST + 4, true)] {
            assert_eq!(unknown.knows(&n.to_string(), now), expected, "{n}");
        }
    }

    #[test]
    fn a_renewed_token_outlives_its_first_entry_and_takes_no_second_place() {
        let (mut unknown, now) = (UnknownTokens::default(), Instant::now());
        for n in 0..3 * MOST {
            let later = now + Duration::from_millis(u64::try_from(n).unwrap());
            unknown.remember("always", later);
        }
        assert_eq!((unknown.len(), unknown.order.len()), (1, 1));
        let half = now + REMEMBERED_FOR / 2;
        unknown.remember("a", now);
        unknown.remember("a", half);
        unknown.remember("b", now + REMEMBERED_FOR);
        assert!(unknown.knows("a", now + REMEMBERED_FOR));
    }
}
