//! Who may read answers from another origin: everybody (section 3.13). Tokens are public, and no answer depends on cookies.

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN,
    VARY,
};

/// How long a browser may remember a preflight, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("3600");

/// What a page may send. A preflight is no promise: the route itself may still refuse.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, OPTIONS, HEAD");

const EXPOSED: HeaderValue = HeaderValue::from_static("ETag, Retry-After");
const VARY_ORIGIN: HeaderValue = HeaderValue::from_static("Origin");
const ANY_ORIGIN: HeaderValue = HeaderValue::from_static("*");
const TRUE: HeaderValue = HeaderValue::from_static("true");

/// The origin of a request, kept while the request itself is being answered.
#[derive(Debug, Clone)]
pub struct Origin(Option<HeaderValue>);

impl Origin {
    /// Reads it from the request's headers.
    pub fn of(headers: &HeaderMap) -> Self {
        Self(headers.get(ORIGIN).cloned())
    }

    /// Allows an answer, errors included, to be read from this origin.
    pub fn allow(self, headers: &mut HeaderMap) {
        match self.0 {
            Some(origin) => {
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
                headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
            }
            None => {
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY_ORIGIN);
            }
        }
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        headers.append(VARY, VARY_ORIGIN);
    }
}

/// What a page may send to the admin API.
const ADMIN_METHODS: HeaderValue =
    HeaderValue::from_static("GET, POST, OPTIONS, HEAD, PATCH, PUT, DELETE");

/// Answers a preflight, or returns `None` when the request is none.
pub fn preflight(method: &Method, headers: &HeaderMap, is_admin: bool) -> Option<HttpResponse> {
    if *method != Method::OPTIONS || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        return None;
    }
    let mut response = HttpResponse::Ok().finish();
    let allowed = response.headers_mut();
    let methods = if is_admin { ADMIN_METHODS } else { METHODS };
    allowed.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    allowed.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    if let Some(wanted) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        allowed.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderName;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().cloned();
        HeaderMap::from_iter(pairs.map(|(name, value)| (name, HeaderValue::from_static(value))))
    }

    fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
        headers.get(name).map(|value| value.to_str().unwrap())
    }

    #[test]
    fn an_origin_is_mirrored_with_credentials() {
        let mut answer = HeaderMap::new();
        Origin::of(&headers(&[(ORIGIN, "https://a.example")])).allow(&mut answer);
        let expected = [
            (ACCESS_CONTROL_ALLOW_ORIGIN, Some("https://a.example")),
            (ACCESS_CONTROL_ALLOW_CREDENTIALS, Some("true")),
            (ACCESS_CONTROL_EXPOSE_HEADERS, Some("ETag, Retry-After")),
            (VARY, Some("Origin")),
        ];
        for (name, value) in expected {
            assert_eq!(text(&answer, &name), value, "{name}");
        }
    }

    #[test]
    fn without_an_origin_there_are_no_credentials() {
        let mut answer = HeaderMap::new();
        Origin::of(&HeaderMap::new()).allow(&mut answer);
        assert_eq!(text(&answer, &ACCESS_CONTROL_ALLOW_ORIGIN), Some("*"));
        assert_eq!(text(&answer, &ACCESS_CONTROL_ALLOW_CREDENTIALS), None);
        assert_eq!(text(&answer, &VARY), Some("Origin"));
    }

    #[test]
    fn vary_is_added_to_what_is_there() {
        let mut answer = headers(&[(VARY, "Accept-Encoding")]);
        Origin::of(&HeaderMap::new()).allow(&mut answer);
        let all: Vec<_> = answer.get_all(VARY).collect();
        assert_eq!(all, ["Accept-Encoding", "Origin"]);
    }

    #[test]
    fn a_preflight_mirrors_the_wanted_headers() {
        let request = headers(&[
            (ACCESS_CONTROL_REQUEST_METHOD, "POST"),
            (ACCESS_CONTROL_REQUEST_HEADERS, "content-type, x-a"),
        ]);
        let response = preflight(&Method::OPTIONS, &request, false).unwrap();
        assert_eq!(response.status(), 200);
        let expected = [
            (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS, HEAD"),
            (ACCESS_CONTROL_ALLOW_HEADERS, "content-type, x-a"),
            (ACCESS_CONTROL_MAX_AGE, "3600"),
        ];
        for (name, value) in expected {
            assert_eq!(text(response.headers(), &name), Some(value), "{name}");
        }
    }

    #[test]
    fn only_options_with_a_wanted_method_is_a_preflight() {
        let wanted = headers(&[(ACCESS_CONTROL_REQUEST_METHOD, "POST")]);
        assert!(preflight(&Method::POST, &wanted, false).is_none());
        assert!(preflight(&Method::OPTIONS, &HeaderMap::new(), true).is_none());
        let methods = |is_admin| {
            let response = preflight(&Method::OPTIONS, &wanted, is_admin).unwrap();
            text(response.headers(), &ACCESS_CONTROL_ALLOW_METHODS)
                .unwrap()
                .to_owned()
        };
        assert!(methods(true).contains("PATCH, PUT, DELETE"));
        assert!(!methods(false).contains("PATCH"));
        let response = preflight(&Method::OPTIONS, &wanted, false).unwrap();
        assert_eq!(
            text(response.headers(), &ACCESS_CONTROL_ALLOW_HEADERS),
            None
        );
    }
}
