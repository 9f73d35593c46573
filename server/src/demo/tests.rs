//! The demo is a good example: no problem, no warning, and what it says it shows.

use super::*;
use crate::project_file::{ApplyOptions, Kind, check};

#[test]
fn the_demo_is_fine() {
    let options = ApplyOptions {
        file: FILE.to_owned(),
        prune: false,
        lenient: false,
        dry_run: true,
        now: "2026-03-18T12:00:00Z".parse().unwrap(),
    };
    let report = check(PROJECT, &options).unwrap();
    assert_eq!(report.warnings, []);
    let count = |kind| report.lines.iter().filter(|l| l.kind == kind).count();
    assert_eq!(
        [Kind::Flag, Kind::Cohort, Kind::Person, Kind::Group].map(count),
        [13, 2, 3, 2]
    );
    assert!(PROJECT.contains(&format!("token: {TOKEN}\n")));
}
