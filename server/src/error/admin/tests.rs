use super::*;
use actix_web::body::MessageBody;

fn line(error: &AdminError) -> String {
    let response = error.error_response();
    assert_eq!(response.status(), error.status_code());
    assert_eq!(response.headers().get(CACHE_CONTROL).unwrap(), "no-store");
    assert_eq!(
        response.headers().get("content-type").unwrap(),
        "application/json"
    );
    let allow = response.headers().get(ALLOW);
    let allow = allow
        .map_or("-", |allow| allow.to_str().unwrap())
        .to_owned();
    let status = response.status().as_u16();
    let body = response.into_body().try_into_bytes().unwrap();
    format!(
        "{status} {allow} {}",
        String::from_utf8(body.to_vec()).unwrap()
    )
}

#[test]
fn every_error_has_its_status_and_text() {
    let cases = [
        (
            Invalid::new("key", "required", "This field is required.").into(),
            r#"400 - {"type":"validation_error","code":"required","detail":"This field is required.","attr":"key"}"#,
        ),
        (
            Invalid::parse("expected a value").into(),
            r#"400 - {"type":"validation_error","code":"parse_error","detail":"JSON parse error - expected a value","attr":null}"#,
        ),
        (
            AdminError::MethodNotAllowed {
                method: "DELETE".into(),
                allow: "GET, PATCH",
            },
            r#"405 GET, PATCH {"type":"invalid_request","code":"method_not_allowed","detail":"Method \"DELETE\" not allowed.","attr":null}"#,
        ),
        (
            AdminError::NOT_FOUND,
            r#"404 - {"type":"invalid_request","code":"not_found","detail":"Not found.","attr":null}"#,
        ),
        (
            AdminError::UploadTooLarge { limit: 9 },
            r#"413 - {"type":"invalid_request","code":"too_large","detail":"The upload is larger than 9 bytes.","attr":null}"#,
        ),
    ];
    for (error, expected) in cases {
        assert_eq!(line(&error), expected);
    }
    let conflict = line(&AdminError::Conflict);
    assert!(conflict.starts_with(r#"409 - {"type":"server_error","code":"error","detail":"#));
    let timed_out = line(&StoreError::StatementTimeout.into());
    assert!(timed_out.starts_with(r#"503 - {"type":"server_error","code":"error""#));
}

#[test]
fn who_asks_too_much_is_told_when_to_come_back() {
    let response = AdminError::busy().error_response();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers().get("retry-after").unwrap(), "1");
}
