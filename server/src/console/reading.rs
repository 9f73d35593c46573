//! The registry's text at one moment, taken apart: what a page is to show of it. Knows the text format, and nothing of what
//! the names mean.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

/// All series of one moment, by name.
#[derive(Debug, Default)]
pub(super) struct Reading(HashMap<Box<str>, Vec<Series>>);

#[derive(Debug)]
struct Series {
    labels: Vec<(Box<str>, Box<str>)>,
    value: f64,
}

impl Series {
    fn label(&self, name: &str) -> Option<&str> {
        let mut labels = self.labels.iter();
        labels.find_map(|(other, value)| (**other == *name).then_some(&**value))
    }
}

impl Reading {
    /// Reads the text format 0.0.4 or OpenMetrics. Lines that are neither are passed over.
    pub(super) fn parse(text: &str) -> Self {
        let mut all: HashMap<Box<str>, Vec<Series>> = HashMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, series)) = series(line) else {
                continue;
            };
            match all.get_mut(name) {
                Some(others) => others.push(series),
                None => drop(all.insert(name.into(), vec![series])),
            }
        }
        Self(all)
    }

    fn series(&self, name: &str) -> &[Series] {
        self.0.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the value of a series without labels, or the first of several.
    pub(super) fn value(&self, name: &str) -> Option<f64> {
        self.series(name).first().map(|series| series.value)
    }

    /// Adds up all series of a name.
    pub(super) fn sum(&self, name: &str) -> f64 {
        self.series(name).iter().map(|series| series.value).sum()
    }

    /// Adds up the series of a name by the value of a label.
    pub(super) fn by(&self, name: &str, label: &str) -> BTreeMap<&str, f64> {
        let mut sums = BTreeMap::new();
        for series in self.series(name) {
            *sums
                .entry(series.label(label).unwrap_or_default())
                .or_default() += series.value;
        }
        sums
    }

    /// Returns the series of a name with the values of two labels, in the order of both.
    pub(super) fn by_two(&self, name: &str, labels: [&str; 2]) -> BTreeMap<(&str, &str), f64> {
        let [one, two] = labels;
        let mut sums = BTreeMap::new();
        for series in self.series(name) {
            let key = (
                series.label(one).unwrap_or_default(),
                series.label(two).unwrap_or_default(),
            );
            *sums.entry(key).or_default() += series.value;
        }
        sums
    }

    /// Adds up the buckets of a histogram's series; with a label and its value, of those that have it.
    pub(super) fn buckets(&self, histogram: &str, only: &[(&str, &str)]) -> Buckets {
        let mut buckets = Buckets::default();
        for series in self.series(&format!("{histogram}_bucket")) {
            let is_wanted = |(label, value): &(&str, &str)| series.label(label) == Some(*value);
            if only.iter().all(is_wanted)
                && let Some(bound) = series.label("le").and_then(bound)
            {
                buckets.add(bound, series.value);
            }
        }
        buckets
    }
}

/// How often a histogram saw at most so much.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Buckets(Vec<(f64, f64)>);

impl Buckets {
    fn add(&mut self, bound: f64, count: f64) {
        match self.0.iter_mut().find(|(other, _)| *other == bound) {
            Some((_, sum)) => *sum += count,
            None => self.0.push((bound, count)),
        }
    }

    /// Returns what was seen since an earlier moment, at which the histogram may have been missing.
    pub(super) fn since(&self, before: &Self) -> Self {
        let earlier = |bound: f64| {
            let mut all = before.0.iter();
            all.find_map(|(other, count)| (*other == bound).then_some(*count))
        };
        let since = |(bound, count): &(f64, f64)| {
            (*bound, (count - earlier(*bound).unwrap_or(0.0)).max(0.0))
        };
        Self(self.0.iter().map(since).collect())
    }

    /// Returns how much was seen.
    pub(super) fn count(&self) -> f64 {
        self.0.last().map_or(0.0, |(_, count)| *count)
    }

    /// Returns below what this share of all that was seen lies, taken as evenly spread within a bucket; `None` when nothing
    /// was seen. What lies beyond the last bound counts as that bound.
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        let total = self.count();
        if total <= 0.0 {
            return None;
        }
        let rank = share * total;
        let (mut from, mut below) = (0.0, 0.0);
        for (bound, count) in &self.0 {
            if *count >= rank {
                if bound.is_infinite() {
                    return Some(from);
                }
                let inside = count - below;
                let part = if inside > 0.0 {
                    (rank - below) / inside
                } else {
                    1.0
                };
                return Some(from + (bound - from) * part);
            }
            (from, below) = (*bound, *count);
        }
        Some(from)
    }
}

fn bound(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        number => number.parse().ok(),
    }
}

/// Takes `NAME{LABEL="VALUE",…} NUMBER` apart.
fn series(line: &str) -> Option<(&str, Series)> {
    let (name, labels, number) = match line.split_once('{') {
        Some((name, rest)) => {
            // No label of ours has a brace in it, but a value may be anything.
            let (labels, number) = rest.rsplit_once("} ")?;
            (name, labels, number)
        }
        None => {
            let (name, number) = line.split_once(' ')?;
            (name, "", number)
        }
    };
    let series = Series {
        labels: self::labels(labels),
        value: number.split(' ').next()?.parse().ok()?,
    };
    Some((name, series))
}

fn labels(mut text: &str) -> Vec<(Box<str>, Box<str>)> {
    let mut labels = Vec::new();
    while let Some((name, rest)) = text.split_once("=\"") {
        // Values of ours come from closed lists without a quotation mark.
        let Some((value, rest)) = rest.split_once('"') else {
            break;
        };
        labels.push((name.into(), value.into()));
        text = rest.strip_prefix(',').unwrap_or(rest);
    }
    labels
}
