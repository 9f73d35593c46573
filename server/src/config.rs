//! Every setting, its default and its doc: the only reader of the environment and of the settings file.
//!
//! The command line is read as texts, because clap stops at the first value it cannot parse; [`ServeOptions::resolve`] and
//! its kin turn them into typed settings and tell all faults together. Whoever uses a setting gets a value, never a name.

mod admin;
mod browsers;
mod commands;
mod doctor;
mod events;
mod faults;
mod file;
mod layers;
mod lifecycle;
mod limits;
mod listeners;
mod replay;
mod replica;
mod serve;
mod shadow;
mod streams;
mod table;
mod threads;
mod traces;
mod words;

pub(crate) use commands::command_pool;
pub use commands::{
    ApplyArgs, CheckArgs, Cli, Command, ConfigArgs, DatabaseArgs, ExportArgs, HealthcheckArgs,
    ImportArgs, MigrateArgs, TokenAction, TokenArgs, TokenKind, TokenNewArgs,
};
pub use doctor::DoctorArgs;
pub use faults::ConfigError;
pub use layers::{Given, Origin, ParseError, Setting, parse};
pub use lifecycle::LifecycleConfig;
pub use replay::ReplayOptions;
pub use serve::{LogConfig, LogFormat, ServeConfig, ServeOptions};
pub use shadow::ShadowOptions;
pub use table::settings_table;

use std::fmt;

/// A database URL; its `Debug` and `Display` hide the password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// Returns the URL with its password, for the store.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.0.split_once("://").unwrap_or(("", &self.0));
        // The query may hold a password too.
        let rest = rest.split_once('?').map_or(rest, |(before, _)| before);
        match rest.rsplit_once('@') {
            Some((user, host)) => {
                let user = user.split_once(':').map_or(user, |(name, _)| name);
                write!(f, "{scheme}://{user}@{host}")
            }
            None => write!(f, "{scheme}://{rest}"),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests;
