//! Requests of the admin API as the OpenAPI document shows them: they are read member by member.

use super::project::GroupTypeResponse;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What is written of a flag. What is absent stays as it is; a new flag needs a key and a condition set.
#[derive(Debug, ToSchema)]
#[schema(as = FlagChange)]
pub struct FlagWritten {
    /// Letters, digits, `-` and `_`; unique among flags that are not deleted.
    #[schema(
        nullable = false,
        min_length = 1,
        max_length = 400,
        pattern = "^[A-Za-z0-9_-]+$"
    )]
    pub key: Option<String>,
    /// A description.
    pub name: Option<String>,
    /// Condition sets (`groups`), variants (`multivariate`) and payloads.
    #[schema(nullable = false)]
    pub filters: Option<BTreeMap<String, Value>>,
    /// Whether it is on at all.
    #[schema(nullable = false)]
    pub active: Option<bool>,
    /// Archived flags are inactive.
    #[schema(nullable = false)]
    pub archived: Option<bool>,
    /// True hides it everywhere and frees its key; false brings it back.
    #[schema(nullable = false)]
    pub deleted: Option<bool>,
    /// The version that was read: if there is a newer one, nothing is written.
    pub version: Option<i64>,
    /// Whether a person's choice survives a login.
    #[schema(nullable = false)]
    pub ensure_experience_continuity: Option<bool>,
    /// Words to find it by.
    pub tags: Option<Vec<String>>,
    /// Where it is evaluated: `all`, `client` or `server`.
    pub evaluation_runtime: Option<Runtime>,
    /// In which contexts it is evaluated; in all when empty.
    pub evaluation_contexts: Option<Vec<String>>,
    /// By what it is bucketed.
    pub bucketing_identifier: Option<BucketedBy>,
    /// Whether it is asked for its payload alone.
    #[schema(nullable = false)]
    pub is_remote_configuration: Option<bool>,
}

/// Where a flag is evaluated.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Runtime {
    /// Everywhere.
    All,
    /// In browsers and apps.
    Client,
    /// On servers.
    Server,
}

/// By what a flag is bucketed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BucketedBy {
    /// The person.
    DistinctId,
    /// The device.
    DeviceId,
}

/// What is written of a cohort. What is absent stays as it is; a new one needs a name, and filters unless it is static.
#[derive(Debug, ToSchema)]
#[schema(as = CohortChange)]
pub struct CohortWritten {
    /// Its name.
    #[schema(nullable = false, min_length = 1, max_length = 400)]
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Who is in it, by properties.
    #[schema(nullable = false)]
    pub filters: Option<BTreeMap<String, Value>>,
    /// Whether who is in it is a stored list.
    #[schema(nullable = false)]
    pub is_static: Option<bool>,
    /// True hides it everywhere and forgets its stored list; false brings it back, without members.
    #[schema(nullable = false)]
    pub deleted: Option<bool>,
    /// The version that was read: if there is a newer one, nothing is written.
    pub version: Option<i64>,
    /// Persons to begin a static cohort with: their UUIDs or numbers.
    #[schema(rename = "_create_static_person_ids")]
    pub persons: Option<Vec<Value>>,
}

/// The same as a form, with a file.
#[derive(Debug, ToSchema)]
#[schema(as = CohortUpload)]
pub struct CohortUploaded {
    /// Its name.
    #[schema(nullable = false)]
    pub name: Option<String>,
    /// Distinct ids, one a line, or in a column of that name.
    pub csv: String,
}

/// Persons who become members.
#[derive(Debug, ToSchema)]
#[schema(as = NewMembers)]
pub struct MembersAdded {
    /// Their UUIDs or numbers.
    pub person_ids: Vec<PersonName>,
}

/// A person who is no member any more.
#[derive(Debug, ToSchema)]
#[schema(as = LostMember)]
pub struct MemberRemoved {
    /// Its UUID or number.
    pub person_id: PersonName,
}

/// The group types of a project, by index.
#[derive(Debug, ToSchema)]
#[schema(as = GroupTypes)]
pub struct GroupTypesListed(pub Vec<GroupTypeResponse>);

/// How people name a person.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum PersonName {
    /// The UUID, or the number as a text.
    Text(String),
    /// The number.
    Number(i64),
}
