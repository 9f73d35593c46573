//! The writing transaction: every method adds its row to `changes`; dropping it without `commit` rolls back.

use crate::StoreError;
use crate::models::*;

type Result<T> = std::result::Result<T, StoreError>;

/// A transaction that holds the change lock, so that the order of `changes` is the order of commits.
#[derive(Debug)]
pub struct WriteTransaction {}

impl WriteTransaction {
    /// Makes everything visible at once, and notifies the other replicas.
    pub async fn commit(self) -> Result<()> {
        todo!()
    }

    /// Undoes everything.
    pub async fn roll_back(self) -> Result<()> {
        todo!()
    }

    // Reading, inside the transaction.

    /// All projects, by id.
    pub async fn projects(&mut self) -> Result<Vec<ProjectRow>> {
        todo!()
    }

    /// A project's group types, by index.
    pub async fn group_types(&mut self, _project_id: i64) -> Result<Vec<GroupTypeRow>> {
        todo!()
    }

    /// A project's flags that are not deleted, by key.
    pub async fn flags(&mut self, _project_id: i64) -> Result<Vec<FlagRow>> {
        todo!()
    }

    /// A project's cohorts that are not deleted, by id.
    pub async fn cohorts(&mut self, _project_id: i64) -> Result<Vec<CohortRow>> {
        todo!()
    }

    /// The persons that own any of these distinct ids, whole, by person id.
    pub async fn persons_of(
        &mut self,
        _project_id: i64,
        _distinct_ids: &[String],
    ) -> Result<Vec<FullPerson>> {
        todo!()
    }

    /// At most `limit` whole persons with an id above `after`, by id: for exports and `--prune`.
    pub async fn persons_after(
        &mut self,
        _project_id: i64,
        _after: i64,
        _limit: i64,
    ) -> Result<Vec<FullPerson>> {
        todo!()
    }

    /// A project's groups, by type and key.
    pub async fn groups(&mut self, _project_id: i64) -> Result<Vec<GroupRow>> {
        todo!()
    }

    /// A project's secret tokens, by fingerprint.
    pub async fn secret_tokens(&mut self, _project_id: i64) -> Result<Vec<SecretTokenRow>> {
        todo!()
    }

    /// A project's personal keys, by label.
    pub async fn personal_keys(&mut self, _project_id: i64) -> Result<Vec<PersonalKeyRow>> {
        todo!()
    }

    /// The largest flag id and cohort id over all projects, deleted ones included; 0 when there is none.
    pub async fn largest_ids(&mut self) -> Result<LargestIds> {
        todo!()
    }

    // Writing. `put_` inserts, or replaces what has the same id (or natural key where no id is named).

    /// By id.
    pub async fn put_project(&mut self, _project: &ProjectRow) -> Result<()> {
        todo!()
    }

    /// By (project, index).
    pub async fn put_group_type(&mut self, _group_type: &GroupTypeRow) -> Result<()> {
        todo!()
    }

    /// By id. The stored version becomes 1 for a new flag and grows by one for an old one; the row's own is ignored.
    pub async fn put_flag(&mut self, _flag: &FlagRow) -> Result<()> {
        todo!()
    }

    /// Soft-deletes a flag.
    pub async fn delete_flag(&mut self, _project_id: i64, _id: i32) -> Result<()> {
        todo!()
    }

    /// By id.
    pub async fn put_cohort(&mut self, _cohort: &CohortRow) -> Result<()> {
        todo!()
    }

    /// Soft-deletes a cohort.
    pub async fn delete_cohort(&mut self, _project_id: i64, _id: i64) -> Result<()> {
        todo!()
    }

    /// Inserts a person with all that hangs on it; returns its id.
    pub async fn insert_person(&mut self, _person: &FullPerson) -> Result<i64> {
        todo!()
    }

    /// Replaces the person with `person.person.id` and all that hangs on it.
    pub async fn replace_person(&mut self, _person: &FullPerson) -> Result<()> {
        todo!()
    }

    /// Deletes a person and all that hangs on it.
    pub async fn delete_person(&mut self, _project_id: i64, _id: i64) -> Result<()> {
        todo!()
    }

    /// By (project, type, key).
    pub async fn put_group(&mut self, _group: &GroupRow) -> Result<()> {
        todo!()
    }

    /// By (project, type, key).
    pub async fn delete_group(
        &mut self,
        _project_id: i64,
        _type_index: i16,
        _key: &str,
    ) -> Result<()> {
        todo!()
    }

    /// Adds a secret token.
    pub async fn put_secret_token(&mut self, _token: &SecretTokenRow) -> Result<()> {
        todo!()
    }

    /// Removes a secret token.
    pub async fn delete_secret_token(
        &mut self,
        _project_id: i64,
        _fingerprint: &str,
    ) -> Result<()> {
        todo!()
    }

    /// By (project, label).
    pub async fn put_personal_key(&mut self, _key: &PersonalKeyRow) -> Result<()> {
        todo!()
    }

    /// By (project, label).
    pub async fn delete_personal_key(&mut self, _project_id: i64, _label: &str) -> Result<()> {
        todo!()
    }
}

/// See [`WriteTransaction::largest_ids`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LargestIds {
    /// Over all flags.
    pub flag: i32,
    /// Over all cohorts.
    pub cohort: i64,
    /// Over all projects.
    pub project: i64,
}
