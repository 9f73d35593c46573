//! Postgres over TLS: what each `sslmode` takes, and that nothing goes round it.

use crate::fixture::*;
use burgee_integration_tests::postgres::TestDatabase;
use burgee_schema::{Store, StoreError};
use std::time::Duration;

struct Desk {
    database: TestDatabase,
    directory: tempfile::TempDir,
}

impl Desk {
    /// Starts a server that shows a certificate for this name.
    fn new(name: &str) -> Self {
        let pair = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let (certificate, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("root.crt"), &certificate).unwrap();
        Self {
            database: TestDatabase::tls_postgres(&certificate, &key).unwrap(),
            directory,
        }
    }

    /// Returns the URL with another host's name and these parameters; ROOT is the file with the certificate.
    fn url(&self, host: &str, parameters: &str) -> String {
        let root = self.directory.path().join("root.crt");
        let parameters = parameters.replace("ROOT", root.to_str().unwrap());
        let url = self.database.url().replace("127.0.0.1", host);
        format!("{url}?{parameters}")
    }

    async fn connect(&self, host: &str, parameters: &str) -> Result<Store, StoreError> {
        let store = Store::open(&self.url(host, parameters), patient()).await?;
        store.migrations().await?;
        Ok(store)
    }

    /// Returns how many connections of ours are encrypted, and how many are not.
    fn connections(&self) -> (u32, u32) {
        let sql = "SELECT count(*) FILTER (WHERE ssl), count(*) FILTER (WHERE NOT ssl) \
            FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'burgee'";
        let answer = self.database.query(sql).unwrap();
        let (with, without) = answer.trim().split_once('|').unwrap();
        (with.parse().unwrap(), without.parse().unwrap())
    }
}

#[tokio::test]
async fn every_mode_takes_what_it_should() {
    let desk = Desk::new("localhost");
    for (host, parameters, is_taken) in [
        ("127.0.0.1", "sslmode=disable", true),
        ("127.0.0.1", "sslmode=prefer", true),
        ("127.0.0.1", "sslmode=require", true),
        ("127.0.0.1", "sslmode=require&sslrootcert=ROOT", true),
        ("127.0.0.1", "sslmode=verify-ca&sslrootcert=ROOT", true),
        ("127.0.0.1", "sslmode=verify-full&sslrootcert=ROOT", false),
        ("localhost", "sslmode=verify-full&sslrootcert=ROOT", true),
    ] {
        let connected = desk.connect(host, parameters).await;
        let error = connected.as_ref().err().map(|it| burgee_schema::chain(it));
        assert_eq!(error.is_none(), is_taken, "{host} {parameters}: {error:?}");
    }
}

#[tokio::test]
async fn strangers_are_not_believed() {
    let desk = Desk::new("localhost");
    let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(desk.directory.path().join("root.crt"), stranger.cert.pem()).unwrap();
    for mode in ["require", "verify-ca", "verify-full"] {
        let parameters = format!("sslmode={mode}&sslrootcert=ROOT");
        let refused = desk.connect("localhost", &parameters).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{mode}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_asked_for() {
    let database = TestDatabase::postgres().unwrap();
    for (mode, is_taken) in [("prefer", true), ("require", false)] {
        let url = format!("{}?sslmode={mode}", database.url());
        let store = Store::open(&url, patient()).await.unwrap();
        assert_eq!(store.migrations().await.is_ok(), is_taken, "{mode}");
    }
}

#[tokio::test]
async fn pool_listener_and_migrations_are_all_encrypted() {
    let desk = Desk::new("localhost");
    let store = desk
        .connect("localhost", "sslmode=verify-full&sslrootcert=ROOT")
        .await
        .unwrap();
    store.migrate().await.unwrap();
    let _feed = store.follow_changes(0, Duration::from_secs(600));
    soon(async {
        let listening = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'";
        while desk.database.query(listening).unwrap().trim() != "1" {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let (with, without) = desk.connections();
    assert!(with >= 2 && without == 0, "{with} encrypted, {without} not");
}
