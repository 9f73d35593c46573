//! The options of `burgee doctor`.

use super::ServeOptions;
use clap::builder::BoolishValueParser;
use std::path::PathBuf;
use std::time::Duration;

/// How to examine, and the settings of the server to examine for.
#[derive(Debug, Clone, clap::Args)]
pub struct DoctorArgs {
    /// Write JSON instead of a table
    #[arg(long, env = "BURGEE_JSON", value_parser = BoolishValueParser::new(), help_heading = "Examination")]
    pub json: bool,
    /// Exit with 1 when there is anything to complain of, and not only when something fails
    #[arg(long, env = "BURGEE_STRICT", value_parser = BoolishValueParser::new(), help_heading = "Examination")]
    pub strict: bool,
    /// How many servers will share the database
    #[arg(
        long,
        env = "BURGEE_REPLICAS",
        default_value_t = 1,
        value_name = "N",
        help_heading = "Examination"
    )]
    pub replicas: u32,
    /// How long each check may take, in milliseconds
    #[arg(
        long,
        env = "BURGEE_CHECK_TIMEOUT_MS",
        default_value_t = 5000,
        value_name = "MS",
        help_heading = "Examination"
    )]
    check_timeout_ms: u64,
    /// Where /proc and /sys are
    #[arg(
        long,
        env = "BURGEE_SYSTEM_ROOT",
        default_value = "/",
        value_name = "DIR",
        hide = true
    )]
    pub system_root: PathBuf,
    /// The server's settings.
    #[command(flatten)]
    pub serve: ServeOptions,
}

impl DoctorArgs {
    /// Returns how long each check may take.
    pub fn limit(&self) -> Duration {
        Duration::from_millis(self.check_timeout_ms.max(1))
    }
}
