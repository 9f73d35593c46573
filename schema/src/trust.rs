//! Whom the other end of a TLS connection has to prove to be. Knows certificates, and neither hosts nor protocols above TLS.

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Whom the other end has to prove to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Anybody: what is said is encrypted, for whoever answers.
    Anybody,
    /// Whoever has a certificate from these authorities, under whatever name.
    Issuer(Roots),
    /// The host that was connected to, by a certificate from these authorities.
    Host(Roots),
}

/// Who may vouch for others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Roots {
    /// Those that the system trusts.
    System,
    /// Those in a PEM file.
    File(PathBuf),
}

/// The certificates of those who may vouch cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file.
    #[error("the certificates in {file} cannot be used: {reason}")]
    File {
        /// Its name.
        file: String,
        /// Why.
        reason: String,
    },
    /// The system has none.
    #[error("this system has no trusted certificates: name a file with them")]
    NoSystemRoots,
    /// What the TLS library says.
    #[error(transparent)]
    Tls(#[from] Error),
}

impl Trust {
    /// Returns settings for connections to others, TLS 1.2 and 1.3. Reads files.
    pub fn client_config(&self) -> Result<ClientConfig, TrustError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let config = match self {
            Self::Host(roots) => builder.with_root_certificates(roots.read()?),
            Self::Anybody => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Lenient {
                    issuer: None,
                    provider,
                })),
            Self::Issuer(roots) => {
                let roots = Arc::new(roots.read()?);
                let issuer =
                    WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider));
                let issuer = issuer
                    .build()
                    .map_err(|error| Error::General(error.to_string()))?;
                builder
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(Lenient {
                        issuer: Some(issuer),
                        provider,
                    }))
            }
        };
        Ok(config.with_no_client_auth())
    }
}

impl Roots {
    fn read(&self) -> Result<RootCertStore, TrustError> {
        let mut store = RootCertStore::empty();
        match self {
            Self::File(path) => add_file(&mut store, path)?,
            Self::System => {
                let found = rustls_native_certs::load_native_certs();
                store.add_parsable_certificates(found.certs);
                if store.is_empty() {
                    return Err(TrustError::NoSystemRoots);
                }
            }
        }
        Ok(store)
    }
}

fn add_file(store: &mut RootCertStore, path: &Path) -> Result<(), TrustError> {
    let refused = |reason: String| TrustError::File {
        file: path.display().to_string(),
        reason,
    };
    let certificates = CertificateDer::pem_file_iter(path).map_err(|it| refused(it.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|it| refused(it.to_string()))?;
        store
            .add(certificate)
            .map_err(|it| refused(it.to_string()))?;
    }
    match store.is_empty() {
        true => Err(refused("there is none in it".to_owned())),
        false => Ok(()),
    }
}

/// Takes certificates that do not name the host, and any at all where nobody has to vouch. That the other end holds the
/// certificate's key is checked all the same.
#[derive(Debug)]
struct Lenient {
    issuer: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(issuer) = &self.issuer else {
            return Ok(ServerCertVerified::assertion());
        };
        match issuer.verify_server_cert(certificate, intermediates, host, ocsp, now) {
            // The name is looked at last: everything else is as it should be.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let known = &self.provider.signature_verification_algorithms;
        known.supported_schemes()
    }
}
