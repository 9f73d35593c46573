//! Which flags of a project a list shows, and in which order.

use burgee_schema::models::FlagRecord;
use std::borrow::Cow;
use std::cmp::Ordering;

/// What is asked of a list of flags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FlagListQuery {
    /// Part of the key or of the name, in any case.
    pub search: Option<String>,
    /// Whether the flag is on.
    pub active: Option<bool>,
    /// Which kind of flag.
    pub r#type: Option<FlagType>,
    /// Words of which it has at least one.
    pub tags: Vec<String>,
    /// `all`, `client` or `server`.
    pub evaluation_runtime: Option<String>,
    /// Who created it.
    pub created_by_id: Option<String>,
    /// By what the list is ordered.
    pub order: Order,
}

/// A kind of flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagType {
    /// Without variants.
    Boolean,
    /// With variants.
    Multivariant,
    /// Part of an experiment.
    Experiment,
    /// Asked for its payload alone.
    RemoteConfig,
}

/// An order of flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Order {
    by: By,
    is_descending: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum By {
    #[default]
    Id,
    Key,
    Name,
    CreatedAt,
    UpdatedAt,
    Active,
}

impl FlagListQuery {
    /// Reads a query. What cannot be understood filters nothing.
    pub fn read<'a>(parameter: impl Fn(&str) -> Option<Cow<'a, str>>) -> Self {
        let text = |name: &str| {
            let value = parameter(name)?.trim().to_owned();
            (!value.is_empty()).then_some(value)
        };
        let order = text("order").or_else(|| text("ordering"));
        Self {
            search: text("search").map(|text| text.to_lowercase()),
            active: text("active").and_then(|text| match text.to_ascii_lowercase().as_str() {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            }),
            r#type: text("type").and_then(|text| match text.as_str() {
                "boolean" => Some(FlagType::Boolean),
                "multivariant" => Some(FlagType::Multivariant),
                "experiment" => Some(FlagType::Experiment),
                "remote_config" => Some(FlagType::RemoteConfig),
                _ => None,
            }),
            tags: text("tags").map(|text| tags(&text)).unwrap_or_default(),
            evaluation_runtime: text("evaluation_runtime"),
            created_by_id: text("created_by_id"),
            order: order.map(|text| Order::parse(&text)).unwrap_or_default(),
        }
    }

    /// Returns those that are asked for, in their order.
    pub fn select(&self, mut flags: Vec<FlagRecord>) -> Vec<FlagRecord> {
        flags.retain(|flag| self.shows(flag));
        flags.sort_by(|a, b| self.order.compare(a, b));
        flags
    }

    fn shows(&self, record: &FlagRecord) -> bool {
        let flag = &record.flag;
        let contains = |text: &str, part: &str| text.to_lowercase().contains(part);
        let by = |label: &str| super::project::AuthorResponse::new(label).id.to_string();
        self.search.as_deref().is_none_or(|part| {
            contains(&flag.key, part) || flag.name.as_deref().is_some_and(|it| contains(it, part))
        }) && self.active.is_none_or(|active| flag.active == active)
            && self.r#type.is_none_or(|kind| is_of_type(record, kind))
            && (self.tags.is_empty() || {
                let own = record.details.tags.as_deref().unwrap_or("[]");
                let own: Vec<String> = serde_json::from_str(own).unwrap_or_default();
                own.iter().any(|tag| self.tags.contains(tag))
            })
            && self.evaluation_runtime.as_deref().is_none_or(|runtime| {
                flag.evaluation_runtime.as_deref().unwrap_or("all") == runtime
            })
            && self.created_by_id.as_deref().is_none_or(|id| {
                record
                    .details
                    .created_by
                    .as_deref()
                    .is_some_and(|label| by(label) == id)
            })
    }
}

/// Reads tags as a JSON list, or separated by commas.
fn tags(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|_| {
        let parts = text.split(',').map(str::trim);
        parts
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    })
}

fn is_of_type(record: &FlagRecord, kind: FlagType) -> bool {
    let flag = &record.flag;
    let is_multivariant = || {
        let filters: Option<serde_json::Value> = serde_json::from_str(&flag.filters).ok();
        let variants = filters
            .as_ref()
            .and_then(|it| it.pointer("/multivariate/variants"));
        variants
            .and_then(|it| it.as_array())
            .is_some_and(|it| !it.is_empty())
    };
    match kind {
        FlagType::Experiment => flag.has_experiment,
        FlagType::RemoteConfig => flag.is_remote_configuration,
        FlagType::Multivariant => is_multivariant(),
        FlagType::Boolean => !is_multivariant() && !flag.is_remote_configuration,
    }
}

impl Order {
    /// Reads a member's name, with `-` in front of it for the other way round.
    fn parse(text: &str) -> Self {
        let (is_descending, name) = match text.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, text),
        };
        let by = match name {
            "key" => By::Key,
            "name" => By::Name,
            "created_at" => By::CreatedAt,
            "updated_at" => By::UpdatedAt,
            "active" => By::Active,
            _ => By::Id,
        };
        Self { by, is_descending }
    }

    fn compare(self, a: &FlagRecord, b: &FlagRecord) -> Ordering {
        let order = match self.by {
            By::Id => Ordering::Equal,
            By::Key => a.flag.key.cmp(&b.flag.key),
            By::Name => a.flag.name.cmp(&b.flag.name),
            By::CreatedAt => {
                let at = |it: &FlagRecord| it.details.created_at_microseconds;
                at(a).cmp(&at(b))
            }
            By::UpdatedAt => {
                let at = |it: &FlagRecord| it.details.updated_at_microseconds;
                at(a).cmp(&at(b))
            }
            By::Active => a.flag.active.cmp(&b.flag.active),
        };
        let order = order.then(a.flag.id.cmp(&b.flag.id));
        if self.is_descending {
            order.reverse()
        } else {
            order
        }
    }
}

#[cfg(test)]
mod tests;
