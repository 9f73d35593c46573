//! Unpacks gzip up to a limit; what is beyond it is never unpacked.

use super::BodyError;
use flate2::read::MultiGzDecoder;
use std::io::Read;

/// The first bytes of every gzip stream. posthog-js gives no other sign of it.
pub(super) const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// JSON usually packs about this well; only a first guess for the buffer.
const USUAL_RATIO: usize = 4;

/// Unpacks `raw`, which may consist of several members, to at most `limit` bytes.
pub(super) fn gunzip(raw: &[u8], limit: usize) -> Result<Vec<u8>, BodyError> {
    let mut unpacked = Vec::with_capacity(raw.len().saturating_mul(USUAL_RATIO).min(limit));
    // One byte more than allowed tells a body of exactly the limit from a longer one.
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(raw)
        .take(bound)
        .read_to_end(&mut unpacked)
        .map_err(|error| BodyError::Gzip(error.to_string()))?;
    if unpacked.len() > limit {
        return Err(BodyError::DecompressedTooLarge {
            limit,
            got: unpacked.len(),
        });
    }
    Ok(unpacked)
}
