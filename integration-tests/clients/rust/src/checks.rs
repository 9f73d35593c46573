//! Counts checks, prints those that failed, and says how the program has to leave.

use std::fmt::Debug;
use std::process::ExitCode;

/// What was checked so far.
#[derive(Default)]
pub struct Checks {
    passed: usize,
    failures: Vec<String>,
}

impl Checks {
    /// Counts one check.
    pub fn check<T: PartialEq<E> + Debug, E: Debug>(&mut self, what: &str, actual: T, expected: E) {
        if actual == expected {
            self.passed += 1;
        } else {
            self.failures
                .push(format!("{what}: expected {expected:?}, got {actual:?}"));
        }
    }

    /// Tells what failed and how many passed.
    pub fn finish(self) -> ExitCode {
        for failure in &self.failures {
            println!("{failure}");
        }
        println!(
            "{} checks passed, {} failed",
            self.passed,
            self.failures.len()
        );
        if self.failures.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}
