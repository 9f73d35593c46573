//! The address for operators: health, metrics, the report, and the percentage, which only this machine may change.

use super::startup::Shared;
use crate::metrics::{OPEN_METRICS, PROMETHEUS_TEXT, open_metrics, prometheus_text};
use actix_web::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ORIGIN};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use serde_json::json;
use std::sync::Arc;

/// The longest percentage that is read, in bytes.
const MAX_PERCENT: usize = 64;

/// Registers everything that is served there.
pub(super) fn configure(config: &mut web::ServiceConfig) {
    for path in ["/_liveness", "/livez", "/healthz"] {
        config.route(path, web::get().to(liveness));
    }
    for path in ["/_readiness", "/readyz"] {
        config.route(path, web::get().to(readiness));
    }
    config
        .route("/metrics", web::get().to(metrics))
        .route("/report", web::get().to(report))
        .service(
            web::resource("/percent")
                .app_data(web::PayloadConfig::new(MAX_PERCENT))
                .route(web::get().to(percent))
                .route(web::put().to(set_percent)),
        );
}

async fn liveness() -> HttpResponse {
    plain(HttpResponse::Ok(), "alive")
}

/// Says whether requests are taken. The sides are not asked: with one of them away the other one serves.
async fn readiness(shared: web::Data<Arc<Shared>>) -> HttpResponse {
    if *shared.stopping.borrow() {
        return plain(HttpResponse::ServiceUnavailable(), "stopping");
    }
    plain(HttpResponse::Ok(), "ready")
}

async fn metrics(request: HttpRequest, shared: web::Data<Arc<Shared>>) -> HttpResponse {
    let (text, content_type) = if accepts(&request, "application/openmetrics-text") {
        (open_metrics(&shared.registry), OPEN_METRICS)
    } else {
        (prometheus_text(&shared.registry), PROMETHEUS_TEXT)
    };
    match text {
        Ok(text) => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, content_type))
            .body(text),
        Err(_unwritable) => HttpResponse::InternalServerError().finish(),
    }
}

/// Shows what the comparisons came to: JSON, or text for who asks for it (`Accept: text/plain`, `?format=text`).
async fn report(request: HttpRequest, shared: web::Data<Arc<Shared>>) -> HttpResponse {
    let wants_text = match request.query_string() {
        "format=text" => true,
        "format=json" => false,
        _ => accepts(&request, "text/plain"),
    };
    if wants_text {
        return plain(HttpResponse::Ok(), shared.report_text());
    }
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(shared.report())
}

async fn percent(shared: web::Data<Arc<Shared>>) -> HttpResponse {
    HttpResponse::Ok().json(json!({"percent": shared.split.percent().value()}))
}

/// Changes the percentage. Whoever is on this machine may; a page in a browser, which says where it comes from, may not.
async fn set_percent(
    request: HttpRequest,
    body: String,
    shared: web::Data<Arc<Shared>>,
) -> HttpResponse {
    let peer = request.peer_addr().map(|peer| peer.ip().to_canonical());
    let is_local = peer.is_some_and(|peer| peer.is_loopback());
    if !is_local || request.headers().contains_key(ORIGIN) {
        let message = "the percentage is changed from the proxy's own machine only\n";
        return plain(HttpResponse::Forbidden(), message);
    }
    match body.parse() {
        Ok(percent) => {
            let before = shared.split.percent();
            shared.set_percent(percent);
            tracing::info!(%before, now = %percent, "the percentage is changed");
            HttpResponse::Ok().json(json!({"percent": percent.value()}))
        }
        Err(wrong) => plain(HttpResponse::BadRequest(), format!("{wrong}\n")),
    }
}

fn accepts(request: &HttpRequest, kind: &str) -> bool {
    let accepted = request.headers().get(ACCEPT);
    let accepted = accepted.and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains(kind))
}

fn plain(mut response: HttpResponseBuilder, text: impl Into<String>) -> HttpResponse {
    response
        .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(text.into())
}
