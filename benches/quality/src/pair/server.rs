//! The server's endpoint: packets of the rung that is forwarded go in, the estimate comes out and chooses the rung. Must not know
//! the link.

use super::end::End;
use super::{
    AUDIO, Clock, PICTURE_OVERHEAD, PairError, REPAIR, SOUND_OVERHEAD, Sections, VIDEO, label, ssrc,
};
use crate::ends::{Carried, Leaving};
use crate::forwarding::Forwarding;
use crate::source::{PACKET_SIZE, Packet};
use std::collections::VecDeque;
use std::time::Duration;
use str0m::Event;
use str0m::bwe::{Bitrate, BweKind};
use str0m::media::Pt;
use str0m::rtp::RtpWrite;
use tureen_congestion::send::EstimatorConfig;
use tureen_rtp_wire::Time;
use tureen_rtp_wire::rtp::{DatagramKind, classify};

/// How often layers are chosen while the estimate stands: as often as the viewer reports.
const ALLOCATION: Duration = Duration::from_millis(50);
/// As the congestion crate has it: the estimate is of no use above so many times what is wanted.
const MAX_SURPLUS: f64 = 1.15;
/// The estimate counts payloads, and layers are what they take on the wire: full packets have so many times their payload.
const ON_WIRE: f64 = PACKET_SIZE as f64 / (PACKET_SIZE - PICTURE_OVERHEAD as u32) as f64;
/// Steps of a timestamp: of a frame at 90 kHz, of 20 ms at 48 kHz.
const FRAME_TICKS: u32 = 3000;
const AUDIO_TICKS: u32 = 960;

/// A packet of pictures that was given to the endpoint and has not left.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    since: Time,
    size: u16,
}

/// Streams as they are written.
#[derive(Debug)]
struct Streams {
    audio_type: Pt,
    video_type: Pt,
    audio_sequence: u64,
    video_sequence: u64,
}

/// The server's end.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) end: End,
    clock: Clock,
    pub(super) forwarding: Forwarding,
    streams: Streams,
    waiting: VecDeque<Waiting>,
    /// In bits per second on the wire.
    estimate: u64,
    /// What the endpoint was told last: the rate of the next rung, and of all. Before that nobody knows how much is all.
    wanted: (u64, u64),
    next_allocation: Time,
}

impl Server {
    /// An endpoint that sends sound, and pictures with a stream for repairs.
    pub(super) fn new(mut end: End, clock: Clock, ladder: &[u64]) -> Result<Self, PairError> {
        let sections = end.change(|rtc| {
            let sections = Sections::declare(rtc)?;
            let mut direct = rtc.direct_api();
            direct.declare_stream_tx(ssrc(AUDIO), None, sections.audio, None);
            direct.declare_stream_tx(ssrc(VIDEO), Some(ssrc(REPAIR)), sections.video, None);
            Ok::<_, PairError>(sections)
        })?;
        let Sections { audio_type, video_type, .. } = sections;
        let streams = Streams { audio_type, video_type, audio_sequence: 0, video_sequence: 0 };
        let mut server = Self {
            end,
            clock,
            forwarding: Forwarding::new(ladder),
            streams,
            waiting: VecDeque::new(),
            estimate: EstimatorConfig::default().start_bitrate,
            wanted: (0, u64::MAX),
            next_allocation: Time::ZERO,
        };
        server.allocate(clock.begins);
        Ok(server)
    }

    /// Gives the endpoint a packet of sound.
    pub(super) fn on_audio(&mut self, now: Time, size: u16) {
        self.streams.audio_sequence += 1;
        let number = self.streams.audio_sequence;
        let payload = vec![0; usize::from(size.saturating_sub(SOUND_OVERHEAD))];
        let timestamp = (number as u32).wrapping_mul(AUDIO_TICKS);
        let (kind, at) = (self.streams.audio_type, self.clock.instant(now));
        self.write(AUDIO, RtpWrite::new(kind, number.into(), timestamp, at, payload).marker(number == 1));
    }

    /// Gives the endpoint a packet of the source, if it is of the rung that is forwarded.
    pub(super) fn on_video(&mut self, now: Time, packet: Packet) {
        if self.forwarding.place(now, packet).is_none() {
            return;
        }
        self.streams.video_sequence += 1;
        let number = self.streams.video_sequence;
        let payload = label::write(&packet, usize::from(packet.size.saturating_sub(PICTURE_OVERHEAD)));
        let timestamp = (packet.frame as u32).wrapping_mul(FRAME_TICKS);
        let (kind, at) = (self.streams.video_type, self.clock.instant(now));
        let write = RtpWrite::new(kind, number.into(), timestamp, at, payload);
        self.write(VIDEO, write.marker(packet.index + 1 == packet.of).nackable(true));
        self.waiting.push_back(Waiting { since: now, size: packet.size });
    }

    /// Takes a datagram of the viewer.
    pub(super) fn on_datagram(&mut self, now: Time, datagram: &[u8]) {
        self.end.receive(self.clock.instant(now), datagram);
        self.follow(now);
    }

    /// The next datagram that leaves now.
    pub(super) fn poll(&mut self, now: Time) -> Option<Leaving> {
        self.end.wake(self.clock.instant(now));
        self.follow(now);
        if now >= self.next_allocation {
            self.allocate(now);
            self.end.wake(self.clock.instant(now));
        }
        let datagram = self.end.next_datagram()?;
        let size = datagram.len() as u16;
        // Pictures leave in the order in which they were given.
        let pictures = is_of(&datagram, VIDEO).then(|| self.waiting.pop_front()).flatten();
        let waited = pictures.map(|waiting| now.since(waiting.since));
        Some(Leaving { size, carried: Carried::Datagram(datagram), waited })
    }

    /// When to poll next.
    pub(super) fn next_deadline(&self) -> Time {
        let due = self.end.deadline().map_or(Time::NEVER, |due| self.clock.time(due));
        due.min(self.next_allocation)
    }

    /// The estimate, in bits per second on the wire. What is more than is wanted by far is no use to anybody, and not told.
    pub(super) fn target_bitrate(&self) -> u64 {
        let (_, all) = self.wanted;
        (self.estimate as f64).min(all as f64 * MAX_SURPLUS) as u64
    }

    fn write(&mut self, stream: u32, write: RtpWrite) {
        self.end.change(|rtc| {
            if let Some(stream) = rtc.direct_api().stream_tx(&ssrc(stream)) {
                stream.write_rtp(write);
            }
        });
    }

    fn follow(&mut self, now: Time) {
        while let Some(event) = self.end.next_event() {
            match event {
                Event::EgressBitrateEstimate(BweKind::Twcc { estimate, .. }) => {
                    self.estimate = (estimate.as_u64() as f64 * ON_WIRE) as u64;
                    self.allocate(now);
                }
                Event::KeyframeRequest(_) => self.forwarding.on_key_frame_request(now),
                _ => {}
            }
        }
    }

    fn allocate(&mut self, now: Time) {
        self.next_allocation = now + ALLOCATION;
        let target = self.target_bitrate();
        // What waits in the endpoint cannot be taken back, so it leaves even where it is of no use any more.
        let _ = self.forwarding.allocate(now, target, target, self.backlog());
        let wanted = self.forwarding.wanted();
        if wanted != self.wanted {
            self.wanted = wanted;
            let [next, all] = [wanted.0, wanted.1].map(|rate| Bitrate::bps((rate as f64 / ON_WIRE) as u64));
            self.end.change(|rtc| rtc.bwe().set_bitrate(next, all));
        }
    }

    /// How long what waits takes at the estimate.
    fn backlog(&self) -> Duration {
        let bits: f64 = self.waiting.iter().map(|waiting| f64::from(waiting.size) * 8.0).sum();
        Duration::from_secs_f64(bits / self.estimate.max(1) as f64)
    }
}

/// Whether a datagram is RTP of this stream, which SRTP leaves in the clear.
fn is_of(datagram: &[u8], stream: u32) -> bool {
    let found = datagram.get(8..12).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    classify(datagram) == DatagramKind::Rtp && found == Some(stream)
}
