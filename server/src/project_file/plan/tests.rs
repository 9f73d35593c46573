//! What is stored and a file to lines and writes. What is stored is itself made by plans, kept in memory.

use super::*;
use crate::project_file::{read, yaml};

#[derive(Clone, Copy, Default)]
struct How {
    prune: bool,
    lenient: bool,
}

const KEEP: How = How {
    prune: false,
    lenient: false,
};
const PRUNE: How = How {
    prune: true,
    lenient: false,
};

fn steps(stored: &Stored, text: &str, how: How) -> Result<Vec<Step>, Vec<String>> {
    let mut findings = Findings::default();
    let root = yaml::parse(text, &mut Vec::new()).unwrap();
    let file = read::read(root, &mut findings);
    let options = PlanOptions {
        prune: how.prune,
        lenient: how.lenient,
        now: "2026-03-18T12:00:00Z".parse().unwrap(),
    };
    let steps = plan(file, stored, options, &mut findings);
    match findings.problems.is_empty() {
        true => Ok(steps),
        false => Err(findings.problems.iter().map(ToString::to_string).collect()),
    }
}

/// Does in memory what the steps would do in a database.
fn keep(stored: &mut Stored, steps: Vec<Step>) {
    for write in steps.into_iter().filter_map(|s| s.write) {
        if let Write::Project(row) = &write
            && !stored.projects.iter().any(|p| p.project.id == row.id)
        {
            stored.projects.push(StoredProject {
                project: row.clone(),
                group_types: Vec::new(),
                flags: Vec::new(),
                cohorts: Vec::new(),
                groups: Vec::new(),
                secret_tokens: Vec::new(),
                personal_keys: Vec::new(),
                persons: Vec::new(),
            });
            stored.largest.project = stored.largest.project.max(row.id);
        }
        keep_write(stored, write);
    }
}

fn put<T>(rows: &mut Vec<T>, row: T, same: impl Fn(&T, &T) -> bool) {
    rows.retain(|old| !same(old, &row));
    rows.push(row);
}

fn of(stored: &mut Stored, id: i64) -> &mut StoredProject {
    let mut projects = stored.projects.iter_mut();
    projects.find(|p| p.project.id == id).unwrap()
}

fn keep_write(stored: &mut Stored, write: Write) {
    let next_person = 1 + stored.projects.iter().flat_map(|p| &p.persons).count();
    match write {
        Write::Project(row) => of(stored, row.id).project = row.clone(),
        Write::GroupType(row) => put(&mut of(stored, row.project_id).group_types, row, |a, b| {
            a.group_type_index == b.group_type_index
        }),
        Write::Flag(row) => {
            let largest = stored.largest.flag.max(row.id);
            stored.flag_owners.insert(row.id, row.project_id);
            put(&mut of(stored, row.project_id).flags, row, |a, b| {
                a.id == b.id
            });
            stored.largest.flag = largest;
        }
        Write::DeleteFlag(project, id) => of(stored, project).flags.retain(|f| f.id != id),
        Write::Cohort(row) => {
            let largest = stored.largest.cohort.max(row.id);
            stored.cohort_owners.insert(row.id, row.project_id);
            put(&mut of(stored, row.project_id).cohorts, row, |a, b| {
                a.id == b.id
            });
            stored.largest.cohort = largest;
        }
        Write::DeleteCohort(project, id) => of(stored, project).cohorts.retain(|c| c.id != id),
        Write::InsertPerson(mut row) => {
            row.person.id = i64::try_from(next_person).unwrap();
            of(stored, row.person.project_id).persons.push(row);
        }
        Write::ReplacePerson(row) => put(
            &mut of(stored, row.person.project_id).persons,
            row,
            |a, b| a.person.id == b.person.id,
        ),
        Write::DeletePerson(project, id) => {
            of(stored, project).persons.retain(|p| p.person.id != id)
        }
        Write::Group(row) => put(&mut of(stored, row.project_id).groups, row, |a, b| {
            (a.group_type_index, &a.key) == (b.group_type_index, &b.key)
        }),
        Write::DeleteGroup(project, index, key) => of(stored, project)
            .groups
            .retain(|g| (g.group_type_index, &g.key) != (index, &key)),
        Write::SecretToken(row) => of(stored, row.project_id).secret_tokens.push(row),
        Write::DeleteSecretToken(project, print) => {
            of(stored, project)
                .secret_tokens
                .retain(|t| t.fingerprint != print);
        }
        Write::PersonalKey(row) => put(
            &mut of(stored, row.project_id).personal_keys,
            row,
            |a, b| a.label == b.label,
        ),
        Write::DeletePersonalKey(project, label) => {
            of(stored, project)
                .personal_keys
                .retain(|k| k.label != label);
        }
    }
}

const BASE: &str = r#"
projects:
- id: 1
  name: Demo
  token: t
  timezone: Europe/Berlin
  secret_tokens: [phs_a]
  personal_keys: [{ label: dev, key: phx_a, scopes: ["*"] }]
  group_types: [company]
  flags:
  - { id: 1, key: a, active: true, filters: { groups: [{}] }, evaluation_contexts: [web] }
  - { id: 2, key: b, active: true, filters: { groups: [{ properties: [{ key: "1", type: flag, operator: flag_evaluates_to, value: true }] }] } }
  cohorts:
  - { id: 7, name: Beta, is_static: true }
  - { id: 8, name: Staff, filters: { properties: { type: AND, values: [] } } }
  persons:
  - { distinct_ids: [u1, anon-1], properties: { n: 5.0 }, static_cohorts: [7], hash_key_overrides: { a: anon-1 } }
  - { distinct_ids: [u2], created_at: 2020-01-01T00:00:00Z }
  groups:
  - { type: company, key: acme, properties: { seats: 40 } }
- id: 2
  token: other
  flags: [{ id: 20, key: x, active: true, filters: {} }]
  cohorts: [{ id: 70, name: Other }]
"#;

fn base() -> Stored {
    let mut stored = Stored::default();
    let first = steps(&stored, BASE, KEEP).unwrap();
    keep(&mut stored, first);
    stored
}

/// The lines that are not `unchanged`.
fn changes(steps: &[Step]) -> Vec<String> {
    steps
        .iter()
        .filter(|s| s.line.action != Action::Unchanged)
        .map(|s| s.line.to_string())
        .collect()
}

fn one(rest: &str) -> String {
    format!("projects:\n- id: 1\n  token: t\n{rest}")
}

#[test]
fn the_same_file_again_writes_nothing() {
    let stored = base();
    for how in [KEEP, PRUNE] {
        let again = steps(&stored, BASE, how).unwrap();
        assert_eq!(again.len(), 14);
        assert!(
            again
                .iter()
                .all(|s| s.line.action == Action::Unchanged && s.write.is_none())
        );
    }
}

#[test]
fn only_what_differs_is_written() {
    for (rest, expected) in [
        ("", vec![]),
        ("  name: New", vec!["changed   project 1 New"]),
        ("  timezone: null", vec!["changed   project 1 Demo"]),
        (
            "  property_matching_version: 2",
            vec!["changed   project 1 Demo"],
        ),
        (
            "  group_types: { 0: company, 2: team }",
            vec!["created   group type 2 team (project 1)"],
        ),
        (
            "  secret_tokens: [phs_b]",
            vec!["created   secret token sha256:8d19892e715b (project 1)"],
        ),
        (
            "  personal_keys: [{ label: dev, key: phx_a, scopes: [\"feature_flag:read\"] }]",
            vec!["changed   personal key dev (project 1)"],
        ),
        (
            "  flags: [{ key: a, active: true, evaluation_tags: [web], filters: { groups: [{}] } }]",
            vec![],
        ),
        (
            "  flags: [{ key: a, active: true, filters: { groups: [{}] } }]",
            vec!["changed   flag a (project 1)"],
        ),
        (
            "  flags: [{ key: c, active: true, filters: {} }]",
            vec!["created   flag c (project 1)"],
        ),
        (
            "  flags: [{ key: b, deleted: true, filters: {} }]",
            vec!["removed   flag b (project 1)"],
        ),
        ("  flags: [{ key: zz, deleted: true, filters: {} }]", vec![]),
        ("  cohorts: [{ name: Beta, is_static: true }]", vec![]),
        (
            "  cohorts: [{ id: 7, name: Gamma, is_static: true }]",
            vec!["changed   cohort 7 Gamma (project 1)"],
        ),
        (
            "  cohorts: [{ name: Gamma, is_static: true }]",
            vec!["created   cohort 71 Gamma (project 1)"],
        ),
        (
            "  cohorts: [{ id: 9, name: Beta, is_static: true }]",
            vec!["created   cohort 9 Beta (project 1)"],
        ),
        (
            "  persons: [{ distinct_ids: [anon-1] }]",
            vec!["changed   person anon-1 (project 1)"],
        ),
        ("  persons: [{ distinct_ids: [u1] }]", vec![]),
        (
            "  persons: [{ distinct_ids: [u1], properties: { n: 5.0 }, static_cohorts: [], hash_key_overrides: {} }]",
            vec![],
        ),
        (
            "  persons: [{ distinct_ids: [u1], properties: { n: 5 } }]",
            vec!["changed   person u1 (project 1)"],
        ),
        (
            "  persons: [{ distinct_ids: [u1], hash_key_overrides: { b: x } }]",
            vec!["changed   person u1 (project 1)"],
        ),
        (
            "  persons: [{ distinct_ids: [u2], created_at: 2020-01-01T01:00:00+01:00 }]",
            vec![],
        ),
        (
            "  persons: [{ distinct_ids: [u2, u3] }, { distinct_ids: [u4] }]",
            vec![
                "changed   person u2 (project 1)",
                "created   person u4 (project 1)",
            ],
        ),
        (
            "  groups: [{ type: company, key: acme, properties: { seats: 41 } }]",
            vec!["changed   group company acme (project 1)"],
        ),
        ("  groups: [{ type: company, key: acme }]", vec![]),
        ("- token: new", vec!["created   project 3 Project 3"]),
    ] {
        let found = steps(&base(), &one(rest), KEEP).unwrap();
        assert_eq!(changes(&found), expected, "{rest}");
    }
}

#[test]
fn pruning_removes_what_the_file_does_not_name() {
    let flag_a = "  name: Demo\n  timezone: Europe/Berlin\n  flags: [{ key: a, active: true, evaluation_contexts: [web], filters: { groups: [{}] } }]\n";
    for (rest, expected) in [
        (
            flag_a.to_owned(),
            vec![
                "removed   flag b (project 1)",
                "removed   cohort 7 Beta (project 1)",
                "removed   cohort 8 Staff (project 1)",
                "removed   group company acme (project 1)",
                "removed   person u1 (project 1)",
                "removed   person u2 (project 1)",
            ],
        ),
        (
            format!(
                "{flag_a}  secret_tokens: []\n  personal_keys: []\n  cohorts: [{{ name: Beta, is_static: true }}, {{ id: 8, name: Staff, filters: {{ properties: {{ type: AND, values: [] }} }} }}]\n  groups: [{{ type: company, key: acme, properties: {{ seats: 40 }} }}]\n  persons: [{{ distinct_ids: [u1] }}, {{ distinct_ids: [u2] }}]"
            ),
            vec![
                "removed   secret token sha256:3ba5a551a1d3 (project 1)",
                "removed   personal key dev (project 1)",
                "removed   flag b (project 1)",
                "changed   person u1 (project 1)",
            ],
        ),
    ] {
        let found = steps(&base(), &one(&rest), PRUNE).unwrap();
        assert_eq!(changes(&found), expected, "{rest}");
    }
}

#[test]
fn pruning_leaves_a_person_only_what_the_file_names() {
    let mut stored = base();
    let text = one("  persons: [{ distinct_ids: [anon-1], properties: { n: 1 } }]");
    let pruned = steps(&stored, &text, PRUNE).unwrap();
    keep(&mut stored, pruned);
    let persons = &stored.projects[0].persons;
    assert_eq!(persons.len(), 1);
    assert_eq!(persons[0].distinct_ids, ["anon-1"]);
    assert_eq!(persons[0].person.properties, "{\"n\":1}");
    assert!(persons[0].static_cohorts.is_empty() && persons[0].hash_key_overrides.is_empty());
}

#[test]
fn without_pruning_a_person_only_gains() {
    let mut stored = base();
    let text = one(
        "  cohorts: [{ id: 9, is_static: true }]\n  persons: [{ distinct_ids: [new, u1], static_cohorts: [9], hash_key_overrides: { a: other, b: x } }]",
    );
    let gained = steps(&stored, &text, KEEP).unwrap();
    keep(&mut stored, gained);
    let person = stored.projects[0]
        .persons
        .iter()
        .find(|p| p.distinct_ids[0] == "new")
        .unwrap();
    assert_eq!(person.distinct_ids, ["new", "u1", "anon-1"]);
    assert_eq!(person.static_cohorts, [7, 9]);
    assert_eq!(person.person.properties, "{\"n\":5.0}");
    let overrides = [("a", "other"), ("b", "x")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(person.hash_key_overrides, overrides);
}

#[test]
fn what_collides_is_named() {
    let project = |rest: &str| format!("projects:\n{rest}");
    for (text, expected) in [
        (
            project("- { id: 1, token: other }"),
            "projects[0]: the token belongs to project 2",
        ),
        (
            project("- { id: 5, token: t }"),
            "projects[0]: the token belongs to project 1, and the id of a project does not change",
        ),
        (
            project("- { id: 5 }"),
            "projects[0]: no project with this id is stored, and a new one needs a `token`",
        ),
        (
            one("  flags: [{ id: 3, key: a, active: true, filters: {} }]"),
            "projects[0].flags[0].id: the flag `a` is stored with the id 1, and the id of a flag does not change",
        ),
        (
            one("  flags: [{ id: 1, key: c, active: true, filters: {} }]"),
            "projects[0].flags[0].id: the id 1 belongs to the flag `a`",
        ),
        (
            one("  flags: [{ id: 20, key: c, active: true, filters: {} }]"),
            "projects[0].flags[0].id: the id 20 belongs to a flag of project 2",
        ),
        (
            one("  cohorts: [{ id: 70 }]"),
            "projects[0].cohorts[0].id: the id 70 belongs to a cohort of project 2",
        ),
        (
            one("  persons: [{ distinct_ids: [u1, u2] }]"),
            "projects[0].persons[0]: `u1` and `u2` belong to two stored persons, and a file does not merge them",
        ),
        (
            one("  persons: [{ distinct_ids: [u1] }, { distinct_ids: [anon-1] }]"),
            "projects[0].persons[1]: one stored person owns distinct ids of this entry and of persons[0]",
        ),
        (
            one("  persons: [{ distinct_ids: [u1], static_cohorts: [8] }]"),
            "projects[0].persons[0].static_cohorts[0]: cohort 8 is not static",
        ),
        (
            one("  group_types: [firm]"),
            "projects[0].group_types: group type 0 is stored as `company`, and a group type does not change",
        ),
        (
            one("  group_types: { 1: company }"),
            "projects[0].group_types: the group type `company` has the index 0",
        ),
        (
            project("- { id: 2, secret_tokens: [phs_a] }"),
            "projects[0].secret_tokens[0]: it already belongs to project 1",
        ),
        (
            project("- { id: 2, personal_keys: [{ label: x, key: phx_a, scopes: ['*'] }] }"),
            "projects[0].personal_keys[0]: it already belongs to project 1",
        ),
        (
            one("  flags: [{ key: a, deleted: true, filters: {} }]"),
            "projects[0]: this would break the stored flag `b`: there is no flag with this id",
        ),
    ] {
        assert_eq!(
            steps(&base(), &text, KEEP).unwrap_err(),
            [expected],
            "{text}"
        );
    }
}

#[test]
fn two_cohorts_of_one_name_need_an_id() {
    let mut stored = base();
    let second = one("  cohorts: [{ id: 9, name: Beta, is_static: true }]");
    let added = steps(&stored, &second, KEEP).unwrap();
    keep(&mut stored, added);
    let text = one("  cohorts: [{ name: Beta, is_static: true }]");
    assert_eq!(
        steps(&stored, &text, KEEP).unwrap_err(),
        ["projects[0].cohorts[0]: two stored cohorts are named `Beta`, 7 and 9; say which by `id`"]
    );
    let text =
        one("  cohorts: [{ id: 9, name: Beta, is_static: true }, { name: Beta, is_static: true }]");
    assert_eq!(
        changes(&steps(&stored, &text, KEEP).unwrap()),
        Vec::<String>::new()
    );
}

#[test]
fn old_faults_of_stored_flags_are_not_the_files() {
    let mut stored = base();
    let wrong = one(
        "  flags: [{ key: bad, active: true, filters: { groups: [{ rollout_percentage: x }] } }]",
    );
    assert!(steps(&stored, &wrong, KEEP).is_err());
    let lenient = How {
        lenient: true,
        ..KEEP
    };
    let stored_all_the_same = steps(&stored, &wrong, lenient).unwrap();
    keep(&mut stored, stored_all_the_same);
    let good = one("  flags: [{ key: c, active: true, filters: {} }]");
    assert_eq!(
        changes(&steps(&stored, &good, KEEP).unwrap()),
        ["created   flag c (project 1)"]
    );
}

#[test]
fn secrets_are_stored_as_fingerprints_that_are_taken_unchanged() {
    let stored = base();
    let token = stored.projects[0].secret_tokens[0].fingerprint.clone();
    let key = stored.projects[0].personal_keys[0].fingerprint.clone();
    assert!(token.starts_with("sha256:") && key.starts_with("sha256:"));
    let text = one(&format!(
        "  secret_tokens: [\"{token}\"]\n  personal_keys: [{{ label: dev, key: \"{key}\", scopes: ['*'] }}]"
    ));
    assert_eq!(
        changes(&steps(&stored, &text, KEEP).unwrap()),
        Vec::<String>::new()
    );
}

#[test]
fn new_ids_are_above_all_others() {
    let mut stored = base();
    stored.largest = LargestIds {
        flag: 50,
        cohort: 90,
        project: 6,
    };
    let text = "projects:\n- token: n\n  flags:\n  - { key: a, active: true, filters: {} }\n  - { id: 60, key: b, active: true, filters: {} }\n  - { key: c, active: true, filters: {} }\n  cohorts: [{ name: x }]";
    let found = steps(&stored, text, KEEP).unwrap();
    let ids: Vec<i64> = found
        .iter()
        .filter_map(|s| match &s.write {
            Some(Write::Project(row)) => Some(row.id),
            Some(Write::Flag(row)) => Some(i64::from(row.id)),
            Some(Write::Cohort(row)) => Some(row.id),
            _ => None,
        })
        .collect();
    assert_eq!(ids, [7, 91, 61, 60, 62]);
}
