//! What arrived of late, by the receiver's clock: how much a second, and how much a second while packets queued.
//!
//! While packets queue, they arrive at the rate of the bottleneck, or at this sender's part of it: that is the one time at
//! which the capacity shows itself, however little was sent before. Must not know estimates.

/// Packets that are remembered.
const PACKETS: usize = 512;
/// The time over which arrivals are counted.
const WINDOW_MICROS: i64 = 500_000;
/// The shortest time over which a rate means something, and the fewest packets.
const MIN_SPAN_MICROS: i64 = 60_000;
const MIN_PACKETS: u32 = 5;
/// The time in queues over which the capacity is read, and the shortest that will do.
const BUSY_SPAN_MICROS: i64 = 250_000;
const MIN_BUSY_MICROS: i64 = 40_000;

/// A packet that arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// Receiver's microseconds.
    pub at: i64,
    pub size: u16,
    /// Microseconds above the least delay.
    pub queued: i64,
    /// Packets between this and the one that arrived before it; more than a few mean that it overtook, or was overtaken.
    pub skipped: u16,
}

/// So many packets may be lost between two.
const MAX_SKIPPED: u16 = 32;

#[derive(Clone, Copy, Debug, Default)]
struct Packet {
    /// Receiver's microseconds.
    at: i64,
    /// Microseconds after the packet before it.
    gap: u32,
    /// Microseconds above the least delay.
    queued: u32,
    size: u16,
    /// Bytes of packets lost just before it, taken to be of its size.
    lost: u32,
}

/// The last arrivals, in their order.
#[derive(Clone, Debug)]
pub(crate) struct Arrivals {
    packets: Box<[Packet]>,
    count: usize,
    newest: i64,
}

impl Arrivals {
    pub(crate) fn new() -> Self {
        Self { packets: vec![Packet::default(); PACKETS].into_boxed_slice(), count: 0, newest: 0 }
    }

    /// Takes a packet; those that arrived before others that were taken already count as arriving with these.
    pub(crate) fn add(&mut self, Arrival { at, size, queued, skipped }: Arrival) {
        let at = if self.count == 0 { at } else { at.max(self.newest) };
        let gap = if self.count == 0 { 0 } else { at.saturating_sub(self.newest) };
        let lost = lost_bytes(skipped, size);
        let packet = Packet { at, gap: clamped(gap), queued: clamped(queued), size, lost };
        if let Some(slot) = self.packets.get_mut(self.count % PACKETS) {
            *slot = packet;
        }
        self.newest = at;
        // The place stays right when the count starts again.
        self.count = if self.count == usize::MAX { PACKETS } else { self.count + 1 };
    }

    /// Bits per second over the last half second of arrivals; `None` until 60 ms have been seen.
    pub(crate) fn bitrate(&self) -> Option<f64> {
        let (mut bytes, mut packets, mut oldest) = (0_u64, 0_u32, None);
        for packet in self.newest_first() {
            if self.newest.saturating_sub(packet.at) > WINDOW_MICROS {
                break;
            }
            oldest = Some(packet);
            bytes += u64::from(packet.size);
            packets += 1;
        }
        let oldest = oldest?;
        let span = self.newest.saturating_sub(oldest.at);
        if span < MIN_SPAN_MICROS || packets < MIN_PACKETS {
            return None;
        }
        // The oldest took its time before the span began.
        Some((bytes - u64::from(oldest.size)) as f64 * 8e6 / span as f64)
    }

    /// Bits per second while packets queued for more than `queued` microseconds, the last 250 ms of such time within a
    /// half second; `None` for less than 40 ms of it. With `lost_behind`, packets that are missing were lost behind the bottleneck and
    /// took their part of it.
    pub(crate) fn busy_bitrate(&self, queued: f64, lost_behind: bool) -> Option<f64> {
        let (mut bytes, mut span, mut packets) = (0_u64, 0_i64, 0_u32);
        for packet in self.newest_first() {
            if self.newest.saturating_sub(packet.at) > WINDOW_MICROS || span > BUSY_SPAN_MICROS {
                break;
            }
            if f64::from(packet.queued) > queued {
                bytes += u64::from(packet.size) + if lost_behind { u64::from(packet.lost) } else { 0 };
                span += i64::from(packet.gap);
                packets += 1;
            }
        }
        (span >= MIN_BUSY_MICROS && packets >= MIN_PACKETS).then(|| bytes as f64 * 8e6 / span as f64)
    }

    fn newest_first(&self) -> impl Iterator<Item = Packet> {
        let count = self.count.min(PACKETS);
        (1..=count).filter_map(move |back| self.packets.get((self.count - back) % PACKETS).copied())
    }
}

/// Bytes of so many packets that were skipped before one of `size`.
pub(crate) fn lost_bytes(skipped: u16, size: u16) -> u32 {
    if skipped <= MAX_SKIPPED { u32::from(skipped) * u32::from(size) } else { 0 }
}

fn clamped(micros: i64) -> u32 {
    u32::try_from(micros.max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_has_its_rate_and_its_busy_part_the_links() {
        let mut arrivals = Arrivals::new();
        assert_eq!(arrivals.bitrate(), None);
        let mut at = 0;
        // Each 100 ms ten packets of 1250 bytes, 5 ms apart but for the first: 2 Mbit/s while they queue, 1 over all.
        for _ in 0..20 {
            for packet in 0..10 {
                let queued = if packet == 0 { 0 } else { 10_000 };
                arrivals.add(Arrival { at: at + packet * 5_000, size: 1250, queued, skipped: 0 });
            }
            at += 100_000;
        }
        let all = arrivals.bitrate().expect("long enough");
        assert!((0.9e6..1.15e6).contains(&all), "{all}");
        let busy = arrivals.busy_bitrate(5_000.0, false).expect("long enough");
        assert!((busy - 2e6).abs() < 1.0, "{busy}");
        assert_eq!(arrivals.busy_bitrate(20_000.0, false), None);
    }

    #[test]
    fn times_that_go_back_or_far_ahead_give_finite_rates() {
        let mut arrivals = Arrivals::new();
        for at in [5, i64::MIN, i64::MAX, 0, 7, i64::MAX, 3] {
            arrivals.add(Arrival { at, size: u16::MAX, queued: i64::MIN, skipped: 7 });
            assert!(arrivals.bitrate().is_none_or(f64::is_finite));
            assert!(arrivals.busy_bitrate(0.0, true).is_none_or(f64::is_finite));
        }
    }
}
