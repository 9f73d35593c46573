//! Burgee's HTTP edge: decodes requests, asks [`burgee_actors::System`], encodes answers.
//!
//! A library so that tests can build the application; the program itself is `main.rs`.

pub mod body;
pub mod cors;
pub mod error;
pub mod flags_request;
pub mod flags_response;
pub mod metrics;
pub mod middleware;
pub mod remote_config;
pub mod routes;
pub mod state;
