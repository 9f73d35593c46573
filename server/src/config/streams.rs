//! The settings of those who listen to changes.

use super::faults::Faults;
use crate::streams::StreamConfig;

/// How many may listen, as it was written.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct StreamOptions {
    /// How many clients may listen to changes of flags at once; 0 for none, and clients poll
    #[arg(
        long,
        env = "BURGEE_MAX_STREAMS",
        default_value = "4096",
        value_name = "N",
        help_heading = "Streams"
    )]
    max_streams: String,
    /// How many of them may listen to one project
    #[arg(
        long,
        env = "BURGEE_MAX_STREAMS_PER_PROJECT",
        default_value = "1024",
        value_name = "N",
        help_heading = "Streams"
    )]
    max_streams_per_project: String,
    /// How often those who listen hear that nothing has happened, in milliseconds
    #[arg(
        long,
        env = "BURGEE_STREAM_HEARTBEAT_MS",
        default_value = "15000",
        value_name = "MS",
        help_heading = "Streams"
    )]
    stream_heartbeat_ms: String,
    /// Where clients reach this server, such as https://flags.example.com/ph, to tell them where to listen; without it they use the host that they asked
    #[arg(
        long,
        env = "BURGEE_PUBLIC_URL",
        value_name = "URL",
        help_heading = "Streams"
    )]
    public_url: Option<String>,
}

impl StreamOptions {
    pub(super) fn resolve(&self, f: &mut Faults) -> StreamConfig {
        let most = 1_000_000;
        StreamConfig {
            most: f.number("max-streams", &self.max_streams, 0..=most),
            most_per_project: f.number(
                "max-streams-per-project",
                &self.max_streams_per_project,
                0..=most,
            ),
            heartbeat: f.millis("stream-heartbeat-ms", &self.stream_heartbeat_ms),
        }
    }

    pub(super) fn public_url(&self, f: &mut Faults) -> Option<String> {
        let raw = self.public_url.as_deref()?;
        let url = raw.trim_end_matches('/');
        let host = ["https://", "http://"]
            .into_iter()
            .find_map(|scheme| url.strip_prefix(scheme));
        let is_plain = |c: char| c.is_ascii_graphic() && !"?#\"<>\\".contains(c);
        if !host.is_some_and(|host| !host.is_empty() && host.chars().all(is_plain)) {
            let message =
                format!("expected a URL such as https://flags.example.com, found {raw:?}");
            f.add("public-url", message);
        }
        Some(url.to_owned())
    }
}
