//! Differences added up by flag, kind and reasons, with a sample of them. Bounded, whatever is added.

use super::{Difference, Kind, cut};
use rand::RngExt;
use std::collections::HashMap;

/// How much a [`Tally`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TallyLimits {
    /// How many differences are told apart; further ones are counted together.
    pub distinct: usize,
    /// How many examples are kept.
    pub samples: usize,
}

impl Default for TallyLimits {
    /// Ten thousand differences and a hundred examples.
    fn default() -> Self {
        Self {
            distinct: 10_000,
            samples: 100,
        }
    }
}

/// What is counted as one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Sort {
    pub(super) flag: Option<String>,
    pub(super) kind: Kind,
    pub(super) reasons: [Option<String>; 2],
}

/// The sum of many comparisons.
#[derive(Debug, Default)]
pub struct Tally {
    limits: TallyLimits,
    pub(super) counts: HashMap<Sort, u64>,
    /// Differences that found no place of their own.
    pub(super) beyond: u64,
    pub(super) equal: u64,
    pub(super) different: u64,
    pub(super) failed: u64,
    pub(super) samples: Vec<String>,
    seen: u64,
}

impl Tally {
    /// Makes an empty one.
    pub fn new(limits: TallyLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Adds what came of one request. `sample` writes the line of an example; a line is returned when it is worth telling: the
    /// first of its sort, or drawn for the reservoir, in which each difference is with the same probability.
    pub fn add(
        &mut self,
        differences: &[Difference],
        sample: impl Fn(&Difference) -> String,
    ) -> Vec<String> {
        match differences {
            [] => self.equal += 1,
            [whole] if whole.flag.is_none() => self.failed += 1,
            _ => self.different += 1,
        }
        let mut lines = Vec::new();
        for difference in differences {
            let is_first = self.count(difference);
            let place = self.draw();
            if !is_first && place.is_none() {
                continue;
            }
            let line = sample(difference);
            if let Some(place) = place {
                match self.samples.get_mut(place) {
                    Some(sample) => sample.clone_from(&line),
                    None => self.samples.push(line.clone()),
                }
            }
            lines.push(line);
        }
        lines
    }

    /// Returns how many requests were compared.
    pub fn compared(&self) -> u64 {
        self.equal + self.different + self.failed
    }

    /// Returns whether anything differed.
    pub fn has_differences(&self) -> bool {
        self.differing() > 0
    }

    /// Returns how many requests were answered differently, or not by both.
    pub fn differing(&self) -> u64 {
        self.different + self.failed
    }

    /// Counts a difference, and returns whether it is the first of its sort.
    fn count(&mut self, difference: &Difference) -> bool {
        let sort = Sort {
            flag: difference.flag.as_deref().map(cut),
            kind: difference.kind,
            reasons: difference.reasons.clone().map(|it| it.as_deref().map(cut)),
        };
        if let Some(count) = self.counts.get_mut(&sort) {
            *count += 1;
            return false;
        }
        let has_room = self.counts.len() < self.limits.distinct;
        if has_room {
            self.counts.insert(sort, 1);
        } else {
            self.beyond += 1;
        }
        has_room
    }

    /// Returns the place in the reservoir that the next difference takes, if it takes one.
    fn draw(&mut self) -> Option<usize> {
        self.seen += 1;
        if self.samples.len() < self.limits.samples {
            return Some(self.samples.len());
        }
        let drawn = usize::try_from(rand::rng().random_range(0..self.seen));
        drawn.ok().filter(|place| *place < self.limits.samples)
    }
}
