//! The files: exports of features, of a whole state in two versions, and lists of segments, as one.

use crate::import::note::Notes;
use crate::import::value::{as_list, is_true, items, text_of};
use crate::project_file::{Node, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The environment of what is older than environments.
const ONLY_ENVIRONMENT: &str = "default";

/// A node and where it stands in its file.
#[derive(Debug, Clone)]
pub(super) struct Placed<'n> {
    pub(super) path: String,
    pub(super) node: &'n Node,
}

/// A strategy, and the ids of its segments.
#[derive(Debug)]
pub(super) struct StrategyNode<'n> {
    pub(super) path: String,
    pub(super) node: &'n Node,
    pub(super) segments: Vec<String>,
}

/// A flag, in one environment.
#[derive(Debug)]
pub(super) struct Feature<'n> {
    pub(super) name: &'n str,
    pub(super) node: &'n Node,
    /// Its settings in the environment; it may not be there.
    pub(super) settings: Option<&'n Node>,
    /// Its strategies that are not disabled, in order.
    pub(super) strategies: Vec<StrategyNode<'n>>,
    /// Whether it has no strategy at all: then it is on for everybody.
    pub(super) is_open: bool,
    /// What it depends on.
    pub(super) parents: Vec<&'n Node>,
}

/// What all files hold.
#[derive(Debug, Default)]
pub(super) struct Export<'n> {
    features: Vec<(&'n str, &'n Node)>,
    /// By name and environment.
    settings: BTreeMap<(&'n str, &'n str), &'n Node>,
    strategies: BTreeMap<(&'n str, &'n str), Vec<Placed<'n>>>,
    dependencies: BTreeMap<&'n str, Vec<&'n Node>>,
    /// By id, as text.
    pub(super) segments: BTreeMap<String, Placed<'n>>,
    /// Which strategy has which segments, where strategies do not tell it themselves.
    strategy_segments: BTreeMap<String, Vec<String>>,
    environments: BTreeSet<&'n str>,
}

impl<'n> Export<'n> {
    pub(super) fn read(files: &'n [Node], notes: &mut Notes) -> Self {
        let mut export = Self::default();
        for file in files {
            if file.get("features").is_none() && file.get("segments").is_none() {
                let subject = format!("value at {}", file.place);
                notes.left_out(&subject, "neither `features` nor `segments` in it");
            }
            export.read_file(file);
        }
        export
    }

    fn read_file(&mut self, file: &'n Node) {
        let mut own = BTreeSet::new();
        for node in items(file, "featureEnvironments") {
            let name = text_of(node, "featureName").or(text_of(node, "name"));
            let environment = text_of(node, "environment").unwrap_or(ONLY_ENVIRONMENT);
            own.insert(environment);
            self.settings
                .insert((name.unwrap_or_default(), environment), node);
        }
        for (index, node) in items(file, "features").iter().enumerate() {
            self.read_feature(node, index, &mut own);
        }
        let single = (own.len() == 1).then(|| own.first().copied()).flatten();
        for (index, node) in items(file, "featureStrategies").iter().enumerate() {
            let name = text_of(node, "featureName").unwrap_or_default();
            let environment = text_of(node, "environment").or(single);
            let path = format!("featureStrategies[{index}]");
            let key = (name, environment.unwrap_or(ONLY_ENVIRONMENT));
            (self.strategies.entry(key).or_default()).push(Placed { path, node });
        }
        for node in items(file, "dependencies") {
            let name = text_of(node, "feature").unwrap_or_default();
            let parents = self.dependencies.entry(name).or_default();
            parents.extend(items(node, "dependencies"));
        }
        self.read_segments(file);
        self.environments.extend(own);
    }

    /// Reads a flag. The oldest exports have one environment, and everything in the flag.
    fn read_feature(&mut self, node: &'n Node, index: usize, own: &mut BTreeSet<&'n str>) {
        let name = text_of(node, "name").unwrap_or_default();
        if !self.features.iter().any(|(known, _)| *known == name) {
            self.features.push((name, node));
        }
        let Some(strategies) = node.get("strategies") else {
            return;
        };
        own.insert(ONLY_ENVIRONMENT);
        let key = (name, ONLY_ENVIRONMENT);
        self.settings.entry(key).or_insert(node);
        for (number, node) in as_list(strategies).iter().enumerate() {
            let path = format!("features[{index}].strategies[{number}]");
            (self.strategies.entry(key).or_default()).push(Placed { path, node });
        }
    }

    fn read_segments(&mut self, file: &'n Node) {
        for (index, node) in items(file, "segments").iter().enumerate() {
            let path = format!("segments[{index}]");
            let Some(id) = node.get("id").map(Node::to_json) else {
                continue;
            };
            let known = self.segments.get(&id);
            if known.is_none_or(|known| known.node.get("constraints").is_none()) {
                self.segments.insert(id, Placed { path, node });
            }
        }
        for node in items(file, "featureStrategySegments") {
            let ids = text_of(node, "featureStrategyId").zip(node.get("segmentId"));
            if let Some((strategy, segment)) = ids {
                let all = self.strategy_segments.entry(strategy.to_owned());
                all.or_default().push(segment.to_json());
            }
        }
    }

    /// Returns the environment to take: the one that is asked for, or the only one.
    pub(super) fn environment(&self, asked: Option<&str>) -> Result<String, String> {
        let all: Vec<&str> = self.environments.iter().copied().collect();
        match (asked, all.as_slice()) {
            (Some(asked), _) if all.contains(&asked) => Ok(asked.to_owned()),
            (Some(asked), _) => Err(format!(
                "`{asked}` is not in the files, which have: {}",
                all.join(", ")
            )),
            (None, []) => Ok(ONLY_ENVIRONMENT.to_owned()),
            (None, [one]) => Ok((*one).to_owned()),
            (None, _) => Err(format!("choose one of {}", all.join(", "))),
        }
    }

    /// Returns whether any flag depends on another.
    pub(super) fn has_dependencies(&self) -> bool {
        !self.dependencies.is_empty()
    }

    /// Returns the names of all flags.
    pub(super) fn names(&self) -> impl Iterator<Item = &'n str> {
        self.features.iter().map(|(name, _)| *name)
    }

    /// Returns the flags, as they are in an environment.
    pub(super) fn features(&self, environment: &str) -> Vec<Feature<'n>> {
        (self.features.iter())
            .map(|(name, node)| self.feature(name, node, environment))
            .collect()
    }

    fn feature(&self, name: &'n str, node: &'n Node, environment: &str) -> Feature<'n> {
        let settings = self.settings.get(&(name, environment)).copied();
        let strategies = self.strategies.get(&(name, environment));
        let mut sorted: Vec<&Placed<'_>> = strategies.into_iter().flatten().collect();
        sorted.sort_by(|a, b| order(a.node).total_cmp(&order(b.node)));
        Feature {
            name,
            node,
            settings,
            is_open: sorted.is_empty(),
            strategies: (sorted.into_iter())
                .filter(|strategy| !is_true(strategy.node, "disabled"))
                .map(|strategy| self.strategy(strategy))
                .collect(),
            parents: self.dependencies.get(name).cloned().unwrap_or_default(),
        }
    }

    fn strategy(&self, strategy: &Placed<'n>) -> StrategyNode<'n> {
        let mut segments: Vec<String> = (items(strategy.node, "segments").iter())
            .map(Node::to_json)
            .collect();
        let id = text_of(strategy.node, "id").unwrap_or_default();
        if let Some(told) = self.strategy_segments.get(id) {
            segments.extend(told.iter().cloned());
            segments.sort();
            segments.dedup();
        }
        StrategyNode {
            path: strategy.path.clone(),
            node: strategy.node,
            segments,
        }
    }
}

fn order(strategy: &Node) -> f64 {
    match strategy.get("sortOrder").map(|order| &order.value) {
        Some(Value::Number(number)) => number.parse().unwrap_or(f64::MAX),
        _ => f64::MAX,
    }
}
