//! Looks at a database from outside: no pool, nothing is created, nothing is changed. For whoever wants to know beforehand
//! whether a server will get on with it; what the facts mean is for others to say.
//!
//! Nothing here has a time limit of its own: callers set one.

mod postgres;
mod sqlite;

pub use postgres::{PostgresFacts, look_at_postgres, notification_trip};
pub use sqlite::{SqliteFacts, WriteLock, look_at_sqlite};

use crate::StoreError;
use crate::database_url::Target;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Where a URL leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// To a server.
    Postgres,
    /// To this file.
    Sqlite(PathBuf),
}

/// Reads a database URL; fails with [`StoreError::Config`] when it cannot be used.
pub fn place(url: &str) -> Result<Place, StoreError> {
    Ok(match Target::parse(url)? {
        Target::Postgres(_) => Place::Postgres,
        Target::Sqlite(path) => Place::Sqlite(path),
    })
}

/// How the schema of a database and that of this program differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SchemaFacts {
    /// Migrations of this program that have not run, by name.
    pub pending: Vec<String>,
    /// Migrations that have run and that this program does not know, by version.
    pub unknown: Vec<String>,
}

impl SchemaFacts {
    /// `known` holds version and name.
    fn compare(known: Vec<(String, String)>, applied: &BTreeSet<String>) -> Self {
        let versions: BTreeSet<&String> = known.iter().map(|(version, _)| version).collect();
        let unknown = applied.iter().filter(|it| !versions.contains(it));
        let unknown = unknown.cloned().collect();
        let pending = known
            .into_iter()
            .filter(|(version, _)| !applied.contains(version))
            .map(|(_, name)| name);
        Self {
            pending: pending.collect(),
            unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_are_compared_both_ways() {
        let known = || {
            vec![
                ("1".to_owned(), "1_a".to_owned()),
                ("2".to_owned(), "2_b".to_owned()),
            ]
        };
        let of = |versions: &[&str]| versions.iter().map(|it| (*it).to_owned()).collect();
        let cases: [(&[&str], &[&str], &[&str]); 4] = [
            (&[], &["1_a", "2_b"], &[]),
            (&["1"], &["2_b"], &[]),
            (&["1", "2"], &[], &[]),
            (&["1", "3"], &["2_b"], &["3"]),
        ];
        for (applied, pending, unknown) in cases {
            let facts = SchemaFacts::compare(known(), &of(applied));
            assert_eq!(facts.pending, pending, "{applied:?}");
            assert_eq!(facts.unknown, unknown, "{applied:?}");
        }
    }

    #[test]
    fn places() {
        let file = place("sqlite://data/burgee.db").unwrap();
        assert_eq!(file, Place::Sqlite("data/burgee.db".into()));
        assert_eq!(place("postgres://u@h/d").unwrap(), Place::Postgres);
        assert!(place("mysql://h/d").is_err());
    }
}
