use super::*;
use crate::state::HttpConfig;
use actix_web::body::to_bytes;
use actix_web::http::header::{CACHE_CONTROL, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, call_service, init_service, try_call_service};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};

#[test]
fn paths_have_routes() {
    for (path, expected) in [
        ("/flags", Route::Flags),
        ("/flags/", Route::Flags),
        ("/flags//", Route::Unmatched),
        ("/flags/x", Route::Unmatched),
        ("/flags/definitions/", Route::Definitions),
        ("/api/feature_flag/local_evaluation", Route::LocalEvaluation),
        (
            "/api/projects/7/feature_flags/local_evaluation/",
            Route::ProjectLocalEvaluation,
        ),
        (
            "/api/projects/@current/feature_flags/k/remote_config",
            Route::Payload,
        ),
        (
            "/api/projects//feature_flags/k/remote_config",
            Route::Unmatched,
        ),
        (
            "/api/projects/7/feature_flags/k",
            Route::Admin(AdminRoute::Flag),
        ),
        ("/array/phc_a/config", Route::RemoteConfig),
        ("/array/phc_a/config.js", Route::RemoteConfigScript),
        ("/array/phc_a/config/x", Route::Unmatched),
        ("/array/config", Route::Unmatched),
        ("/static/1.2/array.js", Route::Static),
        ("/static/array.js", Route::Static),
        ("/static", Route::Unmatched),
        ("/decide/", Route::Decide),
        ("/", Route::Index),
        ("", Route::Unmatched),
        ("*", Route::Unmatched),
        ("/readyz", Route::Readyz),
        ("/Flags", Route::Unmatched),
    ] {
        assert_eq!(Route::of(path), expected, "{path}");
    }
    for route in Route::ALL {
        assert_eq!(Route::of(route.label()), route);
    }
}

#[test]
fn the_base_path_and_leading_slashes_are_taken_off() {
    for (path, base, expected) in [
        ("/flags", "", "/flags"),
        ("///flags/", "", "/flags/"),
        ("//", "", "/"),
        ("*", "", "*"),
        ("", "", "/"),
        ("/ph/flags", "/ph", "/flags"),
        ("//ph//flags/", "/ph", "/flags/"),
        ("/ph", "/ph", "/"),
        ("/ph/", "/ph", "/"),
        ("/flags", "/ph", "/flags"),
        ("/phone", "/ph", "/phone"),
        ("/a/b/flags", "/a/b", "/flags"),
        ("/ph/ph/flags", "/ph", "/ph/flags"),
    ] {
        assert_eq!(inner_path(path, base), expected, "{path} {base}");
    }
}

#[test]
fn slashes_around_a_base_path_do_not_matter() {
    for (base, expected) in [
        ("", ""),
        ("/", ""),
        ("ph", "/ph"),
        ("/ph", "/ph"),
        ("//ph//", "/ph"),
        ("/a/b/", "/a/b"),
    ] {
        assert_eq!(normal_base_path(base), expected, "{base}");
    }
}

/// Status, headers and body of the answer to a request that needs no actors.
async fn answer(config: HttpConfig, request: TestRequest) -> (StatusCode, HeaderMap, String) {
    let edge = Arc::new(Edge::new(config, &mut Registry::default()));
    let app = App::new()
        .wrap(from_fn(move |request, next| {
            middleware::edge(Arc::clone(&edge), request, next)
        }))
        .configure(configure);
    let app = init_service(app).await;
    let response = call_service(&app, request.to_request()).await;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = to_bytes(response.into_body()).await.unwrap();
    (status, headers, String::from_utf8(body.to_vec()).unwrap())
}

fn request(method: Method, uri: &str) -> TestRequest {
    TestRequest::default().method(method).uri(uri)
}

fn based() -> HttpConfig {
    HttpConfig {
        base_path: "/ph".into(),
        ..HttpConfig::default()
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

#[actix_web::test]
async fn every_spelling_of_a_path_answers_without_a_redirect() {
    for path in [
        "/flags",
        "/flags/",
        "//flags",
        "///flags/?v=2",
        "/ph/flags",
        "/ph/flags/",
        "//ph//flags",
        "/decide",
        "/decide/",
        "/ph/decide",
        "/",
        "//",
        "/ph",
        "/ph/",
        "/_liveness",
        "/_liveness/",
        "/healthz",
        "/livez/",
        "//livez",
    ] {
        let (status, _, _) = answer(based(), request(Method::GET, path)).await;
        assert_eq!(status, 200, "{path}");
    }
    for path in ["/nothing", "/flags/x", "/phflags", "/flags//"] {
        let (status, headers, body) = answer(based(), request(Method::GET, path)).await;
        assert_eq!(status, 404, "{path}");
        assert_eq!(header(&headers, "content-type"), Some("application/json"));
        let expected = json!({"type": "invalid_request", "code": "not_found", "detail": "Endpoint not found.", "attr": null});
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), expected);
    }
}

#[actix_web::test]
async fn rewritten_paths_keep_their_query() {
    for (path, member) in [
        ("//flags/?v=2", "flags"),
        ("/ph/flags?v=1", "featureFlags"),
        ("//ph//flags/?v=2&x=/flags", "flags"),
    ] {
        let (_, _, body) = answer(based(), request(Method::GET, path)).await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert!(body.get(member).is_some(), "{path}: {body}");
    }
}

#[actix_web::test]
async fn methods_answer_as_the_table_says() {
    let flags = "GET, POST, OPTIONS, HEAD";
    let reading = "GET, OPTIONS, HEAD";
    let cases = [
        (Method::GET, "/flags", 200, None),
        (Method::HEAD, "/flags/", 200, None),
        (Method::OPTIONS, "/flags", 204, Some(flags)),
        (Method::OPTIONS, "/decide/", 204, Some(flags)),
        (Method::PUT, "/flags", 405, Some(flags)),
        (Method::DELETE, "/decide", 405, Some(flags)),
        (Method::PATCH, "/flags/", 405, Some(flags)),
        (Method::HEAD, "/_liveness", 200, None),
        (Method::OPTIONS, "/_liveness", 204, Some(reading)),
        (Method::POST, "/_readiness", 405, Some(reading)),
        (Method::POST, "/metrics/", 405, Some(reading)),
        (Method::DELETE, "/", 405, Some(reading)),
        (Method::PUT, "/nothing", 404, None),
    ];
    for (method, path, expected, allow) in cases {
        let (status, headers, body) = answer(based(), request(method.clone(), path)).await;
        assert_eq!(status.as_u16(), expected, "{method} {path}");
        assert_eq!(header(&headers, "allow"), allow, "{method} {path}");
        let is_bodiless =
            matches!(expected, 204 | 405) || path == "/flags/" && method == Method::HEAD;
        // The wire leaves out the body of every HEAD; this is before it.
        let has_body = method != Method::HEAD && !is_bodiless;
        assert!(!is_bodiless || body.is_empty(), "{method} {path}");
        assert!(!has_body || !body.is_empty(), "{method} {path}");
    }
}

#[actix_web::test]
async fn a_get_has_the_headers_and_members_of_the_minimal_answer() {
    let id = "3f0e8a52-5e0b-4f0e-9d39-0f3a2f6f0b11";
    let asked = request(Method::GET, "/flags?v=2").insert_header(("x-request-id", id));
    let (_, headers, body) = answer(based(), asked).await;
    assert_eq!(header(&headers, "content-type"), Some("application/json"));
    assert_eq!(header(&headers, CACHE_CONTROL.as_str()), Some("no-store"));
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["requestId"], json!(id));
    assert!(
        body["evaluatedAt"]
            .as_i64()
            .is_some_and(|millis| millis > 1_700_000_000_000)
    );
    assert_eq!(body["flags"], json!({}));
}

#[actix_web::test]
async fn a_proxy_can_say_that_it_renamed_decide() {
    for (path, original, member) in [
        ("/decide?v=2", None, "featureFlags"),
        ("/flags?v=2", Some("decide"), "featureFlags"),
        ("/flags?v=2", Some("Decide"), "featureFlags"),
        ("/flags?v=2", Some("flags"), "flags"),
    ] {
        let mut asked = request(Method::GET, path);
        if let Some(original) = original {
            asked = asked.insert_header(("x-original-endpoint", original));
        }
        let (_, _, body) = answer(based(), asked).await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert!(body.get(member).is_some(), "{path} {original:?}: {body}");
    }
}

#[actix_web::test]
async fn every_answer_may_be_read_from_another_origin() {
    let origin = ("origin", "https://app.example.test");
    for (method, path, status) in [
        (Method::GET, "/flags", 200),
        (Method::HEAD, "/flags", 200),
        (Method::OPTIONS, "/flags", 204),
        (Method::PUT, "/flags", 405),
        (Method::GET, "/nothing", 404),
        (Method::GET, "/_liveness", 200),
    ] {
        let asked = request(method.clone(), path).insert_header(origin);
        let (got, headers, _) = answer(based(), asked).await;
        assert_eq!(got.as_u16(), status, "{method} {path}");
        assert_eq!(
            header(&headers, "access-control-allow-origin"),
            Some(origin.1)
        );
        assert_eq!(
            header(&headers, "access-control-allow-credentials"),
            Some("true")
        );
        assert_eq!(header(&headers, "vary"), Some("Origin"));
        let is_bodiless = status == 204;
        assert!(
            is_bodiless || header(&headers, "cache-control") == Some("no-store"),
            "{method} {path}"
        );
        let exposed = header(&headers, "access-control-expose-headers");
        assert_eq!(exposed, Some("ETag, Retry-After"));
    }
}

#[actix_web::test]
async fn a_preflight_is_answered() {
    let asked = request(Method::OPTIONS, "/flags/?v=2")
        .insert_header(("origin", "https://app.example.test"))
        .insert_header(("access-control-request-method", "POST"))
        .insert_header(("access-control-request-headers", "content-type"));
    let (status, headers, body) = answer(based(), asked).await;
    assert_eq!((status.as_u16(), body.as_str()), (200, ""));
    for (name, value) in [
        ("access-control-allow-origin", "https://app.example.test"),
        ("access-control-allow-methods", "GET, POST, OPTIONS, HEAD"),
        ("access-control-allow-headers", "content-type"),
        ("access-control-max-age", "3600"),
    ] {
        assert_eq!(header(&headers, name), Some(value));
    }
}

#[actix_web::test]
async fn no_more_requests_are_let_in_than_allowed() {
    for (path, status) in [
        ("/flags", 504),
        ("/nothing", 504),
        ("/ofrep/v1/evaluate/flags", 504),
        ("/ofrep/v1/evaluate/flags/a", 504),
        ("/ofrep/v1/events", 504),
        ("/_liveness", 200),
        ("/", 200),
    ] {
        let config = HttpConfig {
            max_in_flight: 0,
            overload_status: crate::error::OverloadStatus::GatewayTimeout,
            ..HttpConfig::default()
        };
        let (got, headers, body) = answer(config, request(Method::GET, path)).await;
        assert_eq!(got.as_u16(), status, "{path}");
        if path.starts_with("/ofrep") {
            assert_eq!(body, r#"{"errorDetails":"busy"}"#);
        }
        assert_eq!(
            header(&headers, "retry-after").is_some(),
            status == 504,
            "{path}"
        );
        assert!(
            header(&headers, "access-control-allow-origin").is_some(),
            "{path}"
        );
    }
}

async fn crash() -> HttpResponse {
    panic!("on purpose")
}

#[actix_web::test]
async fn a_crash_is_an_answer_and_hurts_nobody_else() {
    let mut registry = Registry::default();
    let edge = Arc::new(Edge::new(HttpConfig::default(), &mut registry));
    let app = App::new()
        .wrap(from_fn(move |request, next| {
            middleware::edge(Arc::clone(&edge), request, next)
        }))
        .route("/crash", web::get().to(crash))
        .configure(configure);
    let app = init_service(app).await;
    let asked = request(Method::GET, "/crash").insert_header(("origin", "https://a.example"));
    let error = try_call_service(&app, asked.to_request())
        .await
        .unwrap_err();
    let response = error.error_response();
    assert_eq!(response.status(), 500);
    let origin = header(response.headers(), "access-control-allow-origin");
    assert_eq!(origin, Some("https://a.example"));
    let body = to_bytes(response.into_body()).await.unwrap();
    let expected = "An internal server error occurred. Please try again later or contact support if the problem persists.";
    assert_eq!(body, expected);
    let next = call_service(&app, request(Method::GET, "/flags").to_request()).await;
    assert_eq!(next.status(), 200);
    let counted = crate::metrics::prometheus_text(&registry).unwrap();
    for line in [
        "burgee_http_panics_total 1",
        "burgee_http_requests_in_flight 0",
        r#"burgee_http_requests_total{route="unmatched",method="GET",status="500"} 1"#,
        r#"burgee_http_requests_total{route="/flags",method="GET",status="200"} 1"#,
    ] {
        assert!(counted.lines().any(|it| it == line), "{line}\n{counted}");
    }
}

#[actix_web::test]
async fn labels_never_come_from_the_request() {
    let mut registry = Registry::default();
    let edge = Arc::new(Edge::new(HttpConfig::default(), &mut registry));
    let app = App::new()
        .wrap(from_fn(move |request, next| {
            middleware::edge(Arc::clone(&edge), request, next)
        }))
        .configure(configure);
    let app = init_service(app).await;
    for (method, path) in [
        ("GET", "/secret"),
        ("BREW", "/flags/?token=secret"),
        ("PUT", "/secret2"),
    ] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        call_service(&app, request(method, path).to_request()).await;
    }
    let counted = crate::metrics::prometheus_text(&registry).unwrap();
    assert!(
        !counted.contains("secret") && !counted.contains("BREW"),
        "{counted}"
    );
    let line = r#"burgee_http_requests_total{route="/flags",method="other",status="405"} 1"#;
    assert!(counted.lines().any(|it| it == line), "{counted}");
}

async fn place(request: actix_web::HttpRequest) -> String {
    let place = crate::trace::TraceContext::given(&request);
    place.map_or("nowhere".to_owned(), |place| {
        format!("{place} {:x}", place.span)
    })
}

#[actix_web::test]
async fn without_an_endpoint_for_traces_no_span_begins() {
    let edge = Edge::new(HttpConfig::default(), &mut Registry::default());
    let edge = Arc::new(edge);
    let app = App::new()
        .wrap(from_fn(move |request, next| {
            middleware::edge(Arc::clone(&edge), request, next)
        }))
        .route("/place", web::get().to(place));
    let app = init_service(app).await;
    let caller = "0af7651916cd43dd8448eb211c80319c b7ad6b7169203331";
    let traceparent = format!("00-{}-01", caller.replace(' ', "-"));
    for (header, expected) in [(None, "nowhere"), (Some(traceparent), caller)] {
        let mut asked = request(Method::GET, "/place");
        if let Some(header) = header {
            asked = asked.insert_header(("traceparent", header));
        }
        let response = call_service(&app, asked.to_request()).await;
        let is_told = response
            .response()
            .extensions()
            .get::<crate::trace::SpanNotes>()
            .is_some();
        assert!(!is_told);
        let body = to_bytes(response.into_body()).await.unwrap();
        assert_eq!(body, expected, "its caller's place, not one below it");
    }
}
