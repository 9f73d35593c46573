//! All findings together: the table, the JSON, and whether it is good enough.

use super::{Finding, State};
use serde::Serialize;
use std::io::{self, Write};

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The worst of all.
    state: State,
    checks: Vec<Finding>,
}

impl Report {
    pub(super) fn new(checks: Vec<Finding>) -> Self {
        let worst = checks.iter().map(|finding| finding.state).max();
        Self {
            state: worst.unwrap_or(State::Ok),
            checks,
        }
    }

    /// Returns whether a server can run; with `strict`, whether there is nothing to complain of either.
    pub fn is_good(&self, strict: bool) -> bool {
        let worst = if strict { State::Ok } else { State::Warn };
        self.state <= worst
    }

    /// Returns what was found, a check after the other.
    pub fn findings(&self) -> &[Finding] {
        &self.checks
    }

    /// Writes a table: a line a check, and below it what to do.
    pub fn write_table(&self, out: &mut impl Write) -> io::Result<()> {
        let names = self.checks.iter().map(|finding| finding.check.len());
        let width = names.max().unwrap_or_default().max("check".len());
        writeln!(out, "{:width$}  state  found", "check")?;
        for finding in &self.checks {
            let state = word(finding.state);
            writeln!(
                out,
                "{:width$}  {state:5}  {}",
                finding.check, finding.found
            )?;
            if let Some(fix) = &finding.fix {
                writeln!(out, "{:width$}  {:5}  fix: {fix}", "", "")?;
            }
        }
        let count = |state| self.checks.iter().filter(|it| it.state == state).count();
        writeln!(
            out,
            "\n{} ok, {} to look at, {} failed, {} skipped",
            count(State::Ok),
            count(State::Warn),
            count(State::Fail),
            count(State::Skip)
        )
    }

    /// Writes the same as JSON.
    pub fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        writeln!(out)
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Skip => "skip",
        State::Ok => "ok",
        State::Warn => "warn",
        State::Fail => "FAIL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report::new(vec![
            Finding::ok("clock", "right"),
            Finding::warn("file descriptors", "few", "more"),
            Finding::skip("migrations", "no database"),
        ])
    }

    #[test]
    fn a_table() {
        let mut out = Vec::new();
        report().write_table(&mut out).unwrap();
        let expected = "\
check             state  found
clock             ok     right
file descriptors  warn   few
                         fix: more
migrations        skip   no database

1 ok, 1 to look at, 0 failed, 1 skipped
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn json() {
        let mut out = Vec::new();
        report().write_json(&mut out).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["state"], "warn");
        assert_eq!(value["checks"][0].get("fix"), None);
        assert_eq!(value["checks"][1]["fix"], "more");
        assert_eq!(value["checks"][2]["state"], "skip");
    }

    #[test]
    fn what_is_good_enough() {
        let of = |findings: &[Finding]| Report::new(findings.to_vec());
        let warned = report();
        assert!(warned.is_good(false) && !warned.is_good(true));
        let failed = of(&[
            Finding::fail("port", "taken", "free it"),
            Finding::ok("a", "b"),
        ]);
        assert!(!failed.is_good(false) && !failed.is_good(true));
        let skipped = of(&[Finding::ok("a", "b"), Finding::skip("c", "d")]);
        assert!(skipped.is_good(true));
    }
}
