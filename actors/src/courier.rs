//! Brings answers to the HTTP worker whose request waits for them.
//!
//! A task that another thread wakes waits behind all that the worker's own thread has woken: while there is any of that, one
//! in 31 turns is for the others. Under load that is most of the time, and answers would wait for a fifth of a second until
//! requests that came later were read. So other threads leave their answers in a bag, and one task of the worker hands
//! them out, which wakes the waiting requests from their own thread.

use crate::override_writer::NotWritten;
use crate::person_loader;
use burgee_evaluation::Evaluations;
use prometheus_client::metrics::gauge::Gauge;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};
use tokio::sync::{Notify, oneshot};

/// The way to one HTTP worker. What is in the bag is bounded by the queues that its answers come from.
#[derive(Debug)]
pub(crate) struct Courier {
    home: ThreadId,
    bag: Mutex<Vec<Parcel>>,
    bell: Notify,
    /// How many answers wait in all bags.
    waiting: Gauge,
}

/// An answer, and who waits for it.
#[derive(Debug)]
pub(crate) enum Parcel {
    Found(
        oneshot::Sender<person_loader::Answer>,
        person_loader::Answer,
    ),
    Written(
        oneshot::Sender<Result<(), NotWritten>>,
        Result<(), NotWritten>,
    ),
    Evaluated(oneshot::Sender<Evaluations>, Evaluations),
}

/// Where an answer goes: by the courier of the one who waits, if it has one.
#[derive(Debug)]
pub(crate) struct Reply<T> {
    sender: oneshot::Sender<T>,
    courier: Option<Arc<Courier>>,
}

impl Courier {
    /// The courier of the calling thread, with the gauge of what waits in all bags.
    pub(crate) fn new(waiting: Gauge) -> Arc<Self> {
        Arc::new(Self {
            home: thread::current().id(),
            bag: Mutex::default(),
            bell: Notify::new(),
            waiting,
        })
    }

    /// Hands out what is in the bag; to be spawned on the worker's thread. It ends with its runtime.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut parcels = Vec::new();
        loop {
            self.bell.notified().await;
            {
                let mut bag = self.bag.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::swap(&mut *bag, &mut parcels);
            }
            let count = i64::try_from(parcels.len()).unwrap_or(i64::MAX);
            self.waiting.dec_by(count);
            parcels.drain(..).for_each(Parcel::deliver);
        }
    }

    fn take(&self, parcel: Parcel) {
        let mut bag = self.bag.lock().unwrap_or_else(PoisonError::into_inner);
        bag.push(parcel);
        drop(bag);
        self.waiting.inc();
        self.bell.notify_one();
    }
}

impl Parcel {
    /// Nobody may wait any more: then the answer is dropped.
    fn deliver(self) {
        match self {
            Self::Found(waiter, answer) => drop(waiter.send(answer)),
            Self::Written(waiter, answer) => drop(waiter.send(answer)),
            Self::Evaluated(waiter, answer) => drop(waiter.send(answer)),
        }
    }
}

impl<T: Answer> Reply<T> {
    /// Returns where to send an answer, and where it arrives.
    pub(crate) fn channel(courier: Option<&Arc<Courier>>) -> (Self, oneshot::Receiver<T>) {
        let (sender, receiver) = oneshot::channel();
        let courier = courier.cloned();
        (Self { sender, courier }, receiver)
    }

    /// Returns whether nobody waits any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Sends an answer on its way.
    pub(crate) fn send(self, answer: T) {
        let parcel = answer.to(self.sender);
        match self.courier {
            Some(courier) if courier.home != thread::current().id() => courier.take(parcel),
            _ => parcel.deliver(),
        }
    }
}

/// What a courier carries.
pub(crate) trait Answer: Sized {
    fn to(self, waiter: oneshot::Sender<Self>) -> Parcel;
}

impl Answer for person_loader::Answer {
    fn to(self, waiter: oneshot::Sender<Self>) -> Parcel {
        Parcel::Found(waiter, self)
    }
}

impl Answer for Result<(), NotWritten> {
    fn to(self, waiter: oneshot::Sender<Self>) -> Parcel {
        Parcel::Written(waiter, self)
    }
}

impl Answer for Evaluations {
    fn to(self, waiter: oneshot::Sender<Self>) -> Parcel {
        Parcel::Evaluated(waiter, self)
    }
}

#[cfg(test)]
mod tests {
    use super::{Courier, Reply};
    use crate::person_loader::Answer;
    use burgee_schema::models::Found;
    use prometheus_client::metrics::gauge::Gauge;
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::rc::Rc;
    use std::sync::Arc;
    use std::task::Poll;

    fn found() -> Answer {
        Ok(Found::default())
    }

    #[actix::test]
    async fn answers_of_other_threads_arrive_and_so_do_those_of_the_same() {
        let waiting = Gauge::default();
        let courier = Courier::new(waiting.clone());
        actix_rt::spawn(Arc::clone(&courier).run());
        let (there, from_there) = Reply::channel(Some(&courier));
        let (here, from_here) = Reply::channel(Some(&courier));
        let there = std::thread::spawn(move || there.send(found()));
        there.join().unwrap();
        here.send(found());
        assert_eq!(
            waiting.get(),
            1,
            "the one of the same thread took no detour"
        );
        assert_eq!(from_here.await.unwrap(), found());
        assert_eq!(from_there.await.unwrap(), found());
        assert_eq!(waiting.get(), 0);
    }

    /// Returns how many turns the tasks of a busy thread have until a hundred requests got their answers from elsewhere.
    async fn turns(courier: Option<Arc<Courier>>) -> u32 {
        let turns = Rc::new(Cell::new(0));
        let counted = Rc::clone(&turns);
        let busy = actix_rt::spawn(poll_fn(move |context| {
            counted.set(counted.get() + 1);
            context.waker().wake_by_ref();
            Poll::<()>::Pending
        }));
        let (replies, waiting): (Vec<_>, Vec<_>) = (0..100)
            .map(|_| {
                let (reply, answer) = Reply::channel(courier.as_ref());
                (reply, actix_rt::spawn(async move { answer.await.is_ok() }))
            })
            .unzip();
        tokio::task::yield_now().await;
        let elsewhere = std::thread::spawn(|| replies.into_iter().for_each(|r| r.send(found())));
        elsewhere.join().unwrap();
        let before = turns.get();
        for answered in waiting {
            assert!(answered.await.unwrap());
        }
        busy.abort();
        turns.get() - before
    }

    #[actix::test]
    async fn answers_do_not_wait_for_all_that_the_thread_itself_has_to_do() {
        let courier = Courier::new(Gauge::default());
        actix_rt::spawn(Arc::clone(&courier).run());
        let (with, without) = (turns(Some(courier)).await, turns(None).await);
        assert!(
            with * 4 < without,
            "{with} turns, without a courier {without}"
        );
    }
}
