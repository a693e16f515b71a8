//! The RTP timestamps of a consumer that goes from one stream of its source to another, each with a clock origin of its own.
//!
//! Where senders said how their streams' clocks lie to each other (sender reports), that counts; else the time of arrival. Time never
//! goes back.

use crate::key_frame_run::KeyFrameRun;
use crate::meta::PacketMeta;
use crate::sent_log::MAX_LOGGED_ENCODINGS;
use crate::timestamp_map::{TimestampMap, clock_units};
use crate::verdict::DropReason;
use std::time::Duration;
use tureen_rtp_wire::rtcp::SenderInfo;
use tureen_rtp_wire::{NtpTime, Time};

/// Between a frame and one that should have come before it: about one frame.
const LEAST_STEP: Duration = Duration::from_millis(33);
/// A key frame that would have to be moved by more is not switched to, once.
const MAX_MOVE: Duration = Duration::from_millis(75);
/// Alignments that differ by more from what the arrival says are not believed.
const MAX_DEVIATION: Duration = Duration::from_secs(1);

/// What has to be added to a stream's timestamps to get the wall clock of its sender report, in units of `clock_rate` Hz, modulo
/// 2^32 (RFC 3550 section 6.4.1). `None` if the sender has no wall clock.
pub fn clock_alignment(info: &SenderInfo, clock_rate: u32) -> Option<u32> {
    (info.ntp.0 != 0).then(|| clock_reading(info.ntp, clock_rate).wrapping_sub(info.rtp_timestamp))
}

/// A wall clock's reading in units of `clock_rate` Hz, modulo 2^32.
pub fn clock_reading(ntp: NtpTime, clock_rate: u32) -> u32 {
    let fraction = (u64::from(ntp.fraction()) * u64::from(clock_rate)) >> 32;
    ntp.seconds().wrapping_mul(clock_rate).wrapping_add(fraction as u32)
}

/// Timestamps that go on over switches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeline {
    clock_rate: u32,
    map: TimestampMap,
    /// The offset of the stream in use, without what was added to keep time from going back.
    base: u32,
    /// The stream in use, or used last; `None` if its clock is unknown.
    encoding: Option<u8>,
    /// By encoding, see [`clock_alignment`].
    alignments: [Option<u32>; MAX_LOGGED_ENCODINGS as usize],
    /// A key frame was not taken because it would have had to be moved too far.
    held_back: bool,
    /// The stream of which a run follows, with timestamps that are settled.
    run: Option<u8>,
}

impl Timeline {
    /// One that starts with the timestamps of the first stream.
    pub(crate) const fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate,
            map: TimestampMap::new(clock_rate),
            base: 0,
            encoding: None,
            alignments: [None; MAX_LOGGED_ENCODINGS as usize],
            held_back: false,
            run: None,
        }
    }

    /// How the clock of `encoding` lies to the one that all share.
    pub(crate) fn set_alignment(&mut self, encoding: u8, alignment: u32) {
        if let Some(place) = self.alignments.get_mut(usize::from(encoding)) {
            *place = Some(alignment);
        }
    }

    /// `encoding` has another clock from now on.
    pub(crate) fn forget(&mut self, encoding: u8) {
        if let Some(place) = self.alignments.get_mut(usize::from(encoding)) {
            *place = None;
        }
        if self.encoding == Some(encoding) {
            self.encoding = None;
        }
        self.run = None;
    }

    /// Another stream is wanted.
    pub(crate) const fn retarget(&mut self) {
        self.held_back = false;
        self.run = None;
    }

    /// The stream of `run` goes on with all of it at once: what is before its newest packet moves close to that, see
    /// [`TimestampMap::squeeze`]. Returns the newest packet's output, or `None`, and nothing has changed, if there is no room.
    pub(crate) fn enter_run(&mut self, run: &KeyFrameRun) -> Option<u32> {
        let newest = &run.newest;
        let base = match self.map.highest() {
            Some((highest, at)) => self.base_of(newest, highest, at),
            None => self.map.offset(),
        };
        let output = self.map.squeeze(base, run.first.timestamp, newest.timestamp)?;
        (self.base, self.encoding) = (base, Some(newest.encoding));
        self.run = Some(newest.encoding);
        self.held_back = false;
        Some(output)
    }

    /// The stream of `meta` goes on from here.
    ///
    /// # Errors
    /// [`DropReason::KeyFrameBehind`], once in a row.
    pub(crate) fn enter(&mut self, meta: &PacketMeta) -> Result<(), DropReason> {
        if self.run.take() == Some(meta.encoding) {
            return Ok(());
        }
        let Some((highest, at)) = self.map.highest() else {
            self.encoding = Some(meta.encoding);
            return Ok(());
        };
        let base = self.base_of(meta, highest, at);
        let lead = meta.timestamp.wrapping_add(base).wrapping_sub(highest) as i32;
        let moved = if lead > 0 { 0 } else { self.catch_up(lead.unsigned_abs())? };
        self.held_back = false;
        self.base = base;
        self.encoding = Some(meta.encoding);
        self.map.set_offset(base.wrapping_add(moved));
        Ok(())
    }

    /// What is added to timestamps of `encoding`, if that is the stream in use.
    pub(crate) fn offset(&self, encoding: u8) -> Option<u32> {
        (self.encoding == Some(encoding)).then(|| self.map.offset())
    }

    /// The output for a packet of the stream in use.
    #[inline]
    pub(crate) fn map(&mut self, received_at: Time, timestamp: u32) -> u32 {
        self.map.map(received_at, timestamp)
    }

    fn base_of(&self, meta: &PacketMeta, highest: u32, at: Time) -> u32 {
        let passed = clock_units(meta.received_at.since(at), self.clock_rate).max(1);
        let by_arrival = highest.wrapping_add(passed).wrapping_sub(meta.timestamp);
        let limit = clock_units(MAX_DEVIATION, self.clock_rate);
        let believable = |base: &u32| (base.wrapping_sub(by_arrival) as i32).unsigned_abs() <= limit;
        self.aligned(meta.encoding).filter(believable).unwrap_or(by_arrival)
    }

    /// The offset that puts `encoding` beside the stream in use.
    fn aligned(&self, encoding: u8) -> Option<u32> {
        let in_use = self.encoding?;
        if in_use == encoding {
            return Some(self.base);
        }
        let of = |encoding: u8| self.alignments.get(usize::from(encoding)).copied().flatten();
        Some(self.base.wrapping_add(of(encoding)?).wrapping_sub(of(in_use)?))
    }

    /// How far a key frame is moved that lies `behind` the newest frame.
    fn catch_up(&mut self, behind: u32) -> Result<u32, DropReason> {
        let moved = behind.saturating_add(clock_units(LEAST_STEP, self.clock_rate));
        if moved <= clock_units(MAX_MOVE, self.clock_rate) {
            return Ok(moved);
        }
        if std::mem::replace(&mut self.held_back, true) {
            return Ok(behind.saturating_add(1));
        }
        Err(DropReason::KeyFrameBehind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame_layers::FrameLayers;
    use tureen_rtp_wire::payload::PayloadDescriptor;

    fn at(millis: u64, encoding: u8, timestamp: u32) -> PacketMeta {
        PacketMeta {
            received_at: Time::from_millis(millis),
            extended_sequence: 70_000,
            timestamp,
            payload_size: 1000,
            encoding,
            spatial_layer: 0,
            temporal_layer: 0,
            marker: true,
            is_key_frame: true,
            primary: None,
            descriptor: PayloadDescriptor::Opaque,
            layers: FrameLayers::UNKNOWN,
        }
    }

    fn take(timeline: &mut Timeline, packet: &PacketMeta) -> Result<u32, DropReason> {
        timeline.enter(packet)?;
        Ok(timeline.map(packet.received_at, packet.timestamp))
    }

    #[test]
    fn aligned_clocks_keep_the_time_of_capture() {
        let mut timeline = Timeline::new(90_000);
        // Captured together, encoding 1 is 1000 behind, modulo 2^32.
        timeline.set_alignment(0, 50);
        timeline.set_alignment(1, 1050);
        assert_eq!(take(&mut timeline, &at(1000, 0, 500)), Ok(500));
        // Captured 100 ms later, on its way 40 ms longer.
        assert_eq!(take(&mut timeline, &at(1140, 1, 8500)), Ok(9500));
        assert_eq!(take(&mut timeline, &at(1200, 0, 18_500)), Ok(18_500));
    }

    #[test]
    fn without_alignment_the_arrival_counts() {
        let mut timeline = Timeline::new(90_000);
        timeline.set_alignment(0, 50);
        assert_eq!(take(&mut timeline, &at(1000, 0, 500)), Ok(500));
        assert_eq!(take(&mut timeline, &at(1100, 1, 77)), Ok(9500));
        assert_eq!(take(&mut timeline, &at(1100, 0, 78)), Ok(9501));
    }

    #[test]
    fn alignments_that_cannot_be_are_not_believed() {
        let mut timeline = Timeline::new(90_000);
        timeline.set_alignment(0, 0);
        timeline.set_alignment(1, 1 << 30);
        assert_eq!(take(&mut timeline, &at(1000, 0, 500)), Ok(500));
        assert_eq!(take(&mut timeline, &at(1100, 1, 500)), Ok(9500));
    }

    #[test]
    fn a_key_frame_from_a_little_before_is_moved_by_a_frame() {
        let mut timeline = Timeline::new(90_000);
        timeline.set_alignment(0, 0);
        timeline.set_alignment(1, 0);
        assert_eq!(take(&mut timeline, &at(1000, 0, 9000)), Ok(9000));
        assert_eq!(take(&mut timeline, &at(1010, 1, 9000 - 900)), Ok(9000 + 2970));
        assert_eq!(timeline.map(Time::from_millis(1033), 9000 + 2070), 9000 + 5940);
        // What was added is gone with the next switch that has room for it.
        assert_eq!(take(&mut timeline, &at(1200, 0, 27_000)), Ok(27_000));
    }

    #[test]
    fn a_key_frame_from_long_before_is_not_taken_at_first() {
        let mut timeline = Timeline::new(90_000);
        timeline.set_alignment(0, 0);
        timeline.set_alignment(1, 0);
        assert_eq!(take(&mut timeline, &at(1000, 0, 90_000)), Ok(90_000));
        assert_eq!(take(&mut timeline, &at(1010, 1, 81_000)), Err(DropReason::KeyFrameBehind));
        assert_eq!(take(&mut timeline, &at(1010, 1, 81_000)), Ok(90_001));
    }

    #[test]
    fn one_stream_goes_on_by_its_own_clock_unless_it_is_exchanged() {
        let mut timeline = Timeline::new(90_000);
        assert_eq!(take(&mut timeline, &at(1000, 0, 9000)), Ok(9000));
        assert_eq!(take(&mut timeline, &at(2003, 0, 99_000)), Ok(99_000));
        timeline.forget(0);
        assert_eq!(take(&mut timeline, &at(2103, 0, 5)), Ok(108_000));
    }

    #[test]
    fn sender_reports_align() {
        let info = SenderInfo {
            ntp: NtpTime::new(10, 1 << 31),
            rtp_timestamp: 1000,
            packet_count: 0,
            octet_count: 0,
        };
        assert_eq!(clock_alignment(&info, 90_000), Some(945_000 - 1000));
        assert_eq!(clock_alignment(&SenderInfo { ntp: NtpTime::new(0, 0), ..info }, 90_000), None);
    }
}
