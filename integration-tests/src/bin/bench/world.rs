//! What all servers of a comparison serve: projects, persons, one Postgres of its own; and the requests about them.

use crate::load::{Prepared, wire::post};
use crate::server::beside;
use anyhow::{Context, Result, ensure};
use burgee_integration_tests::postgres::{Server as Postgres, TestDatabase};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The smallest settings under which a million persons are looked up from memory.
const SETTINGS: [&str; 3] = [
    "shared_buffers=512MB",
    "max_wal_size=4GB",
    "checkpoint_timeout=30min",
];

/// What tests switch off.
const DURABLE: [&str; 2] = ["fsync=on", "full_page_writes=on"];

/// Sent with the request, or to be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Properties {
    /// The request has every property that a flag asks for: no stored person is needed.
    Sent,
    /// The request has none: the stored person is needed.
    Stored,
}

/// Projects, in a database.
pub(crate) struct World {
    database: TestDatabase,
    directory: tempfile::TempDir,
    projects: usize,
    /// Persons of each project.
    pub(crate) persons: u64,
}

impl World {
    /// Makes a Postgres with one project for each size, and this many persons in each project.
    pub(crate) fn new(sizes: &[usize], persons: u64) -> Result<Self> {
        Self::of(&project_file(sizes), sizes.len(), persons)
    }

    /// The same in a Postgres that waits for the disk at each commit, as it does by default.
    pub(crate) fn durable(sizes: &[usize], persons: u64) -> Result<Self> {
        let settings: Vec<&str> = SETTINGS.iter().chain(&DURABLE).copied().collect();
        Self::with(&settings, &project_file(sizes), sizes.len(), persons)
    }

    /// Makes a Postgres with the projects of a file, whose ids count from 1 and whose tokens are those of [`token`].
    pub(crate) fn of(file: &Value, projects: usize, persons: u64) -> Result<Self> {
        Self::with(&SETTINGS, file, projects, persons)
    }

    fn with(settings: &[&str], file: &Value, projects: usize, persons: u64) -> Result<Self> {
        let database = TestDatabase::tuned_postgres(settings)?;
        let directory = tempfile::tempdir()?;
        let world = Self {
            database,
            directory,
            projects,
            persons,
        };
        let path = world.file();
        fs::write(&path, file.to_string())?;
        let file = path.to_str().context("a path that is no text")?;
        let output = Command::new(beside("burgee")?)
            .args(["apply", "--database-url", world.url(), "-f", file])
            .env_clear()
            .stdin(Stdio::null())
            .output()?;
        ensure!(
            output.status.success(),
            "burgee apply: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        world.insert_persons()?;
        Ok(world)
    }

    /// Returns the URL of the database.
    pub(crate) fn url(&self) -> &str {
        self.database.url()
    }

    /// Runs SQL in the database.
    pub(crate) fn query(&self, sql: &str) -> Result<String> {
        self.database.query(sql)
    }

    /// Returns the Postgres server.
    pub(crate) fn postgres(&self) -> Result<&Postgres> {
        self.database.server().context("it is a Postgres")
    }

    /// Returns the project file.
    pub(crate) fn file(&self) -> PathBuf {
        self.directory.path().join("project.json")
    }

    /// Returns a place for files that end with this world.
    pub(crate) fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// Ids follow from project and number; the properties are those that flags ask for, and some more.
    fn insert_persons(&self) -> Result<()> {
        let Self {
            projects, persons, ..
        } = self;
        self.database.query(&format!(
            "INSERT INTO persons (id, project_id, properties, created_at_microseconds) \
             SELECT (p - 1) * {persons} + n, p, format('{{\"plan\":\"%s\",\"country\":\"%s\",\"seats\":%s,\
             \"email\":\"user-%s@example.com\",\"name\":\"User %s\",\"signed_up\":\"2024-03-%s\",\"beta\":%s}}', \
             (ARRAY['free','pro','enterprise'])[n % 3 + 1], (ARRAY['DE','FR','US','JP'])[n % 4 + 1], n % 50, n, n, \
             lpad((n % 28 + 1)::text, 2, '0'), (n % 5 = 0)::text), 1700000000000000 + n \
             FROM generate_series(1, {projects}) p, generate_series(1, {persons}) n; \
             INSERT INTO person_distinct_ids (project_id, distinct_id, person_id, position) \
             SELECT p, 'user-' || n, (p - 1) * {persons} + n, 0 \
             FROM generate_series(1, {projects}) p, generate_series(1, {persons}) n"
        ))?;
        self.database.query("VACUUM ANALYZE")?;
        self.database.query("CHECKPOINT")?;
        Ok(())
    }

    /// Returns the request of a project's person.
    pub(crate) fn request(
        &self,
        class: u8,
        project: usize,
        person: u64,
        properties: Properties,
    ) -> Prepared {
        let person = person % self.persons.max(1) + 1;
        let mut body = json!({
            "token": token(project),
            "distinct_id": format!("user-{person}"),
        });
        if properties == Properties::Sent
            && let Some(body) = body.as_object_mut()
        {
            let sent = json!({
                "plan": "pro",
                "country": "FR",
                "seats": person % 50,
                "email": format!("user-{person}@example.com"),
            });
            body.insert("person_properties".to_owned(), sent);
        }
        Prepared {
            class,
            bytes: post("/flags?v=2", &body.to_string()),
        }
    }
}

/// Returns the token of a project, counted from 0.
pub(crate) fn token(project: usize) -> String {
    format!("phc_bench_{project}")
}

/// Returns the secret key of a project, counted from 0.
pub(crate) fn secret(project: usize) -> String {
    format!("phs_bench_{project}")
}

/// Writes a project for each size; their ids count from 1.
fn project_file(sizes: &[usize]) -> Value {
    let mut next_id = 0;
    let projects: Vec<Value> = (sizes.iter().enumerate())
        .map(|(project, size)| {
            let flags: Vec<Value> = (0..*size)
                .map(|number| {
                    next_id += 1;
                    flag(next_id, project, number)
                })
                .collect();
            json!({
                "id": project + 1,
                "name": format!("Bench {project}"),
                "token": token(project),
                "secret_tokens": [secret(project)],
                "flags": flags,
            })
        })
        .collect();
    json!({"projects": projects})
}

/// Ten kinds of flags in turn: half are plain rollouts, four look at a person, one has variants.
pub(crate) fn flag(id: usize, project: usize, number: usize) -> Value {
    let rollout = 10 + number * 7 % 90;
    let person = |key: &str, operator: &str, value: Value| json!([{"type": "person", "key": key, "operator": operator, "value": value}]);
    let (properties, rollout) = match number % 10 {
        5 => (person("plan", "exact", json!(["pro", "enterprise"])), 100),
        6 => (person("country", "exact", json!("FR")), 50),
        7 => (person("seats", "gt", json!(10)), 100),
        8 => (person("email", "icontains", json!("@example.com")), rollout),
        _ => (json!([]), rollout),
    };
    let mut filters = json!({
        "groups": [{"properties": properties, "rollout_percentage": rollout}],
    });
    if number % 10 == 9
        && let Some(filters) = filters.as_object_mut()
    {
        let variant = |key: &str, share: u8| json!({"key": key, "rollout_percentage": share});
        filters.insert(
            "multivariate".to_owned(),
            json!({"variants": [variant("control", 50), variant("blue", 30), variant("green", 20)]}),
        );
        filters.insert(
            "payloads".to_owned(),
            json!({"blue": "{\"colour\":\"#0000ff\"}"}),
        );
    }
    json!({
        "id": id,
        "key": format!("flag-{project}-{number:05}"),
        "name": format!("Flag {number}"),
        "active": true,
        "filters": filters,
    })
}
