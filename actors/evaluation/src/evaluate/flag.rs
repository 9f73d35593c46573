//! One flag, step by step (section 3).

use super::{
    condition::{self, Verdict},
    notes::{Notes, Recorded},
    request::{Request, Values},
};
use crate::{
    Outcome,
    bucketing::{choose_variant, cut_identifier, holdout, in_rollout},
    definition::{
        Flag,
        filters::{Aggregation, Condition},
    },
    outcome::{FailureCode, FlagValue, Reason},
};
use serde_json::Value;
use std::ops::ControlFlow;

/// Answers a flag; the flags it depends on have been answered. The first step that gives an answer ends the evaluation.
pub(super) fn answer(flag: &Flag, request: &mut Request<'_>, values: &Values) -> Outcome {
    // before everything, failures included: what does not exist needs nothing to be known
    if flag.missing_dependency {
        return off(Reason::MissingDependency, None);
    }
    if !flag.supported {
        return Outcome::failed(FailureCode::FlagDataParsingError);
    }
    if let Some(code) = request.failure_of(flag) {
        return Outcome::failed(code);
    }
    if let Some(outcome) = enrolled(flag, request).or_else(|| held_out(flag, request)) {
        return outcome;
    }
    let mut notes = Notes::new(flag);
    for (index, condition) in flag.conditions.iter().enumerate() {
        let attempt = Attempt {
            flag,
            condition,
            index,
        };
        if let ControlFlow::Break(outcome) = attempt.run(request, values, &mut notes) {
            return outcome;
        }
    }
    notes.settle_without_match()
}

fn off(reason: Reason, condition_index: Option<usize>) -> Outcome {
    Outcome {
        value: FlagValue::Off,
        reason,
        condition_index,
    }
}

/// Step 2: a person's own choice. Any present value but true is an opt-out.
fn enrolled(flag: &Flag, request: &Request<'_>) -> Option<Outcome> {
    let choice = request.person.get(flag.enrollment.as_deref()?)?;
    let enrolled = match choice {
        Value::Bool(choice) => *choice,
        Value::String(choice) => choice == "true",
        _ => false,
    };
    Some(Outcome {
        value: if enrolled {
            FlagValue::On
        } else {
            FlagValue::Off
        },
        reason: Reason::SuperConditionValue,
        condition_index: Some(0),
    })
}

/// Step 3: a population that is kept out of everything.
fn held_out(flag: &Flag, request: &Request<'_>) -> Option<Outcome> {
    let percentage = flag.holdout.as_ref()?.percentage;
    let member = in_rollout(percentage, || holdout(request.holdout_identifier(flag)));
    member.then_some(Outcome {
        value: FlagValue::Holdout,
        reason: Reason::HoldoutConditionValue,
        condition_index: None,
    })
}

/// Step 4 for one condition: either it settles the flag, or the next one is tried.
struct Attempt<'a> {
    flag: &'a Flag,
    condition: &'a Condition,
    index: usize,
}

impl Attempt<'_> {
    fn run(
        &self,
        request: &mut Request<'_>,
        values: &Values,
        notes: &mut Notes<'_>,
    ) -> ControlFlow<Outcome> {
        let Some(identifier) = self.identifier(request, notes)? else {
            return ControlFlow::Continue(());
        };
        let provisional = match condition::filters_match(self.condition, request, values) {
            Verdict::Match => false,
            Verdict::Provisional => true,
            Verdict::NoMatch { behavioral } => {
                if behavioral {
                    notes.record_behavioral();
                }
                notes.record(Recorded::NoConditionMatch, self.index);
                return ControlFlow::Continue(());
            }
            Verdict::Failed(code) => return ControlFlow::Break(Outcome::failed(code)),
        };
        let hash = || self.flag.prefix.rollout(identifier);
        if !in_rollout(self.condition.rollout, hash) {
            return self.outside(provisional, notes);
        }
        let value = self.value(identifier);
        if provisional {
            notes.note(value);
            notes.record(Recorded::NoConditionMatch, self.index);
            return ControlFlow::Continue(());
        }
        ControlFlow::Break(notes.settle(Outcome {
            value,
            reason: Reason::ConditionMatch,
            condition_index: Some(self.index),
        }))
    }

    /// Steps 4a and 4b: returns what to hash, or `None` if the condition has to be skipped.
    fn identifier<'r>(
        &self,
        request: &Request<'r>,
        notes: &mut Notes<'_>,
    ) -> ControlFlow<Outcome, Option<&'r str>> {
        let Aggregation::Groups(index) = self.condition.aggregation else {
            let withheld =
                self.condition.needs_hash && self.flag.by_device && request.device_id().is_none();
            if withheld {
                notes.record(Recorded::OutOfRolloutBound, self.index);
                return ControlFlow::Continue(None);
            }
            return ControlFlow::Continue(Some(request.identifier(self.flag)));
        };
        match request.definitions.group_types() {
            Err(code) if request.groups.mentioned => {
                notes.skipped_with_error.get_or_insert(*code);
                // it might have stopped here, so nothing later can settle the answer
                if self.flag.early_exit && self.condition.rollout < 100.0 {
                    return ControlFlow::Break(Outcome::failed(*code));
                }
                ControlFlow::Continue(None)
            }
            _ => {
                let key = request.groups.key(index).map(cut_identifier);
                if key.is_none() {
                    notes.record(Recorded::NoGroupType, self.index);
                }
                ControlFlow::Continue(key)
            }
        }
    }

    /// Step 4d: outside of the rollout.
    fn outside(&self, provisional: bool, notes: &mut Notes<'_>) -> ControlFlow<Outcome> {
        if self.flag.early_exit && !provisional {
            let outcome = off(Reason::OutOfRolloutBound, Some(self.index));
            return ControlFlow::Break(notes.settle(outcome));
        }
        if self.flag.early_exit {
            notes.note(FlagValue::Off);
        }
        notes.record(Recorded::OutOfRolloutBound, self.index);
        ControlFlow::Continue(())
    }

    /// Step 4e: which value a match has.
    fn value(&self, identifier: &str) -> FlagValue {
        let shares = &self.flag.variants.shares;
        let hashed = || {
            let hash = (!shares.is_empty()).then(|| self.flag.prefix.variant(identifier));
            u32::try_from(choose_variant(shares, hash?)?).ok()
        };
        self.condition
            .pinned
            .or_else(hashed)
            .map_or(FlagValue::On, FlagValue::Variant)
    }
}
