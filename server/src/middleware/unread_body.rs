//! Reads the rest of a body that nobody wanted, if it is small.
//!
//! An answer that leaves a body unread costs the client its connection: the server cannot tell the body from the next request.
//! Refusals would then become a storm of reconnects. So what is left is taken off the wire, within bounds; a larger rest
//! is left, and the connection is closed after the answer.

use actix_web::HttpMessage;
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::http::header::CONTENT_LENGTH;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// The largest rest that is read, in bytes.
const MAX_REST: usize = 64 * 1024;

/// How long the rest may take to arrive.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(250);

/// A look at a request's body from beside its reader. Nothing when the request has none.
pub(super) struct UnreadBody(Option<Rc<Watched>>);

struct Watched {
    payload: RefCell<Payload>,
    declared: Option<usize>,
    read: Cell<usize>,
    ended: Cell<bool>,
}

impl UnreadBody {
    /// Puts itself between a request and its body.
    pub(super) fn watch(request: &mut ServiceRequest) -> Self {
        let payload = request.take_payload();
        if matches!(payload, Payload::None) {
            return Self(None);
        }
        let declared = request.headers().get(CONTENT_LENGTH);
        let watched = Rc::new(Watched {
            payload: RefCell::new(payload),
            declared: declared.and_then(|length| length.to_str().ok()?.parse().ok()),
            read: Cell::new(0),
            ended: Cell::new(false),
        });
        request.set_payload(Payload::Stream {
            payload: Box::pin(Reader(Rc::clone(&watched))),
        });
        Self(Some(watched))
    }

    /// Returns how many bytes were read so far.
    pub(super) fn bytes_read(&self) -> u64 {
        let read = self.0.as_ref().map_or(0, |watched| watched.read.get());
        u64::try_from(read).unwrap_or(u64::MAX)
    }

    /// Reads the rest, if it is no larger than `limit` and 64 KiB, and arrives soon.
    pub(super) async fn drain(&self, limit: usize) {
        let Some(watched) = &self.0 else { return };
        if watched.ended.get() {
            return;
        }
        let enough = watched.read.get() + limit.min(MAX_REST);
        if watched.declared.is_some_and(|length| length > enough) {
            return;
        }
        let mut rest = Reader(Rc::clone(watched));
        let all = async { while watched.read.get() <= enough && rest.next().await.is_some() {} };
        // Too late is as good as too large: the connection is closed.
        let _elapsed = tokio::time::timeout(DRAIN_TIMEOUT, all).await;
    }
}

struct Reader(Rc<Watched>);

impl Stream for Reader {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let watched = &self.0;
        let polled = Pin::new(&mut *watched.payload.borrow_mut()).poll_next(context);
        match &polled {
            Poll::Ready(Some(Ok(bytes))) => watched.read.set(watched.read.get() + bytes.len()),
            // After an error nothing more comes.
            Poll::Ready(Some(Err(_)) | None) => watched.ended.set(true),
            Poll::Pending => {}
        }
        polled
    }
}
