//! Settings: defaults, faults, the table.

use super::*;
use crate::rate_limit::{Rate, RateLimitConfig};
use clap::{CommandFactory, Parser};
use std::time::Duration;

fn serve(arguments: &[&str]) -> Result<ServeConfig, ConfigError> {
    let line = ["burgee", "serve"].iter().chain(arguments);
    match Cli::try_parse_from(line).unwrap().command {
        Command::Serve(options) => options.resolve(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn defaults() {
    let config = serve(&[]).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.database_url.expose(), "sqlite://burgee.db");
    assert!(config.project.is_none());
    assert!(!config.watch && !config.lenient && !config.demo && config.migrate);
    assert_eq!(config.base_path, "");
    assert_eq!(config.pool.max_size, 10);
    assert_eq!(config.pool.acquire_timeout, Duration::from_millis(50));
    assert_eq!(config.pool.query_timeout, Duration::from_millis(100));
    assert_eq!(config.poll_interval, Duration::from_secs(5));
    assert_eq!(config.request_timeout, Duration::from_millis(1000));
    assert_eq!(config.body_limit, 2 * 1024 * 1024);
    assert_eq!(config.decompressed_limit, 20 * 1024 * 1024);
    assert_eq!(config.max_in_flight, 4096);
    assert_eq!(config.lifecycle.shutdown_timeout, Duration::from_secs(25));
    assert_eq!(config.lifecycle.drain_delay, Duration::ZERO);
    assert_eq!(config.overload_status, 503);
    assert_eq!(config.log, LogConfig::default());
    assert_eq!(config.rate_limits, RateLimitConfig::default());
    assert!(config.trusted_proxies.is_empty() && config.metrics_listen.is_none());
    assert_eq!(config.slow_request, Some(Duration::from_millis(250)));
    assert_eq!(config.streams, crate::streams::StreamConfig::default());
    assert_eq!(config.public_url, None);
}

#[test]
fn rates_have_a_burst_and_proxies_a_range() {
    let config = serve(&[
        "--rate-limit-token-per-s",
        "50",
        "--rate-limit-address-per-s",
        "10",
        "--rate-limit-address-burst",
        "7",
        "--rate-limit-definitions-per-s",
        "20",
        "--rate-limit-warn-only",
        "--trusted-proxies",
        "10.0.0.0/8, ::1,",
        "--slow-request-ms",
        "0",
        "--metrics-listen",
        "127.0.0.1:9100",
    ]);
    let config = config.unwrap();
    let rate = |rate: Option<Rate>| rate.map(|it| (it.per_second.get(), it.burst.get()));
    assert_eq!(rate(config.rate_limits.token), Some((50, 100)));
    assert_eq!(rate(config.rate_limits.address), Some((10, 7)));
    assert_eq!(rate(config.rate_limits.definitions), Some((20, 40)));
    assert!(config.rate_limits.warn_only);
    let trusted: Vec<_> = config
        .trusted_proxies
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(trusted, ["10.0.0.0/8", "::1/128"]);
    assert_eq!(config.slow_request, None);
    assert_eq!(config.metrics_listen, "127.0.0.1:9100".parse().ok());
    let burst_alone = serve(&["--rate-limit-token-burst", "5"]).unwrap();
    assert_eq!(burst_alone.rate_limits.token, None);
    let error = serve(&[
        "--trusted-proxies",
        "10.0.0.0/33,x",
        "--metrics-listen",
        "x",
    ]);
    assert_eq!(error.unwrap_err().0.len(), 3);
}

#[test]
fn switches_and_values() {
    type Test = fn(&ServeConfig) -> bool;
    let cases: [(&[&str], Test); 18] = [
        (&[], |c| {
            c.remote_config.autocapture_opt_out && c.static_dir.is_none()
        }),
        (&["--autocapture-opt-out=false"], |c| {
            !c.remote_config.autocapture_opt_out
        }),
        (&["--static-dir", "dist"], |c| {
            c.static_dir.as_deref() == Some("dist".as_ref())
        }),
        (&["--drain-delay", "7", "--shutdown-timeout", "0"], |c| {
            c.lifecycle.drain_delay.as_secs() == 7 && c.lifecycle.shutdown_timeout.is_zero()
        }),
        (&["--demo"], |c| c.demo),
        (&["--demo=yes"], |c| c.demo),
        (&["--demo=false"], |c| !c.demo),
        (&["--no-migrate"], |c| !c.migrate),
        (&["--project", "f.yaml", "--watch"], |c| {
            c.watch && c.project.is_some()
        }),
        (&["--base-path", "/ph/"], |c| c.base_path == "/ph"),
        (&["--listen", "[::1]:0"], |c| {
            c.listen.port() == 0 && c.listen.is_ipv6()
        }),
        (&["--overload-status", "504"], |c| c.overload_status == 504),
        (&["--public-url", "https://a.example/ph/"], |c| {
            c.public_url.as_deref() == Some("https://a.example/ph")
        }),
        (&["--max-streams", "0"], |c| c.streams.most == 0),
        (&["--log-format", "json"], |c| {
            c.log.format == LogFormat::Json
        }),
        (&["--log-level", "warn,burgee=debug"], |c| {
            c.log.filter == "warn,burgee=debug"
        }),
        (&["--cpus", "32"], |c| {
            c.budget == burgee_actors::Budget::for_cpus(32) && c.pool.threads == 2
        }),
        (&["--cpus", "2", "--evaluators", "3"], |c| {
            c.budget.small_evaluators == 3 && c.budget.http_workers == 2
        }),
    ];
    for (arguments, test) in cases {
        assert!(test(&serve(arguments).unwrap()), "{arguments:?}");
    }
}

#[test]
fn all_bad_settings_are_told_together() {
    let error = serve(&[
        "--listen",
        "here",
        "--database-url",
        "mysql://u:secret@h/d",
        "--watch",
        "--demo=perhaps",
        "--base-path",
        "ph",
        "--pool-size",
        "5",
        "--pool-min-idle",
        "20",
        "--request-timeout-ms=-1",
        "--body-limit-bytes",
        "99999999",
        "--overload-status",
        "500",
        "--http-workers",
        "many",
        "--log-level",
        "[[",
        "--log-format",
        "xml",
        "--public-url",
        "flags.example.com",
        "--stream-heartbeat-ms=0",
    ])
    .unwrap_err();
    let options: Vec<_> = error
        .0
        .iter()
        .map(|f| f.split(':').next().unwrap())
        .collect();
    assert_eq!(
        options,
        [
            "--http-workers (BURGEE_HTTP_WORKERS)",
            "--listen (BURGEE_LISTEN)",
            "--database-url (BURGEE_DATABASE_URL)",
            "--demo (BURGEE_DEMO)",
            "--base-path (BURGEE_BASE_PATH)",
            "--pool-min-idle (BURGEE_POOL_MIN_IDLE)",
            "--request-timeout-ms (BURGEE_REQUEST_TIMEOUT_MS)",
            "--overload-status (BURGEE_OVERLOAD_STATUS)",
            "--stream-heartbeat-ms (BURGEE_STREAM_HEARTBEAT_MS)",
            "--public-url (BURGEE_PUBLIC_URL)",
            "--log-level (BURGEE_LOG_LEVEL)",
            "--log-format (BURGEE_LOG_FORMAT)",
            "--watch (BURGEE_WATCH)",
            "--decompressed-limit-bytes (BURGEE_DECOMPRESSED_LIMIT_BYTES)",
        ]
    );
    assert!(!error.to_string().contains("secret"));
}

#[test]
fn a_bad_setting_brings_no_second_fault() {
    let error = serve(&["--pool-size", "many"]).unwrap_err();
    assert_eq!(error.0.len(), 1, "{error}");
}

#[test]
fn every_option_has_its_variable_and_its_doc() {
    for command in Cli::command().get_subcommands() {
        let nested: Vec<_> = command.get_subcommands().collect();
        for command in nested.into_iter().chain([command]) {
            for argument in command.get_arguments() {
                let Some(long) = argument
                    .get_long()
                    .filter(|l| !["help", "version"].contains(l))
                else {
                    continue;
                };
                let variable = argument.get_env().map(|v| v.to_string_lossy().into_owned());
                let name = format!("{} --{long}", command.get_name());
                let variable = variable.unwrap_or_else(|| panic!("{name} has no variable"));
                assert!(variable.starts_with("BURGEE_"), "{name}");
                assert!(argument.get_help().is_some(), "{name}");
            }
        }
    }
}

#[test]
fn urls_hide_their_password() {
    for (url, shown) in [
        ("sqlite://burgee.db", "sqlite://burgee.db"),
        (
            "postgres://user:pa@ss@host:5432/d?password=x",
            "postgres://user@host:5432/d",
        ),
        ("postgresql://host/d", "postgresql://host/d"),
    ] {
        let url = DatabaseUrl(url.to_owned());
        assert_eq!(url.to_string(), shown);
        assert_eq!(format!("{url:?}"), format!("\"{shown}\""));
    }
}

/// docs/configuration.md shows the table between two markers; on a mismatch the message is what belongs there.
#[test]
fn the_documentation_shows_the_settings() {
    let document = include_str!("../../../docs/configuration.md");
    let shown = document
        .split_once("<!-- settings -->\n")
        .and_then(|(_, rest)| rest.split_once("<!-- /settings -->"))
        .map(|(table, _)| table.trim());
    let table = settings_table();
    assert!(
        shown == Some(table.trim()),
        "put this between the settings markers of docs/configuration.md:\n\n{table}"
    );
}

fn shadow(arguments: &[&str]) -> Result<crate::shadow::ShadowConfig, ConfigError> {
    let line = ["burgee", "shadow"].iter().chain(arguments);
    match Cli::try_parse_from(line).unwrap().command {
        Command::Shadow(options) => options.resolve().map(|(config, _)| config),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_proxy_has_defaults_that_change_nothing() {
    let sides = [
        "--upstream",
        "https://a.example/x/",
        "--burgee",
        "http://b:8080",
    ];
    let config = shadow(&sides).unwrap();
    assert_eq!(config.upstream.to_string(), "https://a.example/x");
    assert!(config.metrics_listen.ip().is_loopback() && config.listen.ip().is_loopback());
    assert_eq!(config.percent, crate::shadow::Percent::NONE);
    assert!(config.fallback && config.compare.is_none() && config.mirror.is_none());
    assert!(config.record.is_none());
    // Both sides have their time within the three seconds after which SDKs give up.
    assert!(config.timeouts.upstream + config.timeouts.burgee < Duration::from_secs(3));
    let more = [
        "--percent",
        "0.5",
        "--compare",
        "--ignore",
        "reason, missing-off",
        "--mirror-events=true",
    ];
    let config = shadow(&[&sides[..], &more].concat()).unwrap();
    assert_eq!(config.percent.to_string(), "0.5");
    let ignored = config.compare.unwrap().ignored;
    assert!(ignored.reason && ignored.missing_off && !ignored.payload && !ignored.condition);
}

#[test]
fn bad_settings_of_a_proxy_are_told_together() {
    let error = shadow(&[
        "--upstream",
        "ftp://user:secret@a",
        "--burgee",
        "b",
        "--percent",
        "101",
        "--ignore",
        "payload,everything",
        "--compare-in-flight",
        "0",
        "--base-path",
        "ph",
    ])
    .unwrap_err()
    .to_string();
    for word in [
        "--upstream",
        "--burgee",
        "--percent",
        "everything",
        "--compare-in-flight",
        "--base-path",
    ] {
        assert!(error.contains(word), "{word} in {error}");
    }
    assert!(!error.contains("secret"), "{error}");
}

#[test]
fn traces_go_to_the_place_for_them_below_a_base() {
    let of = |arguments: &[&str]| serve(arguments).unwrap().traces;
    assert_eq!(of(&[]), None);
    for (url, endpoint) in [
        ("http://c:4318", "http://c:4318/v1/traces"),
        ("https://c/otlp/", "https://c/otlp/v1/traces"),
        ("http://c:4318/v1/traces", "http://c:4318/v1/traces"),
    ] {
        let traces = of(&["--otlp-endpoint", url, "--otlp-sample-ratio", "0.5"]).unwrap();
        assert_eq!((traces.endpoint.as_str(), traces.ratio), (endpoint, 0.5));
        assert_eq!(traces.service_name, "burgee");
    }
    let error = serve(&["--otlp-endpoint", "collector", "--otlp-sample-ratio", "NaN"]);
    assert_eq!(error.unwrap_err().0.len(), 2);
}

#[test]
fn a_certificate_needs_its_key() {
    let error = serve(&["--tls-cert", "c.pem", "--admin-listen", "x"]).unwrap_err();
    let expected = [
        "--admin-listen (BURGEE_ADMIN_LISTEN): expected an address such as 127.0.0.1:8080, found \"x\"",
        "--tls-cert (BURGEE_TLS_CERT): needs --tls-key as well",
    ];
    assert_eq!(error.0, expected);
    let error = serve(&["--tls-cert", "/none/c.pem", "--tls-key", "/none/k.pem"]).unwrap_err();
    assert!(error.0[0].contains("/none/c.pem cannot be used"), "{error}");
}
