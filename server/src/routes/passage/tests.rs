use super::*;
use actix_web::http::header::HeaderValue;

#[test]
fn a_client_may_shorten_its_time_but_not_lengthen_it() {
    let limit = Duration::from_secs(1);
    for (sent, expected) in [
        ("250", 250),
        (" 250 ", 250),
        ("0", 0),
        ("1000", 1_000),
        ("60000", 1_000),
        ("-1", 1_000),
        ("1.5", 1_000),
        ("soon", 1_000),
        ("", 1_000),
        ("99999999999999999999999", 1_000),
    ] {
        let value = HeaderValue::from_bytes(sent.as_bytes()).unwrap();
        let headers = HeaderMap::from_iter([(TIMEOUT_HEADER, value)]);
        let expected = Duration::from_millis(expected);
        assert_eq!(time_limit(limit, &headers), expected, "{sent}");
    }
    assert_eq!(time_limit(limit, &HeaderMap::new()), limit);
}
