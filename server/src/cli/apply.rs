//! `burgee apply`: prints what was done.

use super::{CliError, open, read_file};
use crate::config::ApplyArgs;
use crate::project_file::{self, ApplyOptions, Report, problem_line};
use chrono::Utc;
use std::io::{self, Write};

pub(super) async fn run(
    args: &ApplyArgs,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<u8, CliError> {
    let url = args.database.resolve()?;
    let (file, text) = read_file(&args.file)?;
    let options = ApplyOptions {
        file,
        prune: args.prune,
        lenient: args.lenient,
        dry_run: args.dry_run,
        now: Utc::now(),
    };
    let store = open(&url, !args.no_migrate).await?;
    let report = project_file::apply(&store, &text, &options).await?;
    print(&report, &options, out, err)?;
    Ok(0)
}

/// Prints the warnings of a report to `err`, its lines and its total to `out`.
pub fn print(
    report: &Report,
    options: &ApplyOptions,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<()> {
    print_warnings(report, options, err)?;
    for line in &report.lines {
        writeln!(out, "{line}")?;
    }
    let written = match options.dry_run {
        true => " (dry run, nothing was written)",
        false => "",
    };
    writeln!(out, "{}{written}", report.totals())
}

/// Prints the warnings of a report.
pub(super) fn print_warnings(
    report: &Report,
    options: &ApplyOptions,
    err: &mut impl Write,
) -> io::Result<()> {
    for warning in &report.warnings {
        writeln!(err, "warning: {}", problem_line(&options.file, warning))?;
    }
    Ok(())
}
