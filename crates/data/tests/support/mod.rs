//! Two associations and a link between them in virtual time, which loses, delays and reorders by a seed.
#![allow(dead_code, reason = "each test takes what it needs")]

use bytes::Bytes;
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;
use tureen_data::{Association, AssociationEvent, AssociationOptions, Message};
use tureen_rtp_dictionaries::SctpState;
use tureen_rtp_wire::Time;

/// What a link does to datagrams, either way.
#[derive(Clone, Copy)]
pub(crate) struct Link {
    /// Lost ones in a thousand.
    pub(crate) loss: u32,
    /// The shortest delay in milliseconds.
    pub(crate) delay: u64,
    /// What may come on top of it, in milliseconds.
    pub(crate) jitter: u64,
}

impl Link {
    pub(crate) const GOOD: Self = Self { loss: 0, delay: 10, jitter: 0 };
    pub(crate) const BAD: Self = Self { loss: 50, delay: 10, jitter: 8 };
}

pub(crate) struct Pair {
    pub(crate) now: Time,
    pub(crate) sides: [Association; 2],
    pub(crate) received: [Vec<Message>; 2],
    pub(crate) other_events: [Vec<AssociationEvent>; 2],
    link: Link,
    rng: Pcg64Mcg,
    under_way: BinaryHeap<Reverse<(Time, u64, usize, Bytes)>>,
    sent: u64,
    pub(crate) largest_datagram: usize,
}

impl Pair {
    pub(crate) fn new(link: Link, seed: u64, options: [AssociationOptions; 2]) -> Self {
        let now = Time::from_millis(5);
        Self {
            now,
            sides: options.map(|options| Association::new(now, options).expect("good options")),
            received: Default::default(),
            other_events: Default::default(),
            link,
            rng: Pcg64Mcg::seed_from_u64(seed),
            under_way: BinaryHeap::new(),
            sent: 0,
            largest_datagram: 0,
        }
    }

    /// Both begin, and have come to an association.
    pub(crate) fn connected(link: Link, seed: u64, options: AssociationOptions) -> Self {
        let mut pair = Self::new(link, seed, [options; 2]);
        pair.run(Duration::from_secs(600), |pair| pair.states() == [SctpState::Connected; 2]);
        assert_eq!(pair.states(), [SctpState::Connected; 2]);
        pair
    }

    pub(crate) fn states(&self) -> [SctpState; 2] {
        [self.sides[0].state(), self.sides[1].state()]
    }

    pub(crate) fn set_link(&mut self, link: Link) {
        self.link = link;
    }

    /// Takes out what both sides say.
    pub(crate) fn collect(&mut self) {
        for from in 0..2 {
            while let Some(datagram) = self.sides[from].poll_transmit() {
                self.largest_datagram = self.largest_datagram.max(datagram.len());
                if self.rng.next_u32() % 1000 < self.link.loss {
                    continue;
                }
                let jitter = u64::from(self.rng.next_u32()) % (self.link.jitter * 1000 + 1);
                let delay = Duration::from_micros(self.link.delay * 1000 + jitter);
                self.sent += 1;
                self.under_way.push(Reverse((self.now + delay, self.sent, 1 - from, datagram)));
            }
            while let Some(event) = self.sides[from].poll_event() {
                match event {
                    AssociationEvent::Message(message) => self.received[from].push(message),
                    other => self.other_events[from].push(other),
                }
            }
        }
    }

    /// Lets time pass until `done` or for `longest`.
    pub(crate) fn run(&mut self, longest: Duration, done: impl Fn(&Self) -> bool) {
        let end = self.now + longest;
        loop {
            self.collect();
            if done(self) {
                return;
            }
            let arrival = self.under_way.peek().map_or(Time::NEVER, |Reverse(next)| next.0);
            let due = [0, 1].map(|side| self.sides[side].poll_timeout());
            let next = arrival.min(due[0]).min(due[1]);
            if next > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
            for (side, due) in self.sides.iter_mut().zip(due) {
                if due <= self.now {
                    side.handle_timeout(self.now);
                }
            }
            while let Some(Reverse((at, ..))) = self.under_way.peek()
                && *at <= self.now
                && let Some(Reverse((_, _, to, datagram))) = self.under_way.pop()
            {
                self.sides[to].handle_datagram(self.now, &datagram);
            }
        }
    }
}
