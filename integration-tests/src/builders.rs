//! Project files for tests: say what matters, the rest has a sane default.

use serde_json::{Map, Value, json};

/// Builds a project file with one project.
#[derive(Debug, Clone)]
pub struct ProjectBuilder {
    project: Map<String, Value>,
}

impl Default for ProjectBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl ProjectBuilder {
    /// Begins a project with id 1 and the token `phc_local_dev`.
    pub fn new() -> Self {
        let mut project = Map::new();
        project.insert("id".to_owned(), json!(1));
        project.insert("name".to_owned(), json!("Test"));
        project.insert("token".to_owned(), json!("phc_local_dev"));
        Self { project }
    }

    /// Sets any member of the project.
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.project.insert(name.to_owned(), value);
        self
    }

    /// Names the group types, by index.
    pub fn group_types(self, names: &[&str]) -> Self {
        self.with("group_types", json!(names))
    }

    /// Adds a flag.
    pub fn flag(self, flag: impl Into<Value>) -> Self {
        self.push("flags", flag.into())
    }

    /// Adds a cohort as the file writes it.
    pub fn cohort(self, cohort: Value) -> Self {
        self.push("cohorts", cohort)
    }

    /// Adds a person with its properties.
    pub fn person(self, distinct_ids: &[&str], properties: Value) -> Self {
        self.push(
            "persons",
            json!({"distinct_ids": distinct_ids, "properties": properties}),
        )
    }

    /// Adds a group with its properties.
    pub fn group(self, kind: &str, key: &str, properties: Value) -> Self {
        self.push(
            "groups",
            json!({"type": kind, "key": key, "properties": properties}),
        )
    }

    /// Adds an entry to any list of the project.
    pub fn push(mut self, list: &str, entry: Value) -> Self {
        let entries = self
            .project
            .entry(list.to_owned())
            .or_insert_with(|| json!([]));
        entries
            .as_array_mut()
            .expect("the member is a list")
            .push(entry);
        self
    }

    /// Returns the whole file.
    pub fn file(&self) -> Value {
        json!({"projects": [self.project]})
    }
}

/// Builds a flag; active, with one condition that lets everybody in, unless told otherwise.
#[derive(Debug, Clone)]
pub struct FlagBuilder {
    flag: Map<String, Value>,
    filters: Map<String, Value>,
    conditions: Vec<Value>,
}

impl FlagBuilder {
    /// Begins a flag.
    pub fn new(key: &str) -> Self {
        let mut flag = Map::new();
        flag.insert("key".to_owned(), json!(key));
        flag.insert("active".to_owned(), json!(true));
        Self {
            flag,
            filters: Map::new(),
            conditions: Vec::new(),
        }
    }

    /// Sets its id.
    pub fn id(self, id: i32) -> Self {
        self.with("id", json!(id))
    }

    /// Sets any member of the flag.
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.flag.insert(name.to_owned(), value);
        self
    }

    /// Sets any member of its `filters`.
    pub fn filters(mut self, name: &str, value: Value) -> Self {
        self.filters.insert(name.to_owned(), value);
        self
    }

    /// Adds a condition.
    pub fn condition(mut self, condition: Value) -> Self {
        self.conditions.push(condition);
        self
    }

    /// Adds a condition with one filter and full rollout.
    pub fn when(self, filter: Value) -> Self {
        self.condition(json!({"properties": [filter]}))
    }

    /// Adds a condition without filters and this rollout, in percent.
    pub fn rollout(self, percentage: u8) -> Self {
        self.condition(json!({"rollout_percentage": percentage}))
    }

    /// Sets variants as key and share, in percent.
    pub fn variants(self, shares: &[(&str, u8)]) -> Self {
        let variants: Vec<Value> = shares
            .iter()
            .map(|(key, share)| json!({"key": key, "rollout_percentage": share}))
            .collect();
        self.filters("multivariate", json!({"variants": variants}))
    }

    /// Makes the choice stick across a login.
    pub fn sticky(self) -> Self {
        self.with("ensure_experience_continuity", json!(true))
    }
}

impl From<FlagBuilder> for Value {
    fn from(builder: FlagBuilder) -> Self {
        let FlagBuilder {
            mut flag,
            mut filters,
            conditions,
        } = builder;
        let conditions = if conditions.is_empty() {
            vec![json!({})]
        } else {
            conditions
        };
        filters.insert("groups".to_owned(), Self::Array(conditions));
        flag.insert("filters".to_owned(), Self::Object(filters));
        Self::Object(flag)
    }
}

/// Filters on one thing each.
pub mod filter {
    use serde_json::{Value, json};

    /// A person's property.
    pub fn person(key: &str, operator: &str, value: impl Into<Value>) -> Value {
        json!({"type": "person", "key": key, "operator": operator, "value": value.into()})
    }

    /// A group's property; the group type is the condition's.
    pub fn group(key: &str, operator: &str, value: impl Into<Value>) -> Value {
        json!({"type": "group", "key": key, "operator": operator, "value": value.into()})
    }

    /// Membership in a cohort.
    pub fn cohort(id: i32) -> Value {
        json!({"type": "cohort", "key": "id", "operator": "in", "value": id})
    }

    /// The value of another flag.
    pub fn flag(id: i32, value: impl Into<Value>) -> Value {
        json!({"type": "flag", "key": id.to_string(), "operator": "flag_evaluates_to", "value": value.into()})
    }
}
