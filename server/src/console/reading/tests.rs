use super::*;

const TEXT: &str = "\
# HELP a Things.
# TYPE a counter
a_total{kind=\"x\",n=\"1\"} 3
a_total{kind=\"y\",n=\"1\"} 4
a_total{kind=\"x\",n=\"2\"} 5.5
plain 7
stamped 8 1700000000
broken
broken{ 1
odd{kind=\"never
t_bucket{le=\"0.1\",route=\"/f\"} 1
t_bucket{le=\"1.0\",route=\"/f\"} 3
t_bucket{le=\"+Inf\",route=\"/f\"} 4
t_bucket{le=\"0.1\",route=\"/array/{token}/config\"} 10
t_bucket{le=\"1.0\",route=\"/array/{token}/config\"} 10
t_bucket{le=\"+Inf\",route=\"/array/{token}/config\"} 10
# EOF
";

#[test]
fn series_are_found_and_added_up() {
    let reading = Reading::parse(TEXT);
    assert_eq!(reading.value("plain"), Some(7.0));
    assert_eq!(reading.value("stamped"), Some(8.0));
    assert_eq!(reading.value("nothing"), None);
    assert_eq!(reading.sum("a_total"), 12.5);
    assert_eq!(reading.sum("nothing"), 0.0);
    let by_kind = reading.by("a_total", "kind");
    assert_eq!(
        by_kind.into_iter().collect::<Vec<_>>(),
        [("x", 8.5), ("y", 4.0)]
    );
    let by_two = reading.by_two("a_total", ["n", "kind"]);
    let expected = [(("1", "x"), 3.0), (("1", "y"), 4.0), (("2", "x"), 5.5)];
    assert_eq!(by_two.into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(reading.buckets("t", &[]).count(), 14.0);
    assert_eq!(reading.buckets("t", &[("route", "/f")]).count(), 4.0);
    let braces = reading.buckets("t", &[("route", "/array/{token}/config")]);
    assert_eq!(braces.count(), 10.0);
}

#[test]
fn quantiles_are_those_of_the_time_between() {
    const INF: f64 = f64::INFINITY;
    let of = |counts: &[(f64, f64)]| Buckets(counts.to_vec());
    let bounds = |a, b, c| of(&[(0.1, a), (1.0, b), (INF, c)]);
    let nothing = Buckets::default();
    let cases = [
        (nothing.clone(), nothing.clone(), 0.5, None),
        (bounds(4.0, 4.0, 4.0), bounds(4.0, 4.0, 4.0), 0.5, None),
        (nothing.clone(), bounds(4.0, 4.0, 4.0), 0.5, Some(0.05)),
        (nothing.clone(), bounds(0.0, 4.0, 4.0), 0.5, Some(0.55)),
        (
            bounds(90.0, 90.0, 90.0),
            bounds(90.0, 94.0, 94.0),
            1.0,
            Some(1.0),
        ),
        (nothing.clone(), bounds(0.0, 0.0, 4.0), 0.99, Some(1.0)),
        (nothing, bounds(50.0, 100.0, 100.0), 0.5, Some(0.1)),
    ];
    for (before, now, share, expected) in cases {
        let quantile = now.since(&before).quantile(share);
        assert_eq!(quantile, expected, "{before:?} {now:?} {share}");
    }
}
