//! The harness of the black-box tests: real servers ([`TestServer`]), real databases ([`Database`]), and an HTTP client
//! ([`http`]) that sends exactly the bytes it is given.
//!
//! The tests know the program by its command line and its HTTP answers only. `./integration-tests/run` builds it first;
//! `cargo test -p burgee-integration-tests` alone uses the program that was built last.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a harness fails like the tests that use it: at once, by panicking"
)]

pub mod balancer;
mod builders;
pub mod clients;
mod database;
pub mod deadline;
pub mod http;
pub mod postgres;
mod program;
pub mod proxy;
mod test_server;

pub use builders::{FlagBuilder, ProjectBuilder, filter};
pub use database::{Database, Kind};
pub use program::{Finished, burgee, burgee_in, burgee_under, burgee_with, program_path};
pub use test_server::{ServerBuilder, TestServer};
