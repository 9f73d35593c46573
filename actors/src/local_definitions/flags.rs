//! Flags as SDKs read them (section 4.2): as they are stored, with references to other flags by key, and no property without
//! `key` and `value`.
//!
//! Two things are written otherwise than they are stored, because SDKs would read them otherwise than the server does: a
//! `semver_wildcard` without a star, and patterns that are no texts. A dependency on a flag about another subject has no chain.
//!
//! What evaluation drops because it cannot be read is left out, and so is asked of the server, which does not know it either.

use super::json::{Members, Object, list, text, write_list};
use super::spelling::Spelling;
use burgee_evaluation::Definitions;
use burgee_evaluation::definition::payload_text;
use burgee_schema::models::{DefinitionRows, FlagRow};
use serde_json::value::RawValue;
use std::collections::{BTreeSet, HashMap};

/// How many flags a chain of dependencies may name. Longer ones are left to the server: what is written grows with the square of
/// such a chain.
const LONGEST_CHAIN: usize = 256;

/// A condition of a flag.
#[derive(Clone, Copy)]
struct Place<'a> {
    flag: &'a str,
    condition: usize,
}

/// What writing a flag needs to know of the others.
pub(super) struct Writer<'a> {
    rows: &'a [FlagRow],
    definitions: &'a Definitions,
    keys: HashMap<i32, &'a str>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(rows: &'a DefinitionRows, definitions: &'a Definitions) -> Self {
        let mut keys = HashMap::with_capacity(rows.flags.len());
        keys.extend(rows.flags.iter().map(|row| (row.id, row.key.as_str())));
        Self {
            rows: &rows.flags,
            definitions,
            keys,
        }
    }

    /// Writes all flags, by key, and gathers the cohorts that they name.
    pub(super) fn write_all(
        &self,
        out: &mut Vec<u8>,
        cohorts: &mut BTreeSet<i64>,
    ) -> serde_json::Result<()> {
        let is_readable = |row: &&FlagRow| {
            let flag = self.definitions.flag(&row.key);
            flag.is_some_and(|flag| flag.id.0 == row.id)
        };
        let readable = self.rows.iter().filter(is_readable);
        write_list(out, readable, |out, row| self.flag(out, row, cohorts))
    }

    fn flag(
        &self,
        out: &mut Vec<u8>,
        row: &FlagRow,
        cohorts: &mut BTreeSet<i64>,
    ) -> serde_json::Result<()> {
        let mut flag = Object::open(out);
        flag.raw("id", &row.id.to_string())?;
        flag.raw("team_id", &row.project_id.to_string())?;
        flag.optional("name", Some(row.name.as_deref().unwrap_or_default()))?;
        flag.optional("key", Some(&row.key))?;
        flag.switch("active", row.active && !row.archived)?;
        flag.switch("deleted", row.deleted)?;
        flag.raw("version", &row.version.to_string())?;
        flag.switch(
            "ensure_experience_continuity",
            row.ensure_experience_continuity,
        )?;
        flag.switch("is_remote_configuration", row.is_remote_configuration)?;
        flag.switch("has_encrypted_payloads", false)?;
        flag.switch("has_experiment", row.has_experiment)?;
        let runtime = row.evaluation_runtime.as_deref();
        flag.optional("evaluation_runtime", Some(runtime.unwrap_or("all")))?;
        let contexts = row
            .evaluation_contexts
            .as_deref()
            .filter(|json| *json != "null");
        flag.raw("evaluation_contexts", contexts.unwrap_or("[]"))?;
        flag.optional("bucketing_identifier", row.bucketing_identifier.as_deref())?;
        self.filters(flag.name("filters")?, row, cohorts)?;
        flag.close();
        Ok(())
    }

    fn filters(
        &self,
        out: &mut Vec<u8>,
        row: &FlagRow,
        cohorts: &mut BTreeSet<i64>,
    ) -> serde_json::Result<()> {
        let json = row.filters.as_str();
        let Some(members) = Members::of(json) else {
            return raw(out, json);
        };
        let mut filters = Object::open(out);
        for (name, value) in members.iter() {
            match (name, list(value)) {
                ("groups", Some(conditions)) => {
                    let conditions = conditions.into_iter().enumerate();
                    write_list(
                        filters.name(name)?,
                        conditions,
                        |out, (index, condition)| {
                            let place = Place {
                                flag: &row.key,
                                condition: index,
                            };
                            self.condition(out, condition, place, cohorts)
                        },
                    )?;
                }
                ("payloads", _) => payloads(filters.name(name)?, value)?,
                _ => filters.raw(name, value)?,
            }
        }
        if members.get("groups").is_none() {
            filters.raw("groups", "[]")?;
        }
        filters.close();
        Ok(())
    }

    fn condition(
        &self,
        out: &mut Vec<u8>,
        json: &RawValue,
        place: Place<'_>,
        cohorts: &mut BTreeSet<i64>,
    ) -> serde_json::Result<()> {
        let Some(members) = Members::of(json.get()) else {
            return raw(out, json.get());
        };
        let mut condition = Object::open(out);
        for (name, value) in members.iter().filter(|(name, _)| *name != "properties") {
            condition.raw(name, value)?;
        }
        let properties = members.get("properties").and_then(list).unwrap_or_default();
        write_list(
            condition.name("properties")?,
            properties,
            |out, property| self.property(out, property, place, cohorts),
        )?;
        condition.close();
        Ok(())
    }

    fn property(
        &self,
        out: &mut Vec<u8>,
        json: &RawValue,
        place: Place<'_>,
        cohorts: &mut BTreeSet<i64>,
    ) -> serde_json::Result<()> {
        let Some(members) = Members::of(json.get()) else {
            return raw(out, json.get());
        };
        let kind = members.text("type").unwrap_or_default();
        if kind == "cohort" {
            cohorts.extend(members.integer("value"));
        }
        let flag = (kind == "flag").then(|| self.reference(&members));
        let spelling = Spelling::of(&members);
        let mut property = Object::open(out);
        for (name, value) in members.iter() {
            match (name, &flag) {
                ("key", Some(key)) => property.optional("key", Some(key))?,
                ("dependency_chain", Some(_)) => {}
                _ => spelling.write(&mut property, name, value)?,
            }
        }
        if members.get("value").is_none() {
            property.raw("value", "null")?;
        }
        if let Some(key) = &flag {
            let chain = self.definitions.dependency_chain(key);
            let chain = chain.filter(|chain| chain.len() <= LONGEST_CHAIN);
            let is_alike = |_: &Vec<&str>| {
                let Place { flag, condition } = place;
                self.definitions.shares_subject(flag, condition, key)
            };
            // An SDK evaluates what it meets on the way with the subject that it has at hand.
            let chain = chain.filter(is_alike);
            let out = property.name("dependency_chain")?;
            write_list(out, chain.unwrap_or_default(), text)?;
        }
        property.close();
        Ok(())
    }

    /// Returns the key of the flag that a filter names by its id; the id itself when there is no such flag.
    fn reference(&self, filter: &Members<'_>) -> String {
        let id = filter.text("key").unwrap_or_default();
        let key = id.parse().ok().and_then(|id: i32| self.keys.get(&id));
        key.map_or(id, |key| (*key).to_owned())
    }
}

/// Writes payloads as the texts that answers carry (section 3.7); null is none.
fn payloads(out: &mut Vec<u8>, json: &str) -> serde_json::Result<()> {
    let Some(members) = Members::of(json) else {
        return raw(out, json);
    };
    let mut payloads = Object::open(out);
    for (name, value) in members.iter() {
        if let Some(payload) = payload_text(value)? {
            text(payloads.name(name)?, &payload)?;
        }
    }
    payloads.close();
    Ok(())
}

/// What has another shape than it should is passed on: evaluation has its own opinion of it.
fn raw(out: &mut Vec<u8>, json: &str) -> serde_json::Result<()> {
    out.extend_from_slice(json.as_bytes());
    Ok(())
}
