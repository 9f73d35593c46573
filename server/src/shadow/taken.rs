//! Takes a request's body off the wire to look into it, or leaves it a stream when it is too long for that.

use actix_web::error::PayloadError;
use actix_web::web::Payload;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};

/// What was taken.
pub(super) enum Taken {
    /// All of it.
    Whole(Bytes),
    /// The beginning; the rest is longer than the limit.
    Longer {
        /// What was read.
        first: Bytes,
        /// What was not.
        rest: Payload,
    },
    /// It broke off or did not come in time.
    Lost,
}

/// Takes up to `limit` bytes, all of them before the deadline. `declared` is the body's length, if it was told.
pub(super) async fn take(
    mut payload: Payload,
    declared: Option<u64>,
    limit: usize,
    deadline: Instant,
) -> Taken {
    let limit_told = u64::try_from(limit).unwrap_or(u64::MAX);
    if declared.is_some_and(|length| length > limit_told) {
        let first = Bytes::new();
        return Taken::Longer {
            first,
            rest: payload,
        };
    }
    let mut whole = BytesMut::new();
    loop {
        let piece: Option<Result<Bytes, PayloadError>> =
            match timeout_at(deadline, payload.next()).await {
                Ok(piece) => piece,
                Err(_elapsed) => return Taken::Lost,
            };
        match piece {
            None => return Taken::Whole(whole.freeze()),
            Some(Ok(bytes)) => whole.extend_from_slice(&bytes),
            Some(Err(_)) => return Taken::Lost,
        }
        if whole.len() > limit {
            return Taken::Longer {
                first: whole.freeze(),
                rest: payload,
            };
        }
    }
}
