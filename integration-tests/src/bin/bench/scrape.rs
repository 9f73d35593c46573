//! Histograms out of a server's `/metrics`: the difference of two readings.

use crate::load::wire::{exchange, get};
use anyhow::{Result, ensure};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// All series of one reading: name with labels → value.
#[derive(Debug)]
pub(crate) struct Reading(BTreeMap<String, f64>);

impl Reading {
    /// Reads `/metrics`.
    pub(crate) fn of(address: SocketAddr) -> Result<Self> {
        let (status, body) = exchange(address, &get("/metrics"), Duration::from_secs(5))?;
        ensure!(status == 200, "/metrics answered {status}");
        let text = String::from_utf8_lossy(&body);
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let series = lines.filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Ok(Self(series.collect()))
    }

    /// Returns the sum of all series whose name begins so.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        let named = self.0.iter().filter(|(key, _)| key.starts_with(name));
        named.map(|(_, value)| value).sum()
    }

    /// Returns a quantile, in the histogram's unit, of what was observed since `before` by all histograms whose name
    /// contains `part`; `None` when there is none. Within a bucket, observations are taken as evenly spread.
    pub(crate) fn quantile(&self, before: &Self, part: &str, quantile: f64) -> Option<f64> {
        let mut buckets: Vec<(f64, f64)> = Vec::new();
        for (key, value) in &self.0 {
            let Some((name, labels)) = key.split_once('{') else {
                continue;
            };
            if !(name.ends_with("_bucket") && name.contains(part)) {
                continue;
            }
            let (_, bound) = labels.split_once("le=\"")?;
            let bound = match bound.split('"').next()? {
                "+Inf" => f64::INFINITY,
                bound => bound.parse().ok()?,
            };
            let count = value - before.0.get(key).copied().unwrap_or_default();
            buckets.push((bound, count));
        }
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        within(&merge(buckets), quantile)
    }
}

/// Adds the counts of equal bounds.
fn merge(sorted: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let mut merged: Vec<(f64, f64)> = Vec::new();
    for (bound, count) in sorted {
        match merged.last_mut() {
            Some(last) if last.0.total_cmp(&bound).is_eq() => last.1 += count,
            _ => merged.push((bound, count)),
        }
    }
    merged
}

/// Finds the quantile among cumulated buckets.
fn within(buckets: &[(f64, f64)], quantile: f64) -> Option<f64> {
    let all = buckets.last()?.1;
    if all <= 0.0 {
        return None;
    }
    let wanted = all * quantile;
    let (mut below, mut counted) = (0.0, 0.0);
    for &(bound, count) in buckets {
        if count >= wanted {
            let part = (wanted - counted) / (count - counted).max(1e-9);
            return Some(match bound.is_finite() {
                true => below + (bound - below) * part,
                false => below,
            });
        }
        (below, counted) = (bound, count);
    }
    Some(below)
}
