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

#[cfg(test)]
mod tests {
    use super::{Encoding, unpack};
    use crate::body::BodyError;
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};
    use std::io::Write;

    fn packed(encoding: Encoding, data: &[u8]) -> Vec<u8> {
        match encoding {
            Encoding::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(data).unwrap();
                encoder.finish().unwrap()
            }
            Encoding::Deflate => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(data).unwrap();
                encoder.finish().unwrap()
            }
            Encoding::Zstd => zstd::encode_all(data, 3).unwrap(),
            Encoding::Identity | Encoding::Brotli => data.to_vec(),
        }
    }

    #[test]
    fn names_of_encodings() {
        for (name, expected) in [
            ("", Some(Encoding::Identity)),
            ("identity", Some(Encoding::Identity)),
            (" GZIP ", Some(Encoding::Gzip)),
            ("x-gzip", Some(Encoding::Gzip)),
            ("deflate", Some(Encoding::Deflate)),
            ("br", Some(Encoding::Brotli)),
            ("zstd", Some(Encoding::Zstd)),
            ("lz4", None),
            ("gzip, gzip", None),
        ] {
            assert_eq!(Encoding::of(name).ok(), expected, "{name}");
        }
        let long = "x".repeat(1_000);
        let shortened = BodyError::UnsupportedEncoding("x".repeat(100));
        assert_eq!(Encoding::of(&long), Err(shortened));
    }

    #[test]
    fn unpacking_stops_just_past_the_limit() {
        for encoding in [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd] {
            let exact = packed(encoding, &[b'7'; 1_000]);
            let unpacked = unpack(&exact, encoding, 1_000).unwrap();
            assert_eq!(unpacked.len(), 1_000, "{encoding:?}");
            let bomb = packed(encoding, &vec![b'7'; 10_000_000]);
            let expected = BodyError::DecompressedTooLarge {
                limit: 1_000,
                got: 1_001,
            };
            assert_eq!(
                unpack(&bomb, encoding, 1_000),
                Err(expected),
                "{encoding:?}"
            );
        }
    }

    #[test]
    fn brotli_is_unpacked() {
        // Stored, not compressed: a block of five bytes and an empty last one.
        let stored = [0x0b, 0x02, 0x80, b'h', b'e', b'l', b'l', b'o', 0x03];
        assert_eq!(
            unpack(&stored, Encoding::Brotli, 5).unwrap(),
            b"hello".as_slice()
        );
        let expected = BodyError::DecompressedTooLarge { limit: 4, got: 5 };
        assert_eq!(unpack(&stored, Encoding::Brotli, 4), Err(expected));
    }

    #[test]
    fn what_is_not_packed_is_told() {
        let encodings = [Encoding::Deflate, Encoding::Brotli, Encoding::Zstd];
        for (encoding, name) in encodings.into_iter().zip(["deflate", "br", "zstd"]) {
            for data in [b"{}".as_slice(), &[0xff; 40]] {
                match unpack(data, encoding, 1_000) {
                    Err(BodyError::Packed { encoding, .. }) => assert_eq!(encoding, name),
                    other => panic!("{encoding:?}: {other:?}"),
                }
            }
        }
        for encoding in [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd] {
            let cut = packed(encoding, b"{\"batch\":[1,2,3,4,5,6,7]}");
            assert!(
                unpack(&cut[..cut.len() - 5], encoding, 1_000).is_err(),
                "{encoding:?}"
            );
        }
    }
}
