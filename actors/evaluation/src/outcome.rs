//! What evaluation answers for a flag (sections 3.1, 3.2 and 8.1).

use crate::{Definitions, definition::Flag};
use std::{borrow::Cow, sync::Arc};

/// The value of a flag, without its texts: the flag's definition has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagValue {
    /// Off.
    Off,
    /// On, without a variant.
    On,
    /// On with the variant at this index of the definition's variants.
    Variant(u32),
    /// On by holdout; the variant is `holdout-<id>`.
    Holdout,
}

/// Why a flag has its value (section 3.1). Closed: a reason is never a free text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Decided by an early access enrolment.
    SuperConditionValue,
    /// Decided by a holdout.
    HoldoutConditionValue,
    /// A condition matched.
    ConditionMatch,
    /// The filters of a condition matched, its rollout did not.
    OutOfRolloutBound,
    /// No condition matched.
    NoConditionMatch(NoMatchDetail),
    /// A condition about groups, and no such group in the request; or no condition at all.
    NoGroupType,
    /// Inactive. Never produced by evaluation.
    FlagDisabled,
    /// Depends on a flag that does not exist.
    MissingDependency,
    /// It could not be computed.
    Failed(FailureCode),
}

/// Which description a `no_condition_match` carries (section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoMatchDetail {
    /// The plain one.
    Plain,
    /// A cohort with a behavioural or lifecycle criterion decided the non-match.
    BehavioralCohort,
    /// At least one condition was skipped for want of a group.
    GroupsNotEvaluated,
}

/// Why a flag could not be computed (section 8.1). Clients treat the list as open; here it is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureCode {
    /// The request ran out of time.
    Timeout,
    /// Waiting for a database connection ran out of time, or the pool's queue was full.
    NoMoreConnections,
    /// A database statement ran out of time.
    StatementTimeout,
    /// No database connection could be made.
    DatabaseUnavailable,
    /// Any other database error.
    DatabaseError,
    /// Hash keys could not be read or written (section 8.3).
    HashKeyOverrideError,
    /// An unreadable cohort reference or tree.
    CohortFiltersParsingError,
    /// A cohort that does not exist, directly or not.
    DependencyNotFoundCohort,
    /// Cohorts that refer to each other in a circle.
    DependencyCycleCohort,
    /// A flag it depends on failed, and that could change its answer (section 7.5).
    DependencyFailed,
    /// A filters format that is not supported (section 1.2).
    FlagDataParsingError,
    /// A worker crashed while evaluating it.
    BatchEvaluationPanicked,
    /// Anything else.
    InternalError,
}

/// What a condition that matched left to chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// A hash decided: on the rollout, or among variants.
    Split,
    /// Its filters decided, or a variant that it pins.
    Targeted,
    /// Nothing: it lets everybody in.
    Everybody,
}

/// The answer for one flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Its value. `Off` when it failed.
    pub value: FlagValue,
    /// Why.
    pub reason: Reason,
    /// The 0-based index of the condition that decided.
    pub condition_index: Option<usize>,
}

/// One flag and its answer.
#[derive(Debug, Clone, Copy)]
pub struct Evaluation<'a> {
    /// The flag's place among the definitions, by which something can be kept for it.
    pub place: usize,
    /// The definition: key, id, version, variant keys, payloads.
    pub flag: &'a Flag,
    /// The answer.
    pub outcome: Outcome,
}

/// The answers for one request, in the order of the definitions (ascending flag key).
///
/// They hold the definitions once instead of each its flag: counting the references to every flag up and down again, on
/// several threads, costs more than evaluating a plain rollout.
#[derive(Debug, Clone, Default)]
pub struct Evaluations {
    /// `None` if nothing was evaluated.
    definitions: Option<Arc<Definitions>>,
    /// By the flag's place, ascending.
    answers: Vec<(usize, Outcome)>,
    /// `errorsWhileComputingFlags`.
    pub errors_while_computing: bool,
}

impl Evaluations {
    /// Puts answers together; they come in ascending order of the flags' places.
    pub fn new(
        definitions: &Arc<Definitions>,
        answers: Vec<(usize, Outcome)>,
        errors_while_computing: bool,
    ) -> Self {
        debug_assert!(answers.is_sorted_by_key(|(place, _)| *place));
        Self {
            definitions: Some(Arc::clone(definitions)),
            answers,
            errors_while_computing,
        }
    }

    /// Returns the definitions that were evaluated, if any were.
    pub fn definitions(&self) -> Option<&Definitions> {
        self.definitions.as_deref()
    }

    /// Returns how many flags are answered.
    pub fn len(&self) -> usize {
        self.answers.len()
    }

    /// Returns whether no flag is answered.
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// Returns the answers, ascending by flag key.
    pub fn iter(&self) -> impl Iterator<Item = Evaluation<'_>> + Clone {
        let flags = self
            .definitions
            .as_deref()
            .map_or(&[][..], |all| &all.flags);
        self.answers.iter().filter_map(|&(place, outcome)| {
            let flag = flags.get(place)?;
            Some(Evaluation {
                place,
                flag,
                outcome,
            })
        })
    }

    /// Returns the answer for a flag.
    pub fn get(&self, key: &str) -> Option<Evaluation<'_>> {
        let place = self.definitions.as_deref()?.place(key)?;
        self.iter().find(|answer| answer.place == place)
    }
}

impl<'a> Evaluation<'a> {
    /// Returns whether the flag is on.
    pub fn enabled(&self) -> bool {
        self.outcome.value != FlagValue::Off
    }

    /// Returns whether it could not be computed.
    pub fn failed(&self) -> bool {
        self.outcome.is_failed()
    }

    /// Returns the variant key, if there is one.
    pub fn variant(&self) -> Option<&'a str> {
        match self.outcome.value {
            FlagValue::Off | FlagValue::On => None,
            FlagValue::Variant(index) => self.flag.variant_key(index),
            FlagValue::Holdout => self.flag.holdout_variant(),
        }
    }

    /// Returns the payload as JSON text (sections 3 and 3.2): stored strings as they are, anything else as its JSON text.
    pub fn payload(&self) -> Option<&'a str> {
        match (self.outcome.reason, self.outcome.value) {
            // an enrolment keeps its payload also when it is an opt-out
            (Reason::SuperConditionValue, _) | (_, FlagValue::On) => self.flag.payload_on(),
            (_, FlagValue::Off) => None,
            (_, FlagValue::Variant(index)) => self.flag.payload_of_variant(index),
            (_, FlagValue::Holdout) => self.flag.payload_of_holdout(),
        }
    }

    /// Returns the description that goes with the reason.
    pub fn description(&self) -> Cow<'static, str> {
        self.outcome.description()
    }

    /// Returns how the condition that matched came to its answer; `None` if none matched.
    pub fn matched(&self) -> Option<Match> {
        if self.outcome.reason != Reason::ConditionMatch {
            return None;
        }
        let condition = self.flag.conditions.get(self.outcome.condition_index?)?;
        let is_targeted = !condition.filters.is_empty()
            || !condition.cohorts.is_empty()
            || condition.pinned.is_some();
        Some(if condition.needs_hash {
            Match::Split
        } else if is_targeted {
            Match::Targeted
        } else {
            Match::Everybody
        })
    }
}

impl Outcome {
    /// Returns the description that goes with the reason (section 3.1, 8.1), formatted when it carries a number.
    pub fn description(&self) -> Cow<'static, str> {
        match (self.reason, self.condition_index) {
            (Reason::ConditionMatch, Some(index)) => {
                Cow::Owned(format!("Matched condition set {}", index.saturating_add(1)))
            }
            (reason, _) => Cow::Borrowed(reason.description()),
        }
    }

    /// Returns whether it could not be computed.
    pub fn is_failed(&self) -> bool {
        matches!(self.reason, Reason::Failed(_))
    }

    /// The answer for an inactive flag.
    pub(crate) const DISABLED: Self = Self {
        value: FlagValue::Off,
        reason: Reason::FlagDisabled,
        condition_index: None,
    };

    /// The answer for a flag that could not be computed.
    pub(crate) fn failed(code: FailureCode) -> Self {
        Self {
            value: FlagValue::Off,
            reason: Reason::Failed(code),
            condition_index: None,
        }
    }
}

impl Reason {
    /// Returns the wire code.
    pub fn code(self) -> &'static str {
        match self {
            Self::SuperConditionValue => "super_condition_value",
            Self::HoldoutConditionValue => "holdout_condition_value",
            Self::ConditionMatch => "condition_match",
            Self::OutOfRolloutBound => "out_of_rollout_bound",
            Self::NoConditionMatch(_) => "no_condition_match",
            Self::NoGroupType => "no_group_type",
            Self::FlagDisabled => "flag_disabled",
            Self::MissingDependency => "missing_dependency",
            Self::Failed(failure) => failure.code(),
        }
    }

    /// Returns the description, without the number that a matched condition adds.
    fn description(self) -> &'static str {
        match self {
            Self::SuperConditionValue => "Super condition value",
            Self::HoldoutConditionValue => "Holdout condition value",
            Self::ConditionMatch => "Matched condition set",
            Self::OutOfRolloutBound => "Out of rollout bound",
            Self::NoConditionMatch(detail) => detail.description(),
            Self::NoGroupType => "No group type",
            Self::FlagDisabled => "Feature flag is disabled",
            Self::MissingDependency => "Flag cannot be evaluated due to missing dependency",
            Self::Failed(failure) => failure.description(),
        }
    }
}

impl NoMatchDetail {
    fn description(self) -> &'static str {
        match self {
            Self::Plain => "No matching condition set",
            Self::BehavioralCohort => {
                "This condition targets a behavioral or realtime cohort. Its membership is not fully evaluated here, \
                 so this result can differ from the cohort's member list."
            }
            Self::GroupsNotEvaluated => {
                "No matching condition set (group conditions were not evaluated because no group type was provided)"
            }
        }
    }
}

impl FailureCode {
    /// Returns the wire code.
    pub fn code(self) -> &'static str {
        self.row().0
    }

    /// Returns the description.
    pub fn description(self) -> &'static str {
        self.row().1
    }

    /// The one table of codes and descriptions.
    fn row(self) -> (&'static str, &'static str) {
        match self {
            Self::Timeout => ("timeout", "Timeout: request"),
            Self::NoMoreConnections => {
                ("no_more_connections", "Database connection pool exhausted")
            }
            Self::StatementTimeout => ("timeout_error", "Database statement timed out"),
            Self::DatabaseUnavailable => ("database_unavailable", "Database unavailable"),
            Self::DatabaseError => (
                "database_error",
                "Database connection error during evaluation",
            ),
            Self::HashKeyOverrideError => (
                "hash_key_override_error",
                "Hash key overrides could not be read or written",
            ),
            Self::CohortFiltersParsingError => (
                "cohort_filters_parsing_error",
                "Cohort filters could not be read",
            ),
            Self::DependencyNotFoundCohort => {
                ("dependency_not_found_cohort", "Cohort dependency not found")
            }
            Self::DependencyCycleCohort => (
                "dependency_cycle_cohort",
                "Cohort dependency cycle detected",
            ),
            Self::DependencyFailed => (
                "dependency_failed",
                "A flag it depends on could not be evaluated",
            ),
            Self::FlagDataParsingError => (
                "flag_data_parsing_error",
                "Flag filters have an unsupported format",
            ),
            Self::BatchEvaluationPanicked => (
                "batch_evaluation_panicked",
                "The evaluation of this flag crashed",
            ),
            Self::InternalError => ("internal_error", "Internal error"),
        }
    }
}

#[cfg(test)]
mod tests;
