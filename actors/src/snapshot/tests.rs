use super::writer::Put;
use super::{MAX_FILE, Rows, Snapshots};
use burgee_evaluation::ProjectId;
use burgee_schema::models::{CohortRow, FlagRow, GroupTypeRow, ProjectRow};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

const DATABASE: &str = "postgres://burgee@db/burgee";

fn rows(id: i64) -> Rows {
    Rows {
        project: ProjectRow {
            id,
            name: "Shop \u{2028} \"x\"".into(),
            token: format!("token-{id}"),
            timezone: Some("Europe/Berlin".into()),
            property_matching_version: Some(2),
        },
        group_types: vec![GroupTypeRow {
            project_id: id,
            group_type_index: 3,
            name: "company".into(),
        }],
        flags: vec![FlagRow {
            id: 7,
            project_id: id,
            key: "a\nb".into(),
            name: None,
            // A text stays the text it was: this is no other number than the one that was stored.
            filters: r#"{"groups": [{"rollout_percentage": 5.0}], "x": 1e400}"#.into(),
            active: true,
            archived: false,
            deleted: false,
            ensure_experience_continuity: true,
            version: 9,
            evaluation_runtime: Some("server".into()),
            evaluation_contexts: Some(r#"["a"]"#.into()),
            bucketing_identifier: None,
            has_experiment: true,
            is_remote_configuration: true,
        }],
        cohorts: vec![CohortRow {
            id: 4,
            project_id: id,
            name: None,
            deleted: false,
            is_static: false,
            filters: Some("{}".into()),
            groups: None,
            cohort_type: None,
            condition_type: Some("x".into()),
        }],
    }
}

fn open(directory: &Path) -> Snapshots {
    Snapshots::open(directory, DATABASE).unwrap()
}

#[test]
fn what_was_written_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("a/b");
    let snapshots = open(&place);
    assert!(!snapshots.is_usable());
    for id in [2, 1] {
        let put = snapshots.put(&rows(id), MAX_FILE).unwrap();
        assert!(matches!(put, Put::Written(bytes) if bytes > 100));
    }
    assert!(matches!(
        snapshots.put(&rows(1), MAX_FILE).unwrap(),
        Put::Same(_)
    ));
    let snapshots = open(&place);
    assert!(snapshots.is_usable());
    assert_eq!(snapshots.read_all().projects, [rows(1), rows(2)]);
    snapshots.remove(ProjectId(1)).unwrap();
    snapshots.remove(ProjectId(1)).unwrap();
    assert_eq!(snapshots.read_all().projects, [rows(2)]);
}

#[test]
fn nobody_else_can_read_it() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("snapshots");
    let snapshots = open(&place);
    snapshots.put(&rows(1), MAX_FILE).unwrap();
    snapshots.put_stamp(SystemTime::now()).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place), 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(&place).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(mode(&entry.path()), 0o600, "{entry:?}");
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(
        names,
        ["project-1.jsonl", "synchronised.json"],
        "nothing is left over"
    );
}

#[test]
fn files_that_are_not_ours_are_ignored() {
    let directory = tempfile::tempdir().unwrap();
    let snapshots = open(directory.path());
    snapshots.put(&rows(1), MAX_FILE).unwrap();
    let good = fs::read_to_string(directory.path().join("project-1.jsonl")).unwrap();
    let (header, rest) = good.split_once('\n').unwrap();
    let cases = [
        ("empty", String::new()),
        ("other text", "hello\nworld\n".into()),
        ("other JSON", "{\"format\": \"tar\"}\n".into()),
        ("no rows", format!("{header}\n")),
        (
            "a row too few",
            good.trim_end().rsplit_once('\n').unwrap().0.into(),
        ),
        ("a row too many", format!("{good}{{}}\n")),
        ("half a row", good.trim_end_matches(&['}', '\n'][..]).into()),
        (
            "later version",
            good.replacen("\"version\":1", "\"version\":2", 1),
        ),
        ("other project", good.replacen("\"id\":1,", "\"id\":5,", 1)),
        (
            "rows of another kind",
            format!(
                "{header}\n{0}{0}",
                rest.lines().next().unwrap().to_owned() + "\n"
            ),
        ),
        (
            "a count nobody believes",
            good.replacen("\"flags\":1", "\"flags\":18446744073709551615", 1),
        ),
    ];
    for (what, text) in cases {
        assert_ne!(text, good, "{what}");
        fs::write(directory.path().join("project-1.jsonl"), text).unwrap();
        snapshots.put(&rows(2), MAX_FILE).unwrap();
        assert_eq!(snapshots.read_all().projects, [rows(2)], "{what}");
    }
    fs::write(
        directory.path().join("project-1.jsonl"),
        [0xff, 0xfe, b'\n'],
    )
    .unwrap();
    fs::write(directory.path().join("project-x.jsonl"), &good).unwrap();
    fs::write(directory.path().join("notes.txt"), &good).unwrap();
    assert_eq!(snapshots.read_all().projects, [rows(2)]);
    let other = Snapshots::open(directory.path(), "postgres://elsewhere/burgee").unwrap();
    assert!(!other.is_usable());
    assert!(other.read_all().projects.is_empty());
}

#[test]
fn a_project_that_is_too_large_leaves_no_old_file_behind() {
    let directory = tempfile::tempdir().unwrap();
    let snapshots = open(directory.path());
    snapshots.put(&rows(1), MAX_FILE).unwrap();
    assert!(matches!(
        snapshots.put(&rows(1), 10).unwrap(),
        Put::TooLarge(_)
    ));
    assert!(!snapshots.is_usable());
}

#[test]
fn the_age_is_the_stamps_or_that_of_the_newest_file() {
    let directory = tempfile::tempdir().unwrap();
    let snapshots = open(directory.path());
    snapshots.put(&rows(1), MAX_FILE).unwrap();
    let hour = Duration::from_secs(3600);
    assert!(snapshots.read_all().age < hour);
    snapshots.put_stamp(SystemTime::now() - hour).unwrap();
    let age = snapshots.read_all().age;
    assert!((hour..hour * 2).contains(&age), "{age:?}");
    fs::write(directory.path().join("synchronised.json"), "{}").unwrap();
    assert!(snapshots.read_all().age < hour);
    snapshots.put_stamp(SystemTime::now() + hour).unwrap();
    assert_eq!(
        snapshots.read_all().age,
        Duration::ZERO,
        "a clock that was wrong"
    );
}

#[test]
fn what_a_dead_process_left_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let half = directory.path().join(".project-1.jsonl.12");
    fs::write(&half, "half").unwrap();
    open(directory.path());
    assert!(!half.exists());
}
