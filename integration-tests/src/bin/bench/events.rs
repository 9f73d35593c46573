//! `events`: batches of 100 events over HTTP into Postgres, each about a stored person, against what pgbench gets out of
//! the same Postgres with the same kind of statements.
//!
//! Postgres writes to the disk as it does by default: what a commit costs is what group commit is for.

use crate::bench::Bench;
use crate::load::samples::{Outcome, Samples};
use crate::load::{ENDLESS, Prepared, Target, Traffic, closed, wire::post};
use crate::proc::{Cpu, Used};
use crate::random::Random;
use crate::report::{Findings, cell};
use crate::scrape::Reading;
use crate::server::Server;
use crate::world::{World, token};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// Events in a request, as SDKs send them at most by default.
const BATCH: usize = 100;
/// Requests under way: enough for a transaction to wait while another one is committed.
const CONNECTIONS: usize = 32;
/// Clients of pgbench: more of them only wait for each other on two cores.
const CLIENTS: &str = "4";
/// What two cores should carry, in events per second.
const WANTED: f64 = 20_000.0;

/// Measures both.
pub(crate) fn run(bench: &Bench) -> Result<Findings> {
    let persons = bench.pace.pick(1_000_000, 100_000, 2_000);
    let world = World::durable(&[20], persons)?;
    let seconds = bench.pace.pick(8.0, 2.0, 1.0);
    let mut findings = Findings {
        heads: vec!["way", "events /s", "of pgbench", "µs CPU each"],
        ..Findings::default()
    };
    let pgbench = bench.watched("pgbench", || pgbench(&world, seconds))?;
    findings.row([
        format!("pgbench, {CLIENTS} clients, transactions of {BATCH}"),
        cell(Some(pgbench), 0),
        cell(Some(1.0), 2),
        cell(None, 1),
    ]);
    let burgee = Server::burgee(bench, world.url())?;
    let loaded = bench.watched("events", || load(bench, &world, &burgee, seconds))?;
    let rate = loaded.events as f64 / loaded.samples.seconds;
    let each = loaded.used.each(loaded.events);
    findings.row([
        format!("burgee, requests of {BATCH}"),
        cell(Some(rate), 0),
        cell(Some(rate / pgbench), 2),
        cell(each, 1),
    ]);
    findings.ratio("pgbench", Some(rate), Some(pgbench));
    findings.ratio("wanted", Some(rate), Some(WANTED));
    findings.figure("persons", json!(persons));
    findings.figure("pgbench_per_s", json!(pgbench.round()));
    findings.figure("events_per_s", json!(rate.round()));
    findings.figure(
        "events_a_transaction",
        json!(loaded.grouped.map(f64::round)),
    );
    findings.figure("cpu", loaded.used.figures(loaded.events));
    findings.figure("load", loaded.samples.figures()?);
    Ok(findings)
}

struct Loaded {
    samples: Samples,
    used: Used,
    /// How many were answered.
    events: usize,
    /// How many one transaction stored, on average.
    grouped: Option<f64>,
}

fn load(bench: &Bench, world: &World, server: &Server, seconds: f64) -> Result<Loaded> {
    let target = Target {
        address: server.address,
        connections: bench.pace.pick(CONNECTIONS, CONNECTIONS, 4),
        queue: ENDLESS,
        patience: ENDLESS,
    };
    // No request may be sent twice, or its events would be known and dropped.
    let count = bench.pace.pick(9_000, 2_500, 600);
    let mut seed = Random::new(u64::from(std::process::id()));
    let mut traffic = |count| {
        let seed = seed.next();
        Arc::new(Traffic::new(count, move |random| {
            request(world, seed, random)
        }))
    };
    let (warm_up, traffic) = (traffic(count / 4), traffic(count));
    closed::run(target, &warm_up, seconds / 8.0)?;
    let before = Reading::of(server.address)?;
    let cpu = Cpu::of(server.id())?;
    let samples = closed::run(target, &traffic, seconds)?;
    let used = cpu.used_since()?;
    let after = Reading::of(server.address)?;

    let answered = samples.count(Outcome::Answered);
    ensure!(
        answered == samples.events.len(),
        "{} of {} requests were not answered in full",
        samples.events.len() - answered,
        samples.events.len()
    );
    ensure!(
        answered < count,
        "all {count} requests were sent before the time was over"
    );
    let events = answered * BATCH;
    let grown = |name: &str| after.sum(name) - before.sum(name);
    // A few were answered after the end.
    ensure!(
        grown("burgee_events_written_total") >= events as f64,
        "{events} events were answered, but fewer are written"
    );
    ensure!(
        grown("burgee_events_dropped_total") == 0.0,
        "events were dropped"
    );
    let transactions = grown("burgee_event_batch_size_count");
    let grouped = grown("burgee_event_batch_size_sum") / transactions;
    Ok(Loaded {
        samples,
        used,
        events,
        grouped: (transactions > 0.0).then_some(grouped),
    })
}

/// A batch as a server SDK sends it: each event sets a few properties of a stored person.
fn request(world: &World, seed: u64, random: &mut Random) -> Prepared {
    let events: Vec<_> = (0..BATCH)
        .map(|_| {
            let (high, low) = (random.next() ^ seed, random.next());
            json!({
                "event": "$set",
                "uuid": uuid::Uuid::from_u64_pair(high, low).to_string(),
                "distinct_id": format!("user-{}", random.below(world.persons) + 1),
                "timestamp": "2026-11-21T23:50:39.703748+00:00",
                "properties": {
                    "$lib": "posthog-python",
                    "$lib_version": "7.91.1",
                    "$set": {"seats": random.below(1_000), "seen": random.next().to_string()},
                },
            })
        })
        .collect();
    let body = json!({"api_key": token(0), "batch": events});
    Prepared {
        class: 0,
        bytes: post("/batch/", &body.to_string()),
    }
}

/// Returns the events per second of pgbench: a transaction that remembers a hundred events, reads the persons of a hundred
/// ids, and writes their properties.
fn pgbench(world: &World, seconds: f64) -> Result<f64> {
    let script = world.directory().join("events.sql");
    std::fs::write(
        &script,
        format!(
            "\\set from random(1, {})\n\
             BEGIN;\n\
             INSERT INTO event_ids (project_id, high, low, seen_at_seconds) \
             SELECT 1, (random() * 9e18)::bigint, (random() * 9e18)::bigint, 0 FROM generate_series(1, {BATCH}) \
             ON CONFLICT DO NOTHING;\n\
             SELECT p.id, p.properties FROM generate_series(1, {BATCH}) n \
             JOIN person_distinct_ids d ON d.project_id = 1 AND d.distinct_id = 'user-' || (:from + n * 7) \
             JOIN persons p ON p.id = d.person_id;\n\
             UPDATE persons SET properties = '{{\"seen\":' || :from || substr(properties, 10) \
             FROM generate_series(1, {BATCH}) n WHERE id = :from + n * 7;\n\
             COMMIT;\n",
            world.persons.saturating_sub(BATCH as u64 * 7).max(1)
        ),
    )?;
    let output = Command::new(world.postgres()?.program("pgbench"))
        .args([
            "-n",
            "-M",
            "prepared",
            "-c",
            CLIENTS,
            "-j",
            "2",
            "--max-tries=10",
            "-T",
        ])
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
    let transactions: f64 = number.context("pgbench tells no tps")?.parse()?;
    Ok(transactions * BATCH as f64)
}
