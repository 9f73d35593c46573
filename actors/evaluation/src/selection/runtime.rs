//! Where a request comes from, told from its field and its headers (section 9.2).

use super::{RequestRuntime, RuntimeHints};

/// What an SDK's `User-Agent` starts with.
const SDK_PREFIX: &str = "posthog-";
/// The names of SDKs that run on servers.
const SERVER_SDKS: [&str; 10] = [
    "python", "ruby", "php", "java", "go", "node", "dotnet", "elixir", "rs", "server",
];
/// The names of SDKs that run at the user's.
const CLIENT_SDKS: [&str; 5] = ["js", "android", "ios", "react-native", "flutter"];
/// What browsers have in their `User-Agent`.
const BROWSERS: [&str; 5] = ["Mozilla/", "Chrome/", "Safari/", "Firefox/", "Edge/"];
/// What scripts have in theirs.
const SCRIPTS: [&str; 2] = ["python-requests/", "curl/"];

impl RequestRuntime {
    /// Finds the runtime from the request's field and its headers, by the rules of section 9.2.
    pub fn detect(field: Option<&str>, hints: RuntimeHints<'_>) -> Self {
        if let Some(field) = field {
            return Self::of_field(field);
        }
        hints
            .user_agent
            .and_then(Self::of_user_agent)
            .unwrap_or(if hints.browser_header {
                Self::Client
            } else {
                Self::Unknown
            })
    }

    fn of_field(field: &str) -> Self {
        if field.eq_ignore_ascii_case("server") {
            Self::Server
        } else if field.eq_ignore_ascii_case("client") {
            Self::Client
        } else {
            Self::All
        }
    }

    /// Returns what a `User-Agent` tells. One that starts like an SDK's is looked at no further.
    fn of_user_agent(user_agent: &str) -> Option<Self> {
        let contains = |marks: &[&str]| marks.iter().any(|mark| user_agent.contains(mark));
        if let Some(sdk) = user_agent.strip_prefix(SDK_PREFIX) {
            let (name, version) = sdk.split_once('/')?;
            if version.is_empty() {
                None
            } else if SERVER_SDKS.contains(&name) {
                Some(Self::Server)
            } else if CLIENT_SDKS.contains(&name) {
                Some(Self::Client)
            } else {
                None
            }
        } else if contains(&BROWSERS) {
            Some(Self::Client)
        } else if contains(&SCRIPTS) {
            Some(Self::Server)
        } else {
            None
        }
    }
}
