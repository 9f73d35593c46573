//! The settings of traces.

use super::faults::Faults;
use crate::outgoing::Target;
use crate::trace::TraceConfig;

/// Where the endpoint takes traces, below its base.
const TRACES: &str = "/v1/traces";

/// Who is told of traces, as it was written.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct TraceOptions {
    /// Tell this OTLP endpoint (HTTP, protobuf) of sampled requests, such as http://collector:4318; without it no trace is kept
    #[arg(
        long,
        env = "BURGEE_OTLP_ENDPOINT",
        value_name = "URL",
        help_heading = "Traces"
    )]
    otlp_endpoint: Option<String>,
    /// Which part of the requests is sampled, 0 to 1, where no caller has decided (traceparent)
    #[arg(
        long,
        env = "BURGEE_OTLP_SAMPLE_RATIO",
        default_value = "0.01",
        value_name = "RATIO",
        help_heading = "Traces"
    )]
    otlp_sample_ratio: String,
    /// Under which name this server is found among others
    #[arg(
        long,
        env = "BURGEE_OTLP_SERVICE_NAME",
        default_value = "burgee",
        value_name = "NAME",
        help_heading = "Traces"
    )]
    otlp_service_name: String,
}

impl TraceOptions {
    pub(super) fn resolve(&self, f: &mut Faults) -> Option<TraceConfig> {
        let ratio = f.number("otlp-sample-ratio", &self.otlp_sample_ratio, 0.0..=1.0);
        let endpoint = self.otlp_endpoint.as_deref()?;
        if let Err(wrong) = Target::parse(endpoint) {
            f.add("otlp-endpoint", wrong);
        }
        let base = endpoint.trim_end_matches('/');
        let endpoint = match base.ends_with(TRACES) {
            true => base.to_owned(),
            false => format!("{base}{TRACES}"),
        };
        Some(TraceConfig {
            endpoint,
            ratio,
            service_name: self.otlp_service_name.clone(),
        })
    }
}
