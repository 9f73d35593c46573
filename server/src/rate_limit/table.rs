//! The memory of a limiter: a table of fixed size, in which each key has eight possible places. A new key takes the place
//! that matters least: an empty one, or that of the key which is the closest to being rested.

use governor::nanos::Nanos;
use governor::state::StateStore;
use std::sync::{Mutex, PoisonError};

/// Places of one key.
const WAYS: usize = 8;
/// Groups of places under one lock, and locks: 131,072 places in all, two megabytes.
const SETS: usize = 256;
const LOCKS: usize = 64;

/// A key, and when it will be rested. An empty place has been rested for ever.
type Place = (u64, Nanos);
type Set = [Place; WAYS];

/// The table.
pub(super) struct Table(Vec<Mutex<Vec<Set>>>);

impl Default for Table {
    fn default() -> Self {
        Self::with(LOCKS, SETS)
    }
}

impl Table {
    fn with(locks: usize, sets: usize) -> Self {
        let part = || Mutex::new(vec![[(0, Nanos::new(0)); WAYS]; sets]);
        Self((0..locks).map(|_| part()).collect())
    }
}

impl StateStore for Table {
    type Key = u64;

    fn measure_and_replace<T, F, E>(&self, key: &u64, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let hash = usize::try_from(*key).unwrap_or(usize::MAX);
        let fresh = || f(None).map(|(outcome, _)| outcome);
        let Some(part) = self.0.get(hash % self.0.len().max(1)) else {
            return fresh();
        };
        let mut sets = part.lock().unwrap_or_else(PoisonError::into_inner);
        let index = (hash / self.0.len().max(1)) % sets.len().max(1);
        let Some(set) = sets.get_mut(index) else {
            return fresh();
        };
        let known = set.iter().position(|(there, _)| there == key);
        let is_known = known.is_some();
        let least = || (0..WAYS).min_by_key(|way| set.get(*way).map(|(_, rested)| *rested));
        let Some(place) = known.or_else(least).and_then(|way| set.get_mut(way)) else {
            return fresh();
        };
        let (outcome, rested) = f(is_known.then_some(place.1))?;
        *place = (*key, rested);
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::{Nanos, StateStore, Table, WAYS};

    /// Sets a key's time and returns what was known of it.
    fn put(table: &Table, key: u64, nanos: u64) -> Option<u64> {
        let put = table.measure_and_replace(&key, |known| {
            Ok::<_, ()>((known.map(Nanos::as_u64), nanos.into()))
        });
        put.unwrap()
    }

    fn get(table: &Table, key: u64) -> Option<u64> {
        table
            .measure_and_replace(&key, |known| {
                Err::<((), Nanos), _>(known.map(Nanos::as_u64))
            })
            .unwrap_err()
    }

    /// As a hash would.
    fn spread(key: u64) -> u64 {
        key.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32)
    }

    #[test]
    fn keys_are_apart() {
        let table = Table::default();
        for key in 1..=10_000 {
            assert_eq!(put(&table, spread(key), key), None, "{key}");
        }
        for key in 1..=10_000 {
            assert_eq!(get(&table, spread(key)), Some(key));
        }
    }

    #[test]
    fn a_flood_takes_the_place_of_the_most_rested_alone() {
        let table = Table::with(1, 1);
        for key in 1..=8 {
            put(&table, key, 100 * key);
        }
        put(&table, 9, 5_000);
        assert_eq!(get(&table, 1), None, "it was the closest to being rested");
        assert_eq!(get(&table, 2), Some(200));
        for key in 10..10_000 {
            put(&table, key, 150);
        }
        // The busiest keys are still there; the flood fights over one place.
        for (key, rested) in [(3, 300), (8, 800), (9, 5_000)] {
            assert_eq!(get(&table, key), Some(rested), "{key}");
        }
        let places: usize = table
            .0
            .iter()
            .map(|part| part.lock().unwrap().len() * WAYS)
            .sum();
        assert_eq!(places, WAYS);
    }

    #[test]
    fn a_refusal_changes_nothing() {
        let table = Table::default();
        put(&table, 7, 70);
        assert_eq!(get(&table, 7), Some(70));
        assert_eq!(get(&table, 8), None);
        assert_eq!(put(&table, 8, 1), None, "looking left no trace");
    }
}
