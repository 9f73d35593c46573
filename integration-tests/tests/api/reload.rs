//! SIGHUP: what changes while a server runs, what needs a restart, and what changes nothing.

use burgee_integration_tests::deadline::eventually;
use burgee_integration_tests::{FlagBuilder, Kind, ProjectBuilder, TestServer};
use serde_json::{Value, json};
use std::path::PathBuf;

struct Desk {
    directory: tempfile::TempDir,
}

impl Desk {
    fn with(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let desk = Self { directory };
        desk.write(text);
        desk
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("burgee.toml")
    }

    fn write(&self, text: &str) {
        std::fs::write(self.path(), text).unwrap();
    }

    fn serve(&self) -> TestServer {
        let file = ProjectBuilder::new()
            .flag(FlagBuilder::new("plain").id(1))
            .file();
        TestServer::on(Kind::Sqlite)
            .project(&file)
            .args(&["--config", self.path().to_str().unwrap()])
            .start()
    }
}

fn ask(server: &TestServer) -> u16 {
    let body = json!({"token": "phc_local_dev", "distinct_id": "u"});
    server.post("/flags?v=2", &body).status
}

/// Waits for the line that tells of a setting, and returns its values before and after.
fn told(server: &TestServer, setting: &str, message: &str) -> (Value, Value) {
    let line = server.wait_for_line(setting, |line| {
        line["setting"] == setting && line["message"] == message
    });
    (line["from"].clone(), line["to"].clone())
}

const CHANGED: &str = "changed";
const LATER: &str = "changed, and needs a restart to count";

#[test]
fn limits_and_the_log_change_at_once_and_the_pool_later() {
    let desk = Desk::with("pool_size = 10\n");
    let server = desk.serve();
    let server_is_quiet = |server: &TestServer| !server.log().contains("\"level\":\"DEBUG\"");
    assert_eq!(ask(&server), 200);
    assert!(server_is_quiet(&server));
    desk.write(
        "pool_size = 5
         log_level = 'debug'
         rate_limit_address_per_s = 1
         rate_limit_address_burst = 1
         standing_limit_ms = 50
         max_in_flight = 100\n",
    );
    server.signal("HUP");
    let (old, new) = told(&server, "pool_size", LATER);
    assert_eq!((old, new), (json!("10"), json!("5")));
    told(&server, "rate_limit_address_per_s", CHANGED);
    told(&server, "standing_limit_ms", CHANGED);
    told(&server, "max_in_flight", CHANGED);
    told(&server, "log_level", CHANGED);
    eventually("a refusal", || (ask(&server) == 429).then_some(()));
    eventually("lines for debugging", || {
        (!server_is_quiet(&server)).then_some(())
    });
    // Back again; the pool never was another.
    desk.write("pool_size = 10\n");
    server.signal("HUP");
    let (old, new) = server_line(&server, "rate_limit_address_per_s", "0");
    assert_eq!((old, new), (json!("1"), json!("0")));
    for _ in 0..5 {
        assert_eq!(ask(&server), 200);
    }
    let again = server.log().matches("\"setting\":\"pool_size\"").count();
    assert_eq!(again, 1, "{}", server.log());
    server.stop();
}

fn server_line(server: &TestServer, setting: &str, to: &str) -> (Value, Value) {
    let line = server.wait_for_line(setting, |line| {
        line["setting"] == setting && line["to"] == to
    });
    (line["from"].clone(), line["to"].clone())
}

#[test]
fn a_bad_file_changes_nothing_and_says_why() {
    let desk = Desk::with("rate_limit_token_per_s = 0\n");
    let server = desk.serve();
    desk.write("rate_limit_token_per_s = 1\nrate_limit_token_burst = 1\npool_sise = 3\nevents = 'perhaps'\n");
    server.signal("HUP");
    for part in ["pool_sise: no such setting", "events: expected one of"] {
        server.wait_for_line(part, |line| {
            let error = line["error"].as_str().unwrap_or_default();
            line["message"] == "the settings cannot be read again; nothing is changed"
                && error.contains(part)
        });
    }
    for _ in 0..5 {
        assert_eq!(ask(&server), 200);
    }
    // It is asked again, and works when the file does.
    desk.write("rate_limit_token_per_s = 1\nrate_limit_token_burst = 1\n");
    server.signal("HUP");
    told(&server, "rate_limit_token_per_s", CHANGED);
    eventually("a refusal", || (ask(&server) == 429).then_some(()));
}

#[test]
fn without_a_change_nothing_happens() {
    let server = TestServer::on(Kind::Sqlite).start();
    server.signal("HUP");
    server.wait_for_line("the answer", |line| {
        line["message"] == "no setting has changed"
    });
    server.stop();
}
