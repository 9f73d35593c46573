//! Whether the process lives, whether it can serve flags, whether it has started (chapter 10).

pub(super) mod openapi;

use super::plain;
use crate::state::AppState;
use actix_web::{HttpResponse, web};
use burgee_actors::Readiness;

/// Says that the process answers; depends on nothing, so that a lost database never gets it restarted.
pub(super) async fn liveness() -> HttpResponse {
    plain(HttpResponse::Ok(), "alive")
}

/// Says whether flags can be served and requests should be sent here, and if not, why.
pub(super) async fn readiness(state: web::Data<AppState>) -> HttpResponse {
    if let Some(objection) = state.edge.lifecycle.objection() {
        return plain(HttpResponse::ServiceUnavailable(), objection);
    }
    match state.system.readiness() {
        Readiness::Ready => plain(HttpResponse::Ok(), "ready"),
        Readiness::Stale { age } => {
            let age = age.as_secs();
            let text = format!(
                "ready, but the definitions are stale: they were last known to be current {age} s ago"
            );
            plain(HttpResponse::Ok(), text)
        }
        Readiness::NotReady(why) => plain(HttpResponse::ServiceUnavailable(), why),
    }
}

/// Says whether the first load is over.
pub(super) async fn startup(state: web::Data<AppState>) -> HttpResponse {
    if state.system.started() && !state.edge.lifecycle.is_starting() {
        plain(HttpResponse::Ok(), "started")
    } else {
        plain(HttpResponse::ServiceUnavailable(), "starting")
    }
}
