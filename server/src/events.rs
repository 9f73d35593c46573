//! What a request with events says (chapter 7): its tokens and its events, in version 0 and in version 1.
//!
//! Pure: text in, values out. It knows neither sockets nor what an event changes.

pub mod openapi;
mod surrogates;
mod v0;
mod v1;
mod wire;

pub use v0::EventsRequest;
pub use v1::{NumberedEvent, NumberedEvents};

/// Events in one request; more are refused, so that a client may split them.
pub const MAX_EVENTS: usize = 20_000;
