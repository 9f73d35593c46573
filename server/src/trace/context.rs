//! The header `traceparent`, version 00: read strictly, so that what is passed on is well formed.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpMessage, HttpRequest};
use std::fmt;

/// The header's name.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The length of the header in version 00, in bytes.
const LENGTH: usize = 55;

/// The bit that says that the caller keeps what is told of this trace.
const SAMPLED: u8 = 1;

/// A place in a trace: its `Display` is the trace's id, as log lines have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace, never 0.
    pub trace: u128,
    /// Whoever asks, never 0.
    pub span: u64,
    /// Whether it is kept.
    pub is_sampled: bool,
}

impl TraceContext {
    /// Reads a request's header. `None` when there is none, more than one, or a malformed one.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT);
        let value = values.next()?;
        match values.next() {
            None => Self::parse(value.as_bytes()),
            Some(_) => None,
        }
    }

    /// Returns the place that the middleware gave a request, for what is asked of others on its behalf.
    pub fn given(request: &HttpRequest) -> Option<Self> {
        request.extensions().get::<Self>().copied()
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let version = hex(text.get(..2)?)?;
        let is_whole = match version {
            0 => text.len() == LENGTH,
            // Later versions may say more behind another dash.
            1..0xff => text.get(LENGTH).is_none_or(|byte| *byte == b'-'),
            _ => false,
        };
        let dashes = [2, 35, 52].map(|at| text.get(at));
        if !is_whole || dashes != [Some(&b'-'); 3] {
            return None;
        }
        let (trace, span) = (hex(text.get(3..35)?)?, hex(text.get(36..52)?)?);
        let flags = u8::try_from(hex(text.get(53..LENGTH)?)?).ok()?;
        if trace == 0 || span == 0 {
            return None;
        }
        Some(Self {
            trace,
            span: u64::try_from(span).ok()?,
            is_sampled: flags & SAMPLED != 0,
        })
    }

    /// Returns the header that says this to the next one.
    pub fn header(&self) -> HeaderValue {
        let flags = u8::from(self.is_sampled);
        let text = format!("00-{self}-{:016x}-{flags:02x}", self.span);
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.trace)
    }
}

/// Reads lower-case hexadecimal digits, and nothing else.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |value, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some((value << 4) | u128::from(digit))
    })
}

#[cfg(test)]
mod tests;
