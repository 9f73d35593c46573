//! The certificate that the server shows: read from two PEM files, and read again while it serves.
//!
//! A new certificate counts for new connections; those that are open go on with the old one. Files that cannot be used change
//! nothing.

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Where the certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, then those that vouch for it; PEM.
    pub certificate: PathBuf,
    /// Its private key; PEM.
    pub key: PathBuf,
}

/// The files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// One of them cannot be read.
    #[error("{file} cannot be used: {reason}")]
    File {
        /// Its name.
        file: String,
        /// Why.
        reason: String,
    },
    /// They do not belong together, or are of a kind that is not known.
    #[error("the certificate and its key cannot be used: {0}")]
    Pair(#[from] rustls::Error),
}

/// The certificate that is shown, shared by all listeners.
#[derive(Debug)]
pub struct Certificates {
    shown: ArcSwap<CertifiedKey>,
}

impl Certificates {
    /// Reads the files.
    pub fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self {
            shown: ArcSwap::from_pointee(read(files)?),
        })
    }

    /// Reads the files again. New connections are shown what they hold now; returns whether that is something new.
    pub fn reload(&self, files: &TlsFiles) -> Result<bool, TlsError> {
        let read = read(files)?;
        let is_new = self.shown.load().cert != read.cert;
        self.shown.store(Arc::new(read));
        Ok(is_new)
    }

    /// Returns settings for a listener: TLS 1.2 and 1.3, and no certificate asked of clients.
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth();
        let certificates: Arc<dyn ResolvesServerCert> = Arc::<Self>::clone(self);
        Ok(config.with_cert_resolver(certificates))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.shown.load_full())
    }
}

impl TlsFiles {
    /// Returns what tells one state of the files from another; nothing of one that is missing.
    pub fn stamp(&self) -> [Option<SystemTime>; 2] {
        let changed_at = |path: &Path| std::fs::metadata(path).and_then(|it| it.modified()).ok();
        [changed_at(&self.certificate), changed_at(&self.key)]
    }
}

fn read(files: &TlsFiles) -> Result<CertifiedKey, TlsError> {
    let refused = |path: &Path, reason: &dyn std::fmt::Display| TlsError::File {
        file: path.display().to_string(),
        reason: reason.to_string(),
    };
    let path = &files.certificate;
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| refused(path, &error))?;
    if certificates.is_empty() {
        return Err(refused(path, &"there is no certificate in it"));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|it| refused(&files.key, &it))?;
    let pair = CertifiedKey::from_der(certificates, key, &ring::default_provider())?;
    Ok(pair)
}

#[cfg(test)]
mod tests;
