//! How a question gets to a connection: of the readers, of people's own few, or of a replica that stands in for the readers.

use super::{ADMIN_LIMIT, Inner, Result, Store};
use crate::connection::Connection;
use crate::pool::Pool;
use crate::{QueryKind, StoreError, chain};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

impl Store {
    /// Runs one unit of reading on the store's threads.
    pub(super) async fn read<T, F>(&self, kind: QueryKind, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        let limit = self.inner.config.acquire_timeout;
        self.read_on(|inner| &inner.readers, limit, kind, work)
            .await
    }

    /// The same for a person's question.
    pub(crate) async fn read_for_people<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        self.read_on(|inner| &inner.admin, ADMIN_LIMIT, QueryKind::Admin, work)
            .await
    }

    async fn read_on<T, F>(
        &self,
        pool: fn(&Inner) -> &Pool,
        limit: Duration,
        kind: QueryKind,
        work: F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        self.inner
            .runtime
            .run(async move { read_from(&inner, pool(&inner), limit, kind, work).await })
            .await
    }

    /// The same for what the replica may answer too; when it turns out to be away, the primary does.
    pub(super) async fn read_in<T, F>(
        &self,
        source: Source,
        kind: QueryKind,
        questions: usize,
        work: F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> Fn(&'c mut Connection) -> BoxFuture<'c, Result<T>> + Send + Sync + 'static,
    {
        let inner = Arc::clone(&self.inner);
        self.inner
            .runtime
            .run(async move {
                let limit = inner.config.acquire_timeout;
                if source == Source::Replica
                    && let Some(replica) = &inner.replica
                {
                    match read_from(&inner, &replica.pool, limit, kind, &work).await {
                        Err(StoreError::Unavailable(error)) => {
                            tracing::debug!(error = chain(&*error), "the read replica is away");
                            replica.is_away();
                        }
                        answer => {
                            replica.answered(questions);
                            return answer;
                        }
                    }
                }
                read_from(&inner, &inner.readers, limit, kind, work).await
            })
            .await
    }
}

/// Whom a question goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Primary,
    Replica,
}

async fn read_from<T, F>(
    inner: &Inner,
    pool: &Pool,
    limit: Duration,
    kind: QueryKind,
    work: F,
) -> Result<T>
where
    F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T>>,
{
    let mut connection = pool.acquire(limit).await?;
    let began = inner.observers.began();
    let answer = work(&mut connection).await;
    let observers = &inner.observers;
    observers.tell(began, |it, took| it.asked(kind, took));
    answer
}
