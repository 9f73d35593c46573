//! The core stays pure: nothing that waits, talks or stores is among what it is built from.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{collections::BTreeSet, process::Command};

const FORBIDDEN: [&str; 9] = [
    "actix",
    "actix-rt",
    "async-std",
    "bb8",
    "diesel",
    "mio",
    "rayon",
    "smol",
    "tokio",
];

/// Returns the names of everything that is linked into the core, itself included.
fn dependencies() -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--package",
            "burgee-evaluation",
            "--edges",
            "normal",
        ])
        .args(["--prefix", "none", "--offline", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo tree: {errors}");
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn no_runtime_and_no_database_among_the_dependencies() {
    let found = dependencies();
    assert!(found.contains("serde_json"), "the listing works: {found:?}");
    let forbidden: Vec<&str> = FORBIDDEN
        .into_iter()
        .filter(|name| found.contains(*name))
        .collect();
    assert_eq!(forbidden, [""; 0]);
}
