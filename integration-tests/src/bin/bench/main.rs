//! Comparisons of Burgee with baselines, with itself, and with what its database can do. See docs/benchmarks.md.
//!
//! `bench NAME` starts everything it needs beside itself, on loopback, and ends it. A comparison a file; what they share
//! is in [`load`] (the generator), `server`, `world` and `machine`.

#![allow(
    clippy::as_conversions,
    reason = "figures are rounded for people, and no index or length depends on a conversion that loses"
)]

mod baseline;
mod bench;
mod definitions;
mod events;
mod faults;
mod flood;
mod growth;
mod limit;
mod load;
mod machine;
mod overload;
mod persons;
mod proc;
mod random;
mod report;
mod saturation;
mod scrape;
mod server;
mod tail;
mod world;

use anyhow::Result;
use bench::{Bench, Pace};
use clap::{Parser, Subcommand};
use report::Findings;
use serde_json::{Map, Value, json};
use std::io::Write;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Burgee under load, as ratios from one run
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Small requests beside large ones, against two baselines
    Tail(Options),
    /// One project that floods the others: a part of `tail`, with where requests waited
    Flood(Options),
    /// Five times more than it can carry
    Overload(Options),
    /// Against a bare server that answers the same bytes
    Limit(Options),
    /// Look-ups of a million stored persons, against pgbench
    Persons(Options),
    /// Cost per flag, per dependency, per cohort member
    Growth(Options),
    /// Batches of events into Postgres, against pgbench
    Events(Options),
    /// A database that is frozen, gone, or slow
    Faults(Options),
    /// Definitions for local evaluation, against a bare server that answers the same bytes
    Definitions(Options),
    /// All of them
    All(Options),
    /// A baseline: flags in parallel in the handler, one query a request
    #[command(hide = true)]
    ServeNaive(baseline::Options),
    /// A baseline: flags in sequence in the handler, one query a request
    #[command(hide = true)]
    ServeInline(baseline::Options),
    /// A baseline: the same bytes for everything
    #[command(hide = true)]
    ServeBare(baseline::BareOptions),
    /// Keeps flags in memory, to see what they take
    #[command(hide = true)]
    HoldFlags(growth::HoldOptions),
}

#[derive(Debug, Clone, clap::Args)]
struct Options {
    /// How often the whole comparison is run; the ratios are medians
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// One short run, to see that it works
    #[arg(long)]
    quick: bool,
    /// The shortest run there is, for tests
    #[arg(long, hide = true)]
    smoke: bool,
}

impl Options {
    fn pace(&self) -> Pace {
        match (self.smoke, self.quick) {
            (true, _) => Pace::Smoke,
            (false, true) => Pace::Quick,
            (false, false) => Pace::Full,
        }
    }
}

/// A comparison: runs once and says what it found.
type Comparison = fn(&Bench) -> Result<Findings>;

const COMPARISONS: [(&str, Comparison); 9] = [
    ("tail", tail::run),
    ("flood", flood::compare),
    ("overload", overload::run),
    ("limit", limit::run),
    ("persons", persons::run),
    ("growth", growth::run),
    ("events", events::run),
    ("faults", faults::run),
    ("definitions", definitions::run),
];

fn main() -> ExitCode {
    match run(&Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<()> {
    let (name, options) = match command {
        Command::Tail(options) => ("tail", options),
        Command::Flood(options) => ("flood", options),
        Command::Overload(options) => ("overload", options),
        Command::Limit(options) => ("limit", options),
        Command::Persons(options) => ("persons", options),
        Command::Growth(options) => ("growth", options),
        Command::Events(options) => ("events", options),
        Command::Faults(options) => ("faults", options),
        Command::Definitions(options) => ("definitions", options),
        Command::All(options) => return compare_all(options),
        Command::ServeNaive(options) => return baseline::serve(options, baseline::Style::Naive),
        Command::ServeInline(options) => return baseline::serve(options, baseline::Style::Inline),
        Command::ServeBare(options) => return baseline::serve_bare(options),
        Command::HoldFlags(options) => return growth::hold(options),
    };
    for (other, comparison) in COMPARISONS {
        if name == other {
            print_line(&compare(name, comparison, options)?)?;
        }
    }
    Ok(())
}

/// Runs every comparison, each with its own line; the last line has the ratios of all.
fn compare_all(options: &Options) -> Result<()> {
    let mut ratios = Map::new();
    for (name, comparison) in COMPARISONS {
        let summary = compare(name, comparison, options)?;
        print_line(&summary)?;
        let of_this = summary.get("ratios").cloned().unwrap_or_default();
        ratios.insert(name.to_owned(), of_this);
    }
    print_line(&json!({"bench": "all", "ratios": ratios}))
}

fn compare(name: &str, comparison: Comparison, options: &Options) -> Result<Value> {
    let pace = options.pace();
    let bench = Bench::new(pace);
    let count = pace.pick(options.runs.max(1), 1, 1);
    let mut runs = Vec::new();
    for number in 1..=count {
        eprintln!("{name}, run {number} of {count}");
        let findings = comparison(&bench)?;
        let title = format!("{name}, run {number} of {count}");
        report::print_run(&mut std::io::stdout().lock(), &title, &findings)?;
        runs.push(findings);
    }
    Ok(report::summary(
        name,
        pace.name(),
        &runs,
        &bench.take_notes(),
    ))
}

fn print_line(value: &Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{value}")?;
    out.flush()?;
    Ok(())
}
