//! The hot functions of the core, each alone and all together.

use crate::support::Case;
use crate::support::world::{self, World};
use burgee_evaluation::bucketing::{HashPrefix, choose_variant};
use burgee_evaluation::definition::{Definitions, GroupTypes};
use burgee_evaluation::property::{Completeness, Operator, Test};
use burgee_evaluation::{CohortSet, Needs, Selector};
use serde_json::{Value, json};

/// Returns all cases.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = bucketing();
    cases.extend(operators());
    cases.extend(flags());
    cases.extend(dependencies());
    cases.extend(cohorts());
    cases.extend(before_and_after());
    cases
}

fn bucketing() -> Vec<Case> {
    const UUID: &str = "0197b6a2-4c1e-7d3f-9a52-6f1d2c3b4a59";
    let hash = |name: &str, key: &'static str, identifier: &'static str| {
        Case::new(
            format!("hash/{name}"),
            move || (HashPrefix::of_flag(key), identifier),
            |(prefix, identifier)| prefix.rollout(identifier),
        )
    };
    let key = "flag-00001-of-the-product";
    let long = "a-key-as-long-as-keys-are-seldom-but-they-may-be-longer-than-any-block-of-the-hash-function-is-wide";
    vec![
        hash("one_block", "new-checkout", UUID),
        hash("two_blocks", key, UUID),
        hash("long", long, UUID),
        Case::new(
            "choose_variant",
            || [10.0, 20.0, 30.0, 40.0],
            |shares| choose_variant(shares, 0.7),
        ),
    ]
}

/// One of each family of operators that share their code.
fn operators() -> Vec<Case> {
    let email = || json!("maria.lindqvist@corp.example.com");
    let list: Vec<String> = (0..50).map(|n| format!("plan-{n}")).collect();
    let table = [
        (
            "exact",
            Operator::Exact,
            json!("enterprise"),
            json!("Enterprise"),
        ),
        ("exact_list", Operator::Exact, json!(list), json!("plan-31")),
        (
            "icontains",
            Operator::Icontains,
            json!("@EXAMPLE.org"),
            email(),
        ),
        (
            "starts_with",
            Operator::StartsWith,
            json!("maria."),
            email(),
        ),
        (
            "icontains_multi",
            Operator::IcontainsMulti,
            json!(["@a.org", "@b.org", "@corp"]),
            email(),
        ),
        (
            "regex",
            Operator::Regex,
            json!(r"^[a-z.]+@corp\.(example|test)\.com$"),
            email(),
        ),
        (
            "regex_look_around",
            Operator::Regex,
            json!(r"^(?!admin)[a-z.]+@corp\."),
            email(),
        ),
        ("gt", Operator::Gt, json!(10), json!(42)),
        (
            "between_text",
            Operator::Between,
            json!([10, 50]),
            json!("42"),
        ),
        (
            "semver_gte",
            Operator::SemverGte,
            json!("4.2.0"),
            json!("4.12.3"),
        ),
        (
            "semver_tilde",
            Operator::SemverTilde,
            json!("4.12.0"),
            json!("4.12.3"),
        ),
        (
            "is_date_before",
            Operator::IsDateBefore,
            json!("2026-01-01"),
            json!("2025-03-01T12:30:00Z"),
        ),
        (
            "is_date_relative",
            Operator::IsDateAfter,
            json!("-30d"),
            json!("2025-03-01"),
        ),
        ("is_set", Operator::IsSet, json!("is_set"), email()),
    ];
    let case = |(name, operator, wanted, property): (&str, Operator, Value, Value)| {
        Case::new(
            format!("operator/{name}"),
            move || {
                (
                    Test::compile(operator, Some(&wanted)),
                    property.clone(),
                    world::moment(),
                )
            },
            |(test, property, moment)| test.matches(Some(property), Completeness::Complete, moment),
        )
    };
    table.into_iter().map(case).collect()
}

fn evaluation(name: impl Into<String>, world: impl Fn() -> World + 'static) -> Case {
    Case::new(name, world, |world| world.evaluate())
}

fn flags() -> Vec<Case> {
    let mixed = [1, 20, 100, 1_000].map(|count| {
        evaluation(format!("flags/mixed_{count}"), move || {
            World::new(world::mixed(count), world::cohorts())
        })
    });
    let plain = [10, 100, 1_000, 10_000].map(|count| {
        evaluation(format!("flags/plain_{count}"), move || {
            World::new(world::plain(count), Vec::new())
        })
    });
    mixed.into_iter().chain(plain).collect()
}

fn dependencies() -> Vec<Case> {
    let chain = [10, 1_000, 10_000].map(|count| {
        evaluation(format!("dependencies/chain_{count}"), move || {
            World::new(world::chain(count), Vec::new())
        })
    });
    let wide = [10, 1_000, 10_000].map(|count| {
        evaluation(format!("dependencies/wide_{count}"), move || {
            World::new(world::wide(count), Vec::new())
        })
    });
    chain.into_iter().chain(wide).collect()
}

fn cohorts() -> Vec<Case> {
    let tree = evaluation("cohorts/tree", || {
        World::new(world::for_members(2), world::cohorts())
    });
    let chain = [10, 100].map(|count| {
        evaluation(format!("cohorts/chain_{count}"), move || {
            World::new(world::for_members(count), world::cohort_chain(count))
        })
    });
    [tree].into_iter().chain(chain).collect()
}

/// What surrounds an evaluation: choosing flags, deciding what to read, compiling.
fn before_and_after() -> Vec<Case> {
    let project = || World::new(world::mixed(100), world::cohorts());
    let selector = || Selector {
        keys: Some(
            (1..=10)
                .map(|id| format!("flag-{id:05}-of-the-product"))
                .collect(),
        ),
        ..Selector::default()
    };
    vec![
        Case::new("select/all_of_100", project, |world| {
            world.definitions.select(&Selector::default())
        }),
        Case::new(
            "select/10_keys_of_100",
            move || (project(), selector()),
            |(world, selector)| world.definitions.select(selector),
        ),
        Case::new(
            "needs/100_rollouts",
            || World::new(world::plain(100), Vec::new()),
            |world| Needs::of(&world.definitions, &world.selection, &world.subject),
        ),
        Case::new(
            "compile/100_flags",
            || world::mixed(100),
            |flags| Definitions::compile(flags.clone(), Ok(GroupTypes::default())),
        ),
        Case::new("compile/5_cohorts", world::cohorts, |cohorts| {
            CohortSet::compile(cohorts.clone())
        }),
    ]
}
