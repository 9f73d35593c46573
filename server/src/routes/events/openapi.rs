//! The event endpoints in the OpenAPI document.

use super::super::Route;
use super::super::events_v1::Answer;
use crate::body::BodyError;
use crate::error::{CaptureError, JsonError, Tagged};
use crate::events::MAX_EVENTS;
use crate::events::openapi::{Dropped, EventsBody, NumberedEventsBody, Taken};
use crate::openapi::{Credential, Fault, Operation, Tag, header, needed_query, query, schemas};
use crate::routes::faults;
use serde_json::{Value, json};
use std::time::Duration;
use utoipa::openapi::schema::ObjectBuilder;

/// `{"event": "$set", "distinct_id": "ada", "token": "phc_local_dev", "$set": {"plan": "pro"}}` in base64.
const PACKED: &str = "eyJldmVudCI6ICIkc2V0IiwgImRpc3RpbmN0X2lkIjogImFkYSIsICJ0b2tlbiI6ICJwaGNfbG9jYWxfZGV2IiwgIiRzZXQiOiB7InBsYW4iOiAicHJvIn19";

/// Describes the methods of one of the paths.
pub(in crate::routes) fn describe(route: Route) -> Vec<Operation> {
    let (id, summary) = match route {
        Route::Batch => ("batch", "Events of most SDKs"),
        Route::Events => ("events", "Events of browsers"),
        Route::EventsV0 => ("events_v0", "Events of browsers"),
        Route::Capture => ("capture", "Events, under an older name"),
        Route::Track => ("track", "Events, under an older name"),
        Route::Engage => ("engage", "Events, under an older name"),
        Route::AiBatch => (
            "ai_batch",
            "Events about language models, which are dropped",
        ),
        Route::EventsV1 => return vec![numbered("events_v1", "Events, answered one by one")],
        Route::AiEventsV1 => {
            let about = "Events about language models, which are dropped";
            return vec![numbered("ai_events_v1", about)];
        }
        Route::Recordings => return vec![dropped("recordings", "Recordings, which are dropped")],
        Route::ClientLogs => return vec![dropped("client_logs", "Logs, which are dropped")],
        Route::ClientMetrics => {
            return vec![dropped("client_metrics", "Metrics, which are dropped")];
        }
        _ => return vec![dropped("client_traces", "Traces, which are dropped")],
    };
    let mut operations = vec![plain(id, summary)];
    if route.takes_events_by_get() {
        operations.push(in_query(&format!("{id}_in_query")));
    }
    operations
}

const ABOUT: &str = "Events that set properties of persons and groups, or join ids, are stored before the answer, unless the server \
    was told otherwise; reads of flags are counted; all others are dropped. An event whose uuid was taken before is not taken again.";

fn plain(id: &str, summary: &str) -> Operation {
    let form = ObjectBuilder::new().property("data", schemas::packed_json());
    Operation::post(id, Tag::Events)
        .about(summary, ABOUT)
        .parameters([
            query(
                "compression",
                schemas::words(&["gzip", "gzip-js", "base64"]),
                "How the body is packed. Gzip is also known by `Content-Encoding` and by its first bytes.",
            ),
            beacon(),
        ])
        .takes::<EventsBody>(&["application/json", "text/plain"], &batch_example())
        .takes_also(
            "application/x-www-form-urlencoded",
            form.required("data"),
            json!({"data": PACKED}),
        )
        .body_about(
            "JSON, also packed with gzip or as base64, whatever the content type says; in a form, `data` is base64 of JSON.",
        )
        .answers::<Taken>(200, "The events were taken.", json!({"status": "Ok"}))
        .answers_nothing(204, "The events of a beacon were taken.")
        .fails::<JsonError>(faults::of_any())
        .fails::<JsonError>(plain_faults(faults::broken_bodies()))
        .fails::<JsonError>([
            Fault::events(
                "unsupported_compression",
                &CaptureError::Body(BodyError::UnsupportedCompression),
            ),
            Fault::events("too_many_events", &too_many()),
        ])
}

fn in_query(id: &str) -> Operation {
    Operation::get(id, Tag::Events)
        .about(
            "Events in the query",
            "What older browsers send. The same as in a form.",
        )
        .parameters([
            needed_query(
                "data",
                schemas::packed_json(),
                "Events: base64 of JSON.",
                PACKED,
            ),
            beacon(),
        ])
        .answers::<Taken>(200, "The events were taken.", json!({"status": "Ok"}))
        .answers_nothing(204, "The events of a beacon were taken.")
        .fails::<JsonError>(faults::of_any())
        .fails::<JsonError>(plain_faults(vec![
            ("invalid_form", BodyError::InvalidJsonStructure),
            ("too_deep", BodyError::TooDeep),
        ]))
}

fn beacon() -> utoipa::openapi::path::Parameter {
    let about = "1 for a page that is left and wants no content.";
    query("beacon", schemas::words(&["0", "1"]), about)
}

fn plain_faults(bodies: Vec<(&'static str, BodyError)>) -> Vec<Fault> {
    let bodies = bodies
        .into_iter()
        .map(|(name, error)| (name, CaptureError::Body(error)));
    let others = [
        ("no_events", CaptureError::NoEvents),
        ("no_name", CaptureError::NoName),
        ("no_distinct_id", CaptureError::NoDistinctId),
        ("no_token", CaptureError::NoToken),
        ("different_tokens", CaptureError::DifferentTokens),
        ("unknown_token", CaptureError::UnknownToken),
        ("rate_limited", rate_limited()),
        ("unavailable", CaptureError::Unavailable),
    ];
    let all = bodies.chain(others);
    all.map(|(name, error)| Fault::events(name, &error))
        .collect()
}

fn too_many() -> CaptureError {
    CaptureError::Body(BodyError::TooManyEntries {
        member: "batch",
        limit: MAX_EVENTS,
    })
}

fn numbered(id: &str, summary: &str) -> Operation {
    let encodings = schemas::words(&["identity", "gzip", "deflate", "br", "zstd"]);
    let request_id = "Names the request over all its repetitions; it is sent back.";
    Operation::post(id, Tag::Events)
        .about(summary, ABOUT)
        .secured(&[Credential::ProjectToken])
        .parameters([
            header("Content-Encoding", encodings, "How the body is packed."),
            header("PostHog-Request-Id", schemas::text(), request_id),
        ])
        .takes::<NumberedEventsBody>(&["application/json"], &numbered_example())
        .answers::<Answer>(
            200,
            "What became of each event.",
            json!({"results": {"0197f3c0-6d1f-7a10-8a3e-2f3f4a5b6c7d": {"result": "ok"}}}),
        )
        .with_header(
            200,
            "Retry-After",
            "When to send those again that are to be, in seconds.",
        )
        .fails::<JsonError>(faults::of_any())
        .fails::<Tagged>(numbered_faults())
}

fn numbered_faults() -> Vec<Fault> {
    let forms = ["packed_form", "broken_gzip"];
    let bodies = faults::broken_bodies().into_iter();
    let bodies = bodies.filter(|(name, _)| !forms.contains(name));
    let bodies = bodies.map(|(name, error)| (name, CaptureError::Body(error)));
    let packed = BodyError::Packed {
        encoding: "gzip",
        why: "invalid gzip header".to_owned(),
    };
    let unsupported = BodyError::UnsupportedEncoding("lzma".to_owned());
    let others = [
        ("unpackable", CaptureError::Body(packed)),
        ("unsupported_encoding", CaptureError::Body(unsupported)),
        ("too_many_events", too_many()),
        ("no_events", CaptureError::NoEvents),
        ("no_token", CaptureError::NoToken),
        ("unknown_token", CaptureError::UnknownToken),
        ("rate_limited", rate_limited()),
        ("unavailable", CaptureError::Unavailable),
        ("timed_out", CaptureError::TimedOut),
    ];
    let all = bodies.chain(others);
    all.map(|(name, error)| Fault::events_v1(name, &error))
        .collect()
}

fn dropped(id: &str, summary: &str) -> Operation {
    Operation::post(id, Tag::Events)
        .about(
            summary,
            "So that clients do not send it again. The body is not looked at.",
        )
        .answers::<Dropped>(200, "It was dropped.", json!({}))
        .fails::<JsonError>(faults::of_any())
}

fn batch_example() -> Value {
    json!({"api_key": "phc_local_dev", "batch": [{
        "event": "$set", "distinct_id": "ada", "uuid": "0197f3c0-6d1f-7a10-8a3e-2f3f4a5b6c7d",
        "properties": {"$set": {"plan": "enterprise"}},
    }]})
}

fn numbered_example() -> Value {
    json!({"batch": [{
        "event": "$set", "uuid": "0197f3c0-6d1f-7a10-8a3e-2f3f4a5b6c7d", "distinct_id": "ada",
        "timestamp": "2026-01-05T09:00:00Z", "properties": {"$set": {"plan": "enterprise"}}, "options": {},
    }]})
}

const fn rate_limited() -> CaptureError {
    CaptureError::RateLimited {
        retry_after: Duration::from_secs(1),
    }
}
