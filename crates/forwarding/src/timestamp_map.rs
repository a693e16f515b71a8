//! The RTP timestamps of a consumer: the source's, shifted so that they never go back or leap when the source is exchanged.

use std::time::Duration;
use tureen_rtp_wire::Time;

/// How close frames of a run move together: those of 30 a second, 33 ms apart, end up about 1 ms apart.
const SQUEEZE: u32 = 32;
/// The most where there is little room: at 90 kHz it keeps frames of up to 175 a second apart.
const MAX_SQUEEZE: u32 = 512;
/// Once timestamps are that much ahead of a run, nothing of it comes any more: 12 s at 90 kHz.
const FORGET_SQUEEZE: u32 = 1 << 20;

/// Timestamps before `newest`, of the source, move towards it.
#[derive(Clone, Copy, Debug)]
struct Squeeze {
    newest: u32,
    divisor: u32,
}

/// Maps a source's timestamps to a consumer's by an offset that changes only when the source does.
#[derive(Clone, Copy, Debug)]
pub struct TimestampMap {
    clock_rate: u32,
    offset: u32,
    squeeze: Option<Squeeze>,
    /// The highest output so far and when its packet arrived.
    highest: Option<(u32, Time)>,
    aligning: bool,
}

impl TimestampMap {
    /// The identity, for a clock of `clock_rate` Hz.
    pub const fn new(clock_rate: u32) -> Self {
        Self { clock_rate, offset: 0, squeeze: None, highest: None, aligning: false }
    }

    /// The source is another one, with a clock origin of its own: the next packet gets the timestamp that the time passed since
    /// the highest one asks for, and the offset follows from that.
    pub const fn realign(&mut self) {
        self.aligning = true;
        self.squeeze = None;
    }

    /// Sets the offset, modulo 2^32, from an alignment that is known better than by arrival (sender reports).
    pub const fn set_offset(&mut self, offset: u32) {
        self.offset = offset;
        self.aligning = false;
        self.squeeze = None;
    }

    /// What follows is sent at once, from `first` to `newest`, which has the offset `offset` as all that come after it. What is before
    /// it moves close to it, in order, so that whoever gets it does not take it for delay. Returns the output for `newest`, or `None`, and
    /// nothing has changed, if there is no room between it and the highest output so far.
    pub fn squeeze(&mut self, offset: u32, first: u32, newest: u32) -> Option<u32> {
        let span = u32::try_from(newest.wrapping_sub(first).cast_signed()).ok()?;
        let end = newest.wrapping_add(offset);
        let divisor = match self.highest {
            None => SQUEEZE,
            Some((highest, _)) => {
                let ahead = u32::try_from(end.wrapping_sub(highest).cast_signed()).ok()?;
                SQUEEZE.max(span.checked_div(ahead)?.saturating_add(1))
            }
        };
        if divisor > MAX_SQUEEZE {
            return None;
        }
        self.set_offset(offset);
        self.squeeze = Some(Squeeze { newest, divisor });
        Some(end)
    }

    /// The offset that a packet would get that arrived at `received_at`.
    pub fn offset_at(&self, received_at: Time, timestamp: u32) -> u32 {
        match self.highest {
            Some((highest, at)) if self.aligning => {
                let passed = clock_units(received_at.since(at), self.clock_rate).max(1);
                highest.wrapping_add(passed).wrapping_sub(timestamp)
            }
            _ => self.offset,
        }
    }

    /// The offset that is added, modulo 2^32, if it is settled: not before the first packet, nor between a change of the source and its
    /// first packet.
    pub(crate) fn settled_offset(&self) -> Option<u32> {
        self.highest.filter(|_| !self.aligning).map(|_| self.offset)
    }

    /// The offset that is added, modulo 2^32.
    pub const fn offset(&self) -> u32 {
        self.offset
    }

    /// The highest output so far, and when its packet arrived.
    pub const fn highest(&self) -> Option<(u32, Time)> {
        self.highest
    }

    /// The output for `timestamp`, which arrived at `received_at`.
    #[inline]
    pub fn map(&mut self, received_at: Time, timestamp: u32) -> u32 {
        if self.aligning {
            self.offset = self.offset_at(received_at, timestamp);
            self.aligning = false;
        }
        let output = match self.squeeze {
            None => timestamp.wrapping_add(self.offset),
            Some(squeeze) => self.map_squeezed(squeeze, timestamp),
        };
        if self.highest.is_none_or(|(highest, _)| output.wrapping_sub(highest) < 1 << 31) {
            self.highest = Some((output, received_at));
        }
        output
    }

    #[cold]
    fn map_squeezed(&mut self, squeeze: Squeeze, timestamp: u32) -> u32 {
        let behind = squeeze.newest.wrapping_sub(timestamp).cast_signed();
        if behind > 0 {
            let moved = behind.unsigned_abs() / squeeze.divisor;
            return squeeze.newest.wrapping_sub(moved).wrapping_add(self.offset);
        }
        if behind.unsigned_abs() > FORGET_SQUEEZE {
            self.squeeze = None;
        }
        timestamp.wrapping_add(self.offset)
    }
}

/// `duration` in units of a clock of `clock_rate` Hz, modulo 2^32.
pub(crate) fn clock_units(duration: Duration, clock_rate: u32) -> u32 {
    let rate = u64::from(clock_rate);
    let whole = duration.as_secs().wrapping_mul(rate);
    let part = u64::from(duration.subsec_nanos()) * rate / 1_000_000_000;
    whole.wrapping_add(part) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_source_passes_unchanged() {
        let mut map = TimestampMap::new(90_000);
        assert_eq!(map.map(Time::from_millis(0), u32::MAX - 10), u32::MAX - 10);
        assert_eq!(map.map(Time::from_millis(33), 2989), 2989);
        assert_eq!(map.map(Time::from_millis(34), u32::MAX - 10), u32::MAX - 10);
    }

    #[test]
    fn another_source_goes_on_by_the_time_passed() {
        let mut map = TimestampMap::new(90_000);
        map.map(Time::from_millis(1000), 5000);
        map.realign();
        assert_eq!(map.map(Time::from_millis(1100), 4_000_000_000), 5000 + 9000);
        assert_eq!(map.map(Time::from_millis(1133), 4_000_003_000), 5000 + 12_000);
    }

    #[test]
    fn another_source_at_the_same_instant_still_goes_on() {
        let mut map = TimestampMap::new(48_000);
        map.map(Time::from_millis(1000), 5000);
        map.realign();
        assert_eq!(map.map(Time::from_millis(1000), 77), 5001);
    }

    #[test]
    fn a_run_moves_close_to_its_newest_frame_and_live_ones_stay() {
        let mut map = TimestampMap::new(90_000);
        assert_eq!(map.squeeze(0, 0, 180_000), Some(180_000));
        let frames: Vec<u32> = (0..=60).map(|frame| map.map(Time::from_millis(9), frame * 3000)).collect();
        assert_eq!((frames[0], frames[60]), (180_000 - 5625, 180_000));
        assert!(frames.windows(2).all(|pair| (90..=97).contains(&(pair[1] - pair[0]))), "{frames:?}");
        assert_eq!(map.map(Time::from_millis(10), 183_000), 183_000);
        // One of the run that came late has the place that it would have had.
        assert_eq!(map.map(Time::from_millis(11), 3000), frames[1]);
    }

    #[test]
    fn a_run_stays_ahead_of_what_was_sent() {
        let mut map = TimestampMap::new(90_000);
        map.map(Time::from_millis(1000), 177_000);
        assert_eq!(map.squeeze(0, 0, 180_000), Some(180_000));
        assert!(map.map(Time::from_millis(1033), 0) > 177_000);
        let mut map = TimestampMap::new(90_000);
        map.map(Time::from_millis(1000), 179_900);
        assert_eq!(map.squeeze(0, 0, 180_000), None, "frames would fall together");
        assert_eq!(map.squeeze(0, 0, 179_900), None, "the newest was sent already");
        assert_eq!(map.squeeze(0, 180_000, 3), None, "it is no run");
        assert_eq!(map.map(Time::from_millis(1010), 180_000), 180_000);
    }

    #[test]
    fn after_a_change_of_source_the_newest_frame_of_a_run_is_aligned() {
        let mut map = TimestampMap::new(90_000);
        map.map(Time::from_millis(1000), 5000);
        map.realign();
        let offset = map.offset_at(Time::from_millis(1100), 900_000);
        assert_eq!(map.squeeze(offset, 810_000, 900_000), Some(5000 + 9000));
        assert_eq!(map.map(Time::from_millis(1133), 903_000), 5000 + 12_000);
    }

    #[test]
    fn a_run_is_forgotten_before_timestamps_come_round() {
        let mut map = TimestampMap::new(90_000);
        map.squeeze(0, 0, 90_000);
        map.map(Time::from_millis(1), 100_000);
        map.map(Time::from_millis(2), 90_001 + FORGET_SQUEEZE);
        let round = 90_000u32.wrapping_sub(1 << 20);
        assert_eq!(map.map(Time::from_millis(3), round), round);
    }

    #[test]
    fn clock_units_are_exact() {
        assert_eq!(clock_units(Duration::from_millis(33), 90_000), 2970);
        assert_eq!(clock_units(Duration::from_secs(3600), 48_000), 172_800_000);
        assert_eq!(clock_units(Duration::from_secs(100_000), 90_000), (9_000_000_000u64 % (1 << 32)) as u32);
    }

    proptest! {
        #[test]
        fn a_run_rises_strictly_from_what_was_sent_to_what_follows(
            highest: u32,
            ahead in 1u32..200_000,
            offset: u32,
            frames in 1u32..600,
            step in 600u32..9000,
        ) {
            let mut map = TimestampMap::new(90_000);
            map.set_offset(offset);
            map.map(Time::from_millis(10), highest.wrapping_sub(offset));
            let newest = highest.wrapping_add(ahead).wrapping_sub(offset);
            let first = newest.wrapping_sub((frames - 1) * step);
            if let Some(end) = map.squeeze(offset, first, newest) {
                let mut last = highest;
                for frame in 0..frames + 3 {
                    let output = map.map(Time::from_millis(20), first.wrapping_add(frame * step));
                    prop_assert!(output.wrapping_sub(last).cast_signed() > 0);
                    last = output;
                }
                prop_assert_eq!(last, end.wrapping_add(3 * step));
            }
        }

        #[test]
        fn after_a_change_time_goes_forward(first: u32, second: u32, passed in 0u64..60_000) {
            let mut map = TimestampMap::new(90_000);
            let before = map.map(Time::from_millis(10), first);
            map.realign();
            let after = map.map(Time::from_millis(10 + passed), second);
            prop_assert_eq!(after.wrapping_sub(before), (passed as u32 * 90).max(1));
        }
    }
}
