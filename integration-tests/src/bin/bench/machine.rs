//! What else used the machine while something was measured.

use crate::proc::{self, Stat};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::fs;

/// Processes named in a note.
const NAMED: usize = 3;

/// The machine at one moment.
#[derive(Debug)]
pub(crate) struct Machine {
    /// CPU ticks by kind: user, nice, system, idle, wait for I/O, interrupts, soft interrupts, stolen.
    ticks: Vec<u64>,
    processes: HashMap<u32, Stat>,
}

/// The shares of all CPU time that went elsewhere.
#[derive(Debug, Clone)]
pub(crate) struct Elsewhere {
    /// To processes that are not of this run.
    pub(crate) others: f64,
    /// To other machines on the same hardware.
    pub(crate) stolen: f64,
    /// The largest of the others.
    pub(crate) names: Vec<String>,
}

impl Machine {
    /// Looks at it.
    pub(crate) fn now() -> Result<Self> {
        let text = fs::read_to_string("/proc/stat")?;
        let line = text.lines().next().context("/proc/stat is empty")?;
        let ticks = line.split_whitespace().skip(1).take(8);
        Ok(Self {
            ticks: ticks.map(str::parse).collect::<Result<_, _>>()?,
            processes: proc::all(),
        })
    }

    /// Returns what went elsewhere since.
    pub(crate) fn elsewhere_since(&self) -> Result<Elsewhere> {
        let now = Self::now()?;
        let spent = |kind: usize| {
            let at = |machine: &Self| machine.ticks.get(kind).copied().unwrap_or_default();
            at(&now).saturating_sub(at(self)) as f64
        };
        let all: f64 = (0..8).map(spent).sum::<f64>().max(1.0);
        // Interrupts belong to nobody, and mostly serve our own traffic.
        let by_processes = spent(0) + spent(1) + spent(2);
        let ours = now.ours().saturating_sub(self.ours()) as f64;
        Ok(Elsewhere {
            others: ((by_processes - ours) / all).max(0.0),
            stolen: spent(7) / all,
            names: self.largest_others(&now, all),
        })
    }

    /// Returns the ticks of this process and everything it started.
    fn ours(&self) -> u64 {
        let ours = self.family();
        let stats = ours.iter().filter_map(|id| self.processes.get(id));
        stats.map(|stat| stat.ticks + stat.childrens_ticks).sum()
    }

    fn family(&self) -> HashSet<u32> {
        let mut family = HashSet::from([std::process::id()]);
        loop {
            let children = self.processes.iter();
            let new: Vec<u32> = children
                .filter(|(id, stat)| family.contains(&stat.parent) && !family.contains(id))
                .map(|(id, _)| *id)
                .collect();
            if new.is_empty() {
                return family;
            }
            family.extend(new);
        }
    }

    fn largest_others(&self, now: &Self, all: f64) -> Vec<String> {
        let family = now.family();
        let mut shares: Vec<(f64, &str)> = (now.processes.iter())
            .filter(|(id, _)| !family.contains(id))
            .map(|(id, stat)| {
                let before = self.processes.get(id).map_or(0, |stat| stat.ticks);
                let share = stat.ticks.saturating_sub(before) as f64 / all;
                (share, stat.name.as_str())
            })
            .filter(|(share, _)| *share > 0.005)
            .collect();
        shares.sort_by(|a, b| b.0.total_cmp(&a.0));
        let named = shares.into_iter().take(NAMED);
        named
            .map(|(share, name)| format!("{name} {:.0} %", share * 100.0))
            .collect()
    }
}

impl Elsewhere {
    /// Returns the larger of both shares: whoever took the time, it was not here.
    pub(crate) fn share(&self) -> f64 {
        self.others + self.stolen
    }

    /// Returns the note as JSON, shares in percent.
    pub(crate) fn figures(&self) -> Value {
        let percent = |share: f64| (share * 1000.0).round() / 10.0;
        json!({
            "others_percent": percent(self.others),
            "stolen_percent": percent(self.stolen),
            "largest": self.names,
        })
    }
}
