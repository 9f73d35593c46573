//! Shares, tokens, paths, headers, lanes.

use super::aside::{Aside, LaneLimits, lane};
use super::headers;
use super::metrics::ShadowMetrics;
use super::paths::{PathKind, Target};
use super::share::Split;
use super::*;
use crate::metrics::prometheus_text;
use actix_web::test::TestRequest;
use base64::Engine;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use hyper::header::{HeaderMap, HeaderValue};
use prometheus_client::registry::Registry;
use std::io::Write;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};

#[test]
fn shares_are_what_the_formula_says() {
    // Computed with another implementation: int(sha1("burgee-shadow." + token).hexdigest()[:13], 16) / 2**52 * 100.
    for (token, expected, marked) in [
        ("phc_local_dev", 91.3325359350632, "e9cfb0d5"),
        ("a", 6.642916908862562, "11018084"),
        ("phc_shop", 95.15511152853264, "f398da98"),
        ("", 78.34437880423874, "c88fc5a7"),
        ("é", 55.055706822768016, "8cf14eda"),
    ] {
        assert_eq!(share(token).to_bits(), f64::to_bits(expected), "{token}");
        assert_eq!(mark(token), marked);
    }
}

#[test]
fn shares_are_even_and_below_a_hundred() {
    let mut tenths = [0_u32; 10];
    for n in 0..20_000 {
        let share = share(&format!("phc_{n}"));
        assert!((0.0..100.0).contains(&share), "{share}");
        let tenth = (0..10)
            .rfind(|tenth| share >= f64::from(*tenth) * 10.0)
            .unwrap();
        tenths[usize::try_from(tenth).unwrap()] += 1;
    }
    assert!(
        tenths.iter().all(|count| (1_800..2_200).contains(count)),
        "{tenths:?}"
    );
}

#[test]
fn percentages_are_from_nought_to_a_hundred() {
    for (text, expected) in [
        ("0", 0.0),
        ("-0", 0.0),
        ("100", 100.0),
        (" 12.5\n", 12.5),
        ("1e1", 10.0),
    ] {
        let percent: Percent = text.parse().unwrap();
        assert_eq!(percent.value().to_bits(), f64::to_bits(expected), "{text}");
    }
    for wrong in ["", "-1", "100.1", "NaN", "inf", "ten", "10%"] {
        assert_eq!(wrong.parse::<Percent>(), Err(NotAPercentage), "{wrong}");
    }
}

#[test]
fn a_turn_follows_the_percentage() {
    let tokens: Vec<String> = (0..500).map(|n| format!("phc_{n}")).collect();
    let split = Split::new(Percent::NONE);
    let mut before = 0;
    for percent in ["0", "0.5", "12.5", "50", "99.9", "100"] {
        let percent: Percent = percent.parse().unwrap();
        split.set(percent);
        let mut burgee = 0;
        for token in &tokens {
            let expected = if share(token) < percent.value() {
                Side::Burgee
            } else {
                Side::Upstream
            };
            assert_eq!(split.turn(Some(token)), expected, "{token} {percent}");
            burgee += usize::from(expected == Side::Burgee);
        }
        assert!(burgee >= before, "whoever has moved stays");
        before = burgee;
        let without = if percent == Percent::ALL {
            Side::Burgee
        } else {
            Side::Upstream
        };
        assert_eq!(split.turn(None), without, "{percent}");
    }
    assert_eq!(before, tokens.len());
}

fn packed(text: &str) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    gzip.finish().unwrap()
}

async fn token(
    query: &str,
    headers: &[(&'static str, &'static str)],
    body: impl Into<Bytes>,
) -> Option<String> {
    let pairs = headers
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
    let headers: HeaderMap = pairs.collect();
    let slots = Arc::new(Semaphore::new(1));
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    token::find(query, &headers, &body.into(), &slots, deadline).await
}

#[actix_web::test]
async fn a_token_is_found_in_every_encoding() {
    let plain = r#"{"api_key": "phc_a", "distinct_id": "u", "groups": {}}"#;
    let base64 = base64::engine::general_purpose::STANDARD.encode(plain);
    let form = format!("data={}", base64.replace('+', "%2B").replace('=', "%3D"));
    let json = ("content-type", "application/json");
    let text = ("content-type", "text/plain");
    let is_form = ("content-type", "application/x-www-form-urlencoded");
    let gzip = ("content-encoding", "gzip");
    let large = format!(r#"{{"pad": "{}", "token": "phc_a"}}"#, "x".repeat(100_000));
    type Headers = Vec<(&'static str, &'static str)>;
    let cases: Vec<(&str, Headers, Vec<u8>)> = vec![
        ("", vec![], plain.into()),
        ("v=2", vec![json], plain.into()),
        ("", vec![json, gzip], packed(plain)),
        ("compression=gzip-js", vec![text], packed(plain)),
        ("", vec![text], packed(plain)),
        ("compression=base64", vec![text], base64.clone().into()),
        ("", vec![is_form], form.clone().into()),
        ("", vec![is_form], form.replacen("data=", "", 1).into()),
        ("", vec![json], r#"{"token": "phc_\u0061"}"#.into()),
        (
            "",
            vec![json],
            r#"{"token": null, "$token": "phc_a"}"#.into(),
        ),
        (
            "",
            vec![json],
            r#"{"token": "", "api_key": "phc_a", "x": NaN}"#.into(),
        ),
        (
            "",
            vec![json],
            r#"{"token": 5, "api_key": "phc_\u0061"}"#.into(),
        ),
        ("", vec![json], large.clone().into()),
        ("", vec![json], packed(&large)),
    ];
    for (query, headers, body) in cases {
        let shown = String::from_utf8_lossy(&body)
            .chars()
            .take(80)
            .collect::<String>();
        assert_eq!(
            token(query, &headers, body).await.as_deref(),
            Some("phc_a"),
            "{query} {headers:?} {shown}"
        );
    }
    for query in [
        "token=phc_a&v=2",
        "v=2&api%5Fkey=phc%5Fa",
        "api_key=b&token=phc_a",
        &format!("ip=1&{form}"),
    ] {
        assert_eq!(
            token(query, &[], "").await.as_deref(),
            Some("phc_a"),
            "{query}"
        );
    }
}

#[actix_web::test]
async fn no_token_is_no_token() {
    for body in [
        "",
        "{}",
        "[]",
        "[{\"token\": \"a\"}]",
        "{\"token\": [\"a\"]}",
        "nonsense",
        "{\"token\": \"\"}",
    ] {
        assert_eq!(token("v=2", &[], body).await, None, "{body}");
    }
    assert_eq!(token("", &[], packed("{}")).await, None);
    assert_eq!(
        token("", &[("content-type", "image/png")], "\u{0}").await,
        None
    );
    let deep = format!(
        "{{\"a\": {}{}, \"token\": \"a\\u0062\"}}",
        "[".repeat(20_000),
        "]".repeat(20_000)
    );
    assert_eq!(token("", &[], deep).await, None);
}

#[test]
fn paths_are_known_with_any_slashes() {
    for (uri, base, kind, text) in [
        ("/flags?v=2", "", PathKind::Flags, "/flags?v=2"),
        ("/flags/", "", PathKind::Flags, "/flags/"),
        ("//flags/?v=2", "", PathKind::Flags, "//flags/?v=2"),
        ("/decide/?v=3", "", PathKind::Decide, "/decide/?v=3"),
        ("/ph/flags", "/ph", PathKind::Flags, "/flags"),
        ("/ph", "/ph", PathKind::Other, "/"),
        ("/phase/flags", "/ph", PathKind::Other, "/phase/flags"),
        ("/ph/flags", "", PathKind::Other, "/ph/flags"),
        (
            "/flags/definitions",
            "",
            PathKind::Other,
            "/flags/definitions",
        ),
        ("/flagship", "", PathKind::Other, "/flagship"),
        ("/i/v0/e/?ip=1", "", PathKind::Events, "/i/v0/e/?ip=1"),
        ("/batch", "", PathKind::Events, "/batch"),
        (
            "/i/v1/analytics/events",
            "",
            PathKind::Events,
            "/i/v1/analytics/events",
        ),
        ("/s/", "", PathKind::Other, "/s/"),
        (
            "/array/t/config.js",
            "",
            PathKind::Other,
            "/array/t/config.js",
        ),
    ] {
        let target = Target::of(&uri.parse().unwrap(), base);
        assert_eq!((target.kind, target.text.as_str()), (kind, text), "{uri}");
    }
    assert!(is_flags_path("/decide?x=/batch") && !is_flags_path("/e?x=/flags"));
}

#[test]
fn headers_of_a_connection_stay() {
    let request = TestRequest::default()
        .peer_addr("192.0.2.7:4711".parse().unwrap())
        .append_header(("Host", "flags.example.com"))
        .append_header(("Connection", "keep-alive, X-Own"))
        .append_header(("Connection", "x-other"))
        .append_header(("X-Own", "1"))
        .append_header(("X-Other", "1"))
        .append_header(("TE", "trailers"))
        .append_header(("Transfer-Encoding", "chunked"))
        .append_header(("Content-Length", "7"))
        .append_header(("Upgrade", "websocket"))
        .append_header(("Proxy-Authorization", "Basic x"))
        .append_header(("Expect", "100-continue"))
        .append_header((
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ))
        .append_header(("X-Forwarded-For", "203.0.113.9"))
        .append_header(("X-Forwarded-For", "198.51.100.1"))
        .append_header(("X-Forwarded-Proto", "https"))
        .append_header(("Accept", "a"))
        .append_header(("Accept", "b"))
        .to_http_request();
    let onward = headers::onward(&request);
    let mut found: Vec<String> = onward
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            "accept: a",
            "accept: b",
            "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "via: 1.1 burgee-shadow",
            "x-forwarded-for: 203.0.113.9, 198.51.100.1, 192.0.2.7",
            "x-forwarded-host: flags.example.com",
            "x-forwarded-proto: https",
        ]
    );
}

/// Reads a sample of the registry.
fn sample(registry: &Registry, series: &str) -> u64 {
    let text = prometheus_text(registry).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().unwrap())
}

#[actix_web::test]
async fn a_lane_drops_what_finds_no_room() {
    let mut registry = Registry::default();
    let metrics = ShadowMetrics::register(&mut registry);
    let limits = LaneLimits {
        queue: 2,
        bytes: 100,
        in_flight: 1,
        stale_after: None,
    };
    let (lane, end) = lane::<u32>(limits, metrics.lane("compare"));
    let mut aside = Aside::start().unwrap();
    let gate = Arc::new(Semaphore::new(0));
    let (began, mut begun) = mpsc::unbounded_channel();
    let (at_gate, told) = (Arc::clone(&gate), began);
    aside.run(end, move |item| {
        let (gate, began) = (Arc::clone(&at_gate), told.clone());
        async move {
            began.send(item).unwrap();
            gate.acquire().await.unwrap().forget();
        }
    });
    lane.offer(0, 60);
    assert_eq!(
        begun.recv().await,
        Some(0),
        "it is under way, and gives its room back"
    );
    lane.offer(1, 60);
    lane.offer(2, 60);
    lane.offer(3, 10);
    lane.offer(4, 10);
    lane.too_large();
    let dropped = |reason: &str| {
        let series =
            format!("burgee_shadow_aside_dropped_total{{lane=\"compare\",reason=\"{reason}\"}}");
        sample(&registry, &series)
    };
    assert_eq!(
        [
            dropped("no_memory"),
            dropped("queue_full"),
            dropped("too_large")
        ],
        [1, 1, 1]
    );
    assert_eq!(
        sample(&registry, "burgee_shadow_aside_waiting{lane=\"compare\"}"),
        2
    );
    assert_eq!(
        sample(
            &registry,
            "burgee_shadow_aside_waiting_bytes{lane=\"compare\"}"
        ),
        70
    );
    gate.add_permits(3);
    aside.finish(Duration::from_secs(20)).await;
    assert_eq!(
        [begun.recv().await, begun.recv().await, begun.recv().await],
        [Some(1), Some(3), None]
    );
    let of = |series: &str| {
        sample(
            &registry,
            &format!("burgee_shadow_aside_{series}{{lane=\"compare\"}}"),
        )
    };
    assert_eq!(
        [
            of("offered_total"),
            of("done_total"),
            of("waiting"),
            of("waiting_bytes"),
            of("in_flight")
        ],
        [6, 3, 0, 0, 0]
    );
}

#[actix_web::test]
async fn what_is_not_done_at_a_stop_is_counted() {
    let mut registry = Registry::default();
    let metrics = ShadowMetrics::register(&mut registry);
    let limits = LaneLimits {
        queue: 8,
        bytes: 100,
        in_flight: 1,
        stale_after: None,
    };
    let (lane, end) = lane::<u32>(limits, metrics.lane("mirror"));
    let mut aside = Aside::start().unwrap();
    let (began, mut begun) = mpsc::unbounded_channel();
    aside.run(end, move |item| {
        began.send(item).unwrap();
        std::future::pending()
    });
    for item in 0..3 {
        lane.offer(item, 1);
    }
    assert_eq!(begun.recv().await, Some(0));
    aside.finish(Duration::from_millis(1)).await;
    let series = "burgee_shadow_aside_dropped_total{lane=\"mirror\",reason=\"stopped\"}";
    // One was under way, two waited.
    assert_eq!(sample(&registry, series), 3);
    let done = "burgee_shadow_aside_done_total{lane=\"mirror\"}";
    assert_eq!(sample(&registry, done), 0);
}
