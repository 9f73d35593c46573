//! One immutable document: its bytes, its tag, and the same compressed, each made once.

use crate::cpu_pool::CpuPool;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use sha2::{Digest, Sha256};
use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::sync::OnceLock;

/// How many bytes of a digest a tag shows: enough that two documents never share one.
const TAG_BYTES: usize = 16;
/// Smaller documents are not worth compressing, in bytes.
const SMALLEST: usize = 1_024;

/// Brotli's effort and window. More takes much longer for little.
const BROTLI: (u32, u32) = (5, 22);
/// Zstandard's level.
const ZSTD_LEVEL: i32 = 7;

/// A way to compress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Brotli.
    Brotli,
    /// Zstandard.
    Zstd,
    /// gzip.
    Gzip,
}

impl Coding {
    /// All of them, the one that makes the smallest documents first.
    pub const ALL: [Self; 3] = [Self::Brotli, Self::Zstd, Self::Gzip];

    fn compress(self, body: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Brotli => {
                let (quality, window) = BROTLI;
                let mut packed = Vec::new();
                let mut writer =
                    brotli::CompressorWriter::new(&mut packed, 1 << 16, quality, window);
                writer.write_all(body)?;
                // Dropping it writes the end.
                drop(writer);
                Ok(packed)
            }
            Self::Zstd => zstd::bulk::compress(body, ZSTD_LEVEL),
            Self::Gzip => {
                let mut writer = GzEncoder::new(Vec::new(), Compression::default());
                writer.write_all(body)?;
                writer.finish()
            }
        }
    }
}

/// A document that several readers are given.
pub struct Document {
    body: Bytes,
    tag: Box<str>,
    /// By the order of [`Coding::ALL`].
    packed: [Packed; 3],
    cpu: CpuPool,
}

/// Shared, so that the work goes on when the first who asked has gone.
type Packed = OnceLock<Shared<BoxFuture<'static, Option<Bytes>>>>;

impl Document {
    pub(super) fn new(body: Vec<u8>, cpu: CpuPool) -> Self {
        Self {
            tag: tag_of(&body),
            body: body.into(),
            packed: Default::default(),
            cpu,
        }
    }

    /// Returns the digest of its bytes as hexadecimal digits: equal documents have equal tags, everywhere.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// Returns its bytes as they are.
    pub fn body(&self) -> Bytes {
        self.body.clone()
    }

    /// Returns its bytes compressed; `None` when that is not worth it, or failed. Compresses at the first call, on the CPU pool.
    pub async fn packed(&self, coding: Coding) -> Option<Bytes> {
        if self.body.len() < SMALLEST {
            return None;
        }
        let [brotli, zstd, gzip] = &self.packed;
        let packed = match coding {
            Coding::Brotli => brotli,
            Coding::Zstd => zstd,
            Coding::Gzip => gzip,
        };
        packed.get_or_init(|| self.pack(coding)).clone().await
    }

    fn pack(&self, coding: Coding) -> Shared<BoxFuture<'static, Option<Bytes>>> {
        let (body, cpu) = (self.body.clone(), self.cpu.clone());
        let packing = async move {
            let packed = cpu.run(move || coding.compress(&body)).await?;
            match packed {
                Ok(packed) => Some(packed.into()),
                Err(error) => {
                    tracing::error!(%error, ?coding, "a document cannot be compressed");
                    None
                }
            }
        };
        packing.boxed().shared()
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("tag", &self.tag)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Returns the tag of a content: a digest as hexadecimal digits, equal on all instances and at all times.
pub fn tag_of(body: &[u8]) -> Box<str> {
    let mut tag = String::with_capacity(2 * TAG_BYTES);
    for byte in Sha256::digest(body).iter().take(TAG_BYTES) {
        // Writing to a text does not fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag.into()
}
