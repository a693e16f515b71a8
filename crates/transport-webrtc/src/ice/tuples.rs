//! The tuples that a valid request came from, which of them is selected, and when consent on each runs out.
//! Knows no STUN.

use smallvec::SmallVec;
use std::time::Duration;
use tureen_rtp_wire::Time;
use tureen_transport::{Arrival, IceTuple, SocketId};

/// Tuples that are kept at most.
pub(crate) const MAX_TUPLES: usize = 8;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Tuple {
    pub(crate) arrival: Arrival,
    /// How it is called outside.
    pub(crate) tuple: IceTuple,
    /// When the last valid request came: the remote's consent (RFC 7675 section 5).
    pub(crate) confirmed: Time,
}

/// Up to [`MAX_TUPLES`] tuples, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Tuples {
    tuples: SmallVec<[Tuple; MAX_TUPLES]>,
    selected: Option<Arrival>,
}

impl Tuples {
    pub(crate) fn contains(&self, arrival: Arrival) -> bool {
        self.selected == Some(arrival) || self.tuples.iter().any(|tuple| tuple.arrival == arrival)
    }

    pub(crate) fn uses(&self, socket: SocketId) -> bool {
        self.tuples.iter().any(|tuple| tuple.arrival.socket == socket)
    }

    pub(crate) fn selected(&self) -> Option<Arrival> {
        self.selected
    }

    pub(crate) fn selected_tuple(&self) -> Option<IceTuple> {
        let selected = self.selected?;
        self.tuples.iter().find(|tuple| tuple.arrival == selected).map(|tuple| tuple.tuple)
    }

    /// Notes consent on a known tuple; false for one that is not known.
    pub(crate) fn confirm(&mut self, now: Time, arrival: Arrival) -> bool {
        let known = self.tuples.iter_mut().find(|tuple| tuple.arrival == arrival);
        known.map(|tuple| tuple.confirmed = now).is_some()
    }

    /// Adds a tuple that is not known yet; returns the one that made room.
    pub(crate) fn add(&mut self, tuple: Tuple) -> Option<Tuple> {
        let evicted = if self.tuples.len() >= MAX_TUPLES {
            let oldest = self.tuples.iter().position(|tuple| self.selected != Some(tuple.arrival));
            oldest.map(|index| self.tuples.remove(index))
        } else {
            None
        };
        self.tuples.push(tuple);
        evicted
    }

    /// Selects a known tuple; says whether that is news.
    pub(crate) fn select(&mut self, arrival: Arrival) -> bool {
        let news = self.selected != Some(arrival);
        self.selected = Some(arrival);
        news
    }

    /// Removes one tuple that `gone` says is gone. The selected one is followed by the one confirmed last.
    pub(crate) fn remove(&mut self, gone: impl Fn(&Tuple) -> bool) -> Option<Tuple> {
        let index = self.tuples.iter().position(gone)?;
        let removed = self.tuples.remove(index);
        if self.selected == Some(removed.arrival) {
            self.selected = self.tuples.iter().max_by_key(|tuple| tuple.confirmed).map(|tuple| tuple.arrival);
        }
        Some(removed)
    }

    /// When the first consent runs out.
    pub(crate) fn next_expiry(&self, consent: Duration) -> Time {
        self.tuples.iter().map(|tuple| tuple.confirmed + consent).min().unwrap_or(Time::NEVER)
    }
}
