//! What the kernel tells about processes: CPU time, memory, threads, parents. Ticks are hundredths of a second.

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use std::fs;

/// Microseconds in a tick of `/proc`.
const TICK_MICROS: u64 = 10_000;

/// One process or thread.
#[derive(Debug, Clone)]
pub(crate) struct Stat {
    pub(crate) name: String,
    pub(crate) parent: u32,
    /// CPU ticks of its own.
    pub(crate) ticks: u64,
    /// CPU ticks of children that have ended and were waited for.
    pub(crate) childrens_ticks: u64,
}

fn parse(text: &str) -> Option<Stat> {
    // The name stands in parentheses and may contain any of them.
    let (before, after) = text.rsplit_once(") ")?;
    let (_, name) = before.split_once('(')?;
    let fields: Vec<&str> = after.split(' ').collect();
    let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
    Some(Stat {
        name: name.to_owned(),
        parent: fields.get(1)?.parse().ok()?,
        ticks: number(11)? + number(12)?,
        childrens_ticks: number(13)? + number(14)?,
    })
}

fn ids(folder: &str) -> Vec<u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter_map(|name| name.parse().ok()).collect()
}

/// Returns every process there is.
pub(crate) fn all() -> HashMap<u32, Stat> {
    let stats = ids("/proc").into_iter().filter_map(|id| {
        let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        Some((id, parse(&text)?))
    });
    stats.collect()
}

/// CPU time of a process at one moment.
#[derive(Debug)]
pub(crate) struct Cpu {
    id: u32,
    ticks: u64,
    threads: BTreeMap<String, u64>,
}

impl Cpu {
    /// Reads what a process has used so far.
    pub(crate) fn of(id: u32) -> Result<Self> {
        let text = fs::read_to_string(format!("/proc/{id}/stat")).context("the process is gone")?;
        let stat = parse(&text).context("/proc has another form than expected")?;
        let mut threads = BTreeMap::new();
        for thread in ids(&format!("/proc/{id}/task")) {
            let text = fs::read_to_string(format!("/proc/{id}/task/{thread}/stat"));
            if let Some(stat) = text.ok().as_deref().and_then(parse) {
                *threads.entry(stat.name).or_default() += stat.ticks;
            }
        }
        Ok(Self {
            id,
            ticks: stat.ticks,
            threads,
        })
    }

    /// Returns what the process has used since: the whole, and its threads by name.
    pub(crate) fn used_since(&self) -> Result<Used> {
        let now = Self::of(self.id)?;
        let before = |name: &String| self.threads.get(name).copied().unwrap_or_default();
        let micros = |ticks: u64| ticks * TICK_MICROS;
        Ok(Used {
            micros: micros(now.ticks.saturating_sub(self.ticks)),
            threads: (now.threads.iter())
                .map(|(name, ticks)| (name.clone(), micros(ticks.saturating_sub(before(name)))))
                .filter(|(_, used)| *used > 0)
                .collect(),
        })
    }
}

/// CPU time that was used.
#[derive(Debug)]
pub(crate) struct Used {
    pub(crate) micros: u64,
    threads: BTreeMap<String, u64>,
}

impl Used {
    /// Returns this share of it: of a load that was the same before what counts began.
    pub(crate) fn scaled(mut self, share: f64) -> Self {
        let scale = |micros: &mut u64| *micros = (*micros as f64 * share) as u64;
        scale(&mut self.micros);
        self.threads.values_mut().for_each(scale);
        self
    }

    /// Returns microseconds for each of `count`; `None` for none.
    pub(crate) fn each(&self, count: usize) -> Option<f64> {
        (count > 0).then(|| self.micros as f64 / count as f64)
    }

    /// Returns the figures as JSON, all for each of `count`.
    pub(crate) fn figures(&self, count: usize) -> Value {
        let share = |micros: &u64| json!(round(*micros as f64 / count.max(1) as f64));
        let threads: Map<String, Value> = (self.threads.iter())
            .map(|(name, micros)| (name.clone(), share(micros)))
            .collect();
        json!({"us_each": self.each(count).map(round), "threads_us_each": threads})
    }
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// Returns the CPU time of a process's living threads so far, in nanoseconds: finer than ticks, for short stretches.
pub(crate) fn nanos(id: u32) -> u64 {
    let threads = ids(&format!("/proc/{id}/task")).into_iter();
    let times = threads.filter_map(|thread| {
        let text = fs::read_to_string(format!("/proc/{id}/task/{thread}/schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    times.sum()
}

/// Returns the resident memory of a process, in kB.
pub(crate) fn resident_kb(id: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{id}/status")).context("the process is gone")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("no VmRSS")?.parse()?)
}
