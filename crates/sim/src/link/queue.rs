//! A link that keeps the packets too: push them in at one end, take them out at the other when they are due.
//!
//! It must not know who drives it: an event loop in virtual time asks for [`LinkQueue::next_deadline`], a relay in real
//! time sleeps until then.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use tureen_rtp_wire::Time;

use super::{Delivery, Link};

/// A [`Link`] and the packets under way on it.
#[derive(Clone, Debug)]
pub struct LinkQueue<P> {
    link: Link,
    under_way: BinaryHeap<UnderWay<P>>,
    pushed: u64,
}

impl<P: Clone> LinkQueue<P> {
    /// An empty queue in front of and on `link`.
    pub const fn new(link: Link) -> Self {
        Self { link, under_way: BinaryHeap::new(), pushed: 0 }
    }

    /// Sends `packet`, which takes up `size` bytes on the link, and says what becomes of it.
    pub fn push(&mut self, now: Time, packet: P, size: usize) -> Delivery {
        let delivery = self.link.send(now, size);
        if let Delivery::Twice(_, again) = delivery {
            self.insert(again, packet.clone());
        }
        if let Delivery::Once(at) | Delivery::Twice(at, _) = delivery {
            self.insert(at, packet);
        }
        delivery
    }

    /// Sends `packet` past the link: it arrives now, after what is due already.
    pub fn bypass(&mut self, now: Time, packet: P) {
        self.insert(now, packet);
    }

    /// The next packet that has arrived by `now`, with its time of arrival.
    pub fn pop(&mut self, now: Time) -> Option<(Time, P)> {
        if self.next_deadline()? > now {
            return None;
        }
        self.under_way.pop().map(|next| (next.at, next.packet))
    }

    /// When the next packet arrives.
    pub fn next_deadline(&self) -> Option<Time> {
        self.under_way.peek().map(|next| next.at)
    }

    /// The link below.
    pub const fn link(&self) -> &Link {
        &self.link
    }

    /// As [`Link::set_rate`].
    pub fn set_rate(&mut self, rate: Option<u64>) {
        self.link.set_rate(rate);
    }

    fn insert(&mut self, at: Time, packet: P) {
        self.under_way.push(UnderWay { at, order: self.pushed, packet });
        self.pushed += 1;
    }
}

/// A packet and its arrival. The greatest is the one that arrives first, and was sent first where times are equal.
#[derive(Clone, Debug)]
struct UnderWay<P> {
    at: Time,
    order: u64,
    packet: P,
}

impl<P> Ord for UnderWay<P> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

impl<P> PartialOrd for UnderWay<P> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<P> PartialEq for UnderWay<P> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<P> Eq for UnderWay<P> {}
