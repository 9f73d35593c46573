//! One project cannot starve the others: of the places of a queue it may hold a share, but only while the queue is
//! contended, so that idle capacity is never withheld.

use crate::standing_queue::Pressure;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A queue counts as contended when more than one in this many places are taken.
const CONTENDED_FROM: usize = 4;

/// The places of one queue, how many are held, and by how many projects. What is large may take several places.
#[derive(Debug)]
pub(crate) struct Shares {
    room: usize,
    held: AtomicUsize,
    active: AtomicUsize,
}

/// How many places of one queue one project holds. It outlives the project's snapshots.
#[derive(Debug, Default)]
pub(crate) struct Share(AtomicUsize);

/// A place taken; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    shares: Arc<Shares>,
    share: Arc<Share>,
    places: usize,
}

/// How many places all projects together may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// As many as they like.
    All,
    /// As many as they like, unless one holds much more than the others, and at least this.
    Even(usize),
    /// So many, shared fairly.
    Places(usize),
}

impl Shares {
    pub(crate) fn new(room: usize) -> Arc<Self> {
        Arc::new(Self {
            room,
            held: AtomicUsize::new(0),
            active: AtomicUsize::new(0),
        })
    }

    /// Returns what the projects may hold together: all, or the room of a queue that is contended.
    pub(crate) fn allowed(&self, waiting: usize) -> Allowed {
        if waiting * CONTENDED_FROM > self.room {
            Allowed::Places(self.room)
        } else {
            Allowed::All
        }
    }

    /// Half of what they hold, so that the queue gets shorter.
    fn less(&self) -> Allowed {
        Allowed::Places((self.held.load(Ordering::Acquire) / 2).max(1))
    }

    /// Returns what the projects may hold under a queue's pressure.
    pub(crate) fn under(&self, pressure: Pressure) -> Allowed {
        match pressure {
            Pressure::None => Allowed::All,
            Pressure::Contended(hold) => Allowed::Even(hold),
            Pressure::Over => self.less(),
            Pressure::FarOver => Allowed::Places(0),
        }
    }

    /// Takes a place for a project, or refuses because it holds its share of what is allowed already.
    pub(crate) fn take(self: &Arc<Self>, share: &Arc<Share>, allowed: Allowed) -> Option<Place> {
        self.take_places(share, allowed, 1)
    }

    /// Takes so many places at once.
    ///
    /// The share leaves room for one more project than there are, so that a newcomer always finds a place.
    pub(crate) fn take_places(
        self: &Arc<Self>,
        share: &Arc<Share>,
        allowed: Allowed,
        places: usize,
    ) -> Option<Place> {
        let held = share.0.fetch_add(places, Ordering::AcqRel);
        self.held.fetch_add(places, Ordering::AcqRel);
        if held == 0 {
            self.active.fetch_add(1, Ordering::AcqRel);
        }
        let place = Place {
            shares: Arc::clone(self),
            share: Arc::clone(share),
            places,
        };
        self.allows(held, allowed).then_some(place)
    }

    /// Returns whether a project would get a place.
    pub(crate) fn has_place(&self, share: &Share, allowed: Allowed) -> bool {
        self.allows(share.0.load(Ordering::Acquire), allowed)
    }

    fn allows(&self, held: usize, allowed: Allowed) -> bool {
        match allowed {
            Allowed::All => true,
            // Half as much again as its part.
            Allowed::Even(hold) => {
                let (all, active) = (
                    self.held.load(Ordering::Acquire),
                    self.active.load(Ordering::Acquire),
                );
                held < hold || held * active * 2 <= all * 3
            }
            Allowed::Places(places) => {
                let active = self.active.load(Ordering::Acquire);
                places > 0 && held < (places / (active + 1)).max(1)
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shares.held.fetch_sub(self.places, Ordering::AcqRel);
        if self.share.0.fetch_sub(self.places, Ordering::AcqRel) == self.places {
            self.shares.active.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Allowed, Place, Share, Shares};
    use std::sync::Arc;

    /// Asks for one more place for a project, given how many wait beside those it holds.
    fn ask(shares: &Arc<Shares>, share: &Arc<Share>, held: &mut Vec<Place>, others: usize) -> bool {
        let waiting = held.len() + others;
        match shares.take(share, shares.allowed(waiting)) {
            Some(place) => {
                held.push(place);
                true
            }
            None => false,
        }
    }

    #[test]
    fn idle_capacity_is_never_withheld() {
        let (shares, flood) = (Shares::new(100), Arc::default());
        let mut held = Vec::new();
        assert!((0..26).all(|_| ask(&shares, &flood, &mut held, 0)));
    }

    #[test]
    fn a_flood_leaves_room_for_a_newcomer_and_then_halves() {
        let shares = Shares::new(100);
        let (flood, calm): (Arc<Share>, Arc<Share>) = Default::default();
        let mut floods = Vec::new();
        while ask(&shares, &flood, &mut floods, 0) {}
        assert_eq!(floods.len(), 50, "alone it may hold half of the places");

        let mut calms = Vec::new();
        while ask(&shares, &calm, &mut calms, floods.len()) {}
        assert_eq!(calms.len(), 33, "two projects get a third each");
        assert!(!ask(&shares, &flood, &mut floods, calms.len()));

        floods.truncate(32);
        assert!(ask(&shares, &flood, &mut floods, calms.len()));
        drop((floods, calms));
        assert_eq!(shares.active.load(std::sync::atomic::Ordering::Acquire), 0);
    }

    #[test]
    fn a_queue_that_is_too_long_gets_shorter_and_a_small_project_is_not_asked_to_pay() {
        let shares = Shares::new(0);
        let (flood, calm): (Arc<Share>, Arc<Share>) = Default::default();
        let mut floods: Vec<Place> = (0..60)
            .map(|_| shares.take(&flood, Allowed::All).unwrap())
            .collect();
        assert!(shares.take(&flood, shares.less()).is_none());
        let _calm = shares.take(&calm, shares.less()).unwrap();
        assert!(shares.has_place(&calm, shares.less()));
        while !shares.has_place(&flood, shares.less()) {
            floods.pop().unwrap();
        }
        assert!(
            floods.len() <= 1,
            "alone, it is refused until the queue is short: {}",
            floods.len()
        );
    }

    #[test]
    fn a_long_queue_is_for_all_and_not_for_one() {
        let shares = Shares::new(0);
        let flood: Arc<Share> = Arc::default();
        let _floods: Vec<Place> = (0..60)
            .map(|_| shares.take(&flood, Allowed::All).unwrap())
            .collect();
        assert!(
            shares.has_place(&flood, Allowed::Even(4)),
            "alone it is nobody's loss"
        );
        let calm: Arc<Share> = Arc::default();
        let _calm: Vec<Place> = (0..10)
            .map(|_| shares.take(&calm, Allowed::Even(4)).unwrap())
            .collect();
        assert!(shares.take(&flood, Allowed::Even(4)).is_none());
        assert!(shares.has_place(&calm, Allowed::Even(4)));
    }

    #[test]
    fn what_is_large_takes_more_places_and_gives_them_back() {
        let shares = Shares::new(0);
        let (flood, calm): (Arc<Share>, Arc<Share>) = Default::default();
        let large = shares.take_places(&flood, Allowed::Even(6), 6).unwrap();
        let _calm: Vec<Place> = (0..4)
            .map(|_| shares.take(&calm, Allowed::Even(6)).unwrap())
            .collect();
        let _other = shares.take(&Arc::default(), Allowed::Even(6)).unwrap();
        assert!(!shares.has_place(&flood, Allowed::Even(6)));
        assert!(shares.has_place(&flood, Allowed::Even(7)));
        assert!(shares.has_place(&calm, Allowed::Even(6)));
        drop(large);
        assert!(shares.has_place(&flood, Allowed::Even(6)));
    }

    #[test]
    fn everybody_may_hold_one_place_however_many_there_are() {
        let shares = Shares::new(4);
        let projects: Vec<Arc<Share>> = (0..20).map(|_| Arc::default()).collect();
        let mut held = Vec::new();
        assert!(
            projects
                .iter()
                .all(|project| ask(&shares, project, &mut held, 4))
        );
        assert!(!ask(&shares, &projects[0], &mut held, 4));
    }
}
