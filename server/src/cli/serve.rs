//! `burgee serve`: settings, logging, then the server until it is told to stop.

use super::{BAD_INPUT, CliError, FAILED};
use crate::config::ServeOptions;
use crate::startup::{self, StartupError};
use crate::telemetry;
use std::error::Error;
use std::io::Write;

/// Runs the server, and returns the exit code.
pub fn run(options: &ServeOptions, out: &mut impl Write, err: &mut impl Write) -> u8 {
    let config = match options.resolve() {
        Ok(config) => config,
        Err(error) => return explain(&CliError::Config(error), err),
    };
    if let Err(error) = telemetry::start(&config.log) {
        return explain(&CliError::Refused(error.to_string()), err);
    }
    let served = actix_web::rt::System::new().block_on(startup::serve(&config, out));
    match served {
        Ok(()) => 0,
        Err(StartupError::Command(error)) => explain(&error, err),
        Err(error) => {
            tracing::error!(error = &error as &dyn Error, "the server cannot run");
            FAILED
        }
    }
}

/// Tells an error on standard error, where nobody may be listening any more.
fn explain(error: &CliError, err: &mut impl Write) -> u8 {
    let _ = error.explain(err);
    match error {
        CliError::Refused(_) => BAD_INPUT,
        error => error.code(),
    }
}
