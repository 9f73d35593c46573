//! What the cohort cache asks of the database. A trait, so that a test can hold an answer back.

use burgee_evaluation::{CohortId, ProjectId};
use burgee_schema::models::{ChangeRow, Membership};
use burgee_schema::{Store, StoreError};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

/// Changes read at once.
pub(crate) const CHANGES: usize = 1_000;
/// Memberships read again with one statement.
const MEMBERSHIPS: usize = 5_000;

/// An answer on its way.
pub(crate) type Answer<T> = BoxFuture<'static, Result<T, StoreError>>;

/// Where members, and the news of them, come from.
pub(crate) trait MemberSource: Send + Sync {
    /// The newest sequence of `changes`.
    fn latest_sequence(&self) -> Answer<i64>;

    /// At most [`CHANGES`] changes after a sequence, in order.
    fn changes_after(&self, sequence: i64) -> Answer<Vec<ChangeRow>>;

    /// At most `limit` members with an id above `after`, ascending.
    fn members_after(
        &self,
        project: ProjectId,
        cohort: CohortId,
        after: i64,
        limit: usize,
    ) -> Answer<Vec<i64>>;

    /// Those of some memberships that exist.
    fn existing(&self, memberships: Vec<Membership>) -> Answer<Vec<Membership>>;
}

impl MemberSource for Store {
    fn latest_sequence(&self) -> Answer<i64> {
        let store = self.clone();
        async move { Store::latest_sequence(&store).await }.boxed()
    }

    fn changes_after(&self, sequence: i64) -> Answer<Vec<ChangeRow>> {
        let store = self.clone();
        let limit = i64::try_from(CHANGES).unwrap_or(i64::MAX);
        async move { Store::changes_after(&store, sequence, limit).await }.boxed()
    }

    fn members_after(
        &self,
        project: ProjectId,
        cohort: CohortId,
        after: i64,
        limit: usize,
    ) -> Answer<Vec<i64>> {
        let store = self.clone();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        async move {
            store
                .cohort_members_after(project.0, cohort.0, after, limit)
                .await
        }
        .boxed()
    }

    fn existing(&self, memberships: Vec<Membership>) -> Answer<Vec<Membership>> {
        let store = self.clone();
        async move {
            let mut existing = Vec::new();
            for some in memberships.chunks(MEMBERSHIPS) {
                existing.extend(store.existing_memberships(some).await?);
            }
            Ok(existing)
        }
        .boxed()
    }
}
