//! Whether a server would get on with where it is about to run: settings, machine, database, files.
//!
//! Facts are gathered at the rim (`gather`, each with a deadline) and judged by pure functions, a file a subject. Nothing is
//! changed, and nothing is left behind. It knows no command line and prints nothing.

mod cgroup;
mod cpu;
mod files;
mod gather;
mod memory;
mod postgres;
mod report;
mod sqlite;
mod system;
#[cfg(test)]
mod testing;

pub use report::Report;

use crate::config::ServeConfig;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It could not be made, because another one failed.
    Skip,
    /// All is well.
    Ok,
    /// It works, but not as well as it should, or not for long.
    Warn,
    /// It does not work.
    Fail,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Of what.
    pub check: &'static str,
    /// How it went.
    pub state: State,
    /// What was found, in a sentence.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self {
            check,
            state: State::Ok,
            found: found.into(),
            fix: None,
        }
    }

    fn skip(check: &'static str, why: impl Into<String>) -> Self {
        Self {
            state: State::Skip,
            ..Self::ok(check, why)
        }
    }

    fn warn(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            state: State::Warn,
            fix: Some(fix.into()),
            ..Self::ok(check, found)
        }
    }

    fn fail(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            state: State::Fail,
            fix: Some(fix.into()),
            ..Self::ok(check, found)
        }
    }
}

/// How to examine.
#[derive(Debug, Clone)]
pub struct Examination {
    /// How many servers will share the database.
    pub replicas: u32,
    /// How long each check may take.
    pub limit: Duration,
    /// Where `/proc` and `/sys` are.
    pub root: PathBuf,
}

/// Examines everything that a server with these settings needs.
pub async fn examine(config: &ServeConfig, how: &Examination) -> Report {
    let mut findings = vec![Finding::ok(CONFIGURATION, "all settings can be read")];
    findings.extend(gather::machine(config, how));
    findings.extend(gather::places(config, how).await);
    findings.extend(gather::database(config, how).await);
    Report::new(findings)
}

/// Returns the report when the settings themselves are bad, so that nothing else can be looked at.
pub fn bad_settings(faults: &[String]) -> Report {
    let fix = "correct them, and run this again: the other checks need the settings";
    Report::new(vec![Finding::fail(CONFIGURATION, faults.join("; "), fix)])
}

const CONFIGURATION: &str = "configuration";
