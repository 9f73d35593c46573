//! Two servers on one Postgres: what is changed through one is served by the other (http-api 9.5, project-file.md).
//!
//! Polling is set to an hour, so that nothing but the notification can bring a change.

use super::local_definitions::{get, tag, with_keys};
use burgee_integration_tests::deadline::eventually;
use burgee_integration_tests::{Database, FlagBuilder, Kind, ProjectBuilder, TestServer};
use serde_json::{Value, json};
use std::sync::Arc;

const LISTENERS: &str =
    "pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";

fn file(rollout: u8) -> Value {
    with_keys(ProjectBuilder::new())
        .flag(FlagBuilder::new("beta").id(1).rollout(rollout))
        .file()
}

/// The first applies a file whenever it changes; the second only hears of it.
struct Replicas {
    database: Arc<Database>,
    first: TestServer,
    second: TestServer,
}

impl Replicas {
    fn start() -> Self {
        let database = Arc::new(Database::new(Kind::Postgres));
        let server = || TestServer::with(&database).env("BURGEE_POLL_INTERVAL_S", "3600");
        let first = server().arg("--watch").project(&file(0)).start();
        let second = server().start();
        let replicas = Self {
            database,
            first,
            second,
        };
        replicas.await_both(0);
        replicas
    }

    /// Changes the flag through the first server.
    fn change(&self, rollout: u8) {
        self.first.replace_project(&file(rollout).to_string());
    }

    /// Waits until both serve the change, in answers and in definitions, and under one tag.
    fn await_both(&self, rollout: u8) {
        let tags = [&self.first, &self.second].map(|server| {
            eventually("the change", || {
                let body = json!({"token": "phc_local_dev", "distinct_id": "u"});
                let value = server.flags(1, &body)["featureFlags"]["beta"].clone();
                let answer = server.send(&get("/flags/definitions", "phs_local_dev"));
                let listed = &answer.json()["flags"][0]["filters"]["groups"][0];
                let is_there = value == json!(rollout == 100);
                let is_listed = listed["rollout_percentage"] == json!(rollout);
                (is_there && is_listed).then(|| tag(&answer))
            })
        });
        assert_eq!(tags[0], tags[1]);
    }

    fn await_listeners(&self) {
        eventually("both to listen", || {
            let listeners = self
                .database
                .query(&format!("SELECT count(*) FROM {LISTENERS}"));
            (listeners == "2").then_some(())
        });
    }

    /// Cuts both servers off from notifications; returns how many connections that were.
    fn cut(&self) -> String {
        let cut = format!("SELECT count(pg_terminate_backend(pid)) FROM {LISTENERS}");
        self.database.query(&cut)
    }
}

#[test]
fn a_change_through_one_is_served_by_the_other() {
    let replicas = Replicas::start();
    for rollout in [100, 0, 100] {
        replicas.change(rollout);
        replicas.await_both(rollout);
    }
}

#[test]
fn a_change_is_heard_of_after_the_notifications_were_cut() {
    let replicas = Replicas::start();
    for rollout in [100, 0] {
        replicas.await_listeners();
        assert_eq!(replicas.cut(), "2");
        // Nobody may be listening at this moment: whoever listens again looks for what it missed.
        replicas.change(rollout);
        replicas.await_both(rollout);
    }
    replicas.await_listeners();
    replicas.change(100);
    replicas.await_both(100);
}
