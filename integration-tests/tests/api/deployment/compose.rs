//! The compose file: read with the variables of `.env`, held against itself, and given to a real client.

use super::{repository, repository_file};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::process::Command;

/// The variables of `.env`.
pub(super) fn variables() -> BTreeMap<String, String> {
    let text = repository_file(".env");
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.split_once('=').expect("NAME=VALUE");
            (name.to_owned(), value.to_owned())
        })
        .collect()
}

/// The compose file with every variable filled in, in texts: what they become stays a text.
pub(super) fn compose() -> Value {
    let mut compose = super::yaml("docker-compose.yml");
    fill_in(&mut compose, &variables());
    compose
}

fn fill_in(value: &mut Value, variables: &BTreeMap<String, String>) {
    match value {
        Value::String(text) => {
            for (name, value) in variables {
                *text = text.replace(&format!("${{{name}}}"), value);
            }
            assert!(
                !text.contains('$'),
                "a variable that .env does not have: {text}"
            );
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill_in(item, variables)),
        Value::Object(members) => members
            .values_mut()
            .for_each(|member| fill_in(member, variables)),
        _ => {}
    }
}

/// Returns the services, by name.
pub(super) fn services(compose: &Value) -> &Map<String, Value> {
    compose["services"].as_object().expect("services")
}

/// Returns the services that start without a profile, those before that others wait for.
pub(super) fn in_order(compose: &Value) -> Vec<String> {
    let mut left: Vec<&String> = services(compose)
        .iter()
        .filter(|(_, service)| service.get("profiles").is_none())
        .map(|(name, _)| name)
        .collect();
    let mut order: Vec<String> = Vec::new();
    while !left.is_empty() {
        let before = left.len();
        left.retain(|name| {
            let is_ready = needed(&compose["services"][name.as_str()])
                .iter()
                .all(|other| order.contains(other));
            if is_ready {
                order.push((*name).clone());
            }
            !is_ready
        });
        assert!(left.len() < before, "they wait for each other: {left:?}");
    }
    order
}

/// Returns what a service waits for.
fn needed(service: &Value) -> Vec<String> {
    let needed = service.get("depends_on").and_then(Value::as_object);
    needed
        .map(|needed| needed.keys().cloned().collect())
        .unwrap_or_default()
}

/// Returns what a named or mounted volume is, and where it stands in the container.
pub(super) fn mounts(service: &Value) -> Vec<(String, String)> {
    let list = service.get("volumes").and_then(Value::as_array);
    let texts = list
        .into_iter()
        .flatten()
        .map(|mount| mount.as_str().expect("a text"));
    texts
        .map(|mount| {
            let mut parts = mount.split(':');
            let source = parts.next().expect("a source");
            (
                source.to_owned(),
                parts.next().expect("a target").to_owned(),
            )
        })
        .collect()
}

#[test]
fn services_start_in_the_order_of_their_health() {
    let compose = compose();
    assert_eq!(
        in_order(&compose),
        ["postgres", "burgee", "prometheus", "grafana"]
    );
    for (name, service) in services(&compose) {
        assert!(
            service["healthcheck"]["test"].is_array(),
            "{name} can say how it is"
        );
        for other in needed(service) {
            let condition = &service["depends_on"][&other]["condition"];
            assert_eq!(condition, "service_healthy", "{name} waits for {other}");
        }
    }
}

#[test]
fn images_are_pinned_and_volumes_named() {
    let compose = compose();
    let declared = compose["volumes"].as_object().expect("volumes");
    let mut used = Vec::new();
    for (name, service) in services(&compose) {
        let image = service["image"].as_str().expect("an image");
        let (_, tag) = image.split_once(':').expect("a tag");
        if image == "burgee:local" {
            assert_eq!(service["build"], ".", "{name}");
        } else {
            assert!(
                tag.contains('.') && tag.starts_with(|c: char| c.is_ascii_digit() || c == 'v'),
                "{name}: {tag}"
            );
        }
        let mut volumes = 0;
        for (source, target) in mounts(service) {
            assert!(target.starts_with('/'), "{name}: {target}");
            if source.starts_with("./") {
                assert!(repository(&source).exists(), "{name}: {source}");
            } else {
                assert!(declared.contains_key(&source), "{name}: {source}");
                used.push(source);
                volumes += 1;
            }
        }
        assert_eq!(volumes, 1, "{name} keeps what it stores");
        for port in service
            .get("ports")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            assert!(
                port.as_str().unwrap().starts_with("127.0.0.1:"),
                "{name}: {port}"
            );
        }
    }
    assert_eq!(used.len(), declared.len(), "{used:?}");
}

/// What a container is told to connect to is another container by its name; itself only in a health check.
#[test]
fn no_container_looks_for_others_in_itself() {
    let compose = compose();
    for (name, service) in services(&compose) {
        let environment = service.get("environment").and_then(Value::as_object);
        for (variable, value) in environment.into_iter().flatten() {
            let value = value.as_str().expect("a text, not a number or a switch");
            // Addresses for browsers on this machine.
            if variable.ends_with("_PUBLIC_URL") || variable == "GF_SERVER_ROOT_URL" {
                assert!(
                    value.starts_with("http://127.0.0.1:"),
                    "{name}: {variable}={value}"
                );
                continue;
            }
            assert!(
                !value.contains("localhost") && !value.contains("127.0.0.1"),
                "{name}: {variable}={value}"
            );
        }
    }
    let postgres = &compose["services"]["postgres"]["environment"];
    let part = |name: &str| postgres[name].as_str().unwrap();
    let expected = format!(
        "postgres://{}:{}@postgres:5432/{}",
        part("POSTGRES_USER"),
        part("POSTGRES_PASSWORD"),
        part("POSTGRES_DB")
    );
    let burgee = &compose["services"]["burgee"]["environment"];
    assert_eq!(burgee["BURGEE_DATABASE_URL"], expected.as_str());
    assert_eq!(
        compose["services"]["grafana"]["environment"]["PROMETHEUS_URL"],
        "http://prometheus:9090"
    );
    assert!(
        repository_file("deploy/grafana/provisioning/datasources/prometheus.yml")
            .contains("url: $PROMETHEUS_URL\n")
    );
    assert!(
        repository_file("deploy/prometheus/prometheus.yml")
            .contains("targets: [\"burgee:8080\"]\n")
    );
}

#[test]
fn burgee_runs_locked_down_in_both() {
    let compose = compose();
    for name in ["burgee", "burgee-sqlite"] {
        let service = &compose["services"][name];
        assert_eq!(service["read_only"], true);
        assert_eq!(service["cap_drop"][0], "ALL");
        assert_eq!(service["security_opt"][0], "no-new-privileges:true");
    }
    let alone = &compose["services"]["burgee-sqlite"];
    assert_eq!(alone["profiles"][0], "sqlite");
    assert!(needed(alone).is_empty());
}

#[test]
fn every_variable_is_explained_and_used() {
    let env = repository_file(".env");
    let compose = repository_file("docker-compose.yml");
    let mut comment = String::new();
    for line in env.lines() {
        if line.is_empty() {
            comment.clear();
        } else if line.starts_with('#') {
            comment.push_str(line);
        } else {
            let (name, _) = line.split_once('=').expect("NAME=VALUE");
            assert!(
                !comment.is_empty(),
                "{name} has a comment above it, or above its paragraph"
            );
            // Compose itself reads this one.
            assert!(
                name == "COMPOSE_PROJECT_NAME" || compose.contains(&format!("${{{name}}}")),
                "{name}"
            );
        }
    }
}

/// A client of compose reads the file as we do.
#[test]
fn a_real_client_accepts_it() {
    let client = |program: &str, before: &[&str], arguments: &[&str]| {
        let mut command = Command::new(program);
        command
            .args(before)
            .args(arguments)
            .current_dir(repository(""));
        command
            .output()
            .ok()
            .filter(|output| output.status.success())
    };
    let clients: [(&str, &[&str]); 2] = [("docker", &["compose"]), ("docker-compose", &[])];
    let (program, before) = clients
        .into_iter()
        .find(|(program, before)| client(program, before, &["version"]).is_some())
        .expect("a compose client (./integration-tests/run installs docker-compose)");
    let output = client(program, before, &["config"]).expect("the file is accepted");
    let text = String::from_utf8(output.stdout).expect("text");
    let read: Value = serde_saphyr::from_str(&text).expect("YAML");
    let ours = compose();
    for name in in_order(&ours) {
        let (ours, read) = (&ours["services"][&name], &read["services"][&name]);
        let environment = ours.get("environment").and_then(Value::as_object);
        for (variable, value) in environment.into_iter().flatten() {
            assert_eq!(&read["environment"][variable], value, "{name}: {variable}");
        }
        assert_eq!(
            read["healthcheck"]["test"], ours["healthcheck"]["test"],
            "{name}"
        );
    }
    let output = client(
        program,
        before,
        &["--profile", "sqlite", "config", "--services"],
    );
    let names = String::from_utf8(output.expect("the profile exists").stdout).expect("text");
    assert!(names.lines().any(|name| name == "burgee-sqlite"), "{names}");
}
