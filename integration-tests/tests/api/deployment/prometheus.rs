//! A real Prometheus that scrapes what a test names, and answers questions.

use super::daemon::{Daemon, free_port};
use super::promql::metric_names;
use super::{repository, yaml};
use burgee_integration_tests::deadline::eventually;
use burgee_integration_tests::http::{Connection, Request};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// Metrics of Prometheus itself, which are there only when something happens.
const ITS_OWN: [&str; 1] = ["ALERTS"];

/// A running Prometheus.
pub(super) struct Prometheus {
    process: Daemon,
    address: String,
    _directory: tempfile::TempDir,
}

impl Prometheus {
    /// Starts it with our configuration, but scraping `target` alone, every second.
    pub(super) fn scraping(target: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut config = yaml("deploy/prometheus/prometheus.yml");
        for name in ["scrape_interval", "scrape_timeout", "evaluation_interval"] {
            config["global"][name] = json!("1s");
        }
        config["rule_files"] = json!([repository("deploy/prometheus/rules/*.yml")]);
        config["scrape_configs"][0]["static_configs"] = json!([{"targets": [target]}]);
        let file = directory.path().join("prometheus.yml");
        // JSON is YAML.
        std::fs::write(&file, config.to_string()).expect("the file is written");
        let address = format!("127.0.0.1:{}", free_port());
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--web.listen-address={address}"))
            .arg(format!(
                "--storage.tsdb.path={}",
                directory.path().join("data").display()
            ));
        let process = Daemon::start("prometheus", &mut command, directory.path());
        Self::wait_for(process, address, directory)
    }

    fn wait_for(process: Daemon, address: String, directory: tempfile::TempDir) -> Self {
        let mut prometheus = Self {
            process,
            address,
            _directory: directory,
        };
        eventually("Prometheus", || {
            prometheus.process.assert_running();
            let is_open = std::net::TcpStream::connect(&prometheus.address).is_ok();
            (is_open && get(&prometheus.address, "/-/ready").0 == 200).then_some(())
        });
        prometheus
    }

    /// Returns an error that says what is wrong with a query: a metric that does not exist, no series, or none with a number.
    pub(super) fn check(&self, expression: &str) -> Result<(), String> {
        self.check_names(expression)?;
        let values = query(&self.address, expression)?;
        if values.is_empty() {
            return Err("the result is empty".to_owned());
        }
        if values.iter().all(|value| value.is_nan()) {
            return Err("no value is a number".to_owned());
        }
        Ok(())
    }

    /// The same for a query whose result is rightly empty: it must be understood, and name metrics that exist.
    pub(super) fn check_names(&self, expression: &str) -> Result<(), String> {
        let names = metric_names(expression);
        if names.is_empty() {
            return Err("no metric is named".to_owned());
        }
        for name in names {
            if ITS_OWN.contains(&name.as_str()) {
                continue;
            }
            let count = format!("count({{__name__=\"{name}\"}})");
            if query(&self.address, &count)?.is_empty() {
                return Err(format!("the metric {name} does not exist"));
            }
        }
        query(&self.address, expression).map(drop)
    }
}

/// Asks a Prometheus for the values of an expression.
pub(super) fn query(address: &str, expression: &str) -> Result<Vec<f64>, String> {
    let (status, answer) = get(
        address,
        &format!("/api/v1/query?query={}", escaped(expression)),
    );
    if status != 200 {
        return Err(format!("{status}: {}", answer["error"]));
    }
    let result = &answer["data"]["result"];
    let values: Vec<&Value> = match answer["data"]["resultType"].as_str() {
        Some("scalar") => vec![&result[1]],
        _ => result
            .as_array()
            .ok_or_else(|| format!("no result in {answer}"))?
            .iter()
            .map(|series| &series["value"][1])
            .collect(),
    };
    let number = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
    values
        .into_iter()
        .map(|value| number(value).ok_or_else(|| format!("{value} is no value")))
        .collect()
}

/// Asks a Prometheus for anything.
pub(super) fn get(address: &str, path: &str) -> (u16, Value) {
    let answer = Connection::open(address).exchange(&Request::get(path));
    let body = serde_json::from_slice(&answer.body).unwrap_or_default();
    (answer.status, body)
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Runs `promtool` in a folder; it must find nothing wrong.
#[track_caller]
pub(super) fn promtool(folder: &Path, arguments: &[&str]) {
    let output = Command::new("promtool")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap_or_else(|error| {
            panic!("promtool cannot be started: {error} (./integration-tests/run installs it)")
        });
    assert!(
        output.status.success(),
        "promtool {arguments:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
