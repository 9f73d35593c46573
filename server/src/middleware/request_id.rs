//! The id that an answer and its access line have in common.

use actix_web::http::header::{HeaderMap, HeaderValue};
use actix_web::{HttpMessage, HttpRequest};
use bytes::Bytes;
use uuid::{Builder, Uuid};

/// A request's id: the caller's, or a random one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(pub Uuid);

impl RequestId {
    /// Takes the id from `X-Request-Id` when that is a UUID, else makes one.
    pub fn of(headers: &HeaderMap) -> Self {
        let sent = headers.get("x-request-id").map(|value| value.as_bytes());
        sent.and_then(|text| Uuid::try_parse_ascii(text).ok())
            .map_or_else(Self::random, Self)
    }

    /// Returns the id that the middleware gave a request.
    pub fn given(request: &HttpRequest) -> Self {
        let given = request.extensions().get::<Self>().copied();
        given.unwrap_or_else(Self::random)
    }

    /// Returns the value of the answer's header.
    pub fn header(self) -> HeaderValue {
        let mut text = Uuid::encode_buffer();
        let text = self.0.hyphenated().encode_lower(&mut text).as_bytes();
        // Digits and dashes are always allowed.
        HeaderValue::from_maybe_shared(Bytes::copy_from_slice(text))
            .unwrap_or(HeaderValue::from_static(""))
    }

    /// The thread's own generator: the system's would cost a call into the kernel per request.
    fn random() -> Self {
        Self(Builder::from_random_bytes(rand::random()).into_uuid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn of(value: &'static str) -> String {
        let pair = (
            HeaderName::from_static("x-request-id"),
            HeaderValue::from_static(value),
        );
        RequestId::of(&HeaderMap::from_iter([pair])).0.to_string()
    }

    #[test]
    fn a_uuid_is_kept_in_lower_case() {
        assert_eq!(
            of("3F0E8A52-5E0B-4F0E-9D39-0F3A2F6F0B11"),
            "3f0e8a52-5e0b-4f0e-9d39-0f3a2f6f0b11"
        );
    }

    #[test]
    fn anything_else_is_replaced_by_a_random_uuid() {
        let (one, two) = (of("not-a-uuid"), of("not-a-uuid"));
        assert_ne!(one, two);
        assert_eq!(Uuid::parse_str(&one).unwrap().get_version_num(), 4);
    }
}
