//! The writing transaction: every method that changes something adds its row to `changes`; dropping it without `commit`
//! rolls back.

mod admin;
mod definitions;
mod session;

pub(crate) use session::WRITERS_LOCK;

use crate::models::history::Told;
use crate::models::*;
use crate::models::{cohort, flag, group, key, person, person_write, project};
use crate::{Store, StoreError};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use session::{Job, Session};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

type Result<T> = std::result::Result<T, StoreError>;

/// A transaction that no other writer of definitions or people runs beside. Once one of its methods has failed it can
/// only be rolled back.
pub struct WriteTransaction {
    jobs: mpsc::Sender<Job>,
    _store: Store,
}

impl WriteTransaction {
    pub(crate) async fn begin(store: Store) -> Result<Self> {
        let limit = store.inner.config.write_timeout;
        Self::begin_within(store, limit).await
    }

    pub(crate) async fn begin_within(store: Store, limit: Duration) -> Result<Self> {
        let session = Session::begin(Arc::clone(&store.inner), limit);
        let session = store.inner.runtime.run(session).await?;
        Ok(Self::with(session, store))
    }

    pub(crate) async fn begin_snapshot(store: Store) -> Result<Self> {
        let session = Session::begin_snapshot(Arc::clone(&store.inner));
        let session = store.inner.runtime.run(session).await?;
        Ok(Self::with(session, store))
    }

    fn with(session: Session, store: Store) -> Self {
        let (jobs, queue) = mpsc::channel(1);
        store.inner.runtime.handle().spawn(session.serve(queue));
        Self {
            jobs,
            _store: store,
        }
    }

    /// Makes everything visible at once, and notifies the other replicas.
    pub async fn commit(mut self) -> Result<()> {
        self.ask(|session| session.commit().boxed()).await
    }

    /// Undoes everything.
    pub async fn roll_back(mut self) -> Result<()> {
        self.ask(|session| {
            async move {
                session.roll_back().await;
                Ok(())
            }
            .boxed()
        })
        .await
    }

    // Reading, inside the transaction.

    /// All projects, by id.
    pub async fn projects(&mut self) -> Result<Vec<ProjectRow>> {
        self.ask(|session| project::all(session.connection()).boxed())
            .await
    }

    /// A project's group types, by index.
    pub async fn group_types(&mut self, project_id: i64) -> Result<Vec<GroupTypeRow>> {
        self.ask(move |session| group::types_of_project(session.connection(), project_id).boxed())
            .await
    }

    /// A project's flags that are not deleted, by key.
    pub async fn flags(&mut self, project_id: i64) -> Result<Vec<FlagRow>> {
        self.ask(move |session| flag::of_project(session.connection(), project_id).boxed())
            .await
    }

    /// A project's cohorts that are not deleted, by id.
    pub async fn cohorts(&mut self, project_id: i64) -> Result<Vec<CohortRow>> {
        self.ask(move |session| cohort::of_project(session.connection(), project_id).boxed())
            .await
    }

    /// The persons that own any of these distinct ids, whole, by person id.
    pub async fn persons_of(
        &mut self,
        project_id: i64,
        distinct_ids: &[String],
    ) -> Result<Vec<FullPerson>> {
        let ids = distinct_ids.to_vec();
        self.ask(move |session| {
            async move { person::owners(session.connection(), project_id, &ids).await }.boxed()
        })
        .await
    }

    /// At most `limit` whole persons with an id above `after`, by id: for exports and `--prune`.
    pub async fn persons_after(
        &mut self,
        project_id: i64,
        after: i64,
        limit: i64,
    ) -> Result<Vec<FullPerson>> {
        self.ask(move |session| {
            person::after(session.connection(), project_id, after, limit).boxed()
        })
        .await
    }

    /// A project's groups, by type and key.
    pub async fn groups(&mut self, project_id: i64) -> Result<Vec<GroupRow>> {
        self.ask(move |session| group::of_project(session.connection(), project_id).boxed())
            .await
    }

    /// A project's secret tokens, by fingerprint.
    pub async fn secret_tokens(&mut self, project_id: i64) -> Result<Vec<SecretTokenRow>> {
        self.ask(move |session| {
            key::secret_tokens_of_project(session.connection(), project_id).boxed()
        })
        .await
    }

    /// A project's personal keys, by label.
    pub async fn personal_keys(&mut self, project_id: i64) -> Result<Vec<PersonalKeyRow>> {
        self.ask(move |session| {
            key::personal_keys_of_project(session.connection(), project_id).boxed()
        })
        .await
    }

    /// The largest flag id and cohort id over all projects, deleted ones included; 0 when there is none.
    pub async fn largest_ids(&mut self) -> Result<LargestIds> {
        self.ask(|session| {
            async move {
                let connection = session.connection();
                Ok(LargestIds {
                    flag: flag::largest_id(connection).await?,
                    cohort: cohort::largest_id(connection).await?,
                    project: project::largest_id(connection).await?,
                })
            }
            .boxed()
        })
        .await
    }

    /// The project of each of these flag ids that was ever given, deleted ones included. A thousand at once at most.
    pub async fn flag_owners(&mut self, ids: &[i32]) -> Result<Vec<(i32, i64)>> {
        let ids = ids.to_vec();
        self.ask(move |session| {
            async move { flag::owners(session.connection(), &ids).await }.boxed()
        })
        .await
    }

    /// The project of each of these cohort ids that was ever given, deleted ones included. A thousand at once at most.
    pub async fn cohort_owners(&mut self, ids: &[i64]) -> Result<Vec<(i64, i64)>> {
        let ids = ids.to_vec();
        self.ask(move |session| {
            async move { cohort::owners(session.connection(), &ids).await }.boxed()
        })
        .await
    }

    // Writing. `put_` inserts, or replaces what has the same id (or natural key where no id is named).

    /// By id.
    pub async fn put_project(&mut self, project: &ProjectRow) -> Result<()> {
        let row = project.clone();
        self.ask(move |session| {
            async move {
                project::put(session.connection(), &row).await?;
                project_changed(session, row.id);
                Ok(())
            }
            .boxed()
        })
        .await
    }

    /// By (project, index).
    pub async fn put_group_type(&mut self, group_type: &GroupTypeRow) -> Result<()> {
        let row = group_type.clone();
        self.ask(move |session| {
            async move {
                group::put_type(session.connection(), &row).await?;
                project_changed(session, row.project_id);
                Ok(())
            }
            .boxed()
        })
        .await
    }

    /// By id. The stored version becomes 1 for a new flag and grows by one for an old one; the row's own is ignored.
    pub async fn put_flag(&mut self, flag: &FlagRow) -> Result<()> {
        let row = flag.clone();
        self.ask(move |session| definitions::put_flag(session, row, None).boxed())
            .await
    }

    /// Soft-deletes a flag.
    pub async fn delete_flag(&mut self, project_id: i64, id: i32) -> Result<()> {
        self.ask(move |session| definitions::delete_flag(session, project_id, id).boxed())
            .await
    }

    /// By id.
    pub async fn put_cohort(&mut self, cohort: &CohortRow) -> Result<()> {
        let row = cohort.clone();
        self.ask(move |session| definitions::put_cohort(session, row, None).boxed())
            .await
    }

    /// Soft-deletes a cohort; its stored members are forgotten.
    pub async fn delete_cohort(&mut self, project_id: i64, id: i64) -> Result<()> {
        self.ask(move |session| definitions::delete_cohort(session, project_id, id).boxed())
            .await
    }

    /// Inserts a person with all that hangs on it; returns its id.
    pub async fn insert_person(&mut self, person: &FullPerson) -> Result<i64> {
        let ids = self.insert_persons(std::slice::from_ref(person)).await?;
        ids.first().copied().ok_or_else(crate::runtime::lost)
    }

    /// Inserts many persons with few statements; returns their ids in the same order. A thousand at once is a good
    /// number.
    pub async fn insert_persons(&mut self, persons: &[FullPerson]) -> Result<Vec<i64>> {
        if persons.is_empty() {
            return Ok(Vec::new());
        }
        let people = persons.to_vec();
        self.ask(move |session| {
            async move {
                let ids = person_write::insert(session.connection(), &people).await?;
                for (whole, id) in people.iter().zip(&ids) {
                    person_changed(session, whole, *id);
                }
                Ok(ids)
            }
            .boxed()
        })
        .await
    }

    /// Replaces the person with `person.person.id` and all that hangs on it.
    pub async fn replace_person(&mut self, person: &FullPerson) -> Result<()> {
        let whole = person.clone();
        self.ask(move |session| {
            async move {
                let left = person_write::replace(session.connection(), &whole).await?;
                let Some(left) = left else {
                    return Err(StoreError::Query(
                        "there is no such person to replace".into(),
                    ));
                };
                for cohort in left {
                    session.member_changed(whole.person.project_id, cohort, whole.person.id);
                }
                person_changed(session, &whole, whole.person.id);
                Ok(())
            }
            .boxed()
        })
        .await
    }

    /// Deletes a person and all that hangs on it.
    pub async fn delete_person(&mut self, project_id: i64, id: i64) -> Result<()> {
        self.ask(move |session| {
            async move {
                let left = person_write::delete(session.connection(), project_id, id).await?;
                if let Some(left) = left {
                    session.changed(project_id, ChangeKind::Person, id.to_string());
                    for cohort in left {
                        session.member_changed(project_id, cohort, id);
                    }
                }
                Ok(())
            }
            .boxed()
        })
        .await
    }

    /// By (project, type, key).
    pub async fn put_group(&mut self, group: &GroupRow) -> Result<()> {
        self.put_groups(std::slice::from_ref(group)).await
    }

    /// Puts many groups, which differ in project, type or key, with one statement.
    pub async fn put_groups(&mut self, groups: &[GroupRow]) -> Result<()> {
        if groups.is_empty() {
            return Ok(());
        }
        let rows = groups.to_vec();
        self.ask(move |session| {
            async move {
                group::put(session.connection(), &rows).await?;
                for row in &rows {
                    group_changed(session, row.project_id, row.group_type_index, &row.key);
                }
                Ok(())
            }
            .boxed()
        })
        .await
    }

    /// By (project, type, key).
    pub async fn delete_group(
        &mut self,
        project_id: i64,
        type_index: i16,
        key: &str,
    ) -> Result<()> {
        let key = key.to_owned();
        self.ask(move |session| {
            async move {
                if group::delete(session.connection(), project_id, type_index, &key).await? {
                    group_changed(session, project_id, type_index, &key);
                }
                Ok(())
            }
            .boxed()
        })
        .await
    }

    /// Adds a secret token.
    pub async fn put_secret_token(&mut self, token: &SecretTokenRow) -> Result<()> {
        let row = token.clone();
        self.ask(move |session| {
            async move {
                key::put_secret_token(session.connection(), &row).await?;
                keys_changed(session, row.project_id);
                Ok(())
            }
            .boxed()
        })
        .await
    }

    /// Removes a secret token.
    pub async fn delete_secret_token(&mut self, project_id: i64, fingerprint: &str) -> Result<()> {
        let fingerprint = fingerprint.to_owned();
        self.ask(move |session| {
            async move {
                if key::delete_secret_token(session.connection(), project_id, &fingerprint).await? {
                    keys_changed(session, project_id);
                }
                Ok(())
            }
            .boxed()
        })
        .await
    }

    /// By (project, label).
    pub async fn put_personal_key(&mut self, key: &PersonalKeyRow) -> Result<()> {
        let row = key.clone();
        self.ask(move |session| {
            async move {
                key::put_personal_key(session.connection(), &row).await?;
                keys_changed(session, row.project_id);
                Ok(())
            }
            .boxed()
        })
        .await
    }

    /// By (project, label).
    pub async fn delete_personal_key(&mut self, project_id: i64, label: &str) -> Result<()> {
        let label = label.to_owned();
        self.ask(move |session| {
            async move {
                if key::delete_personal_key(session.connection(), project_id, &label).await? {
                    keys_changed(session, project_id);
                }
                Ok(())
            }
            .boxed()
        })
        .await
    }

    /// Has the session do something, and waits for the answer.
    async fn ask<T, F>(&mut self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'s> FnOnce(&'s mut Session) -> BoxFuture<'s, Result<T>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |session| {
            async move {
                let outcome = work(session).await;
                session.note(&outcome);
                // Nobody may be waiting any more.
                let _unwanted = reply.send(outcome);
            }
            .boxed()
        });
        self.jobs
            .send(job)
            .await
            .map_err(|_closed| crate::runtime::lost())?;
        answer.await.unwrap_or_else(|_| Err(crate::runtime::lost()))
    }
}

fn person_changed(session: &mut Session, whole: &FullPerson, id: i64) {
    let project_id = whole.person.project_id;
    session.changed(project_id, ChangeKind::Person, id.to_string());
    for cohort in &whole.static_cohorts {
        session.member_changed(project_id, *cohort, id);
    }
    if !whole.hash_key_overrides.is_empty() {
        session.changed(project_id, ChangeKind::HashKeys, String::new());
    }
}

fn project_changed(session: &mut Session, project_id: i64) {
    let told = Told::bare(project_id);
    session.tell(project_id, ChangeKind::Project, String::new(), told);
}

fn keys_changed(session: &mut Session, project_id: i64) {
    let told = Told::bare(project_id);
    session.tell(project_id, ChangeKind::Keys, String::new(), told);
}

fn group_changed(session: &mut Session, project_id: i64, type_index: i16, key: &str) {
    session.changed(project_id, ChangeKind::Group, format!("{type_index}:{key}"));
}

impl fmt::Debug for WriteTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteTransaction").finish_non_exhaustive()
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
