//! The black-box tests: a theme a module, each test on SQLite and on Postgres where a database is part of the story.
//!
//! They know the program's command line and its HTTP answers, nothing of its inside.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

/// Makes two tests of each function that takes a [`burgee_integration_tests::Kind`].
macro_rules! on_both_databases {
    ($($test:ident),+ $(,)?) => {
        $(mod $test {
            use burgee_integration_tests::Kind;

            #[test]
            fn sqlite() {
                super::$test(Kind::Sqlite);
            }

            #[test]
            fn postgres() {
                super::$test(Kind::Postgres);
            }
        })+
    };
}

mod admin;
mod admin_cohorts;
mod admin_flags;
mod admin_history;
mod admin_listener;
mod browsers;
mod changes;
mod command_line;
mod console;
mod continuity;
mod demo;
mod deployment;
mod doctor;
mod errors;
mod event_replay;
mod event_requests;
mod events;
mod events_durability;
mod import;
mod import_rules;
mod life_cycle;
mod local_definitions;
mod local_evaluation;
mod memberships;
mod methods;
mod node_sdk;
mod ofrep;
mod ofrep_clients;
mod ofrep_replay;
mod openapi;
mod openapi_faults;
mod posthog_clients;
mod privacy;
mod python_sdk;
mod rate_limits;
mod reload;
mod remote_payloads;
mod replay;
mod replicas;
mod request_ids;
mod rolling_restart;
mod scale;
mod selection;
mod settings;
mod shadow;
mod shadow_passage;
mod shadow_replay;
mod shapes;
mod snapshot;
mod stored_data;
mod streams;
mod tls;
mod traces;
mod unhealthy_database;
mod visibility;
mod worked_examples;
