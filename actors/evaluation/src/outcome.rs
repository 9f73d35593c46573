//! What evaluation answers for a flag (sections 3.1, 3.2 and 8.1).

use crate::definition::Flag;
use std::sync::Arc;

/// The value of a flag, without its texts: the flag's definition has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagValue {
    /// Off.
    Off,
    /// On, without a variant.
    On,
    /// On with the variant at this index of the definition's variants.
    Variant(usize),
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
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// The definition: key, id, version, variant keys, payloads.
    pub flag: Arc<Flag>,
    /// The answer.
    pub outcome: Outcome,
}

/// The answers for one request, in the order of the definitions (ascending flag key).
#[derive(Debug, Clone, Default)]
pub struct Evaluations {
    /// One entry per answered flag.
    pub flags: Vec<Evaluation>,
    /// `errorsWhileComputingFlags`.
    pub errors_while_computing: bool,
}

impl Evaluations {
    /// Returns the answer for a selection of which nothing could be computed.
    pub fn all_failed(
        _definitions: &crate::Definitions,
        _selection: &crate::Selection,
        _code: FailureCode,
    ) -> Self {
        todo!()
    }
}

impl Evaluation {
    /// Returns whether the flag is on.
    pub fn enabled(&self) -> bool {
        self.outcome.value != FlagValue::Off
    }

    /// Returns whether it could not be computed.
    pub fn failed(&self) -> bool {
        matches!(self.outcome.reason, Reason::Failed(_))
    }

    /// Returns the variant key, if there is one.
    pub fn variant(&self) -> Option<&str> {
        todo!()
    }

    /// Returns the payload as JSON text (sections 3 and 3.2): stored strings as they are, anything else as its JSON text.
    pub fn payload(&self) -> Option<&str> {
        todo!()
    }

    /// Returns the description that goes with the reason (section 3.1, 8.1), formatted when it carries a number.
    pub fn description(&self) -> std::borrow::Cow<'static, str> {
        todo!()
    }
}

impl Reason {
    /// Returns the wire code.
    pub fn code(self) -> &'static str {
        todo!()
    }
}

impl FailureCode {
    /// Returns the wire code.
    pub fn code(self) -> &'static str {
        todo!()
    }

    /// Returns the description.
    pub fn description(self) -> &'static str {
        todo!()
    }
}
