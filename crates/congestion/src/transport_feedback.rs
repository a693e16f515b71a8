//! Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01): which packets of a transport arrived, and when.
//!
//! Must not know SSRCs beyond those it is told to write, nor what else the compound holds.

use std::time::Duration;
use tureen_rtp_wire::Time;
use tureen_rtp_wire::rtcp::RtcpWriter;

/// The first packet that waits is reported after this long. Senders of the draft's kind expect 50 to 250 ms.
pub const FEEDBACK_INTERVAL: Duration = Duration::from_millis(100);
/// This many packets that wait are reported at once: with the longest deltas some 610 octets.
pub const MAX_WAITING: u32 = 256;
/// Sequence numbers that are remembered. What is older than the newest by this many is neither taken nor reported.
pub const WINDOW: u16 = 2048;
/// A writer with this much room takes at least all that one feedback packet must hold, whatever was lost before it.
pub const MIN_ROOM: usize = 640;

/// Nanoseconds of the unit of deltas (section 3.1).
const TICK: u64 = 250_000;
/// Octets before the chunks: RTCP header, two SSRCs, base, count, reference time, feedback count.
const HEAD_LEN: usize = 20;
/// Packets that a chunk describes at the least, but for the last one.
const MIN_CHUNK: u64 = 7;

/// What is known of one packet that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrival {
    /// Not yet reported. In units of 250 µs, modulo 2^32: the reference time of 24 bits and 64 ms wraps with it.
    Waiting(u32),
    Reported,
}

/// Holds for the packet with exactly this extended sequence number; for others the slot is empty.
#[derive(Clone, Copy, Debug)]
struct Slot {
    sequence: u64,
    arrival: Arrival,
}

/// Extended sequence numbers start here, so that late ones have room below and no slot of a new ring looks taken.
const FIRST_CYCLE: u64 = 1 << 17;

/// Where the sequence numbers stand.
#[derive(Clone, Copy, Debug)]
struct Progress {
    /// The highest that arrived.
    newest: u64,
    /// After the highest that was reported.
    next: u64,
    /// The lowest below `next` that arrived after those above it had been reported.
    late: Option<u64>,
    /// What follows the last one that was out of range: if it comes, the sender has restarted.
    restart: Option<u16>,
}

impl Progress {
    fn advance(&mut self, sequence: u64) {
        let oldest = sequence + 1 - u64::from(WINDOW);
        if self.newest < oldest {
            // A jump: what lies between was hardly ever sent.
            (self.next, self.late) = (sequence, None);
        }
        self.newest = sequence;
        self.next = self.next.max(oldest);
        self.late = self.late.map(|late| late.max(oldest)).filter(|&late| late < self.next);
    }
}

/// The packets of one feedback packet.
#[derive(Clone, Copy, Debug)]
struct Span {
    base: u64,
    end: u64,
    /// Arrival of the first that arrived.
    first: u32,
}

/// Collects arrivals of the packets of one transport and writes them as feedback packets.
///
/// For each packet: [`record`](Self::record). At [`next_deadline`](Self::next_deadline): [`poll`](Self::poll), with a new
/// compound each time, until the deadline has moved.
///
/// Each packet that arrived is reported once. One that did not is reported as missing when a later one is; if it comes
/// after that, within [`WINDOW`], it is reported then. Of a jump forward by more than [`WINDOW`] what waited is left out. A
/// sender that restarts elsewhere is followed from its second packet on.
#[derive(Clone, Debug)]
pub struct TransportFeedbackGenerator {
    slots: Box<[Slot]>,
    progress: Option<Progress>,
    /// Packets that arrived since all were reported.
    waiting: u32,
    deadline: Time,
    feedback_count: u8,
}

impl Default for TransportFeedbackGenerator {
    fn default() -> Self {
        Self::new()
    }
}

impl TransportFeedbackGenerator {
    /// A generator that has seen nothing. All its memory, 32 KiB, is reserved here.
    pub fn new() -> Self {
        let empty = Slot { sequence: 0, arrival: Arrival::Reported };
        Self {
            slots: vec![empty; usize::from(WINDOW)].into_boxed_slice(),
            progress: None,
            waiting: 0,
            deadline: Time::NEVER,
            feedback_count: 0,
        }
    }

    /// Takes note of a packet. Duplicates and packets older than the window change nothing.
    pub fn record(&mut self, now: Time, sequence_number: u16) {
        let Some(sequence) = self.extend(sequence_number) else { return };
        let Some(slot) = self.slots.get_mut(place(sequence)) else { return };
        if slot.sequence == sequence {
            return;
        }
        *slot = Slot { sequence, arrival: Arrival::Waiting(ticks(now)) };
        self.waiting += 1;
        if self.waiting == 1 {
            self.deadline = now + FEEDBACK_INTERVAL;
        } else if self.waiting >= MAX_WAITING {
            self.deadline = self.deadline.min(now);
        }
    }

    /// When to poll next; [`Time::NEVER`] while nothing waits.
    pub const fn next_deadline(&self) -> Time {
        self.deadline
    }

    /// If feedback is due, writes as much of it as fits and says whether it wrote any. What does not fit stays due.
    ///
    /// `sender_ssrc` is the receiver of the media, who writes; `media_ssrc` a source of the transport (section 3.1).
    /// A writer with room for less than [`MIN_ROOM`] octets may be too small to take anything.
    pub fn poll(
        &mut self,
        now: Time,
        sender_ssrc: u32,
        media_ssrc: u32,
        writer: &mut RtcpWriter<'_>,
    ) -> bool {
        if now < self.deadline {
            return false;
        }
        let mut wrote = false;
        while let Some(mut progress) = self.progress {
            let Some(span) = self.span(&progress, writer.remaining()) else { return wrote };
            let Some(span) = span else {
                self.waiting = 0;
                self.deadline = Time::NEVER;
                self.progress = Some(Progress { next: progress.newest + 1, late: None, ..progress });
                return wrote;
            };
            let statuses = self.statuses(span);
            let reference_time = span.first.cast_signed() >> 8;
            // The low 16 bits are the number on the wire.
            let base = span.base as u16;
            let count = self.feedback_count;
            let written =
                writer.transport_feedback(sender_ssrc, media_ssrc, base, reference_time, count, statuses);
            if written.is_err() {
                return wrote;
            }
            wrote = true;
            self.feedback_count = count.wrapping_add(1);
            self.mark_reported(span);
            let after = span.end + 1;
            progress.late = progress.late.map(|_| after).filter(|&late| late < progress.next);
            progress.next = progress.next.max(after);
            self.progress = Some(progress);
        }
        wrote
    }

    /// The extended sequence number of a packet that is within the window; follows the sender.
    fn extend(&mut self, sequence_number: u16) -> Option<u64> {
        let Some(mut progress) = self.progress else {
            let sequence = FIRST_CYCLE + u64::from(sequence_number);
            self.progress = Some(Progress { newest: sequence, next: sequence, late: None, restart: None });
            return Some(sequence);
        };
        let step = sequence_number.wrapping_sub(progress.newest as u16).cast_signed();
        let mut sequence = progress.newest.saturating_add_signed(i64::from(step));
        if sequence + u64::from(WINDOW) <= progress.newest {
            let expected = progress.restart.replace(sequence_number.wrapping_add(1));
            self.progress = Some(progress);
            if expected != Some(sequence_number) {
                return None;
            }
            // Two in a row far behind: in the next cycle this number is ahead of all before.
            sequence += 1 << 16;
        }
        progress.restart = None;
        if sequence > progress.newest {
            progress.advance(sequence);
        } else if sequence < progress.next && self.arrival(sequence).is_none() {
            progress.late = Some(progress.late.map_or(sequence, |late| late.min(sequence)));
        }
        self.progress = Some(progress);
        Some(sequence)
    }

    fn arrival(&self, sequence: u64) -> Option<Arrival> {
        let slot = self.slots.get(place(sequence))?;
        (slot.sequence == sequence).then_some(slot.arrival)
    }

    /// The packets of the next feedback packet of at most `room` octets: `Some(None)` if nothing waits, `None` if the room
    /// does not do for what waits.
    fn span(&self, progress: &Progress, room: usize) -> Option<Option<Span>> {
        // The packet's end is padded to four octets.
        let room = room.checked_sub(HEAD_LEN + 3)?;
        let mut found: Option<(Span, u32)> = None;
        let mut deltas = 0;
        let mut missing_from = None;
        for sequence in progress.late.unwrap_or(progress.next)..=progress.newest {
            if sequence >= progress.next && missing_from.is_none() {
                // What is missing from here on was not told yet.
                missing_from = Some(sequence);
            }
            let ticks = match self.arrival(sequence) {
                Some(Arrival::Waiting(ticks)) => ticks,
                Some(Arrival::Reported) if found.is_some() => break,
                _ => continue,
            };
            let Some((span, last)) = &mut found else {
                let fits = |base| chunks_len(base, sequence) < room;
                let base = missing_from.filter(|&base| fits(base)).unwrap_or(sequence);
                if !fits(base) {
                    return None;
                }
                deltas = 1;
                found = Some((Span { base, end: sequence, first: ticks }, ticks));
                continue;
            };
            let delta = ticks.wrapping_sub(*last).cast_signed();
            deltas += if u8::try_from(delta).is_ok() { 1 } else { 2 };
            if i16::try_from(delta).is_err() || chunks_len(span.base, sequence) + deltas > room {
                break;
            }
            (span.end, *last) = (sequence, ticks);
        }
        Some(found.map(|(span, _)| span))
    }

    fn statuses(&self, span: Span) -> impl Iterator<Item = Option<i16>> + Clone {
        let reference = span.first & !0xff;
        (span.base..=span.end).scan(reference, |last, sequence| {
            let Some(Arrival::Waiting(ticks)) = self.arrival(sequence) else { return Some(None) };
            let delta = ticks.wrapping_sub(*last).cast_signed();
            *last = ticks;
            Some(i16::try_from(delta).ok())
        })
    }

    fn mark_reported(&mut self, span: Span) {
        for sequence in span.base..=span.end {
            if let Some(slot) = self.slots.get_mut(place(sequence)).filter(|slot| slot.sequence == sequence) {
                slot.arrival = Arrival::Reported;
            }
        }
    }
}

const fn place(sequence: u64) -> usize {
    (sequence % WINDOW as u64) as usize
}

const fn ticks(now: Time) -> u32 {
    (now.as_nanos() / TICK) as u32
}

/// The most octets that the chunks for these packets take.
const fn chunks_len(base: u64, end: u64) -> usize {
    2 * (end + 1 - base).div_ceil(MIN_CHUNK) as usize
}
