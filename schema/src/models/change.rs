//! The `changes` table: what changed, in commit order.

use crate::StoreError;
use crate::batch::{Batch, Column, Statement};
use crate::connection::{Connection, on_both};
use crate::tables::changes;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

type Result<T> = std::result::Result<T, StoreError>;

/// What kind of thing a change touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// Project settings, its token, group types.
    Project,
    /// A flag.
    Flag,
    /// A cohort's definition.
    Cohort,
    /// Membership of static cohorts.
    CohortMembers,
    /// A person, its properties or distinct ids.
    Person,
    /// A group.
    Group,
    /// Hash-key overrides.
    HashKeys,
    /// Secret tokens and personal keys.
    Keys,
}

/// A row of the `changes` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRow {
    /// Its place in the order of commits: a reader that has seen N will never see a smaller one appear.
    pub sequence: i64,
    /// The project.
    pub project_id: i64,
    /// What was touched.
    pub kind: ChangeKind,
    /// Which one: a flag key, a cohort or person id, `TYPE:KEY` of a group; for memberships see [`Self::members`]. Empty
    /// for the whole project, and when one transaction touched too many persons or groups to name each.
    pub object: String,
}

/// The Postgres channel that announces changes.
pub(crate) const CHANNEL: &str = "burgee_changes";

/// Whoever inserts into `changes` holds this lock until its transaction is over. It is the last lock a transaction
/// takes, so nobody waits for anything while holding it.
const LOCK: i64 = 0x6275_7267_6565_0001;

impl ChangeKind {
    pub(crate) const ALL: [Self; 8] = [
        Self::Project,
        Self::Flag,
        Self::Cohort,
        Self::CohortMembers,
        Self::Person,
        Self::Group,
        Self::HashKeys,
        Self::Keys,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Flag => "flag",
            Self::Cohort => "cohort",
            Self::CohortMembers => "cohort_members",
            Self::Person => "person",
            Self::Group => "group",
            Self::HashKeys => "hash_keys",
            Self::Keys => "keys",
        }
    }

    /// A kind that a later version may write counts as the widest one.
    pub(crate) fn parse(text: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .unwrap_or(Self::Project)
    }
}

/// A change that has no sequence yet.
pub(crate) type Change = (i64, ChangeKind, String);

/// The newest sequence, 0 when nothing ever changed.
pub(crate) async fn latest_sequence(connection: &mut Connection) -> Result<i64> {
    let latest: Option<i64> = on_both!(
        connection,
        changes::table
            .select(diesel::dsl::max(changes::sequence))
            .get_result(connection)
    )?;
    Ok(latest.unwrap_or(0))
}

pub(crate) async fn after(
    connection: &mut Connection,
    sequence: i64,
    limit: i64,
) -> Result<Vec<ChangeRow>> {
    let rows: Vec<(i64, i64, String, String)> = on_both!(
        connection,
        changes::table
            .filter(changes::sequence.gt(sequence))
            .order(changes::sequence)
            .limit(limit)
            .select((
                changes::sequence,
                changes::project_id,
                changes::kind,
                changes::object
            ))
            .load(connection)
    )?;
    let row = |(sequence, project_id, kind, object): (i64, i64, String, String)| ChangeRow {
        sequence,
        project_id,
        kind: ChangeKind::parse(&kind),
        object,
    };
    Ok(rows.into_iter().map(row).collect())
}

struct InsertChanges;

impl Statement for InsertChanges {
    type Answer = ();
    const COLUMNS: &'static [&'static str] = &["project_id", "kind", "object"];
    const BEFORE: &'static str = "INSERT INTO changes (project_id, kind, object) \
        SELECT k.project_id, k.kind, k.object FROM";
    const AFTER: &'static str = "ORDER BY k.n";
}

/// Takes the lock on the order of changes, and announces them at the commit.
pub(crate) async fn announce(connection: &mut Connection) -> Result<()> {
    connection
        .run_on_postgres(&format!(
            "SELECT pg_advisory_xact_lock({LOCK}); NOTIFY {CHANNEL}"
        ))
        .await
}

/// Adds changes as the last deed of a writing transaction, and announces them at its commit. The lock makes the order
/// of sequences the order of commits: a sequence is only given to a transaction that nobody can overtake.
pub(crate) async fn record(connection: &mut Connection, changes: Vec<Change>) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    announce(connection).await?;
    let (mut projects, mut kinds, mut objects) = (Vec::new(), Vec::new(), Vec::new());
    for (project, kind, object) in changes {
        projects.push(project);
        kinds.push(kind.as_str().to_owned());
        objects.push(object);
    }
    let batch: Batch<InsertChanges> = Batch::new(vec![
        Column::BigInt(projects),
        Column::Text(kinds),
        Column::Text(objects),
    ]);
    on_both!(connection, batch.execute(connection)).map(drop)
}
