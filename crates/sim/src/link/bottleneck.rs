//! The bottleneck of a link: a drop-tail queue in front of a serialiser whose rate follows a schedule.
//!
//! It must not know of loss or delay behind it.

use std::collections::VecDeque;
use std::time::Duration;

use tureen_rtp_wire::Time;

use super::{QueueLimit, RateChange};

const NANOS: u128 = 1_000_000_000;

#[derive(Clone, Debug)]
pub(super) struct Bottleneck {
    /// The rate in force, and what follows.
    rate: Option<u64>,
    schedule: VecDeque<RateChange>,
    limit: QueueLimit,
    /// When the last accepted packet will have left, and the steps of the schedule before that are used up.
    busy_until: Time,
    waiting: VecDeque<(Time, usize)>,
    waiting_bytes: usize,
}

impl Bottleneck {
    pub(super) fn new(rate: Option<u64>, schedule: Vec<RateChange>, limit: QueueLimit) -> Self {
        Self {
            rate,
            schedule: schedule.into(),
            limit,
            busy_until: Time::ZERO,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
        }
    }

    /// When the last bit of a packet that comes now will have left, or `None` if it is dropped.
    pub(super) fn enqueue(&mut self, now: Time, size: usize) -> Option<Time> {
        self.forget_departed(now);
        if self.is_full(now, size) {
            return None;
        }
        let departure = self.serialise(now.max(self.busy_until), size);
        self.busy_until = departure;
        if departure == Time::NEVER {
            return None;
        }
        self.waiting.push_back((departure, size));
        self.waiting_bytes += size;
        Some(departure)
    }

    /// The rate from now on; what was to follow is forgotten. What was accepted leaves as it was to.
    pub(super) fn set_rate(&mut self, rate: Option<u64>) {
        self.rate = rate;
        self.schedule.clear();
    }

    /// How long what was accepted keeps the serialiser busy.
    pub(super) fn waiting_time(&self, now: Time) -> Duration {
        self.busy_until.since(now)
    }

    fn forget_departed(&mut self, now: Time) {
        while let Some(&(departure, size)) = self.waiting.front()
            && departure <= now
        {
            self.waiting.pop_front();
            self.waiting_bytes -= size;
        }
    }

    fn is_full(&self, now: Time, size: usize) -> bool {
        match self.limit {
            QueueLimit::Unlimited => false,
            QueueLimit::Bytes(limit) => self.waiting_bytes.saturating_add(size) > limit,
            QueueLimit::Delay(limit) => self.waiting_time(now) > limit,
        }
    }

    /// Spends the packet's bits on the rates in force from `start` on, and uses up the schedule on the way.
    fn serialise(&mut self, start: Time, size: usize) -> Time {
        // In units of bit * ns / s, so that a step in the middle of a packet loses nothing to rounding.
        let mut left = size as u128 * 8 * NANOS;
        let mut at = start;
        loop {
            let step = self.schedule.front().map_or(Time::NEVER, |next| next.at);
            if step > at {
                let needed = match self.rate {
                    None => Some(0),
                    Some(0) => None,
                    Some(rate) => Some(left.div_ceil(u128::from(rate))),
                };
                let span = u128::from(step.as_nanos() - at.as_nanos());
                if let Some(needed) = needed.filter(|&needed| needed <= span) {
                    return Time::from_nanos(at.as_nanos() + needed as u64);
                }
                left = left.saturating_sub(span * u128::from(self.rate.unwrap_or(0)));
                at = step;
            }
            match self.schedule.pop_front() {
                Some(next) => self.rate = next.rate,
                None => return Time::NEVER,
            }
        }
    }
}
