//! The routes for operations in the OpenAPI document.

use super::super::Route;
use crate::error::{ApiError, JsonError};
use crate::metrics::{OPEN_METRICS, PROMETHEUS_TEXT};
use crate::openapi::{Fault, Operation, Tag};

const TEXT: &str = "text/plain";

/// Describes the method of one of the paths.
pub(in crate::routes) fn describe(route: Route) -> Vec<Operation> {
    let operation = |id: &str| Operation::get(id, Tag::Operations);
    vec![match route {
        Route::Liveness => liveness(operation("liveness")),
        Route::Healthz => liveness(operation("healthz")),
        Route::Livez => liveness(operation("livez")),
        Route::Readiness => readiness(operation("readiness")),
        Route::Readyz => readiness(operation("readyz")),
        Route::Startup => startup(operation("startup")),
        Route::Metrics => metrics(operation("metrics")),
        _ => operation("index")
            .about("What this is", "Tells a visitor what answers here.")
            .answers_text(
                200,
                "A sentence.",
                TEXT,
                "Burgee evaluates feature flags: POST /flags.",
            ),
    }]
}

fn liveness(operation: Operation) -> Operation {
    operation
        .about(
            "Does the process live",
            "Depends on nothing else: a lost database never gets the process restarted.",
        )
        .answers_text(200, "It does.", TEXT, "alive")
}

fn readiness(operation: Operation) -> Operation {
    operation
        .about(
            "Can flags be served",
            "Also from definitions that are no longer current, which is then said.",
        )
        .answers_text(200, "They can.", TEXT, "ready")
        .answers_text(
            503,
            "They cannot, and why.",
            TEXT,
            "the definitions have not been loaded yet",
        )
}

fn startup(operation: Operation) -> Operation {
    operation
        .about("Is the first load over", "Nothing is served before.")
        .answers_text(200, "It is.", TEXT, "started")
        .answers_text(503, "It is not.", TEXT, "starting")
}

fn metrics(operation: Operation) -> Operation {
    let example = "# TYPE burgee_http_requests_in_flight gauge\nburgee_http_requests_in_flight 1\n";
    let essence = |content_type: &'static str| content_type.split(';').next().unwrap_or_default();
    operation
        .about(
            "Everything that is counted",
            "In the text format of Prometheus, or in OpenMetrics where `Accept` names it. It may be served on an address of its own \
             instead.",
        )
        .answers_text(200, "The metrics.", essence(PROMETHEUS_TEXT), example)
        .answers_text(200, "The metrics.", essence(OPEN_METRICS), example)
        .fails::<JsonError>([Fault::api("internal", &ApiError::Internal)])
}
