//! The comparisons of `bench` keep working: each is run as briefly as it can be, and says what it promises to say. The
//! figures of such a run mean nothing, so none is looked at.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use burgee_integration_tests::deadline::within;
use burgee_integration_tests::program_path;
use serde_json::Value;
use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Decides nothing but when a run that hangs is given up.
const PATIENCE: Duration = Duration::from_secs(300);

/// Runs a comparison and checks its last line: the name, the keys, and numbers except where one may be missing.
#[track_caller]
fn compare(name: &str, keys: &[&str], may_be_missing: &[&str]) {
    let beside = program_path();
    let bench = env!("CARGO_BIN_EXE_bench");
    assert_eq!(beside.parent(), std::path::Path::new(bench).parent());
    let directory = tempfile::tempdir().unwrap();
    let [out, err] = ["out", "err"].map(|name| directory.path().join(name));
    let mut child = Command::new(bench)
        .args([name, "--smoke"])
        .stdin(Stdio::null())
        .stdout(File::create(&out).unwrap())
        .stderr(File::create(&err).unwrap())
        .spawn()
        .expect("the program starts");
    let status = within(PATIENCE, "the end of a comparison", || {
        child.try_wait().expect("it is our child")
    });
    let [out, err] = [out, err].map(|path| fs::read_to_string(path).unwrap());
    assert!(status.success(), "{out}\n{err}");

    let last: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert_eq!(last["bench"], name);
    let ratios = last["ratios"].as_object().unwrap();
    let mut found: Vec<&str> = ratios.keys().map(String::as_str).collect();
    let mut expected = keys.to_vec();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    for (key, value) in ratios {
        let missing = value.is_null() && may_be_missing.contains(&key.as_str());
        assert!(
            missing || value.is_number(),
            "{key} is {value} in\n{out}\n{err}"
        );
    }
    let phases = last["machine"]["phases"].as_array().unwrap();
    assert!(!phases.is_empty(), "the machine was looked at");
}

#[test]
fn tail() {
    let keys = [
        "small_p99_carried",
        "small_p99",
        "max",
        "acquire_p99",
        "vs_inline_small_p99",
        "flood_large_p99",
    ];
    compare("tail", &keys, &["acquire_p99"]);
}

#[test]
fn flood() {
    compare("flood", &["small_p99_over_calm"], &[]);
}

#[test]
fn overload() {
    compare("overload", &["goodput", "admitted_p99", "rss"], &[]);
}

#[test]
fn limit() {
    let keys = [
        "flags_20",
        "flags_100",
        "flags_1000",
        "cpu_20",
        "cpu_100",
        "cpu_1000",
    ];
    // The shortest run may use less CPU than the kernel counts.
    compare("limit", &keys, &["cpu_20", "cpu_100", "cpu_1000"]);
}

#[test]
fn persons() {
    compare("persons", &["loader", "http"], &[]);
}

#[test]
fn growth() {
    compare("growth", &["flag", "dependency", "split", "member"], &[]);
}

#[test]
fn events() {
    compare("events", &["pgbench", "wanted"], &[]);
}

#[test]
fn faults() {
    // On a busy machine the end of a brief run may come before the recovery.
    compare(
        "faults",
        &["undisturbed_p99", "recovery_s"],
        &["recovery_s"],
    );
}

#[test]
fn definitions() {
    let keys = [
        "throughput_200",
        "throughput_200_gzip",
        "throughput_304",
        "cpu_200",
        "cpu_200_gzip",
        "cpu_304",
        "cpu_304_us",
    ];
    // The shortest run may use less CPU than the kernel counts.
    compare(
        "definitions",
        &keys,
        &["cpu_200", "cpu_200_gzip", "cpu_304", "cpu_304_us"],
    );
}
