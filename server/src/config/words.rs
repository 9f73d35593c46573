//! What the settings of the commands beside `serve` have in common.

use super::faults::Faults;
use super::{LogConfig, LogFormat};
use burgee_schema::Roots;
use std::path::PathBuf;
use tracing_subscriber::EnvFilter;

/// How to log, as it was written.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct LogOptions {
    /// text, json, or auto: text on a terminal and JSON elsewhere
    #[arg(
        long,
        env = "BURGEE_LOG_FORMAT",
        default_value = "auto",
        value_name = "FORMAT",
        help_heading = "Logging"
    )]
    log_format: String,
    /// What to log: error, warn, info, debug, trace, or a filter such as info,burgee=debug
    #[arg(
        long,
        env = "BURGEE_LOG_LEVEL",
        default_value = "info,actix_server=warn,actix_http=error",
        value_name = "FILTER",
        help_heading = "Logging"
    )]
    log_level: String,
}

impl LogOptions {
    pub(super) fn resolve(&self, f: &mut Faults) -> LogConfig {
        let words = [
            ("auto", LogFormat::Auto),
            ("text", LogFormat::Text),
            ("json", LogFormat::Json),
        ];
        if let Err(error) = EnvFilter::try_new(&self.log_level) {
            f.add("log-level", error);
        }
        LogConfig {
            format: f.word("log-format", &self.log_format, &words, LogFormat::Auto),
            filter: self.log_level.clone(),
        }
    }
}

/// Returns the entries of a list that is separated by commas.
pub(super) fn listed(raw: &str) -> impl Iterator<Item = &str> {
    raw.split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
}

/// Reads a path to be taken off others: empty, or with a slash in front and none behind.
pub(super) fn base_path(raw: &str, f: &mut Faults) -> String {
    let path = raw.trim().trim_end_matches('/');
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~".contains(c);
    let is_path = path.starts_with('/') && path.chars().all(is_plain);
    if !path.is_empty() && !is_path {
        f.add(
            "base-path",
            format!("expected a path such as /ph, found {raw:?}"),
        );
    }
    path.to_owned()
}

/// Returns how many CPUs there are, container limits included.
pub(super) fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Returns who may vouch for those that are asked over TLS.
pub(super) fn roots(file: Option<&PathBuf>) -> Roots {
    file.cloned().map_or(Roots::System, Roots::File)
}
