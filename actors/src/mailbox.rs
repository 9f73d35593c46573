//! What actix mailboxes do not offer: a gauge of their depth, and a shared address whose bound is exact.
//!
//! The bound of an actix mailbox is its capacity, less one, plus one for each live clone of the address. Every mailbox
//! here is therefore reached through one shared [`Mailbox`], never through a clone of its own per request.

mod oldest;

pub(crate) use oldest::Oldest;

use crate::metrics::MailboxMetrics;
use actix::dev::ToEnvelope;
use actix::prelude::SendError;
use actix::{Actor, Addr, Handler, Message};
use oldest::Moment;
use prometheus_client::metrics::gauge::Gauge;
use std::sync::Arc;

/// Counts a message as waiting from its creation until it is dropped or taken.
#[derive(Debug)]
pub(crate) struct DepthGuard {
    depth: Gauge,
    oldest: Arc<Oldest>,
    posted: Moment,
}

impl DepthGuard {
    fn new(metrics: &MailboxMetrics) -> Self {
        let posted = Moment::now();
        if metrics.depth.inc() <= 0 {
            metrics.oldest.first(posted);
        }
        Self {
            depth: metrics.depth.clone(),
            oldest: Arc::clone(&metrics.oldest),
            posted,
        }
    }

    fn taken(self) {
        self.oldest.taken(self.posted);
    }
}

impl Drop for DepthGuard {
    fn drop(&mut self) {
        self.depth.dec();
    }
}

/// A message on its way: it carries its own depth guard.
#[derive(Debug)]
pub(crate) struct Posted<M> {
    message: M,
    depth: DepthGuard,
}

impl<M> Posted<M> {
    /// Takes the message out; from here on it no longer counts as waiting.
    pub(crate) fn open(self) -> M {
        self.depth.taken();
        self.message
    }

    /// Takes the message back that was not let in.
    fn recall(self) -> M {
        self.message
    }
}

impl<M: Send + 'static> Message for Posted<M> {
    type Result = ();
}

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum WhyRefused {
    /// The mailbox is full.
    Full,
    /// The actor is gone.
    Gone,
    /// It would wait longer than it has time.
    Wait,
    /// Its project holds its share of a contended queue already.
    Share,
    /// The queue is long and does not get shorter.
    Standing,
}

impl WhyRefused {
    /// Every reason.
    pub(crate) const ALL: [Self; 5] = [
        Self::Full,
        Self::Gone,
        Self::Wait,
        Self::Share,
        Self::Standing,
    ];

    /// Returns its name in metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Gone => "gone",
            Self::Wait => "wait",
            Self::Share => "share",
            Self::Standing => "standing",
        }
    }
}

/// A message that was not taken comes back.
#[derive(Debug)]
pub(crate) struct Refused<M> {
    pub(crate) message: M,
    pub(crate) why: WhyRefused,
}

/// One shared address of an actor. Clones share the address itself, so they do not widen the bound.
pub(crate) struct Mailbox<A: Actor> {
    address: Arc<Addr<A>>,
    metrics: MailboxMetrics,
}

impl<A: Actor> Clone for Mailbox<A> {
    fn clone(&self) -> Self {
        Self {
            address: Arc::clone(&self.address),
            metrics: self.metrics.clone(),
        }
    }
}

impl<A: Actor> Mailbox<A> {
    pub(crate) fn new(address: Addr<A>, metrics: MailboxMetrics) -> Self {
        Self {
            address: Arc::new(address),
            metrics,
        }
    }

    /// Returns the shared address, for messages whose senders are bounded elsewhere.
    pub(crate) fn address(&self) -> Arc<Addr<A>> {
        Arc::clone(&self.address)
    }

    /// Returns how many messages wait.
    pub(crate) fn waiting(&self) -> usize {
        usize::try_from(self.metrics.depth.get()).unwrap_or(0)
    }

    /// Posts a message, or gives it back at once when the mailbox is full.
    pub(crate) fn post<M>(&self, message: M) -> Result<(), Refused<M>>
    where
        M: Send + 'static,
        A: Handler<Posted<M>>,
        A::Context: ToEnvelope<A, Posted<M>>,
    {
        let posted = Posted {
            message,
            depth: DepthGuard::new(&self.metrics),
        };
        self.address.try_send(posted).map_err(|refused| {
            let why = match refused {
                SendError::Full(_) => WhyRefused::Full,
                SendError::Closed(_) => WhyRefused::Gone,
            };
            self.metrics.refused.inc();
            Refused {
                message: refused.into_inner().recall(),
                why,
            }
        })
    }

    /// Posts a message although the mailbox may be full: for the one that is the last.
    pub(crate) fn post_last<M>(&self, message: M)
    where
        M: Send + 'static,
        A: Handler<Posted<M>>,
        A::Context: ToEnvelope<A, Posted<M>>,
    {
        let depth = DepthGuard::new(&self.metrics);
        self.address.do_send(Posted { message, depth });
    }

    /// Waits until the actor has handled everything before this, so that its capacity is set.
    pub(crate) async fn ready(&self)
    where
        A: Handler<Ping>,
        A::Context: ToEnvelope<A, Ping>,
    {
        // An actor that is gone already is noticed by its first message.
        let _ = self.address.send(Ping).await;
    }
}

/// Asks an actor to show that it has started. Until then a mailbox has actix's default capacity.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Ping;

/// Answers pings.
macro_rules! answers_ping {
    ($actor:ty) => {
        impl actix::Handler<$crate::mailbox::Ping> for $actor {
            type Result = ();
            fn handle(&mut self, _: $crate::mailbox::Ping, _: &mut Self::Context) {}
        }
    };
}
pub(crate) use answers_ping;

#[cfg(test)]
mod tests;
