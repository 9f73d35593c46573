//! `persons`: look-ups of many stored persons, against what pgbench gets out of the same Postgres with the same join.
//!
//! The loader is measured alone, as batches of what waits with at most two under way, and through whole requests.

use crate::bench::Bench;
use crate::load::samples::Outcome;
use crate::load::{ENDLESS, Target, Traffic, closed};
use crate::random::Random;
use crate::report::{Findings, cell};
use crate::server::Server;
use crate::world::{Properties, World};
use anyhow::{Context, Result, ensure};
use burgee_schema::models::Lookup;
use burgee_schema::{PoolConfig, Store};
use serde_json::json;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Look-ups that wait when a batch begins.
const WAITING: [usize; 3] = [64, 256, 1_000];
/// Batches that the loader keeps with the database.
const IN_FLIGHT: usize = 2;
/// Clients of pgbench: more of them answer no more on two cores.
const CLIENTS: &str = "16";
const CONNECTIONS: usize = 256;
const FLAGS: usize = 20;

/// Measures all three.
pub(crate) fn run(bench: &Bench) -> Result<Findings> {
    let persons = bench.pace.pick(1_000_000, 100_000, 2_000);
    let world = World::new(&[FLAGS], persons)?;
    let seconds = bench.pace.pick(8.0, 2.0, 1.0);
    let mut findings = Findings {
        heads: vec!["way", "persons /s", "of pgbench"],
        ..Findings::default()
    };
    let pgbench = bench.watched("pgbench", || pgbench(&world, seconds))?;
    let mut put = |name: String, rate: f64| {
        let row = [name, cell(Some(rate), 0), cell(Some(rate / pgbench), 2)];
        findings.row(row);
    };
    put(format!("pgbench, {CLIENTS} clients"), pgbench);
    let mut loader = Vec::new();
    for waiting in WAITING {
        let phase = format!("loader, {waiting} waiting");
        let rate = bench.watched(&phase, || load(&world, waiting, seconds))?;
        put(phase, rate);
        loader.push((waiting, rate));
    }
    let http = bench.watched("whole requests", || http(bench, &world, seconds))?;
    put(format!("whole requests, {FLAGS} flags"), http);

    let least = loader.iter().map(|(_, rate)| *rate);
    findings.ratio("loader", least.min_by(f64::total_cmp), Some(pgbench));
    findings.ratio("http", Some(http), Some(pgbench));
    let loader: Vec<_> = (loader.iter())
        .map(|(waiting, rate)| json!({"waiting": waiting, "per_s": rate.round()}))
        .collect();
    findings.figure("persons", json!(persons));
    findings.figure("pgbench_per_s", json!(pgbench.round()));
    findings.figure("loader", json!(loader));
    findings.figure("http_per_s", json!(http.round()));
    Ok(findings)
}

/// Returns the transactions per second of pgbench: the loader's join, prepared, a person each.
fn pgbench(world: &World, seconds: f64) -> Result<f64> {
    let script = world.directory().join("person.sql");
    std::fs::write(
        &script,
        format!(
            "\\set id random(1, {})\n\
             SELECT p.id, p.properties, p.created_at_microseconds FROM person_distinct_ids d \
             JOIN persons p ON p.id = d.person_id \
             WHERE d.project_id = 1 AND d.distinct_id = 'user-' || :id;\n",
            world.persons
        ),
    )?;
    let output = Command::new(world.postgres()?.program("pgbench"))
        .args(["-n", "-M", "prepared", "-c", CLIENTS, "-j", "2", "-T"])
        .arg(format!("{:.0}", seconds.max(1.0)))
        .arg("-f")
        .arg(&script)
        .arg(world.url())
        .stdin(Stdio::null())
        .output()
        .context(
            "pgbench cannot be started; it comes with the PostgreSQL server or its contrib package",
        )?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "pgbench: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let line = text.lines().find_map(|line| line.strip_prefix("tps = "));
    let number = line.and_then(|line| line.split(' ').next());
    Ok(number.context("pgbench tells no tps")?.parse()?)
}

/// Returns the look-ups per second of the loader alone.
fn load(world: &World, waiting: usize, seconds: f64) -> Result<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // One statement may be cut short by a busy machine; here that would only hide how long it takes.
        let config = PoolConfig {
            query_timeout: Duration::from_secs(10),
            ..PoolConfig::default()
        };
        let store = Store::open(world.url(), config).await?;
        store.warm_up(Duration::from_secs(10)).await?;
        let start = Instant::now();
        let end = start + Duration::from_secs_f64(seconds);
        let batches = |seed: u64| {
            let store = store.clone();
            let persons = world.persons;
            async move {
                let mut random = Random::new(seed);
                let mut found = 0;
                while Instant::now() < end {
                    let lookups: Vec<Lookup> =
                        (0..waiting).map(|_| lookup(persons, &mut random)).collect();
                    let answers = store.look_up(&lookups).await?;
                    found += answers
                        .iter()
                        .filter(|answer| answer.person.is_some())
                        .count();
                }
                anyhow::Ok(found)
            }
        };
        let all: Vec<_> = (0..IN_FLIGHT as u64)
            .map(|number| tokio::spawn(batches(7 * number + 3)))
            .collect();
        let mut found = 0;
        for batches in all {
            found += batches.await??;
        }
        ensure!(found > 0, "no person was found");
        Ok(found as f64 / start.elapsed().as_secs_f64())
    })
}

fn lookup(persons: u64, random: &mut Random) -> Lookup {
    Lookup {
        project_id: 1,
        distinct_id: format!("user-{}", random.below(persons) + 1),
        state: true,
        ..Lookup::default()
    }
}

/// Returns the requests per second of which each needs its person.
fn http(bench: &Bench, world: &World, seconds: f64) -> Result<f64> {
    let burgee = Server::burgee(bench, world.url())?;
    let traffic = Arc::new(Traffic::new(
        bench.pace.pick(65_536, 16_384, 1_024),
        |random| world.request(0, 0, random.next(), Properties::Stored),
    ));
    let target = Target {
        address: burgee.address,
        connections: bench.pace.pick(CONNECTIONS, CONNECTIONS, 32),
        queue: ENDLESS,
        patience: ENDLESS,
    };
    closed::run(target, &traffic, seconds / 4.0)?;
    let samples = closed::run(target, &traffic, seconds)?;
    let answered = samples.count(Outcome::Answered);
    // A few may be cut short when others take the machine; more would be another comparison.
    ensure!(
        answered * 100 >= samples.events.len() * 99,
        "of {} requests {} were answered in full",
        samples.events.len(),
        answered
    );
    Ok(answered as f64 / samples.seconds)
}
