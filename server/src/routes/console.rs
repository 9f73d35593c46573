//! `/console/`: the live page, its files, and the stream of what it shows. The page itself is for anybody and holds nothing; the
//! stream wants a personal key with the scope `console:read`.

use super::passage::Passage;
use super::read_only;
use crate::conditional::is_known;
use crate::console::assets::Assets;
use crate::credential::{Action, Presented, Resource as Scope};
use crate::error::ApiError;
use crate::state::AppState;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::{HttpRequest, HttpResponse, Resource, ResponseError, web};
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Its own files alone; no form of it is ever sent, and no other page may show it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

const FOR_GOOD: &str = "public, max-age=31536000, immutable";
const REVALIDATE: &str = "no-cache";

/// When to try again after there was no place.
const NO_PLACE_RETRY: Duration = Duration::from_secs(30);

/// Adds the methods of the page.
pub(super) fn register_page(resource: Resource) -> Resource {
    read_only(resource, page)
}

/// Adds the methods of its files.
pub(super) fn register_asset(resource: Resource) -> Resource {
    read_only(resource, asset)
}

/// Adds the method of its stream.
pub(super) fn register_stream(resource: Resource) -> Resource {
    resource.route(web::get().to(stream))
}

async fn page(request: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    let assets = &state.edge.console.assets;
    let mut response = if is_known(request.headers(), &assets.tag) {
        HttpResponse::NotModified().finish()
    } else {
        HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
            .body(assets.page(request.path()))
    };
    tag(response.headers_mut(), &assets.tag, REVALIDATE);
    secure(response)
}

async fn asset(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    state: web::Data<AppState>,
) -> HttpResponse {
    let (wanted, name) = path.into_inner();
    let Some(asset) = Assets::file(&name) else {
        return secure(ApiError::NotFound.error_response());
    };
    let tag_now = &state.edge.console.assets.tag;
    let mut response = if is_known(request.headers(), tag_now) {
        HttpResponse::NotModified().finish()
    } else {
        HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, asset.content_type))
            .body(asset.content)
    };
    // The page may come from another version of the server, while all of them are being replaced.
    let caching = if wanted == *tag_now {
        FOR_GOOD
    } else {
        REVALIDATE
    };
    tag(response.headers_mut(), tag_now, caching);
    secure(response)
}

async fn stream(request: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    let opened = open(&request, &state).await;
    secure(opened.unwrap_or_else(|error| error.error_response()))
}

async fn open(
    request: &HttpRequest,
    state: &web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let mut passage = Passage::begin(state, request);
    passage.of_address()?;
    let holder = Rc::new(Holder {
        state: web::Data::clone(state),
        headers: request.headers().clone(),
        // Before the key is looked up: what changes meanwhile is looked at again.
        checked: Cell::new(state.system.keys_revision().current()),
    });
    holder.check().await?;
    let may_still_watch = move || {
        let holder = Rc::clone(&holder);
        async move { holder.may_still_watch().await }
    };
    let watch = state
        .edge
        .console
        .watch(state.edge.streams.stopping(), may_still_watch);
    watch.map_err(|_no_place| ApiError::Busy {
        waited: Duration::ZERO,
        retry_after: NO_PLACE_RETRY,
        status: state.edge.config.overload_status,
    })
}

/// Somebody who watches with a key, for as long as the key is good.
struct Holder {
    state: web::Data<AppState>,
    headers: HeaderMap,
    /// Which state of all keys this one was found in.
    checked: Cell<u64>,
}

impl Holder {
    async fn check(&self) -> Result<(), ApiError> {
        let deadline = Instant::now() + self.state.edge.config.request_timeout;
        let presented = Presented::bearer(&self.headers);
        let key = self.state.credentials.key(presented, deadline).await?;
        // A key belongs to a project, the instance to none: any project's will do.
        key.require(key.project(), Scope::Console, Action::Read)?;
        Ok(())
    }

    /// Checks the key again after keys have changed. One that cannot be checked is not called wrong.
    async fn may_still_watch(&self) -> bool {
        let revision = self.state.system.keys_revision().current();
        if revision == self.checked.get() {
            return true;
        }
        match self.check().await {
            Ok(()) => {
                self.checked.set(revision);
                true
            }
            Err(error) => !error.status_code().is_client_error(),
        }
    }
}

fn tag(headers: &mut HeaderMap, tag: &str, caching: &'static str) {
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{tag}\"")) {
        headers.insert(ETAG, tag);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
}

/// Adds what keeps a browser from doing with it what it is not for.
fn secure(mut response: HttpResponse) -> HttpResponse {
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (OPENER_POLICY, "same-origin"),
        (RESOURCE_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
