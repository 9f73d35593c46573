//! What the program is made of, against `deny.toml`: licences, banned packages, sources. Needs nothing but cargo and what is in the
//! lock file, so that it is checked on every machine; known vulnerabilities need a database from outside (`.ci/supply-chain`).

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use serde_json::Value;
use spdx::{Expression, LicenseReq, ParseMode};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use toml::de::{DeTable, DeValue};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Returns every package in the graph, as cargo describes it.
fn packages() -> &'static Vec<Value> {
    static PACKAGES: OnceLock<Vec<Value>> = OnceLock::new();
    PACKAGES.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args([
                "metadata",
                "--format-version=1",
                "--locked",
                "--all-features",
            ])
            .current_dir(root())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let all: Value = serde_json::from_slice(&output.stdout).unwrap();
        let packages = all["packages"].as_array().unwrap().clone();
        assert!(packages.len() > 200, "the graph is there");
        packages
    })
}

/// Returns those that others have made.
fn foreign() -> impl Iterator<Item = &'static Value> {
    packages()
        .iter()
        .filter(|package| !package["source"].is_null())
}

fn name(package: &Value) -> String {
    let text = |key: &str| package[key].as_str().unwrap().to_owned();
    format!("{} {}", text("name"), text("version"))
}

/// Returns a list of `deny.toml`: its texts, or those under `crate` in its tables.
fn list(section: &str, key: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join("deny.toml")).unwrap();
    let file = DeTable::parse(&text).unwrap().into_inner();
    let items = file[section].get_ref()[key].get_ref().as_array().unwrap();
    let text = |item: &DeValue<'_>| match item {
        DeValue::String(text) => text.to_string(),
        table => table["crate"].get_ref().as_str().unwrap().to_owned(),
    };
    items.iter().map(|item| text(item.get_ref())).collect()
}

fn is_allowed(license: &str, allowed: &[String]) -> bool {
    // Some still write the dash of a choice as a slash.
    let expression = Expression::parse_mode(license, ParseMode::LAX);
    let expression = expression.unwrap_or_else(|error| panic!("{license}: {error}"));
    expression.evaluate(|required: &LicenseReq| allowed.contains(&required.to_string()))
}

#[test]
fn licences_are_allowed() {
    let allowed = list("licenses", "allow");
    let of = |package: &Value| package["license"].as_str().unwrap_or_default().to_owned();
    let refused: Vec<String> = packages()
        .iter()
        .filter(|package| of(package).is_empty() || !is_allowed(&of(package), &allowed))
        .map(|package| format!("{}: {:?}", name(package), of(package)))
        .collect();
    assert!(
        refused.is_empty(),
        "not allowed by deny.toml:\n{}",
        refused.join("\n")
    );
    for (license, verdict) in [
        ("MIT OR GPL-3.0-only", true),
        ("MIT/Apache-2.0", true),
        ("MIT AND GPL-3.0-only", false),
        ("AGPL-3.0-only", false),
        ("Apache-2.0 WITH LLVM-exception", true),
    ] {
        assert_eq!(is_allowed(license, &allowed), verdict, "{license}");
    }
}

#[test]
fn every_allowance_is_used() {
    for license in list("licenses", "allow") {
        let mut uses = packages()
            .iter()
            .filter_map(|package| package["license"].as_str());
        assert!(
            uses.any(|used| used.contains(&license)),
            "nobody needs {license} any more"
        );
    }
}

#[test]
fn nothing_banned_is_in_the_graph() {
    let banned = list("bans", "deny");
    assert!(!banned.is_empty());
    let found: Vec<String> = foreign()
        .filter(|package| banned.iter().any(|it| package["name"] == it.as_str()))
        .map(name)
        .collect();
    assert!(found.is_empty(), "banned by deny.toml: {found:?}");
}

#[test]
fn everything_comes_from_the_registry() {
    let allowed = list("sources", "allow-registry");
    let elsewhere: Vec<String> = foreign()
        .filter(|package| {
            let source = package["source"].as_str().unwrap();
            let registry = source.strip_prefix("registry+").unwrap_or_default();
            !allowed.iter().any(|it| it == registry)
        })
        .map(|package| format!("{}: {}", name(package), package["source"]))
        .collect();
    assert!(
        elsewhere.is_empty(),
        "not from an allowed registry:\n{}",
        elsewhere.join("\n")
    );
}

#[test]
fn no_dependency_takes_any_version() {
    let wild: Vec<String> = packages()
        .iter()
        .filter(|package| package["source"].is_null())
        .flat_map(|package| package["dependencies"].as_array().unwrap())
        .filter(|dependency| dependency["path"].is_null() && dependency["req"] == "*")
        .map(|dependency| dependency["name"].to_string())
        .collect();
    assert!(wild.is_empty(), "{wild:?}");
}
