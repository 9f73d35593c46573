//! What stands in the box for those who run Burgee: image, compose file, Prometheus rules, dashboards, chart. As much of it
//! as can be run without a container engine is run.

mod alerts;
mod chart;
mod compose;
mod daemon;
mod dashboards;
mod image;
mod processes;
mod prometheus;
mod promql;
mod scaling;

use burgee_integration_tests::burgee;
use serde_json::Value;
use std::path::PathBuf;

/// Returns the path of a file of the repository.
fn repository(name: &str) -> PathBuf {
    PathBuf::from(format!("{}/../{name}", env!("CARGO_MANIFEST_DIR")))
}

fn repository_file(name: &str) -> String {
    let path = repository(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(name: &str) -> Value {
    serde_saphyr::from_str(&repository_file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Returns the names of the files in a folder, sorted.
fn names_in(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(repository(folder)).expect("the folder exists");
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Each variable that a file for containers sets is one that `burgee serve` knows.
#[test]
fn container_settings_exist() {
    let help = burgee(&["serve", "--help"]).expect_code(0).stdout;
    let files = [
        "docker-compose.yml",
        "Dockerfile",
        "deploy/helm/burgee/templates/deployment.yaml",
    ];
    for file in files {
        let text = repository_file(file);
        let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let mut variables: Vec<&str> = text
            .split(|c| !is_name(c))
            .filter(|word| word.starts_with("BURGEE_") && !COMPOSE_ONLY.contains(word))
            .collect();
        variables.sort_unstable();
        variables.dedup();
        assert!(!variables.is_empty(), "{file}");
        for variable in variables {
            assert!(help.contains(variable), "{file}: {variable} in {help}");
        }
    }
}

/// Variables of `.env` that are for the compose file, not for Burgee.
const COMPOSE_ONLY: [&str; 1] = ["BURGEE_PORT"];
