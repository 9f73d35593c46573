//! Writing flags and cohorts, each with what people are told of the change.

use super::Result;
use super::session::Session;
use crate::models::history::{Told, cohort_members, flag_members};
use crate::models::{ChangeKind, CohortRow, FlagRow, cohort, flag, record};

/// Puts a flag, and its tags where they are given: a JSON list of texts.
pub(super) async fn put_flag(
    session: &mut Session,
    row: FlagRow,
    tags: Option<String>,
) -> Result<()> {
    let (connection, stamp) = session.parts();
    let old = record::flag(connection, row.project_id, row.id).await?;
    flag::put(connection, &row, stamp).await?;
    if let Some(tags) = &tags {
        flag::set_tags(connection, row.id, tags).await?;
    }
    let tags = tags.or_else(|| old.as_ref()?.details.tags.clone());
    let old = old.map(|old| flag_members(&old.flag, old.details.tags.as_deref()));
    let new = flag_members(&row, tags.as_deref());
    let told = Told::between(row.id.into(), old.unwrap_or_default(), new);
    session.tell(row.project_id, ChangeKind::Flag, row.key, told);
    Ok(())
}

/// Soft-deletes a flag.
pub(super) async fn delete_flag(session: &mut Session, project_id: i64, id: i32) -> Result<()> {
    let (connection, stamp) = session.parts();
    let deleted = flag::delete(connection, project_id, id, stamp).await?;
    if let Some(key) = deleted {
        let told = Told::between(id.into(), is_deleted(false), is_deleted(true));
        session.tell(project_id, ChangeKind::Flag, key, told);
    }
    Ok(())
}

/// Puts a cohort, and its description where one is given. With one that is deleted by it, its stored members go.
pub(super) async fn put_cohort(
    session: &mut Session,
    row: CohortRow,
    description: Option<String>,
) -> Result<()> {
    let (connection, stamp) = session.parts();
    let old = record::cohort(connection, row.project_id, row.id).await?;
    cohort::put(connection, &row, stamp).await?;
    if let Some(description) = &description {
        cohort::set_description(connection, row.id, description).await?;
    }
    let is_gone = row.deleted && old.as_ref().is_some_and(|old| !old.cohort.deleted);
    if is_gone {
        cohort::forget_members(connection, row.id).await?;
    }
    let description = description.or_else(|| old.as_ref()?.description.clone());
    let old = old.map(|old| cohort_members(&old.cohort, old.description.as_deref()));
    let new = cohort_members(&row, description.as_deref());
    let told = Told::between(row.id, old.unwrap_or_default(), new);
    let object = row.id.to_string();
    session.tell(row.project_id, ChangeKind::Cohort, object, told);
    if is_gone {
        session.members_dropped(row.project_id, row.id);
    }
    Ok(())
}

/// Soft-deletes a cohort; its stored members are forgotten.
pub(super) async fn delete_cohort(session: &mut Session, project_id: i64, id: i64) -> Result<()> {
    if cohort::delete(session.connection(), project_id, id).await? {
        let told = Told::between(id, is_deleted(false), is_deleted(true));
        session.tell(project_id, ChangeKind::Cohort, id.to_string(), told);
        session.members_dropped(project_id, id);
    }
    Ok(())
}

fn is_deleted(deleted: bool) -> crate::models::history::Members {
    [("deleted", deleted.to_string())].into()
}
