//! The viewer's endpoint: what came of its datagrams goes to the decoder. Must not know what the server estimates.

use super::end::End;
use super::{AUDIO, Clock, PairError, REPAIR, Sections, VIDEO, label, ssrc};
use crate::decoder::Decoder;
use crate::ends::Said;
use std::time::Duration;
use str0m::Event;
use str0m::media::KeyframeRequestKind;
use tureen_rtp_wire::Time;
use tureen_rtp_wire::rtp::{DatagramKind, classify};

/// The viewer's end.
#[derive(Debug)]
pub(super) struct Viewer {
    pub(super) end: End,
    clock: Clock,
    pub(super) decoder: Decoder,
}

impl Viewer {
    /// A viewer who expects sound and pictures.
    pub(super) fn new(mut end: End, clock: Clock, round_trip: Duration) -> Result<Self, PairError> {
        end.change(|rtc| {
            let sections = Sections::declare(rtc)?;
            let mut direct = rtc.direct_api();
            direct.expect_stream_rx(ssrc(AUDIO), None, sections.audio, None);
            direct.expect_stream_rx(ssrc(VIDEO), Some(ssrc(REPAIR)), sections.video, None);
            direct.enable_twcc_feedback();
            Ok::<_, PairError>(())
        })?;
        Ok(Self { end, clock, decoder: Decoder::new(round_trip) })
    }

    /// Takes a datagram, and says what is due.
    pub(super) fn on_datagram(&mut self, now: Time, datagram: &[u8]) -> Vec<Said> {
        self.end.receive(self.clock.instant(now), datagram);
        let mut is_new = false;
        while let Some(event) = self.end.next_event() {
            let Event::RtpPacket(packet) = event else { continue };
            is_new = true;
            if packet.header.ssrc == ssrc(AUDIO) {
                self.decoder.on_audio(now);
            } else if let Some(packet) = label::read(&packet.payload, datagram.len() as u16) {
                self.decoder.on_video(now, packet.frame, packet);
            }
        }
        let bytes = datagram.len() as u64;
        if is_new {
            self.decoder.media_bytes += bytes;
        } else if classify(datagram) == DatagramKind::Rtp {
            // Padding, or a retransmission of what had come: what probes are made of.
            self.decoder.padding_bytes += bytes;
        }
        self.poll(now)
    }

    /// Says what is due.
    pub(super) fn poll(&mut self, now: Time) -> Vec<Said> {
        if self.decoder.asks_for_key_frame(now) {
            self.end.change(|rtc| {
                if let Some(stream) = rtc.direct_api().stream_rx(&ssrc(VIDEO)) {
                    stream.request_keyframe(KeyframeRequestKind::Pli);
                }
            });
        }
        self.end.wake(self.clock.instant(now));
        std::iter::from_fn(|| self.end.next_datagram()).map(Said::Datagram).collect()
    }

    /// When to poll next.
    pub(super) fn next_deadline(&self) -> Time {
        let due = self.end.deadline().map_or(Time::NEVER, |due| self.clock.time(due));
        due.min(self.decoder.next_deadline())
    }
}
