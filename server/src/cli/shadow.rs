//! `burgee shadow`: settings, logging, then the proxy until it is told to stop.

use super::{BAD_INPUT, CliError, FAILED};
use crate::config::ShadowOptions;
use crate::shadow::{ShadowError, serve};
use crate::telemetry;
use burgee_schema::chain;
use std::io::Write;

/// Runs the proxy, and returns the exit code.
pub fn run(options: &ShadowOptions, out: &mut impl Write, err: &mut impl Write) -> u8 {
    let (config, log) = match options.resolve() {
        Ok(resolved) => resolved,
        Err(error) => return refuse(&CliError::Config(error), err),
    };
    if let Err(error) = telemetry::start(&log) {
        return refuse(&CliError::Refused(error.to_string()), err);
    }
    match actix_web::rt::System::new().block_on(serve(&config, out)) {
        Ok(()) => 0,
        Err(error) => {
            tracing::error!(error = chain(&error), "the proxy cannot run");
            match error {
                ShadowError::File { .. } | ShadowError::Certificates(_) => BAD_INPUT,
                ShadowError::Listen(_) | ShadowError::Serve(_) => FAILED,
            }
        }
    }
}

fn refuse(error: &CliError, err: &mut impl Write) -> u8 {
    // Nobody is left to tell when standard error is closed.
    let _ = error.explain(err);
    BAD_INPUT
}
