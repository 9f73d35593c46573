//! The settings of `burgee replay`.

use super::faults::{ConfigError, Faults};
use super::shadow::{ignored, url};
use super::words::roots;
use crate::replay::ReplayConfig;
use clap::builder::BoolishValueParser;
use std::num::NonZeroU32;
use std::path::PathBuf;

/// The settings as they were written.
#[derive(Debug, Clone, clap::Args)]
pub struct ReplayOptions {
    /// The recordings, one after the other
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The first server
    #[arg(long, env = "BURGEE_A", value_name = "URL")]
    a: String,
    /// The second server
    #[arg(long, env = "BURGEE_B", value_name = "URL")]
    b: String,
    /// Believe certificates from these authorities, PEM, instead of those that the system trusts
    #[arg(long, env = "BURGEE_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// How many requests are under way at once
    #[arg(
        long,
        env = "BURGEE_CONCURRENCY",
        default_value = "8",
        value_name = "N"
    )]
    concurrency: String,
    /// How many requests are begun each second at most; 0 for as many as are answered
    #[arg(long, env = "BURGEE_RATE", default_value = "0", value_name = "N")]
    rate: String,
    /// How long an answer may take, in milliseconds
    #[arg(
        long,
        env = "BURGEE_TIMEOUT_MS",
        default_value = "5000",
        value_name = "MS"
    )]
    timeout_ms: String,
    /// What is not counted as a difference, separated by commas: reason, condition, payload, missing-off (off on one side and missing on the other)
    #[arg(long, env = "BURGEE_IGNORE", default_value = "", value_name = "WORDS")]
    ignore: String,
    /// Flags that are not compared, separated by commas
    #[arg(
        long,
        env = "BURGEE_IGNORE_FLAGS",
        default_value = "",
        value_name = "KEYS"
    )]
    ignore_flags: String,
    /// Print the result as JSON
    #[arg(long, env = "BURGEE_JSON", value_parser = BoolishValueParser::new())]
    json: bool,
}

impl ReplayOptions {
    /// Types the settings; all bad ones are told together.
    pub fn resolve(&self) -> Result<ReplayConfig, ConfigError> {
        let mut faults = Faults::default();
        let f = &mut faults;
        let config = ReplayConfig {
            files: self.files.clone(),
            a: url("a", &self.a, f),
            b: url("b", &self.b, f),
            roots: roots(self.ca.as_ref()),
            concurrency: f.number("concurrency", &self.concurrency, 1..=10_000),
            rate: NonZeroU32::new(f.number("rate", &self.rate, 0..=1_000_000)),
            timeout: f.millis("timeout-ms", &self.timeout_ms),
            ignored: ignored(&self.ignore, &self.ignore_flags, f),
            json: self.json,
        };
        faults.finish(config)
    }
}
