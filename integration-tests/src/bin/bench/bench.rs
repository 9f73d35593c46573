//! What every comparison is given: how long to measure, and a look at the machine around each measurement.

use crate::machine::Machine;
use anyhow::Result;
use serde_json::{Value, json};
use std::cell::RefCell;

/// A measurement is disturbed when more than this share of the CPU time went to others.
const DISTURBED: f64 = 0.15;

/// How much time is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Enough for figures worth quoting.
    Full,
    /// Enough to see that it works, and roughly how.
    Quick,
    /// As little as possible, for the tests. The figures mean nothing.
    Smoke,
}

impl Pace {
    /// Chooses by pace.
    pub(crate) fn pick<T>(self, full: T, quick: T, smoke: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
            Self::Smoke => smoke,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        self.pick("full", "quick", "smoke")
    }
}

/// One invocation.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) pace: Pace,
    notes: RefCell<Vec<Value>>,
}

impl Bench {
    pub(crate) fn new(pace: Pace) -> Self {
        Self {
            pace,
            notes: RefCell::default(),
        }
    }

    /// Measures something, again when it was disturbed, at most three times in all; what else used the machine is noted.
    pub(crate) fn watched<T>(
        &self,
        phase: &str,
        mut measure: impl FnMut() -> Result<T>,
    ) -> Result<T> {
        eprintln!("  {phase} …");
        let allowed = self.pace.pick(3, 1, 1);
        let mut attempts = 0;
        loop {
            attempts += 1;
            let before = Machine::now()?;
            let measured = measure()?;
            let elsewhere = before.elsewhere_since()?;
            let disturbed = elsewhere.share() > DISTURBED;
            if disturbed && attempts < allowed {
                eprintln!("    disturbed by {:?}; again", elsewhere.names);
                continue;
            }
            self.notes.borrow_mut().push(json!({
                "phase": phase,
                "attempts": attempts,
                "disturbed": disturbed,
                "elsewhere": elsewhere.figures(),
            }));
            return Ok(measured);
        }
    }

    /// Takes the notes made so far.
    pub(crate) fn take_notes(&self) -> Vec<Value> {
        std::mem::take(&mut self.notes.borrow_mut())
    }
}
