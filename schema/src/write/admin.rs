//! What only people write: for somebody, with tags and descriptions, and members of static cohorts one by one.

use super::{Result, WriteTransaction, definitions};
use crate::batch::{Batch, Column, Statement};
use crate::connection::{Connection, on_both};
use crate::models::history::{Activity, Members, Told};
use crate::models::{ChangeKind, CohortRecord, CohortRow, FlagRecord, FlagRow, cohort, record};
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;
use futures_util::FutureExt;

impl WriteTransaction {
    /// Says for whom all that follows is done: the label of a personal key.
    pub async fn sign(&mut self, author: &str) -> Result<()> {
        let author = author.to_owned();
        self.ask(move |session| {
            session.sign(author);
            std::future::ready(Ok(())).boxed()
        })
        .await
    }

    /// A project's flag, deleted or not.
    pub async fn flag_record(&mut self, project_id: i64, id: i32) -> Result<Option<FlagRecord>> {
        self.ask(move |session| record::flag(session.connection(), project_id, id).boxed())
            .await
    }

    /// A project's cohort, deleted or not.
    pub async fn cohort_record(
        &mut self,
        project_id: i64,
        id: i64,
    ) -> Result<Option<CohortRecord>> {
        self.ask(move |session| record::cohort(session.connection(), project_id, id).boxed())
            .await
    }

    /// As [`Self::put_flag`]; with tags, a JSON list of texts, unless they stay as they are.
    pub async fn put_tagged_flag(&mut self, flag: &FlagRow, tags: Option<String>) -> Result<()> {
        let row = flag.clone();
        self.ask(move |session| definitions::put_flag(session, row, tags).boxed())
            .await
    }

    /// As [`Self::put_cohort`]; with a description, unless it stays as it is.
    pub async fn put_described_cohort(
        &mut self,
        cohort: &CohortRow,
        description: Option<String>,
    ) -> Result<()> {
        let row = cohort.clone();
        self.ask(move |session| definitions::put_cohort(session, row, description).boxed())
            .await
    }

    /// Makes persons members of a project's static cohort; those of other projects, and who is gone, are left out. Returns
    /// how many were none before. Ten thousand at once at most.
    pub async fn add_members(
        &mut self,
        project_id: i64,
        cohort_id: i64,
        person_ids: Vec<i64>,
    ) -> Result<usize> {
        self.move_members::<AddMembers>(project_id, cohort_id, person_ids)
            .await
    }

    /// Ends memberships of a project's static cohort; returns how many there were.
    pub async fn remove_members(
        &mut self,
        project_id: i64,
        cohort_id: i64,
        person_ids: Vec<i64>,
    ) -> Result<usize> {
        self.move_members::<RemoveMembers>(project_id, cohort_id, person_ids)
            .await
    }

    async fn move_members<S: MoveMembers>(
        &mut self,
        project_id: i64,
        cohort_id: i64,
        person_ids: Vec<i64>,
    ) -> Result<usize> {
        self.ask(move |session| {
            async move {
                let (connection, stamp) = session.parts();
                let moved =
                    change_members::<S>(connection, project_id, cohort_id, person_ids).await?;
                cohort::set_calculated(connection, cohort_id, stamp.at).await?;
                members_changed(session, project_id, cohort_id, &moved, S::TOLD_AS);
                Ok(moved.len())
            }
            .boxed()
        })
        .await
    }
}

fn members_changed(
    session: &mut super::session::Session,
    project_id: i64,
    cohort_id: i64,
    persons: &[i64],
    name: &'static str,
) {
    if persons.is_empty() {
        return;
    }
    for person in persons {
        session.member_changed(project_id, cohort_id, *person);
    }
    let told = Told {
        item: cohort_id,
        activity: Activity::Updated,
        old: Members::new(),
        new: Members::from([(name, persons.len().to_string())]),
    };
    let object = cohort_id.to_string();
    session.tell(project_id, ChangeKind::CohortMembers, object, told);
}

/// A statement that begins or ends memberships, and returns whose.
trait MoveMembers: Statement<Answer = BigInt> + 'static {
    /// The member of the history's entry that says how many.
    const TOLD_AS: &'static str;
}

struct AddMembers;

impl MoveMembers for AddMembers {
    const TOLD_AS: &'static str = "members_added";
}

impl Statement for AddMembers {
    type Answer = BigInt;
    const COLUMNS: &'static [&'static str] = &["project_id", "cohort_id", "person_id"];
    const BEFORE: &'static str = "INSERT INTO cohort_members (project_id, person_id, cohort_id) \
        SELECT k.project_id, p.id, k.cohort_id FROM";
    const AFTER: &'static str = "CROSS JOIN persons p \
        WHERE p.id = k.person_id AND p.project_id = k.project_id \
        ON CONFLICT DO NOTHING RETURNING person_id";
}

struct RemoveMembers;

impl MoveMembers for RemoveMembers {
    const TOLD_AS: &'static str = "members_removed";
}

impl Statement for RemoveMembers {
    type Answer = BigInt;
    const COLUMNS: &'static [&'static str] = &["project_id", "cohort_id", "person_id"];
    const BEFORE: &'static str = "DELETE FROM cohort_members WHERE (project_id, cohort_id, person_id) IN \
        (SELECT k.project_id, k.cohort_id, k.person_id FROM";
    const AFTER: &'static str = ") RETURNING person_id";
}

async fn change_members<S: Statement<Answer = BigInt>>(
    connection: &mut Connection,
    project_id: i64,
    cohort_id: i64,
    person_ids: Vec<i64>,
) -> Result<Vec<i64>> {
    let batch: Batch<S> = Batch::new(vec![
        Column::BigInt(vec![project_id; person_ids.len()]),
        Column::BigInt(vec![cohort_id; person_ids.len()]),
        Column::BigInt(person_ids),
    ]);
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    on_both!(connection, batch.load(connection))
}
