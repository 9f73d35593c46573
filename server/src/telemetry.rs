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
    #[cfg(feature = "tokio-console")]
    return start_with_console(config, filter);
    #[cfg(not(feature = "tokio-console"))]
    start_log(config, filter)
}

/// Logs, and shows every task to `tokio-console`. The filter is the log's alone: the console needs what nobody logs.
#[cfg(feature = "tokio-console")]
fn start_with_console(config: &LogConfig, filter: EnvFilter) -> Result<(), TelemetryError> {
    use tracing_subscriber::layer::{Layer, SubscriberExt};
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let log = if is_json(config.format, io::stderr().is_terminal()) {
        let json = layer.json().flatten_event(true).with_span_list(false);
        json.with_filter(filter).boxed()
    } else {
        layer.with_filter(filter).boxed()
    };
    let registry = tracing_subscriber::registry().with(console_subscriber::spawn());
    Ok(registry.with(log).try_init()?)
}

#[cfg(not(feature = "tokio-console"))]
fn start_log(config: &LogConfig, filter: EnvFilter) -> Result<(), TelemetryError> {
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
