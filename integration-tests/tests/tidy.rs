//! The rules of the source tree that a compiler does not check: which way the arrows point, what is read where, what every
//! file says about itself.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Where each of our crates lives, and which of ours it may use. Arrows point one way: none goes back up this list.
const CRATES: [(&str, &str, &[&str]); 5] = [
    ("burgee-evaluation", "actors/evaluation", &[]),
    ("burgee-schema", "schema", &[]),
    (
        "burgee-actors",
        "actors",
        &["burgee-evaluation", "burgee-schema"],
    ),
    (
        "burgee",
        "server",
        &["burgee-actors", "burgee-evaluation", "burgee-schema"],
    ),
    (
        "burgee-integration-tests",
        "integration-tests",
        &["burgee", "burgee-evaluation", "burgee-schema"],
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the Rust files below a folder, without what was built.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if name.ends_with(".rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// Returns the files of the program itself: no tests, no benches.
fn product_files() -> Vec<PathBuf> {
    let folders = CRATES
        .iter()
        .filter(|(name, ..)| *name != "burgee-integration-tests");
    let files: Vec<PathBuf> = folders
        .flat_map(|(_, folder, _)| rust_files(&root().join(folder).join("src")))
        .collect();
    assert!(files.len() > 30, "the files are found: {files:?}");
    files
        .into_iter()
        .filter(|path| !is_test_file(path))
        .collect()
}

fn is_test_file(path: &Path) -> bool {
    let in_source: Vec<&str> = path
        .components()
        .filter_map(|part| part.as_os_str().to_str())
        .skip_while(|part| *part != "src")
        .collect();
    in_source
        .iter()
        .any(|part| matches!(*part, "tests" | "tests.rs" | "testing.rs" | "fixture.rs"))
}

/// Returns the code lines before the tests of a file, with their numbers.
fn product_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let lines = text[..end].lines().enumerate();
    lines
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Fails with every place at which a product file, other than the excepted ones, contains one of these texts.
fn assert_absent(texts: &[&str], is_excepted: impl Fn(&str) -> bool, why: &str) {
    let mut found = Vec::new();
    for path in product_files() {
        let name = path
            .strip_prefix(root())
            .unwrap()
            .to_string_lossy()
            .into_owned();
        if is_excepted(&name) {
            continue;
        }
        for (number, line) in product_lines(&read(&path)) {
            if texts.iter().any(|text| line.contains(text)) {
                found.push(format!("{name}:{number}: {}", line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{why}:\n{}", found.join("\n"));
}

/// Returns the names in the `[dependencies]` of a manifest.
fn dependencies(folder: &str) -> BTreeSet<String> {
    let manifest = read(&root().join(folder).join("Cargo.toml"));
    let (_, section) = manifest
        .split_once("\n[dependencies]\n")
        .unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    let names = section.lines().filter(|line| !line.starts_with('#'));
    names
        .filter_map(|line| line.split(['=', '.', ' ']).next())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn arrows_point_one_way() {
    for (name, folder, allowed) in CRATES {
        let ours = dependencies(folder)
            .into_iter()
            .filter(|other| other.starts_with("burgee"));
        let wrong: Vec<String> = ours
            .filter(|other| !allowed.contains(&other.as_str()))
            .collect();
        assert!(wrong.is_empty(), "{name} must not depend on {wrong:?}");
    }
    for (folder, other) in [
        ("actors", "actix-web"),
        ("schema", "actix"),
        ("schema", "actix-web"),
        ("server", "diesel"),
        ("server", "bb8"),
        ("actors", "diesel"),
    ] {
        assert!(
            !dependencies(folder).contains(other),
            "{folder} must not depend on {other}"
        );
    }
}

/// Reads the lock file: a package's name, and the names it depends on.
fn locked() -> BTreeMap<String, Vec<String>> {
    let lock = read(&root().join("Cargo.lock"));
    let mut packages: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in lock.split("[[package]]").skip(1) {
        let quoted = |line: &str| {
            line.split('"')
                .nth(1)
                .map(|text| text.split(' ').next().unwrap().to_owned())
        };
        let name = package
            .lines()
            .find(|line| line.starts_with("name = "))
            .and_then(quoted)
            .unwrap();
        let (_, list) = package.split_once("dependencies = [").unwrap_or_default();
        let names = list
            .lines()
            .take_while(|line| *line != "]")
            .filter_map(quoted);
        packages.entry(name).or_default().extend(names);
    }
    packages
}

/// The core is pure: nothing that waits, talks or stores is anywhere below it.
#[test]
fn the_core_stands_alone() {
    let packages = locked();
    let mut reached = BTreeSet::new();
    let mut open = vec!["burgee-evaluation".to_owned()];
    while let Some(name) = open.pop() {
        if reached.insert(name.clone()) {
            open.extend(packages[&name].iter().cloned());
        }
    }
    assert!(reached.len() > 5, "it uses something: {reached:?}");
    let banned = [
        "tokio",
        "mio",
        "hyper",
        "diesel",
        "bb8",
        "rayon",
        "libsqlite3-sys",
    ];
    let found: Vec<&String> = reached
        .iter()
        .filter(|name| banned.contains(&name.as_str()) || name.starts_with("actix"))
        .collect();
    assert!(found.is_empty(), "below the core: {found:?}");
}

#[test]
fn the_core_looks_at_nothing_but_its_arguments() {
    let texts = [
        "Utc::now",
        "Local::now",
        "Instant::now",
        "SystemTime",
        "std::fs",
        "std::net",
        "std::env",
        "async fn",
        "tracing::",
    ];
    assert_absent(
        &texts,
        |name| !name.starts_with("actors/evaluation/"),
        "the core takes time and state as arguments",
    );
}

#[test]
fn only_the_configuration_reads_the_environment() {
    let is_config =
        |name: &str| name == "server/src/config.rs" || name.starts_with("server/src/config/");
    assert_absent(
        &["env::var", "env::vars", "env = \"BURGEE_"],
        is_config,
        "settings have one reader",
    );
}

#[test]
fn nothing_unwraps() {
    assert_absent(
        &[".unwrap()", "todo!(", "unimplemented!(", "dbg!("],
        |_| false,
        "a failure is a value",
    );
}

#[test]
fn one_file_knows_the_pool() {
    assert_absent(
        &["bb8::"],
        |name| name == "schema/src/pool.rs",
        "only the pool names bb8",
    );
}

#[test]
fn every_file_says_what_it_is_for() {
    let mut silent: Vec<String> = Vec::new();
    for (_, folder, _) in CRATES {
        // A `tests.rs` is part of the module beside it.
        let files = rust_files(&root().join(folder))
            .into_iter()
            .filter(|path| !path.ends_with("tests.rs"));
        for path in files {
            let first = read(&path).lines().next().unwrap_or_default().to_owned();
            if !first.starts_with("//! ") || first.contains("placeholder") {
                silent.push(path.strip_prefix(root()).unwrap().display().to_string());
            }
        }
    }
    assert!(
        silent.is_empty(),
        "without a module doc:\n{}",
        silent.join("\n")
    );
}

#[test]
fn no_test_is_left_out() {
    let ignored = format!("#[{}", "ignore");
    for (_, folder, _) in CRATES {
        for path in rust_files(&root().join(folder)) {
            assert!(!read(&path).contains(&ignored), "{}", path.display());
        }
    }
}

/// Both databases have the same history, and every step can be taken back.
#[test]
fn migrations_come_in_pairs() {
    let names = |kind: &str| -> Vec<String> {
        let folder = root().join("migrations").join(kind);
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("postgres"), names("sqlite"));
    assert!(!names("postgres").is_empty());
    for kind in ["postgres", "sqlite"] {
        for name in names(kind) {
            for script in ["up.sql", "down.sql"] {
                let path = root()
                    .join("migrations")
                    .join(kind)
                    .join(&name)
                    .join(script);
                assert!(!read(&path).trim().is_empty(), "{}", path.display());
            }
        }
    }
}
