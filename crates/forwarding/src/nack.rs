//! Which packets to ask for again, and when (generic NACK, RFC 4585 section 6.2.1).
//!
//! Knows extended sequence numbers and time alone; the caller builds the RTCP packet and asks for the key frame.

use crate::sequence::FIRST_CYCLE;
use std::collections::VecDeque;
use std::time::Duration;
use tureen_rtp_wire::Time;

/// At most this many packets are asked for at a time.
pub const MAX_NACK_LIST: usize = 1000;
/// A packet is asked for at most this often.
pub const MAX_NACK_RETRIES: u8 = 10;
/// A packet this far behind the newest is given up.
pub const MAX_NACK_AGE: u64 = 10_000;
/// A gap is reported only if it is still open after this long: reordering closes most.
pub const NACK_SEND_DELAY: Duration = Duration::from_millis(10);
/// A packet is not asked for again before this long, however short the round trip is.
pub const NACK_INTERVAL: Duration = Duration::from_millis(40);
/// The round-trip time until one is measured.
pub const DEFAULT_RTT: Duration = Duration::from_millis(100);
/// A longer round trip than this does not slow retries down further: the figure comes from the far end, and may be false.
pub const MAX_NACK_RTT: Duration = Duration::from_millis(1000);

/// What a packet's arrival means for the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct NackOutcome {
    /// The packet was on the list, and had been asked for: it is a repair.
    pub repaired: bool,
    /// The gap before it was too large to repair: ask for a key frame.
    pub key_frame_needed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Missing {
    extended_sequence: u64,
    /// When to ask (again).
    due: Time,
    asked: u8,
}

/// The list of missing packets of one stream. Its memory is reserved at creation.
#[derive(Clone, Debug)]
pub struct NackGenerator {
    /// In order of sequence number.
    missing: VecDeque<Missing>,
    newest: Option<u64>,
    newest_key_frame: u64,
    /// No later than the earliest `due`.
    deadline: Time,
}

impl Default for NackGenerator {
    fn default() -> Self {
        Self::new()
    }
}

impl NackGenerator {
    /// An empty list.
    pub fn new() -> Self {
        Self {
            missing: VecDeque::with_capacity(MAX_NACK_LIST),
            newest: None,
            newest_key_frame: 0,
            deadline: Time::NEVER,
        }
    }

    /// The number of packets on the list.
    pub fn len(&self) -> usize {
        self.missing.len()
    }

    /// Whether nothing is missing.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty()
    }

    /// Whether the packet is missing, asked for or not yet.
    pub fn is_missing(&self, extended_sequence: u64) -> bool {
        self.find(extended_sequence).is_ok()
    }

    /// Takes note of a packet that arrived, by itself or in a retransmission. Those between the newest so far and it go on the list.
    pub fn on_packet(&mut self, now: Time, extended_sequence: u64, is_key_frame: bool) -> NackOutcome {
        if is_key_frame {
            self.newest_key_frame = self.newest_key_frame.max(extended_sequence);
        }
        let Some(newest) = self.newest else {
            self.newest = Some(extended_sequence);
            return NackOutcome::default();
        };
        if extended_sequence <= newest {
            return NackOutcome { repaired: self.remove(extended_sequence), key_frame_needed: false };
        }
        self.newest = Some(extended_sequence);
        self.give_up_before(extended_sequence.saturating_sub(MAX_NACK_AGE));
        let key_frame_needed = !self.add(now, newest + 1, extended_sequence);
        NackOutcome { repaired: false, key_frame_needed }
    }

    /// Forgets everything: the source restarted, or is paused.
    pub fn reset(&mut self) {
        self.missing.clear();
        self.newest = None;
        self.newest_key_frame = 0;
        self.deadline = Time::NEVER;
    }

    /// Calls `sink` with each sequence number to ask for now, in ascending order, and returns how many there were. `rtt` is the round
    /// trip to the source, if measured.
    pub fn poll(&mut self, now: Time, rtt: Option<Duration>, sink: &mut impl FnMut(u16)) -> usize {
        if now < self.deadline {
            return 0;
        }
        let retry = rtt.unwrap_or(DEFAULT_RTT).clamp(NACK_INTERVAL, MAX_NACK_RTT);
        let mut deadline = Time::NEVER;
        let mut count = 0;
        self.missing.retain_mut(|missing| {
            if missing.due <= now {
                if missing.asked >= MAX_NACK_RETRIES {
                    return false;
                }
                sink(missing.extended_sequence as u16);
                count += 1;
                missing.asked += 1;
                missing.due = now + retry;
            }
            deadline = deadline.min(missing.due);
            true
        });
        self.deadline = deadline;
        count
    }

    /// When to poll next; [`Time::NEVER`] if nothing is missing.
    pub fn next_deadline(&self) -> Time {
        if self.missing.is_empty() { Time::NEVER } else { self.deadline }
    }

    /// Puts `first..end` on the list; says whether it fitted.
    fn add(&mut self, now: Time, first: u64, end: u64) -> bool {
        debug_assert!(first >= FIRST_CYCLE, "extended sequence numbers start one cycle up");
        let count = usize::try_from(end.saturating_sub(first)).unwrap_or(usize::MAX);
        if count == 0 {
            return true;
        }
        if self.missing.len().saturating_add(count) > MAX_NACK_LIST {
            self.give_up_before(self.newest_key_frame);
        }
        if self.missing.len().saturating_add(count) > MAX_NACK_LIST {
            self.missing.clear();
            self.deadline = Time::NEVER;
            return false;
        }
        let due = now + NACK_SEND_DELAY;
        self.deadline = if self.missing.is_empty() { due } else { self.deadline.min(due) };
        self.missing.extend((first..end).map(|extended_sequence| Missing {
            extended_sequence,
            due,
            asked: 0,
        }));
        true
    }

    fn give_up_before(&mut self, extended_sequence: u64) {
        while self.missing.front().is_some_and(|missing| missing.extended_sequence < extended_sequence) {
            self.missing.pop_front();
        }
    }

    /// Says whether the packet was on the list and had been asked for.
    fn remove(&mut self, extended_sequence: u64) -> bool {
        let Ok(index) = self.find(extended_sequence) else {
            return false;
        };
        self.missing.remove(index).is_some_and(|missing| missing.asked > 0)
    }

    fn find(&self, extended_sequence: u64) -> Result<usize, usize> {
        self.missing.binary_search_by_key(&extended_sequence, |missing| missing.extended_sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const BASE: u64 = FIRST_CYCLE;

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    fn poll(nack: &mut NackGenerator, now: Time, rtt: Option<Duration>) -> Vec<u16> {
        let mut asked = Vec::new();
        nack.poll(now, rtt, &mut |sequence_number| asked.push(sequence_number));
        asked
    }

    #[test]
    fn a_gap_is_reported_after_the_send_delay() {
        let mut nack = NackGenerator::new();
        assert_eq!(nack.on_packet(at(0), BASE + 10, false), NackOutcome::default());
        assert_eq!(nack.next_deadline(), Time::NEVER);
        let _ = nack.on_packet(at(5), BASE + 13, false);
        assert_eq!(nack.next_deadline(), at(15));
        assert_eq!(poll(&mut nack, at(14), None), []);
        assert_eq!(poll(&mut nack, at(15), None), [11, 12]);
    }

    #[test]
    fn reordering_within_the_delay_asks_for_nothing() {
        let mut nack = NackGenerator::new();
        let _ = nack.on_packet(at(0), BASE + 10, false);
        let _ = nack.on_packet(at(1), BASE + 12, false);
        assert_eq!(nack.on_packet(at(9), BASE + 11, false), NackOutcome::default());
        assert_eq!(nack.next_deadline(), Time::NEVER);
        assert_eq!(poll(&mut nack, at(11), None), []);
    }

    #[test]
    fn retries_wait_for_a_round_trip_and_end_after_ten() {
        let mut nack = NackGenerator::new();
        let _ = nack.on_packet(at(0), BASE, false);
        let _ = nack.on_packet(at(0), BASE + 2, false);
        let mut times = Vec::new();
        for now in 0..5000 {
            if !poll(&mut nack, at(now), None).is_empty() {
                times.push(now);
            }
        }
        assert_eq!(times, [10, 110, 210, 310, 410, 510, 610, 710, 810, 910]);
        assert!(nack.is_empty());
    }

    #[test]
    fn short_and_absurd_round_trips_are_limited() {
        let mut nack = NackGenerator::new();
        let _ = nack.on_packet(at(0), BASE, false);
        let _ = nack.on_packet(at(0), BASE + 2, false);
        assert_eq!(poll(&mut nack, at(10), Some(Duration::from_millis(1))), [1]);
        assert_eq!(nack.next_deadline(), at(50));
        assert_eq!(poll(&mut nack, at(50), Some(Duration::from_secs(65_535))), [1]);
        assert_eq!(nack.next_deadline(), at(1050));
    }

    #[test]
    fn a_repair_is_told_from_a_late_packet() {
        let mut nack = NackGenerator::new();
        let _ = nack.on_packet(at(0), BASE, false);
        let _ = nack.on_packet(at(0), BASE + 3, false);
        assert!(!nack.on_packet(at(5), BASE + 1, false).repaired);
        assert_eq!(poll(&mut nack, at(10), None), [2]);
        assert!(nack.on_packet(at(60), BASE + 2, false).repaired);
        assert!(!nack.on_packet(at(61), BASE + 2, false).repaired);
    }

    #[test]
    fn a_full_list_gives_up_what_is_older_than_the_key_frame() {
        let mut nack = NackGenerator::new();
        let _ = nack.on_packet(at(0), BASE, false);
        let _ = nack.on_packet(at(0), BASE + 901, true); // 900 missing
        let outcome = nack.on_packet(at(0), BASE + 1102, false); // 200 more
        assert!(!outcome.key_frame_needed);
        assert_eq!(nack.len(), 200);
        assert!(!nack.is_missing(BASE + 900));
        assert!(nack.is_missing(BASE + 902));
    }

    #[test]
    fn a_list_that_stays_full_is_cleared_for_a_key_frame() {
        let mut nack = NackGenerator::new();
        let _ = nack.on_packet(at(0), BASE, false);
        assert!(!nack.on_packet(at(0), BASE + 1001, false).key_frame_needed); // 1000 missing
        assert!(nack.on_packet(at(0), BASE + 1003, false).key_frame_needed);
        assert_eq!(nack.len(), 0);
        assert_eq!(nack.next_deadline(), Time::NEVER);
    }

    #[test]
    fn what_is_too_old_is_given_up() {
        let mut nack = NackGenerator::new();
        let _ = nack.on_packet(at(0), BASE, false);
        let _ = nack.on_packet(at(0), BASE + 2, false);
        for sequence in 3..=10_001 {
            let _ = nack.on_packet(at(0), BASE + sequence, false);
        }
        assert!(nack.is_missing(BASE + 1));
        let _ = nack.on_packet(at(0), BASE + 10_002, false);
        assert!(!nack.is_missing(BASE + 1));
    }

    proptest! {
        #[test]
        fn each_lost_packet_is_asked_for_and_never_more_than_ten_times(
            lost in prop::collection::vec(prop::bool::weighted(0.2), 2..400), rtt in 0u64..300
        ) {
            let mut nack = NackGenerator::new();
            let mut asked = BTreeMap::<u16, u32>::new();
            let (first, last) = (0, lost.len() - 1);
            let mut now = 0;
            for (index, &lost) in lost.iter().enumerate() {
                now += 3;
                if !lost || index == first || index == last {
                    prop_assert!(!nack.on_packet(at(now), BASE + index as u64, false).key_frame_needed);
                }
                for sequence in poll(&mut nack, at(now), Some(Duration::from_millis(rtt))) {
                    *asked.entry(sequence).or_default() += 1;
                }
            }
            let mut polls = 0;
            while nack.next_deadline() != Time::NEVER {
                let deadline = nack.next_deadline();
                for sequence in poll(&mut nack, deadline, Some(Duration::from_millis(rtt))) {
                    *asked.entry(sequence).or_default() += 1;
                }
                polls += 1;
                prop_assert!(polls < 11 * lost.len());
            }
            for (index, &lost) in lost.iter().enumerate() {
                let times = asked.get(&(index as u16)).copied().unwrap_or(0);
                prop_assert_eq!(times, if lost && index != first && index != last { 10 } else { 0 });
            }
        }
    }
}
