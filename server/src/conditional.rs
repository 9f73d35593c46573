//! What a client says it has already (`If-None-Match`), and how it takes answers (`Accept-Encoding`).
//!
//! `Cache-Control` and `Pragma` are not looked at, on purpose: HTTP libraries add `no-cache` to conditional requests by
//! themselves (section 4.3).

use actix_web::http::header::{ACCEPT_ENCODING, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH};
use burgee_actors::Coding;

/// Returns whether a request says that it has the content of this tag, given without quotes. Weak and strong tags, in quotes or
/// not, are the same here; `*` is any.
pub fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    entries(headers, &IF_NONE_MATCH).any(|known| known == b"*" || opaque(known) == tag.as_bytes())
}

/// Takes `W/` and quotes off.
fn opaque(tag: &[u8]) -> &[u8] {
    let tag = tag
        .strip_prefix(b"W/")
        .or_else(|| tag.strip_prefix(b"w/"))
        .unwrap_or(tag);
    let inner = tag
        .strip_prefix(b"\"")
        .and_then(|tag| tag.strip_suffix(b"\""));
    inner.unwrap_or(tag)
}

/// Returns how a client likes its answer compressed; `None` for not at all. Of those it likes equally well, the smallest.
pub fn coding(headers: &HeaderMap) -> Option<Coding> {
    let weight = |name: &[u8]| weight(headers, name);
    let not_at_all = weight(b"identity").unwrap_or(0);
    let mut best = (not_at_all, None);
    for coding in Coding::ALL {
        let weight = weight(token(coding).as_bytes());
        let weight = weight.or_else(|| any(headers)).unwrap_or(0);
        let is_better = match best {
            (least, None) => weight > 0 && weight >= least,
            (least, Some(_)) => weight > least,
        };
        if is_better {
            best = (weight, Some(coding));
        }
    }
    best.1
}

/// Returns whether a client takes an answer that is packed with gzip.
pub fn takes_gzip(headers: &HeaderMap) -> bool {
    let weight = weight(headers, b"gzip").or_else(|| any(headers));
    weight.is_some_and(|weight| weight > 0)
}

/// Returns the name of a coding in headers.
pub const fn token(coding: Coding) -> &'static str {
    match coding {
        Coding::Brotli => "br",
        Coding::Zstd => "zstd",
        Coding::Gzip => "gzip",
    }
}

fn any(headers: &HeaderMap) -> Option<u16> {
    weight(headers, b"*")
}

/// Returns how much a client likes a coding, in thousandths; `None` when it does not say.
fn weight(headers: &HeaderMap, name: &[u8]) -> Option<u16> {
    entries(headers, &ACCEPT_ENCODING).find_map(|entry| {
        let mut parts = entry.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let is_named = parts.next()?.eq_ignore_ascii_case(name);
        let given = parts.find_map(|part| part.strip_prefix(b"q=").or(part.strip_prefix(b"Q=")));
        is_named.then(|| given.map_or(1_000, thousandths))
    })
}

/// Reads a number from 0 to 1 with at most three decimals; what is none counts as 0.
fn thousandths(text: &[u8]) -> u16 {
    let text = std::str::from_utf8(text).unwrap_or_default();
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    match (whole, format!("{decimals:0<3}").parse()) {
        ("0", Ok(decimals)) if decimals < 1_000 => decimals,
        ("1", Ok(0)) => 1_000,
        _ => 0,
    }
}

/// Returns the entries of a header that is a list, however many lines it has.
fn entries<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    let lines = headers.get_all(name).map(HeaderValue::as_bytes);
    lines
        .flat_map(|line| line.split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &HeaderName, lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name.clone(), HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    #[test]
    fn a_tag_is_known_however_it_is_sent() {
        let cases: [(&[&str], bool); 12] = [
            (&[], false),
            (&[""], false),
            (&["W/\"a\""], true),
            (&["w/\"a\""], true),
            (&["\"a\""], true),
            (&["a"], true),
            (&["W/a"], true),
            (&["*"], true),
            (&["\"b\""], false),
            (&["\"b\", W/\"a\" "], true),
            (&["\"b\"", "\"a\""], true),
            (&["\"aa\", \"a"], false),
        ];
        for (lines, expected) in cases {
            let headers = headers(&IF_NONE_MATCH, lines);
            assert_eq!(is_known(&headers, "a"), expected, "{lines:?}");
        }
    }

    #[test]
    fn the_coding_is_the_one_that_is_liked_best() {
        let cases: [(&[&str], Option<Coding>); 16] = [
            (&[], None),
            (&[""], None),
            (&["gzip, deflate"], Some(Coding::Gzip)),
            (&["gzip"], Some(Coding::Gzip)),
            (&["GZIP"], Some(Coding::Gzip)),
            (&["gzip, deflate, br, zstd"], Some(Coding::Brotli)),
            (&["gzip", "zstd"], Some(Coding::Zstd)),
            (&["gzip;q=1.0, br;q=0.5"], Some(Coding::Gzip)),
            (&["gzip;q=0"], None),
            (&["gzip ; q=0.001"], Some(Coding::Gzip)),
            (&["*"], Some(Coding::Brotli)),
            (&["*, br;q=0"], Some(Coding::Zstd)),
            (&["identity"], None),
            (&["identity;q=0.5, gzip;q=0.2"], None),
            (&["gzip;q=2"], None),
            (&["deflate"], None),
        ];
        for (lines, expected) in cases {
            let headers = headers(&ACCEPT_ENCODING, lines);
            assert_eq!(coding(&headers), expected, "{lines:?}");
        }
    }
}
