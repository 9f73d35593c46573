//! `burgee healthcheck`: one HTTP request, for the health checks of containers that have no curl.

use super::{CliError, FAILED};
use crate::config::HealthcheckArgs;
use crate::outgoing::{self, Request, Target};
use burgee_schema::{Roots, Trust};
use std::io::{self, Write};
use std::time::Duration;

pub(super) fn run(args: &HealthcheckArgs, out: &mut impl Write) -> Result<u8, CliError> {
    let (line, code) = match ask(args) {
        Ok(status) if (200..300).contains(&status) => (format!("healthy: {status}"), 0),
        Ok(status) => (format!("unhealthy: {status}"), FAILED),
        Err(error) => (format!("unhealthy: {error}"), FAILED),
    };
    writeln!(out, "{line}")?;
    Ok(code)
}

fn ask(args: &HealthcheckArgs) -> io::Result<u16> {
    let trust = match (&args.ca, args.insecure) {
        (_, true) => Trust::Anybody,
        (Some(file), false) => Trust::Host(Roots::File(file.clone())),
        (None, false) => Trust::Host(Roots::System),
    };
    let target = Target::parse(&args.url)?;
    let tls = target.client_config(&trust)?;
    let request = Request {
        method: "GET",
        headers: "",
        body: &[],
    };
    let timeout = Duration::from_millis(args.timeout_ms.max(1));
    outgoing::ask(&target, tls.as_ref(), request, timeout)
}

#[cfg(test)]
mod tests;
