//! TLS: handshakes, new certificates while connections are open, and the health check through it.

use burgee_integration_tests::deadline::{PATIENCE, eventually};
use burgee_integration_tests::{Kind, ServerBuilder, TestServer, burgee};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;

/// A folder with a certificate for `localhost` that vouches for itself.
struct Desk {
    directory: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let desk = Self { directory };
        desk.renew();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Puts a new pair in the place of the old one; returns the certificate.
    fn renew(&self) -> CertificateDer<'static> {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        for (name, text) in [
            ("key.pem", pair.signing_key.serialize_pem()),
            ("cert.pem", pair.cert.pem()),
        ] {
            std::fs::write(self.path("next"), text).unwrap();
            std::fs::rename(self.path("next"), self.path(name)).unwrap();
        }
        self.certificate()
    }

    fn certificate(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.path("cert.pem")).unwrap()
    }

    fn server(&self) -> ServerBuilder {
        TestServer::on(Kind::Sqlite)
            .args(&["--tls-cert", &self.text("cert.pem")])
            .args(&["--tls-key", &self.text("key.pem")])
    }
}

/// Starts a server, and waits until it is ready as seen through TLS.
fn started(desk: &Desk, server: ServerBuilder) -> TestServer {
    let server = server.spawn();
    let certificate = desk.certificate();
    eventually("readiness", || {
        let answer = connect(&server, &certificate, &[]).get("/_readiness");
        answer.starts_with("HTTP/1.1 200").then_some(())
    });
    server
}

struct Secure(StreamOwned<ClientConnection, TcpStream>);

impl Secure {
    fn get(&mut self, path: &str) -> String {
        write!(self.0, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut text = Vec::new();
        let mut byte = [0];
        // The answers asked for here say how long they are.
        while !text.ends_with(b"\r\n\r\n") {
            self.0.read_exact(&mut byte).unwrap();
            text.push(byte[0]);
        }
        let head = String::from_utf8(text).unwrap();
        let length = head.to_lowercase();
        let length = length.split("content-length: ").nth(1).unwrap();
        let length = length.lines().next().unwrap().parse().unwrap();
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        head
    }
}

/// Connects and shakes hands, believing one certificate.
fn try_connect(
    server: &TestServer,
    believed: &CertificateDer<'static>,
    protocols: &[&str],
) -> Result<Secure, std::io::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(believed.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    let mut session = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    session.complete_io(&mut stream)?;
    Ok(Secure(StreamOwned::new(session, stream)))
}

fn connect(server: &TestServer, believed: &CertificateDer<'static>, protocols: &[&str]) -> Secure {
    try_connect(server, believed, protocols).unwrap()
}

#[test]
fn a_new_certificate_is_shown_after_a_signal_and_open_connections_go_on() {
    let desk = Desk::new();
    let server = started(&desk, desk.server());
    let first = desk.certificate();
    let mut open = connect(&server, &first, &[]);
    assert!(open.get("/_liveness").starts_with("HTTP/1.1 200"));
    let second = desk.renew();
    server.signal("HUP");
    eventually("the new certificate", || {
        try_connect(&server, &second, &[]).ok()
    });
    assert!(try_connect(&server, &first, &[]).is_err());
    assert!(open.get("/_liveness").starts_with("HTTP/1.1 200"));
    // A key that does not fit changes nothing.
    std::fs::write(desk.path("key.pem"), "nothing").unwrap();
    server.signal("HUP");
    server.wait_for_line("the refusal", |line| {
        line["error"]
            .as_str()
            .is_some_and(|error| error.contains("key.pem cannot be used"))
    });
    connect(&server, &second, &[]);
    server.stop();
}

#[test]
fn a_new_certificate_is_found_without_a_signal() {
    let desk = Desk::new();
    let server = started(&desk, desk.server().arg("--tls-watch-s=1"));
    let second = desk.renew();
    eventually("the new certificate", || {
        try_connect(&server, &second, &[]).ok()
    });
}

#[test]
fn clients_choose_their_protocol() {
    let desk = Desk::new();
    let server = started(&desk, desk.server());
    let certificate = desk.certificate();
    for (offered, chosen) in [
        (&["h2", "http/1.1"][..], Some(&b"h2"[..])),
        (&["http/1.1"], Some(b"http/1.1")),
        (&[], None),
    ] {
        let connection = connect(&server, &certificate, offered);
        assert_eq!(connection.0.conn.alpn_protocol(), chosen, "{offered:?}");
    }
    // Who speaks plain HTTP is not answered, and harms nobody.
    let mut plain = server.connect();
    plain.write(b"GET /_liveness HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(!plain.drain().starts_with(b"HTTP/"));
    connect(&server, &certificate, &[]);
}

#[test]
fn the_health_check_passes_through() {
    let desk = Desk::new();
    let server = started(&desk, desk.server());
    let port = server.address().rsplit(':').next().unwrap();
    let url = format!("https://localhost:{port}/_readiness");
    let check = |more: &[&str]| {
        let line = [&["healthcheck", "--timeout-ms=20000", "--url", &url], more].concat();
        burgee(&line)
    };
    check(&["--insecure"]).expect_code(0);
    check(&["--ca", &desk.text("cert.pem")]).expect_code(0);
    let refused = check(&[]).expect_code(1);
    assert!(refused.stdout.starts_with("unhealthy: "), "{refused:?}");
}

#[test]
fn files_that_are_missing_are_a_bad_setting() {
    let line = ["serve", "--tls-cert=/none/c.pem", "--tls-key=/none/k.pem"];
    let refused = burgee(&line).expect_code(2);
    let start = "--tls-cert (BURGEE_TLS_CERT): /none/c.pem cannot be used: ";
    assert!(refused.stderr.starts_with(start), "{}", refused.stderr);
}
