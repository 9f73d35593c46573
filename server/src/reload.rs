//! SIGHUP: the settings are read again, and those that can change while the server runs do. Certificates are also read again when
//! their files change. Whatever cannot be used changes nothing.

use crate::config::{self, Command, ConfigError, Given, ParseError, ServeConfig, Setting};
use crate::startup::http_config;
use crate::state::Edge;
use crate::telemetry::{self, TelemetryError};
use crate::tls::{Certificates, TlsError, TlsFiles};
use burgee_actors::System;
use burgee_schema::chain;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

/// The settings that change at once, by their keys; `Reloader::apply` is what changes them. All others need a restart.
pub const LIVE: [&str; 17] = [
    "log_level",
    "slow_request_ms",
    "request_timeout_ms",
    "max_in_flight",
    "overload_status",
    "standing_limit_ms",
    "rate_limit_token_per_s",
    "rate_limit_token_burst",
    "rate_limit_address_per_s",
    "rate_limit_address_burst",
    "rate_limit_definitions_per_s",
    "rate_limit_definitions_burst",
    "rate_limit_warn_only",
    "trusted_proxies",
    "tls_cert",
    "tls_key",
    "tls_watch_s",
];

/// Why the settings were not read again.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// A setting is bad, or the file is.
    #[error(transparent)]
    Settings(#[from] ConfigError),
    /// The command line, which was good once.
    #[error("the command line cannot be read again")]
    Line,
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The log filter.
    #[error(transparent)]
    Log(#[from] TelemetryError),
}

/// What there is to change.
pub struct Reloader {
    /// Settings as they are in force: one that waits for a restart keeps its old value here.
    pub given: Given,
    /// The files of the certificate, as they were last named.
    pub tls: Option<TlsFiles>,
    /// What is shown of them.
    pub certificates: Option<Arc<Certificates>>,
    /// How often the files are looked at.
    pub tls_watch: Duration,
    /// The edge.
    pub edge: Arc<Edge>,
    /// The actors.
    pub system: System,
}

impl Reloader {
    /// Waits for signals and for certificates that change, as long as the server runs.
    pub async fn run(mut self) {
        let mut hangups = match signal(SignalKind::hangup()) {
            Ok(hangups) => hangups,
            Err(error) => {
                tracing::error!(%error, "SIGHUP cannot be listened for");
                return;
            }
        };
        let mut stamp = self.tls.as_ref().map(TlsFiles::stamp);
        loop {
            let mut looks = interval(self.tls_watch);
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            // The first tick is now.
            looks.tick().await;
            tokio::select! {
                hangup = hangups.recv() => {
                    if hangup.is_none() {
                        return;
                    }
                    self.reload();
                    stamp = self.tls.as_ref().map(TlsFiles::stamp);
                }
                _ = looks.tick(), if self.certificates.is_some() => {
                    let now = self.tls.as_ref().map(TlsFiles::stamp);
                    // Files that cannot be used are not looked at again before they change again.
                    if now != stamp {
                        stamp = now;
                        self.show_certificate();
                    }
                }
            }
        }
    }

    fn reload(&mut self) {
        tracing::info!("reading the settings again");
        match self.try_reload() {
            Ok(0) => tracing::info!("no setting has changed"),
            Ok(_) => {}
            Err(error) => {
                for error in chain(&error).lines() {
                    tracing::error!(
                        error,
                        "the settings cannot be read again; nothing is changed"
                    );
                }
            }
        }
    }

    /// Returns how many settings have changed.
    fn try_reload(&mut self) -> Result<usize, ReloadError> {
        let (given, config) = read_again(&self.given)?;
        let changes = changes(&self.given.settings, &given.settings, |setting| {
            self.is_live(setting, &config)
        });
        self.apply(&config)?;
        for change in &changes {
            change.tell();
        }
        let live = changes.iter().filter(|change| change.is_live);
        for change in live {
            let mut ours = self.given.settings.iter_mut();
            if let Some(ours) = ours.find(|ours| ours.key == change.to.key) {
                *ours = change.to.clone();
            }
        }
        Ok(changes.len())
    }

    /// A certificate can be replaced, but what listens without one goes on without.
    fn is_live(&self, setting: &Setting, config: &ServeConfig) -> bool {
        let is_tls = matches!(setting.key.as_str(), "tls_cert" | "tls_key");
        LIVE.contains(&setting.key.as_str())
            && (!is_tls || (self.tls.is_some() && config.tls.is_some()))
    }

    /// Does what may fail first.
    fn apply(&mut self, config: &ServeConfig) -> Result<(), ReloadError> {
        if let (Some(certificates), Some(files)) = (&self.certificates, &config.tls) {
            if certificates.reload(files)? {
                tracing::info!(file = %files.certificate.display(), "the certificate has changed");
            }
            self.tls = Some(files.clone());
        }
        telemetry::set_filter(&config.log.filter)?;
        self.edge.adjust(&http_config(config));
        self.system.set_standing_limit(config.standing_limit);
        self.tls_watch = config.tls_watch;
        Ok(())
    }

    fn show_certificate(&self) {
        let (Some(certificates), Some(files)) = (&self.certificates, &self.tls) else {
            return;
        };
        let file = files.certificate.display();
        match certificates.reload(files) {
            Ok(true) => tracing::info!(%file, "the certificate has changed"),
            Ok(false) => {}
            Err(error) => tracing::error!(
                error = chain(&error),
                "the changed certificate cannot be used; the one before is still shown"
            ),
        }
    }
}

/// Reads the command line, the environment and the file as they are now.
fn read_again(given: &Given) -> Result<(Given, ServeConfig), ReloadError> {
    let cli = match config::parse(given.line.iter().cloned()) {
        Ok(cli) => cli,
        Err(ParseError::File(error)) => return Err(error.into()),
        Err(ParseError::Usage(_)) => return Err(ReloadError::Line),
    };
    let Command::Serve(options) = cli.command else {
        return Err(ReloadError::Line);
    };
    let config = options.resolve()?;
    Ok((options.given().clone(), config))
}

/// A setting that says something else than before.
#[derive(Debug, PartialEq, Eq)]
struct Change<'a> {
    from: Option<String>,
    to: &'a Setting,
    is_live: bool,
}

impl Change<'_> {
    fn tell(&self) {
        let from = self.from.as_deref().unwrap_or("");
        let (setting, to) = (&self.to.key, self.to.shown().unwrap_or_default());
        if self.is_live {
            tracing::info!(setting, from, to, "changed");
        } else {
            tracing::warn!(setting, from, to, "changed, and needs a restart to count");
        }
    }
}

fn changes<'a>(
    before: &[Setting],
    now: &'a [Setting],
    is_live: impl Fn(&Setting) -> bool,
) -> Vec<Change<'a>> {
    let other = |to: &'a Setting| {
        let from = before.iter().find(|from| from.key == to.key)?;
        (!from.says_the_same(to)).then(|| Change {
            from: from.shown(),
            is_live: is_live(to),
            to,
        })
    };
    now.iter().filter_map(other).collect()
}

#[cfg(test)]
mod tests {
    use super::LIVE;

    #[test]
    fn what_changes_at_once_is_a_setting() {
        let table = crate::config::settings_table();
        for key in LIVE {
            let option = format!("`--{}`", key.replace('_', "-"));
            assert!(table.contains(&option), "{option}");
        }
    }

    #[test]
    fn the_documentation_names_what_changes_at_once() {
        let document = include_str!("../../docs/configuration.md");
        let (_, rest) = document.split_once("<!-- live -->").unwrap();
        let (listed, _) = rest.split_once("<!-- /live -->").unwrap();
        let keys: Vec<&str> = listed.split('`').skip(1).step_by(2).collect();
        assert_eq!(keys, LIVE);
    }
}
