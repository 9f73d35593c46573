//! The difference: what is stored and what a file says, to the writes that lead from one to the other.
//!
//! Pure. Without `prune` a plan only adds and changes; with it, whatever the file does not name goes away, in the projects
//! that it names. An object that is as the file says has a line in the report and no write.

pub(crate) mod definitions;
mod ids;
mod people;
mod project;
mod report;

pub use report::{Action, Kind, Line, Totals};

use super::check;
use super::problem::Findings;
use super::shape::ProjectFile;
use burgee_schema::models::{
    CohortRow, FlagRow, FullPerson, GroupRow, GroupTypeRow, PersonalKeyRow, ProjectRow,
    SecretTokenRow,
};
use burgee_schema::write::LargestIds;
use chrono::{DateTime, Utc};
use ids::Ids;
use std::collections::HashMap;

/// How to plan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlanOptions {
    /// Whether what the file does not name is removed.
    pub(crate) prune: bool,
    /// Whether definitions that `check` refuses are stored, with a warning each.
    pub(crate) lenient: bool,
    /// When persons without a creation time are created.
    pub(crate) now: DateTime<Utc>,
}

/// What the database holds, as far as a plan needs it.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    /// All projects: ids and tokens must not collide with any of them.
    pub(crate) projects: Vec<StoredProject>,
    /// The project of each flag id that the file gives and that was ever given, deleted flags included.
    pub(crate) flag_owners: HashMap<i32, i64>,
    /// The same for cohorts.
    pub(crate) cohort_owners: HashMap<i64, i64>,
    /// The largest ids ever given.
    pub(crate) largest: LargestIds,
}

/// One stored project.
#[derive(Debug)]
pub(crate) struct StoredProject {
    /// The project.
    pub(crate) project: ProjectRow,
    /// Its group types.
    pub(crate) group_types: Vec<GroupTypeRow>,
    /// Its flags that are not deleted; only of projects that the file names.
    pub(crate) flags: Vec<FlagRow>,
    /// Its cohorts that are not deleted; only of projects that the file names.
    pub(crate) cohorts: Vec<CohortRow>,
    /// Its groups; only of projects that the file names.
    pub(crate) groups: Vec<GroupRow>,
    /// Its secret tokens.
    pub(crate) secret_tokens: Vec<SecretTokenRow>,
    /// Its personal keys.
    pub(crate) personal_keys: Vec<PersonalKeyRow>,
    /// The persons that the file names, all of them when pruning; only of projects that the file names.
    pub(crate) persons: Vec<FullPerson>,
}

/// One write.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Write {
    /// Puts a project.
    Project(ProjectRow),
    /// Puts a group type.
    GroupType(GroupTypeRow),
    /// Puts a flag.
    Flag(FlagRow),
    /// Soft-deletes a flag: project and id.
    DeleteFlag(i64, i32),
    /// Puts a cohort.
    Cohort(CohortRow),
    /// Soft-deletes a cohort: project and id.
    DeleteCohort(i64, i64),
    /// Inserts a person.
    InsertPerson(FullPerson),
    /// Replaces a person.
    ReplacePerson(FullPerson),
    /// Deletes a person: project and id.
    DeletePerson(i64, i64),
    /// Puts a group.
    Group(GroupRow),
    /// Deletes a group: project, type, key.
    DeleteGroup(i64, i16, String),
    /// Adds a secret token.
    SecretToken(SecretTokenRow),
    /// Removes a secret token: project and fingerprint.
    DeleteSecretToken(i64, String),
    /// Puts a personal key.
    PersonalKey(PersonalKeyRow),
    /// Removes a personal key: project and label.
    DeletePersonalKey(i64, String),
}

/// A line of the report and what it takes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    /// What is said.
    pub(crate) line: Line,
    /// What is done; nothing for an object that is unchanged.
    pub(crate) write: Option<Write>,
}

/// Plans the way from what is stored to what the file says; problems that forbid it are added to the findings.
pub(crate) fn plan(
    file: ProjectFile,
    stored: &Stored,
    options: PlanOptions,
    findings: &mut Findings,
) -> Vec<Step> {
    let mut planner = Planner {
        stored,
        options,
        ids: Ids::new(&file, stored),
        steps: Vec::new(),
        findings,
    };
    let projects = planner.match_projects(file);
    planner.keys_are_unique(&projects);
    for (index, entry, matched) in projects {
        planner.project(index, entry, matched);
    }
    planner.steps
}

/// A project of the file, and what is stored under it.
struct Matched<'s> {
    id: i64,
    old: Option<&'s StoredProject>,
}

struct Planner<'s, 'f> {
    stored: &'s Stored,
    options: PlanOptions,
    ids: Ids,
    steps: Vec<Step>,
    findings: &'f mut Findings,
}

impl Planner<'_, '_> {
    /// Adds a step for an object that should be `new`: created, changed or unchanged.
    fn put<T: PartialEq>(
        &mut self,
        what: (Kind, i64, String),
        old: Option<&T>,
        new: T,
        write: impl FnOnce(T) -> Write,
    ) {
        let (kind, project, name) = what;
        let action = match old {
            None => Action::Created,
            Some(old) if *old == new => Action::Unchanged,
            Some(_) => Action::Changed,
        };
        self.steps.push(Step {
            line: Line {
                action,
                kind,
                project,
                name,
            },
            write: (action != Action::Unchanged).then(|| write(new)),
        });
    }

    fn remove(&mut self, kind: Kind, project: i64, name: String, write: Write) {
        self.steps.push(Step {
            line: Line {
                action: Action::Removed,
                kind,
                project,
                name,
            },
            write: Some(write),
        });
    }
}

/// Returns whether two JSON texts differ at most in blanks.
fn same_json(a: &str, b: &str) -> bool {
    fn compact(text: &str) -> Option<String> {
        let node = super::json::parse(text, &mut Vec::new()).ok()?;
        Some(node.to_json())
    }
    a == b || compact(a).is_some_and(|a| compact(b) == Some(a))
}

/// Returns the stored text when it means the same, so that blanks alone are no difference.
fn settled(old: Option<&str>, new: String) -> String {
    match old {
        Some(old) if same_json(old, &new) => old.to_owned(),
        _ => new,
    }
}

#[cfg(test)]
mod tests;
