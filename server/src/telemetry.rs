//! Where log lines go: text on a terminal, JSON elsewhere, always to standard error.

use crate::config::{LogConfig, LogFormat};
use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// Why logging could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be read.
    #[error("the log filter cannot be read")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Something else already logs in this process.
    #[error("logging was already started")]
    Started(#[from] TryInitError),
}

/// Starts logging for the whole process.
pub fn start(config: &LogConfig) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&config.filter)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    if is_json(config.format, io::stderr().is_terminal()) {
        let json = builder.json().flatten_event(true).with_span_list(false);
        json.finish().try_init()?;
    } else {
        let colours = io::stderr().is_terminal();
        builder.with_ansi(colours).finish().try_init()?;
    }
    Ok(())
}

fn is_json(format: LogFormat, terminal: bool) -> bool {
    match format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !terminal,
    }
}

#[cfg(test)]
mod tests;
