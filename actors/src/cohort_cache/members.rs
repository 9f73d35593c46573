//! The members of one cohort, compressed. Ids of persons are given out one after the other, so members lie close together:
//! a bit for each id in a crowded range, two bytes for each in a sparse one.

use roaring::RoaringTreemap;

/// What a range of 65,536 ids costs beside its content, in bytes.
const CONTAINER: u64 = 48;
/// What a cohort costs beside its ranges, in bytes.
const BASE: u64 = 256;

/// A set of persons.
#[derive(Debug, Clone, Default)]
pub(crate) struct Members(RoaringTreemap);

impl Members {
    /// Adds persons.
    pub(crate) fn add(&mut self, persons: &[i64]) {
        self.0
            .extend(persons.iter().map(|person| person.cast_unsigned()));
    }

    /// Adds or removes one person.
    pub(crate) fn set(&mut self, person: i64, is_member: bool) {
        if is_member {
            self.0.insert(person.cast_unsigned());
        } else {
            self.0.remove(person.cast_unsigned());
        }
    }

    /// Returns whether a person is among them.
    pub(crate) fn contains(&self, person: i64) -> bool {
        self.0.contains(person.cast_unsigned())
    }

    /// Returns how many there are.
    pub(crate) fn len(&self) -> u64 {
        self.0.len()
    }

    /// Returns the memory they take, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let bitmaps = self.0.bitmaps().map(|(_, bitmap)| {
            let statistics = bitmap.statistics();
            // It counts four bytes for each place of an array, which takes two, and a byte for each bit of a set.
            statistics.n_bytes_array_containers / 2
                + statistics.n_bytes_bitset_containers / 8
                + statistics.n_bytes_run_containers
                + u64::from(statistics.n_containers) * CONTAINER
        });
        usize::try_from(bitmaps.sum::<u64>() + BASE).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::Members;

    fn of(ids: impl Iterator<Item = i64>) -> Members {
        let mut members = Members::default();
        let ids: Vec<i64> = ids.collect();
        ids.chunks(5_000).for_each(|page| members.add(page));
        members
    }

    #[test]
    fn a_million_members_take_little() {
        let million = 1_000_000;
        let cases = [
            // (one in so many ids, more than bytes, less than bytes)
            (1, 125_000, 150_000),
            (2, 250_000, 300_000),
            (10, 1_250_000, 1_500_000),
            (100, 2_000_000, 4_000_000),
        ];
        for (step, more, less) in cases {
            let members = of((0..million).map(|n| 1 + n * step));
            assert_eq!(members.len(), 1_000_000);
            let bytes = members.clone().bytes();
            assert!(more < bytes && bytes < less, "one in {step}: {bytes}");
        }
    }

    #[test]
    fn any_id_may_be_a_member() {
        let ids = [i64::MIN, -1, 0, 1, 1 << 32, (1 << 32) + 1, i64::MAX];
        let mut members = of(ids.into_iter());
        assert_eq!(members.len(), 7);
        for id in ids {
            assert!(members.contains(id), "{id}");
            assert!(!members.contains(id ^ 0x1_0000), "{id}");
            members.set(id, false);
            assert!(!members.contains(id), "{id}");
            members.set(id, true);
            assert!(members.contains(id), "{id}");
        }
    }
}
