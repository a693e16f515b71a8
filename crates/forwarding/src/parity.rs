//! Parity towards one receiver (FlexFEC, draft-ietf-payload-flexible-fec-scheme-03): which packets go together, and when parity is worth its bytes.
//!
//! A packet that is lost is sent again, which takes a round trip; where that is long, and packets are lost one by one, parity is there sooner.
//! Where they are lost several in a row it brings nothing back, since one packet of parity stands for one that is missing. Sees numbers alone,
//! never packets.

use crate::rate::{RATE_WINDOW, RateWindow};
use std::time::Duration;
use tureen_rtp_wire::Time;
use tureen_rtp_wire::payload::flexfec::MAX_SPAN;

/// Below this round trip a packet that is sent again comes early enough.
const LEAST_ROUND_TRIP: Duration = Duration::from_millis(100);
/// Losses, in 256ths, from which on parity is sent, and below which it is not any more.
const FROM_LOSS: f32 = 3.0;
const UNTIL_LOSS: f32 = 1.0;
/// So many losses in a row, in the mean, are too many for it.
const LONGEST_RUN: f32 = 1.5;
/// What comes later than so many round trips after the first packet of a block brings nothing that a retransmission would not have brought.
const LATEST: f32 = 0.5;
/// Packets that share a packet of parity: so that of them, in 256ths, that many are lost; within these bounds.
const LOST_OF_BLOCK: f32 = 150.0;
const LEAST_BLOCK: f32 = 4.0;
const LARGEST_BLOCK: f32 = 15.0;
/// Weight of the newest report, and of the newest run of losses.
const WEIGHT: f32 = 0.3;

/// The parity stream that belongs to a media stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FecConfig {
    /// Its SSRC.
    pub ssrc: u32,
    /// Its payload type.
    pub payload_type: u8,
}

/// Packets that share a packet of parity, by their sequence numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParityBlock {
    first: u16,
    /// From the least significant bit on: `first`, `first + 1`...
    mask: u64,
}

impl ParityBlock {
    /// Their sequence numbers, in order.
    pub fn sequence_numbers(self) -> impl Iterator<Item = u16> {
        (0..MAX_SPAN).filter(move |at| self.mask >> at & 1 == 1).map(move |at| self.first.wrapping_add(at))
    }

    /// How many there are.
    pub const fn packets(self) -> u32 {
        self.mask.count_ones()
    }
}

/// The sending side of a parity stream: sent from 3/256 of loss on and until it is below 1/256, where the round trip is 100 ms at least and
/// losses come 1.5 in a row at the most.
#[derive(Clone, Debug)]
pub struct ParitySender {
    config: FecConfig,
    next_sequence_number: u16,
    block: ParityBlock,
    /// When its first packet left.
    since: Time,
    /// How old it may become.
    patience: Duration,
    is_due: bool,
    /// Packets that share a packet of parity; none while there is no use in it.
    each: Option<u32>,
    /// In 256ths, smoothed.
    loss: f32,
    last_lost: Option<u16>,
    run: u32,
    /// Losses in a row, smoothed.
    runs: f32,
    rate: RateWindow,
}

impl ParitySender {
    /// A stream whose first sequence number is `first`, which should be random.
    pub fn new(config: FecConfig, first: u16) -> Self {
        Self {
            config,
            next_sequence_number: first,
            block: ParityBlock { first: 0, mask: 0 },
            since: Time::ZERO,
            patience: Duration::ZERO,
            is_due: false,
            each: None,
            loss: 0.0,
            last_lost: None,
            run: 0,
            runs: 1.0,
            rate: RateWindow::new(RATE_WINDOW),
        }
    }

    /// The stream's SSRC and payload type.
    pub const fn config(&self) -> FecConfig {
        self.config
    }

    /// The sequence number of the next packet of parity.
    pub const fn next_sequence_number(&self) -> u16 {
        self.next_sequence_number
    }

    /// How many packets share a packet of parity at the most; `None` while none is sent.
    pub const fn each(&self) -> Option<u32> {
        self.each
    }

    /// Follows what the receiver reports: the part of packets that it lost, in 256ths, and the round trip.
    pub fn follow(&mut self, fraction_lost: u8, round_trip_time: Option<Duration>) {
        self.loss += (f32::from(fraction_lost) - self.loss) * WEIGHT;
        let is_far = round_trip_time.is_some_and(|time| time >= LEAST_ROUND_TRIP);
        let least = if self.each.is_some() { UNTIL_LOSS } else { FROM_LOSS };
        let helps = is_far && self.loss >= least && self.runs <= LONGEST_RUN;
        self.each = helps.then(|| (LOST_OF_BLOCK / self.loss).clamp(LEAST_BLOCK, LARGEST_BLOCK) as u32);
        self.patience = round_trip_time.unwrap_or_default().mul_f32(LATEST);
        if !helps {
            self.forget();
        }
    }

    /// Takes note of a packet that the receiver misses; those of one message come in order.
    pub fn on_lost(&mut self, sequence_number: u16) {
        let distance = self.last_lost.map(|last| sequence_number.wrapping_sub(last));
        match distance {
            // Asked for once more.
            Some(0 | 0x8000..) => return,
            Some(1) => self.run += 1,
            _ => {
                if self.run > 0 {
                    self.runs += (self.run as f32 - self.runs) * WEIGHT;
                }
                self.run = 1;
            }
        }
        self.last_lost = Some(sequence_number);
    }

    /// Takes note of a packet that leaves now.
    #[inline]
    pub fn on_sent(&mut self, now: Time, sequence_number: u16) {
        if let Some(each) = self.each {
            self.note(now, sequence_number);
            let packets = self.block.packets();
            let is_late = now.since(self.since) >= self.patience;
            self.is_due = packets >= each || is_late && packets >= LEAST_BLOCK as u32;
        }
    }

    fn note(&mut self, now: Time, sequence_number: u16) {
        let at = sequence_number.wrapping_sub(self.block.first);
        if self.block.mask == 0 || at >= MAX_SPAN {
            self.block = ParityBlock { first: sequence_number, mask: 1 };
            self.since = now;
        } else {
            self.block.mask |= 1 << at;
        }
    }

    /// Whether as many packets were sent as share a packet of parity, or the first of them lies back for so long that it would be late.
    #[inline]
    pub const fn is_due(&self) -> bool {
        self.is_due
    }

    /// The packets that parity is due of; others go together from here on.
    pub const fn take(&mut self) -> ParityBlock {
        let block = self.block;
        self.block = ParityBlock { first: 0, mask: 0 };
        self.is_due = false;
        block
    }

    /// Forgets what was sent: it cannot be found again.
    pub const fn forget(&mut self) {
        let _ = self.take();
    }

    /// Takes note of a packet of parity of `size` bytes that leaves now.
    pub fn on_parity_sent(&mut self, now: Time, size: usize) {
        self.next_sequence_number = self.next_sequence_number.wrapping_add(1);
        self.rate.add(now, size);
    }

    /// Bits per second of parity.
    pub fn bitrate(&self, now: Time) -> u64 {
        self.rate.bitrate(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: Option<Duration> = Some(Duration::from_millis(200));
    /// 5%, in 256ths.
    const LOSSY: u8 = 13;

    fn sender() -> ParitySender {
        ParitySender::new(FecConfig { ssrc: 7, payload_type: 110 }, u16::MAX)
    }

    fn settled(fraction_lost: u8, round_trip_time: Option<Duration>) -> ParitySender {
        let mut sender = sender();
        (0..20).for_each(|_| sender.follow(fraction_lost, round_trip_time));
        sender
    }

    #[test]
    fn it_is_for_long_ways_that_lose_packets_one_by_one() {
        assert_eq!(settled(0, FAR).each(), None);
        assert_eq!(settled(LOSSY, Some(Duration::from_millis(40))).each(), None);
        assert_eq!(settled(LOSSY, None).each(), None);
        assert_eq!(settled(LOSSY, FAR).each(), Some(11));
        assert_eq!(settled(4, FAR).each(), Some(15));
        assert_eq!(settled(128, FAR).each(), Some(4));
        let mut bursts = settled(LOSSY, FAR);
        for burst in 0..10 {
            (0..4).for_each(|at| bursts.on_lost(burst * 100 + at));
        }
        bursts.follow(LOSSY, FAR);
        assert_eq!(bursts.each(), None);
        for lost in 20..60 {
            bursts.on_lost(lost * 100);
            // Asked for once more.
            bursts.on_lost(lost * 100);
        }
        bursts.follow(LOSSY, FAR);
        assert!(bursts.each().is_some());
    }

    #[test]
    fn it_ends_later_than_it_begins() {
        let mut sender = settled(LOSSY, FAR);
        (0..20).for_each(|_| sender.follow(2, FAR));
        assert!(sender.each().is_some());
        (0..20).for_each(|_| sender.follow(0, FAR));
        assert_eq!(sender.each(), None);
        (0..20).for_each(|_| sender.follow(2, FAR));
        assert_eq!(sender.each(), None);
    }

    #[test]
    fn on_long_blocks_nobody_waits() {
        let mut sender = settled(LOSSY, FAR);
        for at in 0..20_u64 {
            // Of four packets the last leaves 120 ms after the first: half of a round trip has passed then.
            sender.on_sent(Time::from_millis(at * 40), at as u16);
            assert_eq!(sender.is_due(), at % 4 == 3, "{at}");
            if sender.is_due() {
                assert_eq!(sender.take().packets(), 4);
            }
        }
    }

    #[test]
    fn packets_go_together_until_there_are_enough() {
        let mut sender = settled(LOSSY, FAR);
        let numbers = (0..11_u16).map(|at| 65_530_u16.wrapping_add(at * 2));
        for number in numbers.clone() {
            assert!(!sender.is_due());
            sender.on_sent(Time::ZERO, number);
        }
        assert!(sender.is_due());
        assert!(sender.take().sequence_numbers().eq(numbers));
        assert!(!sender.is_due());
        assert_eq!((sender.next_sequence_number(), sender.bitrate(Time::ZERO)), (u16::MAX, 0));
        sender.on_parity_sent(Time::ZERO, 1000);
        assert_eq!(sender.next_sequence_number(), 0);
        assert!(sender.bitrate(Time::from_millis(1)) > 0);
    }

    #[test]
    fn a_block_does_not_span_too_much() {
        let mut sender = settled(LOSSY, FAR);
        sender.on_sent(Time::ZERO, 1);
        sender.on_sent(Time::ZERO, 46);
        assert_eq!(sender.block.packets(), 2);
        sender.on_sent(Time::ZERO, 47);
        assert!(sender.take().sequence_numbers().eq([47]));
        sender.on_sent(Time::ZERO, 9);
        sender.on_sent(Time::ZERO, 8);
        assert!(sender.take().sequence_numbers().eq([8]), "what overtook it begins anew");
    }
}
