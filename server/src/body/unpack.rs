//! Undoes one of the encodings that `Content-Encoding` may name, up to a limit.

use super::{BodyError, MAX_ECHO, gunzip};
use flate2::read::ZlibDecoder;
use std::borrow::Cow;
use std::io::{self, Read};

/// JSON usually packs about this well; only a first guess for the buffer.
const USUAL_RATIO: usize = 4;

/// The window that a zstd body may ask for, as a power of two in bytes: what the format calls for decoders to support.
const MAX_WINDOW_LOG: u32 = 23;

/// Read at once from a brotli body, in bytes.
const BROTLI_BUFFER: usize = 16 * 1024;

/// An encoding of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// None.
    Identity,
    /// `gzip`.
    Gzip,
    /// `deflate`: zlib.
    Deflate,
    /// `br`.
    Brotli,
    /// `zstd`.
    Zstd,
}

impl Encoding {
    /// Reads the header's value; empty means none.
    pub(super) fn of(value: &str) -> Result<Self, BodyError> {
        let value = value.trim().to_ascii_lowercase();
        match value.as_str() {
            "" | "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "deflate" => Ok(Self::Deflate),
            "br" => Ok(Self::Brotli),
            "zstd" => Ok(Self::Zstd),
            other => {
                let shortened = other.chars().take(MAX_ECHO).collect();
                Err(BodyError::UnsupportedEncoding(shortened))
            }
        }
    }
}

/// Unpacks to at most `limit` bytes.
pub(super) fn unpack(
    raw: &[u8],
    encoding: Encoding,
    limit: usize,
) -> Result<Cow<'_, [u8]>, BodyError> {
    let unpacked = match encoding {
        Encoding::Identity => return Ok(raw.into()),
        Encoding::Gzip => gunzip::gunzip(raw, limit)?,
        Encoding::Deflate => read("deflate", raw.len(), limit, ZlibDecoder::new(raw))?,
        Encoding::Brotli => {
            let decoder = brotli_decompressor::Decompressor::new(raw, BROTLI_BUFFER);
            read("br", raw.len(), limit, decoder)?
        }
        Encoding::Zstd => read(
            "zstd",
            raw.len(),
            limit,
            zstd(raw).map_err(|e| broken("zstd", &e))?,
        )?,
    };
    Ok(unpacked.into())
}

fn zstd(raw: &[u8]) -> io::Result<impl Read + '_> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(raw)?;
    decoder.window_log_max(MAX_WINDOW_LOG)?;
    Ok(decoder)
}

fn read(
    encoding: &'static str,
    packed: usize,
    limit: usize,
    decoder: impl Read,
) -> Result<Vec<u8>, BodyError> {
    let mut unpacked = Vec::with_capacity(packed.saturating_mul(USUAL_RATIO).min(limit));
    // One byte more than allowed tells a body of exactly the limit from a longer one.
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    decoder
        .take(bound)
        .read_to_end(&mut unpacked)
        .map_err(|error| broken(encoding, &error))?;
    if unpacked.len() > limit {
        return Err(BodyError::DecompressedTooLarge {
            limit,
            got: unpacked.len(),
        });
    }
    Ok(unpacked)
}

fn broken(encoding: &'static str, error: &io::Error) -> BodyError {
    BodyError::Packed {
        encoding,
        why: error.to_string(),
    }
}
