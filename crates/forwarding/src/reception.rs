//! What a receiver reports about one SSRC (RFC 3550 section 6.4.1): expected, lost, jitter, and the last sender report.
//!
//! Counts packets as they come off the wire; repairs and duplicates are the caller's matter.

use crate::sequence::{ExtendedSequence, FIRST_CYCLE, SequenceStep};
use crate::timestamp_map::clock_units;
use std::time::Duration;
use tureen_rtp_wire::rtcp::{ReportBlock, SenderInfo};
use tureen_rtp_wire::{NtpTime, Time};

/// A sender report and when it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceivedSenderInfo {
    /// When it arrived.
    pub at: Time,
    /// What it says.
    pub info: SenderInfo,
}

/// Interarrival jitter (RFC 3550 section 6.4.1 and appendix A.8), in units of the stream's clock.
#[derive(Clone, Copy, Debug, Default)]
struct Jitter {
    transit: Option<u32>,
    /// Sixteen times the jitter.
    scaled: u32,
}

impl Jitter {
    fn update(&mut self, arrival: u32, timestamp: u32) {
        let transit = arrival.wrapping_sub(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let difference = (transit.wrapping_sub(before) as i32).unsigned_abs();
            self.scaled = self.scaled.saturating_add(difference) - ((self.scaled + 8) >> 4).min(self.scaled);
        }
    }
}

/// The receiver's view of one SSRC.
#[derive(Clone, Debug)]
pub(crate) struct Reception {
    clock_rate: u32,
    sequence: ExtendedSequence,
    /// The first number since the source (re)started.
    base: u64,
    /// Packets expected before it last restarted.
    expected_before: u64,
    received: u64,
    expected_prior: u64,
    received_prior: u64,
    fraction_lost: u8,
    jitter: Jitter,
    sender: Option<ReceivedSenderInfo>,
}

impl Reception {
    pub(crate) const fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate,
            sequence: ExtendedSequence::new(),
            base: 0,
            expected_before: 0,
            received: 0,
            expected_prior: 0,
            received_prior: 0,
            fraction_lost: 0,
            jitter: Jitter { transit: None, scaled: 0 },
            sender: None,
        }
    }

    pub(crate) const fn sequence(&self) -> &ExtendedSequence {
        &self.sequence
    }

    pub(crate) const fn sequence_mut(&mut self) -> &mut ExtendedSequence {
        &mut self.sequence
    }

    /// The first number since the source (re)started.
    pub(crate) const fn base(&self) -> u64 {
        self.base
    }

    /// Places the number; a first or restarted source begins a run.
    pub(crate) fn step(&mut self, sequence_number: u16) -> SequenceStep {
        let expected = self.expected();
        let before = self.sequence.newest();
        let step = self.sequence.step(sequence_number);
        match step {
            SequenceStep::Newest(extended) if before.is_none() => self.base = extended,
            SequenceStep::Resynced(extended) => {
                self.expected_before = expected;
                self.base = extended;
                self.reset_jitter();
            }
            _ => {}
        }
        step
    }

    /// Counts a packet that was received.
    pub(crate) fn count(&mut self, now: Time, timestamp: u32) {
        self.received += 1;
        self.jitter.update(clock_units(now.since(Time::ZERO), self.clock_rate), timestamp);
    }

    pub(crate) fn reset_jitter(&mut self) {
        self.jitter = Jitter::default();
    }

    pub(crate) fn on_sender_info(&mut self, now: Time, info: SenderInfo) {
        self.sender = Some(ReceivedSenderInfo { at: now, info });
    }

    pub(crate) const fn sender(&self) -> Option<ReceivedSenderInfo> {
        self.sender
    }

    pub(crate) fn expected(&self) -> u64 {
        let run = self.sequence.newest().map_or(0, |newest| (newest + 1).saturating_sub(self.base));
        self.expected_before + run
    }

    pub(crate) const fn received(&self) -> u64 {
        self.received
    }

    /// Expected less received: negative if duplicates or packets from before the first outweigh the loss.
    pub(crate) fn lost(&self) -> i64 {
        self.expected() as i64 - self.received as i64
    }

    pub(crate) const fn fraction_lost(&self) -> u8 {
        self.fraction_lost
    }

    pub(crate) const fn jitter(&self) -> u32 {
        self.jitter.scaled >> 4
    }

    /// The report at `now`; ends the interval of the fraction lost.
    pub(crate) fn report(&mut self, now: Time, ssrc: u32) -> Option<ReportBlock> {
        let newest = self.sequence.newest()?;
        let expected = self.expected() - self.expected_prior;
        let received = self.received - self.received_prior;
        self.expected_prior += expected;
        self.received_prior += received;
        let lost = expected.saturating_sub(received);
        self.fraction_lost = (lost << 8).checked_div(expected).unwrap_or(0).min(255) as u8;
        let (last_sender_report, delay_since_last_sender_report) = self
            .sender
            .map_or((0, 0), |sender| (sender.info.ntp.compact(), clock_units(now.since(sender.at), 1 << 16)));
        Some(ReportBlock {
            ssrc,
            fraction_lost: self.fraction_lost,
            cumulative_lost: self.lost().clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest_sequence_number: (newest - FIRST_CYCLE.min(newest)) as u32,
            jitter: self.jitter(),
            last_sender_report,
            delay_since_last_sender_report,
        })
    }
}

/// The round trip that a report closes: `arrival` less `last` less `delay`, the latter two as the wire has them (LSR and DLSR of
/// RFC 3550 section 6.4.1, LRR and DLRR of RFC 3611 section 4.5). `None` if there was nothing to answer (`last` is 0); zero if the
/// clocks make it negative.
pub fn round_trip_time(arrival: NtpTime, last: u32, delay: u32) -> Option<Duration> {
    if last == 0 {
        return None;
    }
    let passed = arrival.compact().wrapping_sub(last).wrapping_sub(delay);
    let passed = if passed > i32::MAX as u32 { 0 } else { passed };
    Some(Duration::from_nanos((u64::from(passed) * 1_000_000_000) >> 16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_counts_loss_in_256ths() {
        let mut reception = Reception::new(8000);
        assert_eq!(reception.report(Time::ZERO, 1), None);
        for sequence in (0..100u16).filter(|sequence| sequence % 4 != 3) {
            reception.step(sequence);
            reception.count(Time::ZERO, 0);
        }
        reception.step(100);
        reception.count(Time::ZERO, 0);
        let report = reception.report(Time::ZERO, 1).unwrap();
        assert_eq!(report.fraction_lost, (25u32 * 256 / 101) as u8);
        assert_eq!(report.cumulative_lost, 25);
        assert_eq!(report.highest_sequence_number, 100);
        assert_eq!((report.last_sender_report, report.delay_since_last_sender_report), (0, 0));
        let report = reception.report(Time::ZERO, 1).unwrap();
        assert_eq!((report.fraction_lost, report.cumulative_lost), (0, 25));
    }

    #[test]
    fn the_highest_sequence_has_its_cycles() {
        let mut reception = Reception::new(8000);
        reception.step(65_535);
        reception.step(1);
        assert_eq!(reception.report(Time::ZERO, 1).unwrap().highest_sequence_number, 65_537);
    }

    #[test]
    fn duplicates_make_the_loss_negative() {
        let mut reception = Reception::new(8000);
        reception.step(5);
        reception.count(Time::ZERO, 0);
        reception.step(4);
        reception.count(Time::ZERO, 0);
        let report = reception.report(Time::ZERO, 1).unwrap();
        assert_eq!((report.cumulative_lost, report.fraction_lost), (-1, 0));
    }

    #[test]
    fn a_restart_neither_adds_nor_forgets_loss() {
        let mut reception = Reception::new(8000);
        for sequence in [100, 102, 30_000, 30_001, 30_002] {
            if !matches!(reception.step(sequence), SequenceStep::Jump) {
                reception.count(Time::ZERO, 0);
            }
        }
        assert_eq!((reception.expected(), reception.received(), reception.lost()), (5, 4, 1));
    }

    #[test]
    fn jitter_follows_the_rfc() {
        let mut reception = Reception::new(90_000);
        // Transit differences of 0, then 900 units (10 ms): J += (|D| - J) / 16.
        for (millis, timestamp) in [(0, 0), (20, 1800), (50, 3600)] {
            reception.count(Time::from_millis(millis), timestamp);
        }
        assert_eq!(reception.jitter(), 900 / 16);
        reception.count(Time::from_millis(70), 5400);
        assert_eq!(reception.jitter(), (900 - (908 >> 4)) / 16);
    }

    #[test]
    fn the_delay_since_the_sender_report_is_in_65536ths() {
        let mut reception = Reception::new(8000);
        reception.step(1);
        let ntp = NtpTime::new(0x1234_5678, 0x9abc_def0);
        reception.on_sender_info(Time::from_millis(1000), SenderInfo { ntp, ..SenderInfo::default() });
        let report = reception.report(Time::from_millis(1500), 1).unwrap();
        assert_eq!((report.last_sender_report, report.delay_since_last_sender_report), (0x5678_9abc, 32_768));
    }

    #[test]
    fn the_round_trip_of_the_rfc_example() {
        // RFC 3550 section 6.4.1, figure 2: 6.125 s.
        let arrival = NtpTime::new(0x0000_b710, 0x8000_0000);
        assert_eq!(round_trip_time(arrival, 0xb705_2000, 0x0005_4000), Some(Duration::from_millis(6125)));
        assert_eq!(round_trip_time(arrival, 0, 0), None);
        assert_eq!(round_trip_time(arrival, 0xb710_8000, 5), Some(Duration::ZERO));
    }
}
