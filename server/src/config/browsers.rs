//! The settings of what browsers ask for beside flags.

use super::faults::Faults;
use crate::remote_config::RemoteConfigSettings;
use std::path::PathBuf;

/// What browsers are told and given, as it was written.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct BrowserOptions {
    /// Keep posthog-js from sending an event for each click; nothing here analyses them
    #[arg(long, env = "BURGEE_AUTOCAPTURE_OPT_OUT", default_value = "true", default_missing_value = "true", num_args = 0..=1, require_equals = true, value_name = "BOOL", help_heading = "Browsers")]
    autocapture_opt_out: String,
    /// Serve the files of this directory, such as dist of the package posthog-js, under /static
    #[arg(
        long,
        env = "BURGEE_STATIC_DIR",
        value_name = "DIR",
        help_heading = "Browsers"
    )]
    pub(super) static_dir: Option<PathBuf>,
}

impl BrowserOptions {
    pub(super) fn remote_config(&self, f: &mut Faults) -> RemoteConfigSettings {
        RemoteConfigSettings {
            autocapture_opt_out: f.switch("autocapture-opt-out", &self.autocapture_opt_out),
        }
    }
}
