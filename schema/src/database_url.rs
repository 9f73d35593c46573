//! Reads a database URL. No part of it that may hold a password goes into an error.

use crate::StoreError;
use crate::trust::{Roots, Trust};
use std::path::{Path, PathBuf};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

/// Where the data is.
#[derive(Clone)]
pub(crate) enum Target {
    /// A server.
    Postgres(Box<PostgresTarget>),
    /// A file.
    Sqlite(PathBuf),
}

/// How a Postgres server is reached.
#[derive(Clone)]
pub(crate) struct PostgresTarget {
    pub(crate) config: tokio_postgres::Config,
    pub(crate) tls: MakeRustlsConnect,
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
    let (url, tls) = Tls::taken_from(url)?;
    // The parser's own message may quote what it took for an option's name, which can be a piece of a password.
    let mut config: tokio_postgres::Config = url.parse().map_err(|_error: tokio_postgres::Error| {
        StoreError::Config(
            "the Postgres URL cannot be read: write postgres://user:password@host:port/database, with special \
             characters of the password percent-encoded"
                .to_owned(),
        )
    })?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err(StoreError::Config(
            "the Postgres URL names no host".to_owned(),
        ));
    }
    if config.get_application_name().is_none() {
        config.application_name("burgee");
    }
    config.ssl_mode(tls.mode);
    let trusted = tls.trust.client_config().map_err(|error| {
        StoreError::Config(format!("the Postgres URL asks for TLS, but {error}"))
    })?;
    Ok(Target::Postgres(Box::new(PostgresTarget {
        config,
        tls: MakeRustlsConnect::new(trusted),
    })))
}

/// What a URL says about TLS. The words are those of libpq.
struct Tls {
    mode: SslMode,
    trust: Trust,
}

impl Tls {
    /// Reads `sslmode` and `sslrootcert`, and returns the URL without them: the driver knows fewer words.
    fn taken_from(url: &str) -> Result<(String, Self), StoreError> {
        let (base, query) = match url.rsplit_once('?') {
            Some((base, query)) => (base, query),
            None => (url, ""),
        };
        let (mut mode, mut roots, mut others) = (None, None, Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslmode", value)) => mode = Some(value),
                Some(("sslrootcert", "system")) => roots = Some(Roots::System),
                Some(("sslrootcert", value)) => roots = Some(Roots::File(decoded(value)?.into())),
                _ => others.push(pair),
            }
        }
        let url = match others.is_empty() {
            true => base.to_owned(),
            false => format!("{base}?{}", others.join("&")),
        };
        let tls = Self::of(mode.unwrap_or("prefer"), roots)?;
        Ok((url, tls))
    }

    fn of(mode: &str, roots: Option<Roots>) -> Result<Self, StoreError> {
        let (mode, trust) = match (mode, roots) {
            ("disable", _) => (SslMode::Disable, Trust::Anybody),
            ("prefer", _) => (SslMode::Prefer, Trust::Anybody),
            ("require", None) => (SslMode::Require, Trust::Anybody),
            // Whoever names authorities wants them to be asked.
            ("require", Some(roots)) => (SslMode::Require, Trust::Issuer(roots)),
            ("verify-ca", roots) => {
                let roots = roots.unwrap_or(Roots::System);
                (SslMode::Require, Trust::Issuer(roots))
            }
            ("verify-full", roots) => {
                let roots = roots.unwrap_or(Roots::System);
                (SslMode::Require, Trust::Host(roots))
            }
            // The text is not repeated: in a URL that is not what it seems it may be a piece of a password.
            _ => {
                return Err(StoreError::Config(
                    "the Postgres URL has an sslmode that is not known: use disable, prefer, require, verify-ca or \
                     verify-full"
                        .to_owned(),
                ));
            }
        };
        Ok(Self { mode, trust })
    }
}

/// Undoes percent-encoding.
fn decoded(text: &str) -> Result<String, StoreError> {
    let wrong = || {
        StoreError::Config("the Postgres URL has an sslrootcert that is no file name".to_owned())
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit().ok_or_else(wrong)?, digit().ok_or_else(wrong)?);
        bytes.push(u8::try_from(high * 16 + low).map_err(|_never| wrong())?);
    }
    String::from_utf8(bytes).map_err(|_not_text| wrong())
}

#[cfg(test)]
mod tests;
