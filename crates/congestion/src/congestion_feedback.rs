//! RFC 8888 feedback: which packets of each stream arrived, when, and how they were marked on the way.
//!
//! Must not know what streams carry, nor what else the compound holds.

use std::ops::Range;
use std::time::Duration;
use tureen_rtp_wire::rtcp::{Arrival, PacketReport, RtcpWriter};
use tureen_rtp_wire::{Ecn, NtpTime, Time, WireError};

/// The first packet that waits is reported after this long.
pub const FEEDBACK_INTERVAL: Duration = Duration::from_millis(50);
/// This many packets that wait are reported at once.
pub const MAX_WAITING: usize = 256;
/// Streams that are told apart; of more, the one that was silent for longest is forgotten.
pub const MAX_STREAMS: usize = 64;
/// What is missing before a packet is told if it is no more than this many.
pub const WINDOW: u64 = 512;

/// Where nothing leaves, more than this many packets do not wait.
const CAPACITY: usize = 2 * MAX_WAITING;
/// Octets of a packet without blocks: RTCP header, SSRC, report timestamp; and of a block without metrics.
const HEAD_LEN: usize = 12;
const BLOCK_LEN: usize = 8;
/// Metrics of a block (RFC 8888 section 3.1).
const MOST_METRICS: u64 = 16_384;
/// Extended sequence numbers start here, so that late ones have room below.
const FIRST_CYCLE: u64 = 1 << 17;

#[derive(Clone, Copy, Debug)]
struct Stream {
    ssrc: u32,
    /// The highest that arrived, extended.
    newest: u64,
    /// After the highest that was reported.
    next: u64,
    heard: Time,
}

impl Stream {
    fn new(now: Time, ssrc: u32, sequence_number: u16) -> Self {
        let sequence = FIRST_CYCLE + u64::from(sequence_number);
        Self { ssrc, newest: sequence, next: sequence, heard: now }
    }

    /// The extended sequence number nearest to the newest. One that is far behind it is ahead: the sender began anew.
    fn extend(&mut self, sequence_number: u16) -> u64 {
        let step = sequence_number.wrapping_sub(self.newest as u16).cast_signed();
        let mut sequence = self.newest.saturating_add_signed(i64::from(step));
        if sequence + WINDOW < self.newest {
            sequence += 1 << 16;
        }
        self.newest = self.newest.max(sequence);
        sequence
    }
}

/// A packet that arrived and was not reported yet.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    ssrc: u32,
    sequence: u64,
    at: Time,
    ecn: Ecn,
    told: bool,
}

impl Waiting {
    fn report(self, now: Time) -> PacketReport {
        let offset = now.since(self.at).as_nanos() * 1024 / 1_000_000_000;
        let offset = u16::try_from(offset).ok().filter(|offset| *offset < 0x1ffe);
        PacketReport { ecn: self.ecn.bits(), arrival: offset.map_or(Arrival::OutOfRange, Arrival::Before) }
    }
}

/// Collects arrivals of the packets of one transport and writes them as feedback packets.
///
/// For each packet: [`record`](Self::record). At [`next_deadline`](Self::next_deadline): [`poll`](Self::poll), with a new
/// compound each time, until the deadline has moved.
///
/// Each packet that arrived is reported once, duplicates as one that came with the first and was marked if any was (RFC 8888 section
/// 3.1). One that did not arrive is reported as missing when a later one is; if it comes after that it is reported then.
#[derive(Clone, Debug)]
pub struct CongestionFeedbackGenerator {
    streams: Vec<Stream>,
    waiting: Vec<Waiting>,
    deadline: Time,
}

impl Default for CongestionFeedbackGenerator {
    fn default() -> Self {
        Self::new()
    }
}

impl CongestionFeedbackGenerator {
    /// A generator that has seen nothing. All its memory, some 18 KiB, is reserved here.
    pub fn new() -> Self {
        Self {
            streams: Vec::with_capacity(MAX_STREAMS),
            waiting: Vec::with_capacity(CAPACITY),
            deadline: Time::NEVER,
        }
    }

    /// Takes note of a packet that arrived with this mark.
    pub fn record(&mut self, now: Time, ssrc: u32, sequence_number: u16, ecn: Ecn) {
        if self.waiting.len() == CAPACITY {
            // Nothing could leave for long: what is said after this is not to call it missing.
            self.waiting.clear();
            self.streams.clear();
        }
        let sequence = self.extend(now, ssrc, sequence_number);
        self.waiting.push(Waiting { ssrc, sequence, at: now, ecn, told: false });
        if self.waiting.len() == 1 {
            self.deadline = now + FEEDBACK_INTERVAL;
        } else if self.waiting.len() >= MAX_WAITING {
            self.deadline = self.deadline.min(now);
        }
    }

    /// When to poll next; [`Time::NEVER`] while nothing waits.
    pub const fn next_deadline(&self) -> Time {
        self.deadline
    }

    /// If feedback is due, writes as much of it as fits and says whether it wrote any. What does not fit stays due.
    ///
    /// `ntp` is the time of the reports' clock at `now`; `sender_ssrc` is the receiver of the media, who writes.
    pub fn poll(&mut self, now: Time, ntp: NtpTime, sender_ssrc: u32, writer: &mut RtcpWriter<'_>) -> bool {
        if now < self.deadline {
            return false;
        }
        self.put_in_order();
        let mut wrote = false;
        while !self.waiting.is_empty() && self.write(now, ntp, sender_ssrc, writer).is_some() {
            wrote = true;
        }
        if self.waiting.is_empty() {
            self.deadline = Time::NEVER;
        }
        wrote
    }

    fn extend(&mut self, now: Time, ssrc: u32, sequence_number: u16) -> u64 {
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.ssrc == ssrc) {
            stream.heard = now;
            return stream.extend(sequence_number);
        }
        if self.streams.len() == MAX_STREAMS
            && let Some((oldest, _)) = self.streams.iter().enumerate().min_by_key(|(_, stream)| stream.heard)
        {
            let gone = self.streams.swap_remove(oldest);
            self.waiting.retain(|packet| packet.ssrc != gone.ssrc);
        }
        let stream = Stream::new(now, ssrc, sequence_number);
        self.streams.push(stream);
        stream.newest
    }

    /// By stream and number, each once.
    fn put_in_order(&mut self) {
        self.waiting.sort_unstable_by_key(|packet| (packet.ssrc, packet.sequence, packet.at));
        self.waiting.dedup_by(|again, first| {
            let same = (again.ssrc, again.sequence) == (first.ssrc, first.sequence);
            if same && again.ecn == Ecn::CongestionExperienced {
                first.ecn = again.ecn;
            }
            same
        });
    }

    /// Writes one packet with a block for each stream, as far as there is room: what of a stream could not be in its block has another
    /// packet. `None` if there is no room at all.
    fn write(
        &mut self,
        now: Time,
        ntp: NtpTime,
        sender_ssrc: u32,
        writer: &mut RtcpWriter<'_>,
    ) -> Option<()> {
        let mut room = writer.remaining().checked_sub(HEAD_LEN)?;
        let Self { streams, waiting, .. } = self;
        let written = writer.congestion_feedback(sender_ssrc, ntp.compact(), |blocks| {
            let mut wrote = false;
            for mine in waiting.chunk_by_mut(|one, other| one.ssrc == other.ssrc) {
                let ssrc = mine.first().map_or(0, |first| first.ssrc);
                let Some(stream) = streams.iter_mut().find(|stream| stream.ssrc == ssrc) else { continue };
                let Some(Span { begin, end, count }) = span(mine, stream.next, room) else { break };
                let told = mine.get_mut(..count).unwrap_or_default();
                // The low 16 bits are the number on the wire.
                blocks.stream(ssrc, begin as u16, reports(now, begin..end, told))?;
                told.iter_mut().for_each(|packet| packet.told = true);
                stream.next = stream.next.max(end);
                room -= block_len(end - begin);
                wrote = true;
            }
            if wrote { Ok(()) } else { Err(WireError::BufferFull) }
        });
        waiting.retain(|packet| !packet.told);
        written.ok()
    }
}

/// What one block says: of the numbers from `begin` up to `end`, by `count` packets.
struct Span {
    begin: u64,
    end: u64,
    count: usize,
}

/// The longest block that begins with the first of `packets`, which are in order, and with what is missing before it. `next` is what was
/// not told yet: what lies below and did not wait was told as arrived, and is not told as missing now.
fn span(packets: &[Waiting], next: u64, room: usize) -> Option<Span> {
    let fits = |begin: u64, end: u64| end - begin <= MOST_METRICS && block_len(end - begin) <= room;
    let first = packets.first()?.sequence;
    let mut end = first + 1;
    let missing = first.checked_sub(next).is_some_and(|missing| missing <= WINDOW);
    let begin = if missing && fits(next, end) { next } else { first };
    if !fits(begin, end) {
        return None;
    }
    let mut count = 1;
    for packet in packets.iter().skip(1) {
        let gap = packet.sequence - end;
        let untold = gap == 0 || end >= next && gap <= WINDOW;
        if !untold || !fits(begin, packet.sequence + 1) {
            break;
        }
        end = packet.sequence + 1;
        count += 1;
    }
    Some(Span { begin, end, count })
}

/// A report for each number; `packets` are in order and within it.
fn reports(
    now: Time,
    numbers: Range<u64>,
    packets: &[Waiting],
) -> impl Iterator<Item = Option<PacketReport>> {
    let mut packets = packets.iter().peekable();
    numbers.map(move |number| {
        packets.next_if(|packet| packet.sequence == number).map(|packet| packet.report(now))
    })
}

/// Octets of a block: metrics are padded to a word.
const fn block_len(metrics: u64) -> usize {
    BLOCK_LEN + (2 * metrics as usize).next_multiple_of(4)
}
