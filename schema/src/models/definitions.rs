//! A project's definitions.

use super::{CohortRow, FlagRow, GroupTypeRow, ProjectRow};
use super::{change, cohort, flag, group, project};
use crate::StoreError;
use crate::connection::{Begin, Connection};

type Result<T> = std::result::Result<T, StoreError>;

/// Everything that evaluation needs to know about one project, read in one snapshot.
#[derive(Debug, Clone)]
pub struct DefinitionRows {
    /// The project.
    pub project: ProjectRow,
    /// Its group types, by index.
    pub group_types: Vec<GroupTypeRow>,
    /// Its flags that are not deleted, by key.
    pub flags: Vec<FlagRow>,
    /// Its cohorts that are not deleted, by id.
    pub cohorts: Vec<CohortRow>,
    /// The newest change these rows include.
    pub sequence: i64,
}

/// Reads a project's definitions in one snapshot; `None` when there is no such project.
pub(crate) async fn read(
    connection: &mut Connection,
    project_id: i64,
) -> Result<Option<DefinitionRows>> {
    connection.begin(Begin::Snapshot).await?;
    let rows = read_inside(connection, project_id).await;
    connection.finish(rows).await
}

async fn read_inside(
    connection: &mut Connection,
    project_id: i64,
) -> Result<Option<DefinitionRows>> {
    let Some(project) = project::by_id(connection, project_id).await? else {
        return Ok(None);
    };
    Ok(Some(DefinitionRows {
        project,
        group_types: group::types_of_project(connection, project_id).await?,
        flags: flag::of_project(connection, project_id).await?,
        cohorts: cohort::of_project(connection, project_id).await?,
        sequence: change::latest_sequence(connection).await?,
    }))
}
