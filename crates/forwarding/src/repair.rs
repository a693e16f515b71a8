//! Which lost packets are worth sending again to one receiver: not too soon, not too late, not too often, and only so many. Must not know
//! packets.

use crate::nack::DEFAULT_RTT;
use std::time::Duration;

/// What is to arrive later than this after it was first sent, in pictures, is of no use: receivers have asked for a key frame by then, and a
/// [`PacketStore`](crate::PacketStore) keeps packets no longer.
pub const REPAIR_DEADLINE_VIDEO: Duration = Duration::from_millis(2000);
/// The same in sound: no conversation bears more delay one way (ITU-T G.114 section 3), so that no receiver waits for longer.
pub const REPAIR_DEADLINE_AUDIO: Duration = Duration::from_millis(400);
/// A packet is sent again so often at most: who loses it ten times asks no more (`kMaxNackRetries` of libwebrtc's NACK requester), and neither
/// does [`NackGenerator`](crate::NackGenerator).
pub const MAX_REPAIRS: u8 = 10;
/// Repairs may take this share of the bytes that a stream carries besides: what mends a third of all packets lost, repairs included.
pub const REPAIR_SHARE_PERCENT: usize = 50;
/// Bytes of repairs that are saved up for, and that a stream starts with: twice a key frame of 2.8 Mbit/s.
pub const REPAIR_BURST: usize = 200_000;

macro_rules! refusals {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// Why a packet is not sent again.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum ResendRefusal {
            $($(#[$doc])* $variant,)+
        }

        impl ResendRefusal {
            /// All reasons, in the order of [`index`](Self::index).
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// How many reasons there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The reason's name in statistics: lower case, underscores.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// A dense index, less than [`COUNT`](Self::COUNT).
            pub const fn index(self) -> usize {
                self as usize
            }
        }
    };
}

refusals! {
    /// It was never sent, or is no longer kept.
    Unknown = "unknown",
    /// It was sent, for the first time or again, less than a round trip ago: the receiver cannot have missed it yet.
    TooSoon = "too_soon",
    /// It would arrive when it is of no use any more.
    TooLate = "too_late",
    /// It was sent again [`MAX_REPAIRS`] times.
    TooOften = "too_often",
    /// Repairs have taken their share of the rate.
    OverShare = "over_share",
    /// More packets were asked for at once than are answered.
    TooMany = "too_many",
}

/// How often packets were not sent again, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResendRefusals([u64; ResendRefusal::COUNT]);

impl ResendRefusals {
    /// Counts one.
    pub fn add(&mut self, reason: ResendRefusal) {
        if let Some(count) = self.0.get_mut(reason.index()) {
            *count += 1;
        }
    }

    /// The count of a reason.
    pub fn get(&self, reason: ResendRefusal) -> u64 {
        self.0.get(reason.index()).copied().unwrap_or(0)
    }

    /// All reasons with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (ResendRefusal, u64)> {
        ResendRefusal::ALL.iter().map(|reason| (*reason, self.get(*reason)))
    }

    /// Takes over the counts of another stream.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }
}

/// When a packet may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResendTimes {
    /// At least this long after it was sent first.
    pub after_first: Duration,
    /// At least this long after it was sent again.
    pub after_repeat: Duration,
    /// At most this long after it was sent first.
    pub at_latest: Duration,
}

impl ResendTimes {
    /// What the round trip asks for, where a packet is of use up to `deadline`. A NACK that comes sooner was under way when the packet left:
    /// the packet came late from its own source, and the receiver had seen those behind it. While no round trip is measured, the first NACK
    /// is taken at its word; and since round trips vary, it may come by an eighth sooner than the last that was measured.
    pub fn of(measured: Option<Duration>, deadline: Duration) -> Self {
        let after_first = measured.map_or(Duration::ZERO, |rtt| rtt - rtt / 8);
        let one_way = measured.unwrap_or_default() / 2;
        Self {
            after_first,
            after_repeat: measured.unwrap_or(DEFAULT_RTT),
            at_latest: deadline.saturating_sub(one_way),
        }
    }
}

/// What repairs of one stream may take, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RepairShare {
    /// Bytes to go; below 0 after a packet that took more than there was.
    left: isize,
}

impl RepairShare {
    pub(crate) const fn new() -> Self {
        Self { left: REPAIR_BURST as isize }
    }

    /// Media of `size` bytes is sent.
    #[inline]
    pub(crate) fn earn(&mut self, size: usize) {
        let earned = size * REPAIR_SHARE_PERCENT / 100;
        self.left = self.left.saturating_add_unsigned(earned).min(REPAIR_BURST as isize);
    }

    pub(crate) const fn has_room(self) -> bool {
        self.left > 0
    }

    /// A repair of `size` bytes is sent.
    pub(crate) const fn spend(&mut self, size: usize) {
        self.left = self.left.saturating_sub_unsigned(size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_is_met_by_what_arrives_half_a_round_trip_later() {
        let times = ResendTimes::of(Some(Duration::from_millis(300)), REPAIR_DEADLINE_AUDIO);
        assert_eq!(times.at_latest, Duration::from_millis(250));
        let hopeless = ResendTimes::of(Some(Duration::from_secs(1)), REPAIR_DEADLINE_AUDIO);
        assert!(hopeless.at_latest < hopeless.after_first, "sound is not repaired over such a way");
        assert_eq!(ResendTimes::of(None, REPAIR_DEADLINE_VIDEO).at_latest, REPAIR_DEADLINE_VIDEO);
    }

    #[test]
    fn repairs_take_their_burst_and_then_their_share() {
        let mut share = RepairShare::new();
        let mut repaired = 0;
        for _ in 0..10_000 {
            share.earn(1000);
            while share.has_room() {
                share.spend(1000);
                repaired += 1000;
            }
        }
        let most = REPAIR_BURST + 10_000_000 * REPAIR_SHARE_PERCENT / 100;
        assert!((most - 2000..=most + 1000).contains(&repaired), "{repaired}");
    }

    #[test]
    fn reasons_are_dense_and_named_apart() {
        let names: std::collections::HashSet<_> = ResendRefusal::ALL.iter().map(|it| it.name()).collect();
        assert_eq!(names.len(), ResendRefusal::COUNT);
        for (index, reason) in ResendRefusal::ALL.iter().enumerate() {
            assert_eq!(reason.index(), index);
        }
    }
}
