//! What is stored, as a project file: the same text for the same content, whichever database holds it.

use super::emit::{Emitter, Format, list, object};
use super::json;
use super::node::Value;
use burgee_schema::models::{
    CohortRow, FlagRow, FullPerson, GroupRow, GroupTypeRow, PersonalKeyRow, ProjectRow,
    SecretTokenRow,
};
use burgee_schema::{Store, StoreError, WriteTransaction};
use chrono::SecondsFormat;
use std::collections::HashSet;
use std::io;

/// How many persons are held at once.
const PAGE: i64 = 500;

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// No such project.
    #[error("there is no project {0}")]
    UnknownProject(i64),
    /// The database.
    #[error("the database cannot be read")]
    Store(#[from] StoreError),
    /// The output.
    #[error("the output cannot be written")]
    Write(#[from] io::Error),
    /// Something stored is not JSON.
    #[error("{what} is stored as text that is not JSON: {why}")]
    NotJson {
        /// What it is.
        what: String,
        /// What is wrong with it; never its content.
        why: String,
    },
}

type Result<T> = std::result::Result<T, ExportError>;

/// Writes all projects, or one, as a file that [`apply`](super::apply) takes.
///
/// Reads one moment's truth, page by page, and keeps no writer waiting.
pub async fn export(
    store: &Store,
    project: Option<i64>,
    format: Format,
    out: &mut (impl io::Write + Send),
) -> Result<()> {
    let mut transaction = store.begin_snapshot().await?;
    let mut projects = transaction.projects().await?;
    projects.sort_by_key(|p| p.id);
    if let Some(id) = project {
        projects.retain(|p| p.id == id);
        if projects.is_empty() {
            return Err(ExportError::UnknownProject(id));
        }
    }
    let mut emitter = Emitter::new(out, format);
    emitter.begin()?;
    for (index, project) in projects.iter().enumerate() {
        export_project(&mut transaction, &mut emitter, index, project).await?;
    }
    emitter.end(projects.len())?;
    transaction.roll_back().await?;
    Ok(())
}

async fn export_project<W: io::Write + Send>(
    transaction: &mut WriteTransaction,
    emitter: &mut Emitter<'_, W>,
    index: usize,
    project: &ProjectRow,
) -> Result<()> {
    let id = project.id;
    let mut types = transaction.group_types(id).await?;
    types.sort_by_key(|t| t.group_type_index);
    let mut tokens = transaction.secret_tokens(id).await?;
    tokens.sort_by(|a, b| a.fingerprint.cmp(&b.fingerprint));
    let mut keys = transaction.personal_keys(id).await?;
    keys.sort_by(|a, b| a.label.cmp(&b.label));
    emitter.begin_project(index, &head(project, &types, &tokens, &keys)?)?;

    let mut flags = transaction.flags(id).await?;
    flags.sort_by(|a, b| a.key.cmp(&b.key));
    write_list(emitter, "flags", &flags, flag)?;
    let mut cohorts = transaction.cohorts(id).await?;
    cohorts.sort_by_key(|c| c.id);
    write_list(emitter, "cohorts", &cohorts, cohort)?;
    let statics: HashSet<i64> = (cohorts.iter())
        .filter(|c| c.is_static)
        .map(|c| c.id)
        .collect();
    export_persons(transaction, emitter, id, &statics).await?;
    let mut groups = transaction.groups(id).await?;
    groups.sort_by(|a, b| (a.group_type_index, &a.key).cmp(&(b.group_type_index, &b.key)));
    write_list(emitter, "groups", &groups, |row| group(row, &types))?;
    emitter.end_project()?;
    Ok(())
}

fn write_list<W: io::Write, T>(
    emitter: &mut Emitter<'_, W>,
    name: &str,
    rows: &[T],
    value: impl Fn(&T) -> Result<Value>,
) -> Result<()> {
    for (index, row) in rows.iter().enumerate() {
        emitter.item(name, index, &value(row)?)?;
    }
    emitter.end_list(name, rows.len())?;
    Ok(())
}

async fn export_persons<W: io::Write + Send>(
    transaction: &mut WriteTransaction,
    emitter: &mut Emitter<'_, W>,
    project: i64,
    static_cohorts: &HashSet<i64>,
) -> Result<()> {
    let mut count = 0;
    let mut after = 0;
    loop {
        let page = transaction.persons_after(project, after, PAGE).await?;
        let Some(last) = page.last() else {
            break;
        };
        after = last.person.id;
        // Without an id nobody can name a person, and a file cannot either.
        for row in page.iter().filter(|p| !p.distinct_ids.is_empty()) {
            emitter.item("persons", count, &person(row, static_cohorts)?)?;
            count += 1;
        }
    }
    emitter.end_list("persons", count)?;
    Ok(())
}

fn head(
    project: &ProjectRow,
    types: &[GroupTypeRow],
    tokens: &[SecretTokenRow],
    keys: &[PersonalKeyRow],
) -> Result<Vec<(&'static str, Value)>> {
    let mut head = vec![
        ("id", number(project.id)),
        ("name", text(&project.name)),
        ("token", text(&project.token)),
        (
            "secret_tokens",
            list(tokens.iter().map(|t| text(&t.fingerprint))),
        ),
        (
            "personal_keys",
            list(keys.iter().map(personal_key).collect::<Result<Vec<_>>>()?),
        ),
    ];
    let in_order = types
        .iter()
        .enumerate()
        .all(|(i, t)| usize::try_from(t.group_type_index) == Ok(i));
    if in_order {
        head.push(("group_types", list(types.iter().map(|t| text(&t.name)))));
    } else {
        let indexes: Vec<String> = types
            .iter()
            .map(|t| t.group_type_index.to_string())
            .collect();
        let members = indexes.iter().zip(types);
        let members = members.map(|(index, t)| (index.as_str(), text(&t.name)));
        head.push(("group_types", object(members.collect())));
    }
    if let Some(zone) = &project.timezone {
        head.push(("timezone", text(zone)));
    }
    if let Some(version) = project.property_matching_version {
        head.push(("property_matching_version", number(version)));
    }
    Ok(head)
}

fn personal_key(row: &PersonalKeyRow) -> Result<Value> {
    Ok(object(vec![
        ("label", text(&row.label)),
        ("key", text(&row.fingerprint)),
        (
            "scopes",
            stored(&row.scopes, || {
                format!("the scopes of the key {}", row.label)
            })?,
        ),
    ]))
}

/// `version` is left out: the store counts it, and an import begins anew.
fn flag(row: &FlagRow) -> Result<Value> {
    let what = |field: &str| format!("`{field}` of the flag {}", row.key);
    let mut members = vec![("id", number(row.id)), ("key", text(&row.key))];
    optional(&mut members, "name", row.name.as_deref());
    members.push(("active", Value::Bool(row.active)));
    for (name, value) in [
        ("archived", row.archived),
        (
            "ensure_experience_continuity",
            row.ensure_experience_continuity,
        ),
        ("has_experiment", row.has_experiment),
        ("is_remote_configuration", row.is_remote_configuration),
    ] {
        if value {
            members.push((name, Value::Bool(true)));
        }
    }
    optional(
        &mut members,
        "evaluation_runtime",
        row.evaluation_runtime.as_deref(),
    );
    if let Some(contexts) = &row.evaluation_contexts {
        let contexts = stored(contexts, || what("evaluation_contexts"))?;
        members.push(("evaluation_contexts", contexts));
    }
    optional(
        &mut members,
        "bucketing_identifier",
        row.bucketing_identifier.as_deref(),
    );
    members.push(("filters", stored(&row.filters, || what("filters"))?));
    Ok(object(members))
}

fn cohort(row: &CohortRow) -> Result<Value> {
    let what = |field: &str| format!("`{field}` of the cohort {}", row.id);
    let mut members = vec![("id", number(row.id))];
    optional(&mut members, "name", row.name.as_deref());
    members.push(("is_static", Value::Bool(row.is_static)));
    optional(&mut members, "cohort_type", row.cohort_type.as_deref());
    optional(
        &mut members,
        "condition_type",
        row.condition_type.as_deref(),
    );
    for (name, json) in [("filters", &row.filters), ("groups", &row.groups)] {
        if let Some(json) = json {
            members.push((name, stored(json, || what(name))?));
        }
    }
    Ok(object(members))
}

fn person(row: &FullPerson, static_cohorts: &HashSet<i64>) -> Result<Value> {
    let created_at = (row.person.created_at).to_rfc3339_opts(SecondsFormat::AutoSi, true);
    let properties = stored(&row.person.properties, || {
        format!(
            "`properties` of the person with the row id {}",
            row.person.id
        )
    })?;
    let mut members = vec![
        (
            "distinct_ids",
            list(row.distinct_ids.iter().map(|id| text(id))),
        ),
        ("created_at", text(&created_at)),
        ("properties", properties),
    ];
    let cohorts = (row.static_cohorts.iter()).filter(|id| static_cohorts.contains(id));
    let mut cohorts: Vec<i64> = cohorts.copied().collect();
    cohorts.sort_unstable();
    if !cohorts.is_empty() {
        members.push(("static_cohorts", list(cohorts.into_iter().map(number))));
    }
    let mut overrides: Vec<_> = row.hash_key_overrides.iter().collect();
    overrides.sort();
    if !overrides.is_empty() {
        let overrides = overrides.into_iter().map(|(k, v)| (k.as_str(), text(v)));
        members.push(("hash_key_overrides", object(overrides.collect())));
    }
    Ok(object(members))
}

fn group(row: &GroupRow, types: &[GroupTypeRow]) -> Result<Value> {
    let name = types
        .iter()
        .find(|t| t.group_type_index == row.group_type_index)
        .map_or_else(|| row.group_type_index.to_string(), |t| t.name.clone());
    let properties = stored(&row.properties, || {
        format!("`properties` of a group of type {name}")
    })?;
    Ok(object(vec![
        ("type", text(&name)),
        ("key", text(&row.key)),
        ("properties", properties),
    ]))
}

fn optional(members: &mut Vec<(&str, Value)>, name: &'static str, value: Option<&str>) {
    if let Some(value) = value {
        members.push((name, text(value)));
    }
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

fn number(value: impl ToString) -> Value {
    Value::Number(value.to_string().into())
}

fn stored(json: &str, what: impl Fn() -> String) -> Result<Value> {
    let mut faults = Vec::new();
    let parsed = json::parse(json, &mut faults);
    match (parsed, faults.into_iter().next()) {
        (Ok(node), None) => Ok(node.value),
        (Err(fault), _) | (Ok(_), Some(fault)) => Err(ExportError::NotJson {
            what: what(),
            why: format!("at {}, {}", fault.place, fault.message),
        }),
    }
}

#[cfg(test)]
mod tests;
