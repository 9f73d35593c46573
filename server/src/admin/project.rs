//! Projects, group types, and whose a key is, as the admin API shows them.

use burgee_schema::fingerprint::of_presented;
use burgee_schema::models::{GroupTypeRow, ProjectRow};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// What stands for an organization: everything on one server belongs to one.
const ORGANIZATION: Uuid = Uuid::from_u128(0x0000_0000_0000_8000_8000_0000_0000_0001);
const ORGANIZATION_NAME: &str = "Burgee";

/// A project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Project)]
pub struct ProjectResponse {
    /// Its id.
    pub id: i64,
    /// The organization it belongs to.
    pub organization: String,
    /// Its name.
    pub name: String,
    /// Its public token.
    pub api_token: String,
    /// Always null: of secret keys only digests are stored.
    #[schema(required)]
    pub secret_api_token: Option<String>,
    /// Its time zone, an IANA name.
    pub timezone: String,
}

impl From<ProjectRow> for ProjectResponse {
    fn from(row: ProjectRow) -> Self {
        Self {
            id: row.id,
            organization: ORGANIZATION.to_string(),
            name: row.name,
            api_token: row.token,
            secret_api_token: None,
            timezone: row.timezone.unwrap_or_else(|| "UTC".to_owned()),
        }
    }
}

/// Whose a key is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = KeyHolder)]
pub struct UserResponse {
    /// A number that stands for the key's label.
    pub id: u32,
    /// The same as a UUID.
    pub uuid: String,
    /// The key's label.
    pub first_name: String,
    /// Always empty: keys belong to nobody with an address.
    pub email: String,
    /// The project that the key is for.
    pub team: ProjectResponse,
    /// The organization that the project belongs to.
    pub organization: OrganizationResponse,
}

/// What stands for an organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Organization)]
pub struct OrganizationResponse {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

impl UserResponse {
    /// Describes the key of a project.
    pub fn new(label: &str, project: ProjectRow) -> Self {
        let AuthorResponse {
            id,
            uuid,
            first_name,
            email,
        } = AuthorResponse::new(label);
        Self {
            id,
            uuid,
            first_name,
            email,
            team: project.into(),
            organization: OrganizationResponse {
                id: ORGANIZATION.to_string(),
                name: ORGANIZATION_NAME.to_owned(),
            },
        }
    }
}

/// Who did something: a key, by its label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Author)]
pub struct AuthorResponse {
    /// A number that stands for the label, the same on all instances.
    pub id: u32,
    /// The same as a UUID.
    pub uuid: String,
    /// The label.
    pub first_name: String,
    /// Always empty.
    pub email: String,
}

impl AuthorResponse {
    /// Describes the key with a label.
    pub fn new(label: &str) -> Self {
        let digest = of_presented(label);
        let digits = digest.split_once(':').map_or("", |(_, digits)| digits);
        let number = digits
            .get(..8)
            .and_then(|part| u32::from_str_radix(part, 16).ok());
        let bytes = digits
            .get(8..40)
            .and_then(|part| u128::from_str_radix(part, 16).ok());
        let bytes = bytes.unwrap_or_default().to_be_bytes();
        Self {
            // Clients expect numbers of 31 bits.
            id: number.unwrap_or_default() >> 1,
            uuid: uuid::Builder::from_custom_bytes(bytes)
                .into_uuid()
                .to_string(),
            first_name: label.to_owned(),
            email: String::new(),
        }
    }
}

/// A group type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = GroupType)]
pub struct GroupTypeResponse {
    /// Its name.
    pub group_type: String,
    /// Its index, 0 to 4.
    pub group_type_index: i16,
    /// Always null.
    #[schema(required)]
    pub name_singular: Option<String>,
    /// Always null.
    #[schema(required)]
    pub name_plural: Option<String>,
}

impl From<GroupTypeRow> for GroupTypeResponse {
    fn from(row: GroupTypeRow) -> Self {
        Self {
            group_type: row.name,
            group_type_index: row.group_type_index,
            name_singular: None,
            name_plural: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AuthorResponse;

    #[test]
    fn a_label_always_has_the_same_numbers() {
        let ada = AuthorResponse::new("ada");
        assert_eq!(ada, AuthorResponse::new("ada"));
        assert_ne!(ada.id, AuthorResponse::new("bob").id);
        assert!(ada.id < 1 << 31);
        assert!(ada.uuid.parse::<uuid::Uuid>().is_ok());
    }
}
