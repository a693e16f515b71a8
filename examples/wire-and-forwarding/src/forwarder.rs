//! Datagram in, datagram out: one stream from a source to one receiver. Knows no socket.

use tureen_forwarding::{
    PacketInfo, PacketMeta, PacketStore, PacketStoreConfig, Received, RecvStream, RecvStreamConfig, Rewrite,
    SendStream, SendStreamConfig, SentPacket, SimpleSelector, SimpleSelectorConfig, Verdict,
};
use tureen_rtp_wire::Time;
use tureen_rtp_wire::payload::{PayloadDescriptor, PayloadFormat};
use tureen_rtp_wire::rtcp::{Compound, RtcpPacket};
use tureen_rtp_wire::rtp::{RtpPacket, set_sequence_number, set_ssrc, set_timestamp};

const CLOCK_RATE: u32 = 48_000;

/// Forwards the first stream that it hears.
pub struct Forwarder {
    source: Option<RecvStream>,
    store: PacketStore,
    selector: SimpleSelector,
    receiver: SendStream,
    datagram: Vec<u8>,
}

impl Forwarder {
    /// A forwarder that sends as `ssrc`, starting with `first_sequence_number`.
    pub fn new(ssrc: u32, first_sequence_number: u16) -> Self {
        Self {
            source: None,
            store: PacketStore::new(PacketStoreConfig::AUDIO),
            selector: SimpleSelector::new(SimpleSelectorConfig {
                clock_rate: CLOCK_RATE,
                first_sequence_number,
                ..SimpleSelectorConfig::default()
            }),
            receiver: SendStream::new(SendStreamConfig {
                ssrc,
                clock_rate: CLOCK_RATE,
                log_capacity: 256,
                ..SendStreamConfig::default()
            }),
            datagram: Vec::with_capacity(2048),
        }
    }

    /// Takes an RTP packet from the source; returns what to send to the receiver.
    pub fn on_media(&mut self, now: Time, bytes: &[u8]) -> Option<&[u8]> {
        let packet = RtpPacket::parse(bytes).ok()?;
        let source = self.source.get_or_insert_with(|| {
            RecvStream::new(RecvStreamConfig {
                ssrc: packet.ssrc(),
                payload_type: packet.payload_type(),
                clock_rate: CLOCK_RATE,
                ..RecvStreamConfig::default()
            })
        });
        if packet.ssrc() != source.config().ssrc {
            return None;
        }
        let info = PacketInfo {
            sequence_number: packet.sequence_number(),
            timestamp: packet.timestamp(),
            payload_type: packet.payload_type(),
            size: bytes.len(),
            ..PacketInfo::default()
        };
        let (Received::Accepted { extended_sequence, .. } | Received::Resynced { extended_sequence }) =
            source.on_packet(now, &info)
        else {
            return None;
        };
        let descriptor = PayloadDescriptor::parse(PayloadFormat::Opus, packet.payload())?;
        let meta = PacketMeta::new(now, extended_sequence, 0, &packet, descriptor);
        self.store.insert(bytes, packet.layout(), &meta);

        let Verdict::Forward(rewrite) = self.selector.decide(&meta) else {
            return None;
        };
        let sent = SentPacket { encoding: 0, source: extended_sequence as u32, rewrite };
        self.receiver.on_sent(now, sent, bytes.len(), packet.payload().len());
        write(&mut self.datagram, bytes, self.receiver.config().ssrc, &rewrite)
    }

    /// Takes an RTCP packet from the receiver; calls `send` with each packet that it asks for and that is still there.
    pub fn on_feedback(&mut self, now: Time, bytes: &[u8], mut send: impl FnMut(&[u8])) {
        let Ok(compound) = Compound::parse(bytes) else { return };
        let ssrc = self.receiver.config().ssrc;
        for packet in compound {
            let Ok(RtcpPacket::Nack(nack)) = packet else { continue };
            if nack.media_ssrc() == ssrc {
                self.receiver.on_nack(nack.lost().count());
                nack.lost().for_each(|sequence_number| self.send_again(now, sequence_number, &mut send));
            }
        }
    }

    fn send_again(&mut self, now: Time, sequence_number: u16, send: &mut impl FnMut(&[u8])) {
        let ssrc = self.receiver.config().ssrc;
        let Ok(resend) = self.receiver.resend(now, sequence_number) else { return };
        let Some(stored) = self.store.get_low(resend.packet.source, now) else { return };
        if let Some(datagram) = write(&mut self.datagram, stored.bytes, ssrc, &resend.packet.rewrite) {
            send(datagram);
            self.receiver.on_resent(now, datagram.len());
        }
    }
}

/// The one copy, and the changes to it.
fn write<'a>(datagram: &'a mut Vec<u8>, bytes: &[u8], ssrc: u32, rewrite: &Rewrite) -> Option<&'a [u8]> {
    datagram.clear();
    datagram.extend_from_slice(bytes);
    let written = set_ssrc(datagram, ssrc)
        && set_sequence_number(datagram, rewrite.sequence_number)
        && set_timestamp(datagram, rewrite.timestamp);
    written.then_some(datagram)
}
