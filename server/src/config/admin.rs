//! The settings of the admin API.

use super::faults::Faults;
use crate::admin_access::AdminConfig;

/// How much people may ask at once, as it was written.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct AdminOptions {
    /// How many requests of the admin API are answered at once; further ones wait, and many more are refused with 503
    #[arg(
        long,
        env = "BURGEE_ADMIN_MAX_AT_WORK",
        default_value = "4",
        value_name = "N",
        help_heading = "Admin API"
    )]
    admin_max_at_work: String,
    /// How long a request of the admin API may take, in milliseconds
    #[arg(
        long,
        env = "BURGEE_ADMIN_TIMEOUT_MS",
        default_value = "10000",
        value_name = "MS",
        help_heading = "Admin API"
    )]
    admin_timeout_ms: String,
    /// The largest CSV of distinct ids that may be uploaded into a cohort, in bytes
    #[arg(
        long,
        env = "BURGEE_ADMIN_UPLOAD_LIMIT_BYTES",
        default_value = "67108864",
        value_name = "BYTES",
        help_heading = "Admin API"
    )]
    admin_upload_limit_bytes: String,
    /// How long such an upload may take, in milliseconds
    #[arg(
        long,
        env = "BURGEE_ADMIN_UPLOAD_TIMEOUT_MS",
        default_value = "120000",
        value_name = "MS",
        help_heading = "Admin API"
    )]
    admin_upload_timeout_ms: String,
}

impl AdminOptions {
    pub(super) fn resolve(&self, f: &mut Faults) -> AdminConfig {
        AdminConfig {
            turns: f.number("admin-max-at-work", &self.admin_max_at_work, 1..=1_000),
            timeout: f.millis("admin-timeout-ms", &self.admin_timeout_ms),
            upload_limit: f.number(
                "admin-upload-limit-bytes",
                &self.admin_upload_limit_bytes,
                1024..=1 << 34,
            ),
            upload_timeout: f.millis("admin-upload-timeout-ms", &self.admin_upload_timeout_ms),
        }
    }
}
