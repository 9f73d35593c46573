//! Who a credential belongs to (chapter 2): a project's token, a secret key, or a personal key with its scopes.
//!
//! Keys are asked of the database by their digest and remembered for a few seconds, so that a thousand processes that poll
//! with one key cost one query. A change of any key ends all that is remembered. A database that cannot be asked is told as
//! such, never as a wrong key: some clients drop all their flags on a 401. What may be done with a key is the caller's business.

mod cache;
mod scopes;

#[cfg(test)]
mod tests;

pub use scopes::{Action, Resource, Scopes};

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName};
use burgee_actors::{KeysRevision, ProjectError, ProjectSnapshot, System};
use burgee_evaluation::ProjectId;
use burgee_schema::fingerprint::of_presented;
use burgee_schema::models::{PersonalKeyRow, SecretTokenRow};
use burgee_schema::{Store, StoreError, chain};
use cache::Cache;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout_at;

/// How long an answer of the database counts where no change of keys is heard of.
const REMEMBERED_FOR: Duration = Duration::from_secs(5);
/// How many keys are remembered, unknown ones included.
const MOST: usize = 10_000;

/// What every secret key of a project begins with.
const SECRET_PREFIX: &str = "phs_";
/// What personal keys begin with by habit.
const PERSONAL_PREFIX: &str = "phx_";

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Why a credential lets nobody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// There is none where one is needed.
    #[error("no credential")]
    Missing,
    /// No project has this secret key, or another one has it.
    #[error("unknown secret key")]
    UnknownSecret,
    /// There is no such personal key, or it is another project's.
    #[error("unknown personal key")]
    UnknownPersonal,
    /// The personal key may not do this.
    #[error("the personal key lacks a scope")]
    MissingScope {
        /// One of these would do, as a sentence names them.
        wanted: &'static str,
    },
    /// The database cannot be reached.
    #[error("the database is unavailable")]
    DatabaseUnavailable,
    /// The database did not answer, or not with what was asked for.
    #[error("the key could not be checked")]
    NotChecked,
    /// Time ran out.
    #[error("the key could not be checked in time")]
    TimedOut,
}

/// What a request presents; its `Debug` hides it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Presented<'a>(&'a str);

impl<'a> Presented<'a> {
    /// Reads `Authorization: Bearer X`. An empty value counts as absent.
    pub fn bearer(headers: &'a HeaderMap) -> Option<Self> {
        let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
        let (scheme, key) = value.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        Self::of(key)
    }

    /// Reads `Authorization: Bearer X`, or else `X-API-Key: X` (section 8.1).
    pub fn bearer_or_api_key(headers: &'a HeaderMap) -> Option<Self> {
        Self::bearer(headers).or_else(|| Self::of(headers.get(&API_KEY)?.to_str().ok()?))
    }

    fn of(text: &'a str) -> Option<Self> {
        let key = text.trim();
        (!key.is_empty()).then_some(Self(key))
    }

    /// Returns it as it is, for limits that count by it.
    pub(crate) fn as_bytes(self) -> &'a [u8] {
        self.0.as_bytes()
    }

    /// Returns whether it says of itself that it is a project's secret key.
    fn is_secret(self) -> bool {
        self.0.starts_with(SECRET_PREFIX)
    }

    /// Returns whether it looks like a personal key.
    fn is_personal(self) -> bool {
        self.0.starts_with(PERSONAL_PREFIX)
    }
}

impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Presented(…)")
    }
}

/// A key that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// A project's secret key.
    Secret {
        /// Whose it is.
        project: ProjectId,
    },
    /// Somebody's personal key.
    Personal(PersonalKey),
}

/// A personal key. It belongs to the one project that it was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonalKey {
    /// That project.
    pub project: ProjectId,
    /// What it is for; unique within the project.
    pub label: Box<str>,
    /// What it may do.
    pub scopes: Scopes,
}

impl Key {
    /// Returns the project that it belongs to.
    pub fn project(&self) -> ProjectId {
        match self {
            Self::Secret { project } => *project,
            Self::Personal(key) => key.project,
        }
    }

    /// Returns the error that says that there is no such key, as one of its kind is told.
    pub fn unknown(&self) -> CredentialError {
        match self {
            Self::Secret { .. } => CredentialError::UnknownSecret,
            Self::Personal(_) => CredentialError::UnknownPersonal,
        }
    }

    /// Checks that it may do this in a project: a secret key may read flags, a personal key what its scopes say.
    pub fn require(
        &self,
        project: ProjectId,
        resource: Resource,
        action: Action,
    ) -> Result<(), CredentialError> {
        if self.project() != project {
            return Err(self.unknown());
        }
        match self {
            Self::Secret { .. } if (resource, action) == (Resource::Flags, Action::Read) => Ok(()),
            Self::Secret { .. } => Err(CredentialError::UnknownPersonal),
            Self::Personal(key) => key.scopes.require(resource, action),
        }
    }
}

/// Whoever may ask for evaluations (section 8.1).
#[derive(Debug, Clone)]
pub enum Caller {
    /// Somebody with the public token of this project.
    Token(Arc<ProjectSnapshot>),
    /// Somebody with a key.
    Key(Arc<Key>),
}

/// Checks keys. One per process, shared by all HTTP workers.
pub struct Credentials {
    store: Store,
    /// Changes with every change of a key that was heard of.
    revision: KeysRevision,
    cache: Cache<Key>,
}

impl Credentials {
    /// Checks against this store, whose changes of keys the actors hear of.
    pub fn new(store: Store, system: &System) -> Self {
        Self {
            store,
            revision: system.keys_revision(),
            cache: Cache::new(MOST, REMEMBERED_FOR),
        }
    }

    /// Returns the key that is presented.
    pub async fn key(
        &self,
        presented: Option<Presented<'_>>,
        deadline: Instant,
    ) -> Result<Arc<Key>, CredentialError> {
        let presented = presented.ok_or(CredentialError::Missing)?;
        let fingerprint = of_presented(presented.0);
        // Before the question: what changes meanwhile ends the answer.
        let revision = self.revision.current();
        let question = async {
            if presented.is_secret() {
                self.secret(&fingerprint).await
            } else {
                self.personal(&fingerprint).await
            }
        };
        let found = self.cache.get(&fingerprint, revision, question);
        let found = timeout_at(deadline.into(), found).await;
        let found = found.map_err(|_elapsed| CredentialError::TimedOut)??;
        found.ok_or(if presented.is_secret() {
            CredentialError::UnknownSecret
        } else {
            CredentialError::UnknownPersonal
        })
    }

    /// Returns who asks where a project's token will do as well as a key.
    pub async fn caller(
        &self,
        system: &System,
        presented: Option<Presented<'_>>,
        deadline: Instant,
    ) -> Result<Caller, CredentialError> {
        let presented = presented.ok_or(CredentialError::Missing)?;
        let key = self.key(Some(presented), deadline);
        if presented.is_secret() {
            return Ok(Caller::Key(key.await?));
        }
        // First where it probably is: what is found there is not asked for elsewhere.
        if presented.is_personal() {
            match key.await {
                Err(CredentialError::UnknownPersonal) => {}
                key => return key.map(Caller::Key),
            }
            let project = system.project(presented.0, deadline).await?;
            return project
                .map(Caller::Token)
                .ok_or(CredentialError::UnknownPersonal);
        }
        match system.project(presented.0, deadline).await? {
            Some(project) => Ok(Caller::Token(project)),
            None => key.await.map(Caller::Key),
        }
    }

    async fn secret(&self, fingerprint: &str) -> Result<Option<Key>, CredentialError> {
        let row = self.store.secret_token(fingerprint).await;
        let row = row.map_err(|error| not_checked(&error))?;
        let row = row.filter(|row: &SecretTokenRow| is_same(&row.fingerprint, fingerprint));
        Ok(row.map(|row| Key::Secret {
            project: ProjectId(row.project_id),
        }))
    }

    async fn personal(&self, fingerprint: &str) -> Result<Option<Key>, CredentialError> {
        let row = self.store.personal_key(fingerprint).await;
        let row = row.map_err(|error| not_checked(&error))?;
        let row = row.filter(|row: &PersonalKeyRow| is_same(&row.fingerprint, fingerprint));
        Ok(row.map(|row| {
            Key::Personal(PersonalKey {
                project: ProjectId(row.project_id),
                label: row.label.into(),
                scopes: Scopes::parse(&row.scopes),
            })
        }))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

impl From<ProjectError> for CredentialError {
    fn from(error: ProjectError) -> Self {
        match error {
            ProjectError::Unavailable => Self::NotChecked,
            ProjectError::TimedOut => Self::TimedOut,
        }
    }
}

fn not_checked(error: &StoreError) -> CredentialError {
    tracing::warn!(error = chain(error), "a key could not be checked");
    match error {
        StoreError::Unavailable(_) => CredentialError::DatabaseUnavailable,
        _ => CredentialError::NotChecked,
    }
}

/// Compares two digests in a time that says nothing of where they differ.
fn is_same(a: &str, b: &str) -> bool {
    let differences = a
        .bytes()
        .zip(b.bytes())
        .fold(0, |all, (a, b)| all | (a ^ b));
    a.len() == b.len() && std::hint::black_box(differences) == 0
}
