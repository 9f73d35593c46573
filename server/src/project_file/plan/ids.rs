//! New ids: above everything that was ever given and everything that the file gives itself.

use super::Stored;
use crate::project_file::shape::ProjectFile;

/// The next free ids.
pub(super) struct Ids {
    project: i64,
    flag: i32,
    cohort: i64,
}

impl Ids {
    pub(super) fn new(file: &ProjectFile, stored: &Stored) -> Self {
        let mut ids = Self {
            project: stored.largest.project,
            flag: stored.largest.flag,
            cohort: stored.largest.cohort,
        };
        for project in &file.projects {
            let given = |id: &Option<crate::project_file::fields::At<i64>>| {
                id.as_ref().map_or(0, |id| id.value)
            };
            ids.project = ids.project.max(given(&project.id));
            for cohort in &project.cohorts {
                ids.cohort = ids.cohort.max(given(&cohort.id));
            }
            for flag in &project.flags {
                ids.flag = ids.flag.max(flag.id.as_ref().map_or(0, |id| id.value));
            }
        }
        ids
    }

    /// Returns a new project id, `None` when there is none left.
    pub(super) fn project(&mut self) -> Option<i64> {
        self.project = self.project.checked_add(1)?;
        Some(self.project)
    }

    /// Returns a new flag id, `None` when there is none left.
    pub(super) fn flag(&mut self) -> Option<i32> {
        self.flag = self.flag.checked_add(1)?;
        Some(self.flag)
    }

    /// Returns a new cohort id, `None` when there is none left.
    pub(super) fn cohort(&mut self) -> Option<i64> {
        self.cohort = self.cohort.checked_add(1)?;
        Some(self.cohort)
    }
}
