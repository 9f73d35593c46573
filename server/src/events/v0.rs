//! A request of version 0 (section 7.1): a batch with its token, a list of events, or one event.

#[cfg(test)]
mod tests;

use super::wire::{Batch, EventFault, Object, WireEvent};
use super::{MAX_EVENTS, surrogates};
use crate::body::ParseError;
use crate::error::CaptureError;
use burgee_actors::Event;
use serde::Deserialize;
use std::collections::BTreeSet;

/// A request's tokens and events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventsRequest {
    /// Every token that its events have.
    tokens: BTreeSet<String>,
    /// Whether an event has none.
    lacks_token: bool,
    events: Vec<Result<Event, EventFault>>,
}

impl EventsRequest {
    /// Reads a body's JSON text.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let text = surrogates::repair(text);
        let mut deserializer = serde_json::Deserializer::from_str(&text);
        // The body decoder has bounded the depth before, at a limit of our own.
        deserializer.disable_recursion_limit();
        let (outer, batch) = if text.trim_start().starts_with('[') {
            (WireEvent::default(), Batch::deserialize(&mut deserializer)?)
        } else {
            let mut outer = Object::<WireEvent<'_>>::deserialize(&mut deserializer)?.0;
            let batch = outer.batch.take();
            match batch {
                Some(batch) => (outer, batch),
                None => {
                    let events = vec![outer];
                    let one = Batch {
                        events,
                        is_cut: false,
                    };
                    (WireEvent::default(), one)
                }
            }
        };
        deserializer.end()?;
        if batch.is_cut {
            return Err(ParseError::TooManyEntries {
                member: "batch",
                limit: MAX_EVENTS,
            });
        }
        Ok(Self::of(&outer, &batch))
    }

    /// An event's own token goes first, then the batch's, then the one among its properties, which may be any text that the
    /// application calls so.
    fn of(outer: &WireEvent<'_>, batch: &Batch<'_>) -> Self {
        let mut request = Self::default();
        let outer = outer.own_token();
        for event in &batch.events {
            let own = event.own_token().or_else(|| outer.clone());
            match own.or_else(|| event.inner_token()) {
                Some(token) => drop(request.tokens.insert(token)),
                None => request.lacks_token = true,
            }
            request.events.push(event.read());
        }
        request
    }

    /// Returns the one token of all events.
    pub fn token(&self) -> Result<&str, CaptureError> {
        if self.events.is_empty() {
            return Err(CaptureError::NoEvents);
        }
        let mut tokens = self.tokens.iter();
        match (tokens.next(), tokens.next()) {
            (Some(_), Some(_)) => Err(CaptureError::DifferentTokens),
            (Some(token), None) if !self.lacks_token => Ok(token),
            _ => Err(CaptureError::NoToken),
        }
    }

    /// Returns the events, if each of them is one.
    pub fn events(self) -> Result<Vec<Event>, CaptureError> {
        let events = self.events.into_iter().collect::<Result<Vec<_>, _>>();
        events.map_err(|fault| match fault {
            EventFault::NoName => CaptureError::NoName,
            EventFault::NoDistinctId => CaptureError::NoDistinctId,
        })
    }
}
