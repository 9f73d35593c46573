//! `Store`: Postgres or SQLite, chosen once, behind one set of functions.

use crate::models::*;
use crate::pool::PoolStatus;
use crate::{ChangeFeed, PoolConfig, StoreError, WriteTransaction};
use std::time::Duration;

type Result<T> = std::result::Result<T, StoreError>;

/// A database and its pool. Cheap to clone. May be called from any runtime: the work happens on the store's own.
#[derive(Clone, Debug)]
pub struct Store {}

impl Store {
    /// Opens `sqlite://PATH` (created when missing; `sqlite://:memory:` is refused) or `postgres://…`.
    ///
    /// Does not fail when a Postgres is away: the pool keeps trying, and questions answer [`StoreError::Unavailable`].
    pub async fn open(_url: &str, _config: PoolConfig) -> Result<Self> {
        todo!()
    }

    /// Waits until `min_idle` connections are open and one has answered a question.
    pub async fn warm_up(&self, _limit: Duration) -> Result<()> {
        todo!()
    }

    /// Runs the migrations that have not run; returns their names. Safe to call from several processes at once.
    pub async fn migrate(&self) -> Result<Vec<String>> {
        todo!()
    }

    /// Lists all migrations in order.
    pub async fn migrations(&self) -> Result<Vec<MigrationStatus>> {
        todo!()
    }

    /// Asks the database whether it is there.
    pub async fn ping(&self) -> Result<()> {
        todo!()
    }

    /// Returns the pool's state.
    pub fn pool_status(&self) -> PoolStatus {
        todo!()
    }

    /// Returns the project of a public token.
    pub async fn project_by_token(&self, _token: &str) -> Result<Option<ProjectRow>> {
        todo!()
    }

    /// Returns all projects, by id.
    pub async fn projects(&self) -> Result<Vec<ProjectRow>> {
        todo!()
    }

    /// Reads everything evaluation needs to know about a project in one snapshot.
    pub async fn definitions(&self, _project_id: i64) -> Result<Option<DefinitionRows>> {
        todo!()
    }

    /// Answers many look-ups with one statement per kind of thing, in the order asked.
    pub async fn look_up(&self, _lookups: &[Lookup]) -> Result<Vec<Found>> {
        todo!()
    }

    /// Stores hash keys, all in one transaction.
    pub async fn write_hash_keys(&self, _writes: &[HashKeyWrite]) -> Result<()> {
        todo!()
    }

    /// Returns the newest sequence, 0 when nothing ever changed.
    pub async fn latest_sequence(&self) -> Result<i64> {
        todo!()
    }

    /// Returns at most `limit` changes after `sequence`, in order.
    pub async fn changes_after(&self, _sequence: i64, _limit: i64) -> Result<Vec<ChangeRow>> {
        todo!()
    }

    /// Follows the changes after `sequence`: by LISTEN on Postgres, and by polling everywhere.
    pub fn follow_changes(&self, _sequence: i64, _poll: Duration) -> ChangeFeed {
        todo!()
    }

    /// Begins the one kind of transaction that changes definitions and people. Writers take turns.
    pub async fn begin_write(&self) -> Result<WriteTransaction> {
        todo!()
    }

    /// Looks a secret token up by its fingerprint (see [`fingerprint`]).
    pub async fn secret_token(&self, _fingerprint: &str) -> Result<Option<SecretTokenRow>> {
        todo!()
    }

    /// Looks a personal key up by its fingerprint.
    pub async fn personal_key(&self, _fingerprint: &str) -> Result<Option<PersonalKeyRow>> {
        todo!()
    }
}

/// Returns how a secret is stored and exported: `sha256:` and the hexadecimal digest. The secrets are long and random,
/// so a plain digest is enough. A text that already has this form is returned as it is.
pub fn fingerprint(_secret: &str) -> String {
    todo!()
}
