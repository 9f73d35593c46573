//! Where log lines go: text on a terminal, JSON elsewhere, always to standard error.

use crate::config::{LogConfig, LogFormat};
use std::io::{self, IsTerminal};
use std::sync::OnceLock;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Registry};

/// Why logging could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be read.
    #[error("the log filter cannot be read")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Something else already logs in this process.
    #[error("logging was already started")]
    Started(#[from] TryInitError),
    /// The filter cannot be changed.
    #[error("the log filter cannot be changed")]
    Reload(#[from] reload::Error),
}

/// Changes what is logged while the process runs; one log a process.
static FILTER: OnceLock<Handle<EnvFilter, Registry>> = OnceLock::new();

/// Starts logging for the whole process.
pub fn start(config: &LogConfig) -> Result<(), TelemetryError> {
    let (filter, handle) = reload::Layer::new(EnvFilter::try_new(&config.filter)?);
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = if is_json(config.format, io::stderr().is_terminal()) {
        let json = lines.json().flatten_event(true).with_span_list(false);
        json.with_filter(filter).boxed()
    } else {
        let colours = io::stderr().is_terminal();
        lines.with_ansi(colours).with_filter(filter).boxed()
    };
    let registry = tracing_subscriber::registry().with(lines);
    // The filter is the log's alone: the console needs what nobody logs.
    #[cfg(feature = "tokio-console")]
    let registry = registry.with(console_subscriber::spawn());
    registry.try_init()?;
    // Only whoever started the log gets here.
    let _ = FILTER.set(handle);
    Ok(())
}

/// Changes what is logged. Does nothing where no log was started here.
pub fn set_filter(filter: &str) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(filter)?;
    match FILTER.get() {
        Some(handle) => Ok(handle.reload(filter)?),
        None => Ok(()),
    }
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
