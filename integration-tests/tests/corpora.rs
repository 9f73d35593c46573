//! Replays the fuzzers' corpora through the functions that are fuzzed: a crash that was found once is found again, without
//! a fuzzer.

#![allow(clippy::expect_used, reason = "a test that cannot go on has failed")]

#[path = "../fuzz/inputs.rs"]
mod inputs;

use std::fs;
use std::path::Path;

/// Larger inputs are not cut at each byte: that would take longer than it teaches.
const CUT_UP_TO: usize = 1_500;

fn replay(target: &str, feed: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut count = 0;
    for entry in fs::read_dir(folder).expect("the corpus is kept") {
        let path = entry.expect("a readable folder").path();
        let input = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        feed(&input);
        // What begins like a good input and ends early is the commonest kind of bad one.
        if input.len() <= CUT_UP_TO {
            for end in 0..input.len() {
                feed(input.get(..end).unwrap_or_default());
            }
        }
        count += 1;
    }
    assert!(count >= 10, "{count} inputs");
}

#[test]
fn bodies() {
    replay("body", inputs::body);
}

#[test]
fn project_files() {
    replay("project_file", inputs::project_file);
}
