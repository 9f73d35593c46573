//! The records of shapes 2 and 4, put together from texts that were written before.
//!
//! Nearly all of a record depends on the flag and its value alone. That part is written when it is first asked for, and kept
//! beside the definitions; an answer copies it. Only rare outcomes (failures, enrolments, holdouts) are written anew.

use super::record::{Kind, write_end, write_reason, write_start};
use burgee_evaluation::outcome::{FlagValue, NoMatchDetail, Reason};
use burgee_evaluation::{Definitions, Evaluation, Evaluations, Outcome};
use std::sync::{LazyLock, OnceLock};

/// For how many conditions of a flag the reasons are kept. Later ones are rare.
const KEPT_CONDITIONS: usize = 16;

/// What is kept beside one project's definitions: by the place of the flag, filled when a flag is first written.
#[derive(Debug)]
pub(super) struct Prepared {
    plain: Box<[OnceLock<Values>]>,
    typed: Box<[OnceLock<Values>]>,
}

/// A flag's texts by its value: off, on, and then its variants.
type Values = Box<[Pieces]>;

/// What stands before and behind the reason of a record, in one piece of memory.
#[derive(Debug)]
struct Pieces {
    text: Box<[u8]>,
    start: usize,
}

impl Prepared {
    /// Writes the member `flags`.
    pub(super) fn write(
        buffer: &mut Vec<u8>,
        flags: &Evaluations,
        kind: Kind,
    ) -> serde_json::Result<()> {
        let prepared = flags.definitions().and_then(|all| all.derived(Self::new));
        let reasons = &*REASONS;
        buffer.extend_from_slice(br#""flags":{"#);
        let mut separated = false;
        for flag in flags.iter() {
            if separated {
                buffer.push(b',');
            }
            separated = true;
            let pieces = match prepared {
                Some(prepared) => prepared.pieces(&flag, kind)?,
                None => None,
            };
            match pieces.and_then(Pieces::split) {
                Some((start, end)) => {
                    buffer.extend_from_slice(start);
                    match reasons.get(&flag.outcome) {
                        Some(reason) => buffer.extend_from_slice(reason),
                        None => write_reason(buffer, &flag.outcome)?,
                    }
                    buffer.extend_from_slice(end);
                }
                None => {
                    write_start(buffer, &flag, kind)?;
                    write_reason(buffer, &flag.outcome)?;
                    write_end(buffer, &flag, kind)?;
                }
            }
        }
        buffer.push(b'}');
        Ok(())
    }

    fn new(definitions: &Definitions) -> Self {
        let empty = || (0..definitions.len()).map(|_| OnceLock::new()).collect();
        Self {
            plain: empty(),
            typed: empty(),
        }
    }

    /// Returns the kept texts for an answer; `None` for one whose texts do not follow from its value alone.
    fn pieces(&self, flag: &Evaluation<'_>, kind: Kind) -> serde_json::Result<Option<&Pieces>> {
        // An opt-out keeps its payload, and a failure has a member more.
        if matches!(
            flag.outcome.reason,
            Reason::SuperConditionValue | Reason::Failed(_)
        ) {
            return Ok(None);
        }
        let Some(index) = index(flag.outcome.value) else {
            return Ok(None);
        };
        let places = match kind {
            Kind::Plain => &self.plain,
            Kind::Typed => &self.typed,
        };
        let Some(place) = places.get(flag.place) else {
            return Ok(None);
        };
        let values = match place.get() {
            Some(values) => values,
            None => {
                let written = write_values(flag, kind)?;
                place.get_or_init(|| written)
            }
        };
        Ok(values.get(index))
    }
}

/// Returns where a value's texts are; holdouts have none.
fn index(value: FlagValue) -> Option<usize> {
    match value {
        FlagValue::Off => Some(0),
        FlagValue::On => Some(1),
        FlagValue::Variant(variant) => usize::try_from(variant).ok()?.checked_add(2),
        FlagValue::Holdout => None,
    }
}

/// Writes a flag's texts for all of its values, in the order of [`index`].
fn write_values(flag: &Evaluation<'_>, kind: Kind) -> serde_json::Result<Values> {
    let variants = (0..).take(flag.flag.variants()).map(FlagValue::Variant);
    [FlagValue::Off, FlagValue::On]
        .into_iter()
        .chain(variants)
        .map(|value| {
            let outcome = Outcome {
                value,
                reason: Reason::ConditionMatch,
                condition_index: None,
            };
            let flag = Evaluation { outcome, ..*flag };
            let mut text = Vec::new();
            write_start(&mut text, &flag, kind)?;
            let start = text.len();
            write_end(&mut text, &flag, kind)?;
            let text = text.into();
            Ok(Pieces { text, start })
        })
        .collect()
}

impl Pieces {
    fn split(&self) -> Option<(&[u8], &[u8])> {
        self.text.split_at_checked(self.start)
    }
}

/// The texts of the usual reasons, by condition.
static REASONS: LazyLock<Reasons> = LazyLock::new(|| Reasons {
    matched: written(Reason::ConditionMatch),
    no_match: written(Reason::NoConditionMatch(NoMatchDetail::Plain)),
    out_of_bound: written(Reason::OutOfRolloutBound),
});

type ByCondition = [Vec<u8>; KEPT_CONDITIONS];

struct Reasons {
    matched: ByCondition,
    no_match: ByCondition,
    out_of_bound: ByCondition,
}

impl Reasons {
    fn get(&self, outcome: &Outcome) -> Option<&[u8]> {
        let texts = match outcome.reason {
            Reason::ConditionMatch => &self.matched,
            Reason::NoConditionMatch(NoMatchDetail::Plain) => &self.no_match,
            Reason::OutOfRolloutBound => &self.out_of_bound,
            _ => return None,
        };
        let text = texts.get(outcome.condition_index?)?;
        (!text.is_empty()).then_some(text)
    }
}

fn written(reason: Reason) -> ByCondition {
    std::array::from_fn(|index| {
        let outcome = Outcome {
            value: FlagValue::Off,
            reason,
            condition_index: Some(index),
        };
        let mut text = Vec::new();
        match write_reason(&mut text, &outcome) {
            Ok(()) => text,
            Err(_) => Vec::new(),
        }
    })
}
