//! The compose file without an engine: the same commands, environment and files as plain processes, in the order of their
//! health. Names of containers become loopback addresses, and paths in containers become folders here. Grafana is no
//! package of this system: its service is only read.

use super::compose::{compose, in_order, mounts};
use super::daemon::{Daemon, free_port};
use super::prometheus::{get, query};
use super::repository;
use burgee_integration_tests::deadline::{eventually, within};
use burgee_integration_tests::http::{Connection, Request};
use burgee_integration_tests::postgres::Server;
use burgee_integration_tests::{burgee, program_path};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Prometheus scrapes each 15 s.
const PATIENCE: Duration = Duration::from_secs(90);

/// What stands for the containers' network and file systems.
struct Stage {
    compose: Value,
    folder: tempfile::TempDir,
    /// `host:port` in the network → `host:port` here.
    addresses: BTreeMap<String, String>,
}

impl Stage {
    fn new(postgres: Option<&Server>) -> Self {
        let here = |port: u16| format!("127.0.0.1:{port}");
        let mut addresses = BTreeMap::from([
            ("burgee:8080".to_owned(), here(free_port())),
            ("prometheus:9090".to_owned(), here(free_port())),
        ]);
        if let Some(server) = postgres {
            addresses.insert("postgres:5432".to_owned(), server.address().to_string());
        }
        let folder = tempfile::tempdir().expect("a temporary directory");
        Self {
            compose: compose(),
            folder,
            addresses,
        }
    }

    fn service(&self, name: &str) -> &Value {
        &self.compose["services"][name]
    }

    fn address(&self, name: &str) -> &str {
        &self.addresses[name]
    }

    /// Returns where a path of a container is here: in a folder for each named volume, in a copy of what is mounted.
    fn path(&self, service: &str, inside: &str) -> Option<PathBuf> {
        let mut mounts = mounts(self.service(service));
        // The deepest mount counts.
        mounts.sort_by_key(|(_, target)| std::cmp::Reverse(target.len()));
        let (source, rest) = mounts.iter().find_map(|(source, target)| {
            let rest = inside.strip_prefix(target.as_str())?;
            (rest.is_empty() || rest.starts_with('/')).then_some((source, rest))
        })?;
        let folder = self.folder.path().join(source.replace('/', "-"));
        if !folder.exists() {
            if source.starts_with("./") {
                self.copy(&repository(source), &folder);
            } else {
                std::fs::create_dir_all(&folder).expect("a folder");
            }
        }
        Some(folder.join(rest.trim_start_matches('/')))
    }

    /// Copies mounted files, with the addresses in them.
    fn copy(&self, from: &Path, to: &Path) {
        std::fs::create_dir_all(to).expect("a folder");
        for entry in std::fs::read_dir(from).expect("a folder") {
            let path = entry.expect("an entry").path();
            let target = to.join(path.file_name().expect("a name"));
            if path.is_dir() {
                self.copy(&path, &target);
            } else {
                let text = std::fs::read_to_string(&path).expect("a text");
                std::fs::write(target, self.with_addresses(&text)).expect("it is written");
            }
        }
    }

    fn with_addresses(&self, text: &str) -> String {
        let pairs = self.addresses.iter();
        pairs.fold(text.to_owned(), |text, (inside, here)| {
            text.replace(inside, here)
        })
    }

    /// Translates a value of the environment or an argument of a service: addresses, what it listens on, paths.
    fn here(&self, service: &str, value: &str) -> String {
        let value = self.with_addresses(value);
        let own = |host: &str| {
            let mut ports = ["8080", "9090"].iter();
            ports
                .find(|port| {
                    value.ends_with(&format!("{host}:{port}"))
                        || value.contains(&format!("{host}:{port}/"))
                })
                .copied()
        };
        for host in ["0.0.0.0", "127.0.0.1"] {
            if let Some(port) = own(host)
                && let Some((_, here)) = self.addresses.iter().find(|(inside, _)| {
                    inside.ends_with(port)
                        && service.starts_with(inside.split(':').next().unwrap_or_default())
                })
            {
                return value.replace(&format!("{host}:{port}"), here);
            }
        }
        let start = value
            .find("=/")
            .map(|at| at + 1)
            .or_else(|| value.find(":///").map(|at| at + 3));
        let start = start.or_else(|| value.starts_with('/').then_some(0));
        match start.and_then(|start| Some((start, self.path(service, &value[start..])?))) {
            Some((start, path)) => format!("{}{}", &value[..start], path.display()),
            None => value,
        }
    }

    fn environment(&self, service: &str) -> Vec<(String, String)> {
        let environment = self.service(service)["environment"]
            .as_object()
            .expect("an environment");
        environment
            .iter()
            .map(|(name, value)| {
                (
                    name.clone(),
                    self.here(service, value.as_str().expect("a text")),
                )
            })
            .collect()
    }

    /// Starts Burgee as a service does: the image's command, the service's environment and nothing else.
    fn burgee(&self, service: &str) -> Daemon {
        assert!(
            self.service(service).get("command").is_none(),
            "the image's command"
        );
        let mut command = Command::new(program_path());
        command
            .arg("serve")
            .env_clear()
            .envs(self.environment(service));
        command.current_dir(self.folder.path());
        Daemon::start(service, &mut command, self.folder.path())
    }

    fn prometheus(&self) -> Daemon {
        let arguments = self.service("prometheus")["command"]
            .as_array()
            .expect("arguments");
        let mut command = Command::new("prometheus");
        for argument in arguments {
            command.arg(self.here("prometheus", argument.as_str().expect("a text")));
        }
        Daemon::start("prometheus", &mut command, self.folder.path())
    }

    /// Runs the health check of a service. BusyBox's `wget --spider` is a request that wants a 200, and so is ours.
    fn is_healthy(&self, service: &str, postgres: Option<&Server>) -> bool {
        let test = self.service(service)["healthcheck"]["test"]
            .as_array()
            .expect("a command");
        let words: Vec<&str> = test
            .iter()
            .map(|word| word.as_str().expect("a text"))
            .collect();
        match words.as_slice() {
            ["CMD", "burgee", arguments @ ..] => {
                let arguments: Vec<String> = arguments
                    .iter()
                    .map(|word| self.here(service, word))
                    .collect();
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                burgee(&arguments).code == Some(0)
            }
            ["CMD", "wget", "-q", "--spider", url] => {
                burgee(&["healthcheck", "--url", &self.here(service, url)]).code == Some(0)
            }
            ["CMD", "pg_isready", arguments @ ..] => {
                let server = postgres.expect("a Postgres");
                let mut command = Command::new(server.program("pg_isready"));
                for word in arguments {
                    command.arg(word.replace(
                        "--port=5432",
                        &format!("--port={}", server.address().port()),
                    ));
                }
                command
                    .output()
                    .expect("it is part of Postgres")
                    .status
                    .success()
            }
            other => panic!("{service}: a health check that this test does not know: {other:?}"),
        }
    }
}

#[test]
fn the_stack_comes_up_in_order() {
    let postgres = Server::start().expect("a Postgres for the test");
    let stage = Stage::new(Some(&postgres));
    let secrets = &stage.service("postgres")["environment"];
    let part = |name: &str| secrets[name].as_str().expect("a text").to_owned();
    // What the image does with its environment at its first start.
    let (user, name) = (part("POSTGRES_USER"), part("POSTGRES_DB"));
    if user != "burgee" {
        postgres
            .query("postgres", &format!("CREATE ROLE {user} LOGIN"))
            .expect("a role");
    }
    postgres
        .query("postgres", &format!("CREATE DATABASE {name} OWNER {user}"))
        .expect("a database");
    postgres.stop().expect("it stops");

    let mut running = Vec::new();
    for service in in_order(&stage.compose) {
        if service == "grafana" {
            continue;
        }
        assert!(
            !stage.is_healthy(&service, Some(&postgres)),
            "{service} before it is started"
        );
        match service.as_str() {
            "postgres" => postgres.resume().expect("it starts"),
            "burgee" => running.push(stage.burgee("burgee")),
            "prometheus" => running.push(stage.prometheus()),
            other => panic!("a service that this test cannot start: {other}"),
        }
        eventually(&format!("{service} to be healthy"), || {
            running.iter_mut().for_each(Daemon::assert_running);
            stage.is_healthy(&service, Some(&postgres)).then_some(())
        });
    }
    flags_are_answered(stage.address("burgee:8080"));
    prometheus_watches(stage.address("prometheus:9090"));
    assert!(
        stage.folder.path().join("burgee-data/snapshot").is_dir(),
        "the snapshot is in the volume"
    );
}

fn flags_are_answered(address: &str) {
    let asked =
        Request::post("/flags?v=2").json(&json!({"token": "phc_local_dev", "distinct_id": "ada"}));
    let answer = Connection::open(address).exchange(&asked);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        answer.json()["flags"]["dark-mode"]["enabled"],
        true,
        "the demo project is loaded"
    );
}

fn prometheus_watches(address: &str) {
    within(PATIENCE, "a scrape", || {
        let up = query(address, r#"up{job="burgee"}"#).expect("an answer");
        (up == [1.0]).then_some(())
    });
    let build = query(address, "burgee_build_info").expect("an answer");
    assert_eq!(build, [1.0]);
    let (status, rules) = get(address, "/api/v1/rules");
    assert_eq!(status, 200);
    let loaded: Vec<&str> = rules["data"]["groups"]
        .as_array()
        .expect("groups")
        .iter()
        .flat_map(|group| group["rules"].as_array().expect("rules"))
        .map(|rule| rule["name"].as_str().expect("a name"))
        .collect();
    let ours: Vec<String> = super::alerts::alerts()
        .into_iter()
        .map(|alert| alert.name)
        .collect();
    assert_eq!(loaded, ours);
}

#[test]
fn the_profile_runs_alone() {
    let stage = Stage::new(None);
    assert!(
        !stage.is_healthy("burgee-sqlite", None),
        "before it is started"
    );
    let mut server = stage.burgee("burgee-sqlite");
    eventually("it to be healthy", || {
        server.assert_running();
        stage.is_healthy("burgee-sqlite", None).then_some(())
    });
    flags_are_answered(stage.address("burgee:8080"));
    assert!(
        stage
            .folder
            .path()
            .join("burgee-sqlite-data/burgee.db")
            .is_file()
    );
}
