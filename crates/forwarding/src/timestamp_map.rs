//! The RTP timestamps of a consumer: the source's, shifted so that they never go back or leap when the source is exchanged.

use std::time::Duration;
use tureen_rtp_wire::Time;

/// Maps a source's timestamps to a consumer's by an offset that changes only when the source does.
#[derive(Clone, Copy, Debug)]
pub struct TimestampMap {
    clock_rate: u32,
    offset: u32,
    /// The highest output so far and when its packet arrived.
    highest: Option<(u32, Time)>,
    aligning: bool,
}

impl TimestampMap {
    /// The identity, for a clock of `clock_rate` Hz.
    pub const fn new(clock_rate: u32) -> Self {
        Self { clock_rate, offset: 0, highest: None, aligning: false }
    }

    /// The source is another one, with a clock origin of its own: the next packet gets the timestamp that the time passed since
    /// the highest one asks for, and the offset follows from that.
    pub const fn realign(&mut self) {
        self.aligning = true;
    }

    /// Sets the offset, modulo 2^32, from an alignment that is known better than by arrival (sender reports).
    pub const fn set_offset(&mut self, offset: u32) {
        self.offset = offset;
        self.aligning = false;
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
        if let (true, Some((highest, at))) = (self.aligning, self.highest) {
            let passed = clock_units(received_at.since(at), self.clock_rate).max(1);
            self.offset = highest.wrapping_add(passed).wrapping_sub(timestamp);
        }
        self.aligning = false;
        let output = timestamp.wrapping_add(self.offset);
        if self.highest.is_none_or(|(highest, _)| output.wrapping_sub(highest) < 1 << 31) {
            self.highest = Some((output, received_at));
        }
        output
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
    fn clock_units_are_exact() {
        assert_eq!(clock_units(Duration::from_millis(33), 90_000), 2970);
        assert_eq!(clock_units(Duration::from_secs(3600), 48_000), 172_800_000);
        assert_eq!(clock_units(Duration::from_secs(100_000), 90_000), (9_000_000_000u64 % (1 << 32)) as u32);
    }

    proptest! {
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
