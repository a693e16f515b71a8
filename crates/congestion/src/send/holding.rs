//! How long the way holds packets back and then lets them go at once, as radio links do: that looks like a queue and is none.
//!
//! A queue lengthens a delay by what stands in it, and shortens it no faster than the link carries. Where a delay rises with one
//! packet and then falls by all the time that passes between the sendings of the next ones, these stood behind a closed door.
//! Must not know queues, nor what is concluded.

use std::time::Duration;
use tureen_rtp_wire::Time;

/// This part of the time between two sendings must be gone on arrival, or the two were not held back.
const STEEP: f64 = 0.75;
/// Weight of a time that is longer than those before, and of a shorter one: what is followed is near the longest.
const LONGER: f64 = 1.0 / 8.0;
const SHORTER: f64 = 1.0 / 128.0;
/// The most that a time counts for, in microseconds.
const MOST: f64 = 100_000.0;
/// What is known fades over about this long where nothing is held back.
const FADING: Duration = Duration::from_secs(20);

/// A rise of the delay by less, in microseconds, is a burst of somebody's.
const LITTLE: f64 = 8_000.0;

/// A packet as it arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub sent: Time,
    /// Its delay was so many microseconds longer than that of the packet before.
    pub longer: f64,
    /// Its bytes, with those of packets that were lost just before it.
    pub bytes: u32,
}

/// Follows what is held back, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holding {
    last: Option<Time>,
    /// The largest single rise of the delay since the last fall, and its bytes.
    rise: Option<(f64, u32)>,
    /// What of a rise is more than its bytes took, where packets came right behind it.
    behind: Option<f64>,
    held: f64,
}

impl Holding {
    pub(crate) const fn new() -> Self {
        Self { last: None, rise: None, behind: None, held: 0.0 }
    }

    pub(crate) fn on_packet(&mut self, Step { sent, longer, bytes }: Step) {
        let apart = self.last.map_or(Duration::ZERO, |last| sent.since(last)).as_secs_f64();
        self.last = Some(sent);
        self.held -= self.held * (apart / FADING.as_secs_f64()).min(1.0);
        let apart = apart * 1e6;
        if longer >= 0.0 {
            if let Some(held) = self.behind.take() {
                self.take(held);
                self.rise = None;
            }
            if self.rise.is_none_or(|(rise, _)| longer > rise) {
                self.rise = Some((longer, bytes));
            }
        } else if -longer >= STEEP * apart
            && let Some((rise, of)) = self.rise.filter(|_| self.behind.is_none())
        {
            let took = (apart + longer).max(0.0) / f64::from(bytes.max(1)) * f64::from(of);
            self.behind = Some((rise - took - LITTLE).clamp(0.0, MOST));
        }
    }

    /// Near the longest time that packets are held back, in microseconds.
    pub(crate) const fn micros(&self) -> f64 {
        self.held
    }

    fn take(&mut self, held: f64) {
        let weight = if held > self.held { LONGER } else { SHORTER };
        self.held += weight * (held - self.held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends a packet each 10 ms for 5 s; `arrival` says when each comes, in milliseconds.
    fn held(arrival: impl Fn(u64) -> f64) -> f64 {
        let mut holding = Holding::new();
        let mut last = None;
        for at in (0..5_000).step_by(10) {
            let delay = (arrival(at) - at as f64) * 1000.0;
            let longer = delay - last.replace(delay).unwrap_or(delay);
            holding.on_packet(Step { sent: Time::from_millis(at), longer, bytes: 1200 });
        }
        holding.micros()
    }

    #[test]
    fn a_door_that_opens_each_tenth_of_a_second_holds_back() {
        let door = held(|at| at.next_multiple_of(100) as f64);
        assert!((70_000.0..=90_000.0).contains(&door), "{door}");
    }

    #[test]
    fn a_queue_that_grows_and_drains_holds_nothing_back() {
        // Grows by half of the time for a second, and drains as fast for another.
        let queue = held(|at| {
            let phase = (at % 2000) as f64;
            at as f64 + if phase < 1000.0 { phase / 2.0 } else { 1000.0 - phase / 2.0 }
        });
        assert!(queue < 1_000.0, "{queue}");
    }
}
