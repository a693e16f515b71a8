//! What the layers of a stream take, measured where it is fanned out. Must not know who gets them.

use std::time::Duration;
use tureen_forwarding::PacketMeta;
use tureen_rtp_wire::Time;

/// Layers of each kind that are told apart; higher ones count with the last.
const LAYERS: usize = 4;
/// How long bytes are counted before they become a rate.
const INTERVAL: Duration = Duration::from_millis(200);
/// Weight of the newest interval, once there are as many as its inverse.
const WEIGHT: f32 = 0.2;
/// So many intervals in a row, each with so many times the bytes that were to be expected, are how things are now.
const SURGE: f32 = 1.3;
const SURGES: u8 = 4;
/// The frames that make up for a key frame come within this long.
const MADE_UP: Duration = Duration::from_secs(2);
/// A stream of which nothing came for this long takes nothing.
const FRESH: Duration = Duration::from_secs(2);

type Grid<T> = [[T; LAYERS]; LAYERS];

/// A key frame. It is not how things are: its bytes only fill up what the frames behind it, which make up for it, are too small by.
#[derive(Clone, Copy, Debug)]
struct KeyFrame {
    timestamp: u32,
    at: Time,
    bytes: f32,
}

/// Bits per second by spatial and temporal layer, smoothed over a second.
#[derive(Clone, Copy, Debug, Default)]
pub struct LayerRates {
    bytes: Grid<u32>,
    bitrates: Grid<f32>,
    since: Option<Time>,
    intervals: u8,
    key_frame: Option<KeyFrame>,
    /// Bytes of the intervals that were a surge, how many there are, and how long they took.
    surge: Grid<f32>,
    surges: u8,
    surge_time: Duration,
}

impl LayerRates {
    /// Counts a packet of `bytes`.
    #[inline]
    pub(crate) fn add(&mut self, now: Time, meta: &PacketMeta, bytes: usize) {
        let since = *self.since.get_or_insert(now);
        if now.since(since) >= INTERVAL {
            self.turn(now, now.since(since));
        }
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        if meta.is_key_frame && self.key_frame.is_none_or(|known| known.timestamp != meta.timestamp) {
            self.begin_key_frame(KeyFrame { timestamp: meta.timestamp, at: now, bytes: 0.0 });
        }
        // Of a key frame in several packets only the first need say so.
        if let Some(key_frame) = self.key_frame.as_mut().filter(|known| known.timestamp == meta.timestamp) {
            key_frame.bytes += bytes as f32;
            return;
        }
        let row = usize::from(meta.spatial_layer).min(LAYERS - 1);
        let column = usize::from(meta.temporal_layer).min(LAYERS - 1);
        if let Some(counter) = self.bytes.get_mut(row).and_then(|row| row.get_mut(column)) {
            *counter = counter.saturating_add(bytes);
        }
    }

    /// Where one follows the other nothing makes up for them: they are how things are.
    fn begin_key_frame(&mut self, key_frame: KeyFrame) {
        let before = self.key_frame.replace(key_frame);
        let Some(before) = before.filter(|before| key_frame.at.since(before.at) < INTERVAL) else { return };
        if let Some(counter) = self.bytes.first_mut().and_then(|row| row.first_mut()) {
            *counter = counter.saturating_add(before.bytes as u32);
        }
    }

    #[cold]
    fn turn(&mut self, now: Time, passed: Duration) {
        if passed > FRESH {
            // What it took before is the best guess until there is something to go by.
            let Self { bitrates, key_frame, .. } = *self;
            *self = Self { since: Some(now), bitrates, key_frame, ..Self::default() };
            return;
        }
        self.since = Some(now);
        let mut counted = std::mem::take(&mut self.bytes).map(|row| row.map(|bytes| bytes as f32));
        self.make_up(now, &mut counted, passed);
        let known = sum(&self.bitrates);
        self.intervals = self.intervals.saturating_add(1);
        let weight = WEIGHT.max(1.0 / f32::from(self.intervals));
        for (known, bytes) in self.bitrates.iter_mut().flatten().zip(counted.iter().flatten()) {
            *known += (bitrate(*bytes, passed) - *known) * weight;
        }
        if known > 0.0 && bitrate(sum(&counted), passed) > known * SURGE {
            self.note_surge(&counted, passed);
        } else {
            (self.surge, self.surges, self.surge_time) = Default::default();
        }
    }

    /// Fills up an interval behind a key frame to what was to be expected.
    fn make_up(&mut self, now: Time, counted: &mut Grid<f32>, passed: Duration) {
        let Some(key_frame) = self.key_frame.as_mut().filter(|known| now.since(known.at) <= MADE_UP) else {
            return;
        };
        let mut missing = self.bitrates.map(|row| row.map(|known| known / 8.0 * passed.as_secs_f32()));
        for (missing, bytes) in missing.iter_mut().flatten().zip(counted.iter().flatten()) {
            *missing = (*missing - bytes).max(0.0);
        }
        let all = sum(&missing);
        let filled = key_frame.bytes.min(all);
        key_frame.bytes -= filled;
        for (bytes, missing) in counted.iter_mut().flatten().zip(missing.iter().flatten()) {
            *bytes += missing / all.max(1.0) * filled;
        }
    }

    fn note_surge(&mut self, counted: &Grid<f32>, passed: Duration) {
        self.surges += 1;
        self.surge_time += passed;
        for (sum, bytes) in self.surge.iter_mut().flatten().zip(counted.iter().flatten()) {
            *sum += bytes;
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

fn bitrate(bytes: f32, time: Duration) -> f32 {
    bytes * 8.0 / time.as_secs_f32().max(f32::MIN_POSITIVE)
}

fn sum(grid: &Grid<f32>) -> f32 {
    grid.iter().flatten().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tureen_rtp_wire::payload::PayloadDescriptor;
    use tureen_rtp_wire::rtp::{ExtensionForm, RtpHeader, RtpPacket, RtpWriter};

    /// What is known of a packet of these layers.
    fn meta(timestamp: u32, (spatial_layer, temporal_layer): (u8, u8), is_key_frame: bool) -> PacketMeta {
        let header = RtpHeader { marker: true, payload_type: 96, sequence_number: 1, timestamp, ssrc: 1 };
        let mut buffer = [0; 32];
        let len = RtpWriter::new(&mut buffer, &header, ExtensionForm::OneByte).unwrap().finish();
        let packet = RtpPacket::parse(&buffer[..len]).unwrap();
        let plain = PacketMeta::new(Time::ZERO, 1, 0, &packet, PayloadDescriptor::Opaque);
        PacketMeta { spatial_layer, temporal_layer, is_key_frame, ..plain }
    }

    /// A second of packets, one each 10 ms.
    fn second(rates: &mut LayerRates, from: u64, bytes: usize) -> u64 {
        for step in 0..100 {
            let at = from + step * 10;
            rates.add(Time::from_millis(at), &meta(at as u32, (0, 0), false), bytes);
        }
        rates.up_to(Time::from_millis(from + 1000), 0, 0)
    }

    #[test]
    fn a_layer_takes_what_the_layers_below_it_take_as_well() {
        let mut rates = LayerRates::default();
        for millis in 0..2000 {
            let now = Time::from_millis(millis);
            rates.add(now, &meta(millis as u32, (0, (millis % 2) as u8), false), 100);
            rates.add(now, &meta(millis as u32, (9, 9), false), 50);
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
        // Only the first of its packets says what it is.
        rates.add(Time::from_millis(1001), &meta(9999, (0, 0), true), 1000);
        rates.add(Time::from_millis(1001), &meta(9999, (0, 0), false), 39_000);
        for step in 0..4 {
            let from = 1010 + step * 1000;
            assert!(second(&mut rates, from, 1000).abs_diff(800_000) < 60_000);
        }
    }

    #[test]
    fn frames_that_make_up_for_a_key_frame_are_not_how_things_are_either() {
        let mut rates = LayerRates::default();
        second(&mut rates, 0, 1000);
        rates.add(Time::from_millis(1001), &meta(9999, (0, 0), true), 60_000);
        let after = second(&mut rates, 1010, 500);
        assert!(after.abs_diff(800_000) < 60_000, "{after}");
    }

    #[test]
    fn a_stream_of_nothing_but_key_frames_takes_what_they_take() {
        let mut rates = LayerRates::default();
        for frame in 0..60 {
            let at = frame * 33;
            rates.add(Time::from_millis(at), &meta(at as u32, (0, 0), true), 4125);
        }
        let measured = rates.up_to(Time::from_millis(2000), 0, 0);
        assert!(measured.abs_diff(1_000_000) < 60_000, "{measured}");
    }

    #[test]
    fn what_comes_irregularly_is_not_taken_for_less() {
        let mut rates = LayerRates::default();
        for frame in 0..100 {
            // A fifth of a second with much, and one with little.
            let bytes = if frame / 3 % 2 == 0 { 16_000 } else { 4000 };
            let at = frame * 67;
            rates.add(Time::from_millis(at), &meta(at as u32, (0, 0), false), bytes);
        }
        let measured = rates.up_to(Time::from_millis(6700), 0, 0) as i64;
        let all = 10_000 * 8 * 1000 / 67;
        assert!((measured - all).abs() < all / 5, "{measured} of {all}");
    }
}
