//! One direction of an impaired network path: rate and queue, then loss, delay, jitter, reordering and duplication.
//!
//! The model is seeded and clock-free: the same seed and the same sequence of calls give the same deliveries, bit for
//! bit. It must not know what a packet holds, who sent it, or what time it is beyond the `now` it is given.
//!
//! A packet passes the bottleneck first (drop-tail queue, then serialisation at the rate in force), and the path behind
//! it afterwards. So a packet that the path loses has used up its share of the rate, and a duplicate has not.
//!
//! ```
//! use std::time::Duration;
//! use tureen_rtp_wire::Time;
//! use tureen_sim::link::{Delivery, Link, LinkConfig};
//!
//! // 1 Mbit/s carries 1250 bytes in 10 ms; the path takes 30 ms more.
//! let config = LinkConfig { rate: Some(1_000_000), delay: Duration::from_millis(30), ..LinkConfig::default() };
//! let mut link = Link::new(config, 7);
//! assert_eq!(link.send(Time::ZERO, 1250), Delivery::Once(Time::from_millis(40)));
//! assert_eq!(link.send(Time::ZERO, 1250), Delivery::Once(Time::from_millis(50)));
//! ```

mod bottleneck;
mod queue;
#[cfg(test)]
mod tests;

use std::time::Duration;

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use tureen_rtp_wire::Time;

use self::bottleneck::Bottleneck;
pub use self::queue::LinkQueue;

/// What a [`Link`] does to the packets it carries. The default is a perfect path: nothing happens, at once.
///
/// Probabilities are shares from 0 to 1, drawn for each packet; what lies outside counts as the nearer end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkConfig {
    /// Rate of the bottleneck in bit/s; `None`: no bottleneck; `Some(0)`: nothing passes.
    pub rate: Option<u64>,
    /// Later rates, in the order of their time. Each holds until the next, also for a packet half-way through.
    pub schedule: Vec<RateChange>,
    /// How much may wait in front of the bottleneck.
    pub queue: QueueLimit,
    /// Fixed delay of the path.
    pub delay: Duration,
    /// Further delay, drawn for each packet evenly between zero and this.
    pub jitter: Duration,
    /// Whether jitter lets a packet overtake an earlier one. Otherwise an early packet waits for the one before it.
    pub jitter_reorders: bool,
    /// Loss behind the bottleneck.
    pub loss: Loss,
    /// Probability that a packet is held back by [`reorder_delay`](Self::reorder_delay), so that later ones overtake it.
    pub reorder: f64,
    /// How long a reordered packet is held back.
    pub reorder_delay: Duration,
    /// Probability that a packet arrives twice.
    pub duplicate: f64,
}

/// A step in the capacity of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateChange {
    /// From when on.
    pub at: Time,
    /// Rate in bit/s, as [`LinkConfig::rate`].
    pub rate: Option<u64>,
}

/// Limit of the drop-tail queue in front of the bottleneck.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueLimit {
    /// Nothing is dropped for want of room, however long it has to wait.
    #[default]
    Unlimited,
    /// A packet is dropped where it and those before it, with the one on its way through, exceed so many bytes.
    Bytes(usize),
    /// A packet is dropped where it would wait longer than this before its first bit goes out.
    Delay(Duration),
}

/// How packets are lost behind the bottleneck.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Loss {
    /// None.
    #[default]
    None,
    /// Each packet with this probability, whatever happened to the others.
    Random(f64),
    /// Bursts: a two-state Markov chain that steps once a packet (E. N. Gilbert 1960, E. O. Elliott 1963).
    GilbertElliott {
        /// Probability of the step from the good to the bad state.
        to_bad: f64,
        /// Probability of the step from the bad to the good state; the mean burst is its inverse.
        to_good: f64,
        /// Loss in the good state.
        good_loss: f64,
        /// Loss in the bad state.
        bad_loss: f64,
    },
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It does not arrive.
    Dropped(LinkDrop),
    /// It arrives at this time.
    Once(Time),
    /// It arrives at both times, the earlier first.
    Twice(Time, Time),
}

impl Delivery {
    /// The times of arrival: none, one or two.
    pub fn arrivals(self) -> impl Iterator<Item = Time> {
        let (first, second) = match self {
            Self::Dropped(_) => (None, None),
            Self::Once(at) => (Some(at), None),
            Self::Twice(at, again) => (Some(at), Some(again)),
        };
        first.into_iter().chain(second)
    }
}

/// Why a packet does not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkDrop {
    /// The queue was full, or the rate is zero for good.
    Queue,
    /// The path lost it.
    Loss,
}

/// Counts of a [`Link`], in packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Handed to the link.
    pub sent: u64,
    /// Dropped in front of the bottleneck.
    pub dropped_queue: u64,
    /// Lost on the path.
    pub dropped_loss: u64,
    /// Held back.
    pub reordered: u64,
    /// Delivered twice (counted once).
    pub duplicated: u64,
}

impl LinkStats {
    /// Packets that did not arrive.
    pub const fn dropped(&self) -> u64 {
        self.dropped_queue + self.dropped_loss
    }

    /// Packets that arrived, a duplicate counted once.
    pub const fn passed(&self) -> u64 {
        self.sent - self.dropped()
    }
}

/// One direction of an impaired path.
#[derive(Clone, Debug)]
pub struct Link {
    config: LinkConfig,
    bottleneck: Bottleneck,
    rng: Pcg64Mcg,
    burst: bool,
    newest: Time,
    last_in_order: Time,
    stats: LinkStats,
}

impl Link {
    /// A link as configured. The seed decides every draw.
    pub fn new(config: LinkConfig, seed: u64) -> Self {
        Self {
            bottleneck: Bottleneck::new(config.rate, config.schedule.clone(), config.queue),
            config,
            rng: Pcg64Mcg::seed_from_u64(seed),
            burst: false,
            newest: Time::ZERO,
            last_in_order: Time::ZERO,
            stats: LinkStats::default(),
        }
    }

    /// Sends a packet of `size` bytes and says when it arrives.
    ///
    /// `now` does not go back: an earlier time than that of the last call counts as that one.
    pub fn send(&mut self, now: Time, size: usize) -> Delivery {
        self.newest = self.newest.max(now);
        self.stats.sent += 1;
        // Always the same number of draws: one impairment more or less leaves the draws of the others alone.
        let draws = Draws::from_rng(&mut self.rng);
        let Some(departure) = self.bottleneck.enqueue(self.newest, size) else {
            self.stats.dropped_queue += 1;
            return Delivery::Dropped(LinkDrop::Queue);
        };
        if self.is_lost(&draws) {
            self.stats.dropped_loss += 1;
            return Delivery::Dropped(LinkDrop::Loss);
        }
        let arrival = self.arrival(departure, &draws);
        if draws.duplicate < self.config.duplicate {
            self.stats.duplicated += 1;
            return Delivery::Twice(arrival, arrival);
        }
        Delivery::Once(arrival)
    }

    /// Changes the rate of the bottleneck, as [`LinkConfig::rate`] has it, for packets that come from now on. Later steps of the
    /// [`schedule`](LinkConfig::schedule) are forgotten.
    pub fn set_rate(&mut self, rate: Option<u64>) {
        self.bottleneck.set_rate(rate);
    }

    /// How long a packet that comes now would wait in front of the bottleneck before its first bit goes out.
    pub fn queue_delay(&self, now: Time) -> Duration {
        self.bottleneck.waiting_time(now)
    }

    /// What happened so far.
    pub const fn stats(&self) -> LinkStats {
        self.stats
    }

    fn is_lost(&mut self, draws: &Draws) -> bool {
        match self.config.loss {
            Loss::None => false,
            Loss::Random(share) => draws.loss < share,
            Loss::GilbertElliott { to_bad, to_good, good_loss, bad_loss } => {
                let lost = draws.loss < if self.burst { bad_loss } else { good_loss };
                if draws.step < if self.burst { to_good } else { to_bad } {
                    self.burst = !self.burst;
                }
                lost
            }
        }
    }

    fn arrival(&mut self, departure: Time, draws: &Draws) -> Time {
        let mut arrival = departure + self.config.delay + self.config.jitter.mul_f64(draws.jitter);
        if !self.config.jitter_reorders {
            arrival = arrival.max(self.last_in_order);
        }
        if draws.reorder < self.config.reorder {
            self.stats.reordered += 1;
            return arrival + self.config.reorder_delay;
        }
        self.last_in_order = arrival;
        arrival
    }
}

/// The random numbers of one packet, each in [0, 1).
struct Draws {
    loss: f64,
    step: f64,
    jitter: f64,
    reorder: f64,
    duplicate: f64,
}

impl Draws {
    fn from_rng(rng: &mut Pcg64Mcg) -> Self {
        Self { loss: unit(rng), step: unit(rng), jitter: unit(rng), reorder: unit(rng), duplicate: unit(rng) }
    }
}

/// An even draw from [0, 1) with the 53 bits that an `f64` holds.
fn unit(rng: &mut Pcg64Mcg) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}
