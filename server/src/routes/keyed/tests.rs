use super::*;
use actix_web::test::TestRequest;

#[test]
fn the_token_is_looked_for_in_query_and_header() {
    for (query, header, expected) in [
        ("", None, None),
        ("token=", None, None),
        ("token", None, None),
        ("token=a", None, Some("a")),
        ("send_cohorts&token=a", Some("b"), Some("a")),
        ("api_key=a", None, Some("a")),
        ("api_key=a&token=b", None, Some("b")),
        ("token=&api_key=a", None, Some("a")),
        ("token=a&token=b", None, Some("a")),
        ("token=a%20b%C3%B6+c", None, Some("a bö c")),
        ("xtoken=a", None, None),
        ("token=", Some("b"), Some("b")),
        ("send_cohorts", Some(" b "), Some("b")),
        ("", Some(" "), None),
    ] {
        let mut request = TestRequest::with_uri(&format!("/flags/definitions?{query}"));
        if let Some(header) = header {
            request = request.insert_header((TOKEN_HEADER, header));
        }
        let found = token(&request.to_http_request());
        assert_eq!(found.as_deref(), expected, "{query} {header:?}");
    }
}

#[test]
fn the_path_names_a_project_by_a_number() {
    for (segment, expected) in [
        ("7", Some(ProjectId(7))),
        ("@current", None),
        ("7x", None),
        ("", None),
    ] {
        let request = TestRequest::default().param("project", segment);
        assert_eq!(path_id(&request.to_http_request()), expected, "{segment}");
    }
    assert_eq!(path_id(&TestRequest::default().to_http_request()), None);
}
