//! A flag compiled: everything an evaluation asks of it is a field lookup.

use super::{
    FlagDefinition, Runtime, cost,
    filters::{Aggregation, Condition, Filter, Filters, FlagReference, Format, Holdout, Variants},
    needs::StateNeeds,
};
use crate::{FlagId, bucketing::HashPrefix};

/// A compiled flag. Immutable, shared by every answer that mentions it.
#[derive(Debug)]
pub struct Flag {
    /// Its id.
    pub id: FlagId,
    /// Its key.
    pub key: Box<str>,
    /// `metadata.version`; 0 when unknown.
    pub version: i64,
    /// `metadata.has_experiment`.
    pub has_experiment: bool,
    /// Whether its payload is its value, for protocols in which that can be told.
    pub is_remote_configuration: bool,
    /// Active and not archived.
    pub(crate) active: bool,
    pub(crate) runtime: Runtime,
    pub(crate) contexts: Box<[Box<str>]>,
    /// `ensure_experience_continuity`.
    pub(crate) continuity: bool,
    /// Buckets by device id.
    pub(crate) by_device: bool,
    /// Whether `filters` has a format this server understands.
    pub(crate) supported: bool,
    /// Whether a flag it depends on, directly or not, does not exist.
    pub(crate) missing_dependency: bool,
    pub(crate) prefix: HashPrefix,
    pub(crate) aggregation: Aggregation,
    pub(crate) conditions: Box<[Condition]>,
    pub(crate) variants: Variants,
    pub(crate) holdout: Option<Holdout>,
    pub(crate) early_exit: bool,
    /// The person property of its enrolment, if it has one.
    pub(crate) enrollment: Option<Box<str>>,
    pub(crate) needs: StateNeeds,
    /// Whether it is sticky and a hash can change its answer (section 5.7).
    pub(crate) hash_keys_matter: bool,
    /// About how long it takes to evaluate, in nanoseconds.
    pub(crate) cost_ns: u32,
    payloads: Payloads,
}

/// Payloads by what they belong to, as JSON text.
#[derive(Debug)]
struct Payloads {
    on: Option<Box<str>>,
    variants: Box<[Option<Box<str>>]>,
    holdout: Option<Box<str>>,
}

impl Flag {
    /// Puts a flag together. Its flag filters have no targets yet, see [`Flag::link`].
    pub(super) fn new(definition: FlagDefinition, format: Format) -> Self {
        let (supported, mut filters) = match format {
            Format::Readable(filters) => (true, filters),
            Format::Unsupported => (false, Filters::default()),
        };
        let payloads = Payloads::take(&mut filters);
        let enrollment = filters
            .feature_enrollment
            .then(|| format!("$feature_enrollment/{}", definition.key).into());
        let mut flag = Self {
            id: definition.id,
            prefix: HashPrefix::of_flag(&definition.key),
            key: definition.key.into(),
            version: definition.version.unwrap_or(0),
            has_experiment: definition.has_experiment == Some(true),
            is_remote_configuration: definition.is_remote_configuration == Some(true),
            active: definition.active && !definition.archived,
            runtime: Runtime::of(definition.evaluation_runtime.as_deref()),
            contexts: definition
                .evaluation_contexts
                .unwrap_or_default()
                .into_iter()
                .map(String::into_boxed_str)
                .collect(),
            continuity: definition.ensure_experience_continuity == Some(true),
            by_device: definition.bucketing_identifier.as_deref() == Some("device_id"),
            supported,
            missing_dependency: false,
            needs: StateNeeds::of(&filters, enrollment.as_deref()),
            cost_ns: cost::nanoseconds(&filters.conditions, !filters.variants.keys.is_empty()),
            aggregation: filters.aggregation,
            conditions: filters.conditions,
            variants: filters.variants,
            holdout: filters.holdout,
            early_exit: filters.early_exit,
            enrollment,
            hash_keys_matter: false,
            payloads,
        };
        flag.hash_keys_matter = flag.is_sticky() && flag.is_hash_dependent();
        flag
    }

    /// Points each flag filter at the place of the flag it refers to, and returns those places and whether one is missing.
    ///
    /// Inactive flags refer to nothing (section 7.2).
    pub(super) fn link(&mut self, place: impl Fn(FlagId) -> Option<usize>) -> (Vec<usize>, bool) {
        let mut targets = Vec::new();
        let mut missing = false;
        if !self.active {
            return (targets, missing);
        }
        let filters = self
            .conditions
            .iter_mut()
            .flat_map(|c| c.filters.iter_mut());
        for filter in filters {
            let Filter::Flag(filter) = filter else {
                continue;
            };
            filter.target = match filter.reference {
                FlagReference::None => continue,
                FlagReference::OutOfRange => None,
                FlagReference::Id(id) => place(id),
            };
            match filter.target {
                Some(target) => targets.push(target),
                None => missing = true,
            }
        }
        (targets, missing)
    }

    /// Returns whether stored hash keys count for it, as it is now (section 2.3).
    pub(crate) fn is_sticky(&self) -> bool {
        self.continuity && self.aggregation == Aggregation::Persons && !self.by_device
    }

    /// Returns whether a hash can change its answer (section 5.7).
    fn is_hash_dependent(&self) -> bool {
        let partial = |condition: &Condition| condition.rollout < 100.0;
        self.conditions.iter().any(partial) || self.variants.more_than_one_reachable()
    }

    /// Returns how many variants it declares.
    pub fn variants(&self) -> usize {
        self.variants.keys.len()
    }

    /// Returns whether it declares a variant with this key.
    pub fn has_variant(&self, key: &str) -> bool {
        self.variants.keys.iter().any(|other| **other == *key)
    }

    /// Returns the key of a variant.
    pub(crate) fn variant_key(&self, variant: u32) -> Option<&str> {
        let variant = usize::try_from(variant).ok()?;
        self.variants.keys.get(variant).map(|key| &**key)
    }

    /// Returns the variant of its holdout.
    pub(crate) fn holdout_variant(&self) -> Option<&str> {
        self.holdout.as_ref().map(|holdout| &*holdout.variant)
    }

    /// Returns the payload of being on without a variant.
    pub fn payload_on(&self) -> Option<&str> {
        self.payloads.on.as_deref()
    }

    /// Returns the payload of a variant.
    pub(crate) fn payload_of_variant(&self, variant: u32) -> Option<&str> {
        let variant = usize::try_from(variant).ok()?;
        self.payloads.variants.get(variant)?.as_deref()
    }

    /// Returns the payload of its holdout.
    pub(crate) fn payload_of_holdout(&self) -> Option<&str> {
        self.payloads.holdout.as_deref()
    }
}

impl Payloads {
    fn take(filters: &mut Filters) -> Self {
        let stored = std::mem::take(&mut filters.payloads);
        let of = |key: &str| stored.get(key).cloned();
        Self {
            on: of("true"),
            variants: filters.variants.keys.iter().map(|key| of(key)).collect(),
            holdout: filters
                .holdout
                .as_ref()
                .and_then(|holdout| of(&holdout.variant)),
        }
    }
}
