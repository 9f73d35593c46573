//! Persons as the admin API shows them, and the UUIDs they go by there.

use super::time;
use burgee_schema::models::FullPerson;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

/// What tells the UUIDs of persons from all others; the low half of the bits is the person's id.
const PREFIX: u64 = 0x6275_7267_6565_8000;
/// The bits that make the low half one of a UUID.
const VARIANT: u64 = 0x8000_0000_0000_0000;

/// Returns the UUID of a person: its id in another spelling.
pub fn uuid_of(id: i64) -> Uuid {
    let id = u64::try_from(id).unwrap_or_default();
    Uuid::from_u64_pair(PREFIX, VARIANT | id)
}

/// Returns the person of a UUID; `None` when it is nobody's.
pub fn id_of(uuid: Uuid) -> Option<i64> {
    let (high, low) = uuid.as_u64_pair();
    let id = low ^ VARIANT;
    // Two bits belong to the variant, so ids have 62.
    (high == PREFIX && id >> 62 == 0).then(|| i64::try_from(id).ok())?
}

/// Reads how people name a person: by UUID, or by number.
pub fn parse_id(text: &str) -> Option<i64> {
    match text.parse::<Uuid>() {
        Ok(uuid) => id_of(uuid),
        Err(_) => text.parse().ok().filter(|id| *id > 0),
    }
}

/// A person.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Person)]
pub struct PersonResponse {
    /// Its id, the number.
    pub id: i64,
    /// Its id, as other endpoints take it.
    pub uuid: String,
    /// The first of its distinct ids.
    pub name: String,
    /// Its distinct ids, in their order.
    pub distinct_ids: Vec<String>,
    /// Its properties, as they were written.
    #[schema(value_type = serde_json::Value)]
    pub properties: Box<RawValue>,
    /// When it was created, RFC 3339.
    #[schema(required)]
    pub created_at: Option<String>,
}

impl From<FullPerson> for PersonResponse {
    fn from(whole: FullPerson) -> Self {
        let person = whole.person;
        Self {
            id: person.id,
            uuid: uuid_of(person.id).to_string(),
            name: whole.distinct_ids.first().cloned().unwrap_or_default(),
            distinct_ids: whole.distinct_ids,
            properties: super::raw(person.properties),
            created_at: time(Some(person.created_at.timestamp_micros())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_found_again_by_its_uuid() {
        for id in [1, 7, 1 << 40] {
            let uuid = uuid_of(id);
            assert_eq!(id_of(uuid), Some(id));
            assert_eq!(parse_id(&uuid.to_string()), Some(id));
            assert_eq!(parse_id(&id.to_string()), Some(id));
        }
    }

    #[test]
    fn other_texts_are_nobody() {
        for text in ["", "x", "-1", "0", "3f0e8a52-5e0b-4f0e-9d39-0f3a2f6f0b11"] {
            assert_eq!(parse_id(text), None, "{text}");
        }
        assert_eq!(id_of(Uuid::from_u64_pair(PREFIX, u64::MAX)), None);
        assert_eq!(id_of(Uuid::nil()), None);
    }
}
