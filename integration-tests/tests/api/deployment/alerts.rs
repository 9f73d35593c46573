//! The alert rules: checked by Prometheus' own tool, each with tests and a runbook.

use super::prometheus::promtool;
use super::{names_in, repository, repository_file, yaml};
use serde_json::Value;
use std::collections::BTreeSet;

/// An alert as the rules have it.
pub(super) struct Alert {
    pub(super) name: String,
    pub(super) expression: String,
    runbook: String,
}

/// Returns all alerts.
pub(super) fn alerts() -> Vec<Alert> {
    let mut alerts = Vec::new();
    for file in names_in("deploy/prometheus/rules") {
        let rules = yaml(&format!("deploy/prometheus/rules/{file}"));
        let groups = rules["groups"].as_array().expect("groups");
        for rule in groups
            .iter()
            .flat_map(|group| group["rules"].as_array().expect("rules"))
        {
            let text = |value: &Value| value.as_str().expect("a text").to_owned();
            alerts.push(Alert {
                name: text(&rule["alert"]),
                expression: text(&rule["expr"]),
                runbook: text(&rule["annotations"]["runbook_url"]),
            });
        }
    }
    assert!(alerts.len() > 10, "they are found");
    alerts
}

#[test]
fn prometheus_accepts_configuration_and_rules() {
    let folder = repository("deploy/prometheus");
    promtool(&folder, &["check", "config", "prometheus.yml"]);
    for file in names_in("deploy/prometheus/rules") {
        promtool(&folder, &["check", "rules", &format!("rules/{file}")]);
    }
    for file in names_in("deploy/prometheus/tests") {
        promtool(&folder, &["test", "rules", &format!("tests/{file}")]);
    }
}

/// Each alert is tested both ways: that it fires, and that it does not.
#[test]
fn every_alert_has_tests() {
    let tests = yaml("deploy/prometheus/tests/burgee.yml");
    let tests: Vec<&Value> = tests["tests"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|test| test["alert_rule_test"].as_array().unwrap())
        .collect();
    for alert in alerts() {
        let counts: Vec<usize> = tests
            .iter()
            .filter(|test| test["alertname"] == alert.name.as_str())
            .map(|test| test["exp_alerts"].as_array().unwrap().len())
            .collect();
        assert!(counts.contains(&0), "{}: when it is quiet", alert.name);
        assert!(
            counts.iter().any(|&count| count > 0),
            "{}: when it fires",
            alert.name
        );
    }
}

/// Each alert has a page with three parts, and no page is left over.
#[test]
fn every_alert_has_a_runbook() {
    let mut pages = BTreeSet::new();
    for alert in alerts() {
        let text = repository_file(&alert.runbook);
        let title = format!("# {}\n", alert.name);
        assert!(
            text.starts_with(&title),
            "{}: {}",
            alert.runbook,
            alert.name
        );
        for part in ["What it means", "What to look at", "What to do"] {
            let heading = format!("\n## {part}\n\n");
            let (_, rest) = text
                .split_once(&heading)
                .unwrap_or_else(|| panic!("{}: {part}", alert.runbook));
            let body = rest.split("\n## ").next().unwrap_or_default();
            assert!(body.trim().len() > 40, "{}: {part}", alert.runbook);
        }
        assert!(
            pages.insert(alert.runbook.clone()),
            "{} is of two alerts",
            alert.runbook
        );
    }
    let there: BTreeSet<String> = names_in("docs/runbooks")
        .iter()
        .map(|name| format!("docs/runbooks/{name}"))
        .collect();
    assert_eq!(pages, there);
}

/// What a runbook links to is there, and so is every metric's name that it mentions in the page about metrics.
#[test]
fn runbooks_point_somewhere() {
    let known = repository_file("docs/performance.md");
    for name in names_in("docs/runbooks") {
        let text = repository_file(&format!("docs/runbooks/{name}"));
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let path = repository(&format!("docs/runbooks/{link}"));
            assert!(path.exists(), "{name}: {link}");
        }
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        for word in text
            .split(|c| !is_part(c))
            .filter(|word| word.starts_with("burgee_"))
        {
            assert!(known.contains(word), "{name}: {word}");
        }
    }
}
