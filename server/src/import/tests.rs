//! What every import does, whichever the product.

use super::*;
use crate::project_file::parse;

/// Imports texts, and returns the project file as JSON and the notes as lines.
pub(crate) fn imported(from: Source, texts: &[&str]) -> (serde_json::Value, Vec<String>) {
    let trees: Vec<Node> = texts.iter().map(|t| parse("t.yaml", t).unwrap()).collect();
    let outcome = import(&trees, &options(from)).unwrap();
    let file: serde_json::Value = serde_json::from_str(&outcome.text).unwrap();
    let notes = outcome.notes.iter().map(Note::to_string).collect();
    let project = file["projects"][0].clone();
    assert_eq!(project["flags"].as_array().unwrap().len(), outcome.flags);
    assert_eq!(
        project["cohorts"].as_array().unwrap().len(),
        outcome.cohorts
    );
    (project, notes)
}

pub(crate) fn options(from: Source) -> ImportOptions {
    ImportOptions {
        from,
        format: Format::Json,
        token: Some("phc_t".to_owned()),
        project_id: None,
        project_name: None,
        environment: None,
        first_id: 900,
        now: DateTime::from_timestamp(1_795_000_000, 0).unwrap(),
    }
}

#[test]
fn a_wrong_project_is_an_error_and_not_an_empty_file() {
    let mut options = options(Source::Posthog);
    options.token = None;
    let problems = import(&[], &options).unwrap_err();
    assert!(problems.to_string().contains("token"), "{problems}");
}

#[test]
fn what_needs_something_left_out_is_left_out_too() {
    let (project, notes) = imported(
        Source::Posthog,
        &[r#"
- { id: 1, key: bad, active: true, filters: { groups: [{ properties: [{ key: a, type: person, operator: like, value: 1 }] }] } }
- { id: 2, key: child, active: true, filters: { groups: [{ properties: [{ key: "1", type: flag, operator: flag_evaluates_to, value: true }] }] } }
- { id: 3, key: fine, active: true, filters: { groups: [{}] } }
- { id: 7, name: outer, is_static: false, filters: { properties: { type: AND, values: [{ key: id, type: cohort, value: 99 }] } } }
- { id: 4, key: member, active: true, filters: { groups: [{ properties: [{ key: id, type: cohort, value: 7 }] }] } }
"#],
    );
    assert_eq!(project["flags"][0]["key"], "fine");
    assert_eq!(project["flags"].as_array().unwrap().len(), 1, "{notes:#?}");
    for (subject, reason) in [
        ("flag bad", "unknown operator"),
        ("flag child", "there is no flag with this id"),
        ("flag member", "there is no cohort 7"),
        ("cohort 7 outer", "cohort 99"),
    ] {
        let line = notes
            .iter()
            .find(|n| n.starts_with(&format!("left out: {subject}: ")));
        assert!(
            line.is_some_and(|l| l.contains(reason)),
            "{subject}: {notes:#?}"
        );
    }
}

#[test]
fn a_note_is_one_line() {
    let note = Note {
        kind: NoteKind::LeftOut,
        subject: "flag a\nb\u{1b}[1m".to_owned(),
        message: "it is odd".to_owned(),
    };
    assert_eq!(note.to_string(), "left out: flag a b [1m: it is odd");
}
