//! The root: tells a visitor what answers here.

use super::plain;
use actix_web::HttpResponse;

/// Returns the one sentence.
pub(super) async fn show() -> HttpResponse {
    plain(
        HttpResponse::Ok(),
        "Burgee evaluates feature flags: POST /flags. Its state is at /_readiness, its counters are at /metrics.\n",
    )
}
