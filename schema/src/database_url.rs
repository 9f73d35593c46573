//! Reads a database URL. No part of it that may hold a password goes into an error.

use crate::StoreError;
use std::path::{Path, PathBuf};
use tokio_postgres::config::SslMode;

/// Where the data is.
#[derive(Clone)]
pub(crate) enum Target {
    /// A server.
    Postgres(Box<tokio_postgres::Config>),
    /// A file.
    Sqlite(PathBuf),
}

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Self, StoreError> {
        match url.split_once(':') {
            Some(("postgres" | "postgresql", _)) => postgres(url),
            Some(("sqlite", path)) => sqlite(path.strip_prefix("//").unwrap_or(path)),
            _ => Err(StoreError::Config(
                "the database URL must begin with sqlite:// or postgres://".to_owned(),
            )),
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }
}

fn sqlite(path: &str) -> Result<Target, StoreError> {
    if path.is_empty() {
        return Err(StoreError::Config(
            "the SQLite URL names no file: write sqlite://burgee.db".to_owned(),
        ));
    }
    if path.contains(":memory:") {
        return Err(StoreError::Config(
            "an in-memory SQLite database cannot be shared by several connections: name a file"
                .to_owned(),
        ));
    }
    // SQLite would read such a name as a URI of its own.
    let path = if path.starts_with("file:") {
        Path::new(".").join(path)
    } else {
        PathBuf::from(path)
    };
    Ok(Target::Sqlite(path))
}

fn postgres(url: &str) -> Result<Target, StoreError> {
    if let Some(mode) = parameter(url, "sslmode")
        && !matches!(mode, "disable" | "prefer")
    {
        return Err(no_tls());
    }
    // The parser's own message may quote what it took for an option's name, which can be a piece of a password.
    let mut config: tokio_postgres::Config = url.parse().map_err(|_error: tokio_postgres::Error| {
        StoreError::Config(
            "the Postgres URL cannot be read: write postgres://user:password@host:port/database, with special \
             characters of the password percent-encoded"
                .to_owned(),
        )
    })?;
    if config.get_ssl_mode() == SslMode::Require {
        return Err(no_tls());
    }
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err(StoreError::Config(
            "the Postgres URL names no host".to_owned(),
        ));
    }
    if config.get_application_name().is_none() {
        config.application_name("burgee");
    }
    Ok(Target::Postgres(Box::new(config)))
}

fn no_tls() -> StoreError {
    StoreError::Config(
        "the Postgres URL asks for TLS (sslmode), which this version cannot do: use sslmode=disable and a private \
         network or a proxy"
            .to_owned(),
    )
}

fn parameter<'a>(url: &'a str, name: &str) -> Option<&'a str> {
    let (_, query) = url.rsplit_once('?')?;
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

#[cfg(test)]
mod tests;
