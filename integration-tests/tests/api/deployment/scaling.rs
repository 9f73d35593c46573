//! The sizing table of `docs/scaling.md` is the arithmetic that stands above it, with the figures of `docs/benchmarks.md`.

use super::repository_file;

/// What a server of two CPUs may use a second, in µs.
const BUDGET: f64 = 2.0 * 1e6 * 0.6;

/// Returns the cells of the first line of a file that begins so, without empty ones.
fn cells(file: &str, start: &str) -> Vec<String> {
    let text = repository_file(file);
    let line = text.lines().find(|line| line.starts_with(start));
    let line = line.unwrap_or_else(|| panic!("{file}: {start}"));
    let cells = line
        .split('|')
        .map(str::trim)
        .filter(|cell| !cell.is_empty());
    cells.map(str::to_owned).collect()
}

fn number(text: &str) -> f64 {
    let text = text.trim().replace(',', "");
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// CPU time of a request in µs: with 20, 100 and 1,000 flags, and in the mixture of `overload`.
fn costs() -> Vec<f64> {
    let row = cells(
        "docs/benchmarks.md",
        "| | CPU µs per request at 20, 100, 1,000 flags",
    );
    let measured = row
        .iter()
        .rev()
        .nth(1)
        .expect("measured, and the number of runs");
    let mut costs: Vec<f64> = measured.split(", ").map(number).collect();
    let text = repository_file("docs/benchmarks.md");
    let (before, _) = text
        .split_once(" µs, and one that is refused")
        .expect("the cost of the mixture");
    costs.push(number(before.rsplit(' ').next().expect("a word")));
    assert_eq!(costs.len(), 4);
    costs
}

#[test]
fn the_table_is_the_arithmetic() {
    let costs = costs();
    let carries = cells("docs/scaling.md", "| one server carries");
    for (cost, cell) in costs.iter().zip(carries.iter().skip(1)) {
        let exact = BUDGET / cost;
        // Rounded down to hundreds.
        assert_eq!(number(cell), (exact / 100.0).floor() * 100.0, "{cost} µs");
    }
    for rate in ["1,000", "10,000", "50,000", "100,000"] {
        let row = cells("docs/scaling.md", &format!("| {rate} |"));
        for (cost, cell) in costs.iter().zip(row.iter().skip(1)) {
            let servers = (number(rate) * cost / BUDGET).ceil();
            assert_eq!(
                cell,
                &format!("{servers} + 1"),
                "{rate} requests of {cost} µs"
            );
        }
    }
}
