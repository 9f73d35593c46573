//! The history of definitions, as the admin API tells it.

use super::project::AuthorResponse;
use super::time;
use burgee_schema::models::{ActivityRow, ChangeKind};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// One entry: who did what, and when.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Activity)]
pub struct ActivityResponse {
    /// Its place in the order of changes.
    pub id: i64,
    /// Who did it; null for the command line.
    #[schema(required)]
    pub user: Option<AuthorResponse>,
    /// `created`, `updated` or `deleted`.
    pub activity: &'static str,
    /// What was changed: `FeatureFlag`, `Cohort`, `Project` or `PersonalAPIKey`.
    pub scope: &'static str,
    /// The id of the flag, cohort or project.
    #[schema(required)]
    pub item_id: Option<String>,
    /// What about it.
    pub detail: ActivityDetail,
    /// When, RFC 3339.
    #[schema(required)]
    pub created_at: Option<String>,
}

/// What was changed about something.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ActivityDetail)]
pub struct ActivityDetail {
    /// Its key or id.
    pub name: String,
    /// A line a member.
    pub changes: Vec<FieldChange>,
}

/// One member, before and after.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = FieldChange)]
pub struct FieldChange {
    /// The same as the entry's scope.
    pub r#type: &'static str,
    /// `created`, `changed` or `deleted`: whether there was, and is, a value.
    pub action: &'static str,
    /// The member's name.
    pub field: String,
    /// What it was; null when it was not.
    #[schema(value_type = serde_json::Value)]
    pub before: Option<Box<RawValue>>,
    /// What it is since; null when it is not any more.
    #[schema(value_type = serde_json::Value)]
    pub after: Option<Box<RawValue>>,
}

impl From<ActivityRow> for ActivityResponse {
    fn from(row: ActivityRow) -> Self {
        let scope = scope(row.kind);
        Self {
            id: row.sequence,
            user: row.author.as_deref().map(AuthorResponse::new),
            activity: row.activity.name(),
            scope,
            item_id: row.item.map(|id| id.to_string()),
            detail: ActivityDetail {
                changes: changes(scope, row.old_values.as_deref(), row.new_values.as_deref()),
                // Memberships name persons behind the cohort.
                name: row.object.split(':').next().unwrap_or_default().to_owned(),
            },
            created_at: time(row.at_microseconds),
        }
    }
}

/// Returns the name of a kind of things in the history.
fn scope(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Flag => "FeatureFlag",
        ChangeKind::Cohort | ChangeKind::CohortMembers => "Cohort",
        ChangeKind::Project => "Project",
        ChangeKind::Keys => "PersonalAPIKey",
        ChangeKind::Person | ChangeKind::HashKeys => "Person",
        ChangeKind::Group => "Group",
    }
}

/// Reads the kinds that a name in a query stands for.
pub fn kinds(scope: &str) -> Option<Vec<ChangeKind>> {
    match scope {
        "FeatureFlag" => Some(vec![ChangeKind::Flag]),
        "Cohort" => Some(vec![ChangeKind::Cohort, ChangeKind::CohortMembers]),
        "Project" => Some(vec![ChangeKind::Project]),
        "PersonalAPIKey" => Some(vec![ChangeKind::Keys]),
        _ => None,
    }
}

fn changes(scope: &'static str, old: Option<&str>, new: Option<&str>) -> Vec<FieldChange> {
    type Values = BTreeMap<String, Box<RawValue>>;
    let read = |text: Option<&str>| -> Values {
        text.and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default()
    };
    let (mut old, mut new) = (read(old), read(new));
    let mut names: Vec<String> = old.keys().chain(new.keys()).cloned().collect();
    names.sort_unstable();
    names.dedup();
    let change = |field: String| {
        let (before, after) = (old.remove(&field), new.remove(&field));
        let action = match (&before, &after) {
            (None, _) => "created",
            (_, None) => "deleted",
            _ => "changed",
        };
        FieldChange {
            r#type: scope,
            action,
            field,
            before,
            after,
        }
    };
    names.into_iter().map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burgee_schema::models::Activity;
    use serde_json::json;

    #[test]
    fn an_entry_tells_each_member_before_and_after() {
        let row = ActivityRow {
            sequence: 9,
            kind: ChangeKind::Flag,
            object: "beta".into(),
            item: Some(3),
            at_microseconds: Some(1_500_000),
            author: None,
            activity: Activity::Updated,
            old_values: Some(r#"{"active":true,"gone":5.0}"#.into()),
            new_values: Some(r#"{"active":false,"new":[1]}"#.into()),
        };
        let entry = serde_json::to_value(ActivityResponse::from(row)).unwrap();
        let line = |action, field, before, after| json!({"type": "FeatureFlag", "action": action, "field": field, "before": before, "after": after});
        assert_eq!(
            entry,
            json!({
                "id": 9, "user": null, "activity": "updated", "scope": "FeatureFlag", "item_id": "3",
                "created_at": "1970-01-01T00:00:01.500000Z",
                "detail": {"name": "beta", "changes": [
                    line("changed", "active", json!(true), json!(false)),
                    line("deleted", "gone", json!(5.0), json!(null)),
                    line("created", "new", json!(null), json!([1])),
                ]},
            })
        );
    }

    #[test]
    fn kinds_are_found_by_the_names_of_entries() {
        for kind in [
            ChangeKind::Flag,
            ChangeKind::Cohort,
            ChangeKind::Project,
            ChangeKind::Keys,
        ] {
            assert!(kinds(scope(kind)).unwrap().contains(&kind));
        }
        assert_eq!(kinds("Person"), None);
    }
}
