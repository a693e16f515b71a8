//! What is measured of a run, and how each number is defined.
//!
//! Must not know how a number came about, nor how it is printed.

use crate::decoder::{Decoded, Decoder};
use crate::forwarding::Switch;
use crate::scenario::{AUDIO_BITRATE, Scenario};
use std::time::Duration;
use tureen_rtp_wire::Time;

/// Each 10 ms.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// When.
    pub at: Time,
    /// Of the bottleneck, in bits per second.
    pub capacity: u64,
    /// In front of the bottleneck.
    pub queue: Duration,
    /// The estimate, in bits per second.
    pub target: u64,
    /// What the forwarded rung takes, in bits per second.
    pub rung: u64,
    /// Bytes of sound and pictures that arrived so far.
    pub media_bytes: u64,
}

/// Takes notes while a run goes on.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    /// All samples.
    pub samples: Vec<Sample>,
    waited: Vec<f32>,
}

impl Recorder {
    /// Takes a packet that left the server; `waited` is what pictures waited in the pacer.
    pub fn on_sent(&mut self, waited: Option<Duration>) {
        self.waited.extend(waited.map(|waited| waited.as_secs_f32() * 1000.0));
    }

    /// Takes a sample.
    pub fn sample(&mut self, sample: Sample) {
        self.samples.push(sample);
    }
}

/// The numbers, by name: see [`COLUMNS`].
#[derive(Clone, Debug)]
pub struct Metrics {
    values: Vec<(&'static str, f64)>,
    /// The samples of the first viewer, for plots.
    pub samples: Vec<Sample>,
}

/// A column of the table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// The name.
    pub name: &'static str,
    /// What it says.
    pub about: &'static str,
    /// Whether more is better.
    pub more_is_better: bool,
}

const fn column(name: &'static str, about: &'static str, more_is_better: bool) -> Column {
    Column { name, about, more_is_better }
}

/// All columns.
pub const COLUMNS: &[Column] = &[
    column("util", "sound and pictures received, % of the capacity", true),
    column("best", "the same, % of the most that the ladder lets be used", true),
    column("pad", "padding received, % of all bytes", false),
    column("q50", "queue in front of the bottleneck, ms, median over time", false),
    column("q95", "its 95th percentile", false),
    column("q99", "its 99th percentile", false),
    column("pace95", "wait in the pacer, ms, 95th percentile of packets of pictures", false),
    column("t90", "s from the start, or from the last rise, until the best rung is seen for 2 s", false),
    column("tsafe", "s from the fall until the queue is 50 ms or less, and stays so for 1 s", false),
    column("over", "most of the estimate above the capacity, %", false),
    column("draw", "falls of the estimate by 10% a minute, without a fall of the capacity", false),
    column("sw", "changes of the rung a minute", false),
    column("pp", "of these, up and down again within 10 s", false),
    column("freeze", "% of the time frozen", false),
    column("first", "s to the first frame, the slowest viewer", false),
    column("again", "s from the end of the outage to the next frame", false),
    column("audio", "longest time between two packets of sound, ms", false),
    column("keys", "key frames a minute, of all rungs together", false),
    column("jain", "Jain's index over the viewers", true),
    column("share", "% of the capacity that the viewer has beside its rival", true),
];

/// A viewer after the run.
pub type Watched = (Time, Recorder, Decoder, Vec<Switch>);

impl Metrics {
    /// The numbers of a run.
    pub fn of(scenario: &Scenario, viewers: &[Watched], rival: Option<u64>, key_frames: u64) -> Self {
        let mut values = Vec::new();
        let minutes = scenario.duration.as_secs_f64() / 60.0;
        let bits = |bytes: u64| bytes as f64 * 8.0;
        let all = |of: fn(&Decoder) -> u64| viewers.iter().map(|(_, _, decoder, _)| of(decoder)).sum::<u64>();
        let (media, padding) = (all(|decoder| decoder.media_bytes), all(|decoder| decoder.padding_bytes));
        let links = if scenario.shared { 1.0 } else { viewers.len() as f64 };
        let Some((_, recorder, _, _)) = viewers.first() else { return Self { values, samples: Vec::new() } };
        let seconds = 0.01;
        let capacity: f64 = recorder.samples.iter().map(|sample| sample.capacity as f64 * seconds).sum();
        let best: f64 =
            recorder.samples.iter().map(|sample| best_of(scenario, sample.capacity) * seconds).sum();
        values.push(("util", 100.0 * bits(media) / (capacity * links)));
        values.push(("best", 100.0 * bits(media) / (best * links)));
        values.push(("pad", 100.0 * padding as f64 / (media + padding).max(1) as f64));
        let mut queues: Vec<f32> = viewers
            .iter()
            .flat_map(|(_, recorder, _, _)| &recorder.samples)
            .filter(|sample| sample.capacity > 0)
            .map(|sample| sample.queue.as_secs_f32() * 1000.0)
            .collect();
        queues.sort_by(f32::total_cmp);
        for (name, part) in [("q50", 0.5), ("q95", 0.95), ("q99", 0.99)] {
            values.push((name, percentile(&queues, part)));
        }
        let mut waited: Vec<f32> =
            viewers.iter().flat_map(|(_, recorder, _, _)| recorder.waited.clone()).collect();
        waited.sort_by(f32::total_cmp);
        values.push(("pace95", percentile(&waited, 0.95)));
        values.extend(speeds(scenario, viewers));
        values.push(("over", overshoot(&recorder.samples)));
        values.push(("draw", mean(viewers, |(_, recorder, _, _)| drawdowns(&recorder.samples)) / minutes));
        values.push(("sw", mean(viewers, |(_, _, _, switches)| switches.len() as f64) / minutes));
        values.push(("pp", mean(viewers, |(_, _, _, switches)| ping_pongs(switches)) / minutes));
        values.push(("freeze", mean(viewers, |watched| freezes(scenario, watched))));
        let gap = viewers.iter().map(|(_, _, decoder, _)| decoder.audio_gap.as_secs_f64() * 1000.0);
        values.push(("audio", gap.fold(0.0, f64::max)));
        values.push(("keys", key_frames as f64 / minutes));
        if viewers.len() > 1 {
            let rates: Vec<f64> =
                viewers.iter().map(|(_, _, decoder, _)| decoder.media_bytes as f64).collect();
            let squares: f64 = rates.iter().map(|rate| rate * rate).sum();
            let sum: f64 = rates.iter().sum();
            values.push(("jain", sum * sum / (rates.len() as f64 * squares).max(1.0)));
        }
        if let Some(rival) = rival {
            values.push(("share", 100.0 * media as f64 / (media + rival).max(1) as f64));
        }
        Self { values, samples: recorder.samples.clone() }
    }

    /// A number, if the scenario has it.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.values.iter().find(|(known, _)| *known == name).map(|&(_, value)| value)
    }
}

fn best_of(scenario: &Scenario, capacity: u64) -> f64 {
    if capacity == 0 {
        return 0.0;
    }
    // Who shares a bottleneck could have its part of it; who has a rival, half.
    let parts =
        if scenario.shared { scenario.viewers as u64 } else { 1 } + u64::from(scenario.rival.is_some());
    let watching = if scenario.shared { scenario.viewers as f64 } else { 1.0 };
    scenario.best(capacity / parts) as f64 * watching
}

fn mean(viewers: &[Watched], of: impl Fn(&Watched) -> f64) -> f64 {
    viewers.iter().map(of).sum::<f64>() / viewers.len().max(1) as f64
}

fn percentile(sorted: &[f32], part: f64) -> f64 {
    let place = (sorted.len() as f64 * part) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).map_or(0.0, |&value| f64::from(value))
}

/// How fast it follows: see the columns `t90`, `tsafe`, `first` and `again`.
fn speeds(scenario: &Scenario, viewers: &[Watched]) -> Vec<(&'static str, f64)> {
    let mut values = Vec::new();
    let Some((_, recorder, decoder, _)) = viewers.first() else { return values };
    let steps: Vec<_> =
        scenario.capacity.windows(2).filter_map(|pair| Some((*pair.first()?, *pair.last()?))).collect();
    let rise = steps.iter().rev().find(|((_, before), (_, after))| after > before);
    let from = rise.map_or((0, scenario.capacity.first().map_or(0, |&(_, rate)| rate)), |&(_, step)| step);
    if scenario.viewers == 1 && scenario.rival.is_none() {
        values.push(("t90", t90(scenario, decoder, from)));
    }
    if let Some(&(_, (at, _))) = steps.iter().find(|((_, before), (_, after))| after < before) {
        values.push(("tsafe", t_safe(&recorder.samples, at)));
    }
    let first = viewers.iter().map(|(joins, _, decoder, _)| {
        let decoded = decoder.decoded.first();
        decoded.map_or(scenario.duration.as_secs_f64(), |decoded| decoded.at.since(*joins).as_secs_f64())
    });
    values.push(("first", first.fold(0.0, f64::max)));
    if let Some((_, end)) = scenario.outage {
        let end = Time::from_millis(end * 1000);
        let next = decoder.decoded.iter().find(|decoded| decoded.at >= end);
        values.push(("again", next.map_or(f64::INFINITY, |decoded| decoded.at.since(end).as_secs_f64())));
    }
    values
}

/// Until frames of a rung come that is worth 90% of what is possible, and go on for 2 s.
fn t90(scenario: &Scenario, decoder: &Decoder, (second, capacity): (u64, u64)) -> f64 {
    let begin = Time::from_millis(second * 1000);
    let goal = scenario.best(capacity).min(scenario.demand()) as f64 * 0.9;
    let is_enough = |decoded: &Decoded| {
        scenario.ladder.get(decoded.rung).is_some_and(|&rung| (rung + AUDIO_BITRATE) as f64 >= goal)
    };
    let mut since: Option<Time> = None;
    for decoded in decoder.decoded.iter().filter(|decoded| decoded.at >= begin) {
        if !is_enough(decoded) {
            since = None;
        } else if decoded.at.since(*since.get_or_insert(decoded.at)) >= Duration::from_secs(2) {
            break;
        }
    }
    since.map_or(f64::INFINITY, |since| since.since(begin).as_secs_f64())
}

fn t_safe(samples: &[Sample], second: u64) -> f64 {
    let begin = Time::from_millis(second * 1000);
    let (mut since, mut filled) = (None, false);
    for sample in samples.iter().filter(|sample| sample.at >= begin) {
        if sample.queue > Duration::from_millis(50) {
            (since, filled) = (None, true);
        } else if sample.at.since(*since.get_or_insert(sample.at)) >= Duration::from_secs(1) {
            // A queue that has never been longer was safe from the beginning.
            return if filled {
                since.map_or(0.0, |since: Time| since.since(begin).as_secs_f64())
            } else {
                0.0
            };
        }
    }
    f64::INFINITY
}

fn overshoot(samples: &[Sample]) -> f64 {
    let mut most = 0.0_f64;
    let mut changed: Option<(Time, u64)> = None;
    for sample in samples.iter().filter(|sample| sample.capacity > 0) {
        if changed.is_none_or(|(_, capacity)| capacity != sample.capacity) {
            changed = Some((sample.at, sample.capacity));
        }
        // What was the truth a second ago is no overshoot.
        let settled = changed.is_some_and(|(at, _)| sample.at.since(at) > Duration::from_secs(1));
        if settled {
            most = most.max(sample.target as f64 / sample.capacity as f64 - 1.0);
        }
    }
    100.0 * most
}

/// Falls of the estimate by a tenth below what it had been, with the capacity as it was for the last 5 s. What it has above
/// the capacity does not count.
fn drawdowns(samples: &[Sample]) -> f64 {
    let (mut peak, mut count, mut capacity, mut changed) = (0.0_f64, 0.0, 0, Time::ZERO);
    for sample in samples {
        if sample.capacity != capacity {
            (capacity, changed) = (sample.capacity, sample.at);
        }
        let estimate = (sample.target.min(capacity)) as f64;
        if sample.at.since(changed) < Duration::from_secs(5) {
            peak = estimate;
        }
        peak = peak.max(estimate);
        if estimate < 0.9 * peak {
            count += 1.0;
            peak = estimate;
        }
    }
    count
}

fn ping_pongs(switches: &[Switch]) -> f64 {
    let mut rose: Option<(Time, usize)> = None;
    let mut count = 0.0;
    for switch in switches {
        if switch.to > switch.from && switch.from > 0 {
            rose = Some((switch.at, switch.from));
        } else if let Some((at, from)) = rose
            && switch.to < switch.from
        {
            let soon = switch.at.since(at) <= Duration::from_secs(10);
            count += f64::from(u8::from(soon && switch.to <= from));
            rose = None;
        }
    }
    count
}

/// Percent of the time that the picture stood: gaps beyond three mean intervals or the mean and 150 ms, whichever is longer,
/// by the mean over 30 frames. What lies within 1.5 s of a fall by half or more, or in the outage, does not count.
fn freezes(scenario: &Scenario, (joins, _, decoder, _): &Watched) -> f64 {
    let falls: Vec<Time> = scenario
        .capacity
        .windows(2)
        .filter_map(|pair| {
            let (&(_, before), &(at, after)) = (pair.first()?, pair.last()?);
            (after * 2 <= before).then(|| Time::from_millis(at * 1000))
        })
        .collect();
    let mut mean = 1.0 / 30.0;
    let mut frozen = 0.0;
    for pair in decoder.decoded.windows(2) {
        let (Some(before), Some(after)) = (pair.first(), pair.last()) else { continue };
        let gap = after.at.since(before.at).as_secs_f64();
        let excused = falls
            .iter()
            .any(|&fall| after.at >= fall && before.at <= fall + Duration::from_millis(1500))
            || scenario.outage.is_some_and(|(from, to)| {
                after.at >= Time::from_millis(from * 1000) && before.at <= Time::from_millis(to * 1000 + 1000)
            });
        if gap > f64::max(3.0 * mean, mean + 0.15) {
            frozen += if excused { 0.0 } else { gap };
        } else {
            mean += (gap - mean) / 30.0;
        }
    }
    let end = Time::ZERO + scenario.duration;
    if let Some(last) = decoder.decoded.last() {
        let tail = end.since(last.at).as_secs_f64();
        frozen += if tail > 1.0 { tail } else { 0.0 };
    }
    100.0 * frozen / end.since(*joins).as_secs_f64()
}
