//! Feedback about the path: arrivals are noted where packets come in, feedback leaves when its timer fires.

use crate::arena::Key;
use crate::core::Core;
use crate::timers::Timer;
use crate::transport_state::TransportTag;
use tureen_rtp_wire::rtp::RtpPacket;
use tureen_rtp_wire::{Ecn, Time};
use tureen_transport::{Egress, Transport};

/// Compounds that tell of arrivals and leave at one time: more than a window of packets takes.
const MAX_COMPOUNDS: usize = 16;

impl<T: Transport> Core<T> {
    /// Takes note of a packet's arrival.
    pub(crate) fn note_arrival(
        &mut self,
        now: Time,
        key: Key<TransportTag>,
        packet: &RtpPacket<'_>,
        ecn: Ecn,
    ) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let deadline = transport.feedback.on_packet(now, packet, ecn);
        transport.feedback.timer.arm(&mut self.timers, deadline, Timer::Feedback(key));
    }

    pub(crate) fn feedback_due(&mut self, now: Time, key: Key<TransportTag>, out: &mut impl Egress) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        if !transport.feedback.timer.fired(now) {
            return;
        }
        if transport.feedback.tells_arrivals() {
            self.send_arrivals(now, key, out);
        } else {
            self.send_estimate(now, key, out);
        }
        let Some(transport) = self.transports.get_mut(key) else { return };
        let deadline = transport.feedback.next_deadline();
        // What could not leave waits for the next packet: a path that takes nothing is not tried by the clock.
        if deadline > now {
            transport.feedback.timer.arm(&mut self.timers, deadline, Timer::Feedback(key));
        }
    }

    fn send_arrivals(&mut self, now: Time, key: Key<TransportTag>, out: &mut impl Egress) {
        let ntp = self.config.wall_clock.ntp(now);
        let Some(transport) = self.transports.get_mut(key) else { return };
        let mut feedback = std::mem::take(&mut transport.feedback);
        for _ in 0..MAX_COMPOUNDS {
            if feedback.next_deadline() > now {
                break;
            }
            let mut wrote = false;
            self.send_rtcp(now, key, out, |writer, own_ssrc| {
                wrote = feedback.write_arrivals(now, ntp, own_ssrc, writer);
                wrote.then_some(())
            });
            if !wrote {
                break;
            }
        }
        if let Some(transport) = self.transports.get_mut(key) {
            transport.feedback = feedback;
        }
    }

    fn send_estimate(&mut self, now: Time, key: Key<TransportTag>, out: &mut impl Egress) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let round_trip = transport.reports.round_trip;
        let Some(bitrate) = transport.feedback.poll_bitrate(now, round_trip) else { return };
        let ssrcs = self.received_ssrcs(key);
        self.send_rtcp(now, key, out, |writer, own_ssrc| writer.remb(own_ssrc, bitrate, &ssrcs).ok());
    }
}
