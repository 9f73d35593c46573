//! The HTTP edge and the command line.

pub mod cli;
pub mod config;
pub mod demo;
pub mod project_file;
pub mod telemetry;
