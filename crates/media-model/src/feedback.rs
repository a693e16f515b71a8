//! What the remote of a transport is told so that it finds its rate: when packets arrive and how they are marked, or what the path seems
//! to carry.
//!
//! Must not know streams: all packets of a transport share its path.

use crate::codec::Feedback;
use crate::extensions::SourceExtensions;
use crate::timers::Armed;
use std::time::Duration;
use tureen_congestion::{CongestionFeedbackGenerator, RembEstimator, TransportFeedbackGenerator};
use tureen_rtp_wire::rtcp::RtcpWriter;
use tureen_rtp_wire::rtp::{RtpPacket, extension};
use tureen_rtp_wire::{Ecn, NtpTime, Time};

/// Who estimates, and from which header extension.
#[derive(Debug, Default)]
enum Method {
    /// Nobody: no producer has negotiated what it takes.
    #[default]
    None,
    /// The remote does, from feedback on transport-wide sequence numbers.
    TransportWide { id: u8, generator: TransportFeedbackGenerator },
    /// The remote does, from feedback on its streams (RFC 8888).
    ByStream { generator: CongestionFeedbackGenerator },
    /// We do, from absolute send times.
    Remb { id: u8, estimator: Box<RembEstimator> },
}

/// The feedback of one transport about its path.
#[derive(Debug, Default)]
pub(crate) struct PathFeedback {
    method: Method,
    /// The source of the last packet.
    media_ssrc: u32,
    pub(crate) timer: Armed,
}

impl PathFeedback {
    /// Takes note of what a producer has negotiated. Transport-wide feedback goes before all else: a remote that
    /// numbers its packets must hear of all of them. Feedback on streams goes before estimates of our own. `limit` is the most that the
    /// remote may send, in bits per second.
    pub(crate) fn negotiate(
        &mut self,
        extensions: &SourceExtensions,
        feedback: Feedback,
        limit: Option<u64>,
    ) {
        let transport_wide = extensions.transport_wide_cc.filter(|_| feedback.transport_cc);
        let absolute = extensions.abs_send_time.filter(|_| feedback.remb);
        match (&mut self.method, transport_wide, absolute) {
            (Method::TransportWide { id, .. }, Some(new), _) => *id = new,
            (_, Some(id), _) => {
                self.method = Method::TransportWide { id, generator: TransportFeedbackGenerator::new() };
            }
            (Method::None | Method::Remb { .. }, None, _) if feedback.by_stream => {
                self.method = Method::ByStream { generator: CongestionFeedbackGenerator::new() };
            }
            (Method::Remb { id, .. }, None, Some(new)) => *id = new,
            (Method::None, None, Some(id)) => {
                let mut estimator = Box::new(RembEstimator::new());
                estimator.set_max(limit);
                self.method = Method::Remb { id, estimator };
            }
            _ => {}
        }
    }

    /// Takes note of a packet, whether its stream is known or not, and says when to poll.
    pub(crate) fn on_packet(&mut self, now: Time, packet: &RtpPacket<'_>, ecn: Ecn) -> Time {
        match &mut self.method {
            Method::None => return Time::NEVER,
            Method::TransportWide { id, generator } => {
                let value = packet.extension(*id).and_then(extension::transport_sequence_number);
                if let Some(sequence_number) = value {
                    generator.record(now, sequence_number);
                    self.media_ssrc = packet.ssrc();
                }
            }
            Method::ByStream { generator } => {
                generator.record(now, packet.ssrc(), packet.sequence_number(), ecn);
            }
            Method::Remb { id, estimator } => {
                if let Some(sent) = packet.extension(*id).and_then(extension::abs_send_time) {
                    estimator.on_packet(now, sent, packet.bytes().len());
                }
            }
        }
        self.next_deadline()
    }

    /// When to poll next.
    pub(crate) fn next_deadline(&self) -> Time {
        match &self.method {
            Method::None => Time::NEVER,
            Method::TransportWide { generator, .. } => generator.next_deadline(),
            Method::ByStream { generator } => generator.next_deadline(),
            Method::Remb { estimator, .. } => estimator.next_deadline(),
        }
    }

    /// Writes what is due of arrivals, as much as fits, and says whether there was any. `ntp` is our wall clock at `now`.
    pub(crate) fn write_arrivals(
        &mut self,
        now: Time,
        ntp: NtpTime,
        own_ssrc: u32,
        writer: &mut RtcpWriter<'_>,
    ) -> bool {
        match &mut self.method {
            Method::TransportWide { generator, .. } => generator.poll(now, own_ssrc, self.media_ssrc, writer),
            Method::ByStream { generator } => generator.poll(now, ntp, own_ssrc, writer),
            _ => false,
        }
    }

    /// The bitrate that the remote is to be told now.
    pub(crate) fn poll_bitrate(&mut self, now: Time, round_trip: Option<Duration>) -> Option<u64> {
        let Method::Remb { estimator, .. } = &mut self.method else { return None };
        if let Some(round_trip) = round_trip {
            estimator.set_round_trip(round_trip);
        }
        estimator.poll(now)
    }

    /// Whether the remote waits for reports of what arrived.
    pub(crate) fn tells_arrivals(&self) -> bool {
        matches!(self.method, Method::TransportWide { .. } | Method::ByStream { .. })
    }

    /// Sets the most that the remote may send, in bits per second.
    pub(crate) fn set_limit(&mut self, limit: Option<u64>) {
        if let Method::Remb { estimator, .. } = &mut self.method {
            estimator.set_max(limit);
        }
    }

    /// Bits per second that the path is believed to carry, if it is us who estimate.
    pub(crate) fn estimate(&self) -> Option<u64> {
        match &self.method {
            Method::Remb { estimator, .. } => estimator.estimate(),
            _ => None,
        }
    }
}
