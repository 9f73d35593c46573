//! The settings of rate limits, and of whom a client's address is believed.

use super::faults::Faults;
use crate::client_address::Network;
use crate::rate_limit::{Rate, RateLimitConfig};
use std::num::NonZeroU32;

/// How often somebody may ask, as it was written.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct LimitOptions {
    /// Requests for flags that one project token may make each second, and as many with events; 0 for no limit
    #[arg(
        long,
        env = "BURGEE_RATE_LIMIT_TOKEN_PER_S",
        default_value = "0",
        value_name = "N",
        help_heading = "Rate limits"
    )]
    rate_limit_token_per_s: String,
    /// How many of them may come at once; auto for as many as in two seconds
    #[arg(
        long,
        env = "BURGEE_RATE_LIMIT_TOKEN_BURST",
        default_value = "auto",
        value_name = "N",
        help_heading = "Rate limits"
    )]
    rate_limit_token_burst: String,
    /// Requests for flags that one client address may make each second, and as many with events; 0 for no limit
    #[arg(
        long,
        env = "BURGEE_RATE_LIMIT_ADDRESS_PER_S",
        default_value = "0",
        value_name = "N",
        help_heading = "Rate limits"
    )]
    rate_limit_address_per_s: String,
    /// How many of them may come at once; auto for as many as in two seconds
    #[arg(
        long,
        env = "BURGEE_RATE_LIMIT_ADDRESS_BURST",
        default_value = "auto",
        value_name = "N",
        help_heading = "Rate limits"
    )]
    rate_limit_address_burst: String,
    /// Requests for definitions that may be made for one project each second; 0 for no limit
    #[arg(
        long,
        env = "BURGEE_RATE_LIMIT_DEFINITIONS_PER_S",
        default_value = "0",
        value_name = "N",
        help_heading = "Rate limits"
    )]
    rate_limit_definitions_per_s: String,
    /// How many of them may come at once; auto for as many as in two seconds
    #[arg(
        long,
        env = "BURGEE_RATE_LIMIT_DEFINITIONS_BURST",
        default_value = "auto",
        value_name = "N",
        help_heading = "Rate limits"
    )]
    rate_limit_definitions_burst: String,
    /// Let requests over a limit through, with the header X-PostHog-Rate-Limit-Warning
    #[arg(long, env = "BURGEE_RATE_LIMIT_WARN_ONLY", default_value = "false", default_missing_value = "true", num_args = 0..=1, require_equals = true, value_name = "BOOL", help_heading = "Rate limits")]
    rate_limit_warn_only: String,
    /// Proxies whose X-Forwarded-For names the client: addresses and ranges such as 10.0.0.0/8, separated by commas
    #[arg(
        long,
        env = "BURGEE_TRUSTED_PROXIES",
        default_value = "",
        value_name = "RANGES",
        help_heading = "Rate limits"
    )]
    trusted_proxies: String,
}

impl LimitOptions {
    pub(super) fn rates(&self, f: &mut Faults) -> RateLimitConfig {
        RateLimitConfig {
            token: rate(
                ("rate-limit-token-per-s", &self.rate_limit_token_per_s),
                ("rate-limit-token-burst", &self.rate_limit_token_burst),
                f,
            ),
            address: rate(
                ("rate-limit-address-per-s", &self.rate_limit_address_per_s),
                ("rate-limit-address-burst", &self.rate_limit_address_burst),
                f,
            ),
            definitions: rate(
                (
                    "rate-limit-definitions-per-s",
                    &self.rate_limit_definitions_per_s,
                ),
                (
                    "rate-limit-definitions-burst",
                    &self.rate_limit_definitions_burst,
                ),
                f,
            ),
            warn_only: f.switch("rate-limit-warn-only", &self.rate_limit_warn_only),
        }
    }

    pub(super) fn trusted_proxies(&self, f: &mut Faults) -> Vec<Network> {
        let mut trusted = Vec::new();
        let ranges = self.trusted_proxies.split(',').map(str::trim);
        for range in ranges.filter(|range| !range.is_empty()) {
            match range.parse() {
                Ok(network) => trusted.push(network),
                Err(wrong) => f.add("trusted-proxies", format!("{wrong}, found {range:?}")),
            }
        }
        trusted
    }
}

/// Reads a rate, 0 for none, and its burst.
fn rate(per_second: (&str, &str), burst: (&str, &str), f: &mut Faults) -> Option<Rate> {
    let most = 1_000_000_u32;
    let (option, raw) = per_second;
    let per_second = f.number(option, raw, 0..=most);
    let (option, raw) = burst;
    let burst = match raw {
        "auto" => per_second.saturating_mul(2),
        raw => f.number(option, raw, 1..=most),
    };
    Some(Rate {
        per_second: NonZeroU32::new(per_second)?,
        burst: NonZeroU32::new(burst)?,
    })
}
