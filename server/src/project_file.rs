//! The declarative project file: read, check, diff, write, export.
//!
//! Everything up to the plan is pure: text in, problems or planned writes out. Only `store` and `export` speak to the
//! database, and nothing here prints.

mod check;
mod emit;
mod export;
mod fields;
mod json;
mod node;
mod plan;
mod problem;
mod read;
mod shape;
mod store;
mod yaml;

pub(crate) use check::{cohort_definitions, flag_definitions};
pub use emit::Format;
pub(crate) use emit::{Emitter, list, object};
pub use export::{ExportError, export};
pub use node::Place;
pub(crate) use node::{Name, Node, Value, is_json_number, write_json_text};
pub use plan::{Action, Kind, Line, Totals};
pub use problem::{Problem, Problems, line as problem_line};
pub use read::is_scope;

use burgee_schema::{Store, StoreError};
use chrono::{DateTime, SubsecRound, Utc};
use plan::{PlanOptions, Step, Stored};
use problem::Findings;
use shape::ProjectFile;

/// The largest file that is read, in bytes.
pub const MAX_BYTES: usize = 256 << 20;

/// How to apply a file.
#[derive(Debug, Clone)]
pub struct ApplyOptions {
    /// The file's name: for messages, and its ending tells JSON from YAML.
    pub file: String,
    /// Whether what the file does not name is removed, in the projects it names.
    pub prune: bool,
    /// Whether definitions that `check` refuses are stored, with a warning each.
    pub lenient: bool,
    /// Whether nothing is written.
    pub dry_run: bool,
    /// The present: when new persons without a time of their own are created.
    pub now: DateTime<Utc>,
}

/// What was done, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// A line for each object.
    pub lines: Vec<Line>,
    /// What deserves a second look, in the order of the file.
    pub warnings: Vec<Problem>,
}

impl Report {
    /// Counts the lines.
    pub fn totals(&self) -> Totals {
        Totals::of(&self.lines)
    }
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The file is wrong: every problem of it.
    #[error(transparent)]
    Problems(#[from] Problems),
    /// The database.
    #[error("the database cannot be changed")]
    Store(#[from] StoreError),
}

/// Brings the database to what the file says, in one transaction: everything, or nothing on any error.
pub async fn apply(
    store: &Store,
    text: &str,
    options: &ApplyOptions,
) -> Result<Report, ApplyError> {
    let mut findings = Findings::default();
    let file = read(text, options, &mut findings)?;
    let mut transaction = match options.dry_run {
        true => store.begin_snapshot().await?,
        false => store.begin_write().await?,
    };
    let stored = store::load(&mut transaction, &file, options.prune).await?;
    let steps = plan::plan(file, &stored, plan_options(options), &mut findings);
    drop(stored);
    let report = match finish(&steps, findings, options) {
        Ok(report) => report,
        Err(problems) => {
            transaction.roll_back().await?;
            return Err(problems.into());
        }
    };
    if options.dry_run || report.totals().is_unchanged() {
        transaction.roll_back().await?;
    } else {
        store::write(&mut transaction, steps).await?;
        transaction.commit().await?;
    }
    Ok(report)
}

/// Checks a file alone, as if it were applied to an empty database. References to what only a database holds are problems.
pub fn check(text: &str, options: &ApplyOptions) -> Result<Report, Problems> {
    let mut findings = Findings::default();
    let file = read(text, options, &mut findings)?;
    let steps = plan::plan(
        file,
        &Stored::default(),
        plan_options(options),
        &mut findings,
    );
    finish(&steps, findings, options)
}

fn plan_options(options: &ApplyOptions) -> PlanOptions {
    PlanOptions {
        prune: options.prune,
        lenient: options.lenient,
        // Both databases keep microseconds.
        now: options.now.trunc_subsecs(6),
    }
}

fn finish(
    steps: &[Step],
    mut findings: Findings,
    options: &ApplyOptions,
) -> Result<Report, Problems> {
    findings.sort();
    if findings.problems.is_empty() {
        Ok(Report {
            lines: steps.iter().map(|step| step.line.clone()).collect(),
            warnings: findings.warnings,
        })
    } else {
        Err(Problems {
            file: options.file.clone(),
            problems: findings.problems,
        })
    }
}

/// Reads the text. A text without structure is the only problem that is told alone.
fn read(
    text: &str,
    options: &ApplyOptions,
    findings: &mut Findings,
) -> Result<ProjectFile, Problems> {
    let root = tree(&options.file, text, findings)?;
    Ok(read::read(root, findings))
}

/// Reads a text, YAML or JSON, as a tree of values that need not be a project file.
pub(crate) fn parse(file: &str, text: &str) -> Result<Node, Problems> {
    let mut findings = Findings::default();
    let root = tree(file, text, &mut findings)?;
    if findings.problems.is_empty() {
        return Ok(root);
    }
    Err(Problems {
        file: file.to_owned(),
        problems: findings.problems,
    })
}

fn tree(file: &str, text: &str, findings: &mut Findings) -> Result<Node, Problems> {
    let alone = |place: Option<Place>, message: String| Problems {
        file: file.to_owned(),
        problems: vec![Problem {
            place,
            path: String::new(),
            message,
        }],
    };
    if text.len() > MAX_BYTES {
        return Err(alone(None, format!("larger than {MAX_BYTES} bytes")));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut faults = Vec::new();
    let root = match is_json(file, text) {
        true => json::parse(text, &mut faults),
        false => yaml::parse(text, &mut faults),
    }
    .map_err(|fault| alone(Some(fault.place), fault.message))?;
    for fault in faults {
        findings.problem(fault.place, "", fault.message);
    }
    Ok(root)
}

/// Tells JSON from YAML by the name's ending; without a telling one, a text that begins like an object is JSON.
fn is_json(file: &str, text: &str) -> bool {
    let ending = std::path::Path::new(file).extension();
    match ending.and_then(|e| e.to_str()) {
        Some("json") => true,
        Some("yaml" | "yml") => false,
        _ => text.trim_start().starts_with('{'),
    }
}

#[cfg(test)]
mod tests;
