//! The registry as text, in either of the two formats that scrapers read.

use prometheus_client::encoding::text::{encode, encode_registry};
use prometheus_client::registry::Registry;
use std::fmt;

/// The content type of [`prometheus_text`].
pub const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The content type of [`open_metrics`].
pub const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Writes everything registered as OpenMetrics 1.0.0.
pub fn open_metrics(registry: &Registry) -> Result<String, fmt::Error> {
    let mut text = String::new();
    encode(&mut text, registry)?;
    Ok(text)
}

/// Writes everything registered in the text format 0.0.4.
///
/// It differs from OpenMetrics in what it calls a counter: there the name without `_total`, here the name of the sample.
pub fn prometheus_text(registry: &Registry) -> Result<String, fmt::Error> {
    let mut text = String::new();
    encode_registry(&mut text, registry)?;
    Ok(downgrade(&text))
}

fn downgrade(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len() + 256);
    let mut lines = open_metrics.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("# UNIT ") {
            continue;
        }
        let (help, type_line) = match line.strip_prefix("# HELP ") {
            Some(help) => (Some(help), lines.next().unwrap_or_default()),
            None => (None, line),
        };
        let Some((name, kind)) = type_line
            .strip_prefix("# TYPE ")
            .and_then(|rest| rest.split_once(' '))
        else {
            push_line(&mut text, &[type_line]);
            continue;
        };
        let (suffix, kind) = match kind {
            "counter" => ("_total", "counter"),
            "info" => ("_info", "gauge"),
            "unknown" => ("", "untyped"),
            other => ("", other),
        };
        if let Some((_, sentence)) = help.and_then(|help| help.split_once(' ')) {
            push_line(&mut text, &["# HELP ", name, suffix, " ", sentence]);
        }
        push_line(&mut text, &["# TYPE ", name, suffix, " ", kind]);
    }
    text
}

fn push_line(text: &mut String, parts: &[&str]) {
    text.extend(parts.iter().copied());
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::gauge::Gauge;
    use prometheus_client::metrics::histogram::Histogram;
    use prometheus_client::metrics::info::Info;
    use prometheus_client::registry::Unit;

    fn registry() -> Registry {
        let mut registry = Registry::with_prefix("b");
        let counter: Counter = Counter::default();
        counter.inc_by(3);
        registry.register("seen", "Things seen", counter);
        let gauge: Gauge = Gauge::default();
        gauge.set(2);
        registry.register("open", "Things open", gauge);
        let histogram = Histogram::new([1.0]);
        histogram.observe(0.5);
        registry.register_with_unit("wait", "Time waited", Unit::Seconds, histogram);
        registry.register("build", "The build", Info::new([("version", "1")]));
        registry
    }

    #[test]
    fn counters_are_typed_by_the_name_of_their_sample() {
        let text = prometheus_text(&registry()).unwrap();
        let expected = "\
# HELP b_seen_total Things seen.
# TYPE b_seen_total counter
b_seen_total 3
# HELP b_open Things open.
# TYPE b_open gauge
b_open 2
# HELP b_wait_seconds Time waited.
# TYPE b_wait_seconds histogram
b_wait_seconds_sum 0.5
b_wait_seconds_count 1
b_wait_seconds_bucket{le=\"1.0\"} 1
b_wait_seconds_bucket{le=\"+Inf\"} 1
# HELP b_build_info The build.
# TYPE b_build_info gauge
b_build_info{version=\"1\"} 1
";
        assert_eq!(text, expected);
    }

    #[test]
    fn open_metrics_is_complete() {
        let text = open_metrics(&registry()).unwrap();
        assert!(text.contains("# TYPE b_seen counter\n"), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
