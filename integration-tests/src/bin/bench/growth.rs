//! `growth`: what one more flag, dependency or cohort member costs, from few to many. Flags and dependencies: the core
//! alone, on one thread. Members: what loading them costs the server, see [`members`].
//!
//! Time is the thread's own CPU time, which other processes do not lengthen (they still cool its caches).

mod members;
mod split;

use crate::bench::Bench;
use crate::proc;
use crate::report::{Findings, cell};
use crate::world;
use anyhow::{Context, Result, ensure};
use burgee_evaluation::definition::{FlagDefinition, GroupTypes};
use burgee_evaluation::subject::{Properties, Read, StoredPerson, StoredState};
use burgee_evaluation::{
    CohortSet, Definitions, MatchingVersion, Moment, Selection, Selector, Stored, Subject, evaluate,
};
use chrono::DateTime;
use chrono_tz::Tz;
use serde_json::{Value, json};
use std::fs;
use std::hint::black_box;
use std::io::Write;
use std::process::Command;
use std::sync::Arc;

/// How many flags or dependencies.
const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];
/// Things evaluated between two looks at the clock.
const LOOK_AFTER: usize = 10_000;
/// Of the repetitions the fastest counts: the others were disturbed.
const REPETITIONS: usize = 7;

/// Measures what there is.
pub(crate) fn run(bench: &Bench) -> Result<Findings> {
    let mut findings = Findings {
        heads: vec![
            "what",
            "10",
            "100",
            "1,000",
            "10,000",
            "largest over smallest",
        ],
        ..Findings::default()
    };
    let flags = bench.watched("flags", || costs(bench, flags))?;
    put(&mut findings, "flag", "ns per flag", &flags);
    let chain = bench.watched("dependencies in a chain", || costs(bench, chain))?;
    put(
        &mut findings,
        "dependency",
        "ns per dependency, chain",
        &chain,
    );
    let fan = bench.watched("dependencies of one flag", || costs(bench, fan))?;
    let row = std::iter::once("ns per dependency, fan".to_owned());
    findings.row(row.chain(fan.iter().map(|ns| cell(Some(*ns), 1))));
    findings.figure("fan_ns", json!(fan));
    bench
        .watched("large stages in parts", || split::measure(bench))?
        .put(&mut findings);
    let members = members::measure(bench)?;
    members.put(&mut findings);
    let per_thousand = kb_per_thousand_flags(bench)?;
    findings
        .notes
        .push(format!("1,000 flags take {per_thousand:.0} kB"));
    findings.figure("kb_per_1000_flags", json!(per_thousand.round()));
    Ok(findings)
}

fn put(findings: &mut Findings, name: &'static str, title: &str, costs: &[f64]) {
    let (first, last) = (costs.first().copied(), costs.last().copied());
    findings.ratio(name, last, first);
    let over = last.zip(first).map(|(last, first)| last / first);
    let row = std::iter::once(title.to_owned());
    let row = row.chain(costs.iter().map(|ns| cell(Some(*ns), 1)));
    findings.row(row.chain([cell(over, 2)]));
    findings.figure(&format!("{name}_ns"), json!(costs));
}

/// What is evaluated, and how many things of the kind that is counted are in it.
struct Case {
    definitions: Arc<Definitions>,
    selection: Selection,
    things: usize,
}

/// Returns the nanoseconds of each thing, for every size.
fn costs(bench: &Bench, case: fn(usize) -> Result<Case>) -> Result<Vec<f64>> {
    let sizes = SIZES.iter();
    sizes.map(|size| cost(bench, &case(*size)?)).collect()
}

fn cost(bench: &Bench, case: &Case) -> Result<f64> {
    let cohorts = CohortSet::compile(Vec::new());
    let moment = moment();
    let people: Vec<(Subject, Stored)> = (0..16).map(person).collect();
    let enough = bench.pace.pick(400_000_000, 100_000_000, 5_000_000);
    let mut everybody = people.iter().cycle();
    let mut fastest = f64::INFINITY;
    for _ in 0..bench.pace.pick(REPETITIONS, 3, 1) {
        let before = thread_nanos()?;
        let (mut rounds, mut spent) = (0, 0);
        // The kernel brings the time up to date only every few milliseconds: a repetition takes many of those.
        while spent < enough {
            for (subject, stored) in everybody.by_ref().take(LOOK_AFTER / case.things + 1) {
                rounds += 1;
                black_box(evaluate(
                    &case.definitions,
                    &cohorts,
                    &case.selection,
                    subject,
                    stored,
                    &moment,
                ));
            }
            spent = thread_nanos()?.saturating_sub(before);
        }
        fastest = fastest.min(spent as f64 / (rounds * case.things) as f64);
    }
    Ok(fastest)
}

fn moment() -> Moment {
    Moment {
        now: DateTime::UNIX_EPOCH,
        zone: Tz::UTC,
        matching: MatchingVersion::Default,
    }
}

/// CPU time of this thread so far.
fn thread_nanos() -> Result<u64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let number = text.split(' ').next();
    Ok(number.context("an empty schedstat")?.parse()?)
}

fn person(number: u64) -> (Subject, Stored) {
    let properties: Properties = [
        ("plan", json!("pro")),
        ("country", json!("FR")),
        ("seats", json!(number)),
        ("email", json!(format!("user-{number}@example.com"))),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    let subject = Subject {
        distinct_id: format!("user-{number}"),
        ..Subject::default()
    };
    let stored = Stored {
        state: Read::Done(StoredState {
            person: Some(StoredPerson {
                properties,
                created_at: DateTime::UNIX_EPOCH,
                static_cohorts: Default::default(),
            }),
            ..StoredState::default()
        }),
        hash_keys: Read::NotNeeded,
    };
    (subject, stored)
}

fn compile(flags: impl IntoIterator<Item = Value>) -> Result<Definitions> {
    let flags = flags
        .into_iter()
        .map(|flag| Ok(serde_json::from_str(&flag.to_string())?))
        .collect::<Result<Vec<FlagDefinition>>>()?;
    let (definitions, dropped) = Definitions::compile(flags, Ok(GroupTypes::default()));
    ensure!(dropped.is_empty(), "flags were dropped: {dropped:?}");
    Ok(definitions)
}

/// Flags that depend on none.
fn flags(count: usize) -> Result<Case> {
    let definitions = compile((0..count).map(|number| world::flag(number + 1, 0, number)))?;
    let selection = definitions.select(&Selector::default());
    ensure!(selection.len() == count, "all flags are selected");
    Ok(Case {
        definitions: definitions.into(),
        selection,
        things: count,
    })
}

/// A flag that is on for those for whom all of these are.
fn depending(id: usize, on: impl IntoIterator<Item = usize>) -> Value {
    let filter = |id: usize| {
        json!({
            "type": "flag",
            "key": id.to_string(),
            "operator": "flag_evaluates_to",
            "value": true,
        })
    };
    let filters: Vec<Value> = on.into_iter().map(filter).collect();
    json!({
        "id": id,
        "key": format!("flag-{id:05}"),
        "active": true,
        "filters": {"groups": [{"properties": filters, "rollout_percentage": 100}]},
    })
}

/// Each flag depends on the one before.
fn chain(count: usize) -> Result<Case> {
    let flags = (0..=count).map(|number| depending(number + 1, (number > 0).then_some(number)));
    of_last(compile(flags)?, count)
}

/// One flag depends on all others.
fn fan(count: usize) -> Result<Case> {
    let others = (1..=count).map(|id| depending(id, None));
    let flags = others.chain([depending(count + 1, 1..=count)]);
    of_last(compile(flags)?, count)
}

/// Asks for the last flag alone; its dependencies come with it.
fn of_last(definitions: Definitions, count: usize) -> Result<Case> {
    let selection = definitions.select(&Selector {
        keys: Some(vec![format!("flag-{:05}", count + 1)]),
        ..Selector::default()
    });
    ensure!(
        selection.len() == count + 1,
        "the flag and its {count} dependencies are selected"
    );
    Ok(Case {
        definitions: definitions.into(),
        selection,
        things: count,
    })
}

/// Returns the kB that 1,000 compiled flags take, by what a fresh process grows while it compiles and keeps many.
fn kb_per_thousand_flags(bench: &Bench) -> Result<f64> {
    let thousands = bench.pace.pick(100, 50, 5);
    let output = Command::new(std::env::current_exe()?)
        .args(["hold-flags", "--thousands", &thousands.to_string()])
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let grown: f64 = text.trim().parse().context("it tells no figure")?;
    Ok(grown / f64::from(thousands))
}

/// How many flags to hold.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct HoldOptions {
    /// In thousands
    #[arg(long)]
    thousands: usize,
}

/// Compiles flags, keeps them, and prints the kB by which this process has grown.
pub(crate) fn hold(options: &HoldOptions) -> Result<()> {
    let id = std::process::id();
    // The first ones also pay for what all share, and for what compiling leaves behind.
    let first = flags(1_000)?;
    let before = proc::resident_kb(id)?;
    let held = (0..options.thousands)
        .map(|_| flags(1_000))
        .collect::<Result<Vec<Case>>>()?;
    let grown = proc::resident_kb(id)?.saturating_sub(before);
    black_box((first, held));
    writeln!(std::io::stdout().lock(), "{grown}")?;
    Ok(())
}
