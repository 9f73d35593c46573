//! `burgee import`: other products' files in, a project file out, and a report of what did not make it.

use super::{BAD_INPUT, CliError, read_file};
use crate::config::ImportArgs;
use crate::import::{self, ImportOptions, NoteKind, Outcome};
use crate::project_file::{MAX_BYTES, parse};
use chrono::Utc;
use std::io::{self, Write};
use std::path::Path;

pub(super) fn run(
    args: &ImportArgs,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<u8, CliError> {
    let mut trees = Vec::with_capacity(args.files.len());
    let mut bytes = 0;
    for path in &args.files {
        let (file, text) = read_file(path)?;
        bytes += text.len();
        if bytes > MAX_BYTES {
            let source = io::Error::other(format!("the files have more than {MAX_BYTES} bytes"));
            return Err(CliError::Read { file, source });
        }
        trees.push(parse(&file, &text)?);
    }
    let options = ImportOptions {
        from: args.from,
        format: args.format,
        token: args.token.clone(),
        project_id: args.project_id,
        project_name: args.project_name.clone(),
        environment: args.environment.clone(),
        first_id: i64::from(args.first_id),
        now: Utc::now(),
    };
    let outcome = import::import(&trees, &options)?;
    write(&args.output, &outcome.text, out)?;
    report(&outcome, err)?;
    let complete = outcome.count(NoteKind::LeftOut) == 0 || args.lenient;
    Ok(if complete { 0 } else { BAD_INPUT })
}

fn write(path: &Path, text: &str, out: &mut impl Write) -> io::Result<()> {
    match path == Path::new("-") {
        true => out.write_all(text.as_bytes()),
        false => std::fs::write(path, text),
    }
}

fn report(outcome: &Outcome, err: &mut impl Write) -> io::Result<()> {
    for note in &outcome.notes {
        writeln!(err, "{note}")?;
    }
    writeln!(
        err,
        "{} flags and {} cohorts imported, {} left out, {} notes on different answers",
        outcome.flags,
        outcome.cohorts,
        outcome.count(NoteKind::LeftOut),
        outcome.count(NoteKind::Differs),
    )
}
