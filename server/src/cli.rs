//! The commands: each a function from its options to an exit code, writing to what it is given.
//!
//! Only here and in `main` is anything printed. 0 is success, 1 a failure at run time, 2 a bad setting or a bad file.

pub mod apply;
pub mod check;
pub mod config;
pub mod doctor;
pub mod export;
pub mod healthcheck;
pub mod import;
pub mod migrate;
pub mod openapi;
pub mod replay;
pub mod serve;
pub mod shadow;
pub mod token;

use crate::config::{self as settings, Command, ConfigError, DatabaseUrl, ParseError};
use crate::project_file::{ApplyError, ExportError, MAX_BYTES, Problems};
use burgee_schema::{Store, StoreError, chain};
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::Path;

/// The exit code of a failure at run time.
pub const FAILED: u8 = 1;
/// The exit code of bad settings and bad files.
pub const BAD_INPUT: u8 = 2;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Bad settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file that cannot be applied, or a database that cannot be changed.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// A file that cannot be imported.
    #[error(transparent)]
    Import(#[from] Problems),
    /// An export that ended early.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The database.
    #[error("the database does not answer as it should")]
    Store(#[from] StoreError),
    /// A file that cannot be read.
    #[error("{file} cannot be read")]
    Read {
        /// Its name.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// The output cannot be written.
    #[error("the output cannot be written")]
    Write(#[from] io::Error),
    /// Anything else, in a sentence.
    #[error("{0}")]
    Refused(String),
}

impl CliError {
    /// Returns the exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Apply(ApplyError::Problems(_)) | Self::Read { .. } => BAD_INPUT,
            Self::Import(_) => BAD_INPUT,
            Self::Store(StoreError::Config(_)) => BAD_INPUT,
            _ => FAILED,
        }
    }

    /// Writes the error with its causes.
    pub fn explain(&self, err: &mut impl Write) -> io::Result<()> {
        writeln!(err, "{}", chain(self))
    }
}

/// Reads a command line, runs its command, and returns the exit code.
pub fn main(
    line: impl IntoIterator<Item = OsString>,
    out: &mut (impl Write + Send),
    err: &mut (impl Write + Send),
) -> u8 {
    match settings::parse(line) {
        Ok(cli) => run(cli.command, out, err),
        Err(ParseError::Usage(error)) => {
            // Help goes to standard output, errors elsewhere; nobody is left to tell when that is closed.
            let _ = error.print();
            u8::try_from(error.exit_code()).unwrap_or(BAD_INPUT)
        }
        Err(ParseError::File(error)) => {
            let _ = CliError::Config(error).explain(err);
            BAD_INPUT
        }
    }
}

/// Runs a command, and returns the exit code.
pub fn run(command: Command, out: &mut (impl Write + Send), err: &mut (impl Write + Send)) -> u8 {
    let result = match command {
        Command::Serve(options) => return serve::run(&options, out, err),
        Command::Apply(args) => wait(apply::run(&args, out, err)),
        Command::Export(args) => wait(export::run(&args, out)),
        Command::Import(args) => import::run(&args, out, err),
        Command::Check(args) => wait(check::run(&args, out, err)),
        Command::Config(args) => config::run(&args, out, err),
        Command::Migrate(args) => wait(migrate::run(&args, out)),
        Command::Doctor(args) => doctor::run(&args, out),
        Command::Healthcheck(args) => healthcheck::run(&args, out),
        Command::Shadow(options) => return shadow::run(&options, out, err),
        Command::Replay(options) => return replay::run(&options, out, err),
        Command::OpenApi => openapi::run(out),
        Command::Token(args) => wait(token::run(&args, out, err)),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            // Nobody is left to tell when standard error is closed.
            let _ = error.explain(err);
            error.code()
        }
    }
}

/// Runs a command that talks to the database.
fn wait<T>(work: impl Future<Output = T>) -> T {
    actix_web::rt::System::new().block_on(work)
}

/// Opens the database of a command, and runs its migrations or makes sure that none is pending.
async fn open(url: &DatabaseUrl, migrate: bool) -> Result<Store, CliError> {
    let store = Store::open(url.expose(), crate::config::command_pool()).await?;
    prepare(&store, migrate).await?;
    Ok(store)
}

/// Runs the migrations of a database, or makes sure that none is pending.
pub(crate) async fn prepare(store: &Store, migrate: bool) -> Result<(), CliError> {
    if migrate {
        for name in store.migrate().await? {
            tracing::info!(name, "migrated");
        }
    } else if store.migrations().await?.iter().any(|m| !m.applied) {
        return Err(CliError::Refused(
            "the database has pending migrations; run `burgee migrate` first".to_owned(),
        ));
    }
    Ok(())
}

/// Reads a project file, or standard input for `-`, up to the largest size that is taken.
pub(crate) fn read_file(path: &Path) -> Result<(String, String), CliError> {
    let is_stdin = path == Path::new("-");
    let file = match is_stdin {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    };
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX) + 1;
    let mut text = String::new();
    let read = match is_stdin {
        true => io::stdin().lock().take(limit).read_to_string(&mut text),
        false => std::fs::File::open(path)
            .and_then(|opened| opened.take(limit).read_to_string(&mut text)),
    };
    match read {
        Ok(_) => Ok((file, text)),
        Err(source) => Err(CliError::Read { file, source }),
    }
}

#[cfg(test)]
mod tests;
