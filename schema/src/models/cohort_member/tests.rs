use super::{ChangedMembers, NAMED_PERSONS, TouchedPersons};
use crate::models::{ChangeKind, ChangeRow};

fn members(kind: ChangeKind, object: &str) -> Option<ChangedMembers> {
    let row = ChangeRow {
        sequence: 1,
        project_id: 1,
        kind,
        object: object.into(),
    };
    row.members()
}

#[test]
fn objects_are_read_and_doubts_are_wide() {
    let persons = |ids: &[i64]| ChangedMembers::Persons {
        cohort_id: 7,
        person_ids: ids.to_vec(),
    };
    let cases = [
        ("7:5", persons(&[5])),
        ("7:5,60,-1", persons(&[5, 60, -1])),
        ("7", ChangedMembers::Cohort(7)),
        ("7:", ChangedMembers::Cohort(7)),
        ("7:5,x", ChangedMembers::Cohort(7)),
        ("", ChangedMembers::All),
        ("seven", ChangedMembers::All),
    ];
    for (object, expected) in cases {
        assert_eq!(
            members(ChangeKind::CohortMembers, object),
            Some(expected),
            "{object}"
        );
    }
    assert_eq!(members(ChangeKind::Cohort, "7"), None);
}

#[test]
fn many_persons_are_not_named() {
    let mut touched = TouchedPersons::default();
    for person in [5, 60, 5] {
        touched.add(person);
    }
    assert_eq!(touched.object(7), "7:5,60");
    let limit = i64::try_from(NAMED_PERSONS).unwrap();
    let mut touched = TouchedPersons::default();
    (1..=limit).for_each(|person| touched.add(person));
    assert!(touched.object(7).ends_with(&format!(",{limit}")));
    touched.add(limit + 1);
    assert_eq!(touched.object(7), "7");
}
