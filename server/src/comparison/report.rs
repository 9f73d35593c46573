//! A [`Tally`] as a person and a program read it.

use super::tally::Sort;
use super::{Sides, Tally};
use serde_json::{Value, json};
use std::fmt::{self, Write};

/// How many differences a report lists.
const TOP: usize = 100;

/// A tally at a moment, under the names of its sides.
#[derive(Debug)]
pub struct Report<'a> {
    tally: &'a Tally,
    sides: Sides,
}

impl<'a> Report<'a> {
    /// Begins a report.
    pub fn new(tally: &'a Tally, sides: Sides) -> Self {
        Self { tally, sides }
    }

    /// Returns the differences, the most frequent first, and of those that are equally frequent in the order of flags.
    fn rows(&self) -> Vec<(&Sort, u64)> {
        let mut rows: Vec<_> = self
            .tally
            .counts
            .iter()
            .map(|(sort, n)| (sort, *n))
            .collect();
        rows.sort_by(|(a, most), (b, least)| least.cmp(most).then_with(|| a.cmp(b)));
        rows
    }

    /// Returns it as JSON: totals, the first hundred differences, the examples.
    pub fn json(&self) -> Value {
        let [first, second] = self.sides.names;
        let rows = self.rows();
        let listed = rows.iter().take(TOP).map(|(sort, count)| {
            json!({
                "flag": sort.flag,
                "kind": sort.kind.name(self.sides),
                "reason": {first: sort.reasons[0], second: sort.reasons[1]},
                "count": count,
            })
        });
        let samples = self.tally.samples.iter();
        let samples = samples.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        json!({
            "compared": self.tally.compared(),
            "equal": self.tally.equal,
            "different": self.tally.different,
            "failed": self.tally.failed,
            "differences": listed.collect::<Vec<_>>(),
            "differences_not_listed": rows.len().saturating_sub(TOP),
            "differences_beyond_memory": self.tally.beyond,
            "samples": samples.collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Report<'_> {
    /// Writes it as lines for a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tally = self.tally;
        let compared = tally.compared();
        writeln!(
            f,
            "compared {compared}: {} equal, {} different, {} without two answers",
            tally.equal, tally.different, tally.failed
        )?;
        let rows = self.rows();
        if rows.is_empty() {
            return Ok(());
        }
        let [first, second] = self.sides.names;
        let header = ["flag", "kind", first, second, "count"].map(str::to_owned);
        let mut table = vec![header];
        for (sort, count) in rows.iter().take(TOP) {
            let word = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
            table.push([
                sort.flag
                    .clone()
                    .unwrap_or_else(|| "(whole answer)".to_owned()),
                sort.kind.name(self.sides).to_owned(),
                word(&sort.reasons[0]),
                word(&sort.reasons[1]),
                count.to_string(),
            ]);
        }
        f.write_str(&aligned(&table))?;
        let more = rows.len().saturating_sub(TOP);
        if more > 0 {
            writeln!(f, "and {more} more")?;
        }
        if tally.beyond > 0 {
            writeln!(f, "and {} times what was not told apart", tally.beyond)?;
        }
        Ok(())
    }
}

/// Writes rows in columns, two blanks apart.
fn aligned(table: &[[String; 5]]) -> String {
    let mut widths = [0; 5];
    for row in table {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in table {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            // Writing to a string cannot fail.
            let _never = write!(line, "{cell:<width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
