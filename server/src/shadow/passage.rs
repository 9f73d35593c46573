//! Requests that are the upstream's whatever the percentage: passed on piece by piece, both ways, as they come.

use super::Side;
use super::headers;
use super::paths::{PathKind, Target};
use super::startup::Worker;
use super::taken::{Taken, take};
use crate::peer::{Outgoing, PeerFailure, Question};
use actix_web::body::{BodyStream, BoxBody, MessageBody, SizedStream};
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, TRANSFER_ENCODING};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, HeaderMap};
use hyper::{Method, Response};
use std::io;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

/// Passes a request on. Events are kept while they pass, to be copied, if they are short enough.
pub(super) async fn pass(
    worker: &Worker,
    request: &HttpRequest,
    payload: Payload,
    target: Target,
) -> HttpResponse {
    let began = Instant::now();
    let kind = target.kind;
    let mirror = worker.shared.mirror.as_ref();
    let response = match mirror.filter(|_| kind == PathKind::Events) {
        None => stream_on(worker, request, Bytes::new(), payload, &target).await,
        Some(mirror) => {
            let deadline = began + worker.shared.timeouts.passage;
            let limit = worker.shared.body_limit;
            match take(payload, declared(request), limit, deadline).await {
                Taken::Whole(body) => pass_copied(worker, request, body, target).await,
                Taken::Longer { first, rest } => {
                    mirror.too_large();
                    stream_on(worker, request, first, rest, &target).await
                }
                Taken::Lost => Err(lost_body()),
            }
        }
    };
    let side = response.is_ok().then_some(Side::Upstream);
    let response = response.unwrap_or_else(|refusal| refusal);
    let status = response.status().as_u16();
    worker
        .shared
        .metrics
        .answered(kind, side, status, began.elapsed());
    response
}

/// Passes events on, and hands them over to be copied if the upstream has taken them.
async fn pass_copied(
    worker: &Worker,
    request: &HttpRequest,
    body: Bytes,
    target: Target,
) -> Result<HttpResponse, HttpResponse> {
    let question = Question {
        method: method(request),
        target: target.text,
        headers: headers::without_length(headers::onward(request)),
        body,
    };
    let outgoing = Full::new(question.body.clone()).map_err(|never| match never {});
    let begun = worker.upstream.begin(
        question.method.clone(),
        &question.target,
        question.headers.clone(),
        outgoing.boxed_unsync(),
        Instant::now() + worker.shared.timeouts.passage,
    );
    let answer = begun.await.map_err(|failure| refusal(&failure))?;
    if let Some(mirror) = &worker.shared.mirror
        && answer.status().as_u16() < 400
        && question.method != Method::OPTIONS
        && question.method != Method::HEAD
    {
        mirror.offer(question);
    }
    Ok(stream_back(answer, worker))
}

/// Passes a request on as it comes; `first` was read of its body already.
pub(super) async fn stream_on(
    worker: &Worker,
    request: &HttpRequest,
    first: Bytes,
    rest: Payload,
    target: &Target,
) -> Result<HttpResponse, HttpResponse> {
    let begun = worker.upstream.begin(
        method(request),
        &target.text,
        headers::onward(request),
        outgoing(request, first, rest, worker.shared.timeouts.idle),
        Instant::now() + worker.shared.timeouts.passage,
    );
    match begun.await {
        Ok(answer) => Ok(stream_back(answer, worker)),
        Err(failure) => Err(refusal(&failure)),
    }
}

pub(super) fn method(request: &HttpRequest) -> Method {
    // Both crates take the same words.
    Method::from_bytes(request.method().as_str().as_bytes()).unwrap_or(Method::GET)
}

/// Returns the length of a request's body, if it says one.
pub(super) fn declared(request: &HttpRequest) -> Option<u64> {
    let length = request
        .headers()
        .get(actix_web::http::header::CONTENT_LENGTH);
    length.and_then(|value| value.to_str().ok()?.parse().ok())
}

/// Returns the body that goes on: what was read, then what comes.
fn outgoing(request: &HttpRequest, first: Bytes, rest: Payload, idle: Duration) -> Outgoing {
    let has_body = declared(request).is_some_and(|length| length > 0)
        || request.headers().contains_key(TRANSFER_ENCODING);
    if !has_body {
        let nothing = Full::new(Bytes::new()).map_err(|never| match never {});
        return nothing.boxed_unsync();
    }
    // A client's body belongs to this thread and the connection does not, so one piece at a time changes hands.
    let (sender, mut receiver) = mpsc::channel::<io::Result<Bytes>>(1);
    actix_web::rt::spawn(pump(first, rest, sender, idle));
    let pieces = stream::poll_fn(move |context| receiver.poll_recv(context));
    StreamBody::new(pieces.map(|piece| piece.map(Frame::data))).boxed_unsync()
}

/// Ends when the body does, when nobody takes it any more, or with an error, which breaks the request off.
async fn pump(
    first: Bytes,
    mut rest: Payload,
    sender: mpsc::Sender<io::Result<Bytes>>,
    idle: Duration,
) {
    if !first.is_empty() && sender.send(Ok(first)).await.is_err() {
        return;
    }
    loop {
        let piece = tokio::select! {
            piece = timeout(idle, rest.next()) => piece,
            () = sender.closed() => return,
        };
        let piece = match piece {
            Err(_elapsed) => Err(io::Error::from(io::ErrorKind::TimedOut)),
            Ok(None) => return,
            Ok(Some(Ok(bytes))) => Ok(bytes),
            Ok(Some(Err(error))) => Err(io::Error::other(error.to_string())),
        };
        let is_last = piece.is_err();
        if sender.send(piece).await.is_err() || is_last {
            return;
        }
    }
}

/// Returns an answer whose body goes back as it comes.
fn stream_back(answer: Response<Incoming>, worker: &Worker) -> HttpResponse {
    let (parts, body) = answer.into_parts();
    let status = StatusCode::from_u16(parts.status.as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = HttpResponse::build(status);
    headers::back(&parts.headers, &mut response);
    let length = length(&parts.headers);
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        // A stream would get an end of its own, which is a body; a 304 tells the length of what it stands for.
        if let Some(length) = length.filter(|_| status == StatusCode::NOT_MODIFIED) {
            response.insert_header((actix_web::http::header::CONTENT_LENGTH, length));
        }
        return response.finish();
    }
    let ends_at_stop = is_event_stream(&parts.headers);
    let stop = ends_at_stop.then(|| worker.shared.stopping.clone());
    let pieces = pieces(body, worker.shared.timeouts.idle, stop);
    let body = match length {
        Some(length) => SizedStream::new(length, pieces).boxed(),
        None => BodyStream::new(pieces).boxed(),
    };
    response.body::<BoxBody>(body)
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(hyper::header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// Returns the pieces of a body. Streams of events have no end of their own: they get one when the proxy stops, and clients come
/// back.
fn pieces(
    body: Incoming,
    idle: Duration,
    stop: Option<watch::Receiver<bool>>,
) -> impl Stream<Item = io::Result<Bytes>> {
    let state = Some((body, stop));
    stream::unfold(state, move |state| async move {
        let (mut body, mut stop) = state?;
        loop {
            let frame = tokio::select! {
                frame = timeout(idle, body.frame()) => frame,
                () = stopped(&mut stop) => return None,
            };
            let error = match frame {
                Err(_elapsed) => io::Error::from(io::ErrorKind::TimedOut),
                Ok(None) => return None,
                Ok(Some(Err(error))) => io::Error::other(error),
                // Trailers are between the upstream and this proxy.
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) => return Some((Ok(bytes), Some((body, stop)))),
                    Err(_trailers) => continue,
                },
            };
            return Some((Err(error), None));
        }
    })
}

async fn stopped(stop: &mut Option<watch::Receiver<bool>>) {
    match stop {
        // The sender lives as long as the server.
        Some(stop) => drop(stop.wait_for(|is_stopping| *is_stopping).await),
        None => std::future::pending().await,
    }
}

/// Returns the answer to a client whose request could not be asked: 504 for what did not come in time, 502 for anything else.
/// SDKs try again on both (chapter 12).
pub(super) fn refusal(failure: &PeerFailure) -> HttpResponse {
    let mut response = match failure {
        PeerFailure::TimedOut => HttpResponse::GatewayTimeout(),
        _ => HttpResponse::BadGateway(),
    };
    response
        .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
        .body("The service behind this proxy did not answer. Please try again later.")
}

/// Returns the answer to a client whose body did not arrive.
pub(super) fn lost_body() -> HttpResponse {
    HttpResponse::RequestTimeout()
        .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
        .force_close()
        .body("The body did not arrive.")
}
