//! What people ask through the admin API. Their questions have connections of their own, few of them: however much they
//! ask, evaluation has all of its own.

use crate::models::*;
use crate::models::{cohort_member, group, history, person, project, record};
use crate::{Store, StoreError};
use futures_util::FutureExt;
use std::collections::HashMap;

type Result<T> = std::result::Result<T, StoreError>;

/// Which persons are asked for.
#[derive(Debug, Clone)]
pub enum PersonsOf {
    /// Everybody.
    Project,
    /// Whoever goes by exactly this id.
    DistinctId(String),
    /// Whoever goes by an id with this in it, in any case of its letters.
    Search(String),
    /// The members of this static cohort.
    Cohort(i64),
}

impl Store {
    /// Returns a project.
    pub async fn admin_project(&self, id: i64) -> Result<Option<ProjectRow>> {
        self.read_for_people(move |connection| project::by_id(connection, id).boxed())
            .await
    }

    /// Returns a project's group types, by index.
    pub async fn admin_group_types(&self, project_id: i64) -> Result<Vec<GroupTypeRow>> {
        self.read_for_people(move |connection| {
            group::types_of_project(connection, project_id).boxed()
        })
        .await
    }

    /// Returns a project's flag, deleted or not.
    pub async fn flag_record(&self, project_id: i64, id: i32) -> Result<Option<FlagRecord>> {
        self.read_for_people(move |connection| record::flag(connection, project_id, id).boxed())
            .await
    }

    /// Returns a project's flags that are not deleted, by id.
    pub async fn flag_records(&self, project_id: i64) -> Result<Vec<FlagRecord>> {
        self.read_for_people(move |connection| record::flags(connection, project_id).boxed())
            .await
    }

    /// Returns when each of a project's flags was last called, in microseconds since 1970, by key.
    pub async fn last_calls(&self, project_id: i64) -> Result<HashMap<String, i64>> {
        self.read_for_people(move |connection| record::last_calls(connection, project_id).boxed())
            .await
    }

    /// Returns a project's cohort, deleted or not.
    pub async fn cohort_record(&self, project_id: i64, id: i64) -> Result<Option<CohortRecord>> {
        self.read_for_people(move |connection| record::cohort(connection, project_id, id).boxed())
            .await
    }

    /// Returns a project's cohorts that are not deleted, by id.
    pub async fn cohort_records(&self, project_id: i64) -> Result<Vec<CohortRecord>> {
        self.read_for_people(move |connection| record::cohorts(connection, project_id).boxed())
            .await
    }

    /// Returns how many stored members some cohorts have; those without any are missing.
    pub async fn member_counts(
        &self,
        project_id: i64,
        cohort_ids: Vec<i64>,
    ) -> Result<HashMap<i64, i64>> {
        self.read_for_people(move |connection| {
            record::member_counts(connection, project_id, cohort_ids).boxed()
        })
        .await
    }

    /// Returns how many persons there are of the kind that is asked for, and a page of them, by id.
    pub async fn persons_page(
        &self,
        project_id: i64,
        of: PersonsOf,
        limit: i64,
        offset: i64,
    ) -> Result<(i64, Vec<FullPerson>)> {
        self.read_for_people(move |connection| {
            async move { person::page(connection, project_id, of, limit, offset).await }.boxed()
        })
        .await
    }

    /// Returns those of some persons that a project has, by id.
    pub async fn persons_by_id(&self, project_id: i64, ids: Vec<i64>) -> Result<Vec<FullPerson>> {
        self.read_for_people(move |connection| {
            async move { person::by_ids(connection, project_id, ids).await }.boxed()
        })
        .await
    }

    /// Returns whose some distinct ids are: for each that is known, its place in the list and the person. A few thousand at
    /// once at most.
    pub async fn owners_of(
        &self,
        project_id: i64,
        distinct_ids: Vec<String>,
    ) -> Result<Vec<(usize, i64)>> {
        self.read_for_people(move |connection| {
            async move { cohort_member::owners(connection, project_id, distinct_ids).await }.boxed()
        })
        .await
    }

    /// Returns those of some persons that a project has, in no order. Ten thousand at once at most.
    pub async fn existing_persons(&self, project_id: i64, ids: Vec<i64>) -> Result<Vec<i64>> {
        self.read_for_people(move |connection| {
            async move { cohort_member::existing_persons(connection, project_id, ids).await }
                .boxed()
        })
        .await
    }

    /// Returns how many entries a history has, and a page of them, the newest first.
    pub async fn history(
        &self,
        project_id: i64,
        of: HistoryOf,
        limit: i64,
        offset: i64,
    ) -> Result<(i64, Vec<ActivityRow>)> {
        self.read_for_people(move |connection| {
            async move { history::page(connection, project_id, of, limit, offset).await }.boxed()
        })
        .await
    }
}
