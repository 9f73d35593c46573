//! What loading the members of static cohorts costs Burgee: CPU of the whole process for each member, and memory.
//!
//! A project for each size, with as many cohorts of that size as make the smallest total: one cohort of a thousand would
//! be over before the clock moves.

use crate::bench::Bench;
use crate::load::wire::exchange;
use crate::proc;
use crate::report::{Findings, cell};
use crate::scrape::Reading;
use crate::server::{Server, pause};
use crate::world::{Properties, World, token};
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Members of a cohort.
const SIZES: [usize; 5] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];
/// Members that a project has at least.
const TOTAL: usize = 100_000;
const LOAD_LIMIT: Duration = Duration::from_secs(300);

/// What was found for each size.
pub(super) struct Members {
    costs: Vec<(usize, f64)>,
    /// By the server's own gauge, and by what its process grew, for the largest cohort.
    gauge_mb_per_million: f64,
    resident_mb_per_million: f64,
}

impl Members {
    pub(super) fn put(&self, findings: &mut Findings) {
        let cost = |entry: Option<&(usize, f64)>| entry.map(|(_, nanos)| *nanos);
        findings.ratio("member", cost(self.costs.last()), cost(self.costs.first()));
        for (size, nanos) in &self.costs {
            findings.row([
                format!("ns per member, cohorts of {size}"),
                cell(Some(*nanos), 1),
            ]);
        }
        let costs: Vec<Value> = (self.costs.iter())
            .map(|(size, nanos)| json!({"members": size, "ns_each": nanos.round()}))
            .collect();
        findings.figure("member_ns", json!(costs));
        let megabytes = self.gauge_mb_per_million;
        findings.figure("mb_per_million_members", json!(megabytes));
        findings.figure(
            "resident_mb_per_million_members",
            json!(self.resident_mb_per_million),
        );
        findings
            .notes
            .push(format!("a million members take {megabytes:.2} MB"));
    }
}

/// One project of the file.
#[derive(Debug, Clone, Copy)]
struct Case {
    project: usize,
    size: usize,
    cohorts: usize,
    first_id: usize,
}

/// Loads cohorts of every size, from the smallest.
pub(super) fn measure(bench: &Bench) -> Result<Members> {
    let sizes = bench.pace.pick(5, 4, 2);
    let total = bench.pace.pick(TOTAL, TOTAL, 5_000);
    let mut next_id = 1;
    let sizes = SIZES.into_iter().take(sizes).enumerate();
    let cases: Vec<Case> = sizes
        .map(|(project, size)| {
            let cohorts = (total / size).max(1);
            let first_id = next_id;
            next_id += cohorts;
            Case {
                project,
                size,
                cohorts,
                first_id,
            }
        })
        .collect();
    let projects: Vec<Value> = cases.iter().map(project).collect();
    let world = World::of(&json!({"projects": projects}), cases.len(), 1)?;
    for case in &cases {
        insert(&world, *case)?;
    }
    world.query("VACUUM ANALYZE cohort_members")?;
    bench.watched("cohort members", || {
        let burgee = Server::burgee(bench, world.url())?;
        let mut members = Members {
            costs: Vec::new(),
            gauge_mb_per_million: 0.0,
            resident_mb_per_million: 0.0,
        };
        for case in &cases {
            load(&world, &burgee, *case, &mut members)?;
        }
        Ok(members)
    })
}

/// A project with its cohorts, and a flag that refers to all of them.
fn project(case: &Case) -> Value {
    let ids = case.first_id..case.first_id + case.cohorts;
    let cohorts: Vec<Value> = (ids.clone())
        .map(|id| json!({"id": id, "name": format!("Cohort {id}"), "is_static": true}))
        .collect();
    let conditions: Vec<Value> = ids
        .map(|id| {
            let filter = json!({"type": "cohort", "key": "id", "operator": "in", "value": id});
            json!({"properties": [filter], "rollout_percentage": 100})
        })
        .collect();
    json!({
        "id": case.project + 1,
        "name": format!("Members {}", case.size),
        "token": token(case.project),
        "cohorts": cohorts,
        "flags": [{
            "id": case.project + 1,
            "key": "members",
            "active": true,
            "filters": {"groups": conditions},
        }],
    })
}

/// Members need not be persons here: nobody asks for their properties.
fn insert(world: &World, case: Case) -> Result<()> {
    let Case {
        project,
        size,
        cohorts,
        first_id,
    } = case;
    world.query(&format!(
        "SET session_replication_role = replica; \
         INSERT INTO cohort_members (project_id, person_id, cohort_id) \
         SELECT {} , 1000 + n, {first_id} + c FROM generate_series(0, {cohorts} - 1) c, generate_series(1, {size}) n",
        project + 1
    ))?;
    Ok(())
}

/// Asks for the flag, which has the cohorts loaded, and waits until they are.
fn load(world: &World, burgee: &Server, case: Case, members: &mut Members) -> Result<()> {
    let wanted = (case.size * case.cohorts) as f64;
    let loaded = "burgee_cohort_cache_members_loaded";
    let bytes = "burgee_cohort_cache_bytes";
    let before = Reading::of(burgee.address)?;
    let resident = proc::resident_kb(burgee.id())?;
    let nanos = proc::nanos(burgee.id());
    let request = world.request(0, case.project, 0, Properties::Stored);
    let (status, _) = exchange(burgee.address, &request.bytes, Duration::from_secs(30))?;
    ensure!(
        status == 200,
        "the flag's request was answered with {status}"
    );
    let deadline = Instant::now() + LOAD_LIMIT;
    let after = loop {
        let now = Reading::of(burgee.address)?;
        let is_loaded = now.sum(loaded) - before.sum(loaded) >= wanted;
        if is_loaded && now.sum("burgee_cohort_cache_loading") == 0.0 {
            break now;
        }
        ensure!(
            Instant::now() < deadline,
            "of {wanted} members in cohorts of {} only {} were loaded within {LOAD_LIMIT:?}",
            case.size,
            now.sum(loaded) - before.sum(loaded)
        );
        pause();
    };
    let spent = proc::nanos(burgee.id()).saturating_sub(nanos) as f64;
    members.costs.push((case.size, spent / wanted));
    let millions = wanted / 1e6;
    let grown = proc::resident_kb(burgee.id())?.saturating_sub(resident) as f64;
    members.gauge_mb_per_million = (after.sum(bytes) - before.sum(bytes)) / 1e6 / millions;
    members.resident_mb_per_million = grown * 1024.0 / 1e6 / millions;
    Ok(())
}
