//! Burgee's HTTP edge and command line: decodes requests, asks [`burgee_actors::System`], encodes answers.
//!
//! A library so that tests can build the application; the program itself is `main.rs`.

pub mod admin;
pub mod admin_access;
pub mod body;
pub mod cli;
pub mod client_address;
pub mod comparison;
pub mod conditional;
pub mod config;
pub mod console;
pub mod cors;
pub mod credential;
pub mod demo;
pub mod doctor;
pub mod error;
pub mod events;
pub mod flags_request;
pub mod flags_response;
pub mod import;
pub mod lifecycle;
pub mod metrics;
pub mod middleware;
pub mod ofrep;
pub mod openapi;
pub mod outgoing;
pub mod peer;
pub mod project_file;
pub mod rate_limit;
pub mod reload;
pub mod remote_config;
pub mod replay;
pub mod routes;
pub mod shadow;
pub mod slow;
pub mod startup;
pub mod state;
pub mod streams;
pub mod telemetry;
pub mod tls;
pub mod trace;
