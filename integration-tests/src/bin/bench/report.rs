//! What a comparison says: a small table for people, and one line of JSON for everything else.

use anyhow::Result;
use serde_json::{Map, Value, json};
use std::io::Write;

/// What one run of a comparison found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// By name; `None` where it could not be measured, and the notes say why.
    pub(crate) ratios: Vec<(&'static str, Option<f64>)>,
    /// The heads of the table.
    pub(crate) heads: Vec<&'static str>,
    /// Its lines.
    pub(crate) rows: Vec<Vec<String>>,
    /// Everything else, for the JSON.
    pub(crate) figures: Map<String, Value>,
    /// Sentences for the reader.
    pub(crate) notes: Vec<String>,
}

impl Findings {
    /// Adds a line to the table.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Adds a ratio of two figures.
    pub(crate) fn ratio(&mut self, name: &'static str, of: Option<f64>, to: Option<f64>) {
        let ratio = of.zip(to).map(|(of, to)| of / to);
        self.ratios
            .push((name, ratio.filter(|ratio| ratio.is_finite())));
    }

    /// Adds a figure to the JSON.
    pub(crate) fn figure(&mut self, name: &str, value: Value) {
        self.figures.insert(name.to_owned(), value);
    }

    fn table(&self) -> String {
        let heads = self.heads.iter().map(|head| (*head).to_owned()).collect();
        let lines: Vec<&Vec<String>> = std::iter::once(&heads).chain(&self.rows).collect();
        let columns = lines.iter().map(|line| line.len()).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for line in lines {
            for (place, (cell, width)) in line.iter().zip(&widths).enumerate() {
                let cell = match place {
                    0 => format!("{cell:<width$}"),
                    _ => format!("  {cell:>width$}"),
                };
                text.push_str(&cell);
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text
    }
}

/// Formats a figure for a table.
pub(crate) fn cell(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}

/// Prints a run's table and its notes.
pub(crate) fn print_run(out: &mut impl Write, title: &str, findings: &Findings) -> Result<()> {
    write!(out, "{title}\n{}", findings.table())?;
    for note in &findings.notes {
        writeln!(out, "note: {note}")?;
    }
    writeln!(out)?;
    out.flush()?;
    Ok(())
}

/// Returns the medians of the ratios of all runs.
pub(crate) fn medians(runs: &[Findings]) -> Map<String, Value> {
    let mut medians = Map::new();
    for (name, _) in runs.iter().flat_map(|run| &run.ratios) {
        let of_runs = runs.iter().flat_map(|run| &run.ratios);
        let mut values: Vec<f64> = of_runs
            .filter(|(other, _)| other == name)
            .filter_map(|(_, value)| *value)
            .collect();
        values.sort_by(f64::total_cmp);
        let median = values.get(values.len() / 2).or(values.last());
        medians.insert((*name).to_owned(), json!(median.copied().map(rounded)));
    }
    medians
}

/// Returns the line of JSON about a comparison.
pub(crate) fn summary(name: &str, pace: &str, runs: &[Findings], machine: &[Value]) -> Value {
    let run = |findings: &Findings| {
        let ratios: Map<String, Value> = (findings.ratios.iter())
            .map(|(name, value)| ((*name).to_owned(), json!(value.map(rounded))))
            .collect();
        json!({"ratios": ratios, "figures": findings.figures, "notes": findings.notes})
    };
    json!({
        "bench": name,
        "ratios": medians(runs),
        "pace": pace,
        "runs": runs.iter().map(run).collect::<Vec<_>>(),
        "machine": {
            "cpus": std::thread::available_parallelism().map_or(1, usize::from),
            "phases": machine,
        },
    })
}

/// Four significant digits: more would only be noise.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}
