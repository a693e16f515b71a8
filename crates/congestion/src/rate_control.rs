//! From the detector's signal and what arrives to a bitrate: additive and multiplicative increase, multiplicative
//! decrease (draft-ietf-rmcat-gcc-02 section 5.5).
//!
//! No powers and logarithms: their last digit differs between platforms, and equal input must give equal output.

use crate::link_capacity::LinkCapacity;
use crate::overuse::Usage;
use std::time::Duration;
use tureen_rtp_wire::Time;

/// `beta`: what remains of the rate that arrives when queues grow.
const DECREASE: f64 = 0.85;
/// `eta - 1`: growth a second while the capacity of the link is not known.
const INCREASE: f64 = 0.08;
/// The estimate is not raised above this part of the rate that arrives, and [`SLACK`].
const MAX_LEAD: f64 = 1.5;
const SLACK: f64 = 10_000.0;
/// Bits per second that a slow increase adds each second at the least.
const MIN_SLOW_INCREASE: f64 = 4_000.0;
/// The round trip until one is measured.
const DEFAULT_ROUND_TRIP: Duration = Duration::from_millis(200);

/// Bits per second below and above which no estimate goes.
pub(crate) const MIN_BITRATE: f64 = 10_000.0;
pub(crate) const MAX_BITRATE: f64 = 10e9;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Hold,
    Increase,
}

/// The controller.
#[derive(Clone, Debug)]
pub(crate) struct RateControl {
    estimate: Option<f64>,
    state: State,
    capacity: Option<LinkCapacity>,
    updated: Time,
    decreased: Option<Time>,
    round_trip: Duration,
}

impl RateControl {
    pub(crate) const fn new() -> Self {
        Self {
            estimate: None,
            state: State::Hold,
            capacity: None,
            updated: Time::ZERO,
            decreased: None,
            round_trip: DEFAULT_ROUND_TRIP,
        }
    }

    pub(crate) const fn estimate(&self) -> Option<f64> {
        self.estimate
    }

    pub(crate) const fn set_round_trip(&mut self, round_trip: Duration) {
        self.round_trip = round_trip;
    }

    /// Takes the detector's signal and the rate that arrives, both of `now`.
    pub(crate) fn update(&mut self, now: Time, usage: Usage, incoming: f64) {
        let passed = now.since(self.updated).min(Duration::from_secs(1)).as_secs_f64();
        self.updated = now;
        let Some(estimate) = self.estimate else {
            self.estimate = Some((MAX_LEAD * incoming + SLACK).clamp(MIN_BITRATE, MAX_BITRATE));
            return;
        };
        match (usage, self.state) {
            (Usage::Over, _) => self.decrease(now, estimate, incoming),
            (Usage::Under, _) => self.state = State::Hold,
            (Usage::Normal, State::Hold) => self.state = State::Increase,
            (Usage::Normal, State::Increase) => self.increase(estimate, incoming, passed),
        }
    }

    fn decrease(&mut self, now: Time, estimate: f64, incoming: f64) {
        self.state = State::Hold;
        // The sender needs a round trip to follow, unless far less arrives than it may send.
        let pause = self.round_trip.clamp(Duration::from_millis(10), Duration::from_millis(200));
        let again = self.decreased.is_none_or(|at| now.since(at) >= pause) || incoming < estimate / 2.0;
        if !again {
            return;
        }
        self.decreased = Some(now);
        if self.capacity.is_some_and(|capacity| !capacity.is_near(incoming)) {
            self.capacity = None;
        }
        self.capacity = Some(LinkCapacity::update(self.capacity, incoming));
        self.estimate = Some((DECREASE * incoming).min(estimate).max(MIN_BITRATE));
    }

    fn increase(&mut self, estimate: f64, incoming: f64, passed: f64) {
        if self.capacity.is_some_and(|capacity| incoming > capacity.mean() && !capacity.is_near(incoming)) {
            // More arrives than the link was thought to carry.
            self.capacity = None;
        }
        let per_second = match self.capacity {
            Some(_) => self.slow_increase(estimate),
            None => estimate * INCREASE,
        };
        let limit = (MAX_LEAD * incoming + SLACK).max(estimate);
        self.estimate = Some((estimate + per_second * passed).min(limit).min(MAX_BITRATE));
    }

    /// Half a packet for each time that the sender takes to respond, in bits per second and second (section 5.5).
    fn slow_increase(&self, estimate: f64) -> f64 {
        let frame = estimate / 30.0;
        let packet = frame / (frame / (1200.0 * 8.0)).ceil().max(1.0);
        let response = (self.round_trip + Duration::from_millis(100)).as_secs_f64();
        (0.5 * packet / response).max(MIN_SLOW_INCREASE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(control: &mut RateControl, from: u64, to: u64, usage: Usage, incoming: f64) -> f64 {
        for millis in (from..to).step_by(20) {
            control.update(Time::from_millis(millis), usage, incoming);
        }
        control.estimate().expect("it was updated")
    }

    #[test]
    fn it_starts_above_what_arrives_and_falls_below_it_when_queues_grow() {
        let mut control = RateControl::new();
        assert_eq!(run(&mut control, 0, 20, Usage::Normal, 1e6), 1.51e6);
        assert_eq!(run(&mut control, 20, 40, Usage::Over, 1e6), 0.85e6);
        assert_eq!(run(&mut control, 40, 60, Usage::Over, 0.9e6), 0.85e6, "not twice within a round trip");
        assert!(run(&mut control, 260, 280, Usage::Over, 0.9e6) < 0.77e6);
    }

    #[test]
    fn it_grows_by_eight_percent_a_second_and_slowly_near_the_capacity() {
        let mut control = RateControl::new();
        run(&mut control, 0, 40, Usage::Normal, 0.5e6);
        let start = control.estimate().expect("it was updated");
        let grown = run(&mut control, 40, 1040, Usage::Normal, 1e6) / start;
        assert!((1.075..1.09).contains(&grown), "{grown}");

        let low = run(&mut control, 1040, 1060, Usage::Over, 0.8e6);
        let slow = run(&mut control, 1060, 2060, Usage::Normal, 0.8e6) - low;
        assert!((4_000.0..25_000.0).contains(&slow), "{slow}");
    }

    #[test]
    fn it_does_not_run_away_from_what_arrives() {
        let mut control = RateControl::new();
        assert_eq!(run(&mut control, 0, 60_000, Usage::Normal, 1e6), 1.51e6);
    }
}
