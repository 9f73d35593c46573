//! Exports of Unleash: the flags of one environment. Strategies become conditions, segments cohorts, parent flags dependencies.

mod constraint;
mod export;
mod strategy;
mod variants;

use super::plan::{self, Branch};
use super::rule::{Conditions, Rule};
use super::value::{as_list, integer, is_true, member, text, text_of};
use super::{Definition, ImportOptions, Imported, flag, wrong_environment};
use crate::project_file::{Node, Problems, Value, object};
use constraint::Reader;
use export::{Export, Feature, StrategyNode};
use std::collections::{BTreeSet, HashMap, HashSet};
use strategy::Strategy;
use variants::Variants;

/// Converts files. `Err` is an environment that has to be chosen, or that is not in the files.
pub(super) fn convert(files: &[Node], options: &ImportOptions) -> Result<Imported, Problems> {
    let mut imported = Imported {
        property_matching_version: Some(2),
        ..Imported::default()
    };
    let export = Export::read(files, &mut imported.notes);
    let environment = export
        .environment(options.environment.as_deref())
        .map_err(|message| wrong_environment(&message))?;
    let mut import = Import {
        conditions: Conditions::new(options.first_id),
        segments: HashMap::new(),
        ids: HashMap::new(),
        left_out: HashSet::new(),
        reader: Reader::new(options.now),
    };
    import.number_flags(&export);
    import.convert_segments(&export, &mut imported);
    // Parents have no parents of their own, so that each is known before what needs it.
    let (children, parents): (Vec<_>, Vec<_>) = export
        .features(&environment)
        .into_iter()
        .partition(|feature| !feature.parents.is_empty());
    for feature in parents.into_iter().chain(children) {
        import.convert_feature(&feature, &mut imported);
    }
    imported.cohorts = import.conditions.into_cohorts();
    Ok(imported)
}

struct Import {
    conditions: Conditions,
    /// The cohorts that stand for segments, by the ids of these; `None` for one that could not be expressed.
    segments: HashMap<String, Option<i64>>,
    /// The ids of all flags, if any depends on another.
    ids: HashMap<String, i64>,
    /// The flags that are left out so far.
    left_out: HashSet<String>,
    reader: Reader,
}

impl Import {
    /// Numbers all flags if any depends on another: were some numbered later, one could get the number of a flag that is left
    /// out and depended on.
    fn number_flags(&mut self, export: &Export<'_>) {
        if export.has_dependencies() {
            for name in export.names() {
                let id = self.conditions.fresh_id();
                self.ids.insert(name.to_owned(), id);
            }
        }
    }

    fn convert_segments(&mut self, export: &Export<'_>, imported: &mut Imported) {
        for (id, segment) in &export.segments {
            let name = text_of(segment.node, "name").unwrap_or_default();
            let subject = format!("segment {id} {name}");
            let cohort = match segment.node.get("constraints") {
                Some(constraints) => {
                    let path = format!("{}.constraints", segment.path);
                    let mut differences = BTreeSet::new();
                    let rule = self.reader.all(constraints, &path, &mut differences);
                    for difference in differences {
                        imported.notes.differs(&subject, difference);
                    }
                    rule.and_then(|rule| self.conditions.cohort(name, &rule))
                }
                None => Err(
                    "its constraints are not in the files; add the answer of /api/admin/segments"
                        .to_owned(),
                ),
            };
            let cohort = cohort.map_err(|reason| imported.notes.left_out(&subject, reason));
            self.segments.insert(id.clone(), cohort.ok());
        }
    }

    fn convert_feature(&mut self, feature: &Feature<'_>, imported: &mut Imported) {
        let subject = format!("flag {}", feature.name);
        let Some(settings) = feature.settings else {
            let reason = "it is not in this environment";
            return imported.notes.skipped(&subject, reason);
        };
        if is_true(feature.node, "archived") {
            return imported.notes.skipped(&subject, "it is archived");
        }
        let made = self.conditions.count();
        let mut differences = BTreeSet::new();
        let converted = self.filters(feature, settings, &mut differences);
        for difference in differences {
            imported.notes.differs(&subject, difference);
        }
        match converted {
            Ok(filters) => imported.flags.push(self.flag(feature, settings, filters)),
            Err(reason) => {
                self.conditions.forget(made);
                self.left_out.insert(feature.name.to_owned());
                imported.notes.left_out(&subject, reason);
            }
        }
    }

    fn flag(
        &self,
        feature: &Feature<'_>,
        settings: &Node,
        filters: Vec<(&'static str, Value)>,
    ) -> Definition {
        let mut members = Vec::new();
        if let Some(id) = self.ids.get(feature.name) {
            members.push(("id", integer(*id)));
        }
        if let Some(description) = text_of(feature.node, "description") {
            members.push(("name", text(description)));
        }
        members.push(("active", Value::Bool(is_true(settings, "enabled"))));
        members.push(("filters", object(filters)));
        flag(feature.name, members)
    }

    fn filters(
        &mut self,
        feature: &Feature<'_>,
        settings: &Node,
        differences: &mut BTreeSet<String>,
    ) -> Result<Vec<(&'static str, Value)>, String> {
        let list = member(settings, "variants").or_else(|| member(feature.node, "variants"));
        let mut variants = Variants::default();
        let own = variants.read(list.map_or(&[][..], as_list), "variants")?;
        let needed = self.needed(feature)?;
        let mut branches = Vec::new();
        let mut groups = BTreeSet::new();
        for node in &feature.strategies {
            let path = &node.path;
            let strategy = Strategy::read(node.node, path, &self.reader, differences)?;
            let segments = self.segments_of(node)?;
            let rule = Rule::All(vec![needed.clone(), strategy.rule.clone(), segments]);
            if strategy.is_hashed() {
                groups.insert(strategy.group_id.unwrap_or(feature.name).to_owned());
            }
            let mut split = variants.read(strategy.variants, &format!("{path}.variants"))?;
            split.other_field = split.other_field.or(strategy.other_field);
            let split = if split.is_empty() { &own } else { &split };
            let parts = split.branches(simplified(&rule), strategy.rollout, path, differences)?;
            branches.extend(parts);
        }
        if feature.is_open {
            let rule = simplified(&Rule::All(vec![needed]));
            branches.extend(own.branches(rule, 100.0, "variants", differences)?);
        }
        note_hashes(feature.name, &groups, &branches, differences)?;
        let mut filters = plan::filters(
            feature.name,
            &variants.keys(),
            &branches,
            &mut self.conditions,
        )?;
        let payloads = variants.payloads();
        if !payloads.is_empty() {
            filters.push(("payloads", object(payloads)));
        }
        Ok(filters)
    }

    fn segments_of(&self, strategy: &StrategyNode<'_>) -> Result<Rule, String> {
        let path = &strategy.path;
        let rules: Result<Vec<Rule>, String> = (strategy.segments.iter())
            .map(|id| match self.segments.get(id) {
                Some(Some(cohort)) => Ok(Rule::in_cohort(*cohort)),
                Some(None) => Err(format!(
                    "{path}.segments: it needs segment {id}, which is left out"
                )),
                None => Err(format!("{path}.segments: segment {id} is not in the files")),
            })
            .collect();
        Ok(Rule::All(rules?))
    }

    /// Returns what must hold of the flags that a flag depends on.
    fn needed(&self, feature: &Feature<'_>) -> Result<Rule, String> {
        let rules: Result<Vec<Rule>, String> = (feature.parents.iter())
            .map(|parent| {
                let name = text_of(parent, "feature").unwrap_or_default();
                if self.left_out.contains(name) {
                    return Err(format!(
                        "dependencies: it needs flag {name}, which is left out"
                    ));
                }
                let id = self.ids.get(name).copied();
                let id =
                    id.ok_or_else(|| format!("dependencies: flag {name} is not in the files"))?;
                if parent
                    .get("enabled")
                    .is_some_and(|e| e.value == Value::Bool(false))
                {
                    return Ok(Rule::flag(id, Value::Bool(false)));
                }
                let variants = parent.get("variants").map_or(&[][..], as_list);
                let any = variants.iter().map(|v| Rule::flag(id, v.value.clone()));
                Ok(match variants {
                    [] => Rule::flag(id, Value::Bool(true)),
                    _ => Rule::Any(any.collect()),
                })
            })
            .collect();
        Ok(Rule::All(rules?))
    }
}

/// Returns a rule without parts that everybody passes, so that an unconditional one is seen to be.
fn simplified(rule: &Rule) -> Rule {
    let Rule::All(parts) = rule else {
        return rule.clone();
    };
    let mut left: Vec<Rule> = (parts.iter().map(simplified))
        .filter(|part| *part != Rule::Always)
        .collect();
    if left.contains(&Rule::Never) {
        return Rule::Never;
    }
    match left.len() {
        0 => Rule::Always,
        1 => left.remove(0),
        _ => Rule::All(left),
    }
}

/// Tells that other people get the shares. Strategies that hash in different groups draw independently of each other, which
/// conditions do not.
fn note_hashes(
    name: &str,
    groups: &BTreeSet<String>,
    branches: &[Branch],
    differences: &mut BTreeSet<String>,
) -> Result<(), String> {
    if groups.len() > 1 {
        let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
        let groups = groups.join("`, `");
        return Err(format!(
            "its strategies draw people independently, by the group ids `{groups}`"
        ));
    }
    let is_split = |branch: &Branch| matches!(branch.served, plan::Served::Split(_));
    if !groups.is_empty() || branches.iter().any(is_split) {
        let difference = "another hash decides: the shares stay, other people get them";
        differences.insert(difference.to_owned());
    }
    for group in groups.iter().filter(|group| *group != name) {
        differences.insert(format!(
            "its rollout was drawn by the group id `{group}`, together with other flags; here by itself"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
