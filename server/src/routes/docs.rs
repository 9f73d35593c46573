//! The description of everything that answers here: as a document (OpenAPI 3.1), and as a page that shows it. The page and all that
//! it needs come from the program itself; its policy keeps the browser from asking anybody else.

pub(super) mod openapi;

use super::read_only;
use crate::conditional::{is_known, takes_gzip};
use crate::error::ApiError;
use crate::state::AppState;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, VARY,
};
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use flate2::read::GzDecoder;
use std::io::Read as _;

/// The program that shows a document, and its style: packed when the program was built.
const RENDERER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js.gz"));
const STYLE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui.css.gz"));

/// Starts it. It would ask a host of its own makers to check the document.
const START: &str = "const page = document.getElementById('api');
SwaggerUIBundle({url: page.dataset.document, domNode: page, validatorUrl: null, deepLinking: true});
";

/// The renderer writes styles and pictures into the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const FIVE_MINUTES: &str = "public, max-age=300";
const JAVASCRIPT: &str = "text/javascript";
const CSS: &str = "text/css";

/// Adds the methods of `/openapi.json`.
pub(super) fn register_document(resource: Resource) -> Resource {
    read_only(resource, document)
}

/// Adds the methods of `/docs`.
pub(super) fn register_page(resource: Resource) -> Resource {
    read_only(resource, page)
}

/// Adds the methods of what the page asks for.
pub(super) fn register_part(resource: Resource) -> Resource {
    read_only(resource, part)
}

async fn document(request: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    let document = &state.document;
    let tag = (ETAG, format!("\"{}\"", document.tag()));
    if is_known(request.headers(), document.tag()) {
        return HttpResponse::NotModified()
            .insert_header(tag)
            .insert_header((CACHE_CONTROL, "no-cache"))
            .finish();
    }
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header(tag)
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(document.body())
}

async fn page(request: HttpRequest) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((CACHE_CONTROL, FIVE_MINUTES))
        .body(html(request.path().ends_with('/')))
}

/// Writes the page. What it asks for stands relative to it, so that it works under any base path, and with a slash behind it too.
fn html(is_folder: bool) -> String {
    let (parts, up) = if is_folder {
        ("", "../")
    } else {
        ("docs/", "")
    };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Burgee: HTTP API</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<link rel=\"stylesheet\" href=\"{parts}style.css\">\n\
         <div id=\"api\" data-document=\"{up}openapi.json\"></div>\n\
         <noscript>Without scripts there is <a href=\"{up}openapi.json\">the document</a>.</noscript>\n\
         <script src=\"{parts}renderer.js\"></script>\n<script src=\"{parts}start.js\"></script>\n</html>\n"
    )
}

async fn part(request: HttpRequest, name: web::Path<String>) -> Result<HttpResponse, ApiError> {
    match name.as_str() {
        "renderer.js" => packed(&request, RENDERER, JAVASCRIPT).await,
        "style.css" => packed(&request, STYLE, CSS).await,
        "start.js" => Ok(answer(JAVASCRIPT).body(START)),
        _ => Err(ApiError::NotFound),
    }
}

/// Answers with what is packed, as it is to those who take it so. Hardly any client does not.
async fn packed(
    request: &HttpRequest,
    packed: &'static [u8],
    content_type: &'static str,
) -> Result<HttpResponse, ApiError> {
    let mut response = answer(content_type);
    response.insert_header((VARY, "Accept-Encoding"));
    if takes_gzip(request.headers()) {
        return Ok(response
            .insert_header((CONTENT_ENCODING, "gzip"))
            .body(packed));
    }
    let unpacked = web::block(move || {
        let mut unpacked = Vec::new();
        let read = GzDecoder::new(packed).read_to_end(&mut unpacked);
        read.map(|_length| unpacked)
    });
    let unpacked = unpacked.await.map_err(|_stopped| ApiError::Internal)?;
    Ok(response.body(unpacked.map_err(|_broken| ApiError::Internal)?))
}

fn answer(content_type: &'static str) -> actix_web::HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, content_type))
        .insert_header((CACHE_CONTROL, FIVE_MINUTES));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_asks_for_nothing_from_elsewhere() {
        for is_folder in [false, true] {
            let page = html(is_folder);
            assert!(!page.contains("//"), "{page}");
        }
        assert!(html(false).contains("src=\"docs/renderer.js\""));
        assert!(html(true).contains("src=\"renderer.js\""));
    }
}
