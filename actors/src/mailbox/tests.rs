use super::{Mailbox, Posted};
use crate::metrics::MailboxMetrics;
use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use std::sync::Arc;
use tokio::sync::{Semaphore, oneshot};

/// Takes one message, then waits for the gate.
struct Gated {
    gate: Arc<Semaphore>,
    capacity: usize,
}

#[derive(Debug)]
struct Enter(oneshot::Sender<()>);

impl Actor for Gated {
    type Context = Context<Self>;
    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.capacity);
    }
}

super::answers_ping!(Gated);

impl Handler<Posted<Enter>> for Gated {
    type Result = ();
    fn handle(&mut self, message: Posted<Enter>, ctx: &mut Self::Context) {
        message.open().0.send(()).unwrap();
        let gate = Arc::clone(&self.gate);
        ctx.wait(
            async move { gate.acquire().await.unwrap().forget() }
                .into_actor(self)
                .map(|(), _, _| ()),
        );
    }
}

fn metrics() -> MailboxMetrics {
    MailboxMetrics {
        depth: Default::default(),
        refused: Default::default(),
        oldest: Default::default(),
    }
}

async fn busy(capacity: usize) -> (Mailbox<Gated>, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let actor = Gated {
        gate: Arc::clone(&gate),
        capacity,
    };
    let mailbox = Mailbox::new(actor.start(), metrics());
    mailbox.ready().await;
    // One message is inside, waiting for the gate; from now on everything queues.
    let (entered, was_entered) = oneshot::channel();
    mailbox.post(Enter(entered)).unwrap();
    was_entered.await.unwrap();
    (mailbox, gate)
}

#[actix::test]
async fn the_bound_is_exactly_the_capacity_however_many_handles_there_are() {
    for capacity in [1, 2, 8, 64] {
        let (mailbox, _gate) = busy(capacity).await;
        let handles: Vec<_> = (0..200).map(|_| mailbox.clone()).collect();
        let accepted = handles
            .iter()
            .filter(|handle| handle.post(Enter(oneshot::channel().0)).is_ok())
            .count();
        assert_eq!(accepted, capacity);
        assert_eq!(mailbox.waiting(), capacity);
        assert_eq!(
            mailbox.metrics.refused.get(),
            200 - u64::try_from(capacity).unwrap()
        );
    }
}

#[actix::test]
async fn a_refused_message_comes_back_and_room_is_made_again() {
    let (mailbox, gate) = busy(1).await;
    let (queued, was_entered) = oneshot::channel();
    mailbox.post(Enter(queued)).unwrap();
    let (refused, was_refused) = oneshot::channel();
    let back = mailbox.post(Enter(refused)).unwrap_err();
    assert_eq!(
        mailbox.waiting(),
        1,
        "a refused message does not count as waiting"
    );
    back.message.0.send(()).unwrap();
    was_refused.await.unwrap();

    gate.add_permits(1);
    was_entered.await.unwrap();
    assert_eq!(mailbox.waiting(), 0);
    mailbox.post(Enter(oneshot::channel().0)).unwrap();
}
