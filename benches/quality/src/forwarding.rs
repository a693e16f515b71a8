//! Which rung of the source a viewer is sent: the allocator's choice, changed at key frames.
//!
//! What the Core will do, small. Must not know how packets leave, nor who estimates.

use crate::scenario::AUDIO_BITRATE;
use crate::source::Packet;
use std::time::Duration;
use tureen_congestion::allocator::{Allocator, Content, Ladder, Step};
use tureen_rtp_wire::Time;

/// A fall of the target below this part of what the rung takes leaves the rung at once, without waiting for a key frame.
const AT_ONCE: f64 = 0.7;
/// A key frame that did not come is asked for again.
const KEY_FRAME_PATIENCE: Duration = Duration::from_millis(300);
const CONSUMER: u64 = 1;

/// A change of rung.
#[derive(Clone, Copy, Debug)]
pub struct Switch {
    /// When the first packet of it was forwarded.
    pub at: Time,
    /// The rungs, from 1; 0 is none.
    pub from: usize,
    /// See `from`.
    pub to: usize,
}

/// Which rung is forwarded, and which is wanted.
#[derive(Debug)]
pub struct Forwarding {
    /// The changes of rung so far.
    pub switches: Vec<Switch>,
    ladder: Vec<u64>,
    allocator: Allocator,
    rung: Option<usize>,
    target: Option<usize>,
    asked: Option<Time>,
    /// The last key frame: nothing before it is of use.
    key_chain: u64,
    wanted_key: Option<usize>,
}

impl Forwarding {
    /// Nothing is forwarded yet of a source of these rates, in bits per second.
    pub fn new(ladder: &[u64]) -> Self {
        let steps: Vec<Step> =
            (0_u8..).zip(ladder).map(|(spatial, &bitrate)| Step { spatial, temporal: 0, bitrate }).collect();
        let mut allocator = Allocator::new();
        allocator.set(CONSUMER, Ladder::new(&steps, Content::Camera, None), 1);
        allocator.set_reserved(AUDIO_BITRATE);
        Self {
            switches: Vec::new(),
            ladder: ladder.to_vec(),
            allocator,
            rung: None,
            target: None,
            asked: None,
            key_chain: 0,
            wanted_key: None,
        }
    }

    /// Chooses by an estimate, what of it is for layers (both in bits per second), and how long what waits takes to leave.
    /// Says whether what waits is of no use from now on.
    pub fn allocate(&mut self, now: Time, estimate: u64, for_layers: u64, backlog: Duration) -> bool {
        self.allocator.update(now, for_layers, backlog);
        let step = self.allocator.grants().next().and_then(|grant| grant.step);
        let rung = step.map(|step| usize::from(step.spatial));
        let mut left = false;
        if rung != self.target {
            self.target = rung;
            let too_much = (estimate as f64) < self.rung_bitrate() as f64 * AT_ONCE;
            if rung.is_none() || (too_much && rung < self.rung) {
                self.leave(now);
                left = true;
            }
            self.asked = None;
        }
        let wanted = self.target.filter(|_| self.rung != self.target);
        if wanted.is_some() && self.asked.is_none_or(|at| now.since(at) > KEY_FRAME_PATIENCE) {
            self.ask(now, wanted);
        }
        left
    }

    /// The rates at which the next rung fits, and all: see [`Allocator::wanted`].
    pub fn wanted(&mut self) -> (u64, u64) {
        self.allocator.wanted()
    }

    /// The place in the chain of what is forwarded, of a packet that is to be.
    pub fn place(&mut self, now: Time, packet: Packet) -> Option<u64> {
        if packet.key && self.target == Some(packet.rung) && self.rung != self.target {
            let from = self.rung.map_or(0, |rung| rung + 1);
            self.switches.push(Switch { at: now, from, to: packet.rung + 1 });
            self.rung = self.target;
            self.asked = None;
        }
        if self.rung != Some(packet.rung) {
            return None;
        }
        // Frames follow each other at all rungs alike, so the source's number is the place in the chain.
        let chain = packet.frame;
        if packet.key {
            self.key_chain = chain;
            self.asked = None;
        }
        self.is_of_use(chain).then_some(chain)
    }

    /// Whether what has this place in the chain can still be decoded.
    pub const fn is_of_use(&self, chain: u64) -> bool {
        chain >= self.key_chain
    }

    /// The viewer asks for a key frame.
    pub fn on_key_frame_request(&mut self, now: Time) {
        self.ask(now, self.rung);
    }

    /// A frame could not be sent whole: what follows is of no use until a key frame.
    pub fn break_off(&mut self, now: Time) {
        self.leave(now);
        self.ask(now, self.target);
    }

    /// The rung of which a key frame is to be asked for, once.
    pub const fn take_key_frame_request(&mut self) -> Option<usize> {
        self.wanted_key.take()
    }

    /// Bits per second of the rung that is forwarded.
    pub fn rung_bitrate(&self) -> u64 {
        self.rung.and_then(|rung| self.ladder.get(rung)).copied().unwrap_or(0)
    }

    fn ask(&mut self, now: Time, rung: Option<usize>) {
        self.wanted_key = rung.or(self.wanted_key);
        self.asked = Some(now);
    }

    /// Forwards no pictures until a key frame comes.
    fn leave(&mut self, now: Time) {
        if let Some(rung) = self.rung.take() {
            self.switches.push(Switch { at: now, from: rung + 1, to: 0 });
        }
    }
}
