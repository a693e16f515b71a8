//! Loudness on its way from a producer to those who listen: metered where the producer lives, reported once a window.
//!
//! Windows are counted from the clock's origin, which is one for all shards, so that reports of all producers compare. Must
//! not know packets, nor what becomes of a report.

use crate::id::ShardId;
use smallvec::SmallVec;
use std::time::Duration;
use tureen_rtp_wire::Time;

/// How long a window is, in milliseconds.
const WINDOW_MILLIS: u64 = 100;
/// Frames in a window.
pub(crate) const FRAMES: usize = 5;
const FRAME_MILLIS: u64 = WINDOW_MILLIS / FRAMES as u64;

/// The window that a moment is in.
pub(crate) fn window_of(now: Time) -> u64 {
    now.as_millis() / WINDOW_MILLIS
}

/// When a window ends.
pub(crate) fn window_end(window: u64) -> Time {
    Time::ZERO + Duration::from_millis(window.saturating_add(1).saturating_mul(WINDOW_MILLIS))
}

/// When to judge next: after `interval`, in steps of a window, and half a window after its end, so that the reports of other shards are
/// there.
pub(crate) fn judgement_after(now: Time, interval: Duration) -> Time {
    window_end(window_of(now + interval)) - Duration::from_millis(WINDOW_MILLIS / 2)
}

/// What was heard of a producer in one window.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LevelReport {
    /// Which window.
    pub(crate) window: u64,
    /// The loudest level of each frame of 20 ms, in -dBov; `None` where no packet came.
    pub(crate) frames: [Option<u8>; FRAMES],
    /// Sum of the levels of all packets, in -dBov.
    pub(crate) sum: u32,
    /// Packets with a level.
    pub(crate) packets: u32,
}

/// A shard that listens to a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LevelListener {
    pub(crate) shard: ShardId,
    /// The number of the newest request of the shard.
    pub(crate) subscription: u64,
}

/// Meters a producer for those who listen.
#[derive(Debug, Default)]
pub(crate) struct LevelMeter {
    report: LevelReport,
    pub(crate) listeners: SmallVec<[LevelListener; 2]>,
}

impl LevelMeter {
    /// Takes note of a level in -dBov. Returns the window if the level is the first of a report. What comes late since the shard was busy
    /// counts as the report's last frame.
    pub(crate) fn note(&mut self, now: Time, level: u8) -> Option<u64> {
        let is_first = self.report.packets == 0;
        let report = &mut self.report;
        if is_first {
            report.window = window_of(now);
        }
        let within = now.as_millis().saturating_sub(report.window * WINDOW_MILLIS) / FRAME_MILLIS;
        let index = usize::try_from(within).unwrap_or(FRAMES).min(FRAMES - 1);
        if let Some(frame) = report.frames.get_mut(index) {
            *frame = Some(frame.map_or(level, |loudest| loudest.min(level)));
        }
        report.sum = report.sum.saturating_add(u32::from(level));
        report.packets = report.packets.saturating_add(1);
        is_first.then_some(report.window)
    }

    /// What was noted since the last time, if anything.
    pub(crate) fn take(&mut self) -> Option<LevelReport> {
        let report = std::mem::take(&mut self.report);
        (report.packets > 0).then_some(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    #[test]
    fn a_report_has_the_loudest_level_of_each_frame() {
        let mut meter = LevelMeter::default();
        assert_eq!(meter.note(at(1205), 40), Some(12));
        assert_eq!(meter.note(at(1219), 30), None);
        assert_eq!(meter.note(at(1285), 127), None);
        assert_eq!(meter.note(at(1330), 20), None, "late");
        let report = meter.take().expect("levels were noted");
        assert_eq!(report.frames, [Some(30), None, None, None, Some(20)]);
        assert_eq!((report.window, report.sum, report.packets), (12, 217, 4));
        assert!(meter.take().is_none());
    }

    #[test]
    fn judgements_fall_in_the_middle_of_windows() {
        assert_eq!(window_end(window_of(at(1250))), at(1300));
        assert_eq!(judgement_after(at(1250), Duration::from_millis(300)), at(1550));
        assert_eq!(judgement_after(at(1299), Duration::from_millis(300)), at(1550));
        assert_eq!(judgement_after(at(1201), Duration::from_millis(300)), at(1550));
    }
}
