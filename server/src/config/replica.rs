//! The settings of a read replica.

use super::faults::Faults;
use burgee_schema::ReplicaConfig;

/// A read replica, as it was written.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ReplicaOptions {
    /// A read replica of the Postgres of --database-url: persons, groups and members of cohorts are read from it
    #[arg(
        long,
        env = "BURGEE_DATABASE_READ_URL",
        value_name = "URL",
        hide_env_values = true,
        help_heading = "Database"
    )]
    database_read_url: Option<String>,
    /// How far the replica may be behind before the primary is asked instead, in milliseconds
    #[arg(
        long,
        env = "BURGEE_DATABASE_READ_LAG_MS",
        default_value = "2000",
        value_name = "MS",
        help_heading = "Database"
    )]
    database_read_lag_ms: String,
}

impl ReplicaOptions {
    pub(super) fn resolve(&self, primary: &str, f: &mut Faults) -> Option<ReplicaConfig> {
        let most_behind = f.millis("database-read-lag-ms", &self.database_read_lag_ms);
        let url = self
            .database_read_url
            .clone()
            .filter(|url| !url.is_empty())?;
        let is_postgres =
            |url: &str| url.starts_with("postgres://") || url.starts_with("postgresql://");
        if !is_postgres(&url) {
            // The text is not repeated: it may hold a password.
            f.add(
                "database-read-url",
                "expected postgres://USER:PASSWORD@HOST/DATABASE",
            );
        } else if !is_postgres(primary) {
            f.add(
                "database-read-url",
                "only a Postgres can have a read replica",
            );
        }
        Some(ReplicaConfig { url, most_behind })
    }
}
