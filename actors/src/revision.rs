//! Which state of a project's definitions somebody has: by content, equal on all instances, and by time.

use burgee_schema::models::{CohortRow, DefinitionRows, FlagRow, GroupTypeRow};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fmt;
use std::io;
use std::str::FromStr;

/// A state of definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revision {
    /// What they say. Equal definitions have equal contents.
    pub content: Content,
    /// The newest change that they include, of any project.
    sequence: i64,
}

/// What definitions say, as a number that nothing else is likely to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content(u64);

/// What an answer may depend on. The project's name is not among it.
#[derive(Serialize)]
struct Said<'a> {
    zone: &'a Option<String>,
    matching: Option<i32>,
    group_types: &'a [GroupTypeRow],
    flags: &'a [FlagRow],
    cohorts: &'a [CohortRow],
}

impl Revision {
    /// Returns the revision of definitions as they were read.
    pub(crate) fn of(rows: &DefinitionRows) -> Self {
        let said = Said {
            zone: &rows.project.timezone,
            matching: rows.project.property_matching_version,
            group_types: &rows.group_types,
            flags: &rows.flags,
            cohorts: &rows.cohorts,
        };
        let mut digest = Digested(Sha256::new());
        if let Err(error) = serde_json::to_writer(&mut digest, &said) {
            // Rows are texts and numbers: there is nothing that could not be written.
            tracing::error!(%error, "definitions cannot be written as JSON");
        }
        let digest = digest.0.finalize();
        let content = digest
            .first_chunk()
            .map_or(0, |first| u64::from_be_bytes(*first));
        Self {
            content: Content(content),
            sequence: rows.sequence,
        }
    }

    /// Returns whether this is what was asked for, or something newer.
    pub fn is_at_least(self, asked: Self) -> bool {
        self.content == asked.content || self.sequence >= asked.sequence
    }
}

/// A hash that is written to.
struct Digested(Sha256);

impl io::Write for Digested {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Content {
    type Err = NoRevision;

    fn from_str(text: &str) -> Result<Self, NoRevision> {
        let content = u64::from_str_radix(text, 16).map_err(|_digits| NoRevision)?;
        Ok(Self(content))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.content, self.sequence)
    }
}

/// A text is not what a revision is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no revision")]
pub struct NoRevision;

impl FromStr for Revision {
    type Err = NoRevision;

    fn from_str(text: &str) -> Result<Self, NoRevision> {
        let (content, sequence) = text.split_once('.').ok_or(NoRevision)?;
        Ok(Self {
            content: content.parse()?,
            sequence: sequence.parse().map_err(|_digits| NoRevision)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burgee_schema::models::ProjectRow;

    fn rows(name: &str, zone: Option<&str>, sequence: i64) -> DefinitionRows {
        DefinitionRows {
            project: ProjectRow {
                id: 1,
                name: name.to_owned(),
                token: "phc_a".to_owned(),
                timezone: zone.map(str::to_owned),
                property_matching_version: None,
            },
            group_types: Vec::new(),
            flags: Vec::new(),
            cohorts: Vec::new(),
            sequence,
        }
    }

    #[test]
    fn content_is_what_answers_depend_on() {
        let one = Revision::of(&rows("A", None, 7));
        assert_eq!(one.content, Revision::of(&rows("B", None, 9)).content);
        let other = Revision::of(&rows("A", Some("Europe/Paris"), 7));
        assert_ne!(one.content, other.content);
    }

    #[test]
    fn a_revision_is_read_as_it_was_written() {
        for sequence in [-1, 0, 7, i64::MAX] {
            let revision = Revision::of(&rows("A", None, sequence));
            assert_eq!(revision.to_string().parse(), Ok(revision));
        }
        for text in [
            "",
            ".",
            "12",
            "x.1",
            "12.",
            "12.x",
            "1234567890abcdef0.1",
            "\"12.1\"",
        ] {
            assert_eq!(text.parse::<Revision>(), Err(NoRevision), "{text}");
        }
    }

    #[test]
    fn newer_or_equal_will_do() {
        let revision = |content, sequence| Revision {
            content: Content(content),
            sequence,
        };
        for (has, asked, expected) in [
            (revision(1, 5), revision(1, 5), true),
            (revision(1, 5), revision(1, 9), true),
            (revision(2, 5), revision(1, 5), true),
            (revision(2, 6), revision(1, 5), true),
            (revision(2, 4), revision(1, 5), false),
        ] {
            assert_eq!(has.is_at_least(asked), expected, "{has} {asked}");
        }
    }
}
