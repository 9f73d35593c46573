//! What a personal key may do (chapter 2): `RESOURCE:read`, `RESOURCE:write`, or `*` for everything.

use super::CredentialError;

/// What an action is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// Flags.
    Flags,
    /// Cohorts.
    Cohorts,
    /// Persons.
    Persons,
    /// Groups and their types.
    Groups,
    /// Projects.
    Projects,
    /// The holder of the key.
    Users,
    /// The history of everything.
    Activity,
    /// The live page of an instance.
    Console,
}

/// What is done. Whoever may write may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing changes.
    Read,
    /// Something changes.
    Write,
}

/// The scopes of one key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scopes(Vec<Box<str>>);

impl Scopes {
    /// Reads the stored list. What cannot be read allows nothing.
    pub(super) fn parse(json: &str) -> Self {
        Self(serde_json::from_str(json).unwrap_or_default())
    }

    /// Checks that one of them allows an action.
    pub fn require(&self, resource: Resource, action: Action) -> Result<(), CredentialError> {
        let (read, write, wanted) = names(resource, action);
        let allows = |scope: &str| {
            scope == "*" || scope == write || (action == Action::Read && scope == read)
        };
        if self.0.iter().any(|scope| allows(scope)) {
            Ok(())
        } else {
            Err(CredentialError::MissingScope { wanted })
        }
    }
}

/// Returns the scope to read, the one to write, and how a sentence names those that allow the action.
fn names(resource: Resource, action: Action) -> (&'static str, &'static str, &'static str) {
    let (read, write, either) = match resource {
        Resource::Flags => (
            "feature_flag:read",
            "feature_flag:write",
            "feature_flag:read or feature_flag:write",
        ),
        Resource::Cohorts => ("cohort:read", "cohort:write", "cohort:read or cohort:write"),
        Resource::Persons => ("person:read", "person:write", "person:read or person:write"),
        Resource::Groups => ("group:read", "group:write", "group:read or group:write"),
        Resource::Projects => (
            "project:read",
            "project:write",
            "project:read or project:write",
        ),
        Resource::Activity => (
            "activity_log:read",
            "activity_log:write",
            "activity_log:read or activity_log:write",
        ),
        Resource::Users => ("user:read", "user:write", "user:read or user:write"),
        Resource::Console => ("console:read", "console:write", "console:read"),
    };
    match action {
        Action::Read => (read, write, either),
        Action::Write => (read, write, write),
    }
}
