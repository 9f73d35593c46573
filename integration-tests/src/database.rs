//! A database of a test's own, of either kind.

use crate::postgres::{Server, TestDatabase};

/// The two kinds of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    Sqlite,
    /// A server.
    Postgres,
}

/// An empty database; it goes when this value does.
pub struct Database(TestDatabase);

impl Database {
    /// Makes an empty database; the Postgres ones of a test binary share a server.
    pub fn new(kind: Kind) -> Self {
        let made = match kind {
            Kind::Sqlite => TestDatabase::sqlite(),
            Kind::Postgres => TestDatabase::postgres(),
        };
        Self(made.expect("a database for the test"))
    }

    /// Makes an empty database in a Postgres of its own, which the test may stop or freeze.
    pub fn private() -> Self {
        Self(TestDatabase::private_postgres().expect("a Postgres for the test"))
    }

    /// Returns the URL under which Burgee finds it.
    pub fn url(&self) -> &str {
        self.0.url()
    }

    /// Runs SQL in a Postgres behind Burgee's back; returns what it prints.
    pub fn query(&self, sql: &str) -> String {
        self.0.query(sql).expect("the SQL runs").trim().to_owned()
    }

    /// Returns the Postgres server it lives in.
    pub fn server(&self) -> &Server {
        self.0.server().expect("a Postgres database")
    }
}
