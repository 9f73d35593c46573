//! The settings of addresses beside the main one, and of TLS.

use super::faults::Faults;
use crate::tls::{Certificates, TlsFiles};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Who is reached where, as it was written.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ListenerOptions {
    /// Serve what changes and shows the server (the admin API, the console, /metrics unless it has an address of its own) on this
    /// address and port, and not on the main one
    #[arg(
        long,
        env = "BURGEE_ADMIN_LISTEN",
        value_name = "ADDRESS",
        help_heading = "Listeners"
    )]
    admin_listen: Option<String>,
    /// The certificate to serve with by TLS, PEM, then those that vouch for it; read again on SIGHUP and when it changes
    #[arg(
        long,
        env = "BURGEE_TLS_CERT",
        value_name = "FILE",
        help_heading = "Listeners"
    )]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key, PEM
    #[arg(
        long,
        env = "BURGEE_TLS_KEY",
        value_name = "FILE",
        help_heading = "Listeners"
    )]
    tls_key: Option<PathBuf>,
    /// How often the two files are looked at for changes, in seconds
    #[arg(
        long,
        env = "BURGEE_TLS_WATCH_S",
        default_value = "60",
        value_name = "S",
        help_heading = "Listeners"
    )]
    tls_watch_s: String,
}

impl ListenerOptions {
    pub(super) fn admin(&self, f: &mut Faults) -> Option<SocketAddr> {
        let raw = self.admin_listen.as_ref()?;
        Some(f.address("admin-listen", raw))
    }

    pub(super) fn tls(&self, f: &mut Faults) -> Option<TlsFiles> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => {
                let files = TlsFiles {
                    certificate: certificate.clone(),
                    key: key.clone(),
                };
                if let Err(error) = Certificates::load(&files) {
                    f.add("tls-cert", error);
                }
                return Some(files);
            }
            (Some(_), None) => f.add("tls-cert", "needs --tls-key as well"),
            (None, Some(_)) => f.add("tls-key", "needs --tls-cert as well"),
            (None, None) => {}
        }
        None
    }

    pub(super) fn tls_watch(&self, f: &mut Faults) -> Duration {
        f.seconds("tls-watch-s", &self.tls_watch_s, 1)
    }
}
