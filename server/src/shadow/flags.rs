//! Requests for flags: whose turn it is, the other side when that one fails, and what is handed over to be done beside the answer.

use super::Side;
use super::compare::{MAX_ANSWER, Served};
use super::headers;
use super::passage::{declared, lost_body, method, refusal, stream_on};
use super::paths::Target;
use super::record;
use super::share::mark;
use super::startup::{Shared, Worker};
use super::taken::{Taken, take};
use super::token;
use crate::comparison::Answer;
use crate::peer::{Exchanged, PeerFailure, Question};
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use hyper::Method;
use tokio::time::Instant;

/// Says in an answer which side it is of.
const SIDE: HeaderName = HeaderName::from_static("x-burgee-shadow-side");

/// Answers a request for flags.
pub(super) async fn answer(
    worker: &Worker,
    request: &HttpRequest,
    payload: Payload,
    target: Target,
) -> HttpResponse {
    let began = Instant::now();
    let (kind, metrics) = (target.kind, &worker.shared.metrics);
    let answered = respond(worker, request, payload, target).await;
    let (side, response) = match answered {
        Ok((side, response)) => (Some(side), response),
        Err(response) => (None, response),
    };
    metrics.answered(kind, side, response.status().as_u16(), began.elapsed());
    response
}

async fn respond(
    worker: &Worker,
    request: &HttpRequest,
    payload: Payload,
    target: Target,
) -> Result<(Side, HttpResponse), HttpResponse> {
    let shared = &worker.shared;
    let deadline = Instant::now() + shared.timeouts.passage;
    let body = match take(payload, declared(request), shared.body_limit, deadline).await {
        Taken::Whole(body) => body,
        Taken::Longer { first, rest } => {
            let passed = stream_on(worker, request, first, rest, &target).await?;
            return Ok((Side::Upstream, passed));
        }
        Taken::Lost => return Err(lost_body()),
    };
    // Only now: a body that comes slowly takes nobody's place.
    let Ok(_place) = shared.places.try_acquire() else {
        shared.metrics.refused();
        return Err(too_many());
    };
    let _under_way = shared.metrics.enter();
    let question = question(request, target, body);
    let token = find_token(shared, request, &question).await;
    if let Some(recorder) = shared.recorder.as_ref().filter(|_| is_evaluated(&question)) {
        recorder.offer(record::line(&question));
    }
    let turn = shared.split.turn(token.as_deref());
    let asked = ask(worker, &question, turn).await;
    let response = match &asked.answer {
        Ok((side, exchanged)) => Ok((*side, write(*side, exchanged))),
        Err(failure) => Err(refusal(failure)),
    };
    hand_over(shared, question, asked, token);
    response
}

fn question(request: &HttpRequest, target: Target, body: Bytes) -> Question {
    Question {
        method: method(request),
        target: target.text,
        headers: headers::without_length(headers::onward(request)),
        body,
    }
}

async fn find_token(shared: &Shared, request: &HttpRequest, question: &Question) -> Option<String> {
    let deadline = std::time::Instant::now() + shared.timeouts.burgee;
    let (query, headers) = (request.query_string(), &question.headers);
    token::find(query, headers, &question.body, &shared.decoders, deadline).await
}

/// What came of asking.
struct Asked {
    /// The answer that is served and whose it is, or the failure of the side whose turn it was.
    answer: Result<(Side, Exchanged), PeerFailure>,
    /// What the side whose turn it was said, where the other one is served instead.
    passed_over: Option<Answer>,
}

/// Asks the side whose turn it is, and the other one if that fails and helps.
async fn ask(worker: &Worker, question: &Question, turn: Side) -> Asked {
    let shared = &worker.shared;
    let first = ask_one(worker, question, turn).await;
    if let Some(fault) = fault(turn, &first).filter(|_| shared.fallback) {
        let second = ask_one(worker, question, turn.other()).await;
        // A refusal by the other side is no answer to a failure: who hears 401 in an outage forgets the flags it has.
        let second = second.ok().filter(|answer| answer.status < 400);
        shared.metrics.fell_back(turn, fault, second.is_some());
        if let Some(second) = second {
            let passed_over = match &first {
                Ok(answer) => Answer::Refused(answer.status),
                Err(failure) => Answer::Failed(failure.label()),
            };
            return Asked {
                answer: Ok((turn.other(), second)),
                passed_over: Some(passed_over),
            };
        }
    }
    Asked {
        answer: first.map(|answer| (turn, answer)),
        passed_over: None,
    }
}

async fn ask_one(
    worker: &Worker,
    question: &Question,
    side: Side,
) -> Result<Exchanged, PeerFailure> {
    let shared = &worker.shared;
    let began = Instant::now();
    let deadline = began + shared.timeouts.of(side);
    let peer = match side {
        Side::Burgee => &worker.burgee,
        Side::Upstream => &worker.upstream,
    };
    let answer = peer.exchange(question, deadline, MAX_ANSWER).await;
    shared
        .metrics
        .asked(side, fault(side, &answer), began.elapsed());
    answer
}

/// Returns what is wrong with an answer, if the other side may know better.
fn fault(side: Side, answer: &Result<Exchanged, PeerFailure>) -> Option<&'static str> {
    match answer {
        Err(failure) => Some(failure.label()),
        Ok(answer) if answer.status >= 500 => Some("status_5xx"),
        // The project was not brought over yet.
        Ok(answer) if answer.status == 401 && side == Side::Burgee => Some("unknown_token"),
        Ok(_) => None,
    }
}

/// Hands what was served over to be compared.
fn hand_over(shared: &Shared, question: Question, asked: Asked, token: Option<String>) {
    let (Some(comparer), Ok((side, exchanged))) = (&shared.comparer, asked.answer) else {
        return;
    };
    if is_evaluated(&question) {
        comparer.offer(Served {
            question,
            side,
            exchanged,
            other: asked.passed_over,
            project: token.as_deref().map(mark),
        });
    }
}

/// Returns whether a request asks for an evaluation; the others are answered without one.
fn is_evaluated(question: &Question) -> bool {
    question.method == Method::POST
}

fn write(side: Side, exchanged: &Exchanged) -> HttpResponse {
    let status = StatusCode::from_u16(exchanged.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = HttpResponse::build(status);
    headers::back(&exchanged.headers, &mut response);
    response.insert_header((SIDE, side.name()));
    response.body(exchanged.body.clone())
}

fn too_many() -> HttpResponse {
    HttpResponse::ServiceUnavailable()
        .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
        .insert_header((RETRY_AFTER, "1"))
        .body("Too many requests are under way. Please try again later.")
}
