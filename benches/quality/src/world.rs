//! One run of a scenario: source, server's ends, links, viewers and a rival in virtual time.
//!
//! What happens next is the earliest event; equal times keep their order. Must not know what numbers people want of it.

use crate::ends::{Carried, Ends, Leaving, Said};
use crate::metrics::{Metrics, Recorder, Sample, Watched};
use crate::pair::PairError;
use crate::random::Random;
use crate::rival::Rival;
use crate::scenario::{AUDIO_PACKET, Scenario};
use crate::source::{FRAME_INTERVAL, Packet, Source};
use crate::system::System;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;
use tureen_rtp_wire::Time;
use tureen_sim::link::{Delivery, Link};

const AUDIO_INTERVAL: Duration = Duration::from_millis(20);
const SAMPLE_INTERVAL: Duration = Duration::from_millis(10);
/// A packet that the uplink lost reaches the server this much later, sent again.
const UPLINK_REPAIR: Duration = Duration::from_millis(50);

#[derive(Clone, Debug)]
enum Event {
    Frame,
    Audio,
    Sample,
    Late(Packet),
    Server(usize),
    Viewer(usize),
    Arrival { viewer: usize, size: u16, carried: Carried },
    Said { viewer: usize, said: Said },
    RivalArrival(u64),
    RivalAnswer(u64),
    RivalWake,
}

/// Ordered by time, then by its number.
#[derive(Clone, Debug)]
struct Entry {
    at: Time,
    number: u64,
    event: Event,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

#[derive(Debug)]
struct Viewer {
    joins: Time,
    ends: Ends,
    recorder: Recorder,
    link: usize,
    server_wake: Wake,
    viewer_wake: Wake,
}

/// The wake-ups of an end that are in the heap.
#[derive(Clone, Copy, Debug)]
struct Wake {
    earliest: Time,
    last: Option<Time>,
}

impl Wake {
    const NONE: Self = Self { earliest: Time::NEVER, last: None };

    /// Whether one at this time is to be planned: not where an earlier one is.
    fn plans(&mut self, at: Time) -> bool {
        let plans = at < self.earliest;
        if plans {
            self.earliest = at;
        }
        plans
    }

    /// Takes one out. Those that come together are one, or each would plan the next.
    fn is_due(&mut self, now: Time) -> bool {
        let is_due = self.earliest == now || self.last != Some(now);
        if is_due {
            *self = Self { earliest: Time::NEVER, last: Some(now) };
        }
        is_due
    }
}

#[derive(Debug)]
struct World<'s> {
    scenario: &'s Scenario,
    source: Source,
    viewers: Vec<Viewer>,
    links: Vec<Link>,
    rival: Option<Rival>,
    rival_wake: Time,
    events: BinaryHeap<Reverse<Entry>>,
    random: Random,
    number: u64,
    frame_at: Time,
}

/// Runs a scenario with this project's estimator.
pub fn run(scenario: &Scenario, seed: u64) -> Metrics {
    run_with(System::Tureen, scenario, seed).expect("only endpoints give up, and this system has none")
}

/// Runs a scenario with a system's estimator.
///
/// # Errors
/// If endpoints do not connect, or give up on the way.
pub fn run_with(system: System, scenario: &Scenario, seed: u64) -> Result<Metrics, PairError> {
    let mut world = World::new(system, scenario, seed)?;
    let end = Time::ZERO + scenario.duration;
    while let Some(Reverse(entry)) = world.events.pop() {
        if entry.at >= end {
            break;
        }
        world.happen(entry.at, entry.event);
    }
    let switches = world.source.key_frames();
    let rival = world.rival.as_ref().map(Rival::delivered);
    let finish = |Viewer { joins, ends, recorder, .. }| {
        ends.finish().map(|(decoder, switches)| (joins, recorder, decoder, switches))
    };
    let viewers: Vec<Watched> = world.viewers.into_iter().map(finish).collect::<Result<_, _>>()?;
    Ok(Metrics::of(scenario, &viewers, rival, switches))
}

impl<'s> World<'s> {
    fn new(system: System, scenario: &'s Scenario, seed: u64) -> Result<Self, PairError> {
        let links = if scenario.shared { 1 } else { scenario.viewers };
        let viewer = |number: usize| {
            let joins = Time::from_millis(if scenario.shared { 0 } else { number as u64 * 10 });
            Ok(Viewer {
                joins,
                ends: Ends::new(system, scenario, joins)?,
                recorder: Recorder::default(),
                link: if scenario.shared { 0 } else { number },
                server_wake: Wake::NONE,
                viewer_wake: Wake::NONE,
            })
        };
        let mut world = Self {
            scenario,
            source: Source::new(scenario.ladder, seed.wrapping_mul(3)),
            viewers: (0..scenario.viewers).map(viewer).collect::<Result<_, PairError>>()?,
            links: (0..links as u64)
                .map(|link| Link::new(scenario.link(), seed.wrapping_mul(1000) + link))
                .collect(),
            rival: scenario.rival.map(|kind| Rival::new(kind, scenario.delay, seed)),
            rival_wake: Time::NEVER,
            events: BinaryHeap::new(),
            random: Random::new(seed ^ 0x5eed),
            number: 0,
            frame_at: Time::ZERO,
        };
        // Frames do not begin with the scenario, so that no change of capacity falls together with one in all seeds.
        let begin = Time::ZERO + FRAME_INTERVAL.mul_f64(world.random.unit());
        world.frame_at = begin;
        world.plan(begin, Event::Frame);
        world.plan(Time::ZERO, Event::Audio);
        world.plan(Time::ZERO, Event::Sample);
        if world.rival.is_some() {
            world.plan(Time::ZERO, Event::RivalWake);
        }
        Ok(world)
    }

    fn plan(&mut self, at: Time, event: Event) {
        self.number += 1;
        self.events.push(Reverse(Entry { at, number: self.number, event }));
    }

    fn happen(&mut self, now: Time, event: Event) {
        match event {
            Event::Frame => self.frame(now),
            Event::Audio => {
                for viewer in self.viewers.iter_mut().filter(|viewer| viewer.joins <= now) {
                    viewer.ends.on_audio(now, AUDIO_PACKET);
                }
                self.plan(now + AUDIO_INTERVAL, Event::Audio);
                self.serve_all(now);
            }
            Event::Sample => self.sample(now),
            Event::Late(packet) => self.forward(now, packet),
            Event::Server(viewer) => {
                if self.viewers.get_mut(viewer).is_some_and(|woken| woken.server_wake.is_due(now)) {
                    self.serve(now, viewer);
                }
            }
            Event::Viewer(viewer) => {
                let Some(woken) = self.viewers.get_mut(viewer) else { return };
                if woken.viewer_wake.is_due(now) {
                    let said = woken.ends.poll_viewer(now);
                    self.answer(now, viewer, said);
                }
            }
            Event::Arrival { viewer, size, carried } => {
                let Some(reached) = self.viewers.get_mut(viewer) else { return };
                let said = reached.ends.on_arrival(now, size, carried);
                self.answer(now, viewer, said);
            }
            Event::Said { viewer, said } => {
                if let Some(viewer) = self.viewers.get_mut(viewer) {
                    viewer.ends.on_said(now, said);
                }
                self.serve(now, viewer);
            }
            Event::RivalArrival(packet) => self.rival_answers(now, Some(packet)),
            Event::RivalAnswer(number) => {
                if let Some(rival) = &mut self.rival {
                    rival.on_answer(now, number);
                }
                self.compete(now);
            }
            Event::RivalWake => {
                self.rival_wake = Time::NEVER;
                self.rival_answers(now, None);
                self.compete(now);
            }
        }
    }

    fn frame(&mut self, now: Time) {
        for packet in self.source.next_frame(now) {
            if self.random.unit() < self.scenario.uplink_loss {
                self.plan(now + UPLINK_REPAIR, Event::Late(packet));
            } else {
                self.forward(now, packet);
            }
        }
        self.frame_at += FRAME_INTERVAL;
        self.plan(self.frame_at, Event::Frame);
        self.serve_all(now);
    }

    fn forward(&mut self, now: Time, packet: Packet) {
        for viewer in self.viewers.iter_mut().filter(|viewer| viewer.joins <= now) {
            viewer.ends.on_video(now, packet);
        }
    }

    fn serve_all(&mut self, now: Time) {
        for viewer in 0..self.viewers.len() {
            self.serve(now, viewer);
        }
    }

    fn serve(&mut self, now: Time, number: usize) {
        let mut planned = Vec::new();
        let Some(viewer) = self.viewers.get_mut(number).filter(|viewer| viewer.joins <= now) else { return };
        let Some(link) = self.links.get_mut(viewer.link) else { return };
        while let Some(Leaving { size, carried, waited }) = viewer.ends.poll_server(now) {
            viewer.recorder.on_sent(waited);
            if let Delivery::Once(at) = link.send(now, usize::from(size)) {
                planned.push((at, Event::Arrival { viewer: number, size, carried }));
            }
        }
        if let Some(rung) = viewer.ends.take_key_frame_request() {
            self.source.request_key_frame(now, rung);
        }
        let deadline = viewer.ends.server_deadline();
        if viewer.server_wake.plans(deadline) {
            planned.push((deadline, Event::Server(number)));
        }
        planned.into_iter().for_each(|(at, event)| self.plan(at, event));
    }

    fn answer(&mut self, now: Time, number: usize, said: Vec<Said>) {
        if !self.scenario.is_out(now) {
            for said in said {
                self.plan(now + self.scenario.delay, Event::Said { viewer: number, said });
            }
        }
        let Some(viewer) = self.viewers.get_mut(number) else { return };
        let deadline = viewer.ends.viewer_deadline().max(now);
        if viewer.viewer_wake.plans(deadline) {
            self.plan(deadline, Event::Viewer(number));
        }
    }

    fn compete(&mut self, now: Time) {
        let Some((rival, link)) = self.rival.as_mut().zip(self.links.first_mut()) else { return };
        let mut planned = Vec::new();
        while let Some((packet, size)) = rival.next_packet(now) {
            if let Delivery::Once(at) = link.send(now, size) {
                planned.push((at, Event::RivalArrival(packet)));
            }
        }
        let deadline = rival.next_deadline(now);
        if deadline < self.rival_wake {
            self.rival_wake = deadline;
            planned.push((deadline, Event::RivalWake));
        }
        planned.into_iter().for_each(|(at, event)| self.plan(at, event));
    }

    fn rival_answers(&mut self, now: Time, packet: Option<u64>) {
        let Some(rival) = &mut self.rival else { return };
        for number in rival.on_arrival(now, packet) {
            self.plan(now + self.scenario.delay, Event::RivalAnswer(number));
        }
    }

    fn sample(&mut self, now: Time) {
        let capacity = self.scenario.capacity_at(now);
        for viewer in &mut self.viewers {
            let Some(link) = self.links.get(viewer.link) else { continue };
            viewer.recorder.sample(Sample {
                at: now,
                capacity,
                queue: link.queue_delay(now),
                target: viewer.ends.target_bitrate(),
                rung: viewer.ends.rung_bitrate(),
                media_bytes: viewer.ends.media_bytes(),
            });
        }
        self.plan(now + SAMPLE_INTERVAL, Event::Sample);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wake_ups_that_come_together_are_one() {
        let [early, late] = [1, 2].map(Time::from_millis);
        let mut wake = Wake::NONE;
        assert!(wake.plans(late) && wake.plans(early) && !wake.plans(late));
        assert!(wake.is_due(early) && wake.plans(late));
        assert!(wake.is_due(late) && !wake.is_due(late));
        // One that is planned anew for the same time is none of those.
        assert!(wake.plans(late) && wake.is_due(late));
    }
}
