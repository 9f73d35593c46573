//! Takes a body off the wire: no more than the limit, and no longer than the deadline.

use super::{BodyError, BodyLimits};
use actix_web::error::PayloadError;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};

/// A declared length is trusted with this much memory, in bytes; more must arrive first.
const MAX_RESERVED: usize = 256 * 1024;

/// Reads a whole body. `declared` is its `Content-Length`, if it has one.
pub async fn read(
    stream: impl Stream<Item = Result<Bytes, PayloadError>> + Unpin,
    declared: Option<usize>,
    limits: &BodyLimits,
) -> Result<Bytes, BodyError> {
    let limit = limits.received;
    if declared.is_some_and(|length| length > limit) {
        return Err(BodyError::TooLarge { limit });
    }
    tokio::time::timeout(limits.timeout, collect(stream, declared, limit))
        .await
        .unwrap_or(Err(BodyError::TimedOut))
}

async fn collect(
    mut stream: impl Stream<Item = Result<Bytes, PayloadError>> + Unpin,
    declared: Option<usize>,
    limit: usize,
) -> Result<Bytes, BodyError> {
    let Some(first) = next(&mut stream).await? else {
        return Ok(Bytes::new());
    };
    // Most bodies arrive in one piece, and are then not copied.
    if first.len() > limit {
        return Err(BodyError::TooLarge { limit });
    }
    let Some(second) = next(&mut stream).await? else {
        return Ok(first);
    };
    let mut body = BytesMut::with_capacity(declared.map_or(0, |length| length.min(MAX_RESERVED)));
    body.extend_from_slice(&first);
    let mut piece = Some(second);
    while let Some(bytes) = piece {
        if body.len() + bytes.len() > limit {
            return Err(BodyError::TooLarge { limit });
        }
        body.extend_from_slice(&bytes);
        piece = next(&mut stream).await?;
    }
    Ok(body.freeze())
}

async fn next(
    stream: &mut (impl Stream<Item = Result<Bytes, PayloadError>> + Unpin),
) -> Result<Option<Bytes>, BodyError> {
    match stream.next().await {
        None => Ok(None),
        Some(Ok(bytes)) => Ok(Some(bytes)),
        Some(Err(_)) => Err(BodyError::Incomplete),
    }
}
