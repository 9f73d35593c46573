//! `burgee check`: a dry run that prints only what is wrong.

use super::apply::print_warnings;
use super::{CliError, open, read_file};
use crate::config::CheckArgs;
use crate::project_file::{self, ApplyError, ApplyOptions};
use chrono::Utc;
use std::io::Write;

pub(super) async fn run(
    args: &CheckArgs,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<u8, CliError> {
    let url = args.resolve()?;
    let (file, text) = read_file(&args.file)?;
    let options = ApplyOptions {
        file,
        prune: false,
        lenient: false,
        dry_run: true,
        now: Utc::now(),
    };
    let report = match url {
        Some(url) => {
            let store = open(&url, false).await?;
            project_file::apply(&store, &text, &options).await?
        }
        None => project_file::check(&text, &options).map_err(ApplyError::Problems)?,
    };
    print_warnings(&report, &options, err)?;
    writeln!(out, "{} is fine", options.file)?;
    Ok(0)
}
