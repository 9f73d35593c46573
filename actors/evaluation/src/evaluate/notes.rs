//! What a flag remembers while its conditions are tried: the best reason so far, and the answers it might have given.

use crate::{
    Outcome,
    definition::Flag,
    outcome::{FailureCode, FlagValue, NoMatchDetail, Reason},
};

/// The notes on one flag.
#[derive(Debug)]
pub(super) struct Notes<'a> {
    flag: &'a Flag,
    /// The best reason recorded so far, and where (section 3.1).
    best: (Recorded, Option<usize>),
    /// A condition was skipped for want of a group.
    group_skipped: bool,
    /// A cohort with a behavioural criterion decided a non-match.
    behavioral: bool,
    /// A condition could not be tried: unless a later one settles the answer, the flag fails (section 8.4).
    pub(super) skipped_with_error: Option<FailureCode>,
    /// Answers that would have been given, had a failed dependency had the right value (section 7.5).
    possible: Vec<FlagValue>,
}

/// The reasons that a condition can leave behind, ascending by score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Recorded {
    NoGroupType,
    NoConditionMatch,
    OutOfRolloutBound,
}

impl<'a> Notes<'a> {
    pub(super) fn new(flag: &'a Flag) -> Self {
        Self {
            flag,
            best: (Recorded::NoGroupType, None),
            group_skipped: false,
            behavioral: false,
            skipped_with_error: None,
            possible: Vec::new(),
        }
    }

    /// Records a reason. Among equals the last one counts.
    pub(super) fn record(&mut self, reason: Recorded, condition: usize) {
        self.group_skipped |= reason == Recorded::NoGroupType;
        if reason >= self.best.0 {
            self.best = (reason, Some(condition));
        }
    }

    /// Records that a cohort with a behavioural criterion decided a non-match.
    pub(super) fn record_behavioral(&mut self) {
        self.behavioral = true;
    }

    /// Notes an answer that a failed dependency may have prevented.
    pub(super) fn note(&mut self, value: FlagValue) {
        self.possible.push(value);
    }

    /// Settles the flag with an answer, unless a noted one differs from it.
    pub(super) fn settle(&self, outcome: Outcome) -> Outcome {
        if self.possible.iter().all(|&v| self.same(v, outcome.value)) {
            outcome
        } else {
            Outcome::failed(FailureCode::DependencyFailed)
        }
    }

    /// Settles the flag when no condition matched.
    pub(super) fn settle_without_match(&self) -> Outcome {
        if let Some(code) = self.skipped_with_error {
            return Outcome::failed(code);
        }
        let (recorded, condition_index) = self.best;
        let reason = match recorded {
            Recorded::NoGroupType => Reason::NoGroupType,
            Recorded::NoConditionMatch => Reason::NoConditionMatch(self.detail()),
            Recorded::OutOfRolloutBound => Reason::OutOfRolloutBound,
        };
        self.settle(Outcome {
            value: FlagValue::Off,
            reason,
            condition_index,
        })
    }

    fn detail(&self) -> NoMatchDetail {
        if self.behavioral {
            NoMatchDetail::BehavioralCohort
        } else if self.group_skipped {
            NoMatchDetail::GroupsNotEvaluated
        } else {
            NoMatchDetail::Plain
        }
    }

    /// Compares values as they are seen from outside: a key that is declared twice is one variant.
    fn same(&self, a: FlagValue, b: FlagValue) -> bool {
        match (a, b) {
            (FlagValue::Variant(a), FlagValue::Variant(b)) => {
                self.flag.variant_key(a) == self.flag.variant_key(b)
            }
            (a, b) => a == b,
        }
    }
}
