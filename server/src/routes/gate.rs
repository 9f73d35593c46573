//! The rate limits that a request passes, whatever it wants, and what its answer says of them.

use crate::client_address::client_address;
use crate::rate_limit::{Limit, Traffic, Verdict};
use crate::state::AppState;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use std::net::IpAddr;
use std::time::Duration;

/// Says that a request was let through although it was over a limit (section 3.12).
const RATE_LIMIT_WARNING: HeaderName = HeaderName::from_static("x-posthog-rate-limit-warning");

/// The limits, before one request.
pub(super) struct Gate<'a> {
    state: &'a AppState,
    traffic: Traffic,
    /// Whether the request was over one and let through.
    is_over: bool,
}

/// A refusal.
#[derive(Debug, Clone, Copy)]
pub(super) struct OverLimit {
    /// When the next request will be let through.
    pub(super) retry_after: Duration,
}

impl<'a> Gate<'a> {
    pub(super) fn new(state: &'a AppState, traffic: Traffic) -> Self {
        Self {
            state,
            traffic,
            is_over: false,
        }
    }

    /// Passes the limit on addresses.
    pub(super) fn of_address(&mut self, request: &HttpRequest) -> Result<IpAddr, OverLimit> {
        let peer = request.peer_addr().map(|peer| peer.ip());
        let live = self.state.edge.live.load();
        let address = client_address(peer, request.headers(), &live.trusted_proxies);
        let verdict = live.rate_limits.address(self.traffic, address);
        self.note(Limit::Address, verdict)?;
        Ok(address)
    }

    /// Passes the limit on tokens. The token is looked for only where there is such a limit.
    pub(super) fn of_token<'t>(
        &mut self,
        token: impl FnOnce() -> Option<&'t [u8]>,
        address: IpAddr,
    ) -> Result<(), OverLimit> {
        let live = self.state.edge.live.load();
        if !live.rate_limits.limits_tokens() {
            return Ok(());
        }
        let verdict = live.rate_limits.token(self.traffic, token(), address);
        self.note(Limit::Token, verdict)
    }

    fn note(&mut self, limit: Limit, verdict: Verdict) -> Result<(), OverLimit> {
        let metrics = &self.state.edge.metrics;
        match verdict {
            Verdict::Within => Ok(()),
            Verdict::Over => {
                metrics.rate_limited(limit, false);
                self.is_over = true;
                Ok(())
            }
            Verdict::Refused { retry_after } => {
                metrics.rate_limited(limit, true);
                Err(OverLimit { retry_after })
            }
        }
    }

    /// Marks the answer of a request that was over a limit.
    pub(super) fn mark(&self, response: &mut HttpResponse) {
        if self.is_over {
            let warning = HeaderValue::from_static("true");
            response.headers_mut().insert(RATE_LIMIT_WARNING, warning);
        }
    }
}
