//! Makes the database ready: migrations, connections, project files. For as long as it takes, beside a server that already
//! listens; it knows nothing of HTTP.

use super::apply_projects;
use crate::cli::{self, CliError};
use crate::config::ServeConfig;
use crate::lifecycle::Lifecycle;
use crate::project_file::ApplyError;
use burgee_actors::{Preparation, Snapshots};
use burgee_schema::{Store, StoreError, chain};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long the first connections may take, before that is said and they are waited for again.
const WARM_UP: Duration = Duration::from_secs(10);
/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// What has to be done before definitions can be loaded.
pub(super) struct Preparing<'a> {
    pub(super) store: &'a Store,
    pub(super) config: &'a ServeConfig,
    pub(super) lifecycle: Arc<Lifecycle>,
    pub(super) snapshots: Option<Snapshots>,
    /// Where it is told how far it is.
    pub(super) progress: watch::Sender<Preparation>,
}

impl Preparing<'_> {
    /// Tries until it is done. What will not pass by waiting is an error, unless a snapshot serves: then nothing that goes
    /// wrong with the database ends the server, and a bad project file is reported and left.
    pub(super) async fn run(self) -> Result<(), CliError> {
        self.lifecycle.waits_for("the database is being prepared");
        let mut reported = String::new();
        let mut serves_snapshot = false;
        while let Err(error) = self.once().await {
            let passing = passing(&error);
            if passing.is_none() && !serves_snapshot {
                return Err(error);
            }
            if error.code() == cli::BAD_INPUT {
                tracing::error!(error = chain(&error), "the project file is not applied");
                break;
            }
            if let Some(cause) = passing {
                // The causes of this one may name hosts and users: they are for the log.
                let sentence = format!("waiting for the database: {cause}");
                self.lifecycle.waits_for(sentence);
            }
            serves_snapshot |= self.snapshots.as_ref().is_some_and(Snapshots::is_usable);
            self.progress.send_replace(Preparation::Away);
            let text = chain(&error);
            if text != reported {
                tracing::warn!(
                    error = text,
                    database = %self.config.database_url,
                    snapshot = serves_snapshot,
                    "waiting for the database"
                );
                reported = text;
            }
            tokio::time::sleep(PAUSE).await;
        }
        tracing::info!(database = %self.config.database_url, "the database can be used");
        self.lifecycle.waits_for("the definitions are being loaded");
        self.progress.send_replace(Preparation::Done);
        Ok(())
    }

    async fn once(&self) -> Result<(), CliError> {
        cli::prepare(self.store, self.config.migrate).await?;
        self.store.warm_up(WARM_UP).await?;
        apply_projects(self.store, self.config).await
    }
}

/// Returns the cause of a failure that may pass: the database is away, or busy with something else.
fn passing(error: &CliError) -> Option<&StoreError> {
    let (CliError::Store(cause) | CliError::Apply(ApplyError::Store(cause))) = error else {
        return None;
    };
    let passes = matches!(
        cause,
        StoreError::Unavailable(_) | StoreError::PoolExhausted | StoreError::StatementTimeout
    );
    passes.then_some(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waiting_helps_against() {
        let refused = || StoreError::Unavailable("connection refused".into());
        let cases = [
            (CliError::Store(refused()), true),
            (CliError::Apply(ApplyError::Store(refused())), true),
            (CliError::Store(StoreError::StatementTimeout), true),
            (CliError::Store(StoreError::Query("syntax".into())), false),
            (CliError::Store(StoreError::Config("url".into())), false),
            (CliError::Refused("pending".into()), false),
        ];
        for (error, passes) in cases {
            assert_eq!(passing(&error).is_some(), passes, "{error:?}");
        }
    }

    #[test]
    fn the_sentence_names_no_host() {
        let error = CliError::Store(StoreError::Unavailable("user burgee at 10.0.0.7".into()));
        let told = passing(&error).unwrap().to_string();
        assert_eq!(told, "the database is unavailable");
    }
}
