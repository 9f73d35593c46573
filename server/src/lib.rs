//! Burgee's HTTP edge: decodes requests, asks [`burgee_actors::System`], encodes answers; and the command line.
//!
//! A library so that tests can build the application; the program itself is `main.rs`.

pub mod body;
pub mod cli;
pub mod config;
pub mod cors;
pub mod error;
pub mod flags_request;
pub mod flags_response;
pub mod metrics;
pub mod middleware;
pub mod project_file;
pub mod remote_config;
pub mod routes;
pub mod state;
pub mod telemetry;
