//! A request of version 1 (section 7.2): a batch whose events have numbers under which each is answered.

#[cfg(test)]
mod tests;

use super::wire::{Batch, Object};
use super::{MAX_EVENTS, surrogates};
use crate::body::ParseError;
use burgee_actors::Event;
use serde::Deserialize;

/// A batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NumberedEvents(pub Vec<NumberedEvent>);

/// An event, or what is not one, under its uuid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedEvent {
    /// Its uuid, as it was sent.
    pub uuid: String,
    /// The event; `None` when it lacks its name or its distinct id.
    pub event: Option<Event>,
}

#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    batch: Batch<'a>,
}

impl NumberedEvents {
    /// Reads a body's JSON text. An event without a uuid could not be answered and makes the whole text wrong.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let text = surrogates::repair(text);
        let mut deserializer = serde_json::Deserializer::from_str(&text);
        // The body decoder has bounded the depth before, at a limit of our own.
        deserializer.disable_recursion_limit();
        let Members { batch } = Object::<Members<'_>>::deserialize(&mut deserializer)?.0;
        deserializer.end()?;
        if batch.is_cut {
            return Err(ParseError::TooManyEntries {
                member: "batch",
                limit: MAX_EVENTS,
            });
        }
        let numbered = |event: &super::wire::WireEvent<'_>| {
            Some(NumberedEvent {
                uuid: event.uuid()?,
                event: event.read().ok(),
            })
        };
        let events: Option<Vec<_>> = batch.events.iter().map(numbered).collect();
        events.map(Self).ok_or(ParseError::Shape)
    }
}
