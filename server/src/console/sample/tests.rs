use super::*;
use serde_json::{Value, json};

fn sample(before: &str, now: &str, seconds: f64) -> Value {
    let (before, now) = (Reading::parse(before), Reading::parse(now));
    let between = Between {
        before: &before,
        now: &now,
        seconds,
    };
    let state = State {
        is: "ready",
        why: None,
    };
    serde_json::to_value(between.sample(1_000, &state)).unwrap()
}

#[test]
fn figures_have_four_digits() {
    let cases = [
        (0.0, "0"),
        (f64::NAN, "0"),
        (1.0, "1.0"),
        (123_456.0, "123500.0"),
        (0.000_123_456, "0.0001235"),
        (-2.0, "-2.0"),
    ];
    for (value, expected) in cases {
        assert_eq!(serde_json::to_string(&Figure(value)).unwrap(), expected);
    }
}

#[test]
fn counters_become_rates_and_gauges_stay() {
    let before = "\
burgee_http_requests_total{route=\"/flags\",method=\"POST\",status=\"200\"} 100
burgee_requests_refused_total{reason=\"full\"} 5
burgee_requests_refused_total{reason=\"wait\"} 5
burgee_mailbox_refused_total{actor=\"a\",instance=\"0\"} 1
burgee_cohort_cache_hits_total 10
burgee_cohort_cache_misses_total 0
process_cpu_seconds_total 10
";
    let now = "\
burgee_http_requests_total{route=\"/flags\",method=\"POST\",status=\"200\"} 300
burgee_http_requests_total{route=\"/flags\",method=\"POST\",status=\"503\"} 20
burgee_http_requests_total{route=\"/flags\",method=\"POST\",status=\"429\"} 10
burgee_http_requests_total{route=\"/x\",method=\"GET\",status=\"404\"} 4
burgee_requests_refused_total{reason=\"full\"} 25
burgee_requests_refused_total{reason=\"wait\"} 5
burgee_http_rate_limited_total{limit=\"token\",outcome=\"refused\"} 10
burgee_http_rate_limited_total{limit=\"token\",outcome=\"warned\"} 90
burgee_mailbox_depth{actor=\"a\",instance=\"0\"} 7
burgee_mailbox_capacity{actor=\"a\",instance=\"0\"} 64
burgee_mailbox_refused_total{actor=\"a\",instance=\"0\"} 3
burgee_pool_connections 10
burgee_pool_idle 8
burgee_pool_waiting 3
burgee_cohort_cache_hits_total 40
burgee_cohort_cache_misses_total 10
process_cpu_seconds_total 13
";
    let sample = sample(before, now, 2.0);
    let expected = [
        ("/at", json!(1000)),
        ("/span", json!(2.0)),
        (
            "/answers",
            json!({"2xx": 100.0, "429": 5.0, "4xx": 2.0, "5xx": 10.0}),
        ),
        ("/refused", json!({"full": 10.0, "rate limit": 5.0})),
        ("/routes/0/route", json!("/flags")),
        ("/routes/0/total", json!(330)),
        ("/routes/0/rate", json!(115.0)),
        ("/routes/0/bad", json!(15.0)),
        (
            "/mailboxes",
            json!([{"actor": "a", "instance": "0", "depth": 7.0, "capacity": 64.0, "refused": 1.0}]),
        ),
        ("/pool/in_use", json!(2.0)),
        ("/pool/waiting", json!(3.0)),
        ("/pool/hold", json!(null)),
        ("/cohorts/hits", json!(0.75)),
        ("/definitions/hits", json!(null)),
        ("/definitions/age", json!(null)),
        (
            "/cpu",
            json!({"used": 1.5, "quota": null, "throttled": null, "periods": null}),
        ),
    ];
    for (pointer, expected) in expected {
        assert_eq!(sample.pointer(pointer), Some(&expected), "{pointer}");
    }
}

#[test]
fn latencies_are_those_of_the_time_between() {
    let name = "burgee_http_request_duration_seconds_bucket";
    let at = |small: u32, large: u32| {
        format!(
            "burgee_http_requests_total{{route=\"/flags\",status=\"200\"}} {large}\n\
             {name}{{le=\"0.001\",route=\"/flags\"}} {small}\n\
             {name}{{le=\"0.01\",route=\"/flags\"}} {large}\n\
             {name}{{le=\"+Inf\",route=\"/flags\"}} {large}\n"
        )
    };
    let told = sample(&at(100, 100), &at(100, 200), 1.0);
    assert_eq!(told["routes"][0]["p50"], json!(0.0055));
    assert_eq!(told["latency"]["p99"], json!(0.00991));
    let quiet = sample(&at(100, 100), &at(100, 100), 1.0);
    assert_eq!(quiet["latency"], json!(null));
    assert_eq!(quiet["routes"][0].get("p50"), None);
    assert_eq!(quiet["routes"][0]["total"], json!(100));
}

#[test]
fn throttling_is_told_where_there_is_a_quota() {
    let at = |periods: u32, throttled: u32, seconds: f64| {
        format!(
            "burgee_cpu_quota_cores 1.5\nburgee_cpu_periods_total {periods}\n\
             burgee_cpu_throttled_periods_total {throttled}\nburgee_cpu_throttled_seconds_total {seconds}\n"
        )
    };
    let told = sample(&at(10, 2, 1.0), &at(20, 7, 1.25), 1.0);
    let expected = json!({"used": 0, "quota": 1.5, "throttled": 0.25, "periods": 0.5});
    assert_eq!(told["cpu"], expected);
}
