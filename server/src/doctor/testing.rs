//! What the tests of several checks need.

use super::{Finding, State};
use crate::config::{Cli, Command, ServeConfig};
use clap::Parser;
use std::fs;

/// Makes a folder with these files.
pub(super) fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

/// Returns the settings of a command line.
pub(super) fn settings(arguments: &[&str]) -> ServeConfig {
    let line = ["burgee", "serve"].iter().chain(arguments);
    match Cli::try_parse_from(line).unwrap().command {
        Command::Serve(options) => options.resolve().unwrap(),
        other => panic!("{other:?}"),
    }
}

/// A finding must be in a state, and say these words, and how to mend it unless it is well.
#[track_caller]
pub(super) fn expect(finding: &Finding, state: State, words: &[&str]) {
    assert_eq!(finding.state, state, "{finding:?}");
    let is_bad = matches!(state, State::Warn | State::Fail);
    assert_eq!(finding.fix.is_some(), is_bad, "{finding:?}");
    let text = format!(
        "{} {}",
        finding.found,
        finding.fix.clone().unwrap_or_default()
    );
    for word in words {
        assert!(text.contains(word), "{word} in {text}");
    }
}
