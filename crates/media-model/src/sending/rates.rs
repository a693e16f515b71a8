//! What the layers of a stream take, measured where it is fanned out. Must not know who gets them.

use std::time::Duration;
use tureen_rtp_wire::Time;

/// Layers of each kind that are told apart; higher ones count with the last.
const LAYERS: usize = 4;
/// How long bytes are counted before they become a rate.
const INTERVAL: Duration = Duration::from_millis(200);
/// Weight of the newest interval, once there are as many as its inverse.
const WEIGHT: f32 = 0.2;
/// An interval with so many times the bytes that were to be expected is a key frame, and not how things are now...
const SURGE: f32 = 1.3;
/// ...unless so many of them follow each other.
const SURGES: u8 = 4;
/// A stream of which nothing came for this long takes nothing.
const FRESH: Duration = Duration::from_secs(2);

type Grid<T> = [[T; LAYERS]; LAYERS];

/// Bits per second by spatial and temporal layer, smoothed over a second.
#[derive(Clone, Copy, Debug, Default)]
pub struct LayerRates {
    bytes: Grid<u32>,
    bitrates: Grid<f32>,
    since: Option<Time>,
    intervals: u8,
    /// Bytes of the intervals that may be a key frame, how many there are, and how long they took.
    surge: Grid<u32>,
    surges: u8,
    surge_time: Duration,
}

impl LayerRates {
    /// Counts a packet of `bytes`.
    #[inline]
    pub(crate) fn add(&mut self, now: Time, spatial: u8, temporal: u8, bytes: usize) {
        let since = *self.since.get_or_insert(now);
        if now.since(since) >= INTERVAL {
            self.turn(now, now.since(since));
        }
        let row = usize::from(spatial).min(LAYERS - 1);
        let column = usize::from(temporal).min(LAYERS - 1);
        if let Some(counter) = self.bytes.get_mut(row).and_then(|row| row.get_mut(column)) {
            *counter = counter.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        }
    }

    #[cold]
    fn turn(&mut self, now: Time, passed: Duration) {
        if passed > FRESH {
            // What it took before is the best guess until there is something to go by.
            *self = Self { since: Some(now), bitrates: self.bitrates, ..Self::default() };
            return;
        }
        self.since = Some(now);
        let counted = std::mem::take(&mut self.bytes);
        let sample: f32 = counted.iter().flatten().map(|bytes| bitrate(*bytes, passed)).sum();
        let known: f32 = self.bitrates.iter().flatten().sum();
        if self.intervals > 0 && sample > known * SURGE {
            self.note_surge(&counted, passed);
            return;
        }
        (self.surge, self.surges, self.surge_time) = Default::default();
        self.intervals = self.intervals.saturating_add(1);
        let weight = WEIGHT.max(1.0 / f32::from(self.intervals));
        for (known, bytes) in self.bitrates.iter_mut().flatten().zip(counted.iter().flatten()) {
            *known += (bitrate(*bytes, passed) - *known) * weight;
        }
    }

    fn note_surge(&mut self, counted: &Grid<u32>, passed: Duration) {
        self.surges += 1;
        self.surge_time += passed;
        for (sum, bytes) in self.surge.iter_mut().flatten().zip(counted.iter().flatten()) {
            *sum = sum.saturating_add(*bytes);
        }
        if self.surges >= SURGES {
            for (known, bytes) in self.bitrates.iter_mut().flatten().zip(self.surge.iter().flatten()) {
                *known = bitrate(*bytes, self.surge_time);
            }
            (self.surge, self.surges, self.surge_time) = Default::default();
        }
    }

    /// Bits per second of the layers up to these, and 0 where nothing is known, or nothing came of late.
    pub(crate) fn up_to(&self, now: Time, spatial: u8, temporal: u8) -> u64 {
        let fresh = self.since.is_some_and(|since| now.since(since) <= FRESH);
        if fresh { self.known_up_to(spatial, temporal) } else { 0 }
    }

    /// The same of a stream that rests: what its layers took before that.
    pub(crate) fn known_up_to(&self, spatial: u8, temporal: u8) -> u64 {
        let rows = self.bitrates.iter().take(usize::from(spatial) + 1);
        rows.flat_map(|row| row.iter().take(usize::from(temporal) + 1)).sum::<f32>() as u64
    }
}

fn bitrate(bytes: u32, time: Duration) -> f32 {
    bytes as f32 * 8.0 / time.as_secs_f32().max(f32::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(rates: &mut LayerRates, from: u64, bytes: usize) -> u64 {
        for step in 0..100 {
            rates.add(Time::from_millis(from + step * 10), 0, 0, bytes);
        }
        rates.up_to(Time::from_millis(from + 1000), 0, 0)
    }

    #[test]
    fn a_layer_takes_what_the_layers_below_it_take_as_well() {
        let mut rates = LayerRates::default();
        for millis in 0..2000 {
            let now = Time::from_millis(millis);
            rates.add(now, 0, (millis % 2) as u8, 100);
            rates.add(now, 9, 9, 50);
        }
        let now = Time::from_millis(2000);
        for ((spatial, temporal), expected) in
            [((0, 0), 400_000), ((0, 1), 800_000), ((2, 3), 800_000), ((3, 3), 1_200_000)]
        {
            let measured = rates.up_to(now, spatial, temporal);
            assert!(measured.abs_diff(expected) < expected / 20, "{spatial}.{temporal}: {measured}");
        }
        assert_eq!(rates.up_to(Time::from_millis(4500), 3, 3), 0, "it has been silent for over 2 s");
    }

    #[test]
    fn it_is_known_after_one_interval_and_follows_within_a_second_or_so() {
        let mut rates = LayerRates::default();
        assert!(second(&mut rates, 0, 1000).abs_diff(800_000) < 40_000);
        second(&mut rates, 1000, 3000);
        assert!(second(&mut rates, 2000, 3000).abs_diff(2_400_000) < 120_000);
        second(&mut rates, 3000, 500);
        assert!(second(&mut rates, 4000, 500) < 700_000);
    }

    #[test]
    fn a_key_frame_is_not_how_things_are() {
        let mut rates = LayerRates::default();
        second(&mut rates, 0, 1000);
        rates.add(Time::from_millis(1001), 0, 0, 40_000);
        for step in 0..4 {
            let from = 1010 + step * 1000;
            assert!(second(&mut rates, from, 1000).abs_diff(800_000) < 60_000);
        }
    }
}
