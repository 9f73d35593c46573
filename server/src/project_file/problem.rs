//! What is wrong with a project file: every problem, each with its place and its path.

use super::node::Place;
use std::fmt;

/// One thing wrong with a file, or worth a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where in the text, if it is about one place.
    pub place: Option<Place>,
    /// Where in the structure: `projects[0].flags[2].filters.groups[0]`; empty for the whole file.
    pub path: String,
    /// What is wrong, as a clause.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// Why a file was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems {
    /// The file's name.
    pub file: String,
    /// All problems, in the order of the file.
    pub problems: Vec<Problem>,
}

impl Problems {
    /// Returns one line for each problem: file, line, column, path, message.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.problems.iter().map(|p| line(&self.file, p))
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, line) in self.lines().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&line)?;
        }
        Ok(())
    }
}

/// Returns a problem as one line that begins with the file and the place.
pub fn line(file: &str, problem: &Problem) -> String {
    match problem.place {
        Some(place) => format!("{file}:{place}: {problem}"),
        None => format!("{file}: {problem}"),
    }
}

/// What was found so far.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// They refuse the file.
    pub(crate) problems: Vec<Problem>,
    /// They do not.
    pub(crate) warnings: Vec<Problem>,
}

impl Findings {
    pub(crate) fn problem(
        &mut self,
        place: Place,
        path: impl fmt::Display,
        message: impl Into<String>,
    ) {
        self.problems.push(found(place, path, message));
    }

    pub(crate) fn warn(
        &mut self,
        place: Place,
        path: impl fmt::Display,
        message: impl Into<String>,
    ) {
        self.warnings.push(found(place, path, message));
    }

    /// Puts both lists into the order of the file.
    pub(crate) fn sort(&mut self) {
        self.problems.sort_by_key(|p| p.place);
        self.warnings.sort_by_key(|p| p.place);
    }
}

fn found(place: Place, path: impl fmt::Display, message: impl Into<String>) -> Problem {
    Problem {
        place: (place != Place::default()).then_some(place),
        path: path.to_string(),
        message: message.into(),
    }
}
