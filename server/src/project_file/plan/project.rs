//! Projects: which stored one an entry means, its settings, group types, secret tokens and personal keys.

use super::{Kind, Matched, Planner, StoredProject, Write, check, same_json};
use crate::project_file::fields::{At, Setting};
use crate::project_file::shape::{KeyEntry, ProjectEntry, ProjectFile};
use burgee_schema::models::{GroupTypeRow, PersonalKeyRow, ProjectRow, SecretTokenRow};
use burgee_schema::store::fingerprint;
use std::collections::HashMap;

impl<'s> Planner<'s, '_> {
    /// Finds the stored project of each entry, by id or by token; entries without a clear one are problems and left out.
    pub(super) fn match_projects(
        &mut self,
        file: ProjectFile,
    ) -> Vec<(usize, ProjectEntry, Matched<'s>)> {
        let mut matched = Vec::new();
        let mut ids = HashMap::new();
        let mut tokens = HashMap::new();
        for (index, entry) in file.projects.into_iter().enumerate() {
            let path = format!("projects[{index}]");
            let token = entry.token.as_ref().map(|t| t.value.clone());
            if let Some(token) = token
                && let Some(first) = tokens.insert(token, index)
            {
                let message = format!("the same token as projects[{first}]");
                self.findings.problem(entry.place, &path, message);
                continue;
            }
            let Some(found) = self.match_project(&path, &entry) else {
                continue;
            };
            if let Some(first) = ids.insert(found.id, index) {
                let message = format!("the same project as projects[{first}]");
                self.findings.problem(entry.place, &path, message);
                continue;
            }
            matched.push((index, entry, found));
        }
        matched
    }

    fn match_project(&mut self, path: &str, entry: &ProjectEntry) -> Option<Matched<'s>> {
        let projects = &self.stored.projects;
        let id = entry.id.as_ref();
        let by_id = id.and_then(|id| projects.iter().find(|p| p.project.id == id.value));
        let token = entry.token.as_ref();
        let by_token = token.and_then(|t| projects.iter().find(|p| p.project.token == t.value));
        let place = id.map_or(entry.place, |id| id.place);
        let old = match (by_id, by_token) {
            (Some(old), Some(other)) if old.project.id != other.project.id => {
                let message = format!("the token belongs to project {}", other.project.id);
                self.findings.problem(place, path, message);
                return None;
            }
            (None, Some(other)) if id.is_some() => {
                let message = format!(
                    "the token belongs to project {}, and the id of a project does not change",
                    other.project.id
                );
                self.findings.problem(place, path, message);
                return None;
            }
            (old, other) => old.or(other),
        };
        if old.is_none() && token.is_none() {
            let message = "no project with this id is stored, and a new one needs a `token`";
            self.findings.problem(place, path, message);
            return None;
        }
        let id = match (old, id) {
            (Some(old), _) => Some(old.project.id),
            (None, Some(id)) => Some(id.value),
            (None, None) => self.ids.project(),
        };
        if id.is_none() {
            self.findings.problem(place, path, "no project id is left");
        }
        Some(Matched { id: id?, old })
    }

    /// Plans one project with everything under it, in the order in which things refer to each other.
    pub(super) fn project(&mut self, index: usize, entry: ProjectEntry, matched: Matched<'s>) {
        let path = format!("projects[{index}]");
        self.settings(&entry, &matched);
        let group_types = self.group_types(&path, &entry.group_types, &matched);
        self.secret_tokens(entry.secret_tokens.as_deref(), &matched);
        self.personal_keys(entry.personal_keys.as_deref(), &matched);
        let cohorts = self.cohorts(&path, entry.cohorts, &matched);
        let flags = self.flags(&path, entry.flags, &matched);
        let definitions = check::Definitions {
            flags: &flags,
            cohorts: &cohorts,
            group_types: &group_types,
            old_flags: matched.old.map_or(&[], |old| &old.flags),
            old_cohorts: matched.old.map_or(&[], |old| &old.cohorts),
        };
        check::definitions(&path, &definitions, self.options.lenient, self.findings);
        let static_cohorts = cohorts
            .iter()
            .map(|c| (c.row.id, c.row.is_static))
            .collect();
        self.write_definitions(cohorts, flags, &matched);
        self.groups(&path, entry.groups, &group_types, &matched);
        self.persons(&path, entry.persons, &static_cohorts, &matched);
    }

    fn settings(&mut self, entry: &ProjectEntry, matched: &Matched<'s>) {
        let old = matched.old.map(|old| &old.project);
        let id = matched.id;
        let prune = self.options.prune;
        let token = entry.token.as_ref().map(|t| t.value.clone());
        let row = ProjectRow {
            id,
            name: (entry.name.clone())
                .or_else(|| old.map(|o| o.name.clone()))
                .unwrap_or_else(|| format!("Project {id}")),
            token: token
                .or_else(|| old.map(|o| o.token.clone()))
                .unwrap_or_default(),
            timezone: setting(&entry.timezone, old.and_then(|o| o.timezone.clone()), prune),
            property_matching_version: setting(
                &entry.property_matching_version,
                old.and_then(|o| o.property_matching_version),
                prune,
            ),
        };
        let name = format!("{id} {}", row.name);
        self.put((Kind::Project, id, name), old, row, Write::Project);
    }

    /// Plans the group types and returns all of them, name to index. An index keeps its name for ever, because flags and
    /// groups refer to it.
    fn group_types(
        &mut self,
        path: &str,
        entries: &[(i16, At<String>)],
        matched: &Matched<'s>,
    ) -> HashMap<String, i16> {
        let old: &[GroupTypeRow] = matched.old.map_or(&[], |old| &old.group_types);
        let mut all: HashMap<String, i16> = old
            .iter()
            .map(|t| (t.name.clone(), t.group_type_index))
            .collect();
        for (index, name) in entries {
            let path = format!("{path}.group_types");
            let at_index = old.iter().find(|t| t.group_type_index == *index);
            if let Some(stored) = at_index.filter(|t| t.name != name.value) {
                let message = format!(
                    "group type {index} is stored as `{}`, and a group type does not change",
                    stored.name
                );
                self.findings.problem(name.place, path, message);
                continue;
            }
            if let Some(stored) = all.get(&name.value).filter(|i| *i != index) {
                let message = format!("the group type `{}` has the index {stored}", name.value);
                self.findings.problem(name.place, path, message);
                continue;
            }
            all.insert(name.value.clone(), *index);
            let row = GroupTypeRow {
                project_id: matched.id,
                group_type_index: *index,
                name: name.value.clone(),
            };
            let what = (Kind::GroupType, matched.id, format!("{index} {}", row.name));
            self.put(what, at_index, row, Write::GroupType);
        }
        all
    }

    fn secret_tokens(&mut self, entries: Option<&[At<String>]>, matched: &Matched<'s>) {
        // A file that says nothing about credentials is not about them: pruning flags must not lock anybody out.
        let Some(entries) = entries else { return };
        let old: &[SecretTokenRow] = matched.old.map_or(&[], |old| &old.secret_tokens);
        let mut named = Vec::new();
        for entry in entries {
            let row = SecretTokenRow {
                project_id: matched.id,
                fingerprint: fingerprint(&entry.value),
            };
            let stored = old.iter().find(|t| t.fingerprint == row.fingerprint);
            let what = (Kind::SecretToken, matched.id, short(&row.fingerprint));
            named.push(row.fingerprint.clone());
            self.put(what, stored, row, Write::SecretToken);
        }
        if self.options.prune {
            for gone in old.iter().filter(|t| !named.contains(&t.fingerprint)) {
                let write = Write::DeleteSecretToken(matched.id, gone.fingerprint.clone());
                let name = short(&gone.fingerprint);
                self.remove(Kind::SecretToken, matched.id, name, write);
            }
        }
    }

    fn personal_keys(&mut self, entries: Option<&[KeyEntry]>, matched: &Matched<'s>) {
        let Some(entries) = entries else { return };
        let old: &[PersonalKeyRow] = matched.old.map_or(&[], |old| &old.personal_keys);
        for entry in entries {
            let stored = old.iter().find(|k| k.label == entry.label.value);
            let scopes = serde_json::Value::from(entry.scopes.clone()).to_string();
            let row = PersonalKeyRow {
                project_id: matched.id,
                label: entry.label.value.clone(),
                fingerprint: fingerprint(&entry.key.value),
                scopes: match stored {
                    Some(stored) if same_json(&stored.scopes, &scopes) => stored.scopes.clone(),
                    _ => scopes,
                },
            };
            let what = (Kind::PersonalKey, matched.id, row.label.clone());
            self.put(what, stored, row, Write::PersonalKey);
        }
        if self.options.prune {
            let is_named = |label: &str| entries.iter().any(|e| e.label.value == label);
            for gone in old.iter().filter(|k| !is_named(&k.label)) {
                let write = Write::DeletePersonalKey(matched.id, gone.label.clone());
                self.remove(Kind::PersonalKey, matched.id, gone.label.clone(), write);
            }
        }
    }

    /// Reports credentials that stand twice in the file, belong to another stored project, or could never be looked up.
    pub(super) fn keys_are_unique(&mut self, projects: &[(usize, ProjectEntry, Matched<'s>)]) {
        let mut owners: HashMap<String, i64> = HashMap::new();
        for stored in &self.stored.projects {
            for print in prints(stored) {
                owners.insert(print.to_owned(), stored.project.id);
            }
        }
        let mut seen: HashMap<String, String> = HashMap::new();
        for (index, entry, matched) in projects {
            let tokens = entry.secret_tokens.iter().flatten();
            let tokens = tokens
                .enumerate()
                .map(|(i, token)| (format!("projects[{index}].secret_tokens[{i}]"), token, true));
            let keys = entry.personal_keys.iter().flatten();
            let keys = keys.enumerate().map(|(i, key)| {
                (
                    format!("projects[{index}].personal_keys[{i}]"),
                    &key.key,
                    false,
                )
            });
            for (path, secret, is_token) in tokens.chain(keys) {
                if let Some(message) = unusable(&secret.value, is_token) {
                    self.findings.problem(secret.place, &path, message);
                }
                let print = fingerprint(&secret.value);
                if let Some(owner) = owners.get(&print).filter(|owner| **owner != matched.id) {
                    let message = format!("it already belongs to project {owner}");
                    self.findings.problem(secret.place, &path, message);
                }
                if let Some(first) = seen.insert(print, path.clone()) {
                    let message = format!("the same secret as {first}");
                    self.findings.problem(secret.place, &path, message);
                }
            }
            self.labels_are_unique(*index, entry);
        }
    }

    fn labels_are_unique(&mut self, index: usize, entry: &ProjectEntry) {
        let keys: Vec<_> = entry.personal_keys.iter().flatten().collect();
        for (i, key) in keys.iter().enumerate() {
            let earlier = keys
                .iter()
                .take(i)
                .any(|k| k.label.value == key.label.value);
            if earlier && !key.label.value.is_empty() {
                let path = format!("projects[{index}].personal_keys[{i}].label");
                let message = format!("the label `{}` is used twice", key.label.value);
                self.findings.problem(key.label.place, path, message);
            }
        }
    }
}

fn prints(stored: &StoredProject) -> impl Iterator<Item = &str> {
    let tokens = stored.secret_tokens.iter().map(|t| t.fingerprint.as_str());
    tokens.chain(stored.personal_keys.iter().map(|k| k.fingerprint.as_str()))
}

/// Says why a credential would never be found: the prefix decides where it is looked up (http-api 2).
fn unusable(secret: &str, is_token: bool) -> Option<&'static str> {
    let hashed = fingerprint(secret) == secret;
    match (hashed, is_token, secret.starts_with("phs_")) {
        (false, true, false) => Some("a secret token must begin with `phs_`, or be a fingerprint"),
        (false, false, true) => Some("a personal key must not begin with `phs_`"),
        _ => None,
    }
}

fn setting<T: Clone>(new: &Setting<T>, old: Option<T>, prune: bool) -> Option<T> {
    match new {
        Setting::Some(value) => Some(value.clone()),
        Setting::None => None,
        Setting::Absent if prune => None,
        Setting::Absent => old,
    }
}

/// Returns enough of a fingerprint to tell two apart.
fn short(fingerprint: &str) -> String {
    fingerprint.chars().take("sha256:".len() + 12).collect()
}
