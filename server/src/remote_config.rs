//! What posthog-js is told about everything but flags: that it is switched off here (section 5.2), and the few members of
//! the minimal answer (section 3.10).

use serde::Serialize;
use utoipa::ToSchema;

/// What an operator may choose about the members of section 5.2.
#[derive(Debug, Clone, Copy)]
pub struct RemoteConfigSettings {
    /// Whether clients are kept from sending an event for each click.
    pub autocapture_opt_out: bool,
}

impl Default for RemoteConfigSettings {
    /// No automatic events: nothing here analyses them.
    fn default() -> Self {
        Self {
            autocapture_opt_out: true,
        }
    }
}

// `surveys` is absent on purpose: any value makes the client load a script. The order is that of section 5.2.
/// What posthog-js is told about everything but flags.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = RemoteConfig)]
#[serde(rename_all = "camelCase")]
pub struct RemoteConfig<'a> {
    /// The project's public token.
    token: &'a str,
    has_feature_flags: bool,
    #[schema(value_type = Vec<String>)]
    supported_compression: [&'static str; 2],
    analytics: Analytics,
    #[serde(rename = "autocapture_opt_out")]
    autocapture_opt_out: bool,
    session_recording: bool,
    heatmaps: bool,
    capture_performance: bool,
    capture_dead_clicks: bool,
    autocapture_exceptions: bool,
    error_tracking: ErrorTracking,
    elements_chain_as_string: bool,
    default_identified_only: bool,
    flags_persistence_default: bool,
    is_authenticated: bool,
    toolbar_params: Empty,
    #[schema(value_type = Vec<Empty>)]
    site_apps: [Empty; 0],
    product_tours: bool,
    conversations: bool,
    logs: Logs,
    config: Config,
}

impl<'a> RemoteConfig<'a> {
    /// Returns the members for a project's public token.
    pub fn new(token: &'a str, settings: RemoteConfigSettings) -> Self {
        Self {
            token,
            // Browsers cache the answer: `false` would keep a client from asking for flags long after the first one exists.
            has_feature_flags: true,
            supported_compression: SUPPORTED_COMPRESSION,
            analytics: Analytics {
                endpoint: "/i/v0/e/",
            },
            autocapture_opt_out: settings.autocapture_opt_out,
            session_recording: false,
            heatmaps: false,
            capture_performance: false,
            capture_dead_clicks: false,
            autocapture_exceptions: false,
            error_tracking: ErrorTracking {
                autocapture_exceptions: false,
                suppression_rules: [],
            },
            elements_chain_as_string: true,
            default_identified_only: true,
            flags_persistence_default: false,
            is_authenticated: false,
            toolbar_params: Empty {},
            site_apps: [],
            product_tours: false,
            conversations: false,
            logs: Logs {
                capture_console_logs: false,
            },
            config: Config::default(),
        }
    }
}

impl RemoteConfig<'_> {
    /// Returns the same as a script for a page (section 5.3). What could end the script early is escaped.
    pub fn script(&self) -> serde_json::Result<String> {
        let escaped = |json: String| {
            json.replace('<', "\\u003c")
                .replace('\u{2028}', "\\u2028")
                .replace('\u{2029}', "\\u2029")
        };
        let token = escaped(serde_json::to_string(self.token)?);
        let config = escaped(serde_json::to_string(self)?);
        Ok(format!(
            "(function(){{window._POSTHOG_REMOTE_CONFIG=window._POSTHOG_REMOTE_CONFIG||{{}};\n\
             window._POSTHOG_REMOTE_CONFIG[{token}]={{config:{config},siteApps:[]}}}})();\n"
        ))
    }
}

/// The members that the minimal answer to a GET has beside its empty flags.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Minimal {
    supported_compression: [&'static str; 2],
    config: Config,
    toolbar_params: Empty,
    is_authenticated: bool,
    session_recording: bool,
}

impl Default for Minimal {
    fn default() -> Self {
        Self {
            supported_compression: SUPPORTED_COMPRESSION,
            config: Config::default(),
            toolbar_params: Empty {},
            is_authenticated: false,
            session_recording: false,
        }
    }
}

/// Without `gzip-js` in it the client stops compressing.
const SUPPORTED_COMPRESSION: [&str; 2] = ["gzip", "gzip-js"];

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = Nothing)]
struct Empty {}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = RemoteConfigAnalytics)]
struct Analytics {
    endpoint: &'static str,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RemoteConfigErrorTracking)]
struct ErrorTracking {
    autocapture_exceptions: bool,
    #[schema(value_type = Vec<Empty>)]
    suppression_rules: [Empty; 0],
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RemoteConfigLogs)]
struct Logs {
    capture_console_logs: bool,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = RemoteConfigCollection)]
struct Config {
    enable_collect_everything: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enable_collect_everything: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn config_members_are_those_of_the_specification() {
        let written =
            serde_json::to_value(RemoteConfig::new("t", RemoteConfigSettings::default())).unwrap();
        let expected = json!({
            "token": "t", "hasFeatureFlags": true, "supportedCompression": ["gzip", "gzip-js"],
            "analytics": {"endpoint": "/i/v0/e/"}, "autocapture_opt_out": true, "sessionRecording": false,
            "heatmaps": false, "capturePerformance": false, "captureDeadClicks": false,
            "autocaptureExceptions": false,
            "errorTracking": {"autocaptureExceptions": false, "suppressionRules": []},
            "elementsChainAsString": true, "defaultIdentifiedOnly": true, "flagsPersistenceDefault": false,
            "isAuthenticated": false, "toolbarParams": {}, "siteApps": [], "productTours": false,
            "conversations": false, "logs": {"captureConsoleLogs": false},
            "config": {"enable_collect_everything": true},
        });
        assert_eq!(written, expected);
    }

    #[test]
    fn a_script_cannot_be_ended_by_a_token() {
        let token = "</script>\u{2028}\u{2029}\"\\";
        let script = RemoteConfig::new(token, RemoteConfigSettings::default()).script();
        let script = script.unwrap();
        assert!(!script.contains(['<', '\u{2028}', '\u{2029}']), "{script}");
        let begin = "(function(){window._POSTHOG_REMOTE_CONFIG=window._POSTHOG_REMOTE_CONFIG||{};\n\
            window._POSTHOG_REMOTE_CONFIG[";
        let rest = script.strip_prefix(begin).unwrap();
        let (name, rest) = rest.split_once("]={config:").unwrap();
        assert_eq!(serde_json::from_str::<String>(name).unwrap(), token);
        let config = rest.strip_suffix(",siteApps:[]}})();\n").unwrap();
        let config: serde_json::Value = serde_json::from_str(config).unwrap();
        assert_eq!(config["token"], json!(token));
    }

    #[test]
    fn autocapture_is_the_operators_choice() {
        let settings = RemoteConfigSettings {
            autocapture_opt_out: false,
        };
        let written = serde_json::to_value(RemoteConfig::new("t", settings)).unwrap();
        assert_eq!(written["autocapture_opt_out"], json!(false));
    }
}
