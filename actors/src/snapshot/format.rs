//! The format of a snapshot: JSON, a line each. First a header, then as many group types, flags and cohorts as it says.
//! Pure: bytes in, rows out.

use burgee_evaluation::ProjectId;
use burgee_schema::models::{CohortRow, DefinitionRows, FlagRow, GroupTypeRow, ProjectRow};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Lines};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Grows by one when a line means something else than before; others are not read.
const VERSION: u32 = 1;
/// Tells our files from everybody else's.
const FORMAT: &str = "burgee-snapshot";

/// One project, as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rows {
    pub(crate) project: ProjectRow,
    pub(crate) group_types: Vec<GroupTypeRow>,
    pub(crate) flags: Vec<FlagRow>,
    pub(crate) cohorts: Vec<CohortRow>,
}

impl From<DefinitionRows> for Rows {
    fn from(rows: DefinitionRows) -> Self {
        Self {
            project: rows.project,
            group_types: rows.group_types,
            flags: rows.flags,
            cohorts: rows.cohorts,
        }
    }
}

impl From<Rows> for DefinitionRows {
    /// As old as rows can be: whatever is read from the database replaces them.
    fn from(rows: Rows) -> Self {
        Self {
            project: rows.project,
            group_types: rows.group_types,
            flags: rows.flags,
            cohorts: rows.cohorts,
            sequence: -1,
        }
    }
}

/// Why a file is no snapshot of ours.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Bad {
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("it is too large")]
    TooLarge,
    #[error("it is no snapshot")]
    Foreign,
    #[error("its version is {0}, and this program reads version {VERSION}")]
    Version(u32),
    #[error("it belongs to another database")]
    OtherDatabase,
    #[error("it holds another project than its name says")]
    OtherProject,
    #[error("it is damaged: {0}")]
    Damaged(#[from] serde_json::Error),
    #[error("it ends too early, or too late")]
    Length,
}

#[derive(Serialize, Deserialize)]
struct Mark {
    format: String,
    version: u32,
    database: String,
}

#[derive(Deserialize)]
pub(super) struct Header {
    project: ProjectRow,
    group_types: usize,
    flags: usize,
    cohorts: usize,
}

#[derive(Serialize)]
struct HeaderLine<'a> {
    #[serde(flatten)]
    mark: Mark,
    project: &'a ProjectRow,
    group_types: usize,
    flags: usize,
    cohorts: usize,
}

#[derive(Serialize, Deserialize)]
struct Stamp {
    #[serde(flatten)]
    mark: Mark,
    unix_milliseconds: u64,
}

impl Mark {
    fn of(database: &str) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            database: database.to_owned(),
        }
    }

    fn check(line: &str, database: &str) -> Result<(), Bad> {
        let mark: Self = serde_json::from_str(line).map_err(|_no_mark| Bad::Foreign)?;
        if mark.format != FORMAT {
            return Err(Bad::Foreign);
        }
        if mark.version != VERSION {
            return Err(Bad::Version(mark.version));
        }
        if mark.database != database {
            return Err(Bad::OtherDatabase);
        }
        Ok(())
    }
}

impl Header {
    pub(super) fn read(line: &str, database: &str, project: ProjectId) -> Result<Self, Bad> {
        Mark::check(line, database)?;
        let header: Self = serde_json::from_str(line)?;
        if header.project.id != project.0 {
            return Err(Bad::OtherProject);
        }
        Ok(header)
    }
}

/// Writes a project.
pub(super) fn write(rows: &Rows, database: &str) -> Result<Vec<u8>, serde_json::Error> {
    let mut text = Vec::new();
    let header = HeaderLine {
        mark: Mark::of(database),
        project: &rows.project,
        group_types: rows.group_types.len(),
        flags: rows.flags.len(),
        cohorts: rows.cohorts.len(),
    };
    line(&mut text, &header)?;
    lines(&mut text, &rows.group_types)?;
    lines(&mut text, &rows.flags)?;
    lines(&mut text, &rows.cohorts)?;
    Ok(text)
}

fn lines<T: Serialize>(text: &mut Vec<u8>, rows: &[T]) -> Result<(), serde_json::Error> {
    rows.iter().try_for_each(|row| line(text, row))
}

fn line<T: Serialize>(text: &mut Vec<u8>, row: &T) -> Result<(), serde_json::Error> {
    serde_json::to_writer(&mut *text, row)?;
    text.push(b'\n');
    Ok(())
}

/// Reads a project; all of it, or nothing.
pub(super) fn read(text: impl BufRead, database: &str, project: ProjectId) -> Result<Rows, Bad> {
    let mut lines = text.lines();
    let first = lines.next().ok_or(Bad::Foreign)?;
    let header = Header::read(
        &first.map_err(|_not_a_text| Bad::Foreign)?,
        database,
        project,
    )?;
    let rows = Rows {
        group_types: take(&mut lines, header.group_types)?,
        flags: take(&mut lines, header.flags)?,
        cohorts: take(&mut lines, header.cohorts)?,
        project: header.project,
    };
    match lines.next() {
        None => Ok(rows),
        Some(_) => Err(Bad::Length),
    }
}

fn take<T: DeserializeOwned>(lines: &mut Lines<impl BufRead>, count: usize) -> Result<Vec<T>, Bad> {
    // The count is not believed: a damaged one must not reserve memory.
    let mut rows = Vec::new();
    for _ in 0..count {
        let line = lines.next().ok_or(Bad::Length)??;
        rows.push(serde_json::from_str(&line)?);
    }
    Ok(rows)
}

/// Writes the moment at which a snapshot was last known to be current.
pub(super) fn write_stamp(at: SystemTime, database: &str) -> Result<Vec<u8>, serde_json::Error> {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    serde_json::to_vec(&Stamp {
        mark: Mark::of(database),
        unix_milliseconds: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
    })
}

/// Reads that moment, unless it is not ours.
pub(super) fn read_stamp(text: &str, database: &str) -> Option<SystemTime> {
    Mark::check(text, database).ok()?;
    let stamp: Stamp = serde_json::from_str(text).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_millis(stamp.unix_milliseconds))
}
