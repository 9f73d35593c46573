//! Headers that are believed, and the many that are not.

use super::*;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn of(values: &[&str]) -> Option<TraceContext> {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(TRACEPARENT, HeaderValue::from_str(value).unwrap());
    }
    TraceContext::of(&headers)
}

#[test]
fn well_formed_headers_are_read() {
    let cases = [
        (format!("00-{TRACE}-b7ad6b7169203331-01"), true),
        (format!("00-{TRACE}-b7ad6b7169203331-00"), false),
        // Bits that mean something to later versions.
        (format!("00-{TRACE}-b7ad6b7169203331-ff"), true),
        (format!("cc-{TRACE}-b7ad6b7169203331-01"), true),
        (format!("cc-{TRACE}-b7ad6b7169203331-01-more"), true),
    ];
    for (text, is_sampled) in cases {
        let context = of(&[&text]).unwrap();
        assert_eq!(context.to_string(), TRACE, "{text}");
        assert_eq!(context.span, 0xb7ad_6b71_6920_3331, "{text}");
        assert_eq!(context.is_sampled, is_sampled, "{text}");
    }
}

#[test]
fn anything_else_is_ignored() {
    let good = format!("00-{TRACE}-b7ad6b7169203331-01");
    let cases = [
        String::new(),
        "00".to_owned(),
        good.to_uppercase(),
        good[..54].to_owned(),
        format!("{good}0"),
        format!("{good}-more"),
        format!("ff-{TRACE}-b7ad6b7169203331-01"),
        format!("cc-{TRACE}-b7ad6b7169203331-01more"),
        format!("0x-{TRACE}-b7ad6b7169203331-01"),
        format!("00-{}-b7ad6b7169203331-01", "0".repeat(32)),
        format!("00-{TRACE}-{}-01", "0".repeat(16)),
        format!("00-{TRACE}-b7ad6b7169203331-0g"),
        format!("00_{TRACE}-b7ad6b7169203331-01"),
        format!("00-{TRACE}_b7ad6b7169203331-01"),
        format!("00-{TRACE}-b7ad6b7169203331_01"),
        format!("00-+{}-b7ad6b7169203331-01", &TRACE[1..]),
        "é".repeat(28),
    ];
    for text in cases {
        assert_eq!(of(&[&text]), None, "{text}");
    }
    assert_eq!(of(&[]), None);
    assert_eq!(of(&[&good, &good]), None, "nobody knows which one is meant");
}

#[test]
fn what_is_passed_on_is_what_was_read() {
    for text in [
        format!("00-{TRACE}-00000000000000ab-01"),
        format!("00-{TRACE}-b7ad6b7169203331-00"),
    ] {
        assert_eq!(of(&[&text]).unwrap().header(), text.as_str());
    }
}
