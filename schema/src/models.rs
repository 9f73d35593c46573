//! The rows, as the rest of the workspace sees them, each beside its queries. JSON columns are the stored text, never
//! re-serialised, so that `5` and `5.0` stay different.

pub(crate) mod change;
pub(crate) mod cohort;
pub(crate) mod cohort_member;
pub(crate) mod definitions;
pub(crate) mod event;
pub(crate) mod flag;
pub(crate) mod group;
pub(crate) mod hash_key;
pub(crate) mod history;
pub(crate) mod key;
pub(crate) mod lookup;
pub(crate) mod person;
pub(crate) mod person_write;
pub(crate) mod project;
pub(crate) mod record;

pub use change::{ChangeKind, ChangeRow};
pub use cohort::CohortRow;
pub use cohort_member::{ChangedMembers, Membership};
pub use definitions::DefinitionRows;
pub use event::{
    EventId, EventOutcome, EventWrite, FlagCalls, GroupChange, Merge, PersonChange, Property,
    WrittenEvents,
};
pub use flag::FlagRow;
pub use group::{GroupRow, GroupTypeRow};
pub use hash_key::HashKeyWrite;
pub use history::{Activity, ActivityRow, HistoryOf};
pub use key::{PersonalKeyRow, SecretTokenRow};
pub use lookup::{Found, FoundHashKeys, FoundPerson, Lookup};
pub use person::{FullPerson, PersonRow};
pub use project::ProjectRow;
pub use record::{CohortRecord, FlagDetails, FlagRecord};

/// A migration and whether it has run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationStatus {
    /// Its folder name.
    pub name: String,
    /// Whether it has been applied.
    pub applied: bool,
}
