//! Node tree to [`ProjectFile`]: names, types, and what one object alone can have wrong. Knows nothing of what is stored.

use super::fields::{
    At, Fields, Path, identifier, integer, list, members, object_json, text, wrong_type,
};
use super::node::{Node, Value};
use super::problem::Findings;
use super::shape::{
    CohortEntry, FlagEntry, GroupEntry, KeyEntry, PersonEntry, ProjectEntry, ProjectFile,
};
use chrono::{DateTime, SubsecRound, Utc};

const PROJECT: &[&str] = &[
    "id",
    "name",
    "token",
    "secret_tokens",
    "personal_keys",
    "group_types",
    "timezone",
    "property_matching_version",
    "flags",
    "cohorts",
    "persons",
    "groups",
];
const KEY: &[&str] = &["label", "key", "scopes"];
const FLAG: &[&str] = &[
    "id",
    "team_id",
    "key",
    "name",
    "filters",
    "active",
    "archived",
    "deleted",
    "ensure_experience_continuity",
    "version",
    "evaluation_runtime",
    "evaluation_contexts",
    "evaluation_tags",
    "bucketing_identifier",
    "has_experiment",
    "is_remote_configuration",
];
const COHORT: &[&str] = &[
    "id",
    "team_id",
    "name",
    "deleted",
    "is_static",
    "filters",
    "groups",
    "cohort_type",
    "condition_type",
    BACKFILLS[0],
    BACKFILLS[1],
];
/// When another service last computed the members of a realtime cohort.
const BACKFILLS: [&str; 2] = [
    "last_backfill_person_properties_at",
    "last_backfill_behavioral_filters_at",
];
const PERSON: &[&str] = &[
    "distinct_ids",
    "properties",
    "created_at",
    "static_cohorts",
    "hash_key_overrides",
];
const GROUP: &[&str] = &["type", "key", "properties"];

/// Reads a file. What cannot be read becomes a problem, and the rest is still returned.
pub(crate) fn read(root: Node, findings: &mut Findings) -> ProjectFile {
    let Some(mut fields) = Fields::open(root, &Path::ROOT, &["projects"], findings) else {
        return ProjectFile::default();
    };
    let Some(node) = fields.take("projects") else {
        findings.problem(fields.place, "", "`projects` is missing");
        return ProjectFile::default();
    };
    let path = Path::ROOT.member("projects");
    let projects = list(node, &path, findings).unwrap_or_default();
    ProjectFile {
        projects: each(projects, &path, findings, |node, path, _, findings| {
            project(node, path, findings)
        }),
    }
}

fn each<T>(
    nodes: Vec<Node>,
    path: &Path<'_>,
    findings: &mut Findings,
    mut read: impl FnMut(Node, &Path<'_>, usize, &mut Findings) -> Option<T>,
) -> Vec<T> {
    nodes
        .into_iter()
        .enumerate()
        .filter_map(|(i, node)| read(node, &path.item(i), i, findings))
        .collect()
}

fn project(node: Node, path: &Path<'_>, findings: &mut Findings) -> Option<ProjectEntry> {
    let mut fields = Fields::open(node, path, PROJECT, findings)?;
    let fields = &mut fields;
    let project = ProjectEntry {
        place: fields.place,
        id: fields.id("id", findings),
        name: fields.text("name", findings).map(|name| name.value),
        token: fields
            .take_some("token")
            .and_then(|node| not_empty(node, &path.member("token"), findings)),
        secret_tokens: fields.list("secret_tokens", findings).map(|tokens| {
            each(
                tokens,
                &path.member("secret_tokens"),
                findings,
                |node, path, _, findings| not_empty(node, path, findings),
            )
        }),
        personal_keys: fields.list("personal_keys", findings).map(|keys| {
            each(
                keys,
                &path.member("personal_keys"),
                findings,
                |node, path, _, findings| personal_key(node, path, findings),
            )
        }),
        group_types: fields
            .take_some("group_types")
            .map(|node| group_types(node, &path.member("group_types"), findings))
            .unwrap_or_default(),
        timezone: fields.setting("timezone", findings, timezone),
        property_matching_version: fields.setting(
            "property_matching_version",
            findings,
            |node, path, findings| integer(&node, path, findings),
        ),
        flags: objects(fields, "flags", findings, flag),
        cohorts: objects(fields, "cohorts", findings, cohort),
        persons: objects(fields, "persons", findings, person),
        groups: objects(fields, "groups", findings, group),
    };
    if project.id.is_none() && project.token.is_none() {
        findings.problem(fields.place, path, "a project needs an `id` or a `token`");
    }
    Some(project)
}

fn objects<T>(
    fields: &mut Fields<'_>,
    name: &str,
    findings: &mut Findings,
    read: impl FnMut(Node, &Path<'_>, usize, &mut Findings) -> Option<T>,
) -> Vec<T> {
    let nodes = fields.list(name, findings).unwrap_or_default();
    each(nodes, &fields.path.member(name), findings, read)
}

fn not_empty(node: Node, path: &Path<'_>, findings: &mut Findings) -> Option<At<String>> {
    let text = text(node, path, findings)?;
    if text.value.is_empty() {
        findings.problem(text.place, path, "must not be empty");
        return None;
    }
    Some(text)
}

fn timezone(node: Node, path: &Path<'_>, findings: &mut Findings) -> Option<String> {
    let name = text(node, path, findings)?;
    if name.value.parse::<chrono_tz::Tz>().is_err() {
        let message = format!("`{}` is not an IANA time zone", name.value);
        findings.problem(name.place, path, message);
        return None;
    }
    Some(name.value)
}

fn group_types(node: Node, path: &Path<'_>, findings: &mut Findings) -> Vec<(i16, At<String>)> {
    let entries: Vec<(String, Node)> = match node.value {
        Value::List(items) => items
            .into_iter()
            .enumerate()
            .map(|(i, item)| (i.to_string(), item))
            .collect(),
        Value::Map(members) => members
            .into_iter()
            .map(|(name, member)| (name.text, member))
            .collect(),
        other => {
            wrong_type(findings, node.place, path, "a list or an object", &other);
            return Vec::new();
        }
    };
    let mut types: Vec<(i16, At<String>)> = Vec::new();
    for (index, node) in entries {
        let path = path.member(&index);
        let place = node.place;
        let number = index.parse().ok().filter(|i| (0..=4).contains(i));
        let name = not_empty(node, &path, findings);
        match (number, name) {
            (None, _) => findings.problem(
                place,
                path,
                format!("the group type index {index} is not one of 0 to 4"),
            ),
            (_, Some(name)) if types.iter().any(|(_, n)| n.value == name.value) => {
                let message = format!("the group type `{}` is named twice", name.value);
                findings.problem(place, path, message);
            }
            (Some(number), Some(name)) => types.push((number, name)),
            (Some(_), None) => {}
        }
    }
    types.sort_by_key(|(index, _)| *index);
    types
}

fn personal_key(node: Node, path: &Path<'_>, findings: &mut Findings) -> Option<KeyEntry> {
    let mut fields = Fields::open(node, path, KEY, findings)?;
    let label = fields.required_text("label", findings);
    let key = fields.required_text("key", findings);
    let scopes = fields.texts("scopes", findings);
    if scopes.as_ref().is_none_or(Vec::is_empty) {
        let message = "`scopes` is missing; `[\"*\"]` allows everything";
        findings.problem(fields.place, path, message);
    }
    let scopes = scopes.unwrap_or_default();
    for scope in &scopes {
        if !is_scope(&scope.value) {
            let message = format!(
                "`{}` is not a scope; write `*`, `feature_flag:read`, `feature_flag:write`, `cohort:read` …",
                scope.value
            );
            findings.problem(scope.place, path.member("scopes"), message);
        }
    }
    Some(KeyEntry {
        label,
        key,
        scopes: scopes.into_iter().map(|s| s.value).collect(),
    })
}

/// Returns whether a text is `*`, or an object and an action such as `feature_flag:read`.
pub fn is_scope(text: &str) -> bool {
    text == "*"
        || text.split_once(':').is_some_and(|(object, action)| {
            matches!(action, "read" | "write")
                && !object.is_empty()
                && object.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        })
}

fn flag(node: Node, path: &Path<'_>, index: usize, findings: &mut Findings) -> Option<FlagEntry> {
    let mut fields = Fields::open(node, path, FLAG, findings)?;
    let fields = &mut fields;
    let key = fields.required_text("key", findings);
    let filters = fields.take("filters");
    if filters.is_none() {
        findings.problem(fields.place, path, "`filters` is missing");
    }
    // The store counts versions, and the project is the one the flag stands under.
    for ignored in ["version", "team_id"] {
        if let Some(node) = fields.take_some(ignored) {
            let _: Option<i64> = integer(&node, &path.member(ignored), findings);
        }
    }
    let active = fields.boolean("active", findings);
    let deleted = fields.boolean("deleted", findings).unwrap_or(false);
    if active.is_none() && !deleted {
        let message = format!(
            "the flag `{}` has no `active`, which means false",
            key.value
        );
        findings.warn(fields.place, path, message);
    }
    Some(FlagEntry {
        place: fields.place,
        index,
        id: fields.id("id", findings),
        key,
        name: fields.text("name", findings).map(|name| name.value),
        filters,
        active: active.unwrap_or(false),
        archived: fields.boolean("archived", findings).unwrap_or(false),
        deleted,
        ensure_experience_continuity: fields
            .nullable_boolean("ensure_experience_continuity", findings)
            .unwrap_or(false),
        evaluation_runtime: word(
            fields,
            "evaluation_runtime",
            &["server", "client", "all"],
            findings,
        ),
        evaluation_contexts: contexts(fields, findings),
        bucketing_identifier: word(
            fields,
            "bucketing_identifier",
            &["distinct_id", "device_id"],
            findings,
        ),
        has_experiment: fields
            .nullable_boolean("has_experiment", findings)
            .unwrap_or(false),
        is_remote_configuration: fields
            .nullable_boolean("is_remote_configuration", findings)
            .unwrap_or(false),
    })
}

/// Takes a text that is kept whatever it is; a warning says when it has no effect.
fn word(
    fields: &mut Fields<'_>,
    name: &str,
    known: &[&str],
    findings: &mut Findings,
) -> Option<String> {
    let word = fields.text(name, findings)?;
    if !known.iter().any(|k| word.value.eq_ignore_ascii_case(k)) {
        let message = format!(
            "`{}` has no effect; known are {}",
            word.value,
            known.join(", ")
        );
        findings.warn(word.place, fields.path.member(name), message);
    }
    Some(word.value)
}

fn contexts(fields: &mut Fields<'_>, findings: &mut Findings) -> Option<Vec<String>> {
    let new = fields.texts("evaluation_contexts", findings);
    let old = fields.texts("evaluation_tags", findings);
    if new.is_some() && old.is_some() {
        let message =
            "`evaluation_contexts` and `evaluation_tags` are one field; write one of them";
        findings.problem(fields.place, fields.path, message);
    }
    let contexts = new.or(old)?;
    Some(contexts.into_iter().map(|c| c.value).collect())
}

fn cohort(
    node: Node,
    path: &Path<'_>,
    index: usize,
    findings: &mut Findings,
) -> Option<CohortEntry> {
    let mut fields = Fields::open(node, path, COHORT, findings)?;
    let fields = &mut fields;
    if let Some(node) = fields.take_some("team_id") {
        let _: Option<i64> = integer(&node, &path.member("team_id"), findings);
    }
    for dropped in BACKFILLS {
        if let Some(node) = fields.take_some(dropped) {
            let message = "not kept: realtime cohorts are evaluated by their filters";
            findings.warn(node.place, path.member(dropped), message);
        }
    }
    let cohort = CohortEntry {
        place: fields.place,
        index,
        id: fields.id("id", findings),
        name: fields.text("name", findings),
        deleted: fields.boolean("deleted", findings).unwrap_or(false),
        is_static: fields.boolean("is_static", findings).unwrap_or(false),
        filters: fields.take_some("filters"),
        groups: fields.take_some("groups"),
        cohort_type: fields.text("cohort_type", findings).map(|t| t.value),
        condition_type: fields.text("condition_type", findings).map(|t| t.value),
    };
    if cohort.id.is_none() && cohort.name.is_none() {
        findings.problem(fields.place, path, "a cohort needs an `id` or a `name`");
    }
    Some(cohort)
}

fn person(
    node: Node,
    path: &Path<'_>,
    index: usize,
    findings: &mut Findings,
) -> Option<PersonEntry> {
    let mut fields = Fields::open(node, path, PERSON, findings)?;
    let fields = &mut fields;
    let ids = fields.list("distinct_ids", findings).unwrap_or_default();
    if ids.is_empty() {
        findings.problem(
            fields.place,
            path,
            "a person needs at least one distinct id",
        );
    }
    let distinct_ids = each(
        ids,
        &path.member("distinct_ids"),
        findings,
        |node, path, _, findings| distinct_id(node, path, findings),
    );
    Some(PersonEntry {
        place: fields.place,
        index,
        distinct_ids,
        properties: fields
            .take("properties")
            .and_then(|node| object_json(node, &path.member("properties"), findings)),
        created_at: fields
            .take_some("created_at")
            .and_then(|node| created_at(node, &path.member("created_at"), findings)),
        static_cohorts: fields.list("static_cohorts", findings).map(|ids| {
            each(
                ids,
                &path.member("static_cohorts"),
                findings,
                |node, path, _, findings| {
                    let value = integer(&node, path, findings)?;
                    Some(At {
                        place: node.place,
                        value,
                    })
                },
            )
        }),
        hash_key_overrides: fields
            .take_some("hash_key_overrides")
            .map(|node| overrides(node, &path.member("hash_key_overrides"), findings)),
    })
}

fn distinct_id(node: Node, path: &Path<'_>, findings: &mut Findings) -> Option<At<String>> {
    let id = identifier(node, path, findings)?;
    // Requests are cut before the person is looked up (evaluation.md 2.2), so a longer id is never found.
    if id.value.len() > 200 && id.value.chars().nth(200).is_some() {
        let message = "longer than 200 characters, which no request can ask for";
        findings.problem(id.place, path, message);
        return None;
    }
    Some(id)
}

fn created_at(node: Node, path: &Path<'_>, findings: &mut Findings) -> Option<DateTime<Utc>> {
    let time = text(node, path, findings)?;
    match DateTime::parse_from_rfc3339(&time.value) {
        // Both databases keep microseconds.
        Ok(parsed) => Some(parsed.to_utc().trunc_subsecs(6)),
        Err(_) => {
            let message = format!(
                "`{}` is not a time such as 2026-03-18T12:00:00Z",
                time.value
            );
            findings.problem(time.place, path, message);
            None
        }
    }
}

fn overrides(node: Node, path: &Path<'_>, findings: &mut Findings) -> Vec<(String, String)> {
    let mut overrides: Vec<(String, String)> = members(node, path, findings)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(name, member)| {
            let hash_key = identifier(member, &path.member(&name.text), findings)?;
            Some((name.text, hash_key.value))
        })
        .collect();
    overrides.sort();
    overrides
}

fn group(node: Node, path: &Path<'_>, index: usize, findings: &mut Findings) -> Option<GroupEntry> {
    let mut fields = Fields::open(node, path, GROUP, findings)?;
    let group_type = fields.required_text("type", findings);
    let key = match fields.take("key") {
        Some(node) => identifier(node, &path.member("key"), findings),
        None => {
            findings.problem(fields.place, path, "`key` is missing");
            None
        }
    }?;
    if key.value.is_empty() {
        let message = "must not be empty: an empty group key is never used";
        findings.problem(key.place, path.member("key"), message);
    }
    Some(GroupEntry {
        place: fields.place,
        index,
        group_type,
        key,
        properties: fields
            .take("properties")
            .and_then(|node| object_json(node, &path.member("properties"), findings)),
    })
}
